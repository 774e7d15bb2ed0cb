// SPDX-License-Identifier: Apache-2.0
/** Runs the tour in a lab: applies the examples, calls everything, scales while calling. */

import type { ObjectSet, Service } from '../model/types.ts'
import { readExamples } from './examples.ts'
import type { Lab } from './lab.ts'
import type { ManifestObject } from './manifest.ts'
import { podPlaceName } from './pod.ts'
import { callWhile, type SteadyCalls } from './steady-calls.ts'
import { call, frontendsAnswer, type TourCall, type TourFrontend, tourCallers, tourFrontends } from './tour.ts'
import { callLine, frontendTitle, labTitle, serviceTitle, steadyLine } from './transcript.ts'

export interface TourReport {
  readonly lab: string
  readonly cni: string
  readonly calls: readonly TourCall[]
  readonly scaling: readonly ({ readonly from: number; readonly to: number } & SteadyCalls)[]
  /** Calls without an answer, those made while scaling included. */
  readonly failed: number
}

export interface TourOptions {
  /** Folder of the manifests. */
  readonly examples: string
  /** Ends the tour early; what was called until then is not reported. */
  readonly signal: AbortSignal
  /** Takes the transcript, piece by piece. */
  readonly print: (text: string) => void
}

export async function runTour(lab: Lab, options: TourOptions): Promise<TourReport> {
  const { signal, print } = options
  const examples = await readExamples(options.examples)
  await lab.apply(...examples)
  const objects = await lab.objects()
  await routeExternalAddresses(lab, objects)
  print(labTitle(lab))
  const frontends = tourFrontends(objects, lab.nodes.length)
  await frontendsAnswer(lab, frontends)
  const calls = await callAll(lab, objects, frontends, options)
  const scaling: TourReport['scaling'][number][] = []
  const deployment = scalable(examples, objects)
  if (deployment !== undefined) {
    const { name, services, replicas } = deployment
    const called = services.flatMap((service) => firstOfEachProtocol(frontends, service))
    print(`\nScaling ${name} while it is called without a pause\n`)
    for (const [from, to] of [
      [replicas, replicas * 2],
      [replicas * 2, replicas],
    ] as const) {
      signal.throwIfAborted()
      const steady = await callWhile(lab, tourCallers, called, () => lab.scale(name, to))
      print(steadyLine(`${from} → ${to} pods`, steady))
      scaling.push({ from, to, ...steady })
    }
  }
  const unanswered = calls.filter(({ answer }) => answer === undefined).length
  const failed = scaling.reduce((sum, steady) => sum + steady.failed.length, unanswered)
  return { lab: lab.name, cni: lab.cni, calls, scaling, failed }
}

async function callAll(
  lab: Lab,
  objects: ObjectSet,
  frontends: readonly TourFrontend[],
  options: TourOptions,
): Promise<TourCall[]> {
  const calls: TourCall[] = []
  let service = ''
  for (const frontend of frontends) {
    options.signal.throwIfAborted()
    if (frontend.service !== service) {
      service = frontend.service
      options.print(serviceTitle(service, objects.services.get(service)!))
    }
    options.print(frontendTitle(frontend))
    for (const from of tourCallers) {
      const made = await call(lab, from, frontend)
      options.print(callLine(made))
      calls.push(made)
    }
  }
  return calls
}

/** What a network's owner does for addresses that no node has: routes them to one. */
async function routeExternalAddresses(lab: Lab, objects: ObjectSet): Promise<void> {
  const [node] = lab.nodes
  if (node === undefined) return
  for (const { spec, status } of objects.services.values()) {
    const ingress = status.loadBalancer.ingress.flatMap(({ ip }) => (ip === undefined ? [] : [ip]))
    for (const address of [...spec.externalIPs, ...ingress]) await lab.route(address, node.name)
  }
}

/** A Deployment with Services that select its pods. */
function scalable(
  examples: readonly ManifestObject[],
  objects: ObjectSet,
): { name: string; services: string[]; replicas: number } | undefined {
  for (const { kind, metadata, spec } of examples) {
    if (kind !== 'Deployment') continue
    const { template, replicas = 1 } = spec as {
      template?: { metadata?: { labels?: Record<string, string> } }
      replicas?: number
    }
    const labels = template?.metadata?.labels ?? {}
    const namespace = metadata.namespace ?? 'default'
    const services = [...objects.services]
      .filter(([, service]) => selects(service, namespace, labels))
      .map(([key]) => key)
    if (services.length > 0) return { name: podPlaceName({ name: metadata.name, namespace }), services, replicas }
  }
  return undefined
}

function selects({ metadata, spec }: Service, namespace: string, labels: Readonly<Record<string, string>>): boolean {
  if (spec.selector === undefined || metadata.namespace !== namespace) return false
  return Object.entries(spec.selector).every(([name, value]) => labels[name] === value)
}

function firstOfEachProtocol(frontends: readonly TourFrontend[], service: string): TourFrontend[] {
  const own = frontends.filter((frontend) => frontend.service === service)
  return (['tcp', 'udp'] as const).flatMap((proto) => own.find((frontend) => frontend.proto === proto) ?? [])
}
