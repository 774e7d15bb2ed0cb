// SPDX-License-Identifier: Apache-2.0
/** Readiness probes, run as a kubelet runs them: from the pod's node. */

import { setTimeout as delay } from 'node:timers/promises'
import { enter } from './enter.ts'
import type { LabNode } from './nodes.ts'
import type { LabPod } from './pod.ts'
import type { Container, ReadinessProbe } from './pod-object.ts'
import { run } from './run.ts'

/**
 * Says whether a container is ready, at first and after each change, until the signal aborts. Without a probe it is, as
 * soon as it runs.
 */
export async function followReadiness(
  { readinessProbe: probe, ports = [] }: Container,
  pod: LabPod,
  node: LabNode,
  signal: AbortSignal,
  onChange: (ready: boolean) => void,
): Promise<void> {
  if (probe === undefined) {
    onChange(true)
    return
  }
  const { initialDelaySeconds = 0, periodSeconds = 10, successThreshold = 1, failureThreshold = 3 } = probe
  const portNumber = (port: number | string) => ports.find(({ name }) => name === port)?.containerPort ?? Number(port)
  const command = probeCommand(probe, pod, node, portNumber)
  let ready = false
  let same = 0
  onChange(false)
  for (let pause = initialDelaySeconds; ; pause = periodSeconds) {
    await delay(pause * 1000, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) return
    const success = await succeeds(command, probe)
    if (signal.aborted) return
    same = success === ready ? 0 : same + 1
    if (same < (success ? successThreshold : failureThreshold)) continue
    ready = success
    same = 0
    onChange(ready)
  }
}

interface ProbeCommand {
  readonly argv: readonly string[]
  /** A success, of a command that has ended with 0. */
  readonly accepts: (stdout: string) => boolean
}

function probeCommand(
  { httpGet, tcpSocket, exec, timeoutSeconds = 1 }: ReadinessProbe,
  pod: LabPod,
  node: LabNode,
  portNumber: (port: number | string) => number,
): ProbeCommand {
  const address = pod.addresses.ipv4
  const accepts = () => true
  if (httpGet !== undefined) {
    const url = `http://${address}:${portNumber(httpGet.port)}${httpGet.path ?? '/'}`
    const options = ['--silent', '--output', '/dev/null', '--max-time', String(timeoutSeconds)]
    const argv = enter(node.place, ['curl', ...options, '--write-out', '%{http_code}', url])
    return { argv, accepts: (status) => /^[23]/.test(status) }
  }
  if (tcpSocket !== undefined) {
    const port = String(portNumber(tcpSocket.port))
    const connect = ['timeout', String(timeoutSeconds), 'bash', '-c', 'exec 3<>"/dev/tcp/$0/$1"', address, port]
    return { argv: enter(node.place, connect), accepts }
  }
  return { argv: enter(pod.place, exec?.command ?? ['true']), accepts }
}

async function succeeds({ argv, accepts }: ProbeCommand, { timeoutSeconds = 1 }: ReadinessProbe): Promise<boolean> {
  const { code, stdout } = await run(argv, { timeoutMs: timeoutSeconds * 1000 + 500 })
  return code === 0 && accepts(stdout)
}
