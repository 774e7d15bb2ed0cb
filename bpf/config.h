/* SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0) */
/* Knobs: read-only data that is set before the programs are loaded, so that the
 * verifier removes what is off. The values here are those of tests. */
#ifndef MAGLANE_CONFIG_H
#define MAGLANE_CONFIG_H

#include "bpf.h"
#include "abi.h"

const volatile struct config cfg SEC(".rodata") __weak = {
	.seed = 0x6d61676c,
	.snat_port_min = 1024,
	.snat_port_max = 29999,
	.socket_lb = SOCKET_LB_ALL,
	.have_fib_src = 1,
	.have_set_retval = 1,
	.have_conntrack = 1,
};

#endif
