/* SPDX-License-Identifier: Apache-2.0 */
/* From layout 1 to layout 2: see migrate.h. */
#include "store/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/schema.h"
#include "weir/error.h"

static const char *const ends[STORE_NPARTS] = {"", "_more", "_list", "_body"};

static int execute(struct store *store, struct strbuf *sql)
{
	int code = sql->failed ? SQLITE_NOMEM
			       : sqlite3_exec(store->db, strbuf_text(sql), NULL, NULL, NULL);

	strbuf_clear(sql);
	return code == SQLITE_OK ? 0 : WEIR_EIO;
}

static bool has_column(struct store *store, const char *table, const char *column)
{
	char sql[384];

	(void)snprintf(sql, sizeof(sql),
		       "SELECT count(*) FROM pragma_table_info('%s') WHERE name='%s'", table,
		       column);
	return store_number(store, sql, 0) > 0;
}

static bool has_table(struct store *store, const char *name)
{
	char sql[256];

	(void)snprintf(sql, sizeof(sql), "SELECT count(*) FROM sqlite_schema WHERE name='%s'",
		       name);
	return store_number(store, sql, 0) > 0;
}

static int set_aside(struct store *store, const char *type, struct strbuf *sql)
{
	sqlite3_stmt *stmt = NULL;
	char name[128];
	const char *as;
	int part, err = 0;

	for (part = 0; part < STORE_NPARTS; part++) {
		(void)snprintf(name, sizeof(name), "_%s%s", type, ends[part]);
		if (has_table(store, name)) {
			strbuf_printf(sql, "ALTER TABLE \"%s\" RENAME TO \"_v1%s\";", name, name);
		}
	}
	strbuf_printf(sql, "DROP INDEX IF EXISTS \"_%s_ts\"", type);
	err = execute(store, sql);
	/* the view follows the names of its tables */
	(void)snprintf(name, sizeof(name), "SELECT sql FROM sqlite_schema WHERE name='%s'", type);
	if (err == 0 && sqlite3_prepare_v2(store->db, name, -1, &stmt, NULL) == SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW) {
		as = strstr((const char *)sqlite3_column_text(stmt, 0), " AS SELECT ");
		strbuf_printf(sql, "CREATE VIEW \"v1_%s\"%s", type, as == NULL ? "" : as);
	}
	(void)sqlite3_finalize(stmt);
	return err < 0 || sql->len == 0 ? WEIR_EIO : execute(store, sql);
}

int migrate_set_aside(struct store *store, const struct weir_schema *const *schemas)
{
	struct strbuf sql;
	char name[128];
	size_t i;
	int err = 0;

	strbuf_init(&sql);
	for (i = 0; schemas[i] != NULL && err == 0; i++) {
		(void)snprintf(name, sizeof(name), "_%s", schemas[i]->type);
		if (has_table(store, name)) {
			err = set_aside(store, schemas[i]->type, &sql);
		}
	}
	strbuf_fini(&sql);
	return err;
}

/* ---- filling ---- */

/* Columns of a part that the old store has, too, each behind a comma; `before` stands before each. */
static void put_columns(struct store *store, struct strbuf *out, const struct weir_schema *schema,
			enum store_part part, const char *before)
{
	const struct weir_field *field;
	char table[128];
	size_t i;

	(void)snprintf(table, sizeof(table), "%s_%s%s", part == STORE_SHAPE ? "v1" : "_v1",
		       schema->type, part < STORE_NPARTS ? ends[part] : "");
	for (i = 0; (field = weir_schema_field(schema, i)) != NULL; i++) {
		struct strbuf column;

		strbuf_init(&column);
		store_put_column(&column, field->name);
		if (store_part_of(schema, i) == part &&
		    has_column(store, table, strbuf_text(&column))) {
			strbuf_printf(out, ",%s\"%s\"", before, strbuf_text(&column));
		}
		out->failed |= column.failed;
		strbuf_fini(&column);
	}
}

static int fill_shapes(struct store *store, const struct weir_schema *schema, struct strbuf *sql)
{
	char last[128];
	int err;

	(void)snprintf(last, sizeof(last), "SELECT max(_id) FROM temp._shape_of");
	strbuf_printf(sql, "INSERT INTO \"_%s_shape\"(_id,server_address,server_port",
		      schema->type);
	put_columns(store, sql, schema, STORE_SHAPE, "");
	strbuf_printf(sql,
		      ")SELECT %lld+row_number()OVER(),* FROM (SELECT DISTINCT server_address,"
		      "server_port",
		      (long long)store_number(store, last, 0));
	put_columns(store, sql, schema, STORE_SHAPE, "");
	strbuf_printf(sql, " FROM \"v1_%s\")", schema->type);
	err = execute(store, sql);
	strbuf_printf(sql,
		      "INSERT INTO temp._shape_of(key,_id)SELECT json_array('%s',"
		      "server_address,server_port",
		      schema->type);
	put_columns(store, sql, schema, STORE_SHAPE, "");
	strbuf_printf(sql, "),_id FROM \"_%s_shape\"", schema->type);
	return err < 0 ? err : execute(store, sql);
}

static int fill_rows(struct store *store, const struct weir_schema *schema, struct strbuf *sql)
{
	strbuf_printf(sql, "INSERT INTO \"_%s\"(_id,_flow,_shape", schema->type);
	put_columns(store, sql, schema, STORE_ROW, "");
	strbuf_str(sql, ")SELECT r._id,r._flow,k._id");
	put_columns(store, sql, schema, STORE_ROW, "r.");
	strbuf_printf(sql,
		      " FROM \"_v1_%s\" r JOIN \"v1_%s\" v ON v._id=r._id JOIN temp._shape_of k ON "
		      "k.key=json_array('%s',v.server_address,v.server_port",
		      schema->type, schema->type, schema->type);
	put_columns(store, sql, schema, STORE_SHAPE, "v.");
	/* what says it otherwise now (schema.h) */
	strbuf_printf(sql,
		      ");UPDATE \"_%s\" SET packet_last=packet_last-ifnull(packet_first,0),"
		      "timing_wait_ns=timing_wait_ns-ifnull(duration_ns,0)+ifnull(timing_send_ns,"
		      "0)+ifnull(timing_receive_ns,0)",
		      schema->type);
	return execute(store, sql);
}

static int fill_part(struct store *store, const struct weir_schema *schema, int part,
		     struct strbuf *sql)
{
	const char *notes = part == STORE_MORE ? ",escaped,truncated" : "";
	char table[128];

	(void)snprintf(table, sizeof(table), "_v1_%s%s", schema->type, ends[part]);
	if (!has_table(store, table)) {
		return 0;
	}
	strbuf_printf(sql, "INSERT INTO \"_%s%s\"(_id", schema->type, ends[part]);
	put_columns(store, sql, schema, (enum store_part)part, "");
	strbuf_printf(sql, "%s)SELECT _id", notes);
	put_columns(store, sql, schema, (enum store_part)part, "");
	strbuf_printf(sql, "%s FROM \"%s\"", notes, table);
	return execute(store, sql);
}

static int drop(struct store *store, const struct weir_schema *schema, struct strbuf *sql)
{
	int part;

	strbuf_printf(sql, "DROP VIEW \"v1_%s\";", schema->type);
	for (part = 0; part < STORE_NPARTS; part++) {
		strbuf_printf(sql, "DROP TABLE IF EXISTS \"_v1_%s%s\";", schema->type, ends[part]);
	}
	return execute(store, sql);
}

static int fill_type(struct store *store, const struct weir_schema *schema, struct strbuf *sql)
{
	int part, err = fill_shapes(store, schema, sql);

	err = err < 0 ? err : fill_rows(store, schema, sql);
	for (part = STORE_MORE; part < STORE_NPARTS && err == 0; part++) {
		err = fill_part(store, schema, part, sql);
	}
	return err < 0 ? err : drop(store, schema, sql);
}

int migrate_fill(struct store *store, const struct weir_schema *const *schemas)
{
	struct strbuf sql;
	char name[128];
	size_t i;
	int err;

	strbuf_init(&sql);
	strbuf_str(&sql, "CREATE TEMP TABLE _shape_of(key TEXT PRIMARY KEY,_id INTEGER)");
	err = execute(store, &sql);
	for (i = 0; schemas[i] != NULL && err == 0; i++) {
		(void)snprintf(name, sizeof(name), "_v1_%s", schemas[i]->type);
		if (has_table(store, name)) {
			err = fill_type(store, schemas[i], &sql);
		}
	}
	strbuf_str(&sql,
		   "DROP TABLE temp._shape_of;CREATE TABLE _rebuild(_id INTEGER PRIMARY KEY)");
	err = err < 0 ? err : execute(store, &sql);
	strbuf_fini(&sql);
	return err;
}
