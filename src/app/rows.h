/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a question to a store answers, printed: a table for people, one JSON object a line, or CSV. Nothing captured reaches the
 * output unescaped in any of them.
 */
#ifndef APP_ROWS_H
#define APP_ROWS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/strbuf.h"

enum rows_form { ROWS_TABLE, ROWS_JSON, ROWS_CSV };

/**
 * Run a statement and print its rows. Columns of a table whose name ends in _ns are shown as durations when `human`.
 * @return SQLITE_DONE, or the code of what went wrong; -1: the output could not be written (errno)
 */
int rows_print(FILE *out, sqlite3_stmt *stmt, enum rows_form form, bool human);

/** The current row as a JSON object; columns without a name are for people only. */
void rows_put_json(struct strbuf *out, sqlite3_stmt *stmt);

#endif
