/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in memory: making, copying, freeing. The setters are public, see weir/record.h.
 *
 * A record, its table of values and its arena live in the first block of that very arena, so that a transaction costs
 * one block from the pool and no call to the allocator. Values that are not present are never touched.
 */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include "base/arena.h"
#include "weir/record.h"

/* What weir_schema_field() gives for indices below WEIR_NCOMMON. */
extern const struct weir_field record_common_fields[WEIR_NCOMMON];

/** Kind of a field that the schema has. */
static inline enum weir_kind record_kind(const struct weir_schema *schema, size_t field)
{
	return field < WEIR_NCOMMON ? record_common_fields[field].kind
				    : schema->fields[field - WEIR_NCOMMON].kind;
}

/**
 * An empty record.
 *
 * @param pool   where its memory comes from; outlives the record. One thread.
 * @param schema constant, outlives the record
 * @return 0 or WEIR_ENOMEM (the pool's budget is spent)
 */
int record_new(struct arena_pool *pool, const struct weir_schema *schema, struct weir_record **ret);

/** Set a field of bytes that lie in the record's own memory already: they are not copied. */
void record_set_own(struct weir_record *rec, size_t field, const uint8_t *p, size_t len);

/** Release a record of record_new(). NULL is fine. Not for copies: they go with their arena. */
void record_free(struct weir_record *rec);

/**
 * A deep copy, flow information included, in one piece of memory of `into` (a batch of records for another thread).
 * The copy may be changed by the setters, which then allocate from `into`. Constants given to the _static setters stay
 * where they are.
 *
 * @return NULL when memory is spent (counted in into->failed)
 */
struct weir_record *record_copy(const struct weir_record *rec, struct weir_arena *into);

#endif
