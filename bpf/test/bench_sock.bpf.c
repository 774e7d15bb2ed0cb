// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/* Socket hooks that do nothing: what `npm run bench -- connect` takes off. */
#include "bpf.h"

#define NULL_PROGRAM(section, name)                                                                                    \
	SEC(section)                                                                                                   \
	int name(struct bpf_sock_addr *ctx)                                                                            \
	{                                                                                                              \
		(void)ctx;                                                                                             \
		return 1;                                                                                              \
	}

NULL_PROGRAM("cgroup/connect4", null_connect4)
NULL_PROGRAM("cgroup/connect6", null_connect6)
NULL_PROGRAM("cgroup/sendmsg4", null_sendmsg4)
NULL_PROGRAM("cgroup/sendmsg6", null_sendmsg6)

char _license[] SEC("license") = "GPL";
