/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of figures, and the list of all: see reports.h. Times are those of capture; a transaction without a response has no duration and no status. */
#include "app/reports_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record/record.h"
#include "weir/error.h"

enum {
	EXACT_ROWS =
		2000000, /* so many records are looked at; beyond, rollups answer where there are some */
};

/* ---- small things ---- */

/* The texts of a group as one. */
static void report_join(struct sheet *sheet, const struct store_text *keys, unsigned n)
{
	struct strbuf text;
	unsigned i;

	strbuf_init(&text);
	for (i = 0; i < n; i++) {
		strbuf_str(&text, i > 0 ? " " : "");
		if (keys[i].p == NULL) {
			strbuf_char(&text, '-');
		} else {
			strbuf_add(&text, keys[i].p, keys[i].len);
		}
	}
	sheet_text(sheet, strbuf_text(&text), text.len);
	strbuf_fini(&text);
}

static void report_part(struct sheet *sheet, const char *name, int64_t ns, int64_t of)
{
	sheet_text(sheet, name, strlen(name));
	sheet_number(sheet, ns);
	if (of > 0 && ns >= 0) {
		sheet_number(sheet, (int64_t)((__int128)ns * 1000 / of));
	} else {
		sheet_absent(sheet);
	}
}

/* ---- sections ---- */

static bool is_own(const struct reporting *reporting, const char *section)
{
	return strcmp(section, reporting->report) == 0;
}

/* What of the answer a reader must know; nothing when it is of all records, exactly. */
static void put_note(struct reporting *reporting, const struct store_answer *answer)
{
	struct strbuf *out = &reporting->out;

	if (answer->end != STORE_COMPLETE) {
		strbuf_printf(out, ", of the newest %llu records only",
			      (unsigned long long)answer->rows);
	}
	if (answer->basis == STORE_FROM_ROLLUPS) {
		strbuf_printf(out, ", from rollups: percentiles within %.1f %%",
			      answer->error * 100);
	} else if (answer->error > 0) {
		strbuf_printf(out, ", percentiles within %.1f %%", answer->error * 100);
	}
	if (answer->limited > 0) {
		strbuf_printf(out, ", %llu comparisons of the filter given up",
			      (unsigned long long)answer->limited);
	}
}

static void put_answer(struct reporting *reporting, const char *section,
		       const struct store_answer *answer)
{
	strbuf_printf(&reporting->answers,
		      "%s\"%s\":{\"basis\":\"%s\",\"end\":\"%s\",\"rows\":%llu,\"error\":%.4f}",
		      reporting->sections > 0 ? "," : "", section, store_basis_name(answer->basis),
		      store_end_name(answer->end), (unsigned long long)answer->rows, answer->error);
}

/* The sheet is full. top: a list that was cut there, as far as is known */
void report_section(struct reporting *reporting, const char *section,
		    const struct store_answer *answer, bool top)
{
	struct strbuf *out = &reporting->out;

	if (reporting->json) {
		put_answer(reporting, section, answer);
		strbuf_printf(out, "%s\"%s\":", reporting->sections > 0 ? "," : "", section);
		sheet_put_json(&reporting->sheet, out);
	} else {
		strbuf_printf(out, "%s%s%s%s", reporting->begun ? "\n" : "", reporting->report,
			      is_own(reporting, section) ? "" : ": ",
			      is_own(reporting, section) ? "" : section);
		if (top) {
			strbuf_printf(out, " (%zu at most)", reporting->top);
		}
		put_note(reporting, answer);
		strbuf_char(out, '\n');
		sheet_put_table(&reporting->sheet, out);
	}
	reporting->begun = true;
	reporting->sections++;
}

/* ---- asking ---- */

/* What a section is about: the user's filter and its own. Freed by query_free(scope.filter). */
int report_scope(const struct reporting *reporting, const char *own, struct store_scope *ret)
{
	struct query_error error;
	struct strbuf text;
	int err = 0;

	memset(ret, 0, sizeof(*ret));
	ret->exact = true;
	ret->limits.rows = EXACT_ROWS;
	strbuf_init(&text);
	if (reporting->filter != NULL && reporting->filter[0] != '\0') {
		strbuf_printf(&text, "(%s) ", reporting->filter);
	}
	strbuf_str(&text, own == NULL ? "" : own);
	if (text.len > 0) {
		err = query_new(strbuf_text(&text), reporting->schemas, &ret->filter, &error);
	}
	strbuf_fini(&text);
	return err;
}

static void key(struct sheet *sheet, const struct store_text *text)
{
	sheet_text(sheet, text->p, text->len);
}

static void put_counts(struct sheet *sheet, const struct store_red *red)
{
	sheet_number(sheet, (int64_t)red->count);
	sheet_number(sheet, (int64_t)red->refused);
	sheet_number(sheet, (int64_t)red->failed);
	sheet_number(sheet, (int64_t)red->unanswered);
}

void report_duration(struct sheet *sheet, const struct store_red *red, int64_t ns)
{
	if (red->timed > 0) {
		sheet_number(sheet, ns);
	} else {
		sheet_absent(sheet);
	}
}

void report_durations(struct sheet *sheet, const struct store_red *red)
{
	report_duration(sheet, red, red->p50_ns);
	report_duration(sheet, red, red->p95_ns);
	report_duration(sheet, red, red->p99_ns);
	report_duration(sheet, red, red->max_ns);
}

/* A table of groups: their texts, counts, and durations. `columns` names all of them. skip: keys that are not shown */
static int put_table(struct reporting *reporting, const char *section, const char *filter,
		     const struct store_question *question, const struct sheet_column *columns,
		     unsigned skip)
{
	struct store_groups groups;
	struct store_scope scope;
	size_t i, k;
	int err = report_scope(reporting, filter, &scope);

	if (err == 0) {
		err = store_table(reporting->reader, &scope, question, &groups);
		query_free(scope.filter);
	}
	if (err != 0) {
		return err;
	}
	sheet_begin(&reporting->sheet, columns);
	for (i = 0; i < groups.ngroups; i++) {
		const struct store_group *group = &groups.groups[i];

		if (question->order == STORE_ORDER_ERRORS &&
		    group->red.failed + group->red.refused + group->red.unanswered == 0) {
			continue;
		}
		for (k = skip; k < groups.nkeys; k++) {
			key(&reporting->sheet, &group->keys[k]);
		}
		put_counts(&reporting->sheet, &group->red);
		report_durations(&reporting->sheet, &group->red);
	}
	report_section(reporting, section, &groups.answer, question->by != STORE_GROUP_NONE);
	store_groups_free(&groups);
	return 0;
}

/* What --by names: one of the groupings, or a field. */
static struct store_question question_of(const struct reporting *reporting, enum store_by by,
					 const char *field)
{
	struct store_question question = {.by = by, .field = field, .top = reporting->top};

	if (reporting->by != NULL) {
		int known = store_by_find(reporting->by, strlen(reporting->by));

		question.by = known >= 0 ? (enum store_by)known : STORE_GROUP_FIELD;
		question.field = reporting->by;
	}
	return question;
}

static const struct sheet_column *columns_of(const struct store_question *question)
{
	static const struct sheet_column none[] = {COUNTS, DURATIONS, END};
	static const struct sheet_column protocol[] = {
		{"protocol", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column service[] = {
		{"protocol", SHEET_TEXT}, {"service", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column endpoint[] = {{"protocol", SHEET_TEXT},
						       {"service", SHEET_TEXT},
						       {"method", SHEET_TEXT},
						       {"route", SHEET_TEXT},
						       COUNTS,
						       DURATIONS,
						       END};
	static const struct sheet_column server[] = {{"protocol", SHEET_TEXT},
						     {"address", SHEET_TEXT},
						     {"port", SHEET_TEXT},
						     COUNTS,
						     DURATIONS,
						     END};
	static const struct sheet_column status[] = {
		{"protocol", SHEET_TEXT}, {"status", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column client[] = {
		{"client", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column statement[] = {
		{"protocol", SHEET_TEXT}, {"statement", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column value[] = {{"value", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column *const all[] = {
		none, protocol, service, endpoint, server, status, client, statement, value};

	return all[question->by];
}

/* A list of groups that --by may name. */
static int put_groups(struct reporting *reporting, const char *section, const char *filter,
		      enum store_by by)
{
	struct store_question question = question_of(reporting, by, NULL);

	return put_table(reporting, section, filter, &question, columns_of(&question), 0);
}

/* The values of a field and how many transactions have them. */
int report_terms(struct reporting *reporting, const char *section, const char *filter,
		 const char *field, const struct sheet_column *columns, bool durations)
{
	struct store_terms terms;
	struct store_scope scope;
	size_t i;
	int err = report_scope(reporting, filter, &scope);

	if (err == 0) {
		err = store_terms(reporting->reader, &scope, &field, 1, reporting->top, &terms);
		query_free(scope.filter);
	}
	if (err != 0) {
		return err;
	}
	sheet_begin(&reporting->sheet, columns);
	for (i = 0; i < terms.fields[0].ngroups; i++) {
		const struct store_group *group = &terms.fields[0].groups[i];

		key(&reporting->sheet, &group->keys[0]);
		sheet_number(&reporting->sheet, (int64_t)group->red.count);
		if (durations) {
			report_durations(&reporting->sheet, &group->red);
		}
	}
	report_section(reporting, section, &terms.answer, true);
	store_terms_free(&terms);
	return 0;
}

/* ---- http, endpoints, hosts, servers, statements ---- */

static int put_http_totals(struct reporting *reporting)
{
	static const struct sheet_column columns[] = {
		{"transactions", SHEET_NUMBER},   {"status_4xx", SHEET_NUMBER},
		{"status_5xx", SHEET_NUMBER},     {"unanswered", SHEET_NUMBER},
		{"complete", SHEET_NUMBER},       {"request_bytes", SHEET_NUMBER},
		{"response_bytes", SHEET_NUMBER}, END};
	struct store_question question = {.by = STORE_GROUP_NONE};
	struct sheet *sheet = &reporting->sheet;
	struct store_groups groups;
	struct store_scope scope;
	int err = report_scope(reporting, "type:http", &scope);

	if (err == 0) {
		err = store_table(reporting->reader, &scope, &question, &groups);
		query_free(scope.filter);
	}
	if (err != 0) {
		return err;
	}
	sheet_begin(sheet, columns);
	put_counts(sheet, &groups.total);
	sheet_number(sheet, (int64_t)(groups.total.count - groups.total.incomplete));
	sheet_number(sheet, (int64_t)groups.total.request_bytes);
	sheet_number(sheet, (int64_t)groups.total.response_bytes);
	report_section(reporting, "totals", &groups.answer, false);
	store_groups_free(&groups);
	return 0;
}

static int put_field(struct reporting *reporting, const char *section, const char *filter,
		     const char *field, const struct sheet_column *columns)
{
	struct store_question question = {
		.by = STORE_GROUP_FIELD, .field = field, .top = reporting->top};

	return put_table(reporting, section, filter, &question, columns, 0);
}

static int report_http(struct reporting *reporting)
{
	static const struct sheet_column methods[] = {
		{"method", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column statuses[] = {
		{"status", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column versions[] = {
		{"version", SHEET_TEXT}, {"transactions", SHEET_NUMBER}, DURATIONS, END};
	static const struct sheet_column types[] = {
		{"content_type", SHEET_TEXT}, {"transactions", SHEET_NUMBER}, DURATIONS, END};
	int err = put_http_totals(reporting);

	if (err == 0) {
		err = put_field(reporting, "methods", "type:http", "http.request.method", methods);
	}
	if (err == 0) {
		err = put_field(reporting, "statuses", "type:http", "http.response.status_code",
				statuses);
	}
	if (err == 0) {
		err = report_terms(reporting, "versions", "type:http", "network.protocol.version",
				   versions, true);
	}
	return err != 0 ? err
			: report_terms(reporting, "types", "type:http",
				       "http.response.header.content-type", types, true);
}

static int report_endpoints(struct reporting *reporting)
{
	return put_groups(reporting, "endpoints", NULL, STORE_GROUP_ENDPOINT);
}

static int report_services(struct reporting *reporting)
{
	return put_groups(reporting, "services", NULL, STORE_GROUP_SERVICE);
}

static int report_hosts(struct reporting *reporting)
{
	static const struct sheet_column columns[] = {{"host", SHEET_TEXT}, COUNTS, DURATIONS, END};

	return reporting->by != NULL
		       ? put_groups(reporting, "hosts", "type:http", STORE_GROUP_FIELD)
		       : put_field(reporting, "hosts", "type:http", "url.domain", columns);
}

static int report_clients(struct reporting *reporting)
{
	return put_groups(reporting, "clients", NULL, STORE_GROUP_CLIENT);
}

static int report_servers(struct reporting *reporting)
{
	static const struct sheet_column columns[] = {{"protocol", SHEET_TEXT},
						      {"address", SHEET_TEXT},
						      {"port", SHEET_NUMBER},
						      COUNTS,
						      {"percent", SHEET_PERCENT},
						      DURATIONS,
						      END};
	struct store_question question = {.by = STORE_GROUP_SERVER, .top = reporting->top};
	struct sheet *sheet = &reporting->sheet;
	struct store_groups groups;
	struct store_scope scope;
	size_t i;
	int err;

	if (reporting->by != NULL) {
		return put_groups(reporting, "servers", NULL, STORE_GROUP_SERVER);
	}
	err = report_scope(reporting, NULL, &scope);
	if (err == 0) {
		err = store_table(reporting->reader, &scope, &question, &groups);
		query_free(scope.filter);
	}
	if (err != 0) {
		return err;
	}
	sheet_begin(sheet, columns);
	for (i = 0; i < groups.ngroups; i++) {
		const struct store_group *group = &groups.groups[i];

		key(sheet, &group->keys[0]);
		key(sheet, &group->keys[1]);
		if (group->keys[2].p == NULL) {
			sheet_absent(sheet);
		} else {
			sheet_number(sheet, strtoll((const char *)group->keys[2].p, NULL, 10));
		}
		put_counts(sheet, &group->red);
		sheet_number(sheet, (int64_t)(group->red.count * 1000 / groups.total.count));
		report_durations(sheet, &group->red);
	}
	report_section(reporting, "servers", &groups.answer, true);
	store_groups_free(&groups);
	return 0;
}

static int report_sql(struct reporting *reporting)
{
	return put_groups(reporting, "sql", "type:mysql,pgsql", STORE_GROUP_STATEMENT);
}

static int report_redis(struct reporting *reporting)
{
	static const struct sheet_column columns[] = {
		{"command", SHEET_TEXT}, COUNTS, DURATIONS, END};

	return reporting->by != NULL
		       ? put_groups(reporting, "redis", "type:redis", STORE_GROUP_FIELD)
		       : put_field(reporting, "redis", "type:redis", "db.operation.name", columns);
}

static int report_dns(struct reporting *reporting)
{
	static const struct sheet_column names[] = {{"name", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column codes[] = {{"code", SHEET_TEXT}, COUNTS, DURATIONS, END};
	int err = put_field(reporting, "names", "type:dns", "dns.question.name", names);

	return err != 0 ? err
			: put_field(reporting, "codes", "type:dns", "dns.response_code", codes);
}

/* ---- errors ---- */

static int report_errors(struct reporting *reporting)
{
	static const struct sheet_column statuses[] = {
		{"protocol", SHEET_TEXT}, {"status", SHEET_TEXT}, COUNTS, DURATIONS, END};
	static const struct sheet_column incomplete[] = {
		{"completeness", SHEET_TEXT}, {"transactions", SHEET_NUMBER}, END};
	static const struct sheet_column classes[] = {
		{"error_type", SHEET_TEXT}, {"transactions", SHEET_NUMBER}, END};
	struct store_question question = {
		.by = STORE_GROUP_STATUS, .top = reporting->top, .order = STORE_ORDER_ERRORS};
	int err;

	err = put_table(reporting, "statuses", NULL, &question, statuses, 0);
	question.by = STORE_GROUP_ENDPOINT;
	if (reporting->by != NULL) {
		question = question_of(reporting, STORE_GROUP_ENDPOINT, NULL);
		question.order = STORE_ORDER_ERRORS;
	}
	if (err == 0) {
		err = put_table(reporting, reporting->by != NULL ? "groups" : "endpoints", NULL,
				&question, columns_of(&question), 0);
	}
	if (err == 0) {
		err = report_terms(reporting, "incomplete",
				   "completeness!=complete -type:tcp -type:anomaly", "completeness",
				   incomplete, false);
	}
	return err != 0 ? err
			: report_terms(reporting, "classes", "-type:tcp -type:anomaly",
				       "error.type", classes, false);
}

/* ---- timeline, latency ---- */

static void put_interval(struct sheet *sheet, int64_t at, int64_t step, const struct store_red *red)
{
	sheet_number(sheet, at);
	sheet_number(sheet, step);
	sheet_number(sheet, (int64_t)red->count);
	sheet_number(sheet, (int64_t)red->count);
	sheet_number(sheet, (int64_t)(red->refused + red->failed));
	report_duration(sheet, red, red->p50_ns);
	report_duration(sheet, red, red->p95_ns);
	report_duration(sheet, red, red->p99_ns);
	sheet_number(sheet, (int64_t)red->request_bytes);
	sheet_number(sheet, (int64_t)red->response_bytes);
}

#define INTERVALS                                                                                  \
	{"ts", SHEET_TIME}, {"interval_ns", SHEET_DURATION}, {"transactions", SHEET_NUMBER},       \
		{"", SHEET_BAR}, {"errors", SHEET_NUMBER}, {"p50_ns", SHEET_DURATION},             \
		{"p95_ns", SHEET_DURATION}, {"p99_ns", SHEET_DURATION},                            \
		{"request_bytes", SHEET_NUMBER},                                                   \
	{                                                                                          \
		"response_bytes", SHEET_NUMBER                                                     \
	}

static int report_timeline(struct reporting *reporting)
{
	static const struct sheet_column alone[] = {INTERVALS, END};
	static const struct sheet_column grouped[] = {{"group", SHEET_TEXT}, INTERVALS, END};
	struct store_question question = question_of(reporting, STORE_GROUP_NONE, NULL);
	struct store_groups groups;
	struct store_scope scope;
	size_t i, k;
	int err = report_scope(reporting, NULL, &scope);

	if (err == 0) {
		err = store_series(reporting->reader, &scope, &question, &groups);
		query_free(scope.filter);
	}
	if (err != 0) {
		return err;
	}
	sheet_begin(&reporting->sheet, reporting->by == NULL ? alone : grouped);
	for (i = 0; i < groups.ngroups; i++) {
		for (k = 0; k < groups.nsteps; k++) {
			const struct store_group *group = &groups.groups[i];

			if (reporting->by != NULL) {
				report_join(&reporting->sheet, group->keys, groups.nkeys);
			}
			put_interval(&reporting->sheet,
				     groups.start_ns + (int64_t)k * groups.step_ns, groups.step_ns,
				     &group->steps[k]);
		}
	}
	report_section(reporting, "timeline", &groups.answer, false);
	store_groups_free(&groups);
	return 0;
}

static int put_percentiles(struct reporting *reporting)
{
	static const struct sheet_column percentiles[] = {
		{"transactions", SHEET_NUMBER}, {"min_ns", SHEET_DURATION},
		{"p50_ns", SHEET_DURATION},     {"p75_ns", SHEET_DURATION},
		{"p90_ns", SHEET_DURATION},     {"p95_ns", SHEET_DURATION},
		{"p99_ns", SHEET_DURATION},     {"p99_9_ns", SHEET_DURATION},
		{"max_ns", SHEET_DURATION},     END};
	static const struct sheet_column parts[] = {{"part", SHEET_TEXT},
						    {"total_ns", SHEET_DURATION},
						    {"percent", SHEET_PERCENT},
						    END};
	struct store_question question = {.by = STORE_GROUP_NONE};
	struct sheet *sheet = &reporting->sheet;
	struct store_groups groups;
	struct store_scope scope;
	int err = report_scope(reporting, NULL, &scope);

	if (err == 0) {
		err = store_table(reporting->reader, &scope, &question, &groups);
		query_free(scope.filter);
	}
	if (err != 0) {
		return err;
	}
	sheet_begin(sheet, percentiles);
	sheet_number(sheet, (int64_t)groups.total.timed);
	report_duration(sheet, &groups.total, groups.total.min_ns);
	report_duration(sheet, &groups.total, groups.total.p50_ns);
	report_duration(sheet, &groups.total, groups.total.p75_ns);
	report_duration(sheet, &groups.total, groups.total.p90_ns);
	report_duration(sheet, &groups.total, groups.total.p95_ns);
	report_duration(sheet, &groups.total, groups.total.p99_ns);
	report_duration(sheet, &groups.total, groups.total.p999_ns);
	report_duration(sheet, &groups.total, groups.total.max_ns);
	report_section(reporting, "percentiles", &groups.answer, false);
	sheet_begin(sheet, parts);
	report_part(sheet, "send", groups.total.send_ns, groups.total.total_ns);
	report_part(sheet, "wait", groups.total.wait_ns, groups.total.total_ns);
	report_part(sheet, "receive", groups.total.receive_ns, groups.total.total_ns);
	report_part(sheet, "stall", groups.total.stall_ns, groups.total.total_ns);
	report_section(reporting, "parts", &groups.answer, false);
	store_groups_free(&groups);
	return 0;
}

static int put_histogram(struct reporting *reporting)
{
	static const struct sheet_column columns[] = {
		{"from_ns", SHEET_DURATION}, {"transactions", SHEET_NUMBER}, {"", SHEET_BAR}, END};
	struct store_heatmap heatmap;
	struct store_scope scope;
	size_t bin, step;
	int err = report_scope(reporting, NULL, &scope);

	if (err == 0) {
		err = store_heatmap(reporting->reader, &scope, 0, 2, &heatmap);
		query_free(scope.filter);
	}
	if (err != 0) {
		return err;
	}
	sheet_begin(&reporting->sheet, columns);
	for (bin = 0; bin < heatmap.nbins; bin++) {
		uint64_t n = 0;

		for (step = 0; step < heatmap.nsteps; step++) {
			n += heatmap.counts[step * heatmap.nbins + bin];
		}
		sheet_number(&reporting->sheet, heatmap.bounds[bin]);
		sheet_number(&reporting->sheet, (int64_t)n);
		sheet_number(&reporting->sheet, (int64_t)n);
	}
	report_section(reporting, "histogram", &heatmap.answer, false);
	store_heatmap_free(&heatmap);
	return 0;
}

static int report_latency(struct reporting *reporting)
{
	int err = put_percentiles(reporting);

	if (err == 0 && reporting->by != NULL) {
		err = put_groups(reporting, "groups", NULL, STORE_GROUP_NONE);
	}
	return err != 0 ? err : put_histogram(reporting);
}

/* ---- all of them ---- */

static const struct report reports[] = {
	{"http", "transactions by method, status, version and type", report_http, false},
	{"endpoints", "services, methods and routes, the busiest first", report_endpoints, true},
	{"services", "services; databases by their names", report_services, true},
	{"hosts", "hosts that were asked for", report_hosts, true},
	{"servers", "servers and their share of the load", report_servers, true},
	{"clients", "who asked", report_clients, true},
	{"errors", "what failed: statuses, endpoints, what is not complete", report_errors, true},
	{"slow", "the transactions that took longest", report_slow, false},
	{"timeline", "transactions over time", report_timeline, true},
	{"tcp", "flows: how they ended, what was sent twice, late or never", report_tcp, false},
	{"latency", "durations: percentiles, parts and a histogram", report_latency, true},
	{"gaps", "bytes that were never captured", report_gaps, false},
	{"sql", "statements of MySQL and PostgreSQL, without their values", report_sql, true},
	{"redis", "commands of Redis", report_redis, true},
	{"dns", "names that were asked for, and how it went", report_dns, false},
};

const struct report *report_list(size_t *ret_n)
{
	*ret_n = sizeof(reports) / sizeof(reports[0]);
	return reports;
}

const struct report *report_find(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
		if (strlen(reports[i].name) == len && memcmp(reports[i].name, name, len) == 0) {
			return &reports[i];
		}
	}
	return NULL;
}

int report_put(struct reporting *reporting, const struct report *report)
{
	int err;

	reporting->report = report->name;
	reporting->sections = 0;
	strbuf_clear(&reporting->answers);
	if (reporting->json) {
		strbuf_printf(&reporting->out, "%s\"%s\":{", reporting->begun ? "," : "",
			      report->name);
	}
	err = report->put(reporting);
	if (reporting->json) {
		strbuf_str(&reporting->out, ",\"answers\":{");
		strbuf_add(&reporting->out, strbuf_text(&reporting->answers),
			   reporting->answers.len);
		strbuf_str(&reporting->out, "}}");
	}
	return err;
}
