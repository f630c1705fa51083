/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_ask STORE RUNS [QUESTION | =FILTER]: how long each question to a store takes (store/reader.h).
 *
 * Each question is asked RUNS times about times and values that differ from run to run, as a dashboard does, on one connection. A line each:
 * name, basis, end, rows looked at (median), p50 and p95 in µs, p95 of the time on
 * the processor (the difference is waiting for it), tab-separated.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/time.h"
#include "engine/engine.h"
#include "store/reader.h"

enum { RUNS_MAX = 1000, RUNS_LEAST = 5 };

#define TIME_MAX_NS (4 * NS_PER_S)

struct asking {
	struct store_reader *reader;
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	struct store_span span;
	struct store_answer answer;
	unsigned run;
	char ids[64][27];
	size_t nids;
	const char *filter; /* of the command line */
};

static int64_t now_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static void fail(struct asking *asking, const char *what, int err)
{
	fprintf(stderr, "store_ask: %s: %d: %s\n", what, err, store_problem(asking->reader));
	exit(1);
}

/* The last 1/4, 1/2 or all of the time, less a little that differs. */
static struct store_scope scope_of(struct asking *asking)
{
	struct store_scope scope = {.filter = NULL};
	int64_t length = asking->span.last_ns - asking->span.first_ns;

	scope.to_ns = asking->span.last_ns - (int64_t)(asking->run % 7) * (length / 100);
	scope.from_ns = scope.to_ns - length / (1 << asking->run % 3) + 1;
	return scope;
}

static int take_id(void *context, const struct weir_record *rec, int64_t row)
{
	struct asking *asking = context;

	(void)row;
	if (asking->nids < 64 && weir_record_has(rec, WEIR_F_ID)) {
		memcpy(asking->ids[asking->nids++], rec->values[WEIR_F_ID].v.bytes, 26);
	}
	return 0;
}

static int ignore(void *context, const struct weir_record *rec, int64_t row)
{
	(void)context;
	(void)rec;
	(void)row;
	return 0;
}

static struct query *filter_of(struct asking *asking, const char *text)
{
	struct query_error error;
	struct query *query = NULL;
	int err = query_new(text, asking->schemas, &query, &error);

	if (err < 0) {
		fprintf(stderr, "store_ask: %s: %s\n", text, error.reason);
		exit(1);
	}
	return query;
}

/* ---- questions ---- */

static void table(struct asking *asking, enum store_by by, const char *text)
{
	struct store_scope scope = scope_of(asking);
	struct store_question question = {.by = by, .top = 50};
	struct store_groups groups;
	int err;

	scope.filter = text == NULL ? NULL : filter_of(asking, text);
	err = store_table(asking->reader, &scope, &question, &groups);
	if (err < 0) {
		fail(asking, "table", err);
	}
	asking->answer = groups.answer;
	store_groups_free(&groups);
	query_free(scope.filter);
}

static void series(struct asking *asking, enum store_by by, const char *text)
{
	struct store_scope scope = scope_of(asking);
	struct store_question question = {.by = by, .top = 10};
	struct store_groups groups;
	int err;

	scope.filter = text == NULL ? NULL : filter_of(asking, text);
	err = store_series(asking->reader, &scope, &question, &groups);
	if (err < 0) {
		fail(asking, "series", err);
	}
	asking->answer = groups.answer;
	store_groups_free(&groups);
	query_free(scope.filter);
}

static void page(struct asking *asking, enum store_sort sort, const char *text)
{
	struct store_scope scope = scope_of(asking);
	struct store_page ask = {.sort = sort,
				 .limit = 50,
				 .record = asking->nids < 64 ? take_id : ignore,
				 .context = asking};
	char cursor[STORE_CURSOR_MAX];
	int err;

	scope.filter = text == NULL ? NULL : filter_of(asking, text);
	err = store_page(asking->reader, &scope, &ask, cursor, &asking->answer);
	if (err < 0) {
		fail(asking, text == NULL ? "page" : text, err);
	}
	query_free(scope.filter);
}

static void ask_overview(struct asking *asking)
{
	table(asking, STORE_GROUP_NONE, NULL);
}
static void ask_services(struct asking *asking)
{
	table(asking, STORE_GROUP_SERVICE, NULL);
}
static void ask_endpoints(struct asking *asking)
{
	table(asking, STORE_GROUP_ENDPOINT, NULL);
}
static void ask_servers(struct asking *asking)
{
	table(asking, STORE_GROUP_SERVER, NULL);
}
static void ask_statuses(struct asking *asking)
{
	table(asking, STORE_GROUP_STATUS, NULL);
}
static void ask_endpoints_of(struct asking *asking)
{
	table(asking, STORE_GROUP_ENDPOINT, "type:http service:svc0*");
}
static void ask_clients(struct asking *asking)
{
	table(asking, STORE_GROUP_CLIENT, NULL);
}
static void ask_series(struct asking *asking)
{
	series(asking, STORE_GROUP_NONE, NULL);
}
static void ask_series_services(struct asking *asking)
{
	series(asking, STORE_GROUP_SERVICE, "type:http");
}
static void ask_series_path(struct asking *asking)
{
	series(asking, STORE_GROUP_NONE, "path:*7*");
}
static void ask_page(struct asking *asking)
{
	page(asking, STORE_NEWEST, NULL);
}
static void ask_page_old(struct asking *asking)
{
	page(asking, STORE_OLDEST, NULL);
}
static void ask_page_5xx(struct asking *asking)
{
	page(asking, STORE_NEWEST, "status>=500");
}
static void ask_page_endpoint(struct asking *asking)
{
	static const char *const texts[] = {"method:GET status:503", "service:*3* status:404",
					    "method:POST status:500,502",
					    "status:4xx method:DELETE"};

	page(asking, STORE_NEWEST, texts[asking->run % 4]);
}
static void ask_page_none(struct asking *asking)
{
	page(asking, STORE_NEWEST, asking->run % 2 == 0 ? "status:418" : "method:PROPFIND");
}
static void ask_page_slow(struct asking *asking)
{
	page(asking, STORE_NEWEST, "dur>10s");
}
static void ask_slowest(struct asking *asking)
{
	page(asking, STORE_SLOWEST, NULL);
}
static void ask_slowest_5xx(struct asking *asking)
{
	page(asking, STORE_SLOWEST, "status>=500");
}
static void ask_page_path(struct asking *asking)
{
	page(asking, STORE_NEWEST, "path:*999999*");
}
static void ask_page_regex(struct asking *asking)
{
	page(asking, STORE_NEWEST, "path:~\"/[0-9]*77777$\"");
}
static void ask_page_client(struct asking *asking)
{
	page(asking, STORE_NEWEST, "client:10.1.2.3");
}

static void ask_filter(struct asking *asking)
{
	page(asking, STORE_NEWEST, asking->filter);
}

static void ask_heatmap(struct asking *asking)
{
	struct store_scope scope = scope_of(asking);
	struct store_heatmap heatmap;
	int err = store_heatmap(asking->reader, &scope, 0, 4, &heatmap);

	if (err < 0) {
		fail(asking, "heatmap", err);
	}
	asking->answer = heatmap.answer;
	store_heatmap_free(&heatmap);
}

static void ask_terms(struct asking *asking)
{
	static const char *const fields[] = {"http.request.method", "http.response.status_code",
					     "service.name", "http.route", "server.address"};
	struct store_scope scope = scope_of(asking);
	struct store_terms terms;
	int err;

	scope.filter = filter_of(asking, "type:http");
	err = store_terms(asking->reader, &scope, fields, 5, 20, &terms);
	if (err < 0) {
		fail(asking, "terms", err);
	}
	asking->answer = terms.answer;
	store_terms_free(&terms);
	query_free(scope.filter);
}

static void ask_terms_any(struct asking *asking)
{
	static const char *const fields[] = {"user_agent.original", "client.address"};
	struct store_scope scope = scope_of(asking);
	struct store_terms terms;
	int err = store_terms(asking->reader, &scope, fields, 2, 20, &terms);

	if (err < 0) {
		fail(asking, "terms", err);
	}
	asking->answer = terms.answer;
	store_terms_free(&terms);
}

static void ask_compare(struct asking *asking)
{
	static const char *const fields[] = {"http.request.method", "service.name",
					     "server.address"};
	struct store_scope a = scope_of(asking), b = a;
	struct store_compare compare;
	int err;

	a.filter = filter_of(asking, "type:http");
	b.filter = a.filter;
	a.from_ns = a.from_ns + (a.to_ns - a.from_ns) / 2;
	b.to_ns = a.from_ns;
	err = store_compare(asking->reader, &a, &b, fields, 3, 20, &compare);
	if (err < 0) {
		fail(asking, "compare", err);
	}
	asking->answer = compare.answer_a;
	store_compare_free(&compare);
	query_free(a.filter);
}

static void ask_record(struct asking *asking)
{
	int err =
		store_record(asking->reader, asking->ids[asking->run % asking->nids], ignore, NULL);

	if (err < 0) {
		fail(asking, "record", err);
	}
	asking->answer = (struct store_answer){.basis = STORE_FROM_INDEX, .rows = 1};
}

static void ask_health(struct asking *asking)
{
	struct store_scope scope = scope_of(asking);
	struct store_health health;
	int err = store_health(asking->reader, &scope, &health);

	if (err < 0) {
		fail(asking, "health", err);
	}
	asking->answer = health.answer;
}

static const struct {
	const char *name;
	void (*ask)(struct asking *asking);
} questions[] = {
	{"first page, newest", ask_page},
	{"=", ask_filter},
	{"first page, oldest", ask_page_old},
	{"first page: status>=500", ask_page_5xx},
	{"first page: method and status", ask_page_endpoint},
	{"first page: a status that nothing has", ask_page_none},
	{"first page: dur>10s", ask_page_slow},
	{"slowest", ask_slowest},
	{"slowest: status>=500", ask_slowest_5xx},
	{"one record", ask_record},
	{"totals", ask_overview},
	{"table by service", ask_services},
	{"table by endpoint", ask_endpoints},
	{"table by server", ask_servers},
	{"table by status", ask_statuses},
	{"endpoints of some services", ask_endpoints_of},
	{"series", ask_series},
	{"series by service, type:http", ask_series_services},
	{"heatmap", ask_heatmap},
	{"terms of 5 fields, type:http", ask_terms},
	{"compare two times, 3 fields", ask_compare},
	{"health", ask_health},
	{"first page: client:10.1.2.3", ask_page_client},
	{"first page: path:*999999*", ask_page_path},
	{"first page: a regular expression", ask_page_regex},
	{"series: path:*7*", ask_series_path},
	{"table by client", ask_clients},
	{"terms of agent and client", ask_terms_any},
};

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void measure(struct asking *asking, size_t question, unsigned runs)
{
	int64_t times[RUNS_MAX], cpus[RUNS_MAX], rows[RUNS_MAX];
	enum store_basis basis = STORE_FROM_ROLLUPS;
	enum store_end end = STORE_COMPLETE;
	int64_t spent = 0;
	unsigned i;

	/* what takes seconds is asked less often */
	for (i = 0; i < runs && (i < RUNS_LEAST || spent < TIME_MAX_NS); i++) {
		int64_t begin = now_ns(CLOCK_MONOTONIC), cpu = now_ns(CLOCK_THREAD_CPUTIME_ID);

		asking->run = i;
		questions[question].ask(asking);
		times[i] = now_ns(CLOCK_MONOTONIC) - begin;
		cpus[i] = now_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
		spent += times[i];
		rows[i] = (int64_t)asking->answer.rows;
		basis = asking->answer.basis > basis ? asking->answer.basis : basis;
		end = asking->answer.end > end ? asking->answer.end : end;
	}
	runs = i;
	qsort(times, runs, sizeof(times[0]), by_number);
	qsort(cpus, runs, sizeof(cpus[0]), by_number);
	qsort(rows, runs, sizeof(rows[0]), by_number);
	printf("%s\t%s\t%s\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\t%" PRId64 "\n",
	       questions[question].name, store_basis_name(basis), store_end_name(end),
	       rows[runs / 2], times[runs / 2] / NS_PER_US,
	       times[(runs * 95 + 99) / 100 - 1] / NS_PER_US,
	       cpus[(runs * 95 + 99) / 100 - 1] / NS_PER_US);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	struct asking asking = {.nids = 0};
	char problem[STORE_PROBLEM_MAX];
	unsigned runs = argc > 2 ? (unsigned)atoi(argv[2]) : 0;
	size_t i;

	if (argc < 3 || runs < 1 || runs > RUNS_MAX) {
		fprintf(stderr, "usage: store_ask STORE RUNS [QUESTION | =FILTER]\n");
		return 2;
	}
	(void)engine_schemas(NULL, asking.schemas);
	if (store_reader_open(argv[1], asking.schemas, &asking.reader, problem) < 0 ||
	    store_span(asking.reader, &asking.span) < 0) {
		fprintf(stderr, "store_ask: %s\n", problem);
		return 1;
	}
	for (i = 0; i < sizeof(questions) / sizeof(questions[0]); i++) {
		bool own = questions[i].name[0] == '=';

		asking.filter = own && argc > 3 ? argv[3] + 1 : NULL;
		if (own ? argc > 3 && argv[3][0] == '='
			: argc < 4 || strstr(questions[i].name, argv[3]) != NULL || i == 0) {
			measure(&asking, i, runs);
		}
	}
	store_reader_free(asking.reader);
	return 0;
}
