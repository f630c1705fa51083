/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table: linear hashing over buckets of one cache line.
 *
 * The table has `nbuckets` buckets, between 2^level and 2^(level+1). Bucket b < split has been divided already: its entries
 * are told apart by one more bit of the hash. When the load passes FLOW_TABLE_LOAD entries a bucket, an insertion divides
 * the one bucket at `split`, which appends one bucket: growth is gradual in time and in memory, and there is never a second
 * array. Buckets live in segments that never move.
 *
 * A bucket that is full links to overflow buckets. Chains are kept packed (every bucket but the last is full), so that a
 * division never needs more overflow buckets than it frees, and cannot fail half way.
 *
 * The place of an entry comes from the low bits of the hash, the tag from bits 44..59: the top four bits are the shard's
 * and the same for all entries. The eight bits above the smallest table's are kept too, so that dividing asks nobody for hashes (and
 * touches no entry) up to 65,536 buckets.
 *
 * Limits: a chain holds at most FLOW_TABLE_CHAIN buckets; beyond (crafted hashes, or no memory to grow for very long)
 * insertion is refused with WEIR_ELIMIT, so that no packet costs more than that many lines.
 */
#include "flow/table.h"

#include <assert.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "weir/error.h"

enum {
	SLOTS = 8,
	SEGMENT_BITS = 8, /* 256 buckets, 16 KiB, a segment */
	SEGMENT_BUCKETS = 1 << SEGMENT_BITS,
	MORE_FROM =
		SEGMENT_BITS, /* bits of the hash that entries keep: this one and seven above it */
	CACHE_LINE = 64,
	/* Entries a bucket before the table grows, in halves: 4.5 of 8. A bucket not divided yet holds twice as many as its
	 * divided peers, so the mean must stay well below the 6 (75 %) that a single bucket bears without overflow. */
	LOAD_HALVES = 9,
	CHAIN_MAX = FLOW_TABLE_CHAIN
};

struct bucket {
	uint16_t tag[SLOTS];
	uint32_t index[SLOTS]; /* the first `count` are in use */
	uint32_t link; /* overflow bucket + 1; 0: none. In the free list: the next free one + 1 */
	uint32_t count;
	uint8_t more[SLOTS]; /* bits MORE_FROM.. of the hashes: what a division asks for */
};

static_assert(sizeof(struct bucket) == CACHE_LINE, "a bucket is one cache line");

struct segment {
	void *raw; /* as allocated */
	struct bucket *buckets;
};

/* Buckets by number, in segments that do not move. */
struct bucket_array {
	struct segment *segments;
	uint32_t nsegments;
	uint32_t capacity; /* of the array `segments` */
};

struct flow_table {
	struct bucket_array main;
	struct bucket_array overflow;
	uint64_t mask;       /* 2^level - 1 */
	uint32_t split;      /* buckets below this are divided */
	uint32_t nbuckets;   /* mask + 1 + split */
	uint32_t noverflow;  /* overflow buckets ever taken from their segments */
	uint32_t free_chain; /* free overflow bucket + 1 */
	size_t count;
	size_t retry_count; /* growth failed: not tried again below this many entries */
	struct budget *budget;
	flow_table_equal_fn equal;
	flow_table_hash_fn hash;
	const void *context;
	size_t bytes;
};

enum { SEGMENT_SIZE = SEGMENT_BUCKETS * CACHE_LINE + CACHE_LINE };

static struct bucket *array_at(const struct bucket_array *array, uint32_t i)
{
	return &array->segments[i >> SEGMENT_BITS].buckets[i & (SEGMENT_BUCKETS - 1)];
}

static int no_memory(const struct budget *budget, size_t size)
{
	return budget_has(budget, size) ? WEIR_ENOMEM : WEIR_EBUDGET;
}

/* Make room in the directory of segments. */
static int array_reserve(struct flow_table *table, struct bucket_array *array)
{
	uint32_t capacity = array->capacity == 0 ? 4 : array->capacity * 2;
	struct segment *segments;

	if (array->nsegments < array->capacity) {
		return 0;
	}
	segments =
		budget_realloc(table->budget, array->segments, array->capacity * sizeof(*segments),
			       capacity * sizeof(*segments));
	if (segments == NULL) {
		return no_memory(table->budget, capacity * sizeof(*segments));
	}
	table->bytes += (capacity - array->capacity) * sizeof(*segments);
	array->segments = segments;
	array->capacity = capacity;
	return 0;
}

/* Append a segment of empty buckets. */
static int array_grow(struct flow_table *table, struct bucket_array *array)
{
	struct segment *segment;
	uintptr_t start;
	int err = array_reserve(table, array);

	if (err < 0) {
		return err;
	}
	segment = &array->segments[array->nsegments];
	segment->raw = budget_calloc(table->budget, 1, SEGMENT_SIZE);
	if (segment->raw == NULL) {
		return no_memory(table->budget, SEGMENT_SIZE);
	}
	table->bytes += SEGMENT_SIZE;
	start = ((uintptr_t)segment->raw + CACHE_LINE - 1) & ~(uintptr_t)(CACHE_LINE - 1);
	segment->buckets = (struct bucket *)start;
	array->nsegments++;
	return 0;
}

static void array_fini(struct flow_table *table, struct bucket_array *array)
{
	uint32_t i;

	for (i = 0; i < array->nsegments; i++) {
		budget_free(table->budget, array->segments[i].raw, SEGMENT_SIZE);
	}
	budget_free(table->budget, array->segments, array->capacity * sizeof(*array->segments));
}

int flow_table_new(struct budget *budget, flow_table_equal_fn equal, flow_table_hash_fn hash,
		   const void *context, struct flow_table **ret)
{
	struct flow_table *table = budget_calloc(budget, 1, sizeof(*table));
	int err;

	if (table == NULL) {
		return no_memory(budget, sizeof(*table));
	}
	table->budget = budget;
	table->bytes = sizeof(*table);
	table->equal = equal;
	table->hash = hash;
	table->context = context;
	err = array_grow(table, &table->main);
	if (err < 0) {
		flow_table_free(table);
		return err;
	}
	table->mask = SEGMENT_BUCKETS - 1;
	table->nbuckets = SEGMENT_BUCKETS;
	*ret = table;
	return 0;
}

void flow_table_free(struct flow_table *table)
{
	if (table == NULL) {
		return;
	}
	array_fini(table, &table->main);
	array_fini(table, &table->overflow);
	budget_free(table->budget, table, sizeof(*table));
}

static uint32_t place_of(const struct flow_table *table, uint64_t hash)
{
	uint64_t place = hash & table->mask;

	if (place < table->split) {
		place = hash & (table->mask * 2 + 1);
	}
	return (uint32_t)place;
}

static uint16_t tag_of(uint64_t hash)
{
	return (uint16_t)(hash >> 44);
}

static uint8_t more_of(uint64_t hash)
{
	return (uint8_t)(hash >> MORE_FROM);
}

static struct bucket *head_of(const struct flow_table *table, uint64_t hash)
{
	return array_at(&table->main, place_of(table, hash));
}

static struct bucket *next_of(const struct flow_table *table, const struct bucket *bucket)
{
	return bucket->link == 0 ? NULL : array_at(&table->overflow, bucket->link - 1);
}

/* Bit i: slot i is in use and has this tag. */
static unsigned match_tags(const struct bucket *bucket, uint16_t tag)
{
	unsigned used = (1u << bucket->count) - 1;
#ifdef __SSE2__
	__m128i tags = _mm_loadu_si128((const __m128i *)(const void *)bucket->tag);
	__m128i same = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag));
	unsigned mask = (unsigned)_mm_movemask_epi8(_mm_packs_epi16(same, _mm_setzero_si128()));
#else
	unsigned mask = 0;
	unsigned i;

	for (i = 0; i < SLOTS; i++) {
		mask |= (unsigned)(bucket->tag[i] == tag) << i;
	}
#endif
	return mask & used;
}

uint32_t flow_table_lookup(const struct flow_table *table, uint64_t hash, const void *key)
{
	const struct bucket *bucket = head_of(table, hash);
	uint16_t tag = tag_of(hash);

	for (; bucket != NULL; bucket = next_of(table, bucket)) {
		unsigned mask = match_tags(bucket, tag);

		for (; mask != 0; mask &= mask - 1) {
			uint32_t index = bucket->index[__builtin_ctz(mask)];

			if (table->equal(table->context, index, key)) {
				return index;
			}
		}
	}
	return FLOW_TABLE_NONE;
}

uint32_t flow_table_candidate(const struct flow_table *table, const void *fetched, uint64_t hash)
{
	const struct bucket *bucket = fetched;
	uint16_t tag = tag_of(hash);

	for (; bucket != NULL; bucket = next_of(table, bucket)) {
		unsigned mask = match_tags(bucket, tag);

		if (mask != 0) {
			return bucket->index[__builtin_ctz(mask)];
		}
	}
	return FLOW_TABLE_NONE;
}

const void *flow_table_prefetch(const struct flow_table *table, uint64_t hash)
{
	const struct bucket *bucket = head_of(table, hash);

	__builtin_prefetch(bucket);
	return bucket;
}

/* An overflow bucket: its number + 1, or below 0. */
static int64_t overflow_take(struct flow_table *table)
{
	uint32_t link = table->free_chain;
	int err;

	if (link != 0) {
		struct bucket *bucket = array_at(&table->overflow, link - 1);

		table->free_chain = bucket->link;
		bucket->link = 0;
		bucket->count = 0;
		return link;
	}
	if (table->noverflow == table->overflow.nsegments * (uint32_t)SEGMENT_BUCKETS) {
		err = array_grow(table, &table->overflow);
		if (err < 0) {
			return err;
		}
	}
	return ++table->noverflow;
}

static void overflow_give_back(struct flow_table *table, uint32_t link)
{
	struct bucket *bucket = array_at(&table->overflow, link - 1);

	bucket->link = table->free_chain;
	table->free_chain = link;
}

/* Append to the chain of `bucket`; table->count is the caller's. */
static int chain_add(struct flow_table *table, struct bucket *bucket, uint16_t tag, uint8_t more,
		     uint32_t index)
{
	unsigned length = 1;

	while (bucket->link != 0) {
		bucket = next_of(table, bucket);
		length++;
	}
	if (bucket->count == SLOTS) {
		int64_t link;

		if (length >= CHAIN_MAX) {
			return WEIR_ELIMIT;
		}
		link = overflow_take(table);
		if (link < 0) {
			return (int)link;
		}
		bucket->link = (uint32_t)link;
		bucket = next_of(table, bucket);
	}
	bucket->tag[bucket->count] = tag;
	bucket->more[bucket->count] = more;
	bucket->index[bucket->count] = index;
	bucket->count++;
	return 0;
}

/* Divide the bucket at `split` between itself and the new last bucket. Cannot fail once the room is there: chains are
 * packed, so the two new ones need no more overflow buckets than the old one gives back. */
static void split_bucket(struct flow_table *table)
{
	struct {
		uint32_t index;
		uint16_t tag;
		uint8_t more;
	} old[CHAIN_MAX * SLOTS];
	struct bucket *low = array_at(&table->main, table->split);
	struct bucket *high = array_at(&table->main, table->nbuckets);
	const struct bucket *bucket;
	uint32_t link = low->link;
	uint64_t bit = table->mask + 1;
	size_t n = 0;
	size_t i;

	for (bucket = low; bucket != NULL; bucket = next_of(table, bucket)) {
		for (i = 0; i < bucket->count; i++) {
			assert(n < CHAIN_MAX * SLOTS);
			old[n].tag = bucket->tag[i];
			old[n].more = bucket->more[i];
			old[n++].index = bucket->index[i];
		}
	}
	while (link != 0) {
		uint32_t next = array_at(&table->overflow, link - 1)->link;

		overflow_give_back(table, link);
		link = next;
	}
	low->link = 0;
	low->count = 0;
	for (i = 0; i < n; i++) {
		uint64_t hash = bit <= UINT64_C(0x80) << MORE_FROM
					? (uint64_t)old[i].more << MORE_FROM
					: table->hash(table->context, old[i].index);
		int err = chain_add(table, (hash & bit) != 0 ? high : low, old[i].tag, old[i].more,
				    old[i].index);

		assert(err == 0);
		(void)err;
	}
	table->nbuckets++;
	table->split++;
	if (table->split > table->mask) {
		table->mask = table->mask * 2 + 1;
		table->split = 0;
	}
}

/* Grow by a bucket when the load asks for it. Without memory the table stays as it is and runs fuller; it is tried again
 * when an eighth more entries have come. */
static void grow(struct flow_table *table)
{
	if (table->count * 2 < (size_t)table->nbuckets * LOAD_HALVES ||
	    table->count < table->retry_count || table->nbuckets >= UINT32_MAX / 2) {
		return;
	}
	if (table->nbuckets == table->main.nsegments * (uint32_t)SEGMENT_BUCKETS &&
	    array_grow(table, &table->main) < 0) {
		table->retry_count = table->count + table->count / 8;
		return;
	}
	table->retry_count = 0;
	split_bucket(table);
	/* after a time without memory: catch up two buckets an insertion */
	if (table->count * 2 > (size_t)table->nbuckets * LOAD_HALVES &&
	    table->nbuckets < table->main.nsegments * (uint32_t)SEGMENT_BUCKETS) {
		split_bucket(table);
	}
}

int flow_table_insert(struct flow_table *table, uint64_t hash, uint32_t index)
{
	int err;

	assert(index != FLOW_TABLE_NONE);
	grow(table);
	err = chain_add(table, head_of(table, hash), tag_of(hash), more_of(hash), index);
	if (err < 0) {
		return err;
	}
	table->count++;
	return 0;
}

/* The slot that holds `index`; it must be there. */
static struct bucket *find_slot(const struct flow_table *table, uint64_t hash, uint32_t index,
				unsigned *ret_slot)
{
	struct bucket *bucket = head_of(table, hash);
	uint16_t tag = tag_of(hash);

	for (; bucket != NULL; bucket = next_of(table, bucket)) {
		unsigned mask = match_tags(bucket, tag);

		for (; mask != 0; mask &= mask - 1) {
			unsigned slot = (unsigned)__builtin_ctz(mask);

			if (bucket->index[slot] == index) {
				*ret_slot = slot;
				return bucket;
			}
		}
	}
	return NULL;
}

void flow_table_remove(struct flow_table *table, uint64_t hash, uint32_t index)
{
	unsigned slot = 0;
	struct bucket *bucket = find_slot(table, hash, index, &slot);
	struct bucket *before = NULL;
	struct bucket *last = bucket;

	assert(bucket != NULL);
	if (bucket == NULL) {
		return;
	}
	/* the chain's last entry moves into the hole: chains stay packed */
	while (last->link != 0) {
		before = last;
		last = next_of(table, last);
	}
	last->count--;
	bucket->tag[slot] = last->tag[last->count];
	bucket->more[slot] = last->more[last->count];
	bucket->index[slot] = last->index[last->count];
	table->count--;
	if (last->count > 0) {
		return;
	}
	if (before == NULL) { /* `bucket` is the last of its chain: is it an overflow bucket? */
		before = head_of(table, hash);
		while (before != last && next_of(table, before) != last) {
			before = next_of(table, before);
		}
	}
	if (before != last) {
		overflow_give_back(table, before->link);
		before->link = 0;
	}
}

void flow_table_replace(struct flow_table *table, uint64_t hash, uint32_t from, uint32_t to)
{
	unsigned slot = 0;
	struct bucket *bucket = find_slot(table, hash, from, &slot);

	assert(bucket != NULL && to != FLOW_TABLE_NONE);
	if (bucket != NULL) {
		bucket->index[slot] = to;
	}
}

size_t flow_table_count(const struct flow_table *table)
{
	return table->count;
}

size_t flow_table_bytes(const struct flow_table *table)
{
	return table->bytes;
}
