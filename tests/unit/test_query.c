/* SPDX-License-Identifier: Apache-2.0 */
/* Filters of records: what matches, what the tree says, and where a wrong one is wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>

#include "query/query.h"
#include "record/tcp_fields.h"
#include "sample_record.h"
#include "weir/error.h"

static const struct weir_schema *const schemas[] = {&record_tcp_schema, &sample_schema, NULL};

static struct query *parse(const char *text)
{
	struct query_error error;
	struct query *query = NULL;

	if (query_new(text, schemas, &query, &error) != 0) {
		print_error("%s: %zu+%zu: %s\n", text, error.offset, error.length, error.reason);
		fail();
	}
	return query;
}

static bool matches(const char *text, const struct weir_record *rec)
{
	struct query *query = parse(text);
	bool is = query_match(query, rec);

	query_free(query);
	return is;
}

struct row {
	const char *filter;
	bool want;
};

static void check_rows(const struct row *rows, size_t n, const struct weir_record *rec)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (matches(rows[i].filter, rec) != rows[i].want) {
			print_error("%s: want %s\n", rows[i].filter, rows[i].want ? "yes" : "no");
			fail();
		}
	}
}

#define CHECK_ROWS(rows, rec) check_rows(rows, sizeof(rows) / sizeof((rows)[0]), rec)

/* The transaction of sample_fill(): GET catalog-api:8080/products/48213?page=2, 200, 4096 bytes, 21 ms, 10.2.1.40 to
 * 10.2.4.17, at 2025-11-22T14:17:29.702Z */
static void comparisons_of_each_kind(void **state)
{
	static const struct row rows[] = {
		{"status:200", true},
		{"status=200", true},
		{"status == 200", true},
		{"status:201", false},
		{"status!=200", false},
		{"status!=404", true},
		{"status>=200", true},
		{"status>200", false},
		{"status:>199", true},
		{"status<200", false},
		{"status<=200", true},
		{"status:2xx", true},
		{"status:20x", true},
		{"status>=3xx", false},
		{"status:404,200", true},
		{"status!=404,200", false},
		{"status:100..199", false},
		{"status:100..200", true},
		{"http.response.status_code:200", true},
		{"STATUS:200", true},
		{"dur:21ms", true},
		{"dur>20ms", true},
		{"dur>21ms", false},
		{"dur<0.1s", true},
		{"dur>=20999.999us", true},
		{"dur:20ms..22ms", true},
		{"duration_ns>20000000", true},
		{"wait>0", true},
		{"size:4096", true},
		{"size:4KiB", true},
		{"size:4K", true},
		{"size>4kB", true},
		{"size>4.096kB", false},
		{"size>1MB", false},
		{"retrans>0", false},
		{"gap:true", false},
		{"gap:false", true},
		{"ts:2025-11-22", true},
		{"ts>2025-11-22", false},
		{"ts>=2025-11-22T14:17", true},
		{"ts:2025-11-22T14:17:29.7", true},
		{"ts:2025-11-22T14:17:29.71", false},
		{"ts<2025-11-22T15:17:29+01:00", false},
		{"ts<2025-11-22T15:17:30+01:00", true},
		{"client:10.2.1.40", true},
		{"client:10.2.0.0/16", true},
		{"client:10.2.1.41/31", true},
		{"client:10.2.1.42/31", false},
		{"client:10.2.*", true},
		{"client:*.41", false},
		{"server:10.2.1.40", false},
		{"ip:10.2.1.40", true},
		{"ip!=10.2.1.40", false},
		{"client:::/0", false},
		{"client:~^10[.]2", true},
		{"port:8080", true},
		{"port:51774,1", true},
		{"port!=8080", false},
		{"type:http", true},
		{"type:tcp", false},
		{"type:tcp,http", true},
		{"type!=tcp", true},
	};
	struct sample sample;

	sample_init(&sample, &sample_schema);
	sample_fill(sample.rec);
	CHECK_ROWS(rows, sample.rec);
	sample_fini(&sample);
}

static void text_and_patterns(void **state)
{
	static const struct row rows[] = {
		{"method:GET", true},
		{"method:get", false},
		{"method!=GET", false},
		{"method:POST,GET", true},
		{"host:catalog-api", true},
		{"host:catalog", false},
		{"host:catalog*", true},
		{"host:*api", true},
		{"host:*log*", true},
		{"host:cat*api", true},
		{"host:c*t*g*i", true},
		{"host:c*x*i", false},
		{"host:catalog-ap*api", false}, /* the two ends may not share bytes */
		{"host:\"catalog*\"", false},   /* quoted: a star is a star */
		{"host:*", true},
		{"host!=*", false},
		{"path:/products/*", true},
		{"path:/users/*", false},
		{"host:~^catalog", true},
		{"host:~^api", false},
		{"host=~api$", true},
		{"host!~api$", false},
		{"host!~^x", true},
		{"path:~^/(products|users)/[0-9]+$", true},
		{"(path:~^/(products|users)/ status:200)", true},
		{"path:~\"^/products/\\d{5}$\"", true},
		{"path:~(?i)PRODUCTS", true},
		{"header.server:nginx/1.22.1", true},
		{"header.Server:nginx*", true},
		{"header.server:apache*", false},
		{"header.x-request-id:*", false},
		{"-header.x-request-id:*", true},
		{"header.accept:\"*/*\"", true},
		{"http.request.header.server:*", false},
		{"http.response.header.server:*", true},
		{"http.response.header:*json", true},
		{"header.content-type:~json", true},
	};
	struct sample sample;

	sample_init(&sample, &sample_schema);
	sample_fill(sample.rec);
	CHECK_ROWS(rows, sample.rec);
	sample_fini(&sample);
}

static void joining_and_negation(void **state)
{
	static const struct row rows[] = {
		{"", true},
		{"  ", true},
		{"status:200 method:GET", true},
		{"status:200 AND method:POST", false},
		{"status:200 && method:GET", true},
		{"status:404 OR method:GET", true},
		{"status:404 || status:500", false},
		{"status:404 method:GET OR host:catalog-api", true}, /* AND binds tighter */
		{"status:404 (method:GET OR host:catalog-api)", false},
		{"-status:404", true},
		{"!status:404", true},
		{"NOT status:404", true},
		{"not not status:200", true},
		{"--status:200", true},
		{"-(status:200 method:POST)", true},
		{"-(status:200 method:GET)", false},
		{"-method:GET OR status:200", true},
	};
	struct sample sample;

	sample_init(&sample, &sample_schema);
	sample_fill(sample.rec);
	CHECK_ROWS(rows, sample.rec);
	sample_fini(&sample);
}

static void free_text_is_looked_for_everywhere_in_any_case(void **state)
{
	static const struct row rows[] = {
		{"catalog", true},       {"CATALOG-API", true},     {"\"page=2\"", true},
		{"nginx/1.22", true},    {"content-type", true},    {"10.2.1.40", true},
		{"deadbeef", false},     {"-deadbeef", true},       {"\"GET /\"", false},
		{"catalog nginx", true}, {"catalog apache", false}, {"00ff", true},
		{"orders", false},
	};
	static const uint8_t digest[] = {0x00, 0xff, 0x12};
	struct sample sample;

	sample_init(&sample, &sample_schema);
	sample_fill(sample.rec);
	weir_record_set_bytes(sample.rec, S_SHA256, digest, sizeof(digest), sizeof(digest));
	CHECK_ROWS(rows, sample.rec);
	sample_fini(&sample);
}

static void what_is_absent_matches_no_operator(void **state)
{
	static const struct row rows[] = {
		{"status:200", false},    {"status!=200", false}, {"status>0", false},
		{"-status:200", true},    {"status:*", false},    {"-status:*", true},
		{"host!~x", false},       {"gap:true", true},     {"gap>1", false},
		{"gap:1", true},          {"type:tcp", true},     {"state:closed", true},
		{"tcp.c2s.gaps:0", true},
	};
	struct sample sample;

	sample_init(&sample, &record_tcp_schema);
	weir_record_set_static(sample.rec, TCP_F_STATE, "closed");
	weir_record_set_u64(sample.rec, record_tcp_field(WEIR_C2S, TCP_DIR_GAPS), 0);
	weir_record_set_u64(sample.rec, record_tcp_field(WEIR_S2C, TCP_DIR_GAPS), 1);
	CHECK_ROWS(rows, sample.rec);
	sample_fini(&sample);
}

static void lists_match_by_any_element(void **state)
{
	static const struct row rows[] = {
		{"anomaly:http.cl_te_both", true},
		{"anomaly:http.*", true},
		{"anomaly:tcp.*", false},
		{"anomaly!=tcp.x", true},
		{"anomaly!=http.chunk_size_invalid", false},
		{"http.interim:103", true},
		{"http.interim:1xx", true},
		{"http.interim>103", false},
		{"http.interim:200", false},
	};
	struct sample sample;

	sample_init(&sample, &sample_schema);
	weir_record_add_anomaly(sample.rec, "http.cl_te_both");
	weir_record_add_anomaly(sample.rec, "http.chunk_size_invalid");
	weir_record_add_u64(sample.rec, S_INTERIM, 100);
	weir_record_add_u64(sample.rec, S_INTERIM, 103);
	CHECK_ROWS(rows, sample.rec);
	sample_fini(&sample);
}

static void captured_bytes_are_any_bytes(void **state)
{
	static const struct row rows[] = {
		{"path:/*", true},        {"path:~^/", true},    {"path:~x$", true},
		{"path:~\xc3\xbc", true}, {"path:\"/\"", false}, {"path:*x", true},
	};
	struct sample sample;

	sample_init(&sample, &sample_schema);
	weir_record_set_bytes(sample.rec, S_PATH, "/\0\xff\xc3\xbc\x80x", 7, SIZE_MAX);
	CHECK_ROWS(rows, sample.rec);
	sample_fini(&sample);
}

/* Each would take a backtracking matcher without limits minutes to years. */
static void a_hostile_value_cannot_make_a_match_slow(void **state)
{
	static const char *const filters[] = {"body:~(a+)+[bc]", "body:~(a|aa)*[xy]",
					      "body:~a.*a.*a.*[bc]", "body:~(.*)*\\1[xy]"};
	struct sample sample;
	struct query *query;
	char *big = malloc(1 << 20);
	size_t i;

	assert_non_null(big);
	memset(big, 'a', 1 << 20);
	sample_init(&sample, &sample_schema);
	weir_record_set_bytes(sample.rec, S_REQUEST_BODY, big, 1 << 20, SIZE_MAX);
	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		query = parse(filters[i]);
		assert_false(query_match(query, sample.rec));
		assert_true(query_limited(query) > 0);
		query_free(query);
	}
	free(big);
	sample_fini(&sample);
}

/* The quick form gives up here (16,000 backtracks from one place); the counted one finds it. */
static void a_long_line_is_still_searched(void **state)
{
	struct sample sample;
	struct query *query = parse("body:~foo.*bar");
	char line[16000];

	memset(line, 'x', sizeof(line));
	memcpy(line + 10, "foobar", 6);
	sample_init(&sample, &sample_schema);
	weir_record_set_bytes(sample.rec, S_REQUEST_BODY, line, sizeof(line), SIZE_MAX);
	assert_true(query_match(query, sample.rec));
	assert_int_equal(query_limited(query), 0);
	query_free(query);
	sample_fini(&sample);
}

static void errors_say_where_and_what_was_meant(void **state)
{
	static const struct {
		const char *filter;
		size_t offset, length;
		const char *reason, *suggestion;
	} rows[] = {
		{"statsu>=500", 0, 6, "there is no field \"statsu\"", "status"},
		{"status:200 metod:GET", 11, 5, "there is no field \"metod\"", "method"},
		{"http.respnse.status_code:200", 0, 24, "there is no field",
		 "http.response.status_code"},
		{"status_code:200", 0, 11, "there is no field", "http.response.status_code"},
		{"http://x/", 0, 4, "there is no field \"http\"", ""},
		{"status>=", 8, 0, "a value is missing", ""},
		{"status:", 7, 0, "a value is missing", ""},
		{"status:200,", 11, 0, "a value is missing", ""},
		{"status:abc", 7, 3, "status takes a number", ""},
		{"status:5ms", 7, 3, "status takes a number without a unit", ""},
		{"status:1.5", 7, 3, "whole", ""},
		{"status>1,2", 9, 1, "> takes one value", ""},
		{"status:9..1", 7, 4, "begins with the smaller", ""},
		{"status:99999999999999999999", 7, 20, "status takes a number", ""},
		{"dur>100", 4, 3, "needs a unit", "100ms"},
		{"dur>100MB", 4, 5, "dur takes a duration", ""},
		{"size>1parsec", 5, 7, "size takes a size", ""},
		{"method>GET", 0, 7, "method is text", ""},
		{"status:~5", 0, 8, "status is a number", ""},
		{"client:10.0.0.300", 7, 10, "client takes an address", ""},
		{"client:10.0.0.0/33", 7, 11, "client takes a network", ""},
		{"ts:yesterday", 3, 9, "ts takes a time", ""},
		{"ts:2026-13-01", 3, 10, "ts takes a time", ""},
		{"final:maybe", 6, 5, "final takes true or false", ""},
		{"host:~a(b", 9, 0, "not a regular expression: missing closing parenthesis", ""},
		{"host:~\"a(b\"", 10, 1, "not a regular expression", ""},
		{"host:~*a", 6, 1, "not a regular expression", ""},
		{"(status:200", 0, 1, "not closed", ""},
		{"status:200)", 10, 1, "nothing was opened", ""},
		{"host:\"abc", 5, 1, "this quote is not closed", ""},
		{"status:200 OR", 13, 0, "something is missing", ""},
		{"status:200 -", 11, 1, "", ""},
		{":200", 0, 1, "name is missing", ""},
	};
	struct query_error error;
	struct query *query;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = query_new(rows[i].filter, schemas, &query, &error);

		if (rows[i].reason[0] == '\0') {
			assert_int_equal(err, 0); /* a lone dash is text */
			query_free(query);
			continue;
		}
		if (err != WEIR_EINVAL || error.offset != rows[i].offset ||
		    error.length != rows[i].length ||
		    strstr(error.reason, rows[i].reason) == NULL ||
		    strcmp(error.suggestion, rows[i].suggestion) != 0) {
			print_error("%s: got %d at %zu+%zu \"%s\" \"%s\"\n", rows[i].filter, err,
				    error.offset, error.length, error.reason, error.suggestion);
			fail();
		}
	}
}

static char *repeat(const char *piece, size_t n)
{
	size_t len = strlen(piece), i;
	char *text = malloc(n * len + 1);

	assert_non_null(text);
	for (i = 0; i < n; i++) {
		memcpy(text + i * len, piece, len);
	}
	text[n * len] = '\0';
	return text;
}

static void filters_are_bounded(void **state)
{
	static const struct {
		const char *piece;
		size_t n;
	} rows[] = {{"(", 1000}, {"-", 10000}, {"not ", 3000}, {"status:200 ", 10000}};
	struct query_error error;
	struct query *query;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *text = repeat(rows[i].piece, rows[i].n);

		assert_int_equal(query_new(text, schemas, &query, &error), WEIR_EINVAL);
		free(text);
	}
}

/* What a store translates. */
static void the_tree_says_what_was_written(void **state)
{
	struct query *query = parse("status>=500 (host:api.*,b OR -\"x y\") client:10.0.0.0/8");
	const struct query_node *root = query_root(query);
	const struct query_node *any;
	const struct query_term *term;

	assert_int_equal(root->kind, QUERY_AND);
	term = root->child->term;
	assert_int_equal(term->op, QUERY_GE);
	assert_string_equal(term->targets[0].field, "http.response.status_code");
	assert_int_equal(term->ntargets, 1);
	assert_int_equal(term->values[0].kind, QUERY_RANGE);
	assert_int_equal(term->values[0].low, 500);
	any = root->child->next;
	assert_int_equal(any->kind, QUERY_OR);
	term = any->child->term;
	assert_string_equal(term->targets[0].field, "url.domain");
	assert_int_equal(term->nvalues, 2);
	assert_int_equal(term->values[0].kind, QUERY_PREFIX);
	assert_memory_equal(term->values[0].text.p, "api.", 4);
	assert_int_equal(term->values[1].kind, QUERY_EXACT);
	assert_int_equal(any->child->next->kind, QUERY_NOT);
	assert_int_equal(any->child->next->child->kind, QUERY_TEXT);
	assert_memory_equal(any->child->next->child->text.p, "x y", 3);
	term = any->next->term;
	assert_int_equal(term->values[0].kind, QUERY_NETWORK);
	assert_int_equal(term->values[0].bits, 8);
	assert_null(any->next->next);
	query_free(query);
}

static void fields_that_are_read_are_wanted(void **state)
{
	struct query *query = parse("status:200 host:x");

	assert_true(query_wants(query, &sample_schema, S_STATUS));
	assert_true(query_wants(query, &sample_schema, S_DOMAIN));
	assert_false(query_wants(query, &sample_schema, S_PATH));
	assert_false(query_wants(query, &record_tcp_schema, S_STATUS));
	query_free(query);
	query = parse("text");
	assert_true(query_wants(query, &sample_schema, S_PATH));
	assert_true(query_wants(query, &sample_schema, S_REQUEST_HEADER));
	assert_false(query_wants(query, &sample_schema, S_STATUS));
	query_free(query);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comparisons_of_each_kind),
		cmocka_unit_test(text_and_patterns),
		cmocka_unit_test(joining_and_negation),
		cmocka_unit_test(free_text_is_looked_for_everywhere_in_any_case),
		cmocka_unit_test(what_is_absent_matches_no_operator),
		cmocka_unit_test(lists_match_by_any_element),
		cmocka_unit_test(captured_bytes_are_any_bytes),
		cmocka_unit_test(a_hostile_value_cannot_make_a_match_slow),
		cmocka_unit_test(a_long_line_is_still_searched),
		cmocka_unit_test(errors_say_where_and_what_was_meant),
		cmocka_unit_test(filters_are_bounded),
		cmocka_unit_test(the_tree_says_what_was_written),
		cmocka_unit_test(fields_that_are_read_are_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
