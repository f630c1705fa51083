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
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* Two halves of a word change places when the sender is side B: by a rotation, for no processor can predict who sends. */
static inline uint32_t turn_ports(uint32_t ports, int side)
{
	unsigned n = (unsigned)side * 16;

	return ports << n | ports >> (-n & 31);
}

static inline uint64_t turn_words(uint64_t words, int side)
{
	unsigned n = (unsigned)side * 32;

	return words << n | words >> (-n & 63);
}

/* What is behind the addresses, in two stores that later loads are covered by: narrower ones would not be forwarded. */
static inline uint64_t put_rest(struct tuple *ret, const struct layers *layers, bool vlan_key,
				int side)
{
	uint32_t sport = layers->sport, dport = layers->dport, last;
	uint64_t word;

	/* two loads, as they were stored: one of both would wait until the stores before it have left the processor */
	__asm__("" : "+r"(sport), "+r"(dport));
	word = turn_ports(sport | dport << 16, side) | (uint64_t)layers->tunnel_id << 32;
	memcpy((uint8_t *)ret + offsetof(struct tuple, port), &word, sizeof(word));
	last = (vlan_key && layers->has_vlan ? layers->vlan_id : 0) | (uint32_t)layers->ip_version
									      << 16;
	memcpy((uint8_t *)ret + offsetof(struct tuple, vlan_id), &last, sizeof(last));
	return word;
}

int tuple_from_layers(const struct layers *layers, bool vlan_key, struct tuple *ret)
{
	struct words src = load_words(layers->src), dst = load_words(layers->dst);
	int order = compare_words(src, dst);
	int side;

	if (order == 0) {
		order = (layers->sport > layers->dport) - (layers->sport < layers->dport);
	}
	side = order > 0; /* the sender has the larger (address, port): it is side B */
	store_words(ret->address[side], src);
	store_words(ret->address[!side], dst);
	(void)put_rest(ret, layers, vlan_key, side);
	return side;
}

/* IPv4 without a VLAN in the key: what is not zero is two words. */
static inline uint64_t hash_short(uint64_t addresses, uint64_t ports, uint64_t seed)
{
	uint64_t words[2] = {addresses, ports};

	return XXH3_64bits_withSeed(words, sizeof(words), seed);
}

int tuple_from_plain(const struct layers *layers, uint64_t seed, struct tuple *ret,
		     uint64_t *ret_hash)
{
	struct words none = {0, 0}, src = none, dst = none;
	uint32_t from, to;
	int side;

	memcpy(&from, layers->src, 4);
	memcpy(&to, layers->dst, 4);
	side = from == to ? layers->sport > layers->dport
			  : __builtin_bswap32(from) > __builtin_bswap32(to);
	src.first = from;
	dst.first = to;
	store_words(ret->address[side], src);
	store_words(ret->address[!side], dst);
	*ret_hash = hash_short(turn_words(from | (uint64_t)to << 32, side),
			       put_rest(ret, layers, false, side), seed);
	return side;
}

bool tuple_equal(const struct tuple *a, const struct tuple *b)
{
#ifdef __SSE2__
	/* 16 bytes three times, the last ones overlap */
	enum { LAST = sizeof(*a) - 16 };
	const __m128i *p = (const void *)a, *q = (const void *)b;
	const __m128i *p_last = (const void *)((const uint8_t *)a + LAST);
	const __m128i *q_last = (const void *)((const uint8_t *)b + LAST);
	__m128i same = _mm_cmpeq_epi8(_mm_loadu_si128(p), _mm_loadu_si128(q));

	same = _mm_and_si128(same, _mm_cmpeq_epi8(_mm_loadu_si128(p + 1), _mm_loadu_si128(q + 1)));
	same = _mm_and_si128(same,
			     _mm_cmpeq_epi8(_mm_loadu_si128(p_last), _mm_loadu_si128(q_last)));
	return _mm_movemask_epi8(same) == 0xffff;
#else
	return memcmp(a, b, sizeof(*a)) == 0;
#endif
}

/* What is not zero, put together in registers: a tuple that was just written was so in smaller pieces. */
static inline uint64_t hash_parts(const uint8_t *a, const uint8_t *b, const void *port,
				  uint32_t tunnel_id, uint64_t seed)
{
	uint32_t low, high;
	uint16_t ports[2];

	memcpy(&low, a, 4);
	memcpy(&high, b, 4);
	memcpy(ports, port, sizeof(ports));
	return hash_short(low | (uint64_t)high << 32,
			  ports[0] | (uint32_t)ports[1] << 16 | (uint64_t)tunnel_id << 32, seed);
}

uint64_t tuple_hash(const struct tuple *tuple, uint64_t seed)
{
	if (tuple->ip_version != 4 || tuple->vlan_id != 0) {
		return XXH3_64bits_withSeed(tuple, sizeof(*tuple), seed);
	}
	return hash_parts(tuple->address[0], tuple->address[1], tuple->port, tuple->tunnel_id,
			  seed);
}

uint64_t tuple_short_hash(const struct tuple_short *key, uint64_t seed)
{
	return hash_parts(key->address[0], key->address[1], key->port, 0, seed);
}
