/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key of a flow: addresses, ports and tunnel, symmetric. Side A (0) is the end with the smaller (address, port); which
 * end is the client is decided later (tcp_state.h).
 */
#ifndef FLOW_TUPLE_H
#define FLOW_TUPLE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

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

/* The tuple of a flow over IPv4 without tunnel and VLAN, in what it takes: for flows that wait in few bytes. */
struct tuple_short {
	uint8_t address[2][4];
	uint8_t port[2][2]; /* as in memory: aligned to nothing */
};

/** Build from LAYERS_TCP layers. @return the side that sent the packet: 0 or 1 (0 when both ends are equal) */
int tuple_from_layers(const struct layers *layers, bool vlan_key, struct tuple *ret);

/**
 * Both in one, for what plain_decode() gave: IPv4 without a VLAN.
 * @return as tuple_from_layers(); *ret_hash as tuple_hash()
 */
int tuple_from_plain(const struct layers *layers, uint64_t seed, struct tuple *ret,
		     uint64_t *ret_hash);

bool tuple_equal(const struct tuple *a, const struct tuple *b);

/** Can a short one say all of it? */
static inline bool tuple_is_short(const struct tuple *tuple)
{
	return tuple->ip_version == 4 && tuple->tunnel_id == 0 && tuple->vlan_id == 0;
}

/** Of one that tuple_is_short(). */
static inline void tuple_to_short(const struct tuple *tuple, struct tuple_short *ret)
{
	memcpy(ret->address[0], tuple->address[0], 4);
	memcpy(ret->address[1], tuple->address[1], 4);
	memcpy(ret->port, tuple->port, sizeof(ret->port));
}

static inline void tuple_from_short(const struct tuple_short *key, struct tuple *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->address[0], key->address[0], 4);
	memcpy(ret->address[1], key->address[1], 4);
	memcpy(ret->port, key->port, sizeof(ret->port));
	ret->ip_version = 4;
}

static inline bool tuple_short_equal(const struct tuple_short *key, const struct tuple *tuple)
{
	return tuple_is_short(tuple) && memcmp(key->address[0], tuple->address[0], 4) == 0 &&
	       memcmp(key->address[1], tuple->address[1], 4) == 0 &&
	       memcmp(key->port, tuple->port, sizeof(key->port)) == 0;
}

/** 64-bit hash (xxh3, seeded). The shard is its top 4 bits, the table uses the low ones. */
uint64_t tuple_hash(const struct tuple *tuple, uint64_t seed);
/** The same of the tuple that it stands for. */
uint64_t tuple_short_hash(const struct tuple_short *key, uint64_t seed);

#endif
