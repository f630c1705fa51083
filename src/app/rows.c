/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a statement as text: see rows.h. A table is laid out a few hundred rows at a time, so that its size needs no limit. */
#include "app/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sink/escape.h"
#include "sink/human.h"
#include "sink/json_record.h"

enum { TABLE_ROWS = 500, PIECE = 64 << 10 };

/* ---- JSON ---- */

static void put_real(struct strbuf *out, double value)
{
	if (isfinite(value)) {
		strbuf_printf(out, "%.15g", value);
	} else {
		strbuf_str(out, "null");
	}
}

static void put_json_value(struct strbuf *out, sqlite3_stmt *stmt, int i)
{
	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_INTEGER:
		strbuf_i64(out, sqlite3_column_int64(stmt, i));
		break;
	case SQLITE_FLOAT:
		put_real(out, sqlite3_column_double(stmt, i));
		break;
	case SQLITE_TEXT: {
		const void *text = sqlite3_column_text(stmt, i);

		(void)json_write_string(out, text, (size_t)sqlite3_column_bytes(stmt, i));
		break;
	}
	case SQLITE_BLOB: {
		const void *p = sqlite3_column_blob(stmt, i);

		strbuf_char(out, '"');
		strbuf_hex(out, p, (size_t)sqlite3_column_bytes(stmt, i));
		strbuf_char(out, '"');
		break;
	}
	default:
		strbuf_str(out, "null");
	}
}

void rows_put_json(struct strbuf *out, sqlite3_stmt *stmt)
{
	int n = sqlite3_column_count(stmt);
	bool first = true;
	int i;

	strbuf_char(out, '{');
	for (i = 0; i < n; i++) {
		const char *name = sqlite3_column_name(stmt, i);

		if (name[0] == '\0') {
			continue;
		}
		if (!first) {
			strbuf_char(out, ',');
		}
		first = false;
		(void)json_write_string(out, name, strlen(name));
		strbuf_char(out, ':');
		put_json_value(out, stmt, i);
	}
	strbuf_char(out, '}');
}

/* ---- cells of the other two ---- */

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && strcmp(text + len - n, end) == 0;
}

/* @return columns on a terminal */
static size_t put_cell(struct strbuf *out, sqlite3_stmt *stmt, int i, bool human)
{
	size_t start = out->len;
	char text[HUMAN_LEN];

	switch (sqlite3_column_type(stmt, i)) {
	case SQLITE_NULL:
		return 0;
	case SQLITE_INTEGER:
		if (human && ends_in(sqlite3_column_name(stmt, i), "_ns")) {
			human_duration(sqlite3_column_int64(stmt, i), false, text);
			return escape_text(out, text, strlen(text));
		}
		strbuf_i64(out, sqlite3_column_int64(stmt, i));
		return out->len - start;
	case SQLITE_FLOAT:
		put_real(out, sqlite3_column_double(stmt, i));
		return out->len - start;
	case SQLITE_BLOB: {
		const void *p = sqlite3_column_blob(stmt, i);

		strbuf_hex(out, p, (size_t)sqlite3_column_bytes(stmt, i));
		return out->len - start;
	}
	default: {
		const void *p = sqlite3_column_text(stmt, i);

		return escape_text(out, p, (size_t)sqlite3_column_bytes(stmt, i));
	}
	}
}

/* RFC 4180; a text that a spreadsheet would calculate has a ' before it, as in the sink csv. */
static void put_csv(struct strbuf *out, const char *p, size_t len, bool text)
{
	bool quoted = false;
	size_t i;

	for (i = 0; i < len && !quoted; i++) {
		quoted = strchr(",;\"\n\r", p[i]) != NULL;
	}
	strbuf_str(out, quoted ? "\"" : "");
	if (text && len > 0 && strchr("=+-@", p[0]) != NULL) {
		strbuf_char(out, '\'');
	}
	for (i = 0; i < len; i++) {
		strbuf_str(out, p[i] == '"' ? "\"" : "");
		strbuf_char(out, p[i]);
	}
	strbuf_str(out, quoted ? "\"" : "");
}

static void put_csv_row(struct strbuf *out, sqlite3_stmt *stmt, struct strbuf *cell)
{
	int n = sqlite3_column_count(stmt);
	int i;

	for (i = 0; i < n; i++) {
		strbuf_clear(cell);
		(void)put_cell(cell, stmt, i, false);
		strbuf_str(out, i > 0 ? "," : "");
		put_csv(out, strbuf_text(cell), cell->len,
			sqlite3_column_type(stmt, i) == SQLITE_TEXT);
	}
	strbuf_str(out, "\r\n");
}

static void put_csv_names(struct strbuf *out, sqlite3_stmt *stmt)
{
	int n = sqlite3_column_count(stmt);
	int i;

	for (i = 0; i < n; i++) {
		const char *name = sqlite3_column_name(stmt, i);

		strbuf_str(out, i > 0 ? "," : "");
		put_csv(out, name, strlen(name), true);
	}
	strbuf_str(out, "\r\n");
}

/* ---- tables ---- */

struct table_cell {
	size_t at, len, columns;
	bool number;
};

struct table {
	struct strbuf text;
	struct table_cell *cells; /* of TABLE_ROWS + 1 rows; the first holds the names */
	size_t *widths;
	size_t ncolumns, nrows;
};

/* Durations that are shown with their units have no unit in their names. */
static void put_names(struct table *table, sqlite3_stmt *stmt, bool human)
{
	size_t i;

	table->nrows = 1;
	for (i = 0; i < table->ncolumns; i++) {
		const char *name = sqlite3_column_name(stmt, (int)i);
		struct table_cell *cell = &table->cells[i];

		cell->at = table->text.len;
		cell->columns = escape_text(&table->text, name,
					    strlen(name) - (human && ends_in(name, "_ns") ? 3 : 0));
		cell->len = table->text.len - cell->at;
		cell->number = false;
		table->widths[i] = cell->columns;
	}
}

static void put_table_row(struct table *table, sqlite3_stmt *stmt, bool human)
{
	size_t i;

	for (i = 0; i < table->ncolumns; i++) {
		struct table_cell *cell = &table->cells[table->nrows * table->ncolumns + i];
		int type = sqlite3_column_type(stmt, (int)i);

		cell->at = table->text.len;
		cell->columns = put_cell(&table->text, stmt, (int)i, human);
		cell->len = table->text.len - cell->at;
		cell->number = type == SQLITE_INTEGER || type == SQLITE_FLOAT;
		if (cell->columns > table->widths[i]) {
			table->widths[i] = cell->columns;
		}
	}
	table->nrows++;
}

static void put_blanks(struct strbuf *out, size_t n)
{
	for (; n > 0; n--) {
		strbuf_char(out, ' ');
	}
}

/* What was collected; a column's name stands as its numbers do. Without blanks at the ends of lines. */
static void put_table(struct table *table, struct strbuf *out)
{
	size_t row, i;

	for (row = 0; row < table->nrows; row++) {
		size_t pending = 0;

		for (i = 0; i < table->ncolumns; i++) {
			const struct table_cell *cell = &table->cells[row * table->ncolumns + i];
			size_t next =
				(row == 0 && table->nrows > 1 ? 1 : row) * table->ncolumns + i;
			size_t room = table->widths[i] - cell->columns;
			bool right = table->cells[next].number;

			if (cell->len > 0) {
				put_blanks(out, pending + (right ? room : 0));
				strbuf_add(out, table->text.p + cell->at, cell->len);
				pending = right ? 2 : room + 2;
			} else {
				pending += table->widths[i] + 2;
			}
		}
		strbuf_char(out, '\n');
	}
	strbuf_clear(&table->text);
	table->nrows = 0;
}

static int write_out(FILE *out, struct strbuf *text)
{
	size_t n = text->len == 0 ? 0 : fwrite(text->p, 1, text->len, out);
	int err = n == text->len && !text->failed ? 0 : -1;

	strbuf_clear(text);
	return err;
}

static int print_table(FILE *out, sqlite3_stmt *stmt, bool human)
{
	struct table table = {.ncolumns = (size_t)sqlite3_column_count(stmt)};
	struct strbuf text;
	int code, err = 0;

	strbuf_init(&table.text);
	strbuf_init(&text);
	table.cells = calloc((TABLE_ROWS + 1) * table.ncolumns + 1, sizeof(*table.cells));
	table.widths = calloc(table.ncolumns + 1, sizeof(*table.widths));
	if (table.cells == NULL || table.widths == NULL) {
		code = SQLITE_NOMEM;
		goto done;
	}
	put_names(&table, stmt, human);
	while (err == 0 && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		put_table_row(&table, stmt, human);
		if (table.nrows > TABLE_ROWS) {
			put_table(&table, &text);
			err = write_out(out, &text);
		}
	}
	if (err == 0) {
		put_table(&table, &text);
		err = table.text.failed ? -1 : write_out(out, &text);
	}
	code = err < 0 ? -1 : code;
done:
	strbuf_fini(&table.text);
	strbuf_fini(&text);
	free(table.cells);
	free(table.widths);
	return code;
}

int rows_print(FILE *out, sqlite3_stmt *stmt, enum rows_form form, bool human)
{
	struct strbuf text, cell;
	int code = SQLITE_DONE, err = 0;

	if (form == ROWS_TABLE) {
		code = print_table(out, stmt, human);
		return code != -1 && fflush(out) != 0 ? -1 : code;
	}
	strbuf_init(&text);
	strbuf_init(&cell);
	if (form == ROWS_CSV) {
		put_csv_names(&text, stmt);
	}
	while (err == 0 && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
		if (form == ROWS_CSV) {
			put_csv_row(&text, stmt, &cell);
		} else {
			rows_put_json(&text, stmt);
			strbuf_char(&text, '\n');
		}
		if (text.len >= PIECE) {
			err = write_out(out, &text);
		}
	}
	if (err == 0) {
		err = write_out(out, &text);
	}
	strbuf_fini(&text);
	strbuf_fini(&cell);
	return err < 0 || fflush(out) != 0 ? -1 : code;
}
