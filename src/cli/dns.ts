// SPDX-License-Identifier: Apache-2.0
/** `maglane dns`: the names of a cluster that has no API server. */

import { type Log, lineLog } from '../agent/log.ts'
import { CONFIG_FLAGS } from '../config/flags.ts'
import { loadConfig } from '../config/load-config.ts'
import { canonicalName, isName } from '../dns/names.ts'
import { Responder } from '../dns/responder.ts'
import { type DnsServer, serveDns } from '../dns/serve.ts'
import { type Upstream, Upstreams } from '../dns/upstreams.ts'
import { buildZone } from '../dns/zone.ts'
import { type BindAddress, formatBindAddress, parseBindAddress } from '../health/bind-address.ts'
import type { ObjectError } from '../model/types.ts'
import type { Manifests } from '../source/derive-objects.ts'
import { watchManifests } from '../source/manifests.ts'
import { defineCommand, UsageError } from './command.ts'

const DNS_PORT = 53

export const command = defineCommand({
  summary: 'Answer the DNS names of Services from a folder of manifests',
  usage: 'dns --manifests DIR [--listen IP[:PORT]]… [--domain NAME] [--upstream IP[:PORT]]…',
  description: [
    'Kubernetes DNS-Based Service Discovery 1.1.0, over UDP and TCP: ClusterIP, headless and ExternalName Services, and the names',
    'of Pods. Follows every change of the folder. A line of JSON on standard output says that names are answered; logs go to',
    'standard error. Other names are refused, or asked of the upstreams in their order.',
  ].join('\n'),
  options: {
    manifests: { type: 'string', short: 'm', placeholder: 'DIR', description: 'Folder of manifests, watched' },
    listen: {
      type: 'string',
      multiple: true,
      default: [`:${DNS_PORT}`],
      placeholder: 'IP[:PORT]',
      description: 'Where to answer; :PORT is every address',
    },
    domain: { type: 'string', default: 'cluster.local', placeholder: 'NAME', description: "The cluster's domain" },
    upstream: {
      type: 'string',
      multiple: true,
      default: [],
      placeholder: 'IP[:PORT]',
      description: 'A server that knows other names',
    },
    'service-cidr': CONFIG_FLAGS['service-cidr'],
  },
  examples: [
    { command: 'maglane dns --manifests /etc/maglane --listen 10.244.1.2', does: 'The names of a standalone cluster' },
    {
      command: 'maglane dns --manifests /etc/maglane --listen 127.0.0.1:5353 --upstream 192.0.2.53',
      does: 'On a port that needs no root, with all other names from elsewhere',
    },
  ],
  run: async ({ values, positionals }, io) => {
    if (positionals.length > 0) throw new UsageError(`dns takes options only, got "${positionals[0]}"`)
    if (values.manifests === undefined) throw new UsageError('--manifests DIR is missing')
    const listen = values.listen.map((text) => parseAddress('--listen', text))
    const upstreams = new Upstreams(values.upstream.map(parseUpstream))
    const domain = canonicalName(values.domain)
    if (!isName(domain)) throw new UsageError(`--domain takes a DNS name, got "${values.domain}"`)
    const { config } = await loadConfig({ 'service-cidr': values['service-cidr'] })
    const sayFaults = faultLog(lineLog(io.stderr))
    let responder: Responder | undefined
    let server: DnsServer | undefined
    let serial = 0
    try {
      await watchManifests(values.manifests, {
        ...(config.serviceCidrs.length > 0 ? { serviceCidrs: config.serviceCidrs } : {}),
        signal: io.signal,
        onChange: async (manifests: Manifests) => {
          sayFaults(manifests.errors)
          serial = Math.max(serial + 1, Math.floor(Date.now() / 1000))
          const zone = buildZone(manifests, { domain, serial })
          if (responder !== undefined) {
            responder.zone = zone
            return
          }
          responder = new Responder(zone, upstreams)
          server = await serveDns(responder, listen)
          const addresses = server.addresses.map(formatBindAddress)
          io.stdout(`${JSON.stringify({ event: 'ready', domain, addresses })}\n`)
        },
      })
    } finally {
      await server?.[Symbol.asyncDispose]()
    }
    return 0
  },
})

function parseAddress(option: string, text: string): BindAddress {
  try {
    return parseBindAddress(text, DNS_PORT)
  } catch {
    throw new UsageError(`${option} takes IP[:PORT], got "${text}"`)
  }
}

function parseUpstream(text: string): Upstream {
  const { host, port } = parseAddress('--upstream', text)
  if (host === undefined || port === 0) throw new UsageError(`--upstream takes IP[:PORT], got "${text}"`)
  return { host, port }
}

/** Says each fault of the manifests once for as long as it lasts. */
function faultLog(log: Log): (errors: readonly ObjectError[]) => void {
  let said = new Set<string>()
  return (errors) => {
    const now = new Set(errors.map((error) => JSON.stringify(error)))
    for (const error of errors)
      if (!said.has(JSON.stringify(error))) {
        const { source, object, field, message } = error
        log('warn', message, { source, object, field: field || undefined })
      }
    said = now
  }
}
