/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is counted of a store's records, worked out from its rows: for stores whose layout had no rollups (store/migrate.h). In one
 * transaction with the end of the mark, so that it is done once and wholly.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "sink/sqlite.h"
#include "weir/error.h"

enum { MEMORY = 1 << 20 };

/* The field of a view's column; below 0: none. */
static int field_of(const struct weir_schema *schema, const char *column)
{
	const struct weir_field *field;
	struct strbuf name;
	size_t i;
	int found = -1;

	strbuf_init(&name);
	for (i = 0; (field = weir_schema_field(schema, i)) != NULL && found < 0; i++) {
		strbuf_clear(&name);
		store_put_column(&name, field->name);
		found = strcmp(strbuf_text(&name), column) == 0 ? (int)i : -1;
	}
	strbuf_fini(&name);
	return found;
}

static void set_address(struct weir_record *rec, size_t field, const char *text)
{
	uint8_t octets[16];

	if (inet_pton(AF_INET, text, octets) == 1) {
		weir_record_set_bytes(rec, field, octets, 4, 4);
	} else if (inet_pton(AF_INET6, text, octets) == 1) {
		weir_record_set_bytes(rec, field, octets, 16, 16);
	}
}

static void set_field(struct weir_record *rec, int field, sqlite3_stmt *stmt, int column)
{
	if (sqlite3_column_type(stmt, column) == SQLITE_NULL) {
		return;
	}
	switch (record_kind(rec->schema, (size_t)field)) {
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
		weir_record_set_u64(rec, (size_t)field,
				    (uint64_t)sqlite3_column_int64(stmt, column));
		break;
	case WEIR_KIND_DURATION:
		weir_record_set_i64(rec, (size_t)field, sqlite3_column_int64(stmt, column));
		break;
	case WEIR_KIND_STR:
		weir_record_set_bytes(rec, (size_t)field, sqlite3_column_text(stmt, column),
				      (size_t)sqlite3_column_bytes(stmt, column), SIZE_MAX);
		break;
	case WEIR_KIND_ADDRESS:
		set_address(rec, (size_t)field, (const char *)sqlite3_column_text(stmt, column));
		break;
	default:
		break; /* nothing is counted by lists, bodies, texts of times */
	}
}

/* Columns: _id, _shape, ts_ns, then those of the view. */
static int add_row(struct sqlite_sink *sq, const struct plan *plan, sqlite3_stmt *stmt,
		   const int *fields, struct arena_pool *pool)
{
	struct weir_record *rec;
	int i, err;

	if (record_new(pool, plan->schema, &rec) < 0) {
		return WEIR_ENOMEM;
	}
	for (i = 3; i < sqlite3_column_count(stmt); i++) {
		if (fields[i] >= 0) {
			set_field(rec, fields[i], stmt, i);
		}
	}
	weir_record_set_i64(rec, WEIR_F_TS, sqlite3_column_int64(stmt, 2));
	err = sqlite_rollup_add(sq, plan, rec, sqlite3_column_int64(stmt, 0),
				sqlite3_column_int64(stmt, 1));
	record_free(rec);
	return err;
}

static int rebuild_type(struct sqlite_sink *sq, const struct plan *plan)
{
	enum { COLUMNS_MAX = WEIR_MAX_FIELDS + 16 };
	int fields[COLUMNS_MAX] = {0};
	struct budget budget;
	struct arena_pool pool;
	sqlite3_stmt *stmt;
	char sql[256];
	int i, err;

	(void)snprintf(sql, sizeof(sql),
		       "SELECT r._id,r._shape,r.ts,v.* FROM \"_%s\" r JOIN \"%s\" v ON "
		       "v._id=r._id WHERE v.final IS NOT 0 ORDER BY r._id",
		       plan->schema->type, plan->schema->type);
	stmt = sqlite_prepare(sq, sql);
	if (stmt == NULL || sqlite3_column_count(stmt) > COLUMNS_MAX) {
		(void)sqlite3_finalize(stmt);
		return WEIR_EIO;
	}
	for (i = 0; i < sqlite3_column_count(stmt); i++) {
		fields[i] = field_of(plan->schema, sqlite3_column_name(stmt, i));
	}
	budget_init(&budget, MEMORY, NULL);
	arena_pool_init(&pool, &budget, 4);
	err = 0;
	while (err == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
		err = add_row(sq, plan, stmt, fields, &pool);
	}
	arena_pool_fini(&pool);
	return sqlite3_finalize(stmt) == SQLITE_OK ? err : WEIR_EIO;
}

int sqlite_rebuild(struct sqlite_sink *sq)
{
	const struct plan *plan;
	int err;

	if (store_number(&sq->store, "SELECT count(*) FROM sqlite_schema WHERE name='_rebuild'",
			 0) == 0) {
		return 0;
	}
	err = sqlite_execute(sq, "BEGIN IMMEDIATE;DELETE FROM _rollup;DELETE FROM _key;DELETE FROM "
				 "_top;DELETE FROM _shape_ids;DELETE FROM _duration_ids;"
				 "DROP TABLE _rebuild");
	for (plan = sq->plans; plan != NULL && err == 0; plan = plan->next) {
		err = rebuild_type(sq, plan);
		/* types have their records one after the other, lists want their numbers in order */
		err = err < 0 ? err : sqlite_rollup_write(sq);
	}
	err = err < 0 ? err : sqlite_top_write(sq);
	err = err < 0 ? err : sqlite_execute(sq, "COMMIT");
	sq->rollup.nshapes = 0;
	return err;
}
