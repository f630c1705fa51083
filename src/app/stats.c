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
#include "app/caret.h"
#include "app/exit_status.h"
#include "app/reports.h"
#include "app/run.h"
#include "engine/engine.h"
#include "store/store.h"
#include "weir/error.h"

enum { MAX_REPORTS = 32, DEFAULT_TOP = 20 };

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

static int write_out(struct strbuf *out)
{
	if (out->failed) {
		fprintf(stderr, "weir: error: out of memory\n");
		return EXIT_ERROR;
	}
	if (fwrite(out->p, 1, out->len, stdout) != out->len || fflush(stdout) != 0) {
		if (errno == EPIPE) {
			return 0;
		}
		fprintf(stderr, "weir: error: cannot write: %s\n", strerror(errno));
		return EXIT_ERROR;
	}
	strbuf_clear(out);
	return 0;
}

static int complain(const struct reporting *reporting, int err)
{
	const char *problem = store_problem(reporting->reader);

	fprintf(stderr, "weir: error: stats: %s: %s\n%s", reporting->report,
		problem[0] != '\0' ? problem : weir_strerror(err),
		err == WEIR_EINVAL
			? "  docs/query.md lists the fields; --by takes one, or service, "
			  "endpoint, server, client, protocol, status, statement.\n"
			: "");
	return err == WEIR_EINVAL ? EXIT_USAGE : EXIT_ERROR;
}

static int put_reports(struct reporting *reporting, const struct chosen *chosen)
{
	int status = 0, err;
	size_t i;

	strbuf_str(&reporting->out, chosen->json ? "{" : "");
	for (i = 0; i < chosen->n && status == 0; i++) {
		err = report_put(reporting, chosen->reports[i]);
		if (err < 0) {
			return complain(reporting, err);
		}
		status = chosen->json ? 0 : write_out(&reporting->out);
	}
	strbuf_str(&reporting->out, chosen->json ? "}\n" : "");
	return status == 0 ? write_out(&reporting->out) : status;
}

/* The filter is that of the questions; what is wrong with it is told as it is of a run. */
static int check_filter(const char *filter, const struct weir_schema *const *schemas)
{
	struct query_error error;
	struct query *query = NULL;
	int err = filter == NULL ? 0 : query_new(filter, schemas, &query, &error);

	query_free(query);
	if (err == WEIR_EINVAL) {
		caret_print(&(struct caret){
			.kind = "record filter",
			.text = filter,
			.offset = error.offset,
			.length = error.length,
			.reason = error.reason,
			.suggestion = error.suggestion,
			.more = "The language is described in weir(1), RECORD FILTERS."});
		return EXIT_USAGE;
	}
	return err < 0 ? EXIT_ERROR : 0;
}

static int print_reports(const char *path, const char *shown, const struct chosen *chosen,
			 const struct options *options, const char *filter)
{
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	struct reporting reporting = {.schemas = schemas,
				      .filter = filter,
				      .by = options->by,
				      .top = options->top == 0 ? DEFAULT_TOP : options->top,
				      .json = chosen->json};
	char problem[STORE_PROBLEM_MAX];
	int status, err;

	(void)engine_schemas(NULL, schemas);
	status = check_filter(filter, schemas);
	if (status != 0) {
		return status;
	}
	err = store_reader_open(path, schemas, &reporting.reader, problem);
	if (err < 0) {
		ask_complain(shown, problem, err);
		return EXIT_ERROR;
	}
	strbuf_init(&reporting.out);
	strbuf_init(&reporting.answers);
	sheet_init(&reporting.sheet);
	status = put_reports(&reporting, chosen);
	sheet_fini(&reporting.sheet);
	strbuf_fini(&reporting.answers);
	strbuf_fini(&reporting.out);
	store_reader_free(reporting.reader);
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
		printed = print_reports(path, options->words[1], chosen, options, NULL);
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
	for (i = 0; i < chosen.n && status == 0; i++) {
		if (options->by != NULL && !chosen.reports[i]->takes_by) {
			status = refuse("one of the reports has no groups", "Leave --by out.");
		}
	}
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
		return print_reports(options->words[1], options->words[1], &chosen, options,
				     options->display_filter);
	}
	return report_captures(options, &chosen);
}
