// SPDX-License-Identifier: Apache-2.0
/** A client's end of one connection to the demo server, over TCP or UDP. */

import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { DemoAnswer, Peer } from '../demo/answer.ts'
import type { UdpQuestion } from '../demo/udp-server.ts'
import { type ClientAnswer, type ClientQuestion, type ClientTarget, defaultTimeoutMs } from './client-protocol.ts'

export interface ClientConnection {
  ask(question: ClientQuestion): Promise<ClientAnswer>
  close(): void
}

/** Rejects with the system's error, or with code ETIMEDOUT. */
export async function openConnection(target: ClientTarget): Promise<ClientConnection> {
  const signal = timeout(target.timeoutMs)
  return target.proto === 'tcp' ? await openTcp(target, signal) : await openUdp(target, signal)
}

async function openTcp(target: ClientTarget, signal: AbortSignal): Promise<ClientConnection> {
  const socket = connect({
    host: target.address,
    port: target.port,
    ...(target.sourceAddress === undefined ? {} : { localAddress: target.sourceAddress }),
    ...(target.sourcePort === undefined ? {} : { localPort: target.sourcePort }),
    noDelay: true,
  })
  try {
    await once(socket, 'connect', { signal })
  } catch (error) {
    socket.destroy()
    throw timedOut(error, `no connection to ${target.address} port ${target.port}`)
  }
  // Between questions nobody listens; the next question finds the socket gone.
  socket.on('error', () => {})
  const agent = oneSocketAgent(socket)
  return { ask: (question) => askTcp(socket, agent, question), close: () => socket.destroy() }
}

/** An agent that never opens a second connection behind the test's back. */
function oneSocketAgent(socket: Socket): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  let taken = false
  agent.createConnection = () => {
    if (!taken && !socket.destroyed) {
      taken = true
      return socket
    }
    throw Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })
  }
  return agent
}

async function askTcp(socket: Socket, agent: Agent, question: ClientQuestion): Promise<ClientAnswer> {
  const local = peer(socket.localAddress, socket.localPort)
  const remote = peer(socket.remoteAddress, socket.remotePort)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const signal = timeout(question.timeoutMs)
  const path = `/api?bytes=${question.answerBytes ?? 0}`
  const asked = request({ agent, signal, method: 'POST', path, headers: { host: 'maglane' } }, (response) => {
    let text = ''
    response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    response.on('error', reject).on('end', () => resolve(text))
  })
  asked.on('error', reject).end(Buffer.alloc(question.sendBytes ?? 0))
  try {
    return parseAnswer(await promise, local, remote)
  } catch (error) {
    throw timedOut(error, 'no answer')
  }
}

async function openUdp(target: ClientTarget, signal: AbortSignal): Promise<ClientConnection> {
  // A port that was asked for may be another connection's too: connected sockets are told apart by their peers.
  const type = target.address.includes(':') ? 'udp6' : 'udp4'
  const socket = createSocket({ type, reuseAddr: target.sourcePort !== undefined })
  socket.on('error', () => {})
  try {
    socket.bind({
      port: target.sourcePort ?? 0,
      ...(target.sourceAddress === undefined ? {} : { address: target.sourceAddress }),
    })
    await once(socket, 'listening', { signal })
    if (target.connected !== false) await connectUdp(socket, target)
  } catch (error) {
    socket.close()
    throw timedOut(error, `no socket to ${target.address} port ${target.port}`)
  }
  return { ask: (question) => askUdp(socket, target, question), close: () => socket.close() }
}

async function connectUdp(socket: UdpSocket, target: ClientTarget): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.connect(target.port, target.address, ((error?: Error) => (error ? reject(error) : resolve())) as () => void)
  await promise
}

async function askUdp(socket: UdpSocket, target: ClientTarget, question: ClientQuestion): Promise<ClientAnswer> {
  const wanted: UdpQuestion = { answerBytes: question.answerBytes ?? 0, padding: '' }
  const bare = JSON.stringify(wanted)
  const padding = '.'.repeat(Math.max(0, (question.sendBytes ?? 0) - bare.length))
  const datagram = JSON.stringify({ ...wanted, padding })
  const { promise, resolve, reject } = Promise.withResolvers<ClientAnswer>()
  const onMessage = (message: Buffer, sender: Peer): void => {
    try {
      resolve(parseAnswer(message.toString(), local(socket), peer(sender.address, sender.port)))
    } catch (error) {
      reject(error)
    }
  }
  const send = (): void => {
    const sent = (error: Error | null): void => void (error && reject(error))
    const { address, port } = question.to ?? target
    if (target.connected === false) socket.send(datagram, port, address, sent)
    else socket.send(datagram, sent)
  }
  const onError = (error: NodeJS.ErrnoException): void => {
    // The system has learned a smaller path MTU (ip(7)): what was too big is cut smaller when it is sent again.
    if (error.code === 'EMSGSIZE') send()
    else reject(error)
  }
  const signal = timeout(question.timeoutMs)
  signal.addEventListener('abort', () => reject(signal.reason))
  socket.once('message', onMessage).on('error', onError)
  send()
  try {
    return await promise
  } catch (error) {
    throw timedOut(error, 'no answer')
  } finally {
    socket.off('message', onMessage).off('error', onError)
  }
}

function parseAnswer(text: string, local: Peer, remote: Peer): ClientAnswer {
  return { ...(JSON.parse(text) as DemoAnswer), local, peer: remote, answerBytes: text.length }
}

function local(socket: UdpSocket): Peer {
  const { address, port } = socket.address()
  return peer(address, port)
}

function peer(address = '', port = 0): Peer {
  return { address, port }
}

function timeout(timeoutMs = defaultTimeoutMs): AbortSignal {
  return AbortSignal.timeout(timeoutMs)
}

function timedOut(error: unknown, message: string): unknown {
  if (!(error instanceof Error) || (error.name !== 'AbortError' && error.name !== 'TimeoutError')) return error
  return Object.assign(new Error(message, { cause: error }), { code: 'ETIMEDOUT' })
}
