/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Kernel and libbpf headers, in the order they need each other, and what every
 * program uses of the language. UAPI only: no vmlinux.h, no CO-RE. */
#ifndef MAGLANE_BPF_H
#define MAGLANE_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#endif
