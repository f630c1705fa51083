/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of a type's view as records: see sqlite.h. What the sink sqlite did to values is undone: bytes that are not UTF-8 are bytes again,
 * lists are lists, so the record gives the JSON that the captured one gave, and a filter says the same of both.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "record/record.h"
#include "store/lists.h"
#include "store/schema.h"
#include "store/sqlite.h"
#include "weir/error.h"

static bool has_bit(const uint64_t bits[2], size_t i)
{
	return (bits[i >> 6] >> (i & 63) & 1) != 0;
}

void lite_put_field(void *context, struct strbuf *out, const struct weir_schema *schema,
		    size_t field)
{
	const struct weir_field *def = weir_schema_field(schema, field);

	(void)context;
	strbuf_char(out, '"');
	store_put_column(out, def->name);
	strbuf_str(out, def->kind == WEIR_KIND_TIME ? "_ns\"" : "\"");
}

static bool may_be_escaped(enum weir_kind kind)
{
	return kind == WEIR_KIND_STR || kind == WEIR_KIND_STRS || kind == WEIR_KIND_HEADERS;
}

void lite_rows_select(struct lite_rows *rows, struct store_backend *backend,
		      const struct weir_schema *schema, const uint64_t fields[2], const char *key,
		      const char *verdict, struct strbuf *out)
{
	const struct weir_field *field;
	size_t i;

	memset(rows, 0, sizeof(*rows));
	strbuf_init(&rows->text);
	rows->backend = backend;
	rows->schema = schema;
	for (i = 0; (field = weir_schema_field(schema, i)) != NULL; i++) {
		rows->noted |= has_bit(fields, i) && may_be_escaped(field->kind);
	}
	strbuf_printf(out, "SELECT _id,ts_ns,%s,%s,%s", key, verdict,
		      rows->noted ? "escaped,truncated" : "NULL,NULL");
	for (i = 0; weir_schema_field(schema, i) != NULL; i++) {
		if (!has_bit(fields, i) || i == WEIR_F_TS) {
			continue;
		}
		strbuf_char(out, ',');
		lite_put_field(NULL, out, schema, i);
		rows->columns[rows->ncolumns].field = (uint8_t)i;
		rows->columns[rows->ncolumns].column = (uint8_t)(ROWS_FIRST + rows->ncolumns);
		rows->ncolumns++;
	}
	strbuf_printf(out, " FROM \"%s\"", schema->type);
}

int lite_rows_prepare(struct lite_rows *rows, struct strbuf *sql)
{
	if (sql->failed) {
		return WEIR_ENOMEM;
	}
	rows->stmt = lite_prepare(rows->backend, strbuf_text(sql));
	return rows->stmt == NULL ? lite_failed(rows->backend) : 0;
}

void lite_rows_fini(struct lite_rows *rows)
{
	(void)sqlite3_finalize(rows->stmt);
	rows->stmt = NULL;
	strbuf_fini(&rows->text);
}

static bool is_noted(sqlite3_stmt *stmt, int column, const char *name)
{
	const char *list = (const char *)sqlite3_column_text(stmt, column);

	return list != NULL && list_has(list, (size_t)sqlite3_column_bytes(stmt, column), name);
}

static void set_address(struct weir_record *rec, size_t field, const char *text)
{
	uint8_t address[16];

	if (text == NULL) {
		return;
	}
	if (inet_pton(AF_INET, text, address) == 1) {
		weir_record_set_bytes(rec, field, address, 4, 4);
	} else if (inet_pton(AF_INET6, text, address) == 1) {
		weir_record_set_bytes(rec, field, address, 16, 16);
	}
}

static void set_hex(struct weir_record *rec, size_t field, struct strbuf *scratch, const char *text,
		    size_t len)
{
	size_t i;

	strbuf_clear(scratch);
	for (i = 0; i + 1 < len; i += 2) {
		const char pair[3] = {text[i], text[i + 1], '\0'};

		strbuf_char(scratch, (char)strtoul(pair, NULL, 16));
	}
	weir_record_set_bytes(rec, field, strbuf_text(scratch), scratch->len, SIZE_MAX);
}

/* Text as it was captured. */
static void set_text(struct lite_rows *rows, struct weir_record *rec, size_t field,
		     const char *text, size_t len)
{
	const char *name = weir_schema_field(rows->schema, field)->name;

	if (is_noted(rows->stmt, ROWS_ESCAPED, name)) {
		strbuf_clear(&rows->text);
		list_unescape(&rows->text, text, len);
		weir_record_set_bytes(rec, field, strbuf_text(&rows->text), rows->text.len,
				      SIZE_MAX);
	} else {
		/* SQLite's memory, until the statement goes on */
		record_set_own(rec, field, (const uint8_t *)text, len);
	}
}

static void set_list(struct lite_rows *rows, struct weir_record *rec, size_t field,
		     enum weir_kind kind, const char *text, size_t len)
{
	bool escaped =
		is_noted(rows->stmt, ROWS_ESCAPED, weir_schema_field(rows->schema, field)->name);

	(void)list_set(rec, field, kind, text, len, escaped);
}

static uint64_t number_of(sqlite3_stmt *stmt, int column)
{
	/* beyond SQLite's numbers: digits */
	return sqlite3_column_type(stmt, column) == SQLITE_TEXT
		       ? strtoull((const char *)sqlite3_column_text(stmt, column), NULL, 10)
		       : (uint64_t)sqlite3_column_int64(stmt, column);
}

static void set_column(struct lite_rows *rows, struct weir_record *rec, size_t field, int column)
{
	enum weir_kind kind = record_kind(rows->schema, field);
	sqlite3_stmt *stmt = rows->stmt;
	const char *text;
	size_t len;

	switch (kind) {
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
		weir_record_set_u64(rec, field, number_of(stmt, column));
		return;
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
		weir_record_set_i64(rec, field, sqlite3_column_int64(stmt, column));
		return;
	default:
		break;
	}
	text = (const char *)sqlite3_column_text(stmt, column);
	len = (size_t)sqlite3_column_bytes(stmt, column);
	if (text == NULL) {
		return;
	}
	switch (kind) {
	case WEIR_KIND_ADDRESS:
		set_address(rec, field, text);
		break;
	case WEIR_KIND_HEX:
		set_hex(rec, field, &rows->text, text, len);
		break;
	case WEIR_KIND_STR:
		set_text(rows, rec, field, text, len);
		break;
	default:
		set_list(rows, rec, field, kind, text, len);
	}
}

/* What a limit had cut when it was captured says so again. */
static void set_cuts(struct lite_rows *rows, struct weir_record *rec)
{
	const char *cuts = (const char *)sqlite3_column_text(rows->stmt, ROWS_TRUNCATED);
	size_t len = (size_t)sqlite3_column_bytes(rows->stmt, ROWS_TRUNCATED);
	size_t i;

	for (i = 0; cuts != NULL && i < rows->ncolumns; i++) {
		size_t field = rows->columns[i].field;
		uint64_t full =
			list_number(cuts, len, weir_schema_field(rows->schema, field)->name);

		if (full > 0 && weir_record_has(rec, field)) {
			record_set_cut(rec, field,
				       (uint32_t)(full < UINT32_MAX ? full : UINT32_MAX));
		}
	}
}

int lite_rows_record(struct lite_rows *rows, struct weir_record **ret)
{
	struct weir_record *rec;
	size_t i;
	int err = record_new(&rows->backend->pool, rows->schema, &rec);

	if (err < 0) {
		return err;
	}
	weir_record_set_i64(rec, WEIR_F_TS, sqlite3_column_int64(rows->stmt, ROWS_TS));
	for (i = 0; i < rows->ncolumns; i++) {
		int column = rows->columns[i].column;

		if (sqlite3_column_type(rows->stmt, column) != SQLITE_NULL) {
			set_column(rows, rec, rows->columns[i].field, column);
		}
	}
	set_cuts(rows, rec);
	if (rec->arena->failed > 0 || rows->text.failed) {
		rows->text.failed = false;
		record_free(rec);
		return WEIR_ENOMEM;
	}
	*ret = rec;
	return 0;
}
