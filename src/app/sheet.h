/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows and columns on the way to the terminal or into JSON: what reports are written with. Nothing captured reaches the output unescaped.
 *
 *	sheet_begin(&sheet, columns); { sheet_number(); sheet_text(); ... one a column, row after row } sheet_print() or sheet_put_json()
 */
#ifndef APP_SHEET_H
#define APP_SHEET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"

enum sheet_kind {
	SHEET_TEXT,
	SHEET_NUMBER,
	SHEET_DURATION, /* ns; for people with a unit, its name then without _ns */
	SHEET_TIME,     /* ns since the epoch */
	SHEET_PERCENT,  /* one decimal */
	SHEET_BAR       /* of the largest of its column; for people only */
};

struct sheet_column {
	const char *name; /* NULL: no more */
	enum sheet_kind kind;
};

struct sheet_cell {
	bool there;
	int64_t number; /* SHEET_PERCENT: tenths */
	size_t at, len; /* SHEET_TEXT */
};

struct sheet {
	const struct sheet_column *columns;
	size_t ncolumns;
	struct sheet_cell *cells;
	size_t ncells, room;
	struct strbuf text;
	bool failed;
};

void sheet_init(struct sheet *sheet);
void sheet_fini(struct sheet *sheet);

/** Begin anew. columns are borrowed; the last has no name. */
void sheet_begin(struct sheet *sheet, const struct sheet_column *columns);

void sheet_number(struct sheet *sheet, int64_t number);
/** p NULL: absent */
void sheet_text(struct sheet *sheet, const void *p, size_t len);
void sheet_absent(struct sheet *sheet);

/** As a table with its columns' names, for people. */
void sheet_put_table(const struct sheet *sheet, struct strbuf *out);
/** As an array of objects. */
void sheet_put_json(const struct sheet *sheet, struct strbuf *out);

#endif
