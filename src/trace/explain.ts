// SPDX-License-Identifier: Apache-2.0
/** Why the programs did what they did, in one sentence behind the stable code. */

import { formatAddress, formatEndpoint } from '../abi/address.ts'
import { FlowFlags, FrontendFlags, FrontendKind, Reason } from '../abi/generated.ts'
import { reasonWord } from '../cli/live/words.ts'
import { isExternalScope, isScoped, type TraceFacts } from './trace-answer.ts'

/** `CODE: sentence`. */
export function explain(facts: TraceFacts): string {
  const { reason } = facts.event
  return `${reasonWord(reason)}: ${(sentences[reason] ?? (() => 'the programs say no more'))(facts)}`
}

const sentences: Readonly<Record<number, (facts: TraceFacts) => string>> = {
  [Reason.FORWARD_NEW]: (facts) => [policyOf(facts), choiceOf(facts), rewritingOf(facts)].filter(Boolean).join('; '),
  [Reason.PASS_NOT_SERVICE]: (facts) =>
    isLoopbackNodePort(facts)
      ? 'a NodePort on 127.0.0.1 is for processes of the node alone'
      : `no Service has ${destinationOf(facts)} on this node: the packet goes on unchanged`,
  [Reason.REJECT_NO_ENDPOINT]: (facts) =>
    `no endpoint of ${facts.service} is ready, and none that terminates still serves: ${refusalOf(facts)}`,
  [Reason.REJECT_UNKNOWN_PORT]: (facts) =>
    `${formatAddress(facts.packet.destination.address)} is a ClusterIP of ${facts.service}, which has no port ` +
    `${facts.packet.destination.port}/${facts.packet.protocol}: ${refusalOf(facts)}`,
  [Reason.DROP_NO_LOCAL_ENDPOINT]: (facts) =>
    `${policyOf(facts) || 'policy Local'}, and none of ${facts.service} is usable here, though others are elsewhere`,
  [Reason.DROP_SOURCE_RANGE]: (facts) =>
    `${formatAddress(facts.packet.source.address)} lies outside the loadBalancerSourceRanges of ${facts.service}`,
  [Reason.DROP_SERVICE_CIDR]: (facts) =>
    `${formatAddress(facts.packet.destination.address)} lies in a ServiceCIDR, and no Service has it`,
  [Reason.DROP_UNSUPPORTED]: () =>
    'the packet cannot be translated: a fragment of SCTP to another port, or a protocol that no Service speaks',
  [Reason.DROP_NO_SNAT_PORT]: () => 'no source port is free for the node to masquerade with',
  [Reason.PASS_NO_MEMORY]: () => 'a table has no room for the flow: the packet goes on unchanged',
}

/** What decides which backends count; '' where only the maps are known and do not tell. */
function policyOf(facts: TraceFacts): string {
  const { event, plan } = facts
  if (event.kind === FrontendKind.FE_CLUSTER_IP) {
    if (plan === undefined) return ''
    return plan.internalTrafficPolicy === 'Local'
      ? 'internalTrafficPolicy Local: only endpoints on this node count'
      : 'internalTrafficPolicy Cluster'
  }
  if (!isScoped(facts)) return plan === undefined ? '' : `externalTrafficPolicy ${plan.externalTrafficPolicy}`
  return isExternalScope(facts)
    ? 'externalTrafficPolicy Local: only endpoints on this node count'
    : 'externalTrafficPolicy Local leaves clients in the cluster all endpoints'
}

function choiceOf({ answer, event, local }: TraceFacts): string {
  const many = answer.candidates.length > 1 ? `one of ${answer.candidates.length}` : 'the only one'
  const sticky = event.flags & FlowFlags.FLOW_F_AFFINITY ? ', which sessionAffinity ClientIP keeps' : ''
  return `${answer.selected} is ${many}${sticky}, ${local ? 'on this node' : 'on another node'}`
}

function rewritingOf({ event, answer, from, local, masqueradeAll }: TraceFacts): string {
  if (!answer.masquerade) return "the client's address is kept"
  const replaced = `the client's address becomes ${formatAddress(event.newSrc)}`
  if (event.flags & FlowFlags.FLOW_F_HAIRPIN) return `client and backend are one, so ${replaced}`
  if (from === 'host') return `the node's way to the backend has another source address: ${replaced}`
  if (from === 'external' && !local) return `so that the reply comes back through this node, ${replaced}`
  return masqueradeAll ? `masqueradeAll is on: ${replaced}` : replaced
}

function refusalOf({ packet }: TraceFacts): string {
  return packet.protocol === 'TCP' ? 'the client gets a RST' : 'the client gets an ICMP port unreachable'
}

function isLoopbackNodePort({ frontend }: TraceFacts): boolean {
  return ((frontend?.flags ?? 0) & FrontendFlags.FE_F_LOOPBACK) !== 0
}

function destinationOf({ packet: { destination, protocol } }: TraceFacts): string {
  return `${formatEndpoint(destination.address, destination.port)}/${protocol}`
}
