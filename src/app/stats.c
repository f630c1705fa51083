/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir stats: see stats.h. Captures are read by a child process that drops its rights as any run does; this one keeps its own, to
 * read the store and remove it.
 */
#include "app/stats.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "app/ask.h"
#include "app/rows.h"
#include "app/run.h"
#include "store/reports.h"

enum { EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_DAMAGED = 3, EXIT_LOST = 4, MAX_REPORTS = 32 };

struct chosen {
	const struct report *reports[MAX_REPORTS];
	size_t n;
	bool json;
};

void stats_names(struct strbuf *out)
{
	size_t n, i;
	const struct report *reports = report_list(&n);

	for (i = 0; i < n; i++) {
		strbuf_printf(out, "%s%s", i > 0 ? " " : "", reports[i].name);
	}
}

/* ---- what is asked for ---- */

static int refuse(const char *what, const char *fix)
{
	struct strbuf names;

	strbuf_init(&names);
	stats_names(&names);
	fprintf(stderr, "weir: error: stats: %s\n  %s Reports: %s\n", what, fix,
		strbuf_text(&names));
	strbuf_fini(&names);
	return EXIT_USAGE;
}

/* "http,slow" */
static int choose(struct chosen *chosen, const char *names)
{
	while (true) {
		size_t len = strcspn(names, ",");
		const struct report *report = report_find(names, len);

		if (report == NULL || chosen->n == MAX_REPORTS) {
			char what[96];

			(void)snprintf(what, sizeof(what), "there is no report \"%.*s\"",
				       (int)(len > 40 ? 40 : len), names);
			return refuse(what, "weir stats http,slow FILE.");
		}
		chosen->reports[chosen->n++] = report;
		if (names[len] == '\0') {
			return 0;
		}
		names += len + 1;
	}
}

/* ---- printing ---- */

static int complain(struct store *store, const char *report, int code)
{
	if (code == -1) {
		if (errno == EPIPE) {
			return 0;
		}
		fprintf(stderr, "weir: error: cannot write: %s\n", strerror(errno));
	} else {
		fprintf(stderr, "weir: error: stats: %s: %s\n", report, sqlite3_errmsg(store->db));
	}
	return EXIT_ERROR;
}

static int print_section(struct store *store, const struct report *report,
			 const struct report_section *section, bool first)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(store->db, section->sql, -1, &stmt, NULL);

	if (code == SQLITE_OK) {
		printf("%s%s%s%s%s\n", first ? "" : "\n", report->name,
		       strcmp(section->name, report->name) == 0 ? "" : ": ",
		       strcmp(section->name, report->name) == 0 ? "" : section->name,
		       report_is_top(section) ? " (20 at most)" : "");
		code = rows_print(stdout, stmt, ROWS_TABLE, true);
	}
	code = code == SQLITE_DONE ? 0 : complain(store, report->name, code);
	(void)sqlite3_finalize(stmt);
	return code;
}

static int put_section(struct store *store, const struct report *report,
		       const struct report_section *section, struct strbuf *out)
{
	sqlite3_stmt *stmt = NULL;
	int code = sqlite3_prepare_v2(store->db, section->sql, -1, &stmt, NULL);
	bool first = true;

	strbuf_printf(out, "\"%s\":[", section->name);
	while (code == SQLITE_OK || code == SQLITE_ROW) {
		code = sqlite3_step(stmt);
		if (code == SQLITE_ROW) {
			strbuf_str(out, first ? "" : ",");
			rows_put_json(out, stmt);
			first = false;
		}
	}
	strbuf_char(out, ']');
	code = code == SQLITE_DONE ? 0 : complain(store, report->name, code);
	(void)sqlite3_finalize(stmt);
	return code;
}

static int print_json(struct store *store, const struct chosen *chosen)
{
	struct strbuf out;
	int status = 0;
	size_t i, k;

	strbuf_init(&out);
	strbuf_char(&out, '{');
	for (i = 0; i < chosen->n && status == 0; i++) {
		const struct report *report = chosen->reports[i];

		strbuf_printf(&out, "%s\"%s\":{", i > 0 ? "," : "", report->name);
		for (k = 0; k < REPORT_SECTIONS && report->sections[k].name != NULL && status == 0;
		     k++) {
			strbuf_str(&out, k > 0 ? "," : "");
			status = put_section(store, report, &report->sections[k], &out);
		}
		strbuf_char(&out, '}');
	}
	strbuf_str(&out, "}\n");
	if (status == 0 &&
	    (out.failed || fwrite(out.p, 1, out.len, stdout) != out.len || fflush(stdout) != 0)) {
		status = complain(store, "json", -1);
	}
	strbuf_fini(&out);
	return status;
}

static int print_reports(const char *path, const char *shown, const struct chosen *chosen)
{
	struct store store;
	int status = 0;
	int err = store_open_readonly(&store, path);
	size_t i, k;

	if (err < 0) {
		ask_complain(shown, &store, err);
		return EXIT_ERROR;
	}
	if (report_functions(&store) < 0) {
		fprintf(stderr, "weir: error: out of memory\n");
		status = EXIT_ERROR;
	} else if (chosen->json) {
		status = print_json(&store, chosen);
	}
	for (i = 0; i < chosen->n && status == 0 && !chosen->json; i++) {
		const struct report *report = chosen->reports[i];

		for (k = 0; k < REPORT_SECTIONS && report->sections[k].name != NULL && status == 0;
		     k++) {
			status = print_section(&store, report, &report->sections[k],
					       i == 0 && k == 0);
		}
	}
	store_close(&store);
	return status;
}

/* ---- captures ---- */

/* Read them into a store. @return exit status of that run */
static int read_captures(struct options *options, const char *path)
{
	char sink[512];
	pid_t child;
	int status;
	size_t i;

	(void)snprintf(sink, sizeof(sink), "sqlite:%s", path);
	options->noutputs = 0;
	options->outputs[options->noutputs++] = sink;
	options->ninputs = 0;
	for (i = 1; i < options->nwords; i++) {
		options->inputs[options->ninputs++] = options->words[i];
	}
	options->quiet = true;
	options->config.bodies = WEIR_BODIES_SIZE;
	(void)fflush(NULL);
	child = fork();
	if (child == 0) {
		_exit(run(options));
	}
	(void)signal(SIGINT, SIG_IGN); /* it ends the reading; what was read is reported */
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR) {
	}
	(void)signal(SIGINT, SIG_DFL);
	return child < 0 || !WIFEXITED(status) ? EXIT_ERROR : WEXITSTATUS(status);
}

static int report_captures(struct options *options, const struct chosen *chosen)
{
	static const char *const ends[] = {"", "-wal", "-shm"};
	const char *parent = getenv("TMPDIR");
	char dir[256], path[280], file[290];
	int status, printed;
	size_t i;

	(void)snprintf(dir, sizeof(dir), "%s/weir-stats-XXXXXX",
		       parent == NULL || parent[0] == '\0' ? "/tmp" : parent);
	if (mkdtemp(dir) == NULL) {
		fprintf(stderr, "weir: error: cannot make %s: %s\n  TMPDIR names another place.\n",
			dir, strerror(errno));
		return EXIT_ERROR;
	}
	(void)snprintf(path, sizeof(path), "%s/store.db", dir);
	status = read_captures(options, path);
	if (status == 0 || status == EXIT_DAMAGED || status == EXIT_LOST) {
		printed = print_reports(path, options->words[1], chosen);
		status = printed != 0 ? printed : status;
	}
	for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		(void)snprintf(file, sizeof(file), "%s%s", path, ends[i]);
		(void)unlink(file);
	}
	(void)rmdir(dir);
	return status;
}

int stats_run(struct options *options)
{
	struct chosen chosen = {.n = 0};
	bool json = options->noutputs == 1 && (strcmp(options->outputs[0], "json:-") == 0 ||
					       strcmp(options->outputs[0], "json") == 0);
	int status;
	size_t i;

	if (options->nwords < 2 || options->nwords > OPTIONS_MAX_INPUTS) {
		return refuse("takes reports and files", "weir stats http,slow FILE.");
	}
	if (options->noutputs > 0 && !json) {
		return refuse("prints text, or JSON with --json", "Leave -o out.");
	}
	chosen.json = json;
	status = choose(&chosen, options->words[0]);
	if (status != 0) {
		return status;
	}
	for (i = 1; i < options->nwords; i++) {
		if (!store_is_one(options->words[i])) {
			continue;
		}
		if (options->nwords > 2) {
			return refuse("a store is reported on alone", "One store, or captures.");
		}
		if (options->display_filter != NULL) {
			return refuse("-Y is for captures", "weir query takes any condition.");
		}
		return print_reports(options->words[1], options->words[1], &chosen);
	}
	return report_captures(options, &chosen);
}
