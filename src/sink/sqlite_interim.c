/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records of exchanges that are still open: final=0. The next record of the same id takes the place of such a row, whichever run it
 * comes from; _open says which rows they are. Ids in memory are by their hash; beyond INTERIM_MAX of them an interim record is left out
 * and counted.
 */
#include <string.h>

#include "sink/sqlite.h"
#include "weir/error.h"

enum { INTERIM_MAX = 1 << 16, GONE = -1 };

/* What tells one from another: type and id. @return false: it has no id */
static bool put_key(struct sqlite_sink *sq, const struct plan *plan, const void *id, size_t len)
{
	strbuf_clear(&sq->key);
	strbuf_char(&sq->key, (char)plan->type);
	strbuf_add(&sq->key, id, len);
	return len > 0 && !sq->key.failed;
}

static const struct plan *plan_of(const struct sqlite_sink *sq, int64_t type)
{
	const struct plan *plan = sq->plans;

	while (plan != NULL && plan->type != type) {
		plan = plan->next;
	}
	return plan;
}

static int load(struct sqlite_sink *sq)
{
	struct interim *interim = &sq->interim;
	sqlite3_stmt *stmt = sqlite_prepare(sq, "SELECT _id,type,id FROM _open ORDER BY _id DESC");

	if (stmt == NULL) {
		return WEIR_EIO;
	}
	names_forget(&interim->rows, 0);
	interim->n = 0;
	while (interim->n < INTERIM_MAX && sqlite3_step(stmt) == SQLITE_ROW) {
		const struct plan *plan = plan_of(sq, sqlite3_column_int64(stmt, 1));

		if (plan != NULL && put_key(sq, plan, sqlite3_column_text(stmt, 2),
					    (size_t)sqlite3_column_bytes(stmt, 2))) {
			names_put(&interim->rows, sq->key.p, sq->key.len,
				  sqlite3_column_int64(stmt, 0));
			interim->n++;
		}
	}
	interim->stale = false;
	return sqlite3_finalize(stmt) == SQLITE_OK ? 0 : WEIR_EIO;
}

static int delete_row(struct sqlite_sink *sq, struct plan *plan, int64_t id)
{
	struct strbuf sql;
	int part, err = 0;

	strbuf_init(&sql);
	for (part = 0; part < STORE_NPARTS && err == 0; part++) {
		if (plan->inserts[part] == NULL) {
			continue;
		}
		if (plan->deletes[part] == NULL) {
			strbuf_clear(&sql);
			strbuf_str(&sql, "DELETE FROM ");
			store_put_table(&sql, plan->schema, (enum store_part)part);
			strbuf_str(&sql, " WHERE _id=?");
			plan->deletes[part] = sqlite_prepare(sq, strbuf_text(&sql));
		}
		(void)sqlite3_bind_int64(plan->deletes[part], 1, id);
		err = plan->deletes[part] == NULL ? WEIR_EIO : sqlite_run(plan->deletes[part]);
	}
	strbuf_fini(&sql);
	if (err == 0) {
		(void)sqlite3_bind_int64(sq->interim.remove, 1, id);
		err = sqlite_run(sq->interim.remove);
	}
	return err;
}

int sqlite_interim_replace(struct sqlite_sink *sq, struct plan *plan, const struct weir_record *rec)
{
	struct interim *interim = &sq->interim;
	const struct weir_value *value;
	int64_t id;
	int err = interim->stale ? load(sq) : 0;

	if (err < 0 || interim->n == 0 || !weir_record_has(rec, WEIR_F_ID)) {
		return err;
	}
	value = sqlite_value(rec, WEIR_F_ID);
	if (!put_key(sq, plan, value->v.bytes, value->len)) {
		return 0;
	}
	id = names_find(&interim->rows, sq->key.p, sq->key.len);
	if (id <= 0) {
		return 0;
	}
	names_put(&interim->rows, sq->key.p, sq->key.len, GONE);
	interim->n--;
	return delete_row(sq, plan, id);
}

bool sqlite_interim_admits(struct sqlite_sink *sq)
{
	if (sq->interim.n < INTERIM_MAX) {
		return true;
	}
	atomic_fetch_add_explicit(&sq->interim.left_out, 1, memory_order_relaxed);
	return false;
}

int sqlite_interim_note(struct sqlite_sink *sq, const struct plan *plan,
			const struct weir_record *rec, int64_t id)
{
	struct interim *interim = &sq->interim;
	const struct weir_value *value;

	if (!weir_record_has(rec, WEIR_F_ID)) {
		return 0;
	}
	value = sqlite_value(rec, WEIR_F_ID);
	if (!put_key(sq, plan, value->v.bytes, value->len)) {
		return 0;
	}
	/* the table forgets all when it is full of what is gone: it is read again then */
	interim->stale = interim->rows.n + 1 >= NAMES_MAX;
	names_put(&interim->rows, sq->key.p, sq->key.len, id);
	interim->n++;
	(void)sqlite3_bind_int64(interim->put, 1, id);
	(void)sqlite3_bind_int64(interim->put, 2, plan->type);
	(void)sqlite3_bind_text64(interim->put, 3, (const char *)value->v.bytes, value->len,
				  SQLITE_TRANSIENT, SQLITE_UTF8);
	return sqlite_run(interim->put);
}

void sqlite_interim_forget(struct sqlite_sink *sq)
{
	sq->interim.stale = true;
}

int sqlite_interim_open(struct sqlite_sink *sq)
{
	struct interim *interim = &sq->interim;

	if (names_init(&interim->rows, sq->strings.seed, 0, false) < 0) {
		return WEIR_ENOMEM;
	}
	interim->put = sqlite_prepare(sq, "REPLACE INTO _open(_id,type,id)VALUES(?,?,?)");
	interim->remove = sqlite_prepare(sq, "DELETE FROM _open WHERE _id=?");
	return interim->put == NULL || interim->remove == NULL ? WEIR_EIO : load(sq);
}

void sqlite_interim_close(struct sqlite_sink *sq)
{
	(void)sqlite3_finalize(sq->interim.put);
	(void)sqlite3_finalize(sq->interim.remove);
	names_fini(&sq->interim.rows);
}
