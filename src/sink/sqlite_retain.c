/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is old goes: keep=, max=, and the fine levels of rollups.
 *
 * A step is part of each commit and bounded: it takes away at most twice as many records as the transaction has (and at least
 * STEP_ROWS), oldest `ts` first, so that it keeps up with what comes and no commit takes much longer than it would otherwise. Dictionaries
 * and lists go by epochs: at the beginning of one everything that has a number is forgotten, so rows of an epoch name only
 * numbers given since; when all rows before an epoch are gone, so may be the numbers from before it. Rollups of hours, _top, _key and
 * _capture stay for good.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "sink/sqlite.h"
#include "weir/error.h"

enum {
	STEP_ROWS = 4096,
	EPOCH_ROWS = 4096, /* an epoch has at least so many, */
	EPOCH_PART = 16,   /* and this part of all */
	ROOM_PART = 10,    /* of max= is kept free */
	OCTAVES = 64,
	SHAPES_STEP = 512,  /* shapes whose lists go in a step */
	SPARE_PART = 4,     /* so much of the file may be free pages */
	SPARE_PAGES = 1024, /* ... and so many */
	VACUUM_PAGES = 256, /* given back in a step */
};

/* ---- options ---- */

static bool take_number(const char *text, uint64_t *ret, const char **ret_rest)
{
	char *end;

	errno = 0;
	if (text[0] < '0' || text[0] > '9') {
		return false;
	}
	*ret = strtoull(text, &end, 10);
	*ret_rest = end;
	return errno == 0 && *ret > 0;
}

static bool take_duration(const char *text, int64_t *ret_ns)
{
	static const struct {
		const char *unit;
		uint64_t s;
	} units[] = {{"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}, {"w", 604800}};
	const char *rest;
	uint64_t n;
	size_t i;

	if (!take_number(text, &n, &rest)) {
		return false;
	}
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(rest, units[i].unit) == 0 &&
		    n <= (uint64_t)(INT64_MAX / NS_PER_S) / units[i].s) {
			*ret_ns = (int64_t)(n * units[i].s) * NS_PER_S;
			return true;
		}
	}
	return false;
}

static bool take_size(const char *text, uint64_t *ret)
{
	static const char units[] = "KMGT";
	const char *rest, *unit;
	uint64_t n;
	unsigned shift = 0;

	if (!take_number(text, &n, &rest)) {
		return false;
	}
	unit = rest[0] == '\0' ? NULL : strchr(units, rest[0] & ~0x20);
	if (unit != NULL) {
		shift = 10 * (unsigned)(unit - units + 1);
		rest++;
	}
	if ((rest[0] != '\0' && strcmp(rest, "iB") != 0) || n > UINT64_MAX >> (shift + 1)) {
		return false;
	}
	*ret = n << shift;
	return true;
}

int sqlite_retain_parse(struct retain *retain, const char *keep, const char *max,
			const char **ret_message)
{
	if (keep != NULL && !take_duration(keep, &retain->keep_ns)) {
		*ret_message = "keep is for how long: 90s, 30m, 12h, 7d, 4w";
		return WEIR_EINVAL;
	}
	if (max != NULL && (!take_size(max, &retain->max_bytes) || retain->max_bytes < 1 << 20)) {
		*ret_message = "max is how large the file may become: 500M, 20G; at least 1M";
		return WEIR_EINVAL;
	}
	return 0;
}

/* ---- what is old ---- */

static int64_t pragma(sqlite3_stmt *stmt)
{
	int64_t value = sqlite3_step(stmt) == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;

	(void)sqlite3_reset(stmt);
	return value;
}

static uint64_t used_bytes(const struct retain *retain)
{
	return (uint64_t)(pragma(retain->pages) - pragma(retain->free_pages)) *
	       (uint64_t)retain->page_size;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* The newest record is the clock, unless it is from the future. */
static int64_t clock_of(int64_t newest_ns)
{
	int64_t now = now_ns();

	return newest_ns < now ? newest_ns : now;
}

static int64_t number(struct sqlite_sink *sq, const char *format, const struct plan *plan,
		      int64_t value, int64_t absent)
{
	sqlite3_stmt *stmt;
	char sql[256];

	(void)snprintf(sql, sizeof(sql), format, plan->schema->type);
	stmt = sqlite_prepare(sq, sql);
	if (stmt != NULL) {
		(void)sqlite3_bind_int64(stmt, 1, value);
		if (sqlite3_step(stmt) == SQLITE_ROW &&
		    sqlite3_column_type(stmt, 0) != SQLITE_NULL) {
			absent = sqlite3_column_int64(stmt, 0);
		}
	}
	(void)sqlite3_finalize(stmt);
	return absent;
}

/* Records that began before go; at most `rows` of a type do. `n`: what a transaction has. */
static int64_t cutoff_of(struct sqlite_sink *sq, int64_t rows, uint64_t n)
{
	const struct retain *retain = &sq->retain;
	int64_t cutoff = INT64_MIN;
	const struct plan *plan;

	if (retain->keep_ns > 0 && retain->newest_ns != INT64_MIN) {
		/* of times long before 1970 nothing goes */
		if (__builtin_sub_overflow(clock_of(retain->newest_ns), retain->keep_ns, &cutoff)) {
			cutoff = INT64_MIN;
		}
	}
	if (retain->max_bytes > 0) {
		uint64_t used = used_bytes(retain);
		uint64_t row = used / (uint64_t)(sq->id - retain->first_id + 1) + 1;
		uint64_t most = retain->max_bytes - retain->max_bytes / ROOM_PART;

		/* room for the next one */
		most -= n * row < most / 2 ? n * row : most / 2;

		if (used > most) {
			cutoff = INT64_MAX;
			rows = (used - most) / row + 1 < (uint64_t)rows
				       ? (int64_t)((used - most) / row + 1)
				       : rows;
		}
	}
	for (plan = sq->plans; plan != NULL && cutoff != INT64_MIN; plan = plan->next) {
		int64_t most =
			number(sq,
			       "SELECT ts FROM \"_%s\" WHERE ts NOT NULL ORDER BY ts LIMIT 1 "
			       "OFFSET ?",
			       plan, rows, INT64_MAX);

		cutoff = most < cutoff ? most : cutoff;
	}
	/* everything is little: what takes the room is not records */
	return cutoff == INT64_MAX ? INT64_MIN : cutoff;
}

static int delete_type(struct sqlite_sink *sq, const struct plan *plan, int64_t cutoff)
{
	struct strbuf sql;
	int part, err = 0;

	strbuf_init(&sql);
	for (part = STORE_NPARTS - 1; part >= STORE_ROW && err == 0; part--) {
		sqlite3_stmt *stmt;

		if (plan->inserts[part] == NULL) {
			continue;
		}
		strbuf_clear(&sql);
		strbuf_str(&sql, "DELETE FROM ");
		store_put_table(&sql, plan->schema, (enum store_part)part);
		if (part == STORE_ROW) {
			strbuf_str(&sql, " WHERE ts<?");
		} else {
			strbuf_printf(&sql, " WHERE _id IN(SELECT _id FROM \"_%s\" WHERE ts<?)",
				      plan->schema->type);
		}
		stmt = sqlite_prepare(sq, strbuf_text(&sql));
		(void)sqlite3_bind_int64(stmt, 1, cutoff);
		err = stmt == NULL ? WEIR_EIO : sqlite_run(stmt);
		if (err == 0 && part == STORE_ROW) {
			sq->retain.deleted += (uint64_t)sqlite3_changes(sq->store.db);
		}
		(void)sqlite3_finalize(stmt);
	}
	strbuf_fini(&sql);
	return err;
}

static int delete_old(struct sqlite_sink *sq, int64_t rows, uint64_t n)
{
	int64_t cutoff = cutoff_of(sq, rows, n);
	const struct plan *plan;
	int err = 0;

	for (plan = sq->plans; plan != NULL && err == 0 && cutoff != INT64_MIN; plan = plan->next) {
		err = delete_type(sq, plan, cutoff);
	}
	return err;
}

/* ---- epochs ---- */

/* The first number of a record that is still there; beyond all when none is. */
static int64_t first_id(struct sqlite_sink *sq)
{
	int64_t first = sq->id + 1;
	const struct plan *plan;

	for (plan = sq->plans; plan != NULL; plan = plan->next) {
		int64_t id = number(sq, "SELECT min(_id) FROM \"_%s\"", plan, 0, first);

		first = id < first ? id : first;
	}
	return first;
}

/* `span` numbers of them at most. */
static int delete_rows(struct sqlite_sink *sq, const char *table, const char *column, int64_t below,
		       int64_t span, bool *more)
{
	sqlite3_stmt *stmt;
	char sql[192];
	int err;

	(void)snprintf(sql, sizeof(sql),
		       "DELETE FROM \"%s\" WHERE %s<?1 AND %s<=(SELECT min(%s) "
		       "FROM \"%s\")+?2",
		       table, column, column, column, table);
	stmt = sqlite_prepare(sq, sql);
	(void)sqlite3_bind_int64(stmt, 1, below);
	(void)sqlite3_bind_int64(stmt, 2, span);
	err = stmt == NULL ? WEIR_EIO : sqlite_run(stmt);
	*more = *more || (err == 0 && sqlite3_changes(sq->store.db) > 0);
	(void)sqlite3_finalize(stmt);
	return err;
}

/* Flows, strings, shapes and lists of shapes that nothing names any more. *more: there may be some left */
static int delete_names(struct sqlite_sink *sq, sqlite3_stmt *epoch, int64_t rows, bool *more)
{
	int64_t shape = sqlite3_column_int64(epoch, 3);
	const struct plan *plan;
	char table[80];
	int err = delete_rows(sq, "_flow", "_id", sqlite3_column_int64(epoch, 1), rows, more);

	if (err == 0) {
		err = delete_rows(sq, "_string", "_id", sqlite3_column_int64(epoch, 2), rows, more);
	}
	if (err == 0) {
		err = delete_rows(sq, "_shape_ids", "shape", shape, SHAPES_STEP, more);
	}
	for (plan = sq->plans; plan != NULL && err == 0; plan = plan->next) {
		(void)snprintf(table, sizeof(table), "_%s_shape", plan->schema->type);
		err = delete_rows(sq, table, "_id", shape, rows, more);
	}
	return err;
}

/* Lists by duration: rows that end before the first record that is there. */
static int delete_octaves(struct sqlite_sink *sq, int64_t first)
{
	sqlite3_stmt *stmt = sqlite_prepare(
		sq, "DELETE FROM _duration_ids WHERE type=? AND octave=? AND first<?");
	const struct plan *plan;
	int octave, err = stmt == NULL ? WEIR_EIO : 0;

	for (plan = sq->plans; plan != NULL; plan = plan->next) {
		for (octave = 0; octave < OCTAVES && err == 0; octave++) {
			(void)sqlite3_bind_int64(stmt, 1, plan->type);
			(void)sqlite3_bind_int(stmt, 2, octave);
			/* a row is of one transaction */
			(void)sqlite3_bind_int64(stmt, 3, first - 2 * SQLITE_ENTRIES);
			err = sqlite_run(stmt);
		}
	}
	(void)sqlite3_finalize(stmt);
	return err;
}

/* The last epoch that begins at or before the first record that is left: what is from before it goes, a piece at a time. */
static int end_epochs(struct sqlite_sink *sq, int64_t rows)
{
	int64_t first = first_id(sq);
	bool more = false;
	sqlite3_stmt *epoch = sqlite_prepare(
		sq,
		"SELECT _id,flow,string,shape FROM _epoch WHERE _id<=? ORDER BY _id DESC LIMIT 1");
	sqlite3_stmt *done = sqlite_prepare(sq, "DELETE FROM _epoch WHERE _id<?");
	sqlite3_stmt *open = sqlite_prepare(sq, "DELETE FROM _open WHERE _id<?");
	int err = epoch == NULL || done == NULL || open == NULL ? WEIR_EIO : 0;

	(void)sqlite3_bind_int64(epoch, 1, first);
	if (err == 0 && sqlite3_step(epoch) == SQLITE_ROW) {
		err = delete_names(sq, epoch, rows, &more);
		if (err == 0 && !more) {
			(void)sqlite3_bind_int64(done, 1, sqlite3_column_int64(epoch, 0));
			err = sqlite_run(done);
		}
	}
	if (err == 0) {
		(void)sqlite3_bind_int64(open, 1, first);
		err = sqlite_run(open);
	}
	(void)sqlite3_finalize(epoch);
	(void)sqlite3_finalize(done);
	(void)sqlite3_finalize(open);
	err = err < 0 ? err : delete_octaves(sq, first);
	sq->retain.first_id = first;
	sq->retain.behind = more;
	return err;
}

static int begin_epoch(struct sqlite_sink *sq)
{
	sqlite3_stmt *stmt =
		sqlite_prepare(sq, "REPLACE INTO _epoch(_id,flow,string,shape)VALUES(?,?,?,?)");
	int err;

	sqlite_rows_forget(sq);
	(void)sqlite3_bind_int64(stmt, 1, sq->id + 1);
	(void)sqlite3_bind_int64(stmt, 2, sq->flows.last + 1);
	(void)sqlite3_bind_int64(stmt, 3, sq->strings.last + 1);
	(void)sqlite3_bind_int64(stmt, 4, sq->shapes.last + 1);
	err = stmt == NULL ? WEIR_EIO : sqlite_run(stmt);
	(void)sqlite3_finalize(stmt);
	sq->retain.epoch_id = sq->id + 1;
	return err;
}

/* ---- rollups ---- */

static int delete_rollups(struct sqlite_sink *sq, enum store_level level, int64_t keep_s)
{
	struct retain *retain = &sq->retain;
	/* what was read is an old capture: then newer ones do not take its fine levels away */
	int64_t before = clock_of(retain->run_ns) / NS_PER_S - keep_s;
	sqlite3_stmt *stmt;
	int dim, err = 0;

	if (retain->run_ns == INT64_MIN || before < retain->level_t[level] + 300) {
		return 0;
	}
	stmt = sqlite_prepare(sq, "DELETE FROM _rollup WHERE level=?1 AND dim=?2 AND t<?3 AND "
				  "t<(SELECT min(t) FROM _rollup WHERE level=?1 AND dim=?2)+?4");
	err = stmt == NULL ? WEIR_EIO : 0;
	for (dim = 0; dim < STORE_NDIMS && err == 0; dim++) {
		(void)sqlite3_bind_int(stmt, 1, level);
		(void)sqlite3_bind_int(stmt, 2, dim);
		(void)sqlite3_bind_int64(stmt, 3, before);
		(void)sqlite3_bind_int64(stmt, 4, 60 * store_level_s(level));
		err = sqlite_run(stmt);
		if (err == 0 && sqlite3_changes(sq->store.db) == 0) {
			retain->level_t[level] = before;
		}
	}
	(void)sqlite3_finalize(stmt);
	return err;
}

/* ---- steps ---- */

static int give_back(struct sqlite_sink *sq)
{
	struct retain *retain = &sq->retain;
	int64_t spare = pragma(retain->free_pages);
	char sql[64];

	if (spare < SPARE_PAGES || spare < pragma(retain->pages) / SPARE_PART) {
		return 0;
	}
	(void)snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", VACUUM_PAGES);
	return sqlite_execute(sq, sql);
}

int sqlite_retain_step(struct sqlite_sink *sq, uint64_t n)
{
	struct retain *retain = &sq->retain;
	int64_t rows = n > STEP_ROWS / 2 ? 2 * (int64_t)n : STEP_ROWS;
	uint64_t before = retain->deleted;
	int64_t part;
	int err = delete_rollups(sq, STORE_10S, STORE_KEEP_10S);

	err = err < 0 ? err : delete_rollups(sq, STORE_5MIN, STORE_KEEP_5MIN);
	if (err < 0 || (retain->keep_ns == 0 && retain->max_bytes == 0)) {
		return err;
	}
	err = delete_old(sq, rows, n);
	if (err == 0 && (retain->deleted > before || retain->behind)) {
		err = end_epochs(sq, rows);
		err = err < 0 ? err : give_back(sq);
	}
	part = (sq->id - retain->first_id) / EPOCH_PART;
	if (err == 0 && sq->id + 1 - retain->epoch_id >= (part > EPOCH_ROWS ? part : EPOCH_ROWS)) {
		err = begin_epoch(sq);
	}
	return err;
}

/* ---- life ---- */

void sqlite_retain_forget(struct sqlite_sink *sq)
{
	struct retain *retain = &sq->retain;
	int level;

	retain->deleted = retain->committed;
	retain->behind = true;
	for (level = 0; level < STORE_NLEVELS; level++) {
		retain->level_t[level] = INT64_MIN / 2;
	}
}

int sqlite_retain_open(struct sqlite_sink *sq)
{
	struct retain *retain = &sq->retain;
	const struct plan *plan;

	retain->newest_ns = INT64_MIN;
	retain->run_ns = INT64_MIN;
	for (plan = sq->plans; plan != NULL; plan = plan->next) {
		int64_t ts = number(sq, "SELECT max(ts) FROM \"_%s\"", plan, 0, INT64_MIN);

		retain->newest_ns = ts > retain->newest_ns ? ts : retain->newest_ns;
	}
	sqlite_retain_forget(sq);
	retain->first_id = first_id(sq);
	retain->page_size = store_number(&sq->store, "PRAGMA page_size", 0);
	retain->pages = sqlite_prepare(sq, "PRAGMA page_count");
	retain->free_pages = sqlite_prepare(sq, "PRAGMA freelist_count");
	if (retain->pages == NULL || retain->free_pages == NULL) {
		return WEIR_EIO;
	}
	return begin_epoch(sq);
}

void sqlite_retain_close(struct sqlite_sink *sq)
{
	(void)sqlite3_finalize(sq->retain.pages);
	(void)sqlite3_finalize(sq->retain.free_pages);
}
