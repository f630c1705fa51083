/* SPDX-License-Identifier: Apache-2.0 */
/* weir query: see ask.h. */
#include "app/ask.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "app/exit_status.h"
#include "app/fix.h"
#include "app/rows.h"
#include "store/store.h"
#include "weir/error.h"

/* --json, -o csv; a table else. @return below 0: neither */
static int form_of(const struct options *options)
{
	if (options->noutputs == 0) {
		return ROWS_TABLE;
	}
	if (options->noutputs == 1 && (strcmp(options->outputs[0], "json:-") == 0 ||
				       strcmp(options->outputs[0], "json") == 0)) {
		return ROWS_JSON;
	}
	if (options->noutputs == 1 && (strcmp(options->outputs[0], "csv:-") == 0 ||
				       strcmp(options->outputs[0], "csv") == 0)) {
		return ROWS_CSV;
	}
	return -1;
}

void ask_complain(const char *path, const char *problem, int err)
{
	const char *fix = err == WEIR_EIO ? fix_of_errno(errno) : "";

	fprintf(stderr, "weir: error: %s: %s%s%s\n%s%s%s", path, problem,
		err == WEIR_EIO ? ": " : "", err == WEIR_EIO ? strerror(errno) : "",
		fix[0] != '\0' ? "  " : "", fix, fix[0] != '\0' ? "\n" : "");
}

/* Is there a second statement behind the first? */
static bool has_more(const char *tail)
{
	return tail != NULL && tail[strspn(tail, " \t\r\n;")] != '\0';
}

static int answer(struct store *store, const char *sql, enum rows_form form)
{
	sqlite3_stmt *stmt = NULL;
	const char *tail = NULL;
	int code = sqlite3_prepare_v2(store->db, sql, -1, &stmt, &tail);
	int status = 0;

	if (code == SQLITE_OK && (stmt == NULL || has_more(tail))) {
		fprintf(stderr, "weir: error: query: not one statement\n"
				"  Give one SELECT, in quotes.\n");
		status = EXIT_USAGE;
	} else if (code == SQLITE_AUTH || (code == SQLITE_OK && sqlite3_stmt_readonly(stmt) == 0)) {
		fprintf(stderr, "weir: error: query: it would change something\n"
				"  Stores are only read by weir query: SELECT is what there is.\n");
		status = EXIT_USAGE;
	} else if (code != SQLITE_OK) {
		fprintf(stderr,
			"weir: error: query: %s\n  Record types are views (http, tcp, anomaly "
			"...). "
			"Columns: PRAGMA table_info(http)\n",
			sqlite3_errmsg(store->db));
		status = EXIT_USAGE;
	} else {
		code = rows_print(stdout, stmt, form, false);
		if (code == -1 && errno != EPIPE) {
			fprintf(stderr, "weir: error: cannot write: %s\n", strerror(errno));
		} else if (code != -1 && code != SQLITE_DONE) {
			fprintf(stderr, "weir: error: query: %s\n", sqlite3_errmsg(store->db));
		}
		status = code == SQLITE_DONE || (code == -1 && errno == EPIPE) ? 0 : EXIT_ERROR;
	}
	(void)sqlite3_finalize(stmt);
	return status;
}

int ask_run(const struct options *options)
{
	int form = form_of(options);
	struct store store;
	int status, err;

	if (options->nwords != 2 || form < 0) {
		fprintf(stderr,
			"weir: error: query %s\n"
			"  weir query [--json | -o csv] STORE 'SELECT url_full, duration_ns FROM "
			"http'\n",
			form < 0 ? "prints a table, JSON or CSV" : "takes a store and a statement");
		return EXIT_USAGE;
	}
	err = store_open_readonly(&store, options->words[0]);
	if (err < 0) {
		ask_complain(options->words[0], store.message, err);
		return EXIT_ERROR;
	}
	status = answer(&store, options->words[1], (enum rows_form)form);
	store_close(&store);
	return status;
}
