/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tuples: see tuple.h. The hash is XXH3 of the tuple's bytes, so the struct may hold no padding that is not set.
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

static_assert(sizeof(struct tuple) == 44, "no hidden padding: tuples are compared as bytes");

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
	return memcmp(a, b, sizeof(*a)) == 0;
}

uint64_t tuple_hash(const struct tuple *tuple, uint64_t seed)
{
	return XXH3_64bits_withSeed(tuple, sizeof(*tuple), seed);
}
