// SPDX-License-Identifier: (GPL-2.0-only OR Apache-2.0)
/*
 * For the code generator alone, never loaded: names every type of abi.h, so
 * that clang writes it to BTF although no map and no program reaches it.
 */
#include "maps.h"

#define ANCHOR(type, name) type *abi_##name __attribute__((used))

ANCHOR(struct event, event);
ANCHOR(struct config, config);
ANCHOR(enum limits, limits);
ANCHOR(enum frontend_kind, frontend_kind);
ANCHOR(enum frontend_flags, frontend_flags);
ANCHOR(enum scope, scope);
ANCHOR(enum empty_verdict, empty_verdict);
ANCHOR(enum backend_flags, backend_flags);
ANCHOR(enum direction, direction);
ANCHOR(enum flow_flags, flow_flags);
ANCHOR(enum flow_state, flow_state);
ANCHOR(enum hop_flags, hop_flags);
ANCHOR(enum device_flags, device_flags);
ANCHOR(enum socket_lb, socket_lb);
ANCHOR(enum verdict, verdict);
ANCHOR(enum reason, reason);
ANCHOR(enum hook, hook);
