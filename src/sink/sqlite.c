/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink `sqlite`: every record into one file that any sqlite3 reads (docs/store.md, store/schema.h).
 *
 * A transaction is what is given between two flushes: rows, what is counted of them (sqlite_rollup.c, sqlite_top.c) and what retention
 * takes away. When one fails (the disk is full) it is rolled back, what it held is counted as lost, and a second later the next
 * record tries again.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "sink/sink.h"
#include "sink/sqlite.h"
#include "weir/error.h"

enum {
	TRANSACTION_RECORDS = 65536, /* between two flushes while a file is read */
	TRANSACTION_MS = 1000,       /* and while somebody waits */
};

#define RETRY_NS NS_PER_S

static struct sqlite_sink *self(struct weir_sink *sink)
{
	return (struct sqlite_sink *)sink;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* ---- statements ---- */

sqlite3_stmt *sqlite_prepare(struct sqlite_sink *sq, const char *sql)
{
	sqlite3_stmt *stmt = NULL;

	(void)sqlite3_prepare_v3(sq->store.db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
	return stmt;
}

int sqlite_execute(struct sqlite_sink *sq, const char *sql)
{
	return sqlite3_exec(sq->store.db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : WEIR_EIO;
}

int sqlite_run(sqlite3_stmt *stmt)
{
	int code = sqlite3_step(stmt);

	(void)sqlite3_reset(stmt);
	return code == SQLITE_DONE ? 0 : WEIR_EIO;
}

/* ---- transactions ---- */

/* The transaction is void: nothing of it is there. */
static int roll_back(struct sqlite_sink *sq)
{
	sq->error = store_errno(&sq->store);
	sqlite_rows_forget(sq);
	(void)sqlite_execute(sq, "ROLLBACK");
	sqlite_rollup_forget(sq);
	sqlite_top_forget(sq);
	sqlite_retain_forget(sq);
	sqlite_interim_forget(sq);
	sq->in_transaction = false;
	sq->given = 0;
	sq->retry_ns = now_ns() + RETRY_NS;
	errno = sq->error;
	return WEIR_EIO;
}

/* A line before a commit and one behind it, for who wants to know what was promised. Written at once. */
static void acknowledge(const struct sqlite_sink *sq, const char *what, uint64_t records)
{
	char line[64];
	int n;

	if (sq->acknowledge < 0) {
		return;
	}
	n = snprintf(line, sizeof(line), "%s %" PRIu64 "\n", what, records);
	(void)!write(sq->acknowledge, line, (size_t)n);
}

/* How the capture is doing: not a record of traffic. What comes for the same ten seconds is added. */
static int put_health(struct sqlite_sink *sq, const struct weir_record *rec)
{
	enum { PACKETS = WEIR_NCOMMON, BYTES, COUNTERS };
	sqlite3_stmt *stmt = sqlite_prepare(
		sq,
		"INSERT INTO _capture(t,packets,bytes,counters)VALUES(?,?,?,?)ON CONFLICT(t) DO "
		"UPDATE SET packets=packets+excluded.packets,bytes=bytes+excluded.bytes,"
		"counters=(SELECT json_group_object(key,v) FROM (SELECT key,sum(value) AS v "
		"FROM (SELECT key,value FROM json_each(counters) UNION ALL SELECT key,value FROM "
		"json_each(excluded.counters)) GROUP BY key))");
	int64_t s = sqlite_value(rec, WEIR_F_TS)->v.i64 / NS_PER_S;
	int err = stmt == NULL ? WEIR_EIO : 0;

	if (err == 0) {
		(void)sqlite3_bind_int64(stmt, 1, s - s % 10);
		(void)sqlite3_bind_int64(stmt, 2, (int64_t)sqlite_value(rec, PACKETS)->v.u64);
		(void)sqlite3_bind_int64(stmt, 3, (int64_t)sqlite_value(rec, BYTES)->v.u64);
		(void)sqlite3_bind_text(stmt, 4, (const char *)sqlite_value(rec, COUNTERS)->v.bytes,
					(int)sqlite_value(rec, COUNTERS)->len, SQLITE_STATIC);
		err = sqlite_run(stmt);
	}
	(void)sqlite3_finalize(stmt);
	return err;
}

static int put_record(struct sqlite_sink *sq, const struct weir_record *rec)
{
	if (strcmp(rec->schema->type, "capture") == 0) {
		return put_health(sq, rec);
	}
	sq->given += sqlite_is_final(rec) ? 1 : 0;
	return sqlite_put_record(sq, rec);
}

static int sqlite_record(struct weir_sink *sink, const struct weir_record *rec)
{
	struct sqlite_sink *sq = self(sink);
	int err = 0;

	if (sq->retry_ns != 0 && now_ns() < sq->retry_ns) {
		errno = sq->error;
		return WEIR_EIO;
	}
	sq->retry_ns = 0;
	if (!sq->in_transaction) {
		err = sqlite_execute(sq, "BEGIN IMMEDIATE");
		sq->in_transaction = err == 0;
	}
	if (err == 0) {
		err = put_record(sq, rec);
	}
	return err < 0 ? roll_back(sq) : 0;
}

static int sqlite_flush(struct weir_sink *sink)
{
	struct sqlite_sink *sq = self(sink);
	int err;

	if (!sq->in_transaction) {
		return 0;
	}
	err = sqlite_rollup_write(sq);
	err = err < 0 ? err : sqlite_top_write(sq);
	err = err < 0 ? err : sqlite_retain_step(sq, sq->given);
	acknowledge(sq, "commit", sq->records + sq->given);
	if (err < 0 || sqlite_execute(sq, "COMMIT") < 0) {
		return roll_back(sq);
	}
	sq->in_transaction = false;
	sq->records += sq->given;
	atomic_store_explicit(&sq->retain.committed, sq->retain.deleted, memory_order_relaxed);
	sq->given = 0;
	acknowledge(sq, "done", sq->records);
	return 0;
}

/* ---- life ---- */

static void release(struct sqlite_sink *sq)
{
	sqlite_rows_close(sq);
	sqlite_rollup_close(sq);
	sqlite_top_close(sq);
	sqlite_retain_close(sq);
	sqlite_interim_close(sq);
	json_writer_fini(&sq->json);
	strbuf_fini(&sq->text);
	strbuf_fini(&sq->escaped);
	strbuf_fini(&sq->truncated);
	strbuf_fini(&sq->key);
	store_close(&sq->store);
	if (sq->acknowledge >= 0) {
		(void)close(sq->acknowledge);
	}
	free(sq);
}

static struct sqlite_sink *allocate(void)
{
	struct sqlite_sink *sq = calloc(1, sizeof(*sq));

	if (sq != NULL) {
		sq->acknowledge = -1;
		sq->store.lock = -1;
		json_writer_init(&sq->json);
		strbuf_init(&sq->text);
		strbuf_init(&sq->escaped);
		strbuf_init(&sq->truncated);
		strbuf_init(&sq->key);
	}
	return sq;
}

/* What the options ask for, before anything is made. */
static int take_options(struct sqlite_sink *sq, const struct weir_sink_config *config,
			const char **ret_message)
{
	static const char *const known[] = {"keep", "max", "acknowledge", NULL};
	const char *path = sink_option(config, "acknowledge");

	if (config->target[0] == '\0' || strcmp(config->target, "-") == 0) {
		*ret_message = "a store is a file\n  Name it: -o sqlite:FILE";
		return WEIR_EINVAL;
	}
	if (sink_unknown_option(config, known) != NULL) {
		*ret_message = "no such option\n  There are keep=7d, max=20G and acknowledge=FILE.";
		return WEIR_EINVAL;
	}
	if (path != NULL) {
		sq->acknowledge = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
		if (sq->acknowledge < 0) {
			*ret_message = "cannot open the file of acknowledge=";
			return WEIR_EIO;
		}
	}
	return sqlite_retain_parse(&sq->retain, sink_option(config, "keep"),
				   sink_option(config, "max"), ret_message);
}

static int begin(struct sqlite_sink *sq, const struct weir_schema *const *schemas)
{
	int err = sqlite_rows_open(sq, schemas);

	err = err < 0 ? err : sqlite_rollup_open(sq);
	err = err < 0 ? err : sqlite_top_open(sq);
	err = err < 0 ? err : sqlite_interim_open(sq);
	err = err < 0 ? err : sqlite_retain_open(sq);
	return err < 0 ? err : sqlite_rebuild(sq);
}

static int open_store(struct sqlite_sink *sq, const struct weir_sink_config *config,
		      const char **ret_message)
{
	static char message[STORE_MESSAGE];
	int err = store_open(&sq->store, config->target, config->schemas);

	*ret_message = message;
	memcpy(message, sq->store.message, sizeof(message));
	if (err == 0) {
		err = begin(sq, config->schemas);
		(void)snprintf(message, sizeof(message), "cannot prepare the store");
		errno = err < 0 ? store_errno(&sq->store) : errno;
	}
	return err;
}

static int sqlite_open(const struct weir_sink_config *config, struct weir_sink **ret,
		       const char **ret_message)
{
	struct sqlite_sink *sq = allocate();
	int err;

	if (sq == NULL) {
		*ret_message = "out of memory";
		return WEIR_ENOMEM;
	}
	err = take_options(sq, config, ret_message);
	err = err < 0 ? err : open_store(sq, config, ret_message);
	if (err < 0) {
		int error = errno;

		release(sq);
		errno = error;
		return err;
	}
	*ret = (struct weir_sink *)sq;
	return 0;
}

static int sqlite_close(struct weir_sink *sink)
{
	int err = sqlite_flush(sink);

	/* into the file itself; the log may stay where its directory does not let this user remove it: empty then */
	(void)sqlite_execute(self(sink), "PRAGMA wal_checkpoint(TRUNCATE)");
	release(self(sink));
	return err;
}

static void sqlite_figures(struct weir_sink *sink,
			   void (*add)(void *context, const char *name, uint64_t n), void *context)
{
	const struct retain *retain = &self(sink)->retain;
	uint64_t left_out =
		atomic_load_explicit(&self(sink)->interim.left_out, memory_order_relaxed);

	if (retain->keep_ns > 0 || retain->max_bytes > 0) {
		add(context, "sqlite_expired",
		    atomic_load_explicit(&retain->committed, memory_order_relaxed));
	}
	if (left_out > 0) {
		add(context, "sqlite_interim_left_out", left_out);
	}
}

const struct weir_sink_type sink_sqlite = {
	.name = "sqlite",
	.doc = "a store: one file with every record, for weir query, weir stats and any sqlite3",
	.open = sqlite_open,
	.record = sqlite_record,
	.flush = sqlite_flush,
	.close = sqlite_close,
	.confirm = TRANSACTION_RECORDS,
	.recovers = true,
	.interim = true,
	.figures = sqlite_figures,
	.health = true,
	.hold_ms = TRANSACTION_MS,
};
