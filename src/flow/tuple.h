/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key of a flow: addresses, ports and tunnel, symmetric. Side A (0) is the end with the smaller (address, port); which
 * end is the client is decided later (tcp_state.h).
 */
#ifndef FLOW_TUPLE_H
#define FLOW_TUPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "decode/layers.h"

struct tuple {
	uint8_t address
		[2][16];  /* network order; IPv4 in the first 4 bytes, rest zero. [0] is side A */
	uint16_t port[2]; /* host order */
	uint32_t tunnel_id;
	uint16_t vlan_id;   /* 0 unless vlan=key */
	uint8_t ip_version; /* 4 or 6 */
	uint8_t zero;       /* padding, always 0: the tuple is compared and hashed as bytes */
};

/** Build from LAYERS_TCP layers. @return the side that sent the packet: 0 or 1 (0 when both ends are equal) */
int tuple_from_layers(const struct layers *layers, bool vlan_key, struct tuple *ret);

bool tuple_equal(const struct tuple *a, const struct tuple *b);

/** 64-bit hash (xxh3, seeded). The shard is its top 4 bits, the table uses the low ones. */
uint64_t tuple_hash(const struct tuple *tuple, uint64_t seed);

#endif
