// SPDX-License-Identifier: Apache-2.0
/** A client process: runs inside one of the lab's namespaces and does what its parent asks for over the IPC channel. */

import { type ClientConnection, openConnection } from './client-connection.ts'
import type { ClientAnswer, ClientCommand, ClientReply } from './client-protocol.ts'

const connections = new Map<number, ClientConnection>()

async function execute(command: ClientCommand): Promise<ClientAnswer | undefined> {
  if (command.op === 'open') {
    connections.set(command.connection, await openConnection(command.target))
    return undefined
  }
  const connection = connections.get(command.connection)
  if (command.op === 'ask') {
    if (connection === undefined) throw new Error(`connection ${command.connection} is not open`)
    return await connection.ask(command.question)
  }
  connections.delete(command.connection)
  connection?.close()
  return undefined
}

function reply(message: ClientReply): void {
  process.send?.(message)
}

process.on('message', (command: ClientCommand) => {
  execute(command).then(
    (answer) => reply({ id: command.id, answer }),
    (error: Error & { code?: string }) =>
      reply({ id: command.id, error: { code: error.code ?? 'EUNKNOWN', message: error.message } }),
  )
})
// Nothing is worth doing for a parent that is gone.
process.on('disconnect', () => process.exit())
