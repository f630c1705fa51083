/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which records a filter can be about at all: see sqlite.h and, for the indexes, store/schema.h.
 *
 * What a filter says about fields of shapes is asked of the few shapes there are, and the lists of their records are put together; what
 * it says of durations leads to lists, too. The shorter one is taken. It may have records that do not match (the filter looks at them all the
 * same); it lacks none that does.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "query/sql.h"
#include "record/record.h"
#include "store/ids.h"
#include "store/schema.h"
#include "store/sqlite.h"
#include "weir/error.h"

enum {
	CANDIDATES_MAX = 1 << 16,
	BITMAP_MAX = 32 << 20, /* bytes */
	SAMPLE = 50,           /* the newest of so many parts */
	SAMPLE_MAX = 800,      /* in it: more of them are found as quickly by the index on time */
	ALWAYS_WORTH = 4096,
};

/* ---- shapes ---- */

static bool can_shape(void *context, const struct weir_schema *schema, size_t field)
{
	(void)context;
	return store_part_of(schema, field) == STORE_SHAPE || field == WEIR_F_SERVER_ADDRESS ||
	       field == WEIR_F_SERVER_PORT;
}

static void put_shape(void *context, struct strbuf *out, const struct weir_schema *schema,
		      size_t field)
{
	(void)context;
	strbuf_str(out, "s.\"");
	store_put_column(out, weir_schema_field(schema, field)->name);
	strbuf_char(out, '"');
}

/* " FROM lists WHERE ..." @return true: it says less than everything */
static bool put_shapes(struct query *filter, const struct weir_schema *schema, struct strbuf *out)
{
	const struct query_names names = {.put = put_shape, .can = can_shape, .escaped = true};
	struct strbuf said;
	bool texts;
	int what;
	bool less;

	strbuf_init(&said);
	what = query_say_sql(filter, schema, &names, &said, &texts);
	less = what == QUERY_SAID_EXACT || (what == QUERY_SAID_WIDER && said.len > 1);
	if (less) {
		strbuf_printf(out,
			      " FROM \"_%s_shape\" s CROSS JOIN _shape_ids i ON i.shape=s._id "
			      "WHERE %s",
			      schema->type, strbuf_text(&said));
	}
	out->failed |= said.failed;
	strbuf_fini(&said);
	return less;
}

/* ---- durations ---- */

/* What a term says every match's duration is at least. */
static int64_t least_of_term(const struct query_term *term)
{
	int64_t least = INT64_MAX;
	size_t i;

	if (term->ntargets != 1 || strcmp(term->targets[0].field, "duration_ns") != 0 ||
	    (term->op != QUERY_GT && term->op != QUERY_GE && term->op != QUERY_EQ)) {
		return INT64_MIN;
	}
	for (i = 0; i < term->nvalues; i++) {
		const struct query_value *value = &term->values[i];
		int64_t low = term->op == QUERY_GT ? value->high : value->low;

		if (value->kind != QUERY_RANGE) {
			return INT64_MIN;
		}
		least = low < least ? low : least;
	}
	return least;
}

/* Of all terms that must hold. INT64_MIN: nothing is said */
static int64_t least_duration(const struct query_node *node)
{
	const struct query_node *child;
	int64_t least = INT64_MIN;

	if (node == NULL) {
		return least;
	}
	if (node->kind == QUERY_TERM) {
		return least_of_term(node->term);
	}
	for (child = node->kind == QUERY_AND ? node->child : NULL; child != NULL;
	     child = child->next) {
		int64_t one = least_duration(child);

		least = one > least ? one : least;
	}
	return least;
}

static int octave_of(int64_t ns)
{
	return ns < 1 ? 0 : 63 - __builtin_clzll((unsigned long long)ns);
}

static bool put_durations(struct query *filter, const struct weir_schema *schema,
			  struct strbuf *out)
{
	int64_t least = least_duration(query_root(filter));

	/* flows are listed by their handshakes */
	if (least < 2 || weir_schema_find(schema, "tcp.handshake_ns", 16) >= 0) {
		return false;
	}
	strbuf_printf(out,
		      " FROM _duration_ids i WHERE i.type=(SELECT _id FROM _type WHERE type='%s') "
		      "AND i.octave>=%d",
		      schema->type, octave_of(least));
	return true;
}

/* ---- lists ---- */

/* About how many records there are in some lists from a row on. */
static int64_t weigh(struct store_backend *backend, struct strbuf *lists, int64_t from)
{
	struct strbuf sql;
	int64_t n;

	strbuf_init(&sql);
	strbuf_printf(&sql, "SELECT total(length(i.ids)/2+1)%s AND i.first>=%lld",
		      strbuf_text(lists), (long long)from);
	n = sql.failed ? INT64_MAX : store_number(&backend->store, strbuf_text(&sql), INT64_MAX);
	strbuf_fini(&sql);
	return n;
}

static bool add(struct lite_candidates *to, int64_t id)
{
	if (to->n == to->size) {
		size_t size = to->size == 0 ? 1024 : 2 * to->size;
		int64_t *grown =
			size > CANDIDATES_MAX ? NULL : reallocarray(to->ids, size, sizeof(*grown));

		if (grown == NULL) {
			return false;
		}
		to->ids = grown;
		to->size = size;
	}
	to->ids[to->n++] = id;
	return true;
}

/* @return WEIR_ELIMIT: there are more than max */
static int read_lists(struct store_backend *backend, const char *sql, size_t max,
		      struct lite_candidates *to)
{
	sqlite3_stmt *stmt = lite_prepare(backend, sql);
	bool fits = true;
	int code;

	if (stmt == NULL) {
		return lite_failed(backend);
	}
	while (fits && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct ids ids;

		ids_begin(&ids, sqlite3_column_int64(stmt, 0), sqlite3_column_blob(stmt, 1),
			  (size_t)sqlite3_column_bytes(stmt, 1));
		while (fits && ids_next(&ids)) {
			fits = to->n < max && add(to, ids.id);
		}
	}
	(void)sqlite3_finalize(stmt);
	return !fits ? WEIR_ELIMIT : code == SQLITE_DONE ? 0 : lite_failed(backend);
}

/* Interim records are in no list. */
static int read_open(struct store_backend *backend, const struct weir_schema *schema,
		     struct lite_candidates *to)
{
	char sql[192];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT _id,NULL FROM _open WHERE type=(SELECT _id FROM _type WHERE "
		       "type='%s')",
		       schema->type);
	return read_lists(backend, sql, CANDIDATES_MAX, to);
}

static int by_id(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int take_lists(struct store_backend *backend, const struct weir_schema *schema,
		      struct strbuf *lists, struct lite_candidates *to)
{
	struct strbuf sql;
	int err;

	strbuf_init(&sql);
	strbuf_printf(&sql, "SELECT i.first,i.ids%s", strbuf_text(lists));
	err = sql.failed ? WEIR_ENOMEM : read_lists(backend, strbuf_text(&sql), CANDIDATES_MAX, to);
	strbuf_fini(&sql);
	if (err == 0) {
		err = read_open(backend, schema, to);
	}
	if (err == 0 && to->n > 0) {
		qsort(to->ids, to->n, sizeof(*to->ids), by_id);
	}
	return err;
}

void lite_candidates_fini(struct lite_candidates *candidates)
{
	free(candidates->ids);
	free(candidates->bits);
	memset(candidates, 0, sizeof(*candidates));
}

/* For lite_candidates_have(). */
static bool make_bits(struct lite_candidates *candidates)
{
	uint64_t range = (uint64_t)(candidates->ids[candidates->n - 1] - candidates->ids[0]);
	size_t i;

	if (range / 8 >= BITMAP_MAX) {
		return false;
	}
	candidates->low = candidates->ids[0];
	candidates->range = range;
	candidates->bits = calloc(range / 8 + 1, 1);
	for (i = 0; candidates->bits != NULL && i < candidates->n; i++) {
		uint64_t at = (uint64_t)(candidates->ids[i] - candidates->low);

		candidates->bits[at / 8] |= (uint8_t)(1u << at % 8);
	}
	return candidates->bits != NULL;
}

/* The rows that a type's records are among. */
static void row_range(struct store_backend *backend, const struct weir_schema *schema,
		      int64_t *ret_low, int64_t *ret_high)
{
	char sql[96];

	(void)snprintf(sql, sizeof(sql), "SELECT min(_id) FROM \"_%s\"", schema->type);
	*ret_low = store_number(&backend->store, sql, 0);
	(void)snprintf(sql, sizeof(sql), "SELECT max(_id) FROM \"_%s\"", schema->type);
	*ret_high = store_number(&backend->store, sql, 0);
}

int lite_candidates(struct store_backend *backend, struct query *filter,
		    const struct weir_schema *schema, struct lite_candidates *ret)
{
	struct strbuf shapes, durations;
	int64_t nshapes = INT64_MAX, ndurations = INT64_MAX, low, high, sample;
	int err = 0;

	memset(ret, 0, sizeof(*ret));
	row_range(backend, schema, &low, &high);
	/* lists of long ago may be many small rows: how much of the newest 2 % is listed says whether to read them all */
	sample = high - (high - low) / SAMPLE;
	strbuf_init(&shapes);
	strbuf_init(&durations);
	if (put_shapes(filter, schema, &shapes)) {
		nshapes = weigh(backend, &shapes, sample);
	}
	if (put_durations(filter, schema, &durations)) {
		ndurations = weigh(backend, &durations, sample);
	}
	if (nshapes <= SAMPLE_MAX || ndurations <= SAMPLE_MAX) {
		err = take_lists(backend, schema, nshapes <= ndurations ? &shapes : &durations,
				 ret);
		if (err == 0) {
			ret->listed = ret->n <= ALWAYS_WORTH;
			ret->there = ret->listed || make_bits(ret);
		}
		if (!ret->there) {
			lite_candidates_fini(ret);
		}
		err = err == WEIR_ELIMIT ? 0 : err;
	}
	strbuf_fini(&shapes);
	strbuf_fini(&durations);
	return err;
}

/* ---- the slowest ---- */

int lite_slowest(struct store_backend *backend, const struct weir_schema *schema, int octave,
		 size_t max, struct lite_candidates *to)
{
	struct strbuf lists;
	int err = 0;

	strbuf_init(&lists);
	strbuf_printf(&lists,
		      " FROM _duration_ids i WHERE i.type=(SELECT _id FROM _type WHERE type='%s') "
		      "AND i.octave=%d",
		      schema->type, octave);
	if (weigh(backend, &lists, INT64_MIN) > (int64_t)max) {
		err = WEIR_ELIMIT;
	} else {
		struct strbuf sql;

		strbuf_init(&sql);
		strbuf_printf(&sql, "SELECT i.first,i.ids%s", strbuf_text(&lists));
		err = sql.failed ? WEIR_ENOMEM
				 : read_lists(backend, strbuf_text(&sql), CANDIDATES_MAX, to);
		strbuf_fini(&sql);
	}
	strbuf_fini(&lists);
	return err;
}
