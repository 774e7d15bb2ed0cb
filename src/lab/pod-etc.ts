// SPDX-License-Identifier: Apache-2.0
/** The files of /etc that a kubelet writes for a pod, so that every program of it resolves names as in a cluster. */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { dnsAddress } from './address-plan.ts'
import { type LabPod, podPlaceName } from './pod.ts'

const clusterDomain = 'cluster.local'

/** Writes the files and gives their folder, which is below the lab's. */
export async function writePodEtc(labFolder: string, pod: LabPod): Promise<string> {
  const folder = join(labFolder, 'etc', podPlaceName(pod))
  await mkdir(folder, { recursive: true })
  const files = {
    'resolv.conf': resolvConf(pod.namespace),
    hosts: hosts(pod),
    // The machine may ask a resolver of its own by another way than resolv.conf.
    'nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
  }
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)))
  return folder
}

function resolvConf(namespace: string): string {
  const search = [`${namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
  return `search ${search.join(' ')}\nnameserver ${dnsAddress.ipv4}\noptions ndots:5\n`
}

function hosts({ name, namespace, hostname, subdomain, addresses }: LabPod): string {
  const own = hostname || name
  const names = subdomain === '' ? [own] : [`${own}.${subdomain}.${namespace}.svc.${clusterDomain}`, own]
  return [
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...Object.values(addresses).map((address: string) => [address, ...names].join('\t')),
    '',
  ].join('\n')
}
