/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite backend of the store's questions: see sqlite.h. A question is one read transaction, so that all its statements see the same
 * moment of a store that is being written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "record/record.h"
#include "store/id.h"
#include "store/schema.h"
#include "store/sqlite.h"
#include "weir/error.h"

enum {
	MEMORY = 64 << 20, /* of a record that is being looked at */
	OPCODES =
		2000, /* of SQLite's machine between two looks at the clock: well below a millisecond */
	CACHE_KIB = 65536,
};

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* @return not 0: the statement ends with SQLITE_INTERRUPT */
static int look_at_clock(void *context)
{
	struct store_backend *backend = context;

	if (atomic_load_explicit(&backend->cancelled, memory_order_relaxed)) {
		return 1;
	}
	if (backend->deadline_ns != 0 && now_ns() >= backend->deadline_ns) {
		backend->timed_out = true;
	}
	return backend->timed_out;
}

void lite_begin(struct store_backend *backend, const struct store_limits *limits)
{
	backend->timed_out = false;
	backend->problem[0] = '\0';
	backend->deadline_ns =
		limits == NULL || limits->time_ns <= 0 ? 0 : now_ns() + limits->time_ns;
}

int lite_failed(struct store_backend *backend)
{
	int code = sqlite3_errcode(backend->store.db) & 0xff;

	(void)snprintf(backend->problem, sizeof(backend->problem), "%s",
		       sqlite3_errmsg(backend->store.db));
	if (code == SQLITE_NOMEM) {
		return WEIR_ENOMEM;
	}
	errno = store_errno(&backend->store);
	return WEIR_EIO;
}

sqlite3_stmt *lite_prepare(struct store_backend *backend, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	(void)sqlite3_prepare_v2(backend->store.db, sql, -1, &stmt, NULL);
	return stmt;
}

/* ---- opening ---- */

/* Types that this store has a view of; one that an older weir made has not all. */
static void find_views(struct store_backend *backend)
{
	size_t i;

	for (i = 0; i < backend->nschemas; i++) {
		char sql[160];

		(void)snprintf(sql, sizeof(sql),
			       "SELECT 1 FROM sqlite_schema WHERE type='view' AND name='%s'",
			       backend->schemas[i]->type);
		if (store_number(&backend->store, sql, 0) == 1) {
			backend->there |= UINT32_C(1) << i;
		}
	}
}

static void lite_close(struct store_backend *backend)
{
	if (backend->store.db != NULL) {
		store_close(&backend->store);
	}
	arena_pool_fini(&backend->pool);
	free(backend);
}

static int lite_open(const char *path, const struct weir_schema *const *schemas,
		     struct store_backend **ret, char *ret_problem)
{
	struct store_backend *backend = calloc(1, sizeof(*backend));
	char pragma[64];
	int err;

	if (backend == NULL) {
		(void)snprintf(ret_problem, STORE_PROBLEM_MAX, "out of memory");
		return WEIR_ENOMEM;
	}
	budget_init(&backend->budget, MEMORY, NULL);
	arena_pool_init(&backend->pool, &backend->budget, 8);
	backend->schemas = schemas;
	while (schemas[backend->nschemas] != NULL && backend->nschemas < STORE_TYPES_MAX) {
		backend->nschemas++;
	}
	err = store_open_readonly(&backend->store, path);
	if (err < 0) {
		int error = errno;

		(void)snprintf(ret_problem, STORE_PROBLEM_MAX, "%s", backend->store.message);
		backend->store.db = NULL;
		lite_close(backend);
		errno = error;
		return err;
	}
	find_views(backend);
	(void)sqlite3_set_authorizer(backend->store.db, NULL, NULL); /* all statements are ours */
	(void)snprintf(pragma, sizeof(pragma), "PRAGMA cache_size=-%d;PRAGMA mmap_size=%lld",
		       CACHE_KIB, 1LL << 40);
	(void)sqlite3_exec(backend->store.db, pragma, NULL, NULL, NULL);
	sqlite3_progress_handler(backend->store.db, OPCODES, look_at_clock, backend);
	err = lite_scan_functions(backend);
	if (err < 0) {
		(void)snprintf(ret_problem, STORE_PROBLEM_MAX, "out of memory");
		lite_close(backend);
		return err;
	}
	*ret = backend;
	return 0;
}

static const char *lite_problem(const struct store_backend *backend)
{
	return backend->problem;
}

static void lite_cancel(struct store_backend *backend)
{
	atomic_store(&backend->cancelled, true);
}

/* ---- what there is ---- */

static int64_t number_of_type(struct store_backend *backend, const char *what, size_t type,
			      int64_t absent)
{
	char sql[160];

	(void)snprintf(sql, sizeof(sql), "SELECT %s FROM \"_%s\"", what,
		       backend->schemas[type]->type);
	return store_number(&backend->store, sql, absent);
}

static int lite_span(struct store_backend *backend, struct store_span *ret)
{
	bool any = false;
	size_t i;

	memset(ret, 0, sizeof(*ret));
	lite_begin(backend, NULL);
	for (i = 0; i < backend->nschemas; i++) {
		int64_t first, last, low, high;

		if ((backend->there >> i & 1) == 0) {
			continue;
		}
		first = number_of_type(backend, "min(ts)", i, INT64_MAX);
		last = number_of_type(backend, "max(ts)", i, INT64_MIN);
		if (first > last) {
			continue;
		}
		ret->first_ns = !any || first < ret->first_ns ? first : ret->first_ns;
		ret->last_ns = !any || last > ret->last_ns ? last : ret->last_ns;
		any = true;
		/* numbers ascend over all types: the distance is what there can be at most */
		low = number_of_type(backend, "min(_id)", i, 0);
		high = number_of_type(backend, "max(_id)", i, -1);
		if (ret->records == 0 || low < ret->low_row) {
			ret->low_row = low;
		}
		if (high > ret->high_row) {
			ret->high_row = high;
		}
		ret->records = (uint64_t)(ret->high_row - ret->low_row + 1);
	}
	return 0;
}

/* ---- one record ---- */

static void all_fields(const struct weir_schema *schema, uint64_t fields[2])
{
	size_t i;

	fields[0] = 0;
	fields[1] = 0;
	for (i = 0; weir_schema_field(schema, i) != NULL; i++) {
		fields[i >> 6] |= UINT64_C(1) << (i & 63);
	}
}

/* The newest of that id, when several were (interim ones). @return 1: found */
static int find_in(struct store_backend *backend, size_t type, const char *id, size_t len,
		   int64_t first_ns, store_record_fn record, void *context)
{
	struct lite_rows rows;
	struct weir_record *rec;
	struct strbuf sql;
	uint64_t fields[2];
	int code, err;

	strbuf_init(&sql);
	all_fields(backend->schemas[type], fields);
	lite_rows_select(&rows, backend, backend->schemas[type], fields, "ts_ns", "1", &sql);
	strbuf_str(&sql, " WHERE ts_ns BETWEEN ?1 AND ?2 AND id=?3 ORDER BY _id DESC LIMIT 1");
	err = lite_rows_prepare(&rows, &sql);
	strbuf_fini(&sql);
	if (err == 0) {
		(void)sqlite3_bind_int64(rows.stmt, 1, first_ns);
		(void)sqlite3_bind_int64(rows.stmt, 2, first_ns + NS_PER_MS - 1);
		(void)sqlite3_bind_text64(rows.stmt, 3, id, len, SQLITE_STATIC, SQLITE_UTF8);
		code = sqlite3_step(rows.stmt);
		if (code == SQLITE_ROW) {
			err = lite_rows_record(&rows, &rec);
		} else if (code != SQLITE_DONE) {
			err = lite_failed(backend);
		}
		if (err == 0 && code == SQLITE_ROW) {
			err = record(context, rec, sqlite3_column_int64(rows.stmt, ROWS_ROW));
			err = err == 0 ? 1 : err;
			record_free(rec);
		}
	}
	lite_rows_fini(&rows);
	return err;
}

/* An id says its millisecond, so the index on times leads to it. */
static int lite_record(struct store_backend *backend, const char *id, size_t len,
		       store_record_fn record, void *context)
{
	int64_t first_ns, low, high;
	int found = 0;
	size_t i;

	lite_begin(backend, NULL);
	if (!store_id_split(id, len, &first_ns, &low, &high)) {
		return WEIR_ENOTFOUND;
	}
	for (i = 0; i < backend->nschemas && found == 0; i++) {
		if ((backend->there >> i & 1) != 0) {
			found = find_in(backend, i, id, len, first_ns, record, context);
		}
	}
	return found == 1 ? 0 : found == 0 ? WEIR_ENOTFOUND : found;
}

const struct store_backend_type store_sqlite = {
	.name = "sqlite",
	.open = lite_open,
	.close = lite_close,
	.problem = lite_problem,
	.cancel = lite_cancel,
	.span = lite_span,
	.scan = lite_scan,
	.rollups = lite_rollups,
	.counters = lite_counters,
	.record = lite_record,
};
