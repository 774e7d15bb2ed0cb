/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/*
 * The inventory of maps. Sizes are those of a cluster of 10,000 Services; the
 * control plane sets others before it creates them.
 */
#ifndef MAGLANE_MAPS_H
#define MAGLANE_MAPS_H

#include "bpf.h"
#include "abi.h"

#define MAP(name) name SEC(".maps") __weak

/* Which addresses and ports are worth a lookup: a bit for each frontend, each
 * wildcard address and each local backend, by filter_hash(). Agent writes
 * (through its mapping; bits stay until no flow needs them), programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct filter);
} MAP(filter);

/* What changes while the programs run. Agent writes, programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct control);
} MAP(control);

/* VIPs. Agent writes, programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__type(key, struct frontend_key);
	__type(value, struct frontend);
} MAP(frontends);

/* Endpoints by id. Agent writes through its mapping, programs read. An element
 * is complete before any slot names it, and rests a grace period before reuse. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 262144);
	__type(key, __u32);
	__type(value, struct backend);
} MAP(backends);

/* Maglev tables, each a run of slots that hold backend ids. Agent writes through
 * its mapping, each slot by one aligned store; programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1048576);
	__type(key, __u32);
	__type(value, struct slots);
} MAP(arena);

/* Backends of sets with affinity, by address. Agent writes, programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 262144);
	__type(key, struct member_key);
	__type(value, struct member);
} MAP(members);

/* loadBalancerSourceRanges. Agent writes, programs read. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, struct source_range_key);
	__type(value, struct source_range);
} MAP(source_ranges);

/* Names of the service ports, for tools. Agent writes, tools read. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct service_name);
} MAP(services);

/* Devices by ifindex. Agent writes, programs read at a flow's first packet. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u32);
	__type(value, struct device);
} MAP(devices);

/* Flows, an entry a direction. Programs write and read; the agent sweeps what
 * is closed or idle; the kernel evicts the least recently used. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 262144);
	__type(key, struct flow_key);
	__type(value, struct flow);
} MAP(flows);

/* Room to make a flow in: softirqs of one CPU do not interrupt each other. Programs only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flow_draft);
} MAP(drafts);

/* Routes to backends, by a hash of their addresses: each is asked for at most once
 * in ROUTE_TICKS, however many flows start. Programs only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KNOWN_ROUTES);
	__type(key, __u32);
	__type(value, struct known_route);
} MAP(routes);

/* Ports of fragmented datagrams. Programs only. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct frag_key);
	__type(value, struct frag);
} MAP(frags);

/* Which backend a client stays with. Programs write and read; survives the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct affinity_key);
	__type(value, struct affinity);
} MAP(affinities);

/* UDP sockets that the socket hooks translated. Programs write and read; the agent
 * finds here those of a dead backend. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct socket_key);
	__type(value, struct socket_peer);
} MAP(sockets);

/* What TCP sockets asked for, by cookie modulo the number of elements: cookies are
 * consecutive, so these are the latest. Who is overwritten after that many others
 * sees the backend as its peer. Nothing is allocated, as in the table above: at
 * connect that costs more than all the rest. Programs write and read. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, TCP_PEERS);
	__type(key, __u32);
	__type(value, struct tcp_peer);
} MAP(tcp_peers);

/* Packets by reason. Programs count, tools read. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASON_MAX);
	__type(key, __u32);
	__type(value, struct reason_count);
} MAP(reasons);

/* Traffic by service port. Programs count, tools read. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, struct service_stat);
} MAP(service_stats);

/* struct event. Programs write, monitor and trace read. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 262144);
} MAP(events);

#endif
