/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store's questions: what `weir stats` and the dashboard ask. One interface for all backends (store/sqlite.c is the embedded one),
 * one set of tests that each of them must pass (tests/unit/test_store_questions.c).
 *
 * A *reader* is a connection for questions only; nothing can be changed through it, and a store may be written while it is read. A
 * question sees what was committed when it began. It is for one thread; only store_cancel() may be called from others.
 *
 *	store_reader_open() -> any questions, one after another -> store_reader_free()
 *
 * Scope. A question is about records of some time (`from_ns` <= ts < `to_ns`) that a filter lets through (-Y, query/query.h).
 * store_page() and store_terms() look at records of all types; series, heatmap, table and compare at *transactions*: all types
 * but tcp and anomaly. A filter may say type:http. Figures are of exchanges that are over; pages show open ones, too (final=false).
 *
 * Effort. Each answer says in struct store_answer what it is made of:
 *	STORE_FROM_ROLLUPS  sums that were made when records were written. Counts and sums are exact; percentiles are those of a
 *	                    histogram, `error` is how far they may be off. The time asked for is widened to whole intervals. When the limits
 *	                    end it, figures are of `from_ns` to `to_ns`
 *	STORE_FROM_INDEX    an index led to the records; nothing else was looked at
 *	STORE_FROM_SCAN     records were looked at one after another, newest first, no more than the limits allow. When they ended it,
 *	                    `end` says why, and `from_ns` how far back it came: figures are those of that time, nothing is extrapolated.
 * Exact percentiles are the value at rank ceil(p/100 * n).
 *
 * Hostile input. Texts of records come as they were captured, any bytes; they are never part of a statement. Cursors and ids may come from
 * anywhere: what is none is refused.
 */
#ifndef STORE_READER_H
#define STORE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "query/query.h"
#include "weir/record.h"

enum {
	STORE_FIELDS_MAX = 16,      /* of one question */
	STORE_TEXTS_MAX = 4,        /* texts that a group is named by */
	STORE_ANSWER_MAX = 1000,    /* groups in an answer */
	STORE_GROUPS_MAX = 1 << 16, /* groups that are told apart; what comes later is in `other` */
	STORE_STEPS_MAX = 4096,     /* intervals in an answer */
	STORE_PAGE_MAX = 1000,      /* records of a page */
	STORE_CURSOR_MAX = 96,      /* bytes of a cursor, with its NUL */
	STORE_DEFAULT_ROWS =
		200000, /* records that a question may look at, unless the limits say otherwise */
	STORE_TEXT_MAX = 1024,        /* bytes of a group's text; longer ones are cut */
	STORE_EXACT_VALUES = 8 << 20, /* durations that are kept to be exact; beyond: a histogram */
	STORE_PROBLEM_MAX = 512,
	STORE_COUNTERS_MAX = 128
};

struct store_reader;

struct store_limits {
	uint64_t rows;   /* 0: STORE_DEFAULT_ROWS */
	int64_t time_ns; /* 0: as long as it takes */
};

struct store_scope {
	struct query *filter;   /* borrowed; NULL: everything. Made with the reader's schemas */
	int64_t from_ns, to_ns; /* to_ns 0: no end; from_ns 0 and to_ns 0: all there is */
	struct store_limits limits;
	bool exact; /* no rollups as long as the limits allow to look at all records */
};

enum store_basis { STORE_FROM_ROLLUPS, STORE_FROM_INDEX, STORE_FROM_SCAN };

enum store_end {
	STORE_COMPLETE,
	STORE_ROWS_SPENT, /* limits.rows */
	STORE_TIME_SPENT, /* limits.time_ns */
	STORE_CANCELLED
};

struct store_answer {
	enum store_basis basis;
	enum store_end end;
	int64_t from_ns, to_ns; /* the time that was looked at */
	uint64_t rows;          /* records, or rows of rollups, that were looked at */
	double error;           /* largest relative error of percentiles; 0: exact */
	uint64_t limited;       /* comparisons that a limit of the filter ended (query_limited()) */
};

/** "rollups", "index", "scan"; "complete", "rows", "time", "cancelled" */
const char *store_basis_name(enum store_basis basis);
const char *store_end_name(enum store_end end);

/* ---- opening ---- */

/**
 * @param schemas every record type, NULL-terminated; outlives the reader
 * @param ret_problem why it could not be opened, STORE_PROBLEM_MAX bytes
 * @return 0, WEIR_EIO (errno), WEIR_EINVAL (no store, of another version), WEIR_ENOMEM
 */
int store_reader_open(const char *path, const struct weir_schema *const *schemas,
		      struct store_reader **ret, char *ret_problem);
void store_reader_free(struct store_reader *reader);

/** What went wrong with the last question that gave an error; "" when nothing. Valid until the next one. */
const char *store_problem(const struct store_reader *reader);

/** From any thread: the running question, or the next one, ends with STORE_CANCELLED and what it has. */
void store_cancel(struct store_reader *reader);

/* What all questions return: 0, or
 *	WEIR_EINVAL   a limit of this header, an unknown field, a cursor that is none; store_problem() says which
 *	WEIR_EIO      the store cannot be read; store_problem()
 *	WEIR_ENOMEM
 * The answer is set on success only. */

/* ---- what there is ---- */

struct store_span {
	int64_t first_ns, last_ns; /* times of records; 0, 0: there are none */
	uint64_t
		records; /* of all types; at most this many (rows that are gone may be counted in) */
	int64_t low_row, high_row;
};

int store_span(struct store_reader *reader, struct store_span *ret);

/* ---- rate, errors, duration ---- */

/*
 * A transaction has *failed* when its server says so: status 500 and above, a database's error, SERVFAIL of DNS; and is *refused* when
 * it is the client's fault: status 400 to 499.
 */
struct store_red {
	uint64_t count;
	uint64_t failed, refused, unanswered; /* unanswered: no response was seen */
	uint64_t incomplete;                  /* completeness is not `complete` */
	uint64_t request_bytes, response_bytes;
	uint64_t retransmits, gaps, missing_bytes;
	int64_t send_ns, wait_ns, receive_ns, stall_ns; /* sums: where the time went */
	uint64_t timed;                                 /* have a duration */
	int64_t total_ns;                               /* sum of the durations */
	int64_t max_ns;                                 /* of those; 0 when timed is 0. Likewise: */
	int64_t min_ns, p50_ns, p75_ns, p90_ns, p95_ns, p99_ns, p999_ns;
};

/* What groups are made by. */
enum store_by {
	STORE_GROUP_NONE,     /* one group, without texts */
	STORE_GROUP_PROTOCOL, /* the record's type */
	STORE_GROUP_SERVICE,  /* type, service.name (of databases db.namespace) */
	STORE_GROUP_ENDPOINT, /* type, service, http.request.method, http.route; of databases db.operation.name and
			       * db.query.digest; of DNS dns.question.type */
	STORE_GROUP_SERVER, /* type, server.address, server.port */
	STORE_GROUP_STATUS, /* type, status code (of databases their error's; of DNS dns.response_code) */
	STORE_GROUP_CLIENT,    /* client.address */
	STORE_GROUP_STATEMENT, /* type, db.query.digest: of databases only */
	STORE_GROUP_FIELD      /* any one field */
};

/** "none", "service", "endpoint" ...; WEIR_ENOTFOUND: no such word */
int store_by_find(const char *name, size_t len);

/* A text of a group; p NULL: the field was absent. */
struct store_text {
	const uint8_t *p;
	uint32_t len;
};

struct store_group {
	struct store_text keys[STORE_TEXTS_MAX];
	struct store_red red;
	struct store_red *steps; /* of a series: nsteps; NULL else */
};

enum store_order {
	STORE_ORDER_COUNT,
	STORE_ORDER_ERRORS,
	STORE_ORDER_P99,
	STORE_ORDER_TIME,
	STORE_ORDER_BYTES
};

struct store_groups {
	struct store_answer answer;
	int64_t start_ns, step_ns; /* of a series */
	size_t nsteps;
	unsigned nkeys;
	struct store_group *groups; /* in the order asked for, then by their texts */
	size_t ngroups;
	struct store_red total; /* of all there were */
	struct store_red other; /* of what is in none of the groups; percentiles are left out */
	uint64_t
		distinct; /* groups there were; at least that many when other groups were not told apart */
	void *memory;
};

struct store_question {
	enum store_by by;
	const char *field; /* of STORE_GROUP_FIELD: a canonical name, `type`, or header.NAME */
	size_t top;        /* groups; 0: 20 */
	enum store_order order;
	int64_t step_ns; /* of a series; 0: such that there are 60 at most */
};

/** Groups with their rates, errors and durations, the first `top` of the order. */
int store_table(struct store_reader *reader, const struct store_scope *scope,
		const struct store_question *question, struct store_groups *ret);

/** The same in intervals. Groups are the `top` of the whole time. */
int store_series(struct store_reader *reader, const struct store_scope *scope,
		 const struct store_question *question, struct store_groups *ret);

void store_groups_free(struct store_groups *groups);

/* ---- latency heatmap ---- */

struct store_heatmap {
	struct store_answer answer;
	int64_t start_ns, step_ns;
	size_t nsteps, nbins;
	int64_t *
		bounds; /* nbins + 1, ascending: bin i holds bounds[i] <= duration < bounds[i + 1] */
	uint64_t *counts; /* [step * nbins + bin] */
	void *memory;
};

/** @param per_octave bins from a duration to its double: 1, 2, 4 or 8 */
int store_heatmap(struct store_reader *reader, const struct store_scope *scope, int64_t step_ns,
		  unsigned per_octave, struct store_heatmap *ret);
void store_heatmap_free(struct store_heatmap *heatmap);

/* ---- top values ---- */

/* Of records of all types; an element of a list counts once a record. */
struct store_terms {
	struct store_answer answer; /* of all fields: they are answered in one pass */
	size_t nfields;
	struct store_groups
		fields[STORE_FIELDS_MAX]; /* in the order asked for; an absent field is no group */
};

int store_terms(struct store_reader *reader, const struct store_scope *scope,
		const char *const *fields, size_t nfields, size_t top, struct store_terms *ret);
void store_terms_free(struct store_terms *terms);

/* ---- what is different ---- */

struct store_difference {
	const char *field; /* as asked for */
	struct store_text value;
	uint64_t a, b;           /* records with it */
	double share_a, share_b; /* of those that have the field */
	double score; /* |share_a - share_b| * lift, lift = larger share / smaller, at most 100 */
};

struct store_compare {
	struct store_answer answer_a, answer_b;
	uint64_t na, nb;                      /* records of each side */
	struct store_difference *differences; /* highest score first */
	size_t ndifferences;
	struct store_terms terms[2];
};

/** Two scopes (times, or filters), field by field. */
int store_compare(struct store_reader *reader, const struct store_scope *a,
		  const struct store_scope *b, const char *const *fields, size_t nfields,
		  size_t top, struct store_compare *ret);
void store_compare_free(struct store_compare *compare);

/* ---- records ---- */

enum store_sort { STORE_NEWEST, STORE_OLDEST, STORE_SLOWEST };

/*
 * One record, borrowed until the callback returns; of a page with the fields that were asked for, of store_record() with all. row: its
 * number in the store (ascending in the order in which records left). @return 0 to go on; below 0: the question ends with it.
 */
typedef int (*store_record_fn)(void *context, const struct weir_record *rec, int64_t row);

struct store_page {
	enum store_sort sort; /* STORE_SLOWEST: transactions with a duration only */
	size_t limit;         /* 0: 50 */
	const char *cursor;   /* of the page before; NULL: the first */
	/* which fields; NULL: all but headers, lists and bodies */
	bool (*wants)(void *context, const struct weir_schema *schema, size_t field);
	store_record_fn record;
	void *context;
};

/**
 * A page of records. Cursors stand for a place between two records, so rows never shift while others are written. When the limits end it,
 * the page may have fewer records than asked for, or none, and the cursor goes on from where it stopped.
 *
 * @param ret_cursor STORE_CURSOR_MAX bytes; "": that was all
 */
int store_page(struct store_reader *reader, const struct store_scope *scope,
	       const struct store_page *page, char *ret_cursor, struct store_answer *ret);

/** The record of an id, whole: with headers and bodies. WEIR_ENOTFOUND: it is not there (any more). */
int store_record(struct store_reader *reader, const char *id, store_record_fn record,
		 void *context);

/* ---- capture health ---- */

/* What weir could not see, of the flows that ended in the time asked for and the transactions in it. */
struct store_health {
	struct store_answer answer;
	uint64_t flows, packets, payload_bytes, delivered_bytes;
	uint64_t gaps, gap_bytes, flows_with_gaps, retransmits, out_of_order;
	uint64_t midstream; /* flows whose handshake was not captured */
	uint64_t evicted;   /* flows that memory was too small for */
	uint64_t one_sided; /* flows of which one direction has no packets */
	uint64_t transactions, incomplete, missing_bytes;
	uint64_t anomalies;
	/* what the capture itself counted in that time, by its wall clock: everything of the summary that moved (drops, gaps by cause ...) */
	uint64_t captured_packets, captured_bytes;
	struct store_counter {
		char name[48];
		uint64_t n;
	} counters[STORE_COUNTERS_MAX];
	size_t ncounters;
};

/* Of rollups, which do not tell: delivered_bytes, flows_with_gaps, midstream, one_sided. */
#define STORE_UNKNOWN UINT64_MAX

int store_health(struct store_reader *reader, const struct store_scope *scope,
		 struct store_health *ret);

#endif
