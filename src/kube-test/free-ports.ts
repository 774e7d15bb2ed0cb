// SPDX-License-Identifier: Apache-2.0
/** TCP ports of loopback that nobody listens on. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** All different, since each is held until all are known; between that and their use somebody else may take one. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}
