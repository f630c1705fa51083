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
#include <stddef.h>
#include <string.h>

static_assert(offsetof(struct tuple, tunnel_id) == offsetof(struct tuple, port) + 4,
	      "ports and tunnel are one word");
static_assert(sizeof(struct tuple) == 5 * 8 + 4, "no hidden padding: tuples are compared as bytes");

/* An address as two words: loaded, compared and stored as such. */
struct words {
	uint64_t first;
	uint64_t last;
};

static inline struct words load_words(const uint8_t address[16])
{
	struct words words;

	memcpy(&words.first, address, 8);
	memcpy(&words.last, address + 8, 8);
	return words;
}

static inline void store_words(uint8_t address[16], struct words words)
{
	memcpy(address, &words.first, 8);
	memcpy(address + 8, &words.last, 8);
}

/* -1, 0, 1 as memcmp() of the 16 bytes */
static inline int compare_words(struct words a, struct words b)
{
	uint64_t x = a.first == b.first ? a.last : a.first;
	uint64_t y = a.first == b.first ? b.last : b.first;

	x = __builtin_bswap64(x);
	y = __builtin_bswap64(y);
	return (x > y) - (x < y);
}

int tuple_from_layers(const struct layers *layers, bool vlan_key, struct tuple *ret)
{
	struct words src = load_words(layers->src), dst = load_words(layers->dst);
	int order = compare_words(src, dst);
	uint32_t ports, sport, dport;
	uint64_t word;
	int side;

	if (order == 0) {
		order = (layers->sport > layers->dport) - (layers->sport < layers->dport);
	}
	side = order > 0; /* the sender has the larger (address, port): it is side B */
	store_words(ret->address[side], src);
	store_words(ret->address[!side], dst);
	/*
	 * Both ports and the tunnel in one store, as tuple_hash() will load them: narrower ones would not be forwarded. And
	 * turned by a rotation: which side sends is what no processor can predict.
	 */
	sport = layers->sport;
	dport = layers->dport;
	/* two loads, as they were stored: one of both would wait until the stores before it have left the processor */
	__asm__("" : "+r"(sport), "+r"(dport));
	ports = sport | dport << 16;
	ports = ports << (side * 16) | (uint32_t)((uint64_t)ports >> (32 - side * 16));
	word = ports | (uint64_t)layers->tunnel_id << 32;
	memcpy((uint8_t *)ret + offsetof(struct tuple, port), &word, sizeof(word));
	/* and what is behind that in one, too */
	ports = (vlan_key && layers->has_vlan ? layers->vlan_id : 0) | (uint32_t)layers->ip_version
									       << 16;
	memcpy((uint8_t *)ret + offsetof(struct tuple, vlan_id), &ports, sizeof(ports));
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
