/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/reader.h: figures out of rollups are those of the records of the same time, counts and sums exactly, percentiles within the error
 * that the answer tells.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_ask.h"

#define SECOND INT64_C(1000000000)

/* Three hours and more: all levels have several intervals. */
static int set_up_long(void **state)
{
	(void)state;
	model = calloc(1, sizeof(*model));
	model_init(model, 11);
	model->tame = true;
	model->gap_ns = 4 * SECOND + 7;
	model_fill(model, RECORDS);
	model_store(model, 0);
	reader = model_reader(model);
	return 0;
}

static bool same_keys(const struct store_group *a, const struct store_group *b)
{
	unsigned i;

	for (i = 0; i < STORE_TEXTS_MAX; i++) {
		if ((a->keys[i].p == NULL) != (b->keys[i].p == NULL) ||
		    a->keys[i].len != b->keys[i].len ||
		    (a->keys[i].len > 0 &&
		     memcmp(a->keys[i].p, b->keys[i].p, a->keys[i].len) != 0)) {
			return false;
		}
	}
	return true;
}

static void near(int64_t have, int64_t want, double error)
{
	int64_t off = have > want ? have - want : want - have;

	if ((double)off > (double)(want < 0 ? -want : want) * error + 1 && want >= 0) {
		print_error("%lld, want %lld\n", (long long)have, (long long)want);
		fail();
	}
}

static void same_red(const struct store_red *have, const struct store_red *want, double error)
{
	assert_int_equal(have->count, want->count);
	assert_int_equal(have->failed, want->failed);
	assert_int_equal(have->refused, want->refused);
	assert_int_equal(have->unanswered, want->unanswered);
	assert_int_equal(have->incomplete, want->incomplete);
	assert_int_equal(have->request_bytes, want->request_bytes);
	assert_int_equal(have->response_bytes, want->response_bytes);
	assert_int_equal(have->retransmits, want->retransmits);
	assert_int_equal(have->gaps, want->gaps);
	assert_int_equal(have->missing_bytes, want->missing_bytes);
	assert_int_equal(have->send_ns, want->send_ns);
	assert_int_equal(have->wait_ns, want->wait_ns);
	assert_int_equal(have->receive_ns, want->receive_ns);
	assert_int_equal(have->stall_ns, want->stall_ns);
	assert_int_equal(have->timed, want->timed);
	assert_int_equal(have->total_ns, want->total_ns);
	assert_true(have->timed == 0 || have->max_ns == want->max_ns ||
		    (want->max_ns < 0 && have->max_ns <= 0));
	near(have->p50_ns, want->p50_ns, error);
	near(have->p90_ns, want->p90_ns, error);
	near(have->p99_ns, want->p99_ns, error);
}

static void check_rollups(const struct store_scope *scope, const struct store_question *question)
{
	struct store_scope same = *scope;
	struct store_groups have, want;
	size_t i, k;
	int err = question->step_ns == 0 ? store_table(reader, scope, question, &have)
					 : store_series(reader, scope, question, &have);

	assert_int_equal(err, 0);
	assert_int_equal(have.answer.basis, STORE_FROM_ROLLUPS);
	assert_true(have.answer.error > 0 && have.answer.error < 0.02);
	same.exact = true;
	same.limits.rows = 1 << 20;
	same.from_ns = have.answer.from_ns;
	same.to_ns = have.answer.to_ns;
	err = question->step_ns == 0 ? store_table(reader, &same, question, &want)
				     : store_series(reader, &same, question, &want);
	assert_int_equal(err, 0);
	assert_int_equal(want.answer.basis, STORE_FROM_SCAN);
	assert_int_equal(want.answer.error, 0);
	assert_int_equal(have.ngroups, want.ngroups);
	assert_int_equal(have.distinct, want.distinct);
	same_red(&have.total, &want.total, have.answer.error);
	for (i = 0; i < have.ngroups; i++) {
		assert_true(same_keys(&have.groups[i], &want.groups[i]));
		same_red(&have.groups[i].red, &want.groups[i].red, have.answer.error);
	}
	if (question->step_ns != 0) {
		assert_int_equal(have.nsteps, want.nsteps);
		assert_int_equal(have.start_ns, want.start_ns);
	}
	for (i = 0; question->step_ns != 0 && i < have.ngroups; i++) {
		for (k = 0; k < have.nsteps; k++) {
			same_red(&have.groups[i].steps[k], &want.groups[i].steps[k],
				 have.answer.error);
		}
	}
	store_groups_free(&have);
	store_groups_free(&want);
}

static const enum store_by kinds[] = {
	STORE_GROUP_NONE,   STORE_GROUP_PROTOCOL, STORE_GROUP_SERVICE,  STORE_GROUP_ENDPOINT,
	STORE_GROUP_SERVER, STORE_GROUP_STATUS,   STORE_GROUP_STATEMENT};

static void tables_of_all_kinds_and_times(void **state)
{
	/* s behind the first record; to: 0, no end */
	static const int64_t times[][2] = {{0, 0},       {0, 3600},    {100, 130},   {777, 7777},
					   {3600, 7200}, {3599, 7201}, {9000, 9011}, {5, 11000}};
	size_t i, k;

	(void)state;
	for (k = 0; k < sizeof(times) / sizeof(times[0]); k++) {
		struct store_scope scope = {.filter = NULL};

		if (times[k][1] != 0) {
			scope.from_ns = ts_of(0) + times[k][0] * SECOND;
			scope.to_ns = ts_of(0) + times[k][1] * SECOND;
		}
		for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			struct store_question question = {.by = kinds[i], .top = 1000};

			check_rollups(&scope, &question);
		}
	}
}

static void series_of_all_steps(void **state)
{
	static const int64_t steps[] = {10, 20, 60, 300, 600, 3600, 7200};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		struct store_scope scope = {.filter = NULL};
		struct store_question question = {
			.by = STORE_GROUP_SERVICE, .top = 5, .step_ns = steps[i] * SECOND};

		check_rollups(&scope, &question);
	}
}

static void filters_about_what_is_told_apart(void **state)
{
	static const char *const filters[] = {"type:http",
					      "type!=dns",
					      "type:http,dns service:shop",
					      "type:http service:shop,api -method:GET",
					      "route:/users/*",
					      "route:\"/users/{id}\" method:POST",
					      "server:10.0.0.0/8",
					      "server:10.0.1.2 OR server:10.0.0.1",
					      "status>=500",
					      "status:4xx,503 type:http",
					      "type:http -service:shop",
					      "db:orders OR type:http"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct store_scope scope = {.filter = parse(filters[i])};
		struct store_question question = {.by = STORE_GROUP_PROTOCOL, .top = 1000};

		check_rollups(&scope, &question);
		question.step_ns = 600 * SECOND;
		check_rollups(&scope, &question);
		query_free(scope.filter);
	}
}

static void what_rollups_cannot_say_is_scanned(void **state)
{
	static const char *const filters[] = {"path:/users/7", "status>=500 service:shop",
					      "route:*users*", "dur>1s", "prometheus"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		struct store_scope scope = {.filter = parse(filters[i]), .limits = {.rows = 10}};
		struct store_question question = {.by = STORE_GROUP_PROTOCOL};
		struct store_groups groups;

		assert_int_equal(store_table(reader, &scope, &question, &groups), 0);
		assert_int_equal(groups.answer.basis, STORE_FROM_SCAN);
		assert_int_equal(groups.answer.end, STORE_ROWS_SPENT);
		store_groups_free(&groups);
		query_free(scope.filter);
	}
}

static void a_heatmap_is_that_of_the_records(void **state)
{
	struct store_scope scope = {.filter = NULL};
	struct store_heatmap have, want;
	size_t i;

	(void)state;
	assert_int_equal(store_heatmap(reader, &scope, 600 * SECOND, 8, &have), 0);
	assert_int_equal(have.answer.basis, STORE_FROM_ROLLUPS);
	assert_int_equal(store_heatmap(reader, &everything, 600 * SECOND, 8, &want), 0);
	assert_int_equal(want.answer.basis, STORE_FROM_SCAN);
	assert_int_equal(have.nsteps, want.nsteps);
	assert_int_equal(have.nbins, want.nbins);
	assert_int_equal(have.start_ns, want.start_ns);
	for (i = 0; i < have.nsteps * have.nbins; i++) {
		assert_int_equal(have.counts[i], want.counts[i]);
	}
	assert_memory_equal(have.bounds, want.bounds, (have.nbins + 1) * sizeof(have.bounds[0]));
	store_heatmap_free(&have);
	store_heatmap_free(&want);
}

static void terms_are_those_of_the_records(void **state)
{
	static const char *const fields[] = {
		"type",       "http.request.method", "http.response.status_code",
		"http.route", "db.query.digest",     "server.address",
		"tcp.state",  "anomaly.code"};
	static const char *const filters[] = {"", "type:http", "type:mysql,tcp"};
	size_t f, i, k;

	(void)state;
	for (f = 0; f < 3; f++) {
		struct store_scope scope = {.filter = parse(filters[f])};
		struct store_scope same = everything;
		struct store_terms have, want;

		/* one after the other: all of them are not in one dimension */
		for (k = 0; k < 8; k++) {
			same.filter = scope.filter;
			assert_int_equal(store_terms(reader, &scope, &fields[k], 1, 1000, &have),
					 0);
			assert_int_equal(store_terms(reader, &same, &fields[k], 1, 1000, &want), 0);
			assert_int_equal(have.answer.basis, STORE_FROM_ROLLUPS);
			assert_int_equal(want.answer.basis, STORE_FROM_SCAN);
			assert_int_equal(have.fields[0].ngroups, want.fields[0].ngroups);
			assert_int_equal(have.fields[0].total.count, want.fields[0].total.count);
			for (i = 0; i < have.fields[0].ngroups; i++) {
				const struct store_group *a = &have.fields[0].groups[i];
				const struct store_group *b = &want.fields[0].groups[i];

				assert_true(same_keys(a, b));
				assert_int_equal(a->red.count, b->red.count);
				assert_int_equal(a->red.failed, b->red.failed);
				near(a->red.p99_ns, b->red.p99_ns, have.answer.error);
			}
			store_terms_free(&have);
			store_terms_free(&want);
		}
		query_free(scope.filter);
	}
}

static void a_comparison_is_that_of_the_records(void **state)
{
	static const char *const fields[] = {"http.request.method", "http.response.status_code"};
	struct store_scope a = {.filter = parse("type:http")}, b = a, c, d;
	struct store_compare have, want;
	size_t i;

	(void)state;
	/* on whole hours rollups and records are of the same time */
	a.from_ns = (ts_of(0) / (3600 * SECOND) + 1) * 3600 * SECOND;
	a.to_ns = a.from_ns + 3600 * SECOND;
	b.from_ns = a.to_ns;
	b.to_ns = b.from_ns + 3600 * SECOND;
	c = a;
	d = b;
	c.exact = d.exact = true;
	c.limits.rows = d.limits.rows = 1 << 20;
	assert_int_equal(store_compare(reader, &a, &b, fields, 2, 50, &have), 0);
	assert_int_equal(store_compare(reader, &c, &d, fields, 2, 50, &want), 0);
	assert_int_equal(have.answer_a.basis, STORE_FROM_ROLLUPS);
	assert_int_equal(want.answer_a.basis, STORE_FROM_SCAN);
	assert_int_equal(have.na, want.na);
	assert_int_equal(have.nb, want.nb);
	assert_true(have.na > 100);
	assert_int_equal(have.ndifferences, want.ndifferences);
	for (i = 0; i < have.ndifferences; i++) {
		assert_int_equal(have.differences[i].a, want.differences[i].a);
		assert_int_equal(have.differences[i].b, want.differences[i].b);
		assert_true(have.differences[i].score == want.differences[i].score);
	}
	store_compare_free(&have);
	store_compare_free(&want);
	query_free(a.filter);
}

static void a_question_to_rollups_can_be_ended_too(void **state)
{
	struct store_scope scope = {.limits = {.time_ns = 1}};
	struct store_question question = {.by = STORE_GROUP_ENDPOINT};
	struct store_groups groups;

	(void)state;
	assert_int_equal(store_table(reader, &scope, &question, &groups), 0);
	assert_int_equal(groups.answer.end, STORE_TIME_SPENT);
	assert_true(groups.answer.to_ns < ts_of(RECORDS - 1));
	store_groups_free(&groups);
	scope.limits.time_ns = 0;
	store_cancel(reader);
	assert_int_equal(store_table(reader, &scope, &question, &groups), 0);
	assert_int_equal(groups.answer.end, STORE_CANCELLED);
	store_groups_free(&groups);
	assert_int_equal(store_table(reader, &scope, &question, &groups), 0);
	assert_int_equal(groups.answer.end, STORE_COMPLETE);
	store_groups_free(&groups);
}

static void health_is_that_of_the_records(void **state)
{
	struct store_scope scope = {.filter = NULL};
	struct store_health have, want;

	(void)state;
	assert_int_equal(store_health(reader, &scope, &have), 0);
	assert_int_equal(store_health(reader, &everything, &want), 0);
	assert_int_equal(have.answer.basis, STORE_FROM_ROLLUPS);
	assert_int_equal(want.answer.basis, STORE_FROM_SCAN);
	assert_int_equal(have.flows, want.flows);
	assert_int_equal(have.packets, want.packets);
	assert_int_equal(have.payload_bytes, want.payload_bytes);
	assert_int_equal(have.gaps, want.gaps);
	assert_int_equal(have.gap_bytes, want.gap_bytes);
	assert_int_equal(have.retransmits, want.retransmits);
	assert_int_equal(have.out_of_order, want.out_of_order);
	assert_int_equal(have.evicted, want.evicted);
	assert_int_equal(have.transactions, want.transactions);
	assert_int_equal(have.incomplete, want.incomplete);
	assert_int_equal(have.missing_bytes, want.missing_bytes);
	assert_int_equal(have.anomalies, want.anomalies);
	assert_true(have.one_sided == STORE_UNKNOWN && want.one_sided != STORE_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_of_all_kinds_and_times),
		cmocka_unit_test(series_of_all_steps),
		cmocka_unit_test(filters_about_what_is_told_apart),
		cmocka_unit_test(what_rollups_cannot_say_is_scanned),
		cmocka_unit_test(a_heatmap_is_that_of_the_records),
		cmocka_unit_test(terms_are_those_of_the_records),
		cmocka_unit_test(a_comparison_is_that_of_the_records),
		cmocka_unit_test(a_question_to_rollups_can_be_ended_too),
		cmocka_unit_test(health_is_that_of_the_records),
	};

	return cmocka_run_group_tests(tests, set_up_long, tear_down);
}
