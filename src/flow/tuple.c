/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tuples: see tuple.h. They are compared as bytes, and the hash is XXH3 of those that matter, so the struct may hold no
 * padding that is not set.
 *
 * With a fixed seed (files) a sender who knows it can make tuples of equal hash: the flow table bounds what that costs
 * (FLOW_TABLE_CHAIN). Live, the seed is random.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "flow/tuple.h"

#include <assert.h>
#include <string.h>

#include "base/wire.h"

static_assert(sizeof(struct tuple) == 5 * 8 + 4, "no hidden padding: tuples are compared as bytes");

/* -1, 0, 1 as memcmp() of 16 bytes, without the call */
static int compare_addresses(const uint8_t *a, const uint8_t *b)
{
	uint64_t x = load_be64(a);
	uint64_t y = load_be64(b);

	if (x == y) {
		x = load_be64(a + 8);
		y = load_be64(b + 8);
	}
	return (x > y) - (x < y);
}

int tuple_from_layers(const struct layers *layers, bool vlan_key, struct tuple *ret)
{
	int order = compare_addresses(layers->src, layers->dst);
	int side;

	if (order == 0) {
		order = (layers->sport > layers->dport) - (layers->sport < layers->dport);
	}
	side = order > 0; /* the sender has the larger (address, port): it is side B */
	memcpy(ret->address[side], layers->src, 16);
	memcpy(ret->address[!side], layers->dst, 16);
	ret->port[side] = layers->sport;
	ret->port[!side] = layers->dport;
	ret->tunnel_id = layers->tunnel_id;
	ret->vlan_id = vlan_key && layers->has_vlan ? layers->vlan_id : 0;
	ret->ip_version = layers->ip_version;
	ret->zero = 0;
	return side;
}

bool tuple_equal(const struct tuple *a, const struct tuple *b)
{
	uint64_t x[5], y[5];
	uint32_t u, v;

	memcpy(x, a, sizeof(x));
	memcpy(y, b, sizeof(y));
	memcpy(&u, (const uint8_t *)a + sizeof(x), sizeof(u));
	memcpy(&v, (const uint8_t *)b + sizeof(y), sizeof(v));
	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]) |
		(u ^ v)) == 0;
}

uint64_t tuple_hash(const struct tuple *tuple, uint64_t seed)
{
	uint32_t low, high;
	uint64_t words[2];

	if (tuple->ip_version != 4 || tuple->vlan_id != 0) {
		return XXH3_64bits_withSeed(tuple, sizeof(*tuple), seed);
	}
	/* what is not zero, and put together in registers: the tuple has just been written, in smaller pieces */
	memcpy(&low, tuple->address[0], 4);
	memcpy(&high, tuple->address[1], 4);
	words[0] = low | (uint64_t)high << 32;
	words[1] =
		tuple->port[0] | (uint64_t)tuple->port[1] << 16 | (uint64_t)tuple->tunnel_id << 32;
	return XXH3_64bits_withSeed(words, sizeof(words), seed);
}
