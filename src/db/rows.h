/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first rows of a result, with --bodies=keep: a list of column names and a list of lines as RFC 4180 has them. NULL is nothing, an
 * empty text is "" (as PostgreSQL's COPY writes them). Bounded in rows, columns and bytes: what does not fit is only counted, as all
 * rows are without --bodies=keep. Values of columns that have a secret's name are masked here; so rows whose columns are not known
 * are not kept.
 */
#ifndef DB_ROWS_H
#define DB_ROWS_H

#include "db/db.h"

enum {
	DB_COLUMNS_MAX = 64,
	DB_ROWS_MAX = 32,
	DB_ROW_MAX = 1024,   /* bytes of a line */
	DB_ROW_PREFIX = 2048 /* bytes of a row on the wire that are worth looking at for it */
};

/* A line under way; on the stack. */
struct db_row {
	size_t len;
	size_t nvalues;
	uint64_t secret; /* columns */
	bool full;       /* something did not fit */
	char p[DB_ROW_MAX];
};

/** Are more rows (columns) of this exchange's result wanted? It is the parser's to ask for the first result only. */
bool db_wants_row(const struct db *db, const struct db_exchange *ex);
bool db_wants_column(const struct db *db, const struct db_exchange *ex);

void db_row_init(struct db_row *row, const struct db *db, const struct db_exchange *ex);
/** The next value of the line; p NULL: a NULL. */
void db_row_value(struct db_row *row, const void *p, size_t len);
/** The line is complete. */
void db_row_add(struct db_exchange *ex, const struct db_row *row);
void db_column_add(struct db_exchange *ex, const void *name, size_t len);

#endif
