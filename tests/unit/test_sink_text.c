/* SPDX-License-Identifier: Apache-2.0 */
/* sink/text: lines for terminals and tab-separated lines. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "record/anomaly_fields.h"
#include "record/tcp_fields.h"
#include "sample_record.h"
#include "sink/escape.h"
#include "sink/sink.h"
#include "sink/text_line.h"
#include "weir/error.h"

#define MS INT64_C(1000000)

struct row {
	int64_t ts_ns;
	unsigned status; /* 0: no response */
	const char *method;
	const char *host;
	const char *path;
	const char *query;
	int64_t wait_ns, stall_ns, receive_ns;
	unsigned retransmits;
	uint64_t size;
	const char *client;
	const char *completeness;
};

/* The transactions of UI.md's picture. */
static const struct row rows[] = {
	{1763821049702 * MS, 200, "GET", "catalog-api", "/products/48213", NULL, 18 * MS, 0, 3 * MS,
	 0, 4100, "10.2.1.40", "complete"},
	{1763821049778 * MS, 201, "POST", "checkout-api", "/v2/orders", NULL, 213 * MS, 1610 * MS,
	 1653 * MS, 3, 38400, "10.2.1.9", "complete"},
	{1763821049813 * MS, 200, "GET", "search", "/_search", "q=life+jacket", 36 * MS, 0, 8 * MS,
	 0, 11200, "10.2.1.9", "complete"},
	{1763821049911 * MS, 404, "GET", "catalog-api", "/stock/48213", NULL, 4200000, 0, 2000000,
	 0, 62, "10.2.1.22", "complete"},
	{1763821050102 * MS, 504, "POST", "checkout-api", "/v2/payments/authorize", NULL, 200 * MS,
	 2800 * MS, 2800 * MS, 4, 162, "10.2.1.7", "truncated"},
	{1763821050118 * MS, 200, "GET", "shop-web", "/a\x1b[2J\x1b]0;PWNED\x07", NULL, 2600000, 0,
	 500000, 0, 9800, "10.2.9.66", "complete"},
	{1763821050131 * MS, 200, "GET", "catalog-api",
	 "/products/9917/a-very-long-segment-in-the-middle/of-it-all/reviews", "page=2", 600 * MS,
	 0, 55 * MS, 0, 24000, "2001:db8:1234:5678:9abc:def0:1234:5678", "gap"},
	{1763821050140 * MS, 0, "GET", "search", "/suggest", "q=kay", 0, 0, 0, 0, 0, "10.2.1.9",
	 "no_response"},
};

static void fill(struct weir_record *rec, const struct row *row)
{
	weir_record_set_i64(rec, WEIR_F_TS, row->ts_ns);
	weir_record_set_str(rec, S_METHOD, row->method);
	weir_record_set_str(rec, S_DOMAIN, row->host);
	weir_record_set_str(rec, S_PATH, row->path);
	weir_record_set_str(rec, S_TARGET, row->path);
	if (row->query != NULL) {
		weir_record_set_str(rec, S_QUERY, row->query);
	}
	weir_record_set_str(rec, WEIR_F_COMPLETENESS, row->completeness);
	sample_address(rec, WEIR_F_CLIENT_ADDRESS, row->client);
	weir_record_set_u64(rec, WEIR_F_CLIENT_PORT, 51774);
	sample_address(rec, WEIR_F_SERVER_ADDRESS, "10.2.4.17");
	weir_record_set_u64(rec, WEIR_F_SERVER_PORT, 8080);
	weir_record_set_u64(rec, WEIR_F_TCP_RETRANSMITS, row->retransmits);
	if (row->status == 0) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE, "reset");
		weir_record_set_i64(rec, WEIR_F_DURATION, 412 * MS);
		return;
	}
	weir_record_set_u64(rec, S_STATUS, row->status);
	weir_record_set_i64(rec, WEIR_F_DURATION, row->wait_ns + row->receive_ns);
	weir_record_set_i64(rec, WEIR_F_TIMING_STALL, row->stall_ns);
	weir_record_set_i64(rec, WEIR_F_TIMING_RECEIVE, row->receive_ns);
	weir_record_set_u64(rec, S_RESPONSE_SIZE, row->size);
}

static struct text_style *style_of(unsigned columns)
{
	struct text_style *style = calloc(1, sizeof(*style));

	style->columns = columns;
	strbuf_init(&style->cell);
	return style;
}

static void style_free(struct text_style *style)
{
	strbuf_fini(&style->cell);
	free(style);
}

/* The lines of all rows. */
static char *lines_of(struct text_style *style)
{
	struct text_schema of;
	struct strbuf out;
	char *text;
	size_t i;

	text_schema_init(&of, &sample_schema);
	strbuf_init(&out);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sample sample;

		sample_init(&sample, &sample_schema);
		fill(sample.rec, &rows[i]);
		text_put_line(style, &of, sample.rec, &out);
		sample_fini(&sample);
	}
	text = strdup(strbuf_text(&out));
	strbuf_fini(&out);
	return text;
}

static void check_lines(unsigned columns, const char *want)
{
	struct text_style *style = style_of(columns);
	char *text = lines_of(style);

	assert_string_equal(text, want);
	free(text);
	style_free(style);
}

static void columns_are_aligned_at_120(void **state)
{
	/* clang-format off */
	check_lines(120,
		    "14:17:29.702  200 GET     catalog-api  /products/48213                21 ms ▏████▌               4.1 kB  10.2.1.40\n"
		    "14:17:29.778  201 POST    checkout-api /v2/orders                    1.87 s ▏█▒▒▒▒▒▒▒▒▒▌  ↻3    38.4 kB  10.2.1.9\n"
		    "14:17:29.813  200 GET     search       /_search?q=life+jacket         44 ms ▏█████▌             11.2 kB  10.2.1.9\n"
		    "14:17:29.911  404 GET     catalog-api  /stock/48213                  6.2 ms ▏██▌                   62 B  10.2.1.22\n"
		    "14:17:30.102  504 POST    checkout-api /v2/payments/authorize        3.00 s ▏█▒▒▒▒▒▒▒▒▒▒▒ ↻4✂     162 B  10.2.1.7\n"
		    "14:17:30.118  200 GET     shop-web     /a\\x1b[2J\\x1b]0;PWNED\\x07     3.1 ms ▏█▌                  9.8 kB  10.2.9.66\n"
		    "14:17:30.131  200 GET     catalog-api  /products/991…t-all/reviews   655 ms ▏█████████▌   ⋯     24.0 kB  2001:db…34:5678\n"
		    "14:17:30.140  ··· GET     search       /suggest?q=kay              (no response, reset after 412 ms)     10.2.1.9\n");
	/* clang-format on */
}

/* No bar, no size; the client is the last to go. */
static void a_terminal_of_80_columns_has_less(void **state)
{
	/* clang-format off */
	check_lines(80,
		    "14:17:29.702  200 GET    cata…g-api /produ…/48213    21 ms       10.2.1.40\n"
		    "14:17:29.778  201 POST   chec…t-api /v2/orders      1.87 s ↻3    10.2.1.9\n"
		    "14:17:29.813  200 GET    search     /_search?q=l…    44 ms       10.2.1.9\n"
		    "14:17:29.911  404 GET    cata…g-api /stock/48213    6.2 ms       10.2.1.22\n"
		    "14:17:30.102  504 POST   chec…t-api /v2/pa…horize   3.00 s ↻4✂   10.2.1.7\n"
		    "14:17:30.118  200 GET    shop-web   /a\\x1b…ED\\x07   3.1 ms       10.2.9.66\n"
		    "14:17:30.131  200 GET    cata…g-api /produ…eviews   655 ms ⋯     2001:db…34:5678\n"
		    "14:17:30.140  ··· GET    search     /suggest?q=k… (no response)  10.2.1.9\n");
	/* clang-format on */
}

static void no_line_is_wider_than_the_terminal(void **state)
{
	unsigned columns;

	for (columns = 48; columns < 260; columns++) {
		struct text_style *style = style_of(columns);
		char *text = lines_of(style);
		char *line, *rest = NULL;

		for (line = strtok_r(text, "\n", &rest); line != NULL;
		     line = strtok_r(NULL, "\n", &rest)) {
			assert_true(escape_columns(line, strlen(line)) <= columns);
		}
		free(text);
		style_free(style);
	}
}

static void columns_drop_from_the_right(void **state)
{
	static const struct {
		unsigned columns;
		bool bar, size, client;
	} widths[] = {{110, true, true, true},  {109, false, true, true},
		      {90, false, true, true},  {89, false, false, true},
		      {80, false, false, true}, {79, false, false, false}};
	size_t i;

	for (i = 0; i < sizeof(widths) / sizeof(widths[0]); i++) {
		struct text_style *style = style_of(widths[i].columns);
		char *text = lines_of(style);

		assert_int_equal(strstr(text, "\xe2\x96\x8f") != NULL, widths[i].bar);
		assert_int_equal(strstr(text, "38.4 kB") != NULL, widths[i].size);
		assert_int_equal(strstr(text, "10.2.1.40") != NULL, widths[i].client);
		free(text);
		style_free(style);
	}
}

/* With colours, an escape sequence is one of ours: ESC [ digits and semicolons m. */
static void only_our_own_colours_are_sent(void **state)
{
	struct text_style *style = style_of(120);
	char *text, *at;

	style->color = true;
	style->rich = true;
	text = lines_of(style);
	assert_non_null(strstr(text, "\x1b[38;5;203m504\x1b[0m"));
	assert_non_null(strstr(text, "\x1b[38;5;214m404\x1b[0m"));
	assert_non_null(strstr(text, "\x1b[38;5;110m200\x1b[0m"));
	assert_non_null(strstr(text, "\\x1b[2J"));
	for (at = strchr(text, '\x1b'); at != NULL; at = strchr(at, '\x1b')) {
		assert_int_equal(at[1], '[');
		at += 2 + strspn(at + 2, "0123456789;");
		assert_int_equal(*at, 'm');
	}
	free(text);
	style_free(style);
}

static void ascii_means_ascii(void **state)
{
	struct text_style *style = style_of(120);
	char *text;
	size_t i;

	style->ascii = true;
	text = lines_of(style);
	for (i = 0; text[i] != '\0'; i++) {
		assert_true(text[i] == '\n' || (text[i] >= 0x20 && text[i] < 0x7f));
	}
	assert_non_null(strstr(text, "|#=========-  r3"));
	free(text);
	style_free(style);
}

static char *line_with(struct text_style *style, const struct weir_record *rec, bool columns)
{
	struct text_schema of;
	struct strbuf out;
	char *text;

	text_schema_init(&of, rec->schema);
	strbuf_init(&out);
	if (columns) {
		text_put_columns(style, &of, rec, &out);
	} else {
		text_put_line(style, &of, rec, &out);
	}
	text = strdup(strbuf_text(&out));
	strbuf_fini(&out);
	return text;
}

static void check_duration(struct text_style *style, struct weir_record *rec, int64_t ns,
			   const char *want)
{
	char *text;

	weir_record_set_i64(rec, WEIR_F_DURATION, ns);
	text = line_with(style, rec, false);
	assert_non_null(strstr(text, want));
	free(text);
}

static void what_is_slow_for_its_endpoint_is_told(void **state)
{
	struct text_style *style = style_of(120);
	struct sample sample;
	int i;

	style->color = true;
	sample_init(&sample, &sample_schema);
	fill(sample.rec, &rows[0]);
	for (i = 0; i < 20; i++) {
		char path[32];

		(void)snprintf(path, sizeof(path), "/products/%d", i * 37); /* one endpoint */
		weir_record_set_str(sample.rec, S_PATH, path);
		check_duration(style, sample.rec, 20 * MS, "   20 ms ");
	}
	check_duration(style, sample.rec, 150 * MS, "\x1b[33m150 ms\x1b[0m");
	check_duration(style, sample.rec, 800 * MS, "\x1b[31m800 ms\x1b[0m");
	check_duration(style, sample.rec, 30 * MS, "   30 ms ");
	sample_fini(&sample);
	style_free(style);
}

static void a_pipe_gets_tabs_in_a_fixed_order(void **state)
{
	static const char *const want[] = {
		"2025-11-22T14:17:29.702000000Z\thttp\t10.2.1.40:51774\t10.2.4.17:8080\t200\tGET\t"
		"catalog-api\t/products/48213\t21000000\t-\t4100\t0\tcomplete\t-\n",
		"2025-11-22T14:17:29.778000000Z\thttp\t10.2.1.9:51774\t10.2.4.17:8080\t201\tPOST\t"
		"checkout-api\t/v2/orders\t1866000000\t-\t38400\t3\tcomplete\t-\n",
	};
	struct text_style *style = style_of(0);
	struct sample sample;
	char *text;
	size_t i;

	for (i = 0; i < 2; i++) {
		sample_init(&sample, &sample_schema);
		fill(sample.rec, &rows[i]);
		text = line_with(style, sample.rec, true);
		assert_string_equal(text, want[i]);
		free(text);
		sample_fini(&sample);
	}
	style_free(style);
}

/* What was captured cannot make a column or a line. */
static void captured_tabs_and_line_ends_stay_in_their_column(void **state)
{
	struct text_style *style = style_of(0);
	struct sample sample;
	char *text;

	sample_init(&sample, &sample_schema);
	weir_record_set_str(sample.rec, S_TARGET, "/a\tb\nc");
	weir_record_add_anomaly(sample.rec, "http.bare_lf");
	weir_record_add_anomaly(sample.rec, "http.x");
	sample_address(sample.rec, WEIR_F_CLIENT_ADDRESS, "2001:db8::1");
	weir_record_set_u64(sample.rec, WEIR_F_CLIENT_PORT, 5);
	text = line_with(style, sample.rec, true);
	assert_string_equal(text, "-\thttp\t[2001:db8::1]:5\t-\t-\t-\t-\t/a\\x09b\\x0ac\t-\t-\t-\t-"
				  "\t-\thttp.bare_lf,http.x\n");
	free(text);
	sample_fini(&sample);
	style_free(style);
}

static void other_types_name_their_fields(void **state)
{
	struct text_style *style = style_of(120);
	struct sample sample;
	char *text;

	sample_init(&sample, &record_anomaly_schema);
	weir_record_set_i64(sample.rec, WEIR_F_TS, 1763821049702 * MS);
	sample_address(sample.rec, WEIR_F_CLIENT_ADDRESS, "10.2.1.40");
	weir_record_set_u64(sample.rec, WEIR_F_CLIENT_PORT, 51774);
	sample_address(sample.rec, WEIR_F_SERVER_ADDRESS, "10.2.4.17");
	weir_record_set_u64(sample.rec, WEIR_F_SERVER_PORT, 8080);
	weir_record_set_static(sample.rec, ANOMALY_F_CODE, "tcp.overlap_conflict");
	weir_record_set_u64(sample.rec, ANOMALY_F_OFFSET, 12);
	weir_record_set_str(sample.rec, ANOMALY_F_EVIDENCE, "a\x1b");
	text = line_with(style, sample.rec, false);
	assert_string_equal(text,
			    "14:17:29.702  anomaly   10.2.1.40:51774 \xe2\x86\x92 10.2.4.17:8080 "
			    "code=tcp.overlap_conflict offset=12 evidence=a\\x1b\n");
	free(text);
	text = line_with(style, sample.rec, true);
	assert_string_equal(text, "2025-11-22T14:17:29.702000000Z\tanomaly\t10.2.1.40:51774\t"
				  "10.2.4.17:8080\tcode=tcp.overlap_conflict\toffset=12\t"
				  "evidence=a\\x1b\n");
	free(text);
	sample_fini(&sample);
	style_free(style);
}

enum {
	D_OPERATION = WEIR_NCOMMON,
	D_TEXT,
	D_SIZE,
	D_STATUS,
	D_CODE,
	D_MESSAGE,
	D_DATABASE,
	D_ROWS,
	D_CHANGED
};

static const struct weir_field db_fields[] = {
	{"db.operation.name", WEIR_KIND_STR, 0, ""},
	{"db.query.text", WEIR_KIND_STR, WEIR_FIELD_STATEMENT, ""},
	{"db.response.size", WEIR_KIND_U64, 0, ""},
	{"db.response.status", WEIR_KIND_STR, 0, ""},
	{"db.response.status_code", WEIR_KIND_STR, 0, ""},
	{"error.message", WEIR_KIND_STR, WEIR_FIELD_STATEMENT, ""},
	{"db.namespace", WEIR_KIND_STR, 0, ""},
	{"db.response.returned_rows", WEIR_KIND_U64, 0, ""},
	{"db.response.affected_rows", WEIR_KIND_U64, 0, ""},
};
static const struct weir_schema db_schema = {"mysql", db_fields,
					     sizeof(db_fields) / sizeof(db_fields[0])};

/* A request to a database of a millisecond; status NULL: no response. */
static void check_db_line(const char *verb, const char *text, const char *status, int nrows,
			  int changed, const char *want)
{
	struct text_style *style = style_of(100);
	struct sample sample;
	char *line;

	sample_init(&sample, &db_schema);
	weir_record_set_i64(sample.rec, WEIR_F_TS, 1763821049702 * MS);
	sample_address(sample.rec, WEIR_F_CLIENT_ADDRESS, "10.2.1.40");
	sample_address(sample.rec, WEIR_F_SERVER_ADDRESS, "10.2.4.17");
	weir_record_set_str(sample.rec, D_DATABASE, "shop");
	weir_record_set_str(sample.rec, D_OPERATION, verb);
	weir_record_set_str(sample.rec, D_TEXT, text);
	weir_record_set_str(sample.rec, WEIR_F_COMPLETENESS,
			    status == NULL ? "no_response" : "complete");
	if (status != NULL) {
		weir_record_set_i64(sample.rec, WEIR_F_DURATION, MS);
		weir_record_set_str(sample.rec, D_STATUS, status);
		weir_record_set_u64(sample.rec, D_SIZE, 62);
	}
	if (status != NULL && strcmp(status, "error") == 0) {
		weir_record_set_str(sample.rec, D_CODE, "1146");
		weir_record_set_str(sample.rec, D_MESSAGE, "no\ntable");
	}
	if (nrows >= 0) {
		weir_record_set_u64(sample.rec, D_ROWS, (uint64_t)nrows);
	}
	if (changed >= 0) {
		weir_record_set_u64(sample.rec, D_CHANGED, (uint64_t)changed);
	}
	line = line_with(style, sample.rec, false);
	assert_string_equal(line, want);
	free(line);
	sample_fini(&sample);
	style_free(style);
}

static void requests_to_databases_have_the_columns_of_transactions(void **state)
{
	check_db_line("SELECT", "select *\n\tfrom t", "ok", 12, -1,
		      "14:17:29.702  ok  SELECT  mysql shop   select * from t         1.0 ms       "
		      "12 rows  10.2.1.40\n");
	check_db_line("UPDATE", "update t", "ok", -1, 1,
		      "14:17:29.702  ok  UPDATE  mysql shop   update t                1.0 ms       "
		      " \xce\x94"
		      "1 row  10.2.1.40\n");
	check_db_line("SELECT", "select 1", "ok", 17321, -1,
		      "14:17:29.702  ok  SELECT  mysql shop   select 1                1.0 ms      "
		      "17k rows  10.2.1.40\n");
	check_db_line("SELECT", "select 1 from u", "error", -1, -1,
		      "14:17:29.702  err SELECT  mysql shop   1146 no table: selec\xe2\x80\xa6   "
		      "1.0 ms          62 B  10.2.1.40\n");
	check_db_line("SELECT", "a/b", NULL, -1, -1,
		      "14:17:29.702  \xc2\xb7\xc2\xb7\xc2\xb7 SELECT  mysql shop   a/b             "
		      "      (no response)           10.2.1.40\n");
}

enum { T_VERSION = WEIR_NCOMMON, T_NEXT, T_HANDSHAKE, T_CIPHER, T_RESUMED, T_BYTES, T_JA3, T_END };

static const struct weir_field session_fields[] = {
	{"tls.version", WEIR_KIND_STR, 0, ""},
	{"tls.next_protocol", WEIR_KIND_STR, 0, ""},
	{"tls.handshake_ns", WEIR_KIND_DURATION, 0, ""},
	{"tls.cipher", WEIR_KIND_STR, 0, ""},
	{"tls.resumed", WEIR_KIND_BOOL, 0, ""},
	{"tls.s2c.bytes", WEIR_KIND_U64, 0, ""},
	{"tls.client.ja3", WEIR_KIND_STR, WEIR_FIELD_DETAIL, ""},
};
static const struct weir_schema session_schema = {"tls", session_fields, T_END - WEIR_NCOMMON};

static void fill_session(struct weir_record *rec, const char *version, const char *next,
			 const char *cipher, const char *error)
{
	weir_record_set_i64(rec, WEIR_F_TS, 1763821049702 * MS);
	sample_address(rec, WEIR_F_CLIENT_ADDRESS, "10.2.1.40");
	weir_record_set_u64(rec, WEIR_F_CLIENT_PORT, 51774);
	sample_address(rec, WEIR_F_SERVER_ADDRESS, "10.2.4.17");
	weir_record_set_u64(rec, WEIR_F_SERVER_PORT, 443);
	weir_record_set_static(rec, WEIR_F_COMPLETENESS,
			       version == NULL ? "no_response" : "complete");
	if (version != NULL) {
		weir_record_set_str(rec, WEIR_F_SERVICE_NAME, "shop.example");
		weir_record_set_str(rec, T_VERSION, version);
		weir_record_set_i64(rec, T_HANDSHAKE, 31 * MS);
		weir_record_set_str(rec, T_CIPHER, cipher);
		weir_record_set_u64(rec, T_BYTES, 38400);
	}
	if (next != NULL) {
		weir_record_set_str(rec, T_NEXT, next);
	}
	if (error != NULL) {
		weir_record_set_str(rec, WEIR_F_ERROR_TYPE, error);
	}
	weir_record_set_str(rec, T_JA3, "f35d08c46026a7c8edfab6e19cef8620");
}

static void check_session(const char *version, const char *next, const char *cipher,
			  const char *error, const char *want)
{
	struct text_style *style = style_of(120);
	struct text_schema of;
	struct sample sample;
	struct strbuf out;

	text_schema_init(&of, &session_schema);
	strbuf_init(&out);
	sample_init(&sample, &session_schema);
	fill_session(sample.rec, version, next, cipher, error);
	text_put_line(style, &of, sample.rec, &out);
	assert_string_equal(strbuf_text(&out), want);
	sample_fini(&sample);
	strbuf_fini(&out);
	style_free(style);
}

/* In the columns of transactions: version, host, what was agreed on, time of the handshake, bytes. */
static void a_session_is_a_line(void **state)
{
	(void)state;
	/* clang-format off */
	check_session("1.3", "h2", "TLS_AES_128_GCM_SHA256", NULL,
		"14:17:29.702  1.3 TLS     shop.example h2 AES_128_GCM_SHA256          31 ms                     38.4 kB  10.2.1.40\n");
	check_session("1.2", NULL, "TLS_RSA_WITH_RC4_128_MD5", "bad_certificate",
		"14:17:29.702  1.2 TLS     shop.example bad_certificate                31 ms                     38.4 kB  10.2.1.40\n");
	check_session(NULL, NULL, NULL, NULL,
		"14:17:29.702  \xc2\xb7\xc2\xb7\xc2\xb7 TLS     10.2.4.17    (no answer)                                                       10.2.1.40\n");
	/* clang-format on */
}

/* JA3 and its kind make long lines: with -v only. */
static void details_are_shown_when_asked_for(void **state)
{
	struct text_style *style = style_of(120);
	struct text_schema of;
	struct sample sample;
	struct strbuf out;

	(void)state;
	text_schema_init(&of, &session_schema);
	strbuf_init(&out);
	sample_init(&sample, &session_schema);
	fill_session(sample.rec, "1.3", "h2", "TLS_AES_128_GCM_SHA256", NULL);
	text_put_columns(style, &of, sample.rec, &out);
	assert_string_equal(
		strbuf_text(&out),
		"2025-11-22T14:17:29.702000000Z\ttls\t10.2.1.40:51774\t10.2.4.17:443\t"
		"completeness=complete\tversion=1.3\tnext_protocol=h2\t"
		"handshake_ns=31000000\tcipher=TLS_AES_128_GCM_SHA256\ts2c.bytes=38400\n");
	strbuf_clear(&out);
	style->verbose = 1;
	text_put_columns(style, &of, sample.rec, &out);
	assert_non_null(
		strstr(strbuf_text(&out), "\tclient.ja3=f35d08c46026a7c8edfab6e19cef8620\n"));
	sample_fini(&sample);
	strbuf_fini(&out);
	style_free(style);
}

static void verbose_shows_headers_then_bodies(void **state)
{
	struct text_style *style = style_of(120);
	struct sample sample;
	char *text;

	sample_init(&sample, &sample_schema);
	sample_header(sample.rec, S_REQUEST_HEADER, "Host", "x\x1b");
	sample_header(sample.rec, S_RESPONSE_HEADER, "ETag", "\"1\"");
	weir_record_set_str(sample.rec, S_RESPONSE_BODY, "{\r\n\t\"a\": \"\x07\"\n}");
	style->verbose = 1;
	text = line_with(style, sample.rec, true);
	assert_non_null(strstr(text, "\n    > Host: x\\x1b\n    < ETag: \"1\"\n"));
	assert_null(strstr(text, "{"));
	free(text);
	style->verbose = 2;
	text = line_with(style, sample.rec, false);
	assert_non_null(strstr(text, "    < ETag: \"1\"\n    <   {\n    <       \"a\": \"\\x07\"\n"
				     "    <   }\n"));
	free(text);
	sample_fini(&sample);
	style_free(style);
}

/* What the sink writes for one record of each of three types. */
static void check_types(const char *types, const char *want)
{
	static const struct weir_schema *const schemas[] = {&sample_schema, &record_tcp_schema,
							    &record_anomaly_schema};
	char path[] = "/tmp/weir-test-text-XXXXXX";
	int fd = mkstemp(path);
	const char *keys[] = {types == NULL ? NULL : "types", NULL};
	const char *values[] = {types, NULL};
	struct weir_sink_config config = {.target = path, .keys = keys, .values = values};
	const struct weir_sink_type *type = sink_find("text");
	const char *message = NULL;
	struct weir_sink *sink;
	char text[256];
	ssize_t n;
	size_t i;

	assert_int_equal(type->open(&config, &sink, &message), 0);
	for (i = 0; i < 3; i++) {
		struct sample sample;

		sample_init(&sample, schemas[i]);
		weir_record_set_u64(sample.rec, WEIR_F_CLIENT_PORT, 1);
		assert_int_equal(type->record(sink, sample.rec), 0);
		weir_record_set_bool(sample.rec, WEIR_F_FINAL, false);
		assert_int_equal(type->record(sink, sample.rec), 0); /* interim: not shown */
		sample_fini(&sample);
	}
	assert_int_equal(type->close(sink), 0);
	n = read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	assert_string_equal(text, want);
	(void)close(fd);
	(void)unlink(path);
}

static void tcp_is_shown_when_asked_for(void **state)
{
	check_types(NULL, "-\thttp\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\t-\n-\tanomaly\t-\t-\n");
	check_types("tcp", "-\ttcp\t-\t-\n");
	check_types("anomaly+TCP", "-\ttcp\t-\t-\n-\tanomaly\t-\t-\n");
}

static void minor_anomalies_are_quiet(void **state)
{
	char path[] = "/tmp/weir-test-text-XXXXXX";
	int fd = mkstemp(path);
	struct weir_sink_config config = {.target = path};
	const struct weir_sink_type *type = sink_find("text");
	static const char *const severities[] = {"info", "low", "medium", "high"};
	const char *message = NULL;
	struct weir_sink *sink;
	char text[256];
	ssize_t n;
	size_t i;

	assert_int_equal(type->open(&config, &sink, &message), 0);
	for (i = 0; i < 4; i++) {
		struct sample sample;

		sample_init(&sample, &record_anomaly_schema);
		weir_record_set_static(sample.rec, ANOMALY_F_SEVERITY, severities[i]);
		assert_int_equal(type->record(sink, sample.rec), 0);
		sample_fini(&sample);
	}
	assert_int_equal(type->close(sink), 0);
	n = read(fd, text, sizeof(text) - 1);
	text[n < 0 ? 0 : n] = '\0';
	assert_string_equal(text, "-\tanomaly\t-\t-\tseverity=medium\n"
				  "-\tanomaly\t-\t-\tseverity=high\n");
	(void)close(fd);
	(void)unlink(path);
}

static void only_shown_fields_are_wanted(void **state)
{
	struct weir_sink_config config = {.target = "/dev/null"};
	const struct weir_sink_type *type = sink_find("text");
	const char *message = NULL;
	struct weir_sink *sink;

	assert_int_equal(type->open(&config, &sink, &message), 0);
	assert_true(type->wants(sink, &sample_schema, S_STATUS));
	assert_true(type->wants(sink, &sample_schema, WEIR_F_DURATION));
	assert_false(type->wants(sink, &sample_schema, S_REQUEST_HEADER));
	assert_false(type->wants(sink, &sample_schema, S_RESPONSE_BODY));
	assert_false(type->wants(sink, &sample_schema, S_USER_AGENT));
	assert_false(type->wants(sink, &sample_schema, WEIR_F_NETWORK_COMMUNITY_ID));
	assert_false(type->wants(sink, &record_tcp_schema, TCP_F_STATE));
	assert_true(type->wants(sink, &record_anomaly_schema, ANOMALY_F_CODE));
	(void)type->close(sink);
	config.verbose = 1;
	assert_int_equal(type->open(&config, &sink, &message), 0);
	assert_true(type->wants(sink, &sample_schema, S_REQUEST_HEADER));
	assert_false(type->wants(sink, &sample_schema, S_RESPONSE_BODY));
	(void)type->close(sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_aligned_at_120),
		cmocka_unit_test(a_terminal_of_80_columns_has_less),
		cmocka_unit_test(no_line_is_wider_than_the_terminal),
		cmocka_unit_test(columns_drop_from_the_right),
		cmocka_unit_test(only_our_own_colours_are_sent),
		cmocka_unit_test(ascii_means_ascii),
		cmocka_unit_test(what_is_slow_for_its_endpoint_is_told),
		cmocka_unit_test(a_pipe_gets_tabs_in_a_fixed_order),
		cmocka_unit_test(captured_tabs_and_line_ends_stay_in_their_column),
		cmocka_unit_test(other_types_name_their_fields),
		cmocka_unit_test(requests_to_databases_have_the_columns_of_transactions),
		cmocka_unit_test(a_session_is_a_line),
		cmocka_unit_test(details_are_shown_when_asked_for),
		cmocka_unit_test(verbose_shows_headers_then_bodies),
		cmocka_unit_test(tcp_is_shown_when_asked_for),
		cmocka_unit_test(minor_anomalies_are_quiet),
		cmocka_unit_test(only_shown_fields_are_wanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
