/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * Everything that user space sees of the BPF programs: keys and values of the
 * maps, load-time configuration, reasons. The TypeScript codecs are generated
 * from the BTF of these types; nothing here is written down a second time.
 */
#ifndef MAGLANE_ABI_H
#define MAGLANE_ABI_H

#include <linux/types.h>

#pragma clang diagnostic push
#pragma clang diagnostic error "-Wpadded"

/* An IPv6 address, or an IPv4 address in its mapped form ::ffff:a.b.c.d
 * (RFC 4291, 2.5.5.2), so that one table serves both families. */
struct addr {
	__be32 w[4];
};

/* ------------------------------------------------------------------ limits */

enum limits {
	/* The filter has 2^20 bits (128 KiB: fits a core's L2): 100,000 keys
	 * leave one false positive in ten. */
	FILTER_WORDS = 16384, /* of 64 bits */
	/* CIDRs that a packet's address is compared with one by one. */
	CIDR_MAX = 8,
	/* Slots in one element of the arena: the kernel rounds elements up to 8
	 * bytes, so that elements of one slot would take twice the memory. */
	ARENA_SLOTS = 16,
	/* TCP sockets whose peers are remembered; a power of two. */
	TCP_PEERS = 65536,
	/* Destinations that each CPU remembers the routes of; a power of two. */
	KNOWN_ROUTES = 1024,
	/* Tries at a free source port before SNAT gives up. */
	SNAT_TRIES = 24,
	/* Kubernetes names: namespace and port name are DNS labels (63), a
	 * Service's name too; the terminating zero is included. */
	NAME_LEN = 64,
};

/* --------------------------------------------------------------- frontends */

enum frontend_kind {
	FE_NONE = 0,
	FE_CLUSTER_IP = 1,
	FE_NODE_PORT = 2,
	FE_EXTERNAL_IP = 3,
	FE_LOAD_BALANCER_IP = 4,
};

enum frontend_flags {
	/* The entry of an address as a whole (port 0, protocol 0): what happens
	 * to ports of it that no Service claims, and to pings. */
	FE_F_WILDCARD = 1,
	/* sessionAffinity: ClientIP. */
	FE_F_AFFINITY = 2,
	/* loadBalancerSourceRanges are set: see source_ranges. */
	FE_F_SOURCE_RANGES = 4,
	/* A NodePort on a loopback address: only for processes of the node. */
	FE_F_LOOPBACK = 8,
	/* The scopes differ (externalTrafficPolicy: Local): the client's place
	 * must be known before a backend set is chosen. */
	FE_F_SCOPED = 16,
	/* Wildcard: claimed by a ClusterIP, so that an unknown port is refused.
	 * Without it an unknown port is left to the stack. */
	FE_F_REFUSE_UNKNOWN = 32,
	/* Wildcard: echo requests are answered. */
	FE_F_ANSWER_PING = 64,
};

/* Which of a frontend's two backend sets a client gets (KEP-2086). */
enum scope {
	SCOPE_INTERNAL = 0, /* pods of this cluster and the node itself */
	SCOPE_EXTERNAL = 1,
	SCOPE_MAX = 2,
};

/* What happens to a packet when its backend set is empty. */
enum empty_verdict {
	EMPTY_REJECT = 0, /* no usable endpoint anywhere */
	EMPTY_DROP = 1,   /* usable ones elsewhere, none here, policy Local */
};

struct frontend_key {
	struct addr addr;
	__be16 port;
	__u8 proto; /* IPPROTO_* */
	__u8 pad;
};

struct backend_set {
	__u32 offset; /* first slot in the arena */
	__u32 slots;  /* table length M; 0: the set is empty */
	__u32 id;     /* key into members; 0 where the frontend has no affinity */
	__u32 empty;  /* enum empty_verdict */
};

struct frontend {
	__u32 service; /* id of the service port: index of services and service_stats */
	__u8 kind;     /* enum frontend_kind */
	__u8 flags;    /* enum frontend_flags */
	__u16 pad;
	__u32 affinity_s; /* seconds; 0 without affinity */
	__u32 pad2;
	__u64 affinity_id; /* same for all ports of one Service; a hash of its name */
	struct backend_set sets[SCOPE_MAX];
};

/* ---------------------------------------------------------------- backends */

enum backend_flags {
	/* A member of at least one set of its Service. Cleared before the id is
	 * freed: flows of UDP that still name the id choose again. */
	BE_F_SERVING = 1,
	/* On this node. */
	BE_F_LOCAL = 2,
};

/* One endpoint of one Service. Id 0 is never used. */
struct backend {
	struct addr addr;
	__be16 port;
	__u8 proto;
	__u8 flags; /* enum backend_flags */
	__u32 pad;
	__u64 affinity_id; /* of the Service that it serves */
};

/* A piece of the arena. Slot i of the arena is backend[i % ARENA_SLOTS] of element
 * i / ARENA_SLOTS, which is to say its i-th word. */
struct slots {
	__u32 backend[ARENA_SLOTS]; /* ids; 0: none */
};

/* Which backend of a set has an address: how a client's affinity, which
 * remembers an address, finds the backend of another port of the Service. */
struct member_key {
	__u32 set;
	struct addr addr;
};

struct member {
	__u32 backend;
};

struct affinity_key {
	__u64 affinity_id;
	struct addr client; /* sockets: see client_of_socket() */
};

struct affinity {
	struct addr backend;
	__u64 seen_ns; /* CLOCK_MONOTONIC, coarse */
};

struct source_range_key {
	__u32 prefixlen; /* in bits, of what follows: 32 + the range's, +96 for IPv4 */
	__be32 service;  /* big endian: a trie compares from the first bit */
	struct addr addr;
};

struct source_range {
	__u32 allow; /* always 1; a value is owed to the kernel */
};

/* For people: what an id is called. Never read by a program. */
struct service_name {
	char namespace_[NAME_LEN];
	char name[NAME_LEN];
	char port_name[NAME_LEN];
};

/* ------------------------------------------------------------------- flows */

enum direction {
	DIR_INGRESS = 0, /* XDP and tc ingress: before netfilter */
	DIR_EGRESS = 1,  /* tc egress: after netfilter */
};

/* A packet as the hook sees it, before translation. */
struct flow_key {
	struct addr src;
	struct addr dst;
	__be16 sport;
	__be16 dport;
	__u8 proto;
	__u8 dir; /* enum direction */
	__u16 pad;
};

enum flow_flags {
	FLOW_F_REPLY = 1,      /* from the backend to the client */
	FLOW_F_SNAT = 2,       /* the client's address is replaced (masquerade) */
	FLOW_F_REDIRECT = 4,   /* leaves by its hop, never through the stack */
	FLOW_F_HOST = 8,       /* the client is a process of this node */
	FLOW_F_LOCAL = 16,     /* the backend is on this node */
	FLOW_F_AFFINITY = 32,  /* traffic keeps the client's affinity alive */
	FLOW_F_INTERNAL = 64,  /* the client was in the internal scope */
	FLOW_F_PORT = 128,     /* only the client's port is replaced: the tuple was taken */
	FLOW_F_HAIRPIN = 256,  /* client and backend are one pod */
	FLOW_F_POD = 512,      /* the client came in by a pod's interface */
	FLOW_F_PAIR_EGRESS = 1024, /* the entry of the other direction stands at egress */
};

/* TCP's life as far as both directions have shown it. */
enum flow_state {
	FLOW_FIN = 1,      /* this direction has sent its FIN */
	FLOW_PEER_FIN = 2, /* the other direction has */
	FLOW_RST = 4,      /* either direction has sent a RST */
	FLOW_SEEN_REPLY = 8,
};

enum hop_flags {
	HOP_F_NEIGH = 1,   /* the MACs are valid */
	HOP_F_XDP = 2,     /* XDP can send to the device */
	HOP_F_INGRESS = 4, /* goes to the device's ingress side: the node itself */
	HOP_F_GATEWAY = 8, /* the neighbour's address is gateway, not the destination */
};

/* Where a redirected packet goes next. */
struct hop {
	__u32 ifindex;
	__u8 dmac[6];
	__u8 smac[6];
	__u16 mtu; /* of the route; 0: not known */
	__u16 flags; /* enum hop_flags */
};

/* What the kernel's route lookup said a moment ago: one cache line. */
struct known_route {
	struct addr dst;
	struct addr src; /* the node's, towards dst */
	struct hop hop;
	__u32 in_ifindex; /* 0: nothing is known */
	__u32 hop_epoch; /* control.hop_epoch, and jiffies, at that moment */
	__u32 ticks;
};

/* All that an established packet needs, in one lookup. */
struct flow {
	struct addr src; /* after translation */
	struct addr dst;
	__be16 sport;
	__be16 dport;
	__u16 addr_delta; /* one's complement sum of what changes in the addresses */
	__u16 l4_delta;   /* … in the addresses and the ports */
	__u32 service;
	__u32 backend;
	__u16 flags; /* enum flow_flags */
	__u8 kind;   /* enum frontend_kind */
	__u8 state;  /* enum flow_state */
	__u32 hop_epoch; /* control.hop_epoch when the hop was resolved */
	struct hop hop;
	__u32 hop_s; /* CLOCK_MONOTONIC seconds when the hop was resolved */
	__u64 seen_ns; /* CLOCK_MONOTONIC, coarse, at most a second late */
	__u64 affinity_id; /* 0 without affinity */
	__u32 seen_ticks; /* jiffies when the clock was last asked for this flow */
	__u32 pad; /* an entry of the table, its key and the kernel's part included, is then three cache lines */
};

/* Both directions of a flow while they are made: too large for the stack. */
struct flow_draft {
	struct flow request;
	struct flow reply;
	struct flow_key reply_key;
	struct addr src; /* the node's, towards the backend */
	struct frontend frontend; /* what a direct connection has in their place */
	struct backend backend;
	__u32 fib[16]; /* struct bpf_fib_lookup */
};

/* Fragments carry no ports but the first (RFC 791, RFC 8200). */
struct frag_key {
	struct addr src;
	struct addr dst;
	__u32 id; /* as on the wire */
	__u8 proto;
	__u8 dir;
	__u16 pad;
};

struct frag {
	__be16 sport;
	__be16 dport;
};

/* ----------------------------------------------------------------- sockets */

/* What the socket believes it talks to, by what it really talks to. */
struct socket_key {
	__u64 cookie;
	struct addr backend;
	__be16 port;
	__u8 proto;
	__u8 pad;
	__u32 pad2;
};

struct socket_peer {
	struct addr frontend;
	__be16 port;
	__u16 pad;
	__u32 service;
	__u32 backend; /* id */
	__u32 pad2;
};

/* The same for a TCP socket, which has one peer all its life. */
struct tcp_peer {
	__u64 cookie;
	struct addr backend;
	struct addr frontend;
	__be16 backend_port;
	__be16 frontend_port;
	__u32 service;
};

/* ----------------------------------------------------------------- devices */

enum device_flags {
	DEV_F_XDP = 1,       /* can transmit what XDP redirects to it */
	DEV_F_POD = 2,       /* leads to one pod */
	DEV_F_L2_REPLY = 4,  /* port of a bridge whose ports answer each other unseen by netfilter */
	DEV_F_IN_CLUSTER = 8, /* detectLocalMode counts what comes in here as a pod of the cluster */
	DEV_F_NO_ETH = 16,   /* frames have no Ethernet header (tun, wireguard) */
};

/* By ifindex: what the control plane knows of a device. */
struct device {
	__u32 flags;  /* enum device_flags */
	__u32 master; /* ifindex of the bridge it is a port of; of lo: the device that holds the node's address; 0: none */
	struct addr addr4; /* source address of last resort, where the kernel's route lookup names none */
	struct addr addr6;
	__u8 mac[6];
	__u16 pad;
};

/* ----------------------------------------------------------- configuration */

struct cidr {
	struct addr addr;
	struct addr mask;
};

/* Fixed when the programs are loaded: the verifier drops what is off. */
struct config {
	__u32 seed; /* of every hash; one for the whole cluster */
	__u16 snat_port_min; /* host order, inclusive */
	__u16 snat_port_max;
	__u64 host_netns; /* cookie of the node's network namespace */
	__u8 socket_lb;       /* enum socket_lb */
	__u8 masquerade_all;
	__u8 have_fib_src;    /* the kernel's fib lookup tells the source address (6.7) */
	__u8 have_set_retval; /* bpf_set_retval() exists (5.18) */
	__u8 synthetic;       /* trace: no routes are asked, every hop is 1 */
	__u8 trace;           /* every decision is an event */
	__u8 detect_by_device; /* detectLocalMode is BridgeInterface or InterfaceNamePrefix */
	__u8 have_conntrack;  /* the kernel's conntrack can be asked (6.0) */
	__u8 pad[4];
	__u32 in_cluster_len; /* detectLocalMode ClusterCIDR, NodeCIDR */
	struct cidr in_cluster[CIDR_MAX];
	struct addr synthetic_src4; /* trace: what a route lookup would name */
	struct addr synthetic_src6;
};

enum socket_lb {
	SOCKET_LB_OFF = 0,
	SOCKET_LB_HOST = 1, /* only for processes in the node's network namespace */
	SOCKET_LB_ALL = 2,
};

/* What changes while the programs run; one element, mapped by the agent. */
struct control {
	__u32 abi; /* fingerprint of this header; another one's maps are not taken over */
	__u32 hop_epoch; /* raised whenever links, addresses, routes or neighbours change */
	__u64 events;    /* bit r: packets of reason r are reported */
	__u32 service_cidrs_len;
	__u32 pad;
	struct cidr service_cidrs[CIDR_MAX];
};

struct filter {
	__u64 words[FILTER_WORDS];
};

/* ----------------------------------------------------- reasons and counters */

enum verdict {
	VERDICT_PASS = 0,    /* to the stack, unchanged */
	VERDICT_FORWARD = 1, /* translated */
	VERDICT_REJECT = 2,  /* refused: RST, ICMP unreachable, ECONNREFUSED */
	VERDICT_DROP = 3,
};

/* Why a packet left as it did: one a packet, counted at the one place that
 * turns it into the hook's return value. */
enum reason {
	/* pass */
	PASS_NOT_SERVICE = 0,
	PASS_NOT_IP = 1,
	PASS_UNSUPPORTED = 2,  /* a protocol or header that the programs do not translate */
	PASS_LATER_HOOK = 3,   /* XDP leaves the packet to tc */
	PASS_NO_MEMORY = 4,    /* a table refused an entry: fail open */
	PASS_SOCKET = 5,       /* the socket hook leaves the socket to tc */
	PASS_TRACKED = 6,      /* a connection that the stack translates: it was there before maglane */
	/* forward */
	FORWARD_NEW = 8,
	FORWARD_FLOW = 9,
	FORWARD_REPLY = 10,
	FORWARD_ICMP_ERROR = 11,
	FORWARD_SOCKET = 12,
	ANSWER_PING = 13,
	/* reject */
	REJECT_NO_ENDPOINT = 16,
	REJECT_UNKNOWN_PORT = 17,
	REJECT_TOO_BIG = 18,      /* answered with packet too big */
	REJECT_TTL = 19,          /* answered with time exceeded */
	/* drop */
	DROP_MALFORMED = 24,
	DROP_NO_LOCAL_ENDPOINT = 25,
	DROP_SOURCE_RANGE = 26,
	DROP_SERVICE_CIDR = 27,   /* an address of a ServiceCIDR that no Service holds */
	DROP_NO_FIRST_FRAGMENT = 28,
	DROP_NO_SNAT_PORT = 29,
	DROP_NO_ROUTE = 30,
	DROP_PING = 31,           /* a ping to a VIP that is not answered */
	DROP_UNSUPPORTED = 32,    /* of a VIP's traffic, what cannot be translated */
	DROP_REPLY_FAILED = 33,   /* the refusal could not be built */
	DROP_NO_FLOW = 34,        /* a RST that belongs to no flow */
	REASON_MAX = 40,
};

struct reason_count {
	__u64 packets;
	__u64 bytes;
};

/* Per service port, per CPU. */
struct service_stat {
	__u64 flows;   /* backends chosen: connections, UDP flows */
	__u64 packets; /* from clients, established ones included */
	__u64 bytes;
	__u64 refused; /* rejected or dropped */
};

enum hook {
	HOOK_XDP = 0,
	HOOK_TC_NET_IN = 1,
	HOOK_TC_NET_OUT = 2,
	HOOK_TC_POD_IN = 3,
	HOOK_TC_POD_OUT = 4,
	HOOK_CONNECT = 5,
	HOOK_SENDMSG = 6,
};

struct event {
	__u64 time_ns; /* CLOCK_MONOTONIC, coarse */
	__u8 reason;   /* enum reason */
	__u8 hook;     /* enum hook */
	__u8 proto;
	__u8 kind;     /* enum frontend_kind */
	__u16 flags;   /* enum flow_flags */
	__u8 scope;    /* enum scope */
	__u8 icmp;     /* 1: the tuple is that of the packet inside an ICMP error */
	__u32 service; /* 0: none */
	__u32 backend; /* 0: none */
	__u32 ifindex;
	__u32 length;  /* bytes on the wire */
	struct addr src; /* as it came */
	struct addr dst;
	struct addr new_src; /* as it left; zero unless forwarded */
	struct addr new_dst;
	__be16 sport;
	__be16 dport;
	__be16 new_sport;
	__be16 new_dport;
};

#pragma clang diagnostic pop

#endif
