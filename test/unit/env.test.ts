// SPDX-License-Identifier: Apache-2.0
/** The environment in a kubelet's form. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { serviceEnvironment } from '../../src/dns/service-environment.ts'
import { objectSet, service } from './model-fixture.ts'

function named(name: string, namespace: string, spec: Readonly<Record<string, unknown>> = {}) {
  return service(spec, { metadata: { name, namespace } })
}

// The cases of pkg/kubelet/envvars: an unnamed port, several ports, IPv6, and Services without an address.
test('serviceEnvironment() writes what a kubelet writes', () => {
  const objects = objectSet(
    [
      named('super-ipv6', 'default', {
        clusterIP: '2001:db8::',
        ports: [{ name: 'u-d-p', port: 8084, protocol: 'UDP' }],
      }),
      named('q-u-u-x', 'default', {
        clusterIP: '9.8.7.6',
        ports: [
          { name: 'g', port: 8083 },
          { name: 'o-t', port: 900, protocol: 'SCTP' },
        ],
      }),
      named('foo-bar', 'default', { clusterIP: '1.2.3.4', ports: [{ port: 8080 }] }),
      named('svrc-clusterip-none', 'default', { clusterIP: 'None', ports: [{ port: 8082 }] }),
      named('svrc-clusterip-empty', 'default', { clusterIP: '', ports: [{ port: 8082 }] }),
      named('elsewhere', 'default', {
        type: 'ExternalName',
        externalName: 'example.com',
        clusterIP: '',
        ports: [{ port: 80 }],
      }),
      named('other', 'shop'),
    ],
    [],
  )
  assert.deepEqual(serviceEnvironment(objects, 'default'), {
    FOO_BAR_SERVICE_HOST: '1.2.3.4',
    FOO_BAR_SERVICE_PORT: '8080',
    FOO_BAR_PORT: 'tcp://1.2.3.4:8080',
    FOO_BAR_PORT_8080_TCP: 'tcp://1.2.3.4:8080',
    FOO_BAR_PORT_8080_TCP_PROTO: 'tcp',
    FOO_BAR_PORT_8080_TCP_PORT: '8080',
    FOO_BAR_PORT_8080_TCP_ADDR: '1.2.3.4',
    Q_U_U_X_SERVICE_HOST: '9.8.7.6',
    Q_U_U_X_SERVICE_PORT: '8083',
    Q_U_U_X_SERVICE_PORT_G: '8083',
    Q_U_U_X_SERVICE_PORT_O_T: '900',
    Q_U_U_X_PORT: 'tcp://9.8.7.6:8083',
    Q_U_U_X_PORT_8083_TCP: 'tcp://9.8.7.6:8083',
    Q_U_U_X_PORT_8083_TCP_PROTO: 'tcp',
    Q_U_U_X_PORT_8083_TCP_PORT: '8083',
    Q_U_U_X_PORT_8083_TCP_ADDR: '9.8.7.6',
    Q_U_U_X_PORT_900_SCTP: 'sctp://9.8.7.6:900',
    Q_U_U_X_PORT_900_SCTP_PROTO: 'sctp',
    Q_U_U_X_PORT_900_SCTP_PORT: '900',
    Q_U_U_X_PORT_900_SCTP_ADDR: '9.8.7.6',
    SUPER_IPV6_SERVICE_HOST: '2001:db8::',
    SUPER_IPV6_SERVICE_PORT: '8084',
    SUPER_IPV6_SERVICE_PORT_U_D_P: '8084',
    SUPER_IPV6_PORT: 'udp://[2001:db8::]:8084',
    SUPER_IPV6_PORT_8084_UDP: 'udp://[2001:db8::]:8084',
    SUPER_IPV6_PORT_8084_UDP_PROTO: 'udp',
    SUPER_IPV6_PORT_8084_UDP_PORT: '8084',
    SUPER_IPV6_PORT_8084_UDP_ADDR: '2001:db8::',
  })
})

test('serviceEnvironment() gives every namespace the API server, and its own Service of that name before it', () => {
  const api = named('kubernetes', 'default', { clusterIP: '10.96.0.1' })
  const own = named('kubernetes', 'shop', { clusterIP: '10.96.0.2' })
  const host = (namespace: string, ...services: ReturnType<typeof service>[]) =>
    serviceEnvironment(objectSet(services, []), namespace).KUBERNETES_SERVICE_HOST
  assert.equal(host('empty', api, own), '10.96.0.1')
  assert.equal(host('default', api, own), '10.96.0.1')
  assert.equal(host('shop', api, own), '10.96.0.2')
  assert.equal(host('shop', own, api), '10.96.0.2')
})
