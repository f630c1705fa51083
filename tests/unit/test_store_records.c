/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store/reader.h, records: pages, filters, one record, limits. What a store gives is what its records say (tests/lib/store_ask.h); every
 * backend is held to that.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_ask.h"

/* ---- records ---- */

static void text_of(struct json_writer *writer, const struct weir_record *rec, struct strbuf *to)
{
	strbuf_clear(to);
	assert_int_equal(json_write_record(writer, rec, to), 0);
}

struct expected {
	struct json_writer writer;
	struct strbuf have, want;
	const struct weir_record *rec;
	size_t row;
	size_t n;
};

static int compare_json(void *context, const struct weir_record *rec, int64_t row)
{
	struct expected *expected = context;

	text_of(&expected->writer, rec, &expected->have);
	text_of(&expected->writer, expected->rec, &expected->want);
	if (strcmp(strbuf_text(&expected->have), strbuf_text(&expected->want)) != 0) {
		print_error("have %s\nwant %s\n", strbuf_text(&expected->have),
			    strbuf_text(&expected->want));
		fail();
	}
	assert_int_equal(row, expected->row);
	expected->n++;
	return 0;
}

static void a_record_comes_back_whole(void **state)
{
	struct expected expected = {.n = 0};
	size_t i;

	(void)state;
	json_writer_init(&expected.writer);
	strbuf_init(&expected.have);
	strbuf_init(&expected.want);
	for (i = 0; i < model->n; i += 3) {
		char id[WEIR_ID_LEN + 1] = "";

		memcpy(id, model->records[i]->values[WEIR_F_ID].v.bytes, WEIR_ID_LEN);
		expected.rec = model->records[i];
		expected.row = i + 1;
		assert_int_equal(store_record(reader, id, compare_json, &expected), 0);
	}
	assert_int_equal(expected.n, (model->n + 2) / 3);
	assert_int_equal(
		store_record(reader, "01KAMZ9Q1P0000000000000000", compare_json, &expected),
		WEIR_ENOTFOUND);
	assert_int_equal(store_record(reader, "' OR 1=1 --", compare_json, &expected),
			 WEIR_ENOTFOUND);
	assert_int_equal(store_record(reader, "", compare_json, &expected), WEIR_ENOTFOUND);
	json_writer_fini(&expected.writer);
	strbuf_fini(&expected.have);
	strbuf_fini(&expected.want);
}

static void same_rows(const struct collected *have, const size_t *want, size_t n, const char *what)
{
	size_t i;

	for (i = 0; i < n && i < have->n && have->rows[i] == want[i]; i++) {
	}
	if (i < n || have->n != n) {
		print_error("%s: %zu rows, want %zu; the first that differs is %zu (row %zu, want "
			    "%zu)\n",
			    what, have->n, n, i, i < have->n ? have->rows[i] : 0,
			    i < n ? want[i] : 0);
		fail();
	}
}

static void pages_are_in_the_order_of_time_and_miss_nothing(void **state)
{
	static struct collected have;
	static size_t want[MODEL_MAX], turned[MODEL_MAX];
	size_t n = select_records(&everything, want), i;

	(void)state;
	assert_int_equal(read_pages(&everything, STORE_NEWEST, 1000, &have), 4);
	same_rows(&have, want, n, "newest");
	assert_int_equal(read_pages(&everything, STORE_NEWEST, 7, &have),
			 (n + 6) / 7 + (n % 7 == 0));
	same_rows(&have, want, n, "newest, small pages");
	for (i = 0; i < n; i++) {
		turned[i] = want[n - 1 - i];
	}
	read_pages(&everything, STORE_OLDEST, 100, &have);
	same_rows(&have, turned, n, "oldest");
}

static int by_duration(const void *a, const void *b)
{
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int64_t dx = model->records[x]->values[WEIR_F_DURATION].v.i64;
	int64_t dy = model->records[y]->values[WEIR_F_DURATION].v.i64;

	return dx != dy ? (dx < dy ? 1 : -1) : x < y ? 1 : -1;
}

static void the_slowest_are_found(void **state)
{
	static struct collected have;
	static size_t want[MODEL_MAX];
	struct store_scope scope = everything;
	size_t n = 0, i;

	(void)state;
	scope.filter = parse("type:http");
	for (i = 0; i < model->n; i++) {
		if (in_scope(&scope, i) && weir_record_has(model->records[i], WEIR_F_DURATION)) {
			want[n++] = i;
		}
	}
	qsort(want, n, sizeof(*want), by_duration);
	read_pages(&scope, STORE_SLOWEST, 300, &have);
	same_rows(&have, want, n, "slowest");
	query_free(scope.filter);
}

static void a_time_is_from_its_beginning_up_to_before_its_end(void **state)
{
	static struct collected have;
	static size_t want[MODEL_MAX];
	struct store_scope scope = everything;
	size_t n;

	(void)state;
	scope.from_ns = ts_of(500);
	scope.to_ns = ts_of(1500);
	n = select_records(&scope, want);
	assert_true(n > 100 && n < model->n / 2);
	read_pages(&scope, STORE_NEWEST, 64, &have);
	same_rows(&have, want, n, "a time");
	read_pages(&scope, STORE_OLDEST, 64, &have);
	assert_int_equal(have.n, n);
	assert_int_equal(have.rows[0], want[n - 1]);
}

/* ---- filters ---- */

/* Those of tests/cli/test_query.py, and what SQL could get wrong. */
static const char *const filters[] = {
	"status>=500",
	"status:404,503",
	"status:4xx",
	"status!=200",
	"-status:200",
	"status:200..299",
	"http.response.status_code == 201",
	"method:POST",
	"type:http -method:GET",
	"dur>100ms",
	"dur>=1s OR stall>0",
	"wait:1ms..2ms",
	"rtt<1ms",
	"size>10kB",
	"size>=1KiB size<1MB",
	"host:~^api",
	"host!~^api",
	"host:shop.example",
	"host:*.example",
	"path:/v1/*",
	"path:*.pdf,*.png",
	"path:*product*",
	"path:/v1/*s",
	"path:~\"^/v1/[a-z]+$\"",
	"header.content-type:application/json*",
	"http.request.header.cookie:*",
	"retrans>0",
	"gap:true",
	"complete:gap",
	"anomaly:http.*",
	"client:10.0.0.1",
	"port:80",
	"type:tcp,anomaly",
	"ts>=2025-11-22T14:17:31",
	"ts:2025-11-22T14:17:30",
	"pairing:exact -http.request.framing:none",
	"http.interim:1xx",
	"version:1.0",
	"ua:Prometheus/*",
	"(status:404 OR status:500) method:POST,GET",
	"prometheus -path:/metrics",
	"\"application/pdf\"",
	"mime:image/*",
	"body:*error*",
	"",
	"type:*",
	"type!=tcp",
	"-type:http",
	"NOT (type:http OR type:tcp)",
	"path:*",
	"-path:*",
	"path:\"\"",
	"path!=\"\"",
	"path:\\\\xff",
	"path:*\\\\xff",
	"path:*\\\\*",
	"path:\"/a*b\"",
	"path:/*b",
	"path:/users/*,/orders",
	"path!=/users/*,/orders",
	"url:*DROP*",
	"ua:\"'; DROP TABLE _http;--\"",
	"ua:NULL",
	"ua:%_",
	"client:10.0.0.0/8",
	"client:10.1.0.0/16 -server:10.0.0.0/24",
	"ip:10.0.0.0/9",
	"client:2001:db8::1",
	"client:::ffff:10.0.0.1",
	"client:0.0.0.0/0",
	"client!=10.0.0.1",
	"client:10.*",
	"size:true",
	"size:false",
	"size>=9223372036854775807",
	"size<=9223372036854775807",
	"size>9223372036854775806",
	"size:1..9223372036854775807",
	"dur<0",
	"dur>=0 dur<1us",
	"tls.decrypted:true",
	"-tls.decrypted:false",
	"sha256:0101*",
	"sha256:0101010101010101010101010101010101010101010101010101010101010101",
	"user:*",
	"-(user:* OR ua:*)",
	"-(-status:200)",
	"NOT (NOT (path:~a OR status:200))",
	"-(path:~a status:200)",
	"(path:~a OR status:200) -method:PUT",
	"db:orders op:SELECT",
	"error:*",
	"sqlstate:*",
	"state:reset,evicted",
	"anomalies:*",
	"NULL",
	"host:~(?i)API",
	"method:GET method:POST",
	"status:200 OR type:tcp retrans>3",
};

static void check_filter(const char *text)
{
	static struct collected have;
	static size_t want[MODEL_MAX];
	struct store_scope scope = everything;
	size_t n;

	scope.filter = parse(text);
	n = select_records(&scope, want);
	read_pages(&scope, STORE_NEWEST, 1000, &have);
	same_rows(&have, want, n, text);
	query_free(scope.filter);
}

static void a_filter_lets_through_what_the_matcher_does(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
		check_filter(filters[i]);
	}
}

/* A filter of dice: terms about any field with values that occur, joined in all ways. */
static void put_random(struct model *dice, struct strbuf *to, unsigned depth)
{
	static const char *const ops[] = {":", "!=", "<", "<=", ">", ">="};
	const struct weir_record *rec = model->records[model_roll(dice, (uint32_t)model->n)];
	uint32_t what = model_roll(dice, depth > 3 ? 4 : 7);
	size_t field = 1 + model_roll(dice, WEIR_NCOMMON + (uint32_t)rec->schema->nfields - 1);
	const struct weir_value *value = &rec->values[field];
	const char *name = weir_schema_field(rec->schema, field)->name;
	uint32_t i;

	if (what >= 4) {
		strbuf_str(to, what == 4 ? "-(" : "(");
		put_random(dice, to, depth + 1);
		strbuf_str(to, what == 5 ? " OR " : " ");
		put_random(dice, to, depth + 1);
		strbuf_char(to, ')');
		return;
	}
	if (!weir_record_has(rec, field) || what == 0) {
		strbuf_printf(to, "%s:*", name);
		return;
	}
	switch (record_kind(rec->schema, field)) {
	case WEIR_KIND_U64:
		strbuf_printf(to, "%s%s%llu", name, ops[model_roll(dice, 6)],
			      (unsigned long long)(value->v.u64 & INT64_MAX));
		break;
	case WEIR_KIND_DURATION:
		strbuf_printf(to, "%s%s%lldns", name, ops[model_roll(dice, 6)],
			      (long long)value->v.i64);
		break;
	case WEIR_KIND_STR:
		strbuf_printf(to, "%s%s", name, ops[model_roll(dice, 2)]);
		if (what == 1) {
			strbuf_char(to, '"');
			for (i = 0; i < value->len; i++) {
				strbuf_str(to, value->v.bytes[i] == '"' || value->v.bytes[i] == '\\'
						       ? "\\"
						       : "");
				strbuf_char(to, (char)value->v.bytes[i]);
			}
			strbuf_char(to, '"');
		} else {
			strbuf_printf(to, "%c*", 'a' + (int)model_roll(dice, 4));
		}
		break;
	case WEIR_KIND_ADDRESS:
		strbuf_printf(to, "%s:10.%u.0.0/%u", name, model_roll(dice, 2),
			      8 * (1 + model_roll(dice, 4)));
		break;
	default:
		strbuf_printf(to, "%s:*", name);
	}
}

static void a_random_filter_does_too(void **state)
{
	struct model *dice = calloc(1, sizeof(*dice));
	struct strbuf text;
	size_t read = 0, i;

	(void)state;
	dice->dice = 99;
	strbuf_init(&text);
	for (i = 0; i < 400; i++) {
		struct query_error error;
		struct query *query = NULL;

		strbuf_clear(&text);
		put_random(dice, &text, 0);
		/* a value with a NUL cannot be written in a filter's text */
		if (strlen(strbuf_text(&text)) != text.len ||
		    query_new(strbuf_text(&text), model->schemas, &query, &error) != 0) {
			continue;
		}
		query_free(query);
		check_filter(strbuf_text(&text));
		read++;
	}
	assert_true(read > 300);
	strbuf_fini(&text);
	free(dice);
}

/* ---- limits ---- */

static void a_bounded_scan_says_so_and_can_be_gone_on_with(void **state)
{
	static struct collected have;
	static size_t want[MODEL_MAX];
	static const char *const texts[] = {"path:~users", "size<100", "type:http path:~zzzz"};
	struct store_scope scope = everything;
	struct store_answer answer;
	struct store_groups groups;
	struct store_question question = {.by = STORE_GROUP_PROTOCOL};
	char cursor[STORE_CURSOR_MAX] = "";
	size_t n, i, k;

	(void)state;
	scope.limits.rows = 100;
	for (k = 0; k < 3; k++) {
		struct store_page page = {
			.limit = 1000, .cursor = cursor, .record = collect, .context = &have};

		scope.filter = parse(texts[k]);
		n = select_records(&scope, want);
		have.n = 0;
		cursor[0] = '\0';
		for (i = 0; i == 0 || cursor[0] != '\0'; i++) {
			assert_int_equal(store_page(reader, &scope, &page, cursor, &answer), 0);
			assert_int_equal(answer.basis, STORE_FROM_SCAN);
			assert_true(answer.rows <= 100);
			assert_int_equal(answer.end,
					 cursor[0] == '\0' ? STORE_COMPLETE : STORE_ROWS_SPENT);
		}
		assert_true(i > 8);
		same_rows(&have, want, n, texts[k]);
		query_free(scope.filter);
	}
	/* figures are of the time that was looked at, and nothing else */
	scope.filter = NULL;
	scope.exact = true;
	assert_int_equal(store_table(reader, &scope, &question, &groups), 0);
	if (groups.answer.basis == STORE_FROM_SCAN) {
		assert_int_equal(groups.answer.end, STORE_ROWS_SPENT);
		assert_true(groups.answer.from_ns > ts_of(model->n - 300));
		assert_true(groups.total.count > 0 && groups.total.count <= 100);
	}
	store_groups_free(&groups);
}

static void an_index_is_told_from_a_scan(void **state)
{
	static struct collected have;
	struct store_page page = {.limit = 10, .record = collect, .context = &have};
	struct store_answer answer;
	char cursor[STORE_CURSOR_MAX];

	(void)state;
	have.n = 0;
	assert_int_equal(store_page(reader, &everything, &page, cursor, &answer), 0);
	assert_int_equal(answer.basis, STORE_FROM_INDEX);
	assert_true(answer.rows < 30);
	assert_int_equal(answer.end, STORE_COMPLETE);
}

static void time_ends_a_question_with_what_it_has(void **state)
{
	static struct collected have;
	struct store_scope scope = everything;
	struct store_page page = {.limit = 1000, .record = collect, .context = &have};
	struct store_answer answer;
	char cursor[STORE_CURSOR_MAX];

	(void)state;
	have.n = 0;
	scope.filter = parse("path:~\"(a|b)*zzz\"");
	scope.limits.time_ns = 1;
	assert_int_equal(store_page(reader, &scope, &page, cursor, &answer), 0);
	assert_int_equal(answer.end, STORE_TIME_SPENT);
	assert_true(cursor[0] != '\0');
	query_free(scope.filter);
}

static int cancel_soon(void *context, const struct weir_record *rec, int64_t row)
{
	(void)rec;
	(void)row;
	if (++*(size_t *)context == 5) {
		store_cancel(reader);
	}
	return 0;
}

static void a_question_can_be_cancelled(void **state)
{
	size_t n = 0;
	struct store_page page = {.limit = 1000, .record = cancel_soon, .context = &n};
	struct store_answer answer;
	char cursor[STORE_CURSOR_MAX];

	(void)state;
	assert_int_equal(store_page(reader, &everything, &page, cursor, &answer), 0);
	assert_int_equal(answer.end, STORE_CANCELLED);
	assert_true(n >= 5 && n < 1000);
	/* the next one is not */
	page.cursor = cursor;
	assert_int_equal(store_page(reader, &everything, &page, cursor, &answer), 0);
	assert_int_equal(answer.end, STORE_COMPLETE);
}

static void what_is_no_cursor_is_refused(void **state)
{
	static const char *const cursors[] = {"x",
					      "n",
					      "n00000000000000000000000000000000g",
					      "o00000000000000000000000000000000",
					      "n000000000000000000000000000000000",
					      "nFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
					      "' OR 1=1"};
	static struct collected have;
	struct store_answer answer;
	char cursor[STORE_CURSOR_MAX];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cursors) / sizeof(cursors[0]); i++) {
		struct store_page page = {
			.cursor = cursors[i], .record = collect, .context = &have};

		assert_int_equal(store_page(reader, &everything, &page, cursor, &answer),
				 WEIR_EINVAL);
		assert_non_null(strstr(store_problem(reader), "cursor"));
	}
	{
		/* any numbers are a place */
		struct store_page page = {.cursor = "nffffffffffffffff7fffffffffffffff",
					  .record = collect,
					  .context = &have};

		have.n = 0;
		assert_int_equal(store_page(reader, &everything, &page, cursor, &answer), 0);
		assert_int_equal(have.n, 0);
	}
}

static void pages_do_not_shift_while_records_are_written(void **state)
{
	static struct collected have;
	static size_t want[MODEL_MAX];
	struct store_page page = {.limit = 40, .record = collect, .context = &have};
	struct store_scope scope = everything;
	struct store_answer answer;
	char cursor[STORE_CURSOR_MAX];
	size_t n, before = model->n;

	(void)state;
	scope.filter = parse("type:http");
	n = select_records(&scope, want);
	have.n = 0;
	assert_int_equal(store_page(reader, &scope, &page, cursor, &answer), 0);
	model_fill(model, 200);
	model_store(model, before);
	page.cursor = cursor;
	while (cursor[0] != '\0') {
		assert_int_equal(store_page(reader, &scope, &page, cursor, &answer), 0);
	}
	/* newer ones come before the first page's place, whatever of them is older than that comes in its place */
	assert_true(have.n >= n);
	assert_memory_equal(have.rows, want, 40 * sizeof(want[0]));
	n = select_records(&scope, want);
	read_pages(&scope, STORE_NEWEST, 100, &have);
	same_rows(&have, want, n, "with the new ones");
	query_free(scope.filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_comes_back_whole),
		cmocka_unit_test(pages_are_in_the_order_of_time_and_miss_nothing),
		cmocka_unit_test(the_slowest_are_found),
		cmocka_unit_test(a_time_is_from_its_beginning_up_to_before_its_end),
		cmocka_unit_test(a_filter_lets_through_what_the_matcher_does),
		cmocka_unit_test(a_random_filter_does_too),
		cmocka_unit_test(a_bounded_scan_says_so_and_can_be_gone_on_with),
		cmocka_unit_test(an_index_is_told_from_a_scan),
		cmocka_unit_test(time_ends_a_question_with_what_it_has),
		cmocka_unit_test(a_question_can_be_cancelled),
		cmocka_unit_test(what_is_no_cursor_is_refused),
		cmocka_unit_test(pages_do_not_shift_while_records_are_written),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
