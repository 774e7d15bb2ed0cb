// SPDX-License-Identifier: Apache-2.0
/**
 * The plain data that flows from a source, through the model and the compiler, towards the maps.
 *
 * source → {@link ObjectSet} → model → {@link ServicePlan}[] → compiler → image → dataplane.
 */

/** IP protocol of a Service port. */
export type Protocol = 'TCP' | 'UDP' | 'SCTP'
export type IpFamily = 'IPv4' | 'IPv6'

/** How a frontend came to be; the words of trace's JSON and of `get`. */
export type FrontendKind = 'clusterIP' | 'nodePort' | 'externalIP' | 'loadBalancerIP'

/**
 * Kubernetes objects trimmed to the fields that are read. The field names are the API's, so that a manifest, a
 * watch event and a test's literal are the same thing.
 */
export interface Metadata {
  readonly name: string
  readonly namespace: string
  readonly uid?: string
  /** RFC 3339; decides which of two Services keeps a contested frontend: the older. */
  readonly creationTimestamp?: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  readonly resourceVersion?: string
  readonly deletionTimestamp?: string
}

export interface ServicePort {
  /** '' when the Service has a single, unnamed port. */
  readonly name: string
  readonly protocol: Protocol
  readonly port: number
  /** 0: none. */
  readonly nodePort: number
  readonly targetPort: number | string
  readonly appProtocol?: string
}

export interface Service {
  readonly metadata: Metadata
  readonly spec: {
    readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer' | 'ExternalName'
    /** Empty: none allocated yet. ['None']: headless. */
    readonly clusterIPs: readonly string[]
    readonly ports: readonly ServicePort[]
    readonly selector?: Readonly<Record<string, string>>
    readonly externalIPs: readonly string[]
    readonly externalName?: string
    readonly ipFamilies?: readonly IpFamily[]
    readonly ipFamilyPolicy?: 'SingleStack' | 'PreferDualStack' | 'RequireDualStack'
    readonly sessionAffinity: 'None' | 'ClientIP'
    /** Seconds; sessionAffinityConfig.clientIP.timeoutSeconds. */
    readonly affinityTimeoutSeconds: number
    readonly externalTrafficPolicy: 'Cluster' | 'Local'
    readonly internalTrafficPolicy: 'Cluster' | 'Local'
    readonly trafficDistribution?: string
    readonly healthCheckNodePort: number
    readonly loadBalancerSourceRanges: readonly string[]
    readonly publishNotReadyAddresses: boolean
    readonly loadBalancerClass?: string
    /** Absent: true. Only who allocates asks. */
    readonly allocateLoadBalancerNodePorts?: boolean
  }
  readonly status: {
    readonly loadBalancer: {
      readonly ingress: readonly { readonly ip?: string; readonly hostname?: string; readonly ipMode?: string }[]
    }
  }
}

export interface SliceEndpoint {
  readonly addresses: readonly string[]
  readonly conditions: { readonly ready?: boolean; readonly serving?: boolean; readonly terminating?: boolean }
  readonly hostname?: string
  readonly nodeName?: string
  readonly zone?: string
  readonly hints?: {
    readonly forZones?: readonly { readonly name: string }[]
    readonly forNodes?: readonly { readonly name: string }[]
  }
  readonly targetRef?: { readonly kind: string; readonly name: string; readonly namespace?: string }
}

export interface EndpointSlice {
  readonly metadata: Metadata
  readonly addressType: 'IPv4' | 'IPv6' | 'FQDN'
  readonly endpoints: readonly SliceEndpoint[]
  /** A port without a number is skipped, one without a name is ''. */
  readonly ports: readonly {
    readonly name: string
    readonly protocol: Protocol
    readonly port?: number
    readonly appProtocol?: string
  }[]
}

export interface Node {
  readonly metadata: Metadata
  readonly spec: {
    readonly podCIDRs: readonly string[]
    readonly taints: readonly { readonly key: string; readonly value?: string; readonly effect?: string }[]
  }
  readonly status: { readonly addresses: readonly { readonly type: string; readonly address: string }[] }
}

/** networking.k8s.io/v1. */
export interface ServiceCIDR {
  readonly metadata: Metadata
  readonly spec: { readonly cidrs: readonly string[] }
}

/** What a source knows, whole, after every informer has synced. Keys are `namespace/name`, or `name` of cluster-scoped kinds. */
export interface ObjectSet {
  readonly services: ReadonlyMap<string, Service>
  readonly endpointSlices: ReadonlyMap<string, EndpointSlice>
  readonly nodes: ReadonlyMap<string, Node>
  readonly serviceCIDRs: ReadonlyMap<string, ServiceCIDR>
  /** Where an object was read, by `Service default/web`; absent: 'kubernetes'. Only for messages. */
  readonly origins?: ReadonlyMap<string, string>
}

/** A fault in somebody's object: it is said and shown, and everything else stays programmed. */
export interface ObjectError {
  /** Where the object was read: a file's path relative to the folder, or 'kubernetes'. */
  readonly source: string
  /** `Service default/web`; 'document 3' where not even that could be read. */
  readonly object: string
  /** `spec.ports[0].targetPort`; '' for the object as a whole. */
  readonly field: string
  readonly message: string
}

/** What is local by nature: the node that a model is made for. */
export interface NodeContext {
  readonly nodeName: string
  /** Canonical addresses of this node that NodePorts answer on, loopback excluded. */
  readonly nodePortAddresses: readonly string[]
  /** All canonical addresses of this node, loopback excluded: an endpoint there is local. */
  readonly nodeAddresses: readonly string[]
  /** The node's own address of each family, as kube-proxy's node IP: what loadBalancerSourceRanges are asked about. */
  readonly primaryAddresses: readonly string[]
  readonly zone?: string
  /** NodePorts on 127.0.0.1. */
  readonly localhostNodePorts: boolean
}

/** One usable endpoint of a backend set. */
export interface BackendPlan {
  /** Canonical (RFC 5952 for IPv6). */
  readonly address: string
  readonly port: number
  readonly local: boolean
}

/** Sorted by address bytes, then port; no duplicates. */
export interface BackendSetPlan {
  readonly backends: readonly BackendPlan[]
  /** For an empty set: 'drop' when a Local policy left none here but others are usable elsewhere. */
  readonly empty: 'reject' | 'drop'
}

export interface FrontendPlan {
  readonly address: string
  readonly port: number
  readonly kind: FrontendKind
  /** What pods of this cluster and the node itself get, and what the others get; the same object where they do not differ. */
  readonly internal: BackendSetPlan
  readonly external: BackendSetPlan
  readonly loopback: boolean
  /** loadBalancerSourceRanges as CIDRs; undefined: everyone. */
  readonly sourceRanges: readonly string[] | undefined
}

/** One port of a Service, both families. */
export interface PortPlan {
  readonly portName: string
  readonly protocol: Protocol
  readonly port: number
  /** Sorted by address bytes, port. */
  readonly frontends: readonly FrontendPlan[]
}

/** All that the dataplane needs of one Service. Pure function of the Service, its slices and the node. */
export interface ServicePlan {
  readonly namespace: string
  readonly name: string
  readonly creationTimestamp: string
  readonly uid: string
  readonly ports: readonly PortPlan[]
  /** Addresses whose unclaimed ports are refused, canonical. */
  readonly clusterIPs: readonly string[]
  /** LB and external IPs, canonical. */
  readonly externalAddresses: readonly string[]
  /** Seconds; 0 without affinity. */
  readonly affinitySeconds: number
  readonly externalTrafficPolicy: 'Cluster' | 'Local'
  readonly internalTrafficPolicy: 'Cluster' | 'Local'
  /** 0: none. */
  readonly healthCheckNodePort: number
  /** Distinct ready local endpoint addresses: what healthCheckNodePort reports. */
  readonly localReadyEndpoints: number
}
