/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink `sqlite`, inside. sqlite.c: the sink and its transactions; sqlite_row.c: a record becomes rows; sqlite_rollup.c: what is
 * counted, and where records are; sqlite_top.c: the most frequent; sqlite_interim.c: what is
 * still open; sqlite_retain.c: what is old goes.
 *
 * Functions return 0 or below 0; then the transaction is to be rolled back (store_errno() says why).
 */
#ifndef SINK_SQLITE_H
#define SINK_SQLITE_H

#include <stdatomic.h>

#include "record/record.h"
#include "sink/json_record.h"
#include "store/hist.h"
#include "store/names.h"
#include "store/schema.h"
#include "store/store.h"

enum {
	LAST_TEXT = 54,
	SQLITE_CELLS = 8192,    /* in memory; more: they are written and begun anew */
	SQLITE_ENTRIES = 65536, /* records whose place and duration are in memory; the same */
};

/*
 * What a column held last. Most columns hold the same text for long, or never the same twice: neither needs a look at the names each
 * time. A column that is never the same twice is asked about now and then.
 */
struct last {
	int64_t id; /* 0: nothing is known */
	uint8_t len;
	uint8_t misses; /* in a row, of names_number() */
	uint8_t text[LAST_TEXT];
};

/* What fields mean to rollups; index of the field, below 0: the schema has no such field. */
enum role {
	ROLE_SERVICE,
	ROLE_METHOD,
	ROLE_ROUTE,
	ROLE_STATUS,
	ROLE_ERROR, /* text: it failed */
	ROLE_REQUEST_BYTES,
	ROLE_RESPONSE_BYTES,
	ROLE_REQUEST_BYTES_ELSE, /* when there is none of that */
	ROLE_RESPONSE_BYTES_ELSE,
	ROLE_TIME,
	ROLE_RETRANSMITS, /* these and the next are sums of both columns */
	ROLE_RETRANSMITS_2,
	ROLE_OUT_OF_ORDER,
	ROLE_OUT_OF_ORDER_2,
	ROLE_GAPS,
	ROLE_GAPS_2,
	ROLE_MISSING,
	ROLE_MISSING_2,
	ROLE_PACKETS,
	ROLE_PACKETS_2,
	ROLE_HOST,
	ROLE_PATH,
	ROLE_SCHEME,
	ROLE_STATEMENT,
	ROLE_NAME,
	NROLES
};

/* A record type's statements. */
struct plan {
	struct plan *next;
	const struct weir_schema *schema;
	int64_t type;                         /* its number in _type */
	sqlite3_stmt *inserts[STORE_NTABLES]; /* NULL: no such table */
	sqlite3_stmt *deletes[STORE_NPARTS];  /* by _id; prepared when needed */
	uint64_t bound[STORE_NPARTS][2];      /* fields whose parameters are not NULL */
	uint64_t of_part[STORE_NPARTS][2];    /* fields */
	bool notes_bound;
	uint8_t part[WEIR_MAX_FIELDS];      /* enum store_part */
	uint8_t parameter[WEIR_MAX_FIELDS]; /* of its table's statement */
	uint8_t kind[WEIR_MAX_FIELDS];
	uint8_t shape[WEIR_MAX_FIELDS]; /* fields of shapes */
	size_t nshape;
	int escaped, truncated; /* parameters of STORE_MORE */
	bool has_url;
	int url[STORE_NURL]; /* fields */
	int16_t role[NROLES];
	struct last last[WEIR_MAX_FIELDS];
};

/* ---- rollups ---- */

/* Columns of _rollup that are sums, in the order of its columns. */
enum sum {
	SUM_N,
	SUM_TIMED,
	SUM_4XX,
	SUM_5XX,
	SUM_UNANSWERED,
	SUM_INCOMPLETE,
	SUM_REQUEST_BYTES,
	SUM_RESPONSE_BYTES,
	SUM_DURATION,
	SUM_SEND,
	SUM_WAIT,
	SUM_RECEIVE,
	SUM_STALL,
	SUM_RETRANSMITS,
	SUM_OUT_OF_ORDER,
	SUM_GAPS,
	SUM_MISSING,
	SUM_PACKETS,
	NSUMS
};

/* What one shape's records of one 10 s interval add up to, since the last commit. */
struct cell {
	int64_t t; /* s */
	int64_t shape;
	const struct plan *plan;
	int64_t key[STORE_NDIMS]; /* rows of _key that it counts for */
	int64_t max_ns;
	int64_t sums[NSUMS];
	uint32_t nentries;
	uint32_t at; /* when they are sorted: behind its last entry */
};

struct entry {
	int64_t id;
	int64_t ns; /* below 0: none */
	uint32_t cell;
};

/* Rows of _key that a shape counts for. */
struct shape_keys {
	int64_t key[STORE_NDIMS];
};

struct rollup {
	struct cell *cells;
	size_t ncells;
	uint32_t *slots; /* hash of (t, shape) to cell + 1 */
	struct entry *entries;
	uint32_t *order; /* entries by cell */
	size_t nentries;
	struct shape_keys *shapes; /* by number, from first_shape on; key[0] 0: not known */
	size_t nshapes, shapes_size;
	int64_t first_shape;
	struct names keys; /* numbers of _key */
	int64_t key_hour[STORE_NDIMS];
	uint32_t new_keys[STORE_NDIMS]; /* in that hour */
	struct hist *hist;              /* scratch */
	struct hist *stored;            /* scratch */
	struct group *groups;           /* scratch */
	struct strbuf blob;
	sqlite3_stmt *get, *put, *find_key, *put_key, *put_ids, *put_octave;
};

/* ---- the most frequent ---- */

enum { TOP_SLOTS = 4096, TOP_WAYS = 4, TOP_TEXT = 512 };

struct top_slot {
	uint64_t hash; /* 0: free */
	uint64_t n, n_error;
	uint64_t error; /* n is at most so much too high */
	int64_t max_ns;
	char *text;
	uint32_t len, room;
};

struct top {
	int64_t hour; /* s; INT64_MIN: none yet */
	uint64_t seed;
	bool dirty[STORE_NTOPS];
	struct top_slot *slots[STORE_NTOPS];
	sqlite3_stmt *clear, *put;
};

/* ---- the sink ---- */

struct retain {
	int64_t keep_ns;                /* 0: for good */
	uint64_t max_bytes;             /* 0: without limit */
	int64_t newest_ns;              /* largest ts; INT64_MIN: none */
	int64_t run_ns;                 /* of this run */
	int64_t first_id;               /* about the first record that is left */
	int64_t epoch_id;               /* where the epoch began */
	bool behind;                    /* something may be left of what nothing names any more */
	uint64_t deleted;               /* records */
	atomic_uint_fast64_t committed; /* of these; told to other threads */
	int64_t level_t[STORE_NLEVELS]; /* s; rollups before are gone */
	int64_t page_size;
	sqlite3_stmt *pages, *free_pages;
};

struct interim {
	struct names rows;             /* of (type, id); below 0: gone */
	size_t n;                      /* rows with final=0 */
	bool stale;                    /* to be read from the store again */
	atomic_uint_fast64_t left_out; /* told to other threads */
	sqlite3_stmt *put, *remove;
};

struct sqlite_sink {
	struct store store;
	struct plan *plans;
	sqlite3_stmt *put_string, *put_flow, *put_epoch;
	struct names strings, flows, shapes;
	uint8_t flow_parameter[WEIR_NCOMMON]; /* 0: not of the flow */
	int64_t id;                           /* of the last row */
	unsigned skipped;                     /* texts that were not asked about */
	bool in_transaction;
	int64_t retry_ns; /* nothing is tried before; 0: all is well */
	int error;        /* errno of the failure */
	uint64_t records; /* committed, interim ones not counted */
	uint64_t given;   /* in the transaction */
	struct json_writer json;
	struct strbuf text, escaped, truncated, key;
	struct rollup rollup;
	struct top top;
	struct retain retain;
	struct interim interim;
	int acknowledge; /* a descriptor; below 0: none */
};

/* values[field] of a record that has it */
static inline const struct weir_value *sqlite_value(const struct weir_record *rec, size_t field)
{
	return &rec->values[field];
}

/* sqlite.c */
sqlite3_stmt *sqlite_prepare(struct sqlite_sink *sq, const char *sql);
int sqlite_execute(struct sqlite_sink *sq, const char *sql);
/** Run a statement that gives no rows; it is ready for other values then. Its values stay. */
int sqlite_run(sqlite3_stmt *stmt);

/* sqlite_row.c */
int sqlite_rows_open(struct sqlite_sink *sq, const struct weir_schema *const *schemas);
void sqlite_rows_close(struct sqlite_sink *sq);
struct plan *sqlite_plan(struct sqlite_sink *sq, const struct weir_schema *schema);
/** A record's rows, under sq->id + 1. */
int sqlite_put_record(struct sqlite_sink *sq, const struct weir_record *rec);
/** What was put since the last commit is not there: nothing of it is remembered. */
void sqlite_rows_forget(struct sqlite_sink *sq);
/** Text as JSON has it: bytes that are not UTF-8 as \xNN. @return what to use, *len changes */
const char *sqlite_utf8(struct sqlite_sink *sq, const struct weir_value *value, size_t *ret_len);

/** Is it no interim record? */
bool sqlite_is_final(const struct weir_record *rec);

/* sqlite_interim.c */
int sqlite_interim_open(struct sqlite_sink *sq);
void sqlite_interim_close(struct sqlite_sink *sq);
/** The row of an interim record of the same id goes. */
int sqlite_interim_replace(struct sqlite_sink *sq, struct plan *plan,
			   const struct weir_record *rec);
/** Is there room for an interim record? */
bool sqlite_interim_admits(struct sqlite_sink *sq);
/** An interim record is row `id`. */
int sqlite_interim_note(struct sqlite_sink *sq, const struct plan *plan,
			const struct weir_record *rec, int64_t id);
void sqlite_interim_forget(struct sqlite_sink *sq);

/* sqlite_rollup.c */
int sqlite_rollup_open(struct sqlite_sink *sq);
void sqlite_rollup_close(struct sqlite_sink *sq);
/** A final record that is row `id` and of that shape. */
int sqlite_rollup_add(struct sqlite_sink *sq, const struct plan *plan,
		      const struct weir_record *rec, int64_t id, int64_t shape);
/** Write what was added; before each commit. */
int sqlite_rollup_write(struct sqlite_sink *sq);
void sqlite_rollup_forget(struct sqlite_sink *sq);

/* sqlite_top.c */
int sqlite_top_open(struct sqlite_sink *sq);
void sqlite_top_close(struct sqlite_sink *sq);
int sqlite_top_add(struct sqlite_sink *sq, const struct plan *plan, const struct weir_record *rec,
		   bool failed, int64_t duration_ns);
int sqlite_top_write(struct sqlite_sink *sq);
void sqlite_top_forget(struct sqlite_sink *sq);

/* sqlite_retain.c */
/** keep= and max=. @return 0 or WEIR_EINVAL and a text */
int sqlite_retain_parse(struct retain *retain, const char *keep, const char *max,
			const char **ret_message);
int sqlite_retain_open(struct sqlite_sink *sq);
/** What was done since the last commit is not. */
void sqlite_retain_forget(struct sqlite_sink *sq);
void sqlite_retain_close(struct sqlite_sink *sq);
/** Within the transaction: one bounded step for the `n` records that it has. */
int sqlite_retain_step(struct sqlite_sink *sq, uint64_t n);

/* sqlite_rebuild.c */
/** What is counted is worked out from the rows, when the store says that it is not there. */
int sqlite_rebuild(struct sqlite_sink *sq);

#endif
