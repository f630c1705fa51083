/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the SQLite backend share: sqlite.c (opening, limits, one record), lite_rows.c (rows of a view as records), lite_scan.c
 * (walking through types in one order), lite_rollups.c.
 *
 * Records are read through the views, which know how the tables are laid out.
 */
#ifndef STORE_SQLITE_H
#define STORE_SQLITE_H

#include <stdatomic.h>

#include "base/arena.h"
#include "base/strbuf.h"
#include "store/backend.h"
#include "store/store.h"

/* The columns that every statement of rows begins with. */
enum { ROWS_ROW, ROWS_TS, ROWS_KEY, ROWS_VERDICT, ROWS_ESCAPED, ROWS_TRUNCATED, ROWS_FIRST };

/* How a verdict on a record is told by its row. */
enum { VERDICT_NO, VERDICT_YES, VERDICT_ASK };

struct store_backend {
	struct store store;
	const struct weir_schema *const *schemas;
	size_t nschemas;
	uint32_t there; /* types that have a view, bits */
	struct budget budget;
	struct arena_pool pool;
	atomic_bool cancelled;
	int64_t deadline_ns; /* on the monotonic clock; 0: none */
	bool timed_out;
	char problem[STORE_PROBLEM_MAX];
};

/* Rows of a type, as records. */
struct lite_rows {
	struct store_backend *backend;
	const struct weir_schema *schema;
	sqlite3_stmt *stmt;
	struct {
		uint8_t field;
		uint8_t column;
	} columns[WEIR_MAX_FIELDS];
	size_t ncolumns;
	bool noted; /* escaped and truncated are selected */
	struct strbuf text;
};

/** Begin a question: limits hold from here on. */
void lite_begin(struct store_backend *backend, const struct store_limits *limits);

/** SQLite's last error as ours, with its words in backend->problem. SQLITE_INTERRUPT is for the caller to see before. */
int lite_failed(struct store_backend *backend);

sqlite3_stmt *lite_prepare(struct store_backend *backend, const char *sql);

/**
 * SELECT ... FROM view, as far as that; the caller appends WHERE and prepares with lite_rows_prepare().
 * @param fields bits: those that the records are to have
 * @param key, verdict expressions
 */
void lite_rows_select(struct lite_rows *rows, struct store_backend *backend,
		      const struct weir_schema *schema, const uint64_t fields[2], const char *key,
		      const char *verdict, struct strbuf *out);
int lite_rows_prepare(struct lite_rows *rows, struct strbuf *sql);
void lite_rows_fini(struct lite_rows *rows);

/** The current row as a record; for record_free(). WEIR_ENOMEM */
int lite_rows_record(struct lite_rows *rows, struct weir_record **ret);

/** The column of a field in the view, quoted; times by their number. For query_say_sql() too. */
void lite_put_field(void *context, struct strbuf *out, const struct weir_schema *schema,
		    size_t field);

/* ---- sqlite_index.c ---- */

/* Records that a filter can be about, as their rows. */
struct lite_candidates {
	bool there;   /* false: all of them, as far as indexes tell */
	bool listed;  /* few enough to look at each */
	int64_t *ids; /* ascending */
	size_t n, size;
	int64_t low; /* of the bitmap */
	uint64_t range;
	uint8_t *bits; /* NULL when listed */
};

int lite_candidates(struct store_backend *backend, struct query *filter,
		    const struct weir_schema *schema, struct lite_candidates *ret);
void lite_candidates_fini(struct lite_candidates *candidates);

static inline bool lite_candidates_have(const struct lite_candidates *candidates, int64_t id)
{
	uint64_t at = (uint64_t)id - (uint64_t)candidates->low;

	return at <= candidates->range && (candidates->bits[at / 8] >> at % 8 & 1) != 0;
}

/** Records of a type whose durations are of an octave, to those that there are. WEIR_ELIMIT: more than max */
int lite_slowest(struct store_backend *backend, const struct weir_schema *schema, int octave,
		 size_t max, struct lite_candidates *to);

int lite_scan(struct store_backend *backend, struct store_scan *scan, struct store_answer *ret);
int lite_rollups(struct store_backend *backend, struct store_summing *summing);
int lite_counters(struct store_backend *backend, int64_t from_ns, int64_t to_ns,
		  struct store_health *ret);

/** A SQL function of lite_scan.c. */
int lite_scan_functions(struct store_backend *backend);

#endif
