/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records in memory: making, copying, freeing. The setters are public, see weir/record.h.
 *
 * A record, its table of values and its arena live in the first block of that very arena, so that a transaction costs
 * one block from the pool and no call to the allocator. Values that are not present are never touched.
 */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <string.h>

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

/** Add a string of bytes that lie in the record's own memory already. */
void record_add_own(struct weir_record *rec, size_t field, const uint8_t *p, size_t len);

/**
 * Room for n more headers in a list that is wanted; n is at least 1.
 *
 * @return the first of them, all to be filled at once: the list has them already. NULL: no memory, nothing has changed
 */
struct weir_header *record_add_headers(struct weir_record *rec, size_t field, size_t n);

/*
 * Setting many fields one after another: which are wanted is looked up, and which are present is noted, once for all of them (each
 * would wait for the one before otherwise). Begin, fill, end; nothing else may be done with the record meanwhile.
 */
struct record_filling {
	struct weir_value *values;
	uint64_t wanted[2];
	uint64_t set[2];
};

static inline struct record_filling record_begin(const struct weir_record *rec)
{
	struct record_filling filling = {rec->values, {UINT64_MAX, UINT64_MAX}, {0, 0}};

	if (rec->wanted != NULL) {
		filling.wanted[0] = rec->wanted[0];
		filling.wanted[1] = rec->wanted[1];
	}
	return filling;
}

static inline void record_fill_u64(struct record_filling *filling, size_t field, uint64_t value)
{
	uint64_t bit = UINT64_C(1) << (field & 63);

	if ((filling->wanted[field >> 6] & bit) != 0) {
		filling->values[field].v.u64 = value;
		filling->values[field].len = 0;
		filling->values[field].full_len = 0;
		filling->set[field >> 6] |= bit;
	}
}

static inline void record_fill_i64(struct record_filling *filling, size_t field, int64_t value)
{
	record_fill_u64(filling, field, (uint64_t)value);
}

/** Bytes that stay where they are: constants, or of the record's own memory. */
static inline void record_fill_bytes(struct record_filling *filling, size_t field, const void *p,
				     size_t len)
{
	uint64_t bit = UINT64_C(1) << (field & 63);

	if ((filling->wanted[field >> 6] & bit) != 0) {
		filling->values[field].v.bytes = p;
		filling->values[field].len = (uint32_t)len;
		filling->values[field].full_len = (uint32_t)len;
		filling->set[field >> 6] |= bit;
	}
}

static inline void record_fill_static(struct record_filling *filling, size_t field,
				      const char *text)
{
	record_fill_bytes(filling, field, text, strlen(text));
}

static inline void record_end(struct weir_record *rec, const struct record_filling *filling)
{
	rec->present[0] |= filling->set[0];
	rec->present[1] |= filling->set[1];
}

/** The value of a field that is present was longer once: full_len of it (of a header list: of its longest value). */
void record_set_cut(struct weir_record *rec, size_t field, uint32_t full_len);

/** Longest full length of a value that a limit cut; 0: nothing was cut. */
uint32_t record_cut_from(enum weir_kind kind, const struct weir_value *value);

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

struct pack; /* base/pack.h */

/**
 * Write what a record that grows has by now, in few bytes: what it says twice takes room once. It is not changed. Without room,
 * or with more than 65,535 bytes, pack->failed is set.
 *
 * @param flow  the record's (rec->flow is not looked at: it may have become another's); may be NULL
 */
void record_pack(struct pack *pack, const struct weir_record *rec,
		 const struct weir_flow_info *flow);

/**
 * The opposite: a record of its own that may go on growing. Strings given to the _static setters are copies now.
 *
 * @param wanted  as it was; borrowed
 * @param flow    as record_pack() was given; borrowed
 * @return 0 or WEIR_ENOMEM; what was written is passed over then, too. A value that there is no memory for is absent (counted
 *         in the record's arena)
 */
int record_unpack(struct pack *pack, struct arena_pool *pool, const struct weir_schema *schema,
		  const uint64_t *wanted, const struct weir_flow_info *flow,
		  struct weir_record **ret);

/** The n that weir_flow_id() was given for an id of WEIR_ID_LEN bytes; anything when it is none of this flow. */
uint64_t record_id_number(const struct weir_flow_info *flow, const char *id);

#endif
