/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/reader.h, figures: tables, series, heatmaps, terms, comparisons, health. Worked out plainly from the records themselves
 * (tests/lib/store_ask.h); every backend is held to that.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "store_ask.h"

/* ---- groups ---- */

/* What a record counts as and is grouped by, said a second time, by names. */
static const struct weir_value *value_of(const struct weir_record *rec, const char *name)
{
	int field = weir_schema_find(rec->schema, name, strlen(name));

	return field >= 0 && weir_record_has(rec, (size_t)field) ? &rec->values[field] : NULL;
}

static bool is_text(const struct weir_value *value, const char *text)
{
	return value != NULL && value->len == strlen(text) &&
	       memcmp(value->v.bytes, text, value->len) == 0;
}

static uint64_t number_of(const struct weir_record *rec, const char *name, const char *other)
{
	const struct weir_value *value = value_of(rec, name);

	if (value == NULL && other != NULL) {
		value = value_of(rec, other);
	}
	return value == NULL ? 0 : value->v.u64;
}

struct plain {
	uint64_t count, failed, refused, unanswered, incomplete, request_bytes, response_bytes;
	int64_t send, wait, receive, stall, total;
	uint64_t retransmits;
	int64_t durations[MODEL_MAX];
	size_t n;
};

static void count_plainly(struct plain *plain, const struct weir_record *rec)
{
	const char *type = rec->schema->type;
	bool http = strcmp(type, "http") == 0, dns = strcmp(type, "dns") == 0;
	const struct weir_value *answer = value_of(rec, http  ? "http.response.status_code"
							: dns ? "dns.response_code"
							      : "db.response.status");
	const struct weir_value *whole = value_of(rec, "completeness");

	plain->count++;
	plain->unanswered += answer == NULL;
	if (http) {
		uint64_t code = answer == NULL ? 0 : answer->v.u64;

		plain->failed += code >= 500;
		plain->refused += code >= 400 && code <= 499;
	} else if (answer != NULL) {
		plain->failed += dns ? is_text(answer, "SERVFAIL") : is_text(answer, "error");
	}
	plain->incomplete += whole != NULL && !is_text(whole, "complete");
	plain->request_bytes += http ? number_of(rec, "http.request.size", "http.request.body.size")
				: dns ? number_of(rec, "dns.request.size", NULL)
				      : number_of(rec, "db.request.size", NULL);
	plain->response_bytes +=
		http  ? number_of(rec, "http.response.size", "http.response.body.size")
		: dns ? number_of(rec, "dns.response.size", NULL)
		      : number_of(rec, "db.response.size", NULL);
	plain->retransmits += number_of(rec, "tcp.retransmits", NULL);
	plain->send += (int64_t)number_of(rec, "timing.send_ns", NULL);
	plain->wait += (int64_t)number_of(rec, "timing.wait_ns", NULL);
	plain->receive += (int64_t)number_of(rec, "timing.receive_ns", NULL);
	plain->stall += (int64_t)number_of(rec, "timing.stall_ns", NULL);
	if (value_of(rec, "duration_ns") != NULL) {
		plain->durations[plain->n++] = value_of(rec, "duration_ns")->v.i64;
		plain->total += value_of(rec, "duration_ns")->v.i64;
	}
}

static int by_number(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static int64_t rank(struct plain *plain, double percent)
{
	size_t at = (size_t)ceil(percent / 100 * (double)plain->n - 1e-9);

	return plain->n == 0 ? 0 : plain->durations[at < 1 ? 0 : at - 1];
}

static void same_red(const struct store_red *have, struct plain *plain, const char *what)
{
	qsort(plain->durations, plain->n, sizeof(plain->durations[0]), by_number);
	if (have->count != plain->count || have->p95_ns != rank(plain, 95)) {
		print_error("%s: %llu, want %llu; p95 %lld, want %lld\n", what,
			    (unsigned long long)have->count, (unsigned long long)plain->count,
			    (long long)have->p95_ns, (long long)rank(plain, 95));
	}
	assert_int_equal(have->count, plain->count);
	assert_int_equal(have->failed, plain->failed);
	assert_int_equal(have->refused, plain->refused);
	assert_int_equal(have->unanswered, plain->unanswered);
	assert_int_equal(have->incomplete, plain->incomplete);
	assert_int_equal(have->request_bytes, plain->request_bytes);
	assert_int_equal(have->response_bytes, plain->response_bytes);
	assert_int_equal(have->retransmits, plain->retransmits);
	assert_int_equal(have->send_ns, plain->send);
	assert_int_equal(have->wait_ns, plain->wait);
	assert_int_equal(have->receive_ns, plain->receive);
	assert_int_equal(have->stall_ns, plain->stall);
	assert_int_equal(have->timed, plain->n);
	assert_int_equal(have->total_ns, plain->total);
	assert_int_equal(have->min_ns, plain->n == 0 ? 0 : plain->durations[0]);
	assert_int_equal(have->max_ns, plain->n == 0 ? 0 : plain->durations[plain->n - 1]);
	assert_int_equal(have->p50_ns, rank(plain, 50));
	assert_int_equal(have->p75_ns, rank(plain, 75));
	assert_int_equal(have->p90_ns, rank(plain, 90));
	assert_int_equal(have->p95_ns, rank(plain, 95));
	assert_int_equal(have->p99_ns, rank(plain, 99));
	assert_int_equal(have->p999_ns, rank(plain, 99.9));
}

static bool is_transaction(size_t i)
{
	const char *type = model->records[i]->schema->type;

	return strcmp(type, "tcp") != 0 && strcmp(type, "anomaly") != 0;
}

static bool is_key(const struct store_text *key, const struct weir_record *rec, const char *name)
{
	const struct weir_value *value = name == NULL ? NULL : value_of(rec, name);
	char text[64];

	if (name != NULL && strcmp(name, "type") == 0) {
		return key->len == strlen(rec->schema->type) &&
		       memcmp(key->p, rec->schema->type, key->len) == 0;
	}
	if (value == NULL || key->p == NULL) {
		return value == NULL && key->p == NULL;
	}
	if (strcmp(name, "server.address") == 0 || strcmp(name, "client.address") == 0) {
		inet_ntop(value->len == 4 ? AF_INET : AF_INET6, value->v.bytes, text, sizeof(text));
		return key->len == strlen(text) && memcmp(key->p, text, key->len) == 0;
	}
	if (strcmp(name, "server.port") == 0 || strcmp(name, "http.response.status_code") == 0) {
		(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value->v.u64);
		return key->len == strlen(text) && memcmp(key->p, text, key->len) == 0;
	}
	return key->len == value->len && memcmp(key->p, value->v.bytes, key->len) == 0;
}

/* The names of what groups are by, of a type. */
static const char *key_name(enum store_by by, const char *type, unsigned key)
{
	bool http = strcmp(type, "http") == 0, dns = strcmp(type, "dns") == 0;

	if (by == STORE_GROUP_CLIENT) {
		return "client.address";
	}
	if (key == 0) {
		return "type";
	}
	switch (by) {
	case STORE_GROUP_SERVICE:
	case STORE_GROUP_ENDPOINT:
		return key == 1   ? (http || dns ? "service.name" : "db.namespace")
		       : key == 2 ? (http  ? "http.request.method"
				     : dns ? "dns.question.type"
					   : "db.operation.name")
				  : (http  ? "http.route"
				     : dns ? NULL
					   : "db.query.digest");
	case STORE_GROUP_SERVER:
		return key == 1 ? "server.address" : "server.port";
	case STORE_GROUP_STATUS:
		return http  ? "http.response.status_code"
		       : dns ? "dns.response_code"
			     : "db.response.status_code";
	default:
		return "db.query.digest";
	}
}

static bool is_of_group(const struct store_groups *groups, const struct store_group *group,
			enum store_by by, const struct weir_record *rec)
{
	unsigned i;

	for (i = 0; i < groups->nkeys; i++) {
		if (!is_key(&group->keys[i], rec, key_name(by, rec->schema->type, i))) {
			return false;
		}
	}
	return true;
}

static void check_table(const struct store_scope *scope, enum store_by by)
{
	static struct plain plain, all;
	struct store_question question = {.by = by, .top = 1000};
	struct store_groups groups;
	uint64_t sum = 0;
	size_t i, k;

	assert_int_equal(store_table(reader, scope, &question, &groups), 0);
	assert_int_equal(groups.answer.end, STORE_COMPLETE);
	assert_true(groups.ngroups > 0);
	for (k = 0; k < groups.ngroups; k++) {
		memset(&plain, 0, sizeof(plain));
		for (i = 0; i < model->n; i++) {
			if (is_transaction(i) && in_scope(scope, i) &&
			    is_of_group(&groups, &groups.groups[k], by, model->records[i])) {
				count_plainly(&plain, model->records[i]);
			}
		}
		same_red(&groups.groups[k].red, &plain, "a group");
		sum += plain.count;
		assert_true(k == 0 || groups.groups[k].red.count <= groups.groups[k - 1].red.count);
	}
	memset(&all, 0, sizeof(all));
	for (i = 0; i < model->n; i++) {
		if (is_transaction(i) && in_scope(scope, i) &&
		    (by != STORE_GROUP_STATEMENT ||
		     strchr("mpr", model->records[i]->schema->type[0]) != NULL)) {
			count_plainly(&all, model->records[i]);
		}
	}
	same_red(&groups.total, &all, "all");
	assert_int_equal(groups.other.count, all.count - sum);
	assert_true(groups.distinct >= groups.ngroups);
	store_groups_free(&groups);
}

static void tables_of_all_kinds(void **state)
{
	static const enum store_by kinds[] = {STORE_GROUP_NONE,    STORE_GROUP_PROTOCOL,
					      STORE_GROUP_SERVICE, STORE_GROUP_ENDPOINT,
					      STORE_GROUP_SERVER,  STORE_GROUP_STATUS,
					      STORE_GROUP_CLIENT,  STORE_GROUP_STATEMENT};
	struct store_scope scope = everything;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		check_table(&everything, kinds[i]);
	}
	scope.filter = parse("status>=400 OR type:mysql");
	scope.from_ns = ts_of(100);
	scope.to_ns = ts_of(2000);
	check_table(&scope, STORE_GROUP_ENDPOINT);
	query_free(scope.filter);
}

static void groups_come_in_the_order_asked_for(void **state)
{
	static const enum store_order orders[] = {STORE_ORDER_ERRORS, STORE_ORDER_P99,
						  STORE_ORDER_TIME, STORE_ORDER_BYTES};
	size_t i, k;

	(void)state;
	for (i = 0; i < 4; i++) {
		struct store_question question = {
			.by = STORE_GROUP_SERVICE, .top = 6, .order = orders[i]};
		struct store_groups groups;
		uint64_t count = 0;

		assert_int_equal(store_table(reader, &everything, &question, &groups), 0);
		assert_int_equal(groups.ngroups, 6);
		for (k = 1; k < groups.ngroups; k++) {
			const struct store_red *a = &groups.groups[k - 1].red;
			const struct store_red *b = &groups.groups[k].red;

			assert_true(i == 0   ? a->failed >= b->failed
				    : i == 1 ? a->p99_ns >= b->p99_ns
				    : i == 2 ? a->total_ns >= b->total_ns
					     : a->request_bytes + a->response_bytes >=
						       b->request_bytes + b->response_bytes);
		}
		for (k = 0; k < groups.ngroups; k++) {
			count += groups.groups[k].red.count;
		}
		assert_int_equal(count + groups.other.count, groups.total.count);
		store_groups_free(&groups);
	}
}

static void a_series_is_a_table_of_each_interval(void **state)
{
	static struct plain plain;
	struct store_question question = {.by = STORE_GROUP_PROTOCOL,
					  .step_ns = INT64_C(500000000)};
	struct store_groups groups;
	size_t i, k, step, steps_with = 0;

	(void)state;
	assert_int_equal(store_series(reader, &everything, &question, &groups), 0);
	assert_int_equal(groups.ngroups, 5);
	assert_true(groups.nsteps > 10);
	assert_int_equal(groups.start_ns % question.step_ns, 0);
	for (k = 0; k < groups.ngroups; k++) {
		for (step = 0; step < groups.nsteps; step++) {
			int64_t from = groups.start_ns + (int64_t)step * groups.step_ns;

			memset(&plain, 0, sizeof(plain));
			for (i = 0; i < model->n; i++) {
				if (is_transaction(i) && ts_of(i) >= from &&
				    ts_of(i) < from + groups.step_ns &&
				    is_of_group(&groups, &groups.groups[k], STORE_GROUP_PROTOCOL,
						model->records[i])) {
					count_plainly(&plain, model->records[i]);
				}
			}
			same_red(&groups.groups[k].steps[step], &plain, "an interval");
			steps_with += plain.count > 0;
		}
	}
	assert_true(steps_with > 30);
	store_groups_free(&groups);
	question.step_ns = 1000;
	assert_int_equal(store_series(reader, &everything, &question, &groups), WEIR_EINVAL);
	assert_non_null(strstr(store_problem(reader), "intervals"));
}

static void a_heatmap_counts_each_duration_once(void **state)
{
	struct store_heatmap heatmap;
	uint64_t sum = 0, want = 0;
	size_t i, step, bin;

	(void)state;
	assert_int_equal(store_heatmap(reader, &everything, INT64_C(1000000000), 4, &heatmap), 0);
	for (step = 0; step < heatmap.nsteps; step++) {
		int64_t from = heatmap.start_ns + (int64_t)step * heatmap.step_ns;

		for (bin = 0; bin < heatmap.nbins; bin++) {
			uint64_t n = 0;

			assert_true(heatmap.bounds[bin] < heatmap.bounds[bin + 1]);
			for (i = 0; i < model->n; i++) {
				const struct weir_value *value =
					value_of(model->records[i], "duration_ns");
				int64_t ns = value == NULL ? 0 : value->v.i64;

				n += is_transaction(i) && value != NULL && ts_of(i) >= from &&
				     ts_of(i) < from + heatmap.step_ns &&
				     (ns < 0 ? 0 : ns) >= heatmap.bounds[bin] &&
				     (ns < 0 ? 0 : ns) < heatmap.bounds[bin + 1];
			}
			assert_int_equal(heatmap.counts[step * heatmap.nbins + bin], n);
			sum += n;
		}
	}
	for (i = 0; i < model->n; i++) {
		want += is_transaction(i) && value_of(model->records[i], "duration_ns") != NULL;
	}
	assert_int_equal(sum, want);
	store_heatmap_free(&heatmap);
	assert_int_equal(store_heatmap(reader, &everything, 0, 3, &heatmap), WEIR_EINVAL);
}

/* ---- terms ---- */

static bool has_element(const struct weir_record *rec, const char *name, const char *header,
			const struct store_text *text)
{
	const struct weir_value *value = value_of(rec, name);
	uint32_t i;

	for (i = 0; value != NULL && i < value->len; i++) {
		const struct weir_str *str =
			header == NULL ? &value->v.strs[i] : &value->v.headers[i].value;

		if (header != NULL &&
		    (value->v.headers[i].name.len != strlen(header) ||
		     memcmp(value->v.headers[i].name.p, header, strlen(header)) != 0)) {
			continue;
		}
		if (str->len == text->len && memcmp(str->p, text->p, text->len) == 0) {
			return true;
		}
	}
	return false;
}

static void terms_are_the_most_frequent_values(void **state)
{
	static const char *const fields[] = {"http.request.method",
					     "http.response.status_code",
					     "anomalies",
					     "http.request.header.content-type",
					     "type",
					     "client.address"};
	struct store_terms terms;
	size_t k, g, i;

	(void)state;
	assert_int_equal(store_terms(reader, &everything, fields, 6, 1000, &terms), 0);
	assert_int_equal(terms.nfields, 6);
	for (k = 0; k < 6; k++) {
		const struct store_groups *groups = &terms.fields[k];

		assert_true(groups->ngroups > 2);
		for (g = 0; g < groups->ngroups; g++) {
			const struct store_text *text = &groups->groups[g].keys[0];
			uint64_t n = 0;

			for (i = 0; i < model->n; i++) {
				const struct weir_record *rec = model->records[i];

				n += k == 2   ? has_element(rec, fields[2], NULL, text)
				     : k == 3 ? has_element(rec, "http.request.header",
							    "content-type", text)
					      : is_key(text, rec, fields[k]);
			}
			assert_int_equal(groups->groups[g].red.count, n);
			assert_true(g == 0 || n <= groups->groups[g - 1].red.count);
		}
	}
	store_terms_free(&terms);
	assert_int_equal(
		store_terms(reader, &everything, (const char *const[]){"nope"}, 1, 3, &terms),
		WEIR_EINVAL);
	assert_non_null(strstr(store_problem(reader), "\"nope\""));
}

static void what_differs_comes_first(void **state)
{
	static const char *const fields[] = {"http.request.method", "http.response.status_code",
					     "server.address"};
	struct store_scope a = everything, b = everything;
	struct store_compare compare;
	uint64_t na = 0, nb = 0, with = 0, has = 0;
	size_t i;

	(void)state;
	a.filter = parse("type:http status:503");
	b.filter = parse("type:http -status:503");
	assert_int_equal(store_compare(reader, &a, &b, fields, 3, 10, &compare), 0);
	for (i = 0; i < model->n; i++) {
		na += in_scope(&a, i);
		nb += in_scope(&b, i);
		has += in_scope(&b, i) && value_of(model->records[i], fields[1]) != NULL;
		with += in_scope(&b, i) && number_of(model->records[i], fields[1], NULL) == 200;
	}
	assert_int_equal(compare.na, na);
	assert_int_equal(compare.nb, nb);
	/* all of a have 503, none of b: a share of 1 against 0, a lift of 100 at most */
	assert_string_equal(compare.differences[0].field, fields[1]);
	assert_memory_equal(compare.differences[0].value.p, "503", 3);
	assert_int_equal(compare.differences[0].a, na);
	assert_int_equal(compare.differences[0].b, 0);
	assert_true(compare.differences[0].score == 100);
	for (i = 0; i < compare.ndifferences; i++) {
		const struct store_difference *is = &compare.differences[i];

		assert_true(i == 0 || is->score <= compare.differences[i - 1].score);
		if (strcmp(is->field, fields[1]) == 0 && is->value.len == 3 &&
		    memcmp(is->value.p, "200", 3) == 0) {
			assert_int_equal(is->a, 0);
			assert_int_equal(is->b, with);
			assert_true(fabs(is->share_b - (double)with / (double)has) < 1e-9);
		}
	}
	store_compare_free(&compare);
	query_free(a.filter);
	query_free(b.filter);
}

static void health_is_what_flows_and_transactions_say(void **state)
{
	struct store_health health;
	struct store_health want = {.flows = 0};
	size_t i;

	(void)state;
	assert_int_equal(store_health(reader, &everything, &health), 0);
	for (i = 0; i < model->n; i++) {
		const struct weir_record *rec = model->records[i];
		uint64_t c2s = number_of(rec, "tcp.c2s.packets", NULL);
		uint64_t s2c = number_of(rec, "tcp.s2c.packets", NULL);

		if (strcmp(rec->schema->type, "tcp") == 0) {
			want.flows++;
			want.packets += c2s + s2c;
			want.gap_bytes += number_of(rec, "tcp.c2s.gap_bytes", NULL) +
					  number_of(rec, "tcp.s2c.gap_bytes", NULL);
			want.one_sided += (c2s == 0) != (s2c == 0);
			want.midstream += is_text(value_of(rec, "tcp.handshake"), "none");
			want.evicted += is_text(value_of(rec, "tcp.state"), "evicted");
		} else if (is_transaction(i)) {
			want.transactions++;
			want.missing_bytes += number_of(rec, "missing_bytes", NULL);
		} else {
			want.anomalies++;
		}
	}
	assert_int_equal(health.flows, want.flows);
	assert_int_equal(health.packets, want.packets);
	assert_int_equal(health.gap_bytes, want.gap_bytes);
	assert_int_equal(health.one_sided, want.one_sided);
	assert_int_equal(health.midstream, want.midstream);
	assert_int_equal(health.evicted, want.evicted);
	assert_int_equal(health.transactions, want.transactions);
	assert_int_equal(health.missing_bytes, want.missing_bytes);
	assert_int_equal(health.anomalies, want.anomalies);
}

static void an_empty_store_answers_with_nothing(void **state)
{
	struct model *empty = calloc(1, sizeof(*empty));
	struct store_reader *old = reader;
	struct store_question question = {.by = STORE_GROUP_SERVICE};
	struct store_groups groups;
	struct store_heatmap heatmap;
	struct store_span span;
	static struct collected have;

	(void)state;
	model_init(empty, 8);
	model_store(empty, 0);
	reader = model_reader(empty);
	assert_int_equal(store_span(reader, &span), 0);
	assert_int_equal(span.records, 0);
	assert_int_equal(read_pages(&everything, STORE_NEWEST, 10, &have), 1);
	assert_int_equal(have.n, 0);
	assert_int_equal(store_table(reader, &everything, &question, &groups), 0);
	assert_int_equal(groups.ngroups, 0);
	store_groups_free(&groups);
	assert_int_equal(store_series(reader, &everything, &question, &groups), 0);
	assert_int_equal(groups.nsteps, 0);
	store_groups_free(&groups);
	assert_int_equal(store_heatmap(reader, &everything, 0, 4, &heatmap), 0);
	assert_int_equal(heatmap.nsteps, 0);
	store_heatmap_free(&heatmap);
	store_reader_free(reader);
	reader = old;
	model_fini(empty);
	free(empty);
}

/* Open exchanges: pages show them as they are, figures wait for their end. */
static void open_exchanges_are_shown_and_not_counted(void **state)
{
	struct model *open = calloc(1, sizeof(*open));
	struct model *old_model = model;
	struct store_reader *old = reader;
	struct store_question question = {.by = STORE_GROUP_PROTOCOL};
	struct store_groups groups;
	static struct collected have;
	size_t i;

	(void)state;
	model_init(open, 9);
	open->tame = true;
	for (i = 0; i < 30; i++) {
		model_add(open, model_schema(open, "http"));
	}
	/* three that are not over, one of which ends */
	for (i = 10; i < 13; i++) {
		weir_record_set_bool(open->records[i], WEIR_F_FINAL, false);
	}
	weir_record_set_bytes(open->records[20], WEIR_F_ID,
			      open->records[10]->values[WEIR_F_ID].v.bytes, WEIR_ID_LEN,
			      WEIR_ID_LEN);
	weir_record_set_i64(open->records[20], WEIR_F_TS,
			    open->records[10]->values[WEIR_F_TS].v.i64);
	model_store(open, 0);
	model = open;
	reader = model_reader(open);
	read_pages(&everything, STORE_NEWEST, 10, &have);
	assert_int_equal(have.n, 29);
	assert_int_equal(store_table(reader, &everything, &question, &groups), 0);
	assert_int_equal(groups.answer.basis, STORE_FROM_SCAN);
	assert_int_equal(groups.total.count, 27);
	store_groups_free(&groups);
	{
		struct store_scope scope = {.filter = NULL};

		assert_int_equal(store_table(reader, &scope, &question, &groups), 0);
		assert_int_equal(groups.answer.basis, STORE_FROM_ROLLUPS);
		assert_int_equal(groups.total.count, 27);
		store_groups_free(&groups);
	}
	store_reader_free(reader);
	model = old_model;
	reader = old;
	model_fini(open);
	free(open);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_of_all_kinds),
		cmocka_unit_test(groups_come_in_the_order_asked_for),
		cmocka_unit_test(a_series_is_a_table_of_each_interval),
		cmocka_unit_test(a_heatmap_counts_each_duration_once),
		cmocka_unit_test(terms_are_the_most_frequent_values),
		cmocka_unit_test(what_differs_comes_first),
		cmocka_unit_test(health_is_what_flows_and_transactions_say),
		cmocka_unit_test(an_empty_store_answers_with_nothing),
		cmocka_unit_test(open_exchanges_are_shown_and_not_counted),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
