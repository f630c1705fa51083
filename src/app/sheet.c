/* SPDX-License-Identifier: Apache-2.0 */
/* Rows and columns as text: see sheet.h. */
#include "app/sheet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "sink/escape.h"
#include "sink/human.h"
#include "sink/json_record.h"

enum { BAR = 30 };

void sheet_init(struct sheet *sheet)
{
	memset(sheet, 0, sizeof(*sheet));
	strbuf_init(&sheet->text);
}

void sheet_fini(struct sheet *sheet)
{
	free(sheet->cells);
	strbuf_fini(&sheet->text);
}

void sheet_begin(struct sheet *sheet, const struct sheet_column *columns)
{
	sheet->columns = columns;
	sheet->ncells = 0;
	strbuf_clear(&sheet->text);
	for (sheet->ncolumns = 0; columns[sheet->ncolumns].name != NULL; sheet->ncolumns++) {
	}
}

/* The next cell, absent for now. */
static struct sheet_cell *add(struct sheet *sheet)
{
	static struct sheet_cell nowhere;

	if (sheet->ncells == sheet->room) {
		size_t room = sheet->room == 0 ? 64 : 2 * sheet->room;
		struct sheet_cell *grown = reallocarray(sheet->cells, room, sizeof(*grown));

		if (grown == NULL) {
			sheet->failed = true;
			return &nowhere;
		}
		sheet->cells = grown;
		sheet->room = room;
	}
	memset(&sheet->cells[sheet->ncells], 0, sizeof(sheet->cells[0]));
	return &sheet->cells[sheet->ncells++];
}

void sheet_number(struct sheet *sheet, int64_t number)
{
	struct sheet_cell *cell = add(sheet);

	cell->there = true;
	cell->number = number;
}

void sheet_text(struct sheet *sheet, const void *p, size_t len)
{
	struct sheet_cell *cell = add(sheet);

	cell->there = p != NULL;
	cell->at = sheet->text.len;
	cell->len = p == NULL ? 0 : len;
	if (cell->len > 0) {
		strbuf_add(&sheet->text, p, len);
	}
}

void sheet_absent(struct sheet *sheet)
{
	(void)add(sheet);
}

/* ---- cells as text ---- */

static void put_time(struct strbuf *out, int64_t ns, bool human)
{
	char text[TIME_RFC3339_LEN];

	time_rfc3339(ns, text);
	if (human) {
		/* to hundredths of a second */
		strbuf_add(out, text, 22);
		strbuf_char(out, 'Z');
	} else {
		strbuf_add(out, text, sizeof(text));
	}
}

static int64_t largest(const struct sheet *sheet, size_t column)
{
	int64_t most = 0;
	size_t i;

	for (i = column; i < sheet->ncells; i += sheet->ncolumns) {
		most = sheet->cells[i].number > most ? sheet->cells[i].number : most;
	}
	return most;
}

static void put_bar(struct strbuf *out, int64_t n, int64_t most)
{
	/* something is at least one sign */
	int64_t len = most > 0 ? (int64_t)(((__int128)BAR * n + most - 1) / most) : 0;

	for (; len > 0; len--) {
		strbuf_char(out, '#');
	}
}

static void put_tenths(struct strbuf *out, int64_t tenths)
{
	strbuf_printf(out, "%lld.%lld", (long long)(tenths / 10), (long long)(tenths % 10));
}

/* @return columns on the terminal */
static size_t put_cell(const struct sheet *sheet, size_t i, int64_t most, struct strbuf *out)
{
	const struct sheet_cell *cell = &sheet->cells[i];
	char text[HUMAN_LEN];
	size_t start = out->len;

	if (!cell->there) {
		return 0;
	}
	assert(sheet->ncolumns > 0);
	switch (sheet->columns[i % sheet->ncolumns].kind) {
	case SHEET_TEXT:
		return escape_text(out, sheet->text.p + cell->at, cell->len);
	case SHEET_NUMBER:
		strbuf_i64(out, cell->number);
		break;
	case SHEET_DURATION:
		human_duration(cell->number, false, text);
		return escape_text(out, text, strlen(text));
	case SHEET_TIME:
		put_time(out, cell->number, true);
		break;
	case SHEET_PERCENT:
		put_tenths(out, cell->number);
		break;
	case SHEET_BAR:
		put_bar(out, cell->number, most);
		break;
	}
	return out->len - start;
}

/* ---- tables ---- */

static size_t put_name(const struct sheet_column *column, struct strbuf *out)
{
	size_t len = strlen(column->name);

	if (column->kind == SHEET_BAR) {
		return 0;
	}
	/* a duration is shown with its unit */
	len -= column->kind == SHEET_DURATION && len > 3 ? 3 : 0;
	strbuf_add(out, column->name, len);
	return len;
}

static bool is_right(const struct sheet_column *column)
{
	return column->kind == SHEET_NUMBER || column->kind == SHEET_DURATION ||
	       column->kind == SHEET_PERCENT;
}

/* One line: `cells` of them, at most; without blanks at its end. */
static void put_line(const struct sheet *sheet, size_t from, bool names, const size_t *widths,
		     const int64_t *most, struct strbuf *out)
{
	size_t pending = 0, i;
	struct strbuf cell;

	strbuf_init(&cell);
	for (i = 0; i < sheet->ncolumns; i++) {
		const struct sheet_column *column = &sheet->columns[i];
		size_t columns, room;

		strbuf_clear(&cell);
		columns =
			names ? put_name(column, &cell) : put_cell(sheet, from + i, most[i], &cell);
		room = widths[i] - columns;
		if (cell.len == 0) {
			pending += widths[i] + 2;
			continue;
		}
		for (pending += is_right(column) ? room : 0; pending > 0; pending--) {
			strbuf_char(out, ' ');
		}
		strbuf_add(out, cell.p, cell.len);
		pending = is_right(column) ? 2 : room + 2;
	}
	strbuf_char(out, '\n');
	out->failed |= cell.failed;
	strbuf_fini(&cell);
}

void sheet_put_table(const struct sheet *sheet, struct strbuf *out)
{
	size_t *widths = calloc(sheet->ncolumns + 1, sizeof(*widths));
	int64_t *most = calloc(sheet->ncolumns + 1, sizeof(*most));
	struct strbuf cell;
	size_t i;

	strbuf_init(&cell);
	if (widths == NULL || most == NULL || sheet->failed) {
		out->failed = true;
	}
	for (i = 0; !out->failed && i < sheet->ncolumns; i++) {
		widths[i] = put_name(&sheet->columns[i], &cell);
		most[i] = sheet->columns[i].kind == SHEET_BAR ? largest(sheet, i) : 0;
	}
	for (i = 0; !out->failed && i < sheet->ncells; i++) {
		size_t column = i % (sheet->ncolumns > 0 ? sheet->ncolumns : 1), columns;

		strbuf_clear(&cell);
		columns = put_cell(sheet, i, most[column], &cell);
		widths[column] = columns > widths[column] ? columns : widths[column];
	}
	if (!out->failed) {
		put_line(sheet, 0, true, widths, most, out);
	}
	for (i = 0; !out->failed && i < sheet->ncells; i += sheet->ncolumns) {
		put_line(sheet, i, false, widths, most, out);
	}
	strbuf_fini(&cell);
	free(widths);
	free(most);
}

/* ---- JSON ---- */

static void put_json_cell(const struct sheet *sheet, size_t i, struct strbuf *out)
{
	const struct sheet_cell *cell = &sheet->cells[i];

	if (!cell->there) {
		strbuf_str(out, "null");
		return;
	}
	switch (sheet->columns[i % sheet->ncolumns].kind) {
	case SHEET_TEXT:
		(void)json_write_string(out, cell->len == 0 ? "" : sheet->text.p + cell->at,
					cell->len);
		break;
	case SHEET_TIME:
		strbuf_char(out, '"');
		put_time(out, cell->number, false);
		strbuf_char(out, '"');
		break;
	case SHEET_PERCENT:
		put_tenths(out, cell->number);
		break;
	case SHEET_NUMBER:
	case SHEET_DURATION:
	case SHEET_BAR:
		strbuf_i64(out, cell->number);
		break;
	}
}

void sheet_put_json(const struct sheet *sheet, struct strbuf *out)
{
	size_t i, k;

	strbuf_char(out, '[');
	for (i = 0; i < sheet->ncells; i += sheet->ncolumns) {
		bool first = true;

		strbuf_str(out, i > 0 ? ",{" : "{");
		for (k = 0; k < sheet->ncolumns && i + k < sheet->ncells; k++) {
			if (sheet->columns[k].kind == SHEET_BAR) {
				continue;
			}
			strbuf_printf(out, "%s\"%s\":", first ? "" : ",", sheet->columns[k].name);
			put_json_cell(sheet, i + k, out);
			first = false;
		}
		strbuf_char(out, '}');
	}
	strbuf_char(out, ']');
	out->failed |= sheet->failed;
}
