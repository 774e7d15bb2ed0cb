// SPDX-License-Identifier: Apache-2.0
/** Raw cluster-scoped objects, Node and ServiceCIDR, checked and trimmed. */
import { defined, type Fields } from './fields.ts'
import { canonicalAddress, parseCidr } from './ip.ts'
import { normalizeMetadata } from './normalize-metadata.ts'
import type { Node, ServiceCIDR } from './types.ts'

/** core/v1. Addresses that are no IP addresses (Hostname, DNS names) are kept as they are. Throws FieldError. */
export function normalizeNode(object: Fields): Node {
  const spec = object.object('spec')
  const podCIDR = spec.string('podCIDR')
  const podCIDRs = readCidrs(spec, 'podCIDRs')
  const single = podCIDR
    ? (parseCidr(podCIDR)?.text ?? spec.fail('podCIDR', `Expected a CIDR, got '${podCIDR}'`))
    : undefined
  return {
    metadata: normalizeMetadata(object, 'Cluster', 'subdomain'),
    spec: {
      podCIDRs: podCIDRs.length > 0 || single === undefined ? podCIDRs : [single],
      taints: spec.objects('taints').map((taint) =>
        defined<Node['spec']['taints'][number]>({
          key: taint.requiredString('key'),
          value: taint.string('value'),
          effect: taint.string('effect'),
        }),
      ),
    },
    status: { addresses: object.object('status').objects('addresses').map(readNodeAddress) },
  }
}

/** networking.k8s.io/v1. Throws FieldError. */
export function normalizeServiceCIDR(object: Fields): ServiceCIDR {
  return {
    metadata: normalizeMetadata(object, 'Cluster', 'subdomain'),
    spec: { cidrs: readCidrs(object.object('spec'), 'cidrs') },
  }
}

function readNodeAddress(entry: Fields): Node['status']['addresses'][number] {
  const type = entry.requiredString('type')
  const text = entry.requiredString('address')
  if (type !== 'InternalIP' && type !== 'ExternalIP') return { type, address: text }
  return { type, address: canonicalAddress(text) ?? entry.fail('address', `Expected an IP address, got '${text}'`) }
}

function readCidrs(spec: Fields, name: string): string[] {
  return spec
    .strings(name)
    .map((text, index) => parseCidr(text)?.text ?? spec.fail(`${name}[${index}]`, `Expected a CIDR, got '${text}'`))
}
