// SPDX-License-Identifier: Apache-2.0
/**
 * The demo server as a program: `main.ts --name web-1 --node node-a --address 10.0.0.1 --tcp 8080 --udp 8080`. Each of
 * --address, --tcp and --udp may stand several times. Prints `ready` once every socket is open.
 */

import { parseArgs } from 'node:util'
import { serveHttp } from './http-server.ts'
import { serveUdp } from './udp-server.ts'

const { values } = parseArgs({
  options: {
    name: { type: 'string', default: 'demo' },
    node: { type: 'string', default: '' },
    address: { type: 'string', multiple: true, default: ['0.0.0.0', '::'] },
    tcp: { type: 'string', multiple: true, default: [] },
    udp: { type: 'string', multiple: true, default: [] },
  },
})

const identity = { name: values.name, node: values.node }
await Promise.all(
  values.address.flatMap((address) => [
    ...values.tcp.map((port) => serveHttp(identity, address, Number(port))),
    ...values.udp.map((port) => serveUdp(identity, address, Number(port))),
  ]),
)
process.stdout.write('ready\n')
