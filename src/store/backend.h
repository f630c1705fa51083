/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a backend of the store does for the questions of store/reader.h: it gives records one after another, rows of rollups, and
 * what there is. Everything above that (groups, percentiles, terms, comparisons) is in one place for all backends: store/reader*.c.
 */
#ifndef STORE_BACKEND_H
#define STORE_BACKEND_H

#include "store/hist.h"
#include "store/reader.h"

enum { STORE_TYPES_MAX = 32 };

/* A place in an order of records: between this one and the next. */
struct store_place {
	int64_t key; /* ts, or duration_ns (STORE_SLOWEST) */
	int64_t row;
};

/* Records one after another. */
struct store_scan {
	const struct store_scope *scope;
	uint32_t types; /* bit i: schemas[i] */
	bool finals;    /* no records of exchanges that are still open */
	enum store_sort sort;
	size_t expected;                 /* so many will do; 0: all */
	const struct store_place *after; /* NULL: from the beginning */
	/* Which fields the records are to have. The filter's come besides when they are needed */
	bool (*wants)(void *context, const struct weir_schema *schema, size_t field);
	/* > 0: enough, and this one counts; < 0: an error, which is returned */
	int (*visit)(void *context, const struct weir_record *rec, struct store_place place);
	void *context;
	struct store_place place; /* out: where it ended, when not all were seen */
	bool more;                /* out: there may be more behind it */
};

/* A row of rollups: the records of one interval and group. */
struct store_rollup {
	int64_t from_ns, to_ns;
	struct store_text keys[STORE_TEXTS_MAX];
	struct store_red red; /* percentiles are left out */
	const void *hist;     /* blob of store/hist.h */
	size_t hist_len;
	uint64_t packets, out_of_order; /* of flows */
	bool other; /* of all groups that were too many to be told apart: there are no keys */
};

/* Sums of rollups. */
struct store_summing {
	enum store_by by;
	const char *field;    /* of STORE_GROUP_FIELD */
	struct query *filter; /* NULL: all */
	uint32_t types;
	int64_t from_ns, to_ns; /* in: what is asked for; out: whole intervals */
	int64_t step_ns;        /* no interval may be in two of these; 0: of any length */
	int (*visit)(void *context, const struct store_rollup *row);
	void *context;
	const struct store_limits *limits; /* its time; NULL: as long as it takes */
	uint64_t rows;                     /* out */
	enum store_end end;                /* out; to_ns is then how far it came */
};

struct store_backend;

struct store_backend_type {
	const char *name;
	int (*open)(const char *path, const struct weir_schema *const *schemas,
		    struct store_backend **ret, char *ret_problem);
	void (*close)(struct store_backend *backend);
	const char *(*problem)(const struct store_backend *backend);
	/* from any thread */
	void (*cancel)(struct store_backend *backend);
	int (*span)(struct store_backend *backend, struct store_span *ret);
	/* in the order of scan->sort; the answer's basis, end, rows and times are set */
	int (*scan)(struct store_backend *backend, struct store_scan *scan,
		    struct store_answer *ret);
	/* WEIR_EUNSUPPORTED: there are none for that */
	int (*rollups)(struct store_backend *backend, struct store_summing *summing);
	/* captured_*, counters and ncounters of the health; from, to as in a scope */
	int (*counters)(struct store_backend *backend, int64_t from_ns, int64_t to_ns,
			struct store_health *ret);
	/* all fields; WEIR_ENOTFOUND */
	int (*record)(struct store_backend *backend, const char *id, size_t len,
		      store_record_fn record, void *context);
};

extern const struct store_backend_type store_sqlite;

#endif
