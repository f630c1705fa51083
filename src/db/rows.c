/* SPDX-License-Identifier: Apache-2.0 */
/* The first rows of a result: see rows.h. */
#include "db/rows.h"

#include <stdio.h>
#include <string.h>

#include "record/mask.h"

static bool wants(const struct db *db, const struct db_exchange *ex, size_t field)
{
	return db->config->bodies == WEIR_BODIES_KEEP && weir_record_wants(ex->rec, field);
}

bool db_wants_row(const struct db *db, const struct db_exchange *ex)
{
	return ex->ncolumns > 0 && ex->nrows < DB_ROWS_MAX &&
	       ex->rows_size < db->config->body_limit && wants(db, ex, DB_F_RESPONSE_ROWS);
}

bool db_wants_column(const struct db *db, const struct db_exchange *ex)
{
	return ex->ncolumns < DB_COLUMNS_MAX && ex->nrows == 0 &&
	       (wants(db, ex, DB_F_RESPONSE_COLUMNS) || wants(db, ex, DB_F_RESPONSE_ROWS));
}

void db_row_init(struct db_row *row, const struct db *db, const struct db_exchange *ex)
{
	row->secret = db->config->redact == WEIR_REDACT_OFF ? 0 : ex->secret_columns;
	row->len = 0;
	row->nvalues = 0;
	row->full = false;
}

static void put(struct db_row *row, const void *p, size_t len)
{
	size_t room = DB_ROW_MAX - row->len;

	row->full |= len > room;
	len = len < room ? len : room;
	memcpy(row->p + row->len, p, len);
	row->len += len;
}

/* RFC 4180 section 2, items 5 to 7 */
static bool needs_quotes(const char *p, size_t len)
{
	return len == 0 || memchr(p, '"', len) != NULL || memchr(p, ',', len) != NULL ||
	       memchr(p, '\n', len) != NULL || memchr(p, '\r', len) != NULL;
}

void db_row_value(struct db_row *row, const void *p, size_t len)
{
	const char *text = p;
	size_t at = row->nvalues++;
	char mask[40];
	size_t i;

	if (at >= DB_COLUMNS_MAX) {
		return;
	}
	if (at > 0) {
		put(row, ",", 1);
	}
	if (text == NULL || row->full) {
		return;
	}
	if ((row->secret >> at & 1) != 0) {
		put(row, mask, (size_t)snprintf(mask, sizeof(mask), "[redacted %zu]", len));
		return;
	}
	if (!needs_quotes(text, len)) {
		put(row, text, len);
		return;
	}
	put(row, "\"", 1);
	for (i = 0; i < len && !row->full; i++) {
		put(row, text[i] == '"' ? "\"\"" : text + i, text[i] == '"' ? 2 : 1);
	}
	put(row, "\"", 1);
}

void db_row_add(struct db_exchange *ex, const struct db_row *row)
{
	ex->nrows++;
	ex->rows_size += (uint32_t)row->len;
	weir_record_add_str(ex->rec, DB_F_RESPONSE_ROWS, row->p, row->len);
}

/* at most DB_COLUMNS_MAX: db_wants_column() has said so */
void db_column_add(struct db_exchange *ex, const void *name, size_t len)
{
	if (mask_is_secret_key(name, len)) {
		ex->secret_columns |= UINT64_C(1) << ex->ncolumns;
	}
	ex->ncolumns++;
	weir_record_add_str(ex->rec, DB_F_RESPONSE_COLUMNS, name,
			    len < DB_NAME_MAX ? len : DB_NAME_MAX);
}
