/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flow table of one shard: a bucketed hash from tuple hash to a 32-bit entry index, grown gradually.
 *
 * Buckets are one cache line: 8 entries of a 16-bit tag and a 32-bit index (48 bytes) and a link. Lookup reads one line for
 * the bucket and one for the flow that matches the tag; the caller compares tuples. Growth divides one bucket per insertion
 * (linear hashing), so that no single packet pays for it.
 *
 * The table does not own entries: it maps a hash to an index, and asks `equal` which of the candidates it is.
 */
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

#define FLOW_TABLE_NONE UINT32_MAX

enum { FLOW_TABLE_CHAIN = 16 }; /* buckets of one chain at most: 128 entries whose hashes collide */

struct flow_table;

/** Is entry `index` the one that `key` names? */
typedef bool (*flow_table_equal_fn)(const void *context, uint32_t index, const void *key);
/** Hash of entry `index`, as it was given at insertion. */
typedef uint64_t (*flow_table_hash_fn)(const void *context, uint32_t index);

int flow_table_new(struct budget *budget, flow_table_equal_fn equal, flow_table_hash_fn hash,
		   const void *context, struct flow_table **ret);
void flow_table_free(struct flow_table *table);

/** Index of the entry, or FLOW_TABLE_NONE. */
uint32_t flow_table_lookup(const struct flow_table *table, uint64_t hash, const void *key);
/**
 * Insert (the key must not be in the table).
 * @return 0, or with nothing inserted: WEIR_EBUDGET, WEIR_ENOMEM, WEIR_ELIMIT (FLOW_TABLE_CHAIN: crafted hashes)
 */
int flow_table_insert(struct flow_table *table, uint64_t hash, uint32_t index);
/** Remove by hash and index; it must be there. */
void flow_table_remove(struct flow_table *table, uint64_t hash, uint32_t index);
/** Replace an entry's index (same hash). */
void flow_table_replace(struct flow_table *table, uint64_t hash, uint32_t from, uint32_t to);
/** Bring the bucket line into the cache. @return for flow_table_candidate() */
const void *flow_table_prefetch(const struct flow_table *table, uint64_t hash);
/**
 * First candidate index by tag, without comparing keys: to prefetch the flow. FLOW_TABLE_NONE: none, or not where it was when its bucket
 * was fetched.
 */
uint32_t flow_table_candidate(const struct flow_table *table, const void *fetched, uint64_t hash);
size_t flow_table_count(const struct flow_table *table);
size_t flow_table_bytes(const struct flow_table *table); /* charged to the budget now */

#endif
