// SPDX-License-Identifier: Apache-2.0
/** A DNS server outside of the cluster, as a program: `outside-dns.ts ADDRESS NAME` answers that NAME is at ADDRESS. */

import { Responder } from '../dns/responder.ts'
import { serveDns } from '../dns/serve.ts'
import { Upstreams } from '../dns/upstreams.ts'
import { addressRecord, soaRecord } from '../dns/zone-record.ts'

const [, , address = '', name = ''] = process.argv
const domain = name.slice(name.indexOf('.') + 1)
const zone = {
  domain,
  origins: [domain],
  names: new Map([
    [domain, [soaRecord(domain, domain, 1)]],
    [name, [addressRecord(name, address)]],
  ]),
  namespaces: new Set<string>(),
}
await serveDns(new Responder(zone, new Upstreams([])), [{ host: address, port: 53 }])
