/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser/http1: conversations in, records out, every one in 22 ways of splitting (shuffle.h). Each segment is 1 ms after the one before it and
 * acknowledges what the other side has sent, unless the test says otherwise.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>

#include "shuffle.h"
#include "http1_state.h"
#include "parser/registry.h"

#pragma GCC diagnostic ignored                                                                     \
	"-Wmissing-field-initializers" /* of events: what is not given is 0 */

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct weir_config config;
static struct weir_host host;
static json_t *records;

/* Records as JSON values, anomalies as one line of codes. */
static void converse(const struct shuffle_event *events)
{
	const char *at;
	char *p;

	shuffle(parser_find("http1"), &config, events, &host);
	records = json_array();
	for (at = strbuf_text(&host.records); *at != '\0'; at = strchr(at, '\n') + 1) {
		json_array_append_new(records, json_loadb(at, strcspn(at, "\n"), 0, NULL));
	}
	(void)strbuf_text(&host.anomalies);
	for (p = host.anomalies.p; host.anomalies.len > 0 && *p != '\0'; p++) {
		if (*p == '\n') {
			*p = ' ';
		}
	}
}

static void over(void)
{
	json_decref(records);
	mock_fini(&host);
}

static json_t *value(size_t i, const char *name)
{
	json_t *at = json_array_get(records, i);
	char part[64];

	while (at != NULL && *name != '\0') {
		size_t n = strcspn(name, ".");

		(void)snprintf(part, sizeof(part), "%.*s", (int)n, name);
		at = json_object_get(at, part);
		name += n + (name[n] == '.');
	}
	return at;
}

static void is_text(size_t i, const char *name, const char *want)
{
	json_t *got = value(i, name);

	if (want == NULL) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_string_equal(json_string_value(got), want);
}

static void is_number(size_t i, const char *name, long long want)
{
	json_t *got = value(i, name);

	assert_non_null(got);
	assert_int_equal(json_integer_value(got), want);
}

static void is_header(size_t i, const char *object, const char *name, const char *want)
{
	json_t *got = json_object_get(value(i, object), name);

	assert_int_equal(json_array_size(got), 1);
	assert_string_equal(json_string_value(json_array_get(got, 0)), want);
}

static void count_is(size_t n)
{
	assert_int_equal(json_array_size(records), n);
}

static void anomalies_are(const char *want)
{
	assert_string_equal(strbuf_text(&host.anomalies), want);
}

static int set_up(void **state)
{
	weir_config_init(&config);
	mock_check = http1_state_check;
	return 0;
}

/* ---- a message and its fields ---- */

static void a_transaction_has_its_fields(void **state)
{
	converse((struct shuffle_event[]){
		{'C',
		 "POST /a/../b?q=1 HTTP/1.1\r\nHost: Example.com:8080\r\nUser-Agent: curl/8\r\n"
		 "Content-Length: 5\r\nX-A: 1\r\nX-A:  2 \r\n"
		 "Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"
		 "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"
		 "X-Forwarded-For: 1.2.3.4, 5.6.7.8\r\n\r\nhello"},
		{'S', "HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 2\r\n\r\nno"},
		{0}});
	count_is(1);
	is_text(0, "type", "http");
	is_text(0, "http.request.method", "POST");
	is_text(0, "http.request.target", "/a/../b?q=1");
	is_text(0, "url.full", "http://example.com:8080/b?q=1");
	is_text(0, "url.domain", "example.com");
	is_number(0, "url.port", 8080);
	is_text(0, "url.path", "/b");
	is_text(0, "url.query", "q=1");
	is_text(0, "service.name", "example.com");
	is_text(0, "user_agent.original", "curl/8");
	is_text(0, "user.name", "user");
	is_text(0, "trace.id", "4bf92f3577b34da6a3ce929d0e0e4736");
	assert_int_equal(json_array_size(value(0, "http.request.forwarded_for")), 2);
	assert_int_equal(json_array_size(value(0, "http.request.header.x-a")), 2);
	is_number(0, "http.request.body.size", 5);
	is_text(0, "http.request.framing", "length");
	is_number(0, "http.response.status_code", 404);
	is_text(0, "http.response.reason", "Not Found");
	is_header(0, "http.response.header", "server", "x");
	is_number(0, "http.response.body.size", 2);
	is_text(0, "network.protocol.name", "http");
	is_text(0, "network.protocol.version", "1.1");
	is_text(0, "completeness", "complete");
	is_text(0, "pairing", "exact");
	is_number(0, "packet.first", 1);
	is_number(0, "packet.last", 2);
	is_number(0, "duration_ns", 1000000);
	is_number(0, "timing.send_ns", 0);
	is_number(0, "timing.wait_ns", 1000000);
	is_number(0, "timing.receive_ns", 0);
	anomalies_are("");
	over();
}

static void is_list(size_t i, const char *name, const char *const *want)
{
	json_t *got = value(i, name);
	size_t n = 0;

	assert_non_null(got);
	for (; want[n] != NULL; n++) {
		assert_string_equal(json_string_value(json_array_get(got, n)), want[n]);
	}
	assert_int_equal(json_array_size(got), n);
}

static void sizes_count_heads_and_framing(void **state)
{
	/* by Python's len() */
	converse((struct shuffle_event[]){
		{'C', "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"},
		{'S', "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
		      "chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"},
		{'C', "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
		{'S', "HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\n0123456789"},
		{'s', NULL, 20},
		{'S', "0123456789"},
		{'f'},
		{0}});
	count_is(2);
	is_number(0, "http.request.size", 52);
	is_number(0, "http.request.body.size", 5);
	is_number(0, "http.response.size", 70);
	is_number(0, "http.response.body.size", 5);
	is_number(1, "http.request.size", 28);
	is_number(1, "http.response.size", 79);
	is_number(1, "http.response.body.size", 40);
	over();
}

static void empty_lines_before_chunk_sizes_are_passed_over(void **state)
{
	config.bodies = WEIR_BODIES_KEEP;
	converse((struct shuffle_event[]){
		{'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{'S', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		      "\r\n5\r\nhello\r\n\r\n\n1\r\n!\r\n\r\n0\r\n\r\n"},
		{'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{'S', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\rx"},
		{0}});
	count_is(2);
	is_text(0, "http.response.body.content", "hello!");
	is_text(0, "completeness", "complete");
	is_text(1, "completeness", "truncated");
	anomalies_are("http.chunk_empty_line http.chunk_size_invalid ");
	over();
}

static void a_trace_id_is_one_of_w3c_trace_context(void **state)
{
	static const char *const bad[] = {
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01",
		"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
		"00-4bf92f3577b34da6a3ce929d0e0e4736",
		"",
	};
	char request[256];
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(request, sizeof(request),
			       "GET / HTTP/1.1\r\nHost: a\r\ntraceparent: %s\r\n\r\n", bad[i]);
		converse((struct shuffle_event[]){{'C', request}, {'S', OK}, {0}});
		is_text(0, "trace.id", NULL);
		over();
	}
}

static void cookies_are_told_by_their_names(void **state)
{
	static const char *const sent[] = {"sid", "theme", "x", NULL};
	static const char *const set[] = {"a", "b", NULL};

	converse((struct shuffle_event[]){
		{'C', "GET / HTTP/1.1\r\nHost: a\r\nCookie: sid=1=2; theme=dark; bare\r\nCookie: "
		      "x=\r\n\r\n"},
		{'S', "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Path=/; HttpOnly\r\nSet-Cookie: "
		      "b=2\r\nContent-Length: 0\r\n\r\n"},
		{0}});
	is_list(0, "http.request.cookies", sent);
	is_list(0, "http.response.cookies", set);
	over();
}

static void a_form_is_told_by_its_parts(void **state)
{
	static const char *const names[] = {"user", "file", NULL};
	static const char *const files[] = {"", "a.txt", NULL};

	config.bodies = WEIR_BODIES_HASH;
	converse((struct shuffle_event[]){
		{'C',
		 "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=b\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n"
		 "34\r\n--b\r\nContent-Disposition: form-data; name=\"user\"\r\n\r\n\r\n"
		 "5\r\njoe\r\n\r\n"
		 "51\r\n--b\r\nContent-Disposition: form-data; name=file; "
		 "filename=\"a.txt\"\r\n\r\n1234\r\n--b--\r\n\r\n"
		 "0\r\n\r\n"},
		{'S', "HTTP/1.1 200 OK\r\nContent-Type: text/html; "
		      "charset=ISO-8859-1\r\nContent-Length: 2\r\n\r\nok"},
		{0}});
	count_is(1);
	is_number(0, "http.request.body.parts", 2);
	is_list(0, "http.request.body.part.name", names);
	is_list(0, "http.request.body.part.filename", files);
	assert_int_equal(
		json_integer_value(json_array_get(value(0, "http.request.body.part.size"), 0)), 3);
	assert_int_equal(
		json_integer_value(json_array_get(value(0, "http.request.body.part.size"), 1)), 4);
	is_text(0, "http.response.charset", "iso-8859-1");
	is_text(0, "http.request.charset", NULL);
	over();
}

#define SSE "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"

static void events_are_counted_whatever_is_done_with_bodies(void **state)
{
	for (config.bodies = WEIR_BODIES_SIZE; config.bodies <= WEIR_BODIES_KEEP; config.bodies++) {
		converse((struct shuffle_event[]){{'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
						  {'S', SSE "data: 1\n\ndata: 2\n\n"},
						  {'S', ": c\n\ndata: 3\n\ndata: 4"},
						  {'f'},
						  {0}});
		count_is(1);
		is_number(0, "http.response.events", 3);
		is_number(0, "http.response.body.size", 39);
		is_text(0, "completeness", "complete");
		is_text(0, "http.response.body.sha256",
			config.bodies == WEIR_BODIES_SIZE ? NULL
							  : "8b308de0ae4a252266bc4709cc2162e08b8929"
							    "4d843cec04f38b1a856aadbc65");
		over();
	}
}

/* What an interim record shows of a body grows, and the final one has all of it, as if there had been none. */
static void an_open_stream_shows_what_has_come(void **state)
{
	const char *interim;

	mock_init(&host, parser_find("http1"));
	host.config.bodies = WEIR_BODIES_KEEP;
	mock_open(&host);
	mock_text(&host, WEIR_C2S, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	mock_text(&host, WEIR_S2C, SSE "data: one\n\n");
	mock_wait(&host, INT64_C(10000000000));
	interim = strbuf_text(&host.interims);
	assert_non_null(strstr(interim, "\"events\":1"));
	assert_non_null(strstr(interim, "\"content\":\"data: one\\u000a\\u000a\""));
	assert_non_null(strstr(interim, "\"truncated\":true"));
	strbuf_clear(&host.interims);
	mock_text(&host, WEIR_S2C, "data: two\n\n");
	mock_wait(&host, INT64_C(10000000000));
	interim = strbuf_text(&host.interims);
	assert_non_null(strstr(interim, "\"events\":2"));
	assert_non_null(
		strstr(interim, "\"content\":\"data: one\\u000a\\u000adata: two\\u000a\\u000a\""));
	mock_close(&host, WEIR_S2C, WEIR_CLOSE_FIN);
	mock_end(&host);
	interim = strbuf_text(&host.records);
	assert_non_null(
		strstr(interim, "\"content\":\"data: one\\u000a\\u000adata: two\\u000a\\u000a\""));
	assert_null(strstr(interim, "\"truncated\":true"));
	mock_fini(&host);
}

static void what_failed_an_exchange_is_told(void **state)
{
	converse((struct shuffle_event[]){{'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"},
					  {'R'},
					  {'r'},
					  {0}});
	is_text(0, "error.type", "client_reset");
	over();
	converse((struct shuffle_event[]){
		{'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"}, {'r'}, {'R'}, {0}});
	is_text(0, "error.type", "server_reset");
	over();
	converse((struct shuffle_event[]){{'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"},
					  {'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', OK},
					  {'R'},
					  {'r'},
					  {0}});
	is_text(0, "error.type", "503");
	is_text(1, "error.type", NULL); /* it was whole before the RST */
	over();
}

static void bodies_end_where_rfc_9112_says(void **state)
{
	static const struct {
		const char *request, *response;
		long long size;
		const char *framing, *anomalies;
	} rows[] = {
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 3, "length", ""},
		{"HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", 0, "none", ""},
		{"GET", "HTTP/1.1 304 X\r\nContent-Length: 3\r\n\r\n", 0, "none", ""},
		{"GET", "HTTP/1.1 204 X\r\n\r\n", 0, "none", ""},
		{"GET", "HTTP/1.1 204 X\r\nContent-Length: 0\r\n\r\n", 0, "none",
		 "http.cl_forbidden "},
		{"GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0, "none", ""},
		{"GET",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
		 3, "chunked", ""},
		{"GET",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
		 "00000000000000000003\r\nabc\r\n0\r\n\r\n",
		 3, "chunked", ""},
		/* names are not told apart by case, and nothing but their own bytes will do */
		{"GET", "HTTP/1.1 200 OK\r\ncOnTeNt-LENGTH: 3\r\n\r\nabc", 3, "length", ""},
		{"GET", "HTTP/1.1 200 OK\r\nContent-Lengto: 9\r\nContent-Length: 3\r\n\r\nabc", 3,
		 "length", ""},
		{"GET",
		 "HTTP/1.1 200 OK\r\nTransfer_Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", 3,
		 "length", ""},
		{"GET", "HTTP/1.1 200 OK\r\nContent\rLength: 9\r\nContent-Length: 3\r\n\r\nabc", 3,
		 "length", "http.bare_cr "},
		{"GET",
		 "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 1\r\n\r\na", 1,
		 "length", ""},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char request[64];

		(void)snprintf(request, sizeof(request), "%s / HTTP/1.1\r\nHost: a\r\n\r\n",
			       rows[i].request);
		/* the message after it shows that the end was found */
		converse((struct shuffle_event[]){{'C', request},
						  {'S', rows[i].response},
						  {'C', "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"},
						  {'S', OK},
						  {0}});
		count_is(2);
		is_number(0, "http.response.body.size", rows[i].size);
		is_text(0, "http.response.framing", rows[i].framing);
		is_text(0, "completeness", "complete");
		is_text(1, "http.request.target", "/next");
		is_text(1, "pairing", "exact");
		anomalies_are(rows[i].anomalies);
		over();
	}
}

static void long_bodies_are_skipped_and_counted(void **state)
{
	static char body[100000];

	memset(body, 'x', sizeof(body));
	converse(
		(struct shuffle_event[]){{'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
					 {'S', "HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n"},
					 {'S', body, sizeof(body)},
					 {'s', NULL, sizeof(body)},
					 {'S', body, sizeof(body)},
					 {'C', "GET /next HTTP/1.1\r\nHost: a\r\n\r\n"},
					 {'S', OK},
					 {0}});
	count_is(2);
	is_number(0, "http.response.body.size", 300000);
	is_number(0, "missing_bytes", 100000);
	is_text(0, "completeness", "gap");
	is_text(1, "http.request.target", "/next");
	anomalies_are("http.gap_in_body ");
	over();
}

/* ---- pairing ---- */

static void a_lost_response_does_not_shift_the_others(void **state)
{
	converse((struct shuffle_event[]){{'C', "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'s', NULL, 40},
					  {'C', "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', OK},
					  {0}});
	count_is(2);
	is_text(0, "http.request.target", "/1");
	is_text(0, "completeness", "no_response");
	is_text(1, "http.request.target", "/2");
	is_number(1, "http.response.status_code", 200);
	is_text(1, "pairing", "exact");
	over();
}

static void a_lost_request_leaves_its_response_alone(void **state)
{
	converse((struct shuffle_event[]){{'C', "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', OK},
					  {'c', NULL, 28},
					  {'S', "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n"},
					  {'C', "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', OK},
					  {0}});
	count_is(3);
	is_text(1, "completeness", "no_request");
	is_number(1, "http.response.status_code", 404);
	is_text(1, "http.request.method", NULL);
	is_text(2, "http.request.target", "/3");
	is_text(2, "pairing", "exact");
	over();
}

/* The hole before /2 is declared late: its response must not be taken for that of /3, nor /3's for it. */
static void a_response_waits_for_requests_that_the_server_had(void **state)
{
	const char *one = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n";
	const char *three = "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n";
	struct weir_mark mark;

	mock_init(&host, parser_find("http1"));
	mock_open(&host);
	mock_text(&host, WEIR_C2S, one);
	mock_text(&host, WEIR_S2C, OK);
	/* the answer to /2, which ends at 56 of c2s, and the one to /3 come before the gap is known */
	mark = mock_mark(&host, WEIR_S2C);
	mark.peer_ack = 56;
	mock_feed_marked(&host, WEIR_S2C, "HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n", 37, &mark);
	mark = mock_mark(&host, WEIR_S2C);
	mark.peer_ack = 84;
	mock_feed_marked(&host, WEIR_S2C, OK, sizeof(OK) - 1, &mark);
	assert_int_equal(host.nrecords, 1);
	mock_gap(&host, WEIR_C2S, 28);
	mark = mock_mark(&host, WEIR_C2S);
	mark.peer_ack = 40 + 37;
	mock_feed_marked(&host, WEIR_C2S, three, strlen(three), &mark);
	assert_int_equal(host.nrecords, 3);
	mock_end(&host);
	assert_non_null(strstr(strbuf_text(&host.records), "\"completeness\":\"no_request\""));
	assert_null(strstr(strbuf_text(&host.records), "no_response"));
	assert_null(strstr(strbuf_text(&host.records), "uncertain"));
	mock_fini(&host);
}

static void pipelined_answers_come_in_order(void **state)
{
	converse((struct shuffle_event[]){{'C', "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
						"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"
						"GET /3 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', OK OK},
					  {'S', OK},
					  {0}});
	count_is(3);
	is_text(0, "pairing", "exact");
	is_text(1, "http.request.target", "/2");
	is_text(1, "pairing", "order");
	is_text(2, "http.request.target", "/3");
	over();
}

/* Which of the two lost its answer cannot be known. */
static void pipelined_answers_after_a_loss_are_uncertain(void **state)
{
	converse((struct shuffle_event[]){{'C', "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
						"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'s', NULL, 40},
					  {'S', OK},
					  {0}});
	count_is(2);
	is_text(0, "pairing", "uncertain");
	over();
}

static void a_408_that_crossed_the_request_is_not_its_answer(void **state)
{
	const char *request = "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
	const char *timeout = "HTTP/1.1 408 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	struct weir_mark mark;

	mock_init(&host, parser_find("http1"));
	mock_open(&host);
	mock_text(&host, WEIR_C2S, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
	mock_text(&host, WEIR_S2C, OK);
	mark = mock_mark(&host, WEIR_S2C);
	mock_text(&host, WEIR_C2S, request);
	mock_feed_marked(&host, WEIR_S2C, timeout, strlen(timeout), &mark);
	mock_end(&host);
	assert_int_equal(host.nrecords, 3);
	assert_non_null(strstr(strbuf_text(&host.records), "no_request"));
	assert_non_null(strstr(strbuf_text(&host.records), "no_response"));
	mock_fini(&host);
}

static void an_early_response_waits_for_its_request(void **state)
{
	converse((struct shuffle_event[]){
		{'C', "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello"},
		{'S', "HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n"},
		{'C', "world"},
		{0}});
	count_is(1);
	is_number(0, "http.request.body.size", 10);
	is_number(0, "timing.wait_ns", -1000000);
	is_number(0, "duration_ns", 1000000);
	is_text(0, "completeness", "complete");
	over();
}

static void interim_responses_are_listed(void **state)
{
	converse((struct shuffle_event[]){
		{'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
		{'S', "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
		      "HTTP/1.1 103 Early Hints\r\nLink: </y>\r\n\r\nHTTP/1.1 102 X\r\n\r\n"},
		{'S', OK},
		{0}});
	count_is(1);
	assert_int_equal(json_array_size(value(0, "http.interim")), 3);
	is_number(0, "http.response.status_code", 200);
	assert_null(value(0, "http.response.header.link"));
	is_text(0, "pairing", "exact");
	over();
}

/* ---- ends and switches ---- */

static void connect_hands_over_at_the_exact_byte(void **state)
{
	converse(
		(struct shuffle_event[]){{'C', "CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n\x16\x03"},
					 {'S', "HTTP/1.1 200 OK\r\n\r\nabc"},
					 {'C', "tail"},
					 {0}});
	count_is(1);
	is_text(0, "http.request.method", "CONNECT");
	is_text(0, "url.domain", "h");
	assert_true(host.switched);
	assert_string_equal(host.next_parser, "");
	assert_string_equal(strbuf_text(&host.rest[WEIR_C2S]), "\x16\x03tail");
	assert_string_equal(strbuf_text(&host.rest[WEIR_S2C]), "abc");
	over();
}

static void another_version_of_the_response_is_told(void **state)
{
	converse((struct shuffle_event[]){{'C', "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
						"GET /b HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', "HTTP/1.1 204 X\r\n\r\n"
						"HTTP/1.0 304 X\r\n\r\n"},
					  {0}});
	count_is(2);
	is_text(0, "network.protocol.version", "1.1");
	is_text(0, "http.response.version", NULL);
	is_text(1, "network.protocol.version", "1.1");
	is_text(1, "http.response.version", "1.0");
	over();
}

static void a_request_behind_an_upgrade_that_nobody_answers_is_parsed(void **state)
{
	converse((struct shuffle_event[]){
		{'C', "GET /1 HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"},
		{'C', "GET /2 HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n\r\n"},
		{'F'},
		{0}});
	count_is(2);
	is_text(1, "http.request.target", "/2");
	over();
}

static void an_upgrade_that_was_asked_for_is_followed(void **state)
{
	converse((struct shuffle_event[]){
		{'C', "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: "
		      "Upgrade\r\n\r\n"},
		{'S', "HTTP/1.1 101 X\r\nUpgrade: WebSocket\r\n\r\n\x81\x01z"},
		{'C', "\x81"},
		{0}});
	count_is(1);
	is_number(0, "http.response.status_code", 101);
	is_text(0, "http.upgrade", "WebSocket");
	assert_string_equal(host.next_parser, "websocket");
	assert_string_equal(strbuf_text(&host.rest[WEIR_S2C]), "\x81\x01z");
	assert_string_equal(strbuf_text(&host.rest[WEIR_C2S]), "\x81");
	over();
}

static void a_request_behind_a_length_that_is_none_is_a_request(void **state)
{
	converse((struct shuffle_event[]){
		{'C', "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n"
		      "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
		{'S', OK OK},
		{0}});
	count_is(2);
	is_text(0, "completeness", "truncated");
	is_text(1, "http.request.target", "/2");
	is_number(1, "http.response.status_code", 200);
	anomalies_are("http.cl_invalid ");
	over();
}

static void a_cut_body_is_truncated(void **state)
{
	converse((struct shuffle_event[]){{'C', "GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"},
					  {'r'},
					  {0}});
	count_is(1);
	is_text(0, "completeness", "truncated");
	is_number(0, "http.response.body.size", 3);
	anomalies_are("http.truncated ");
	over();
}

static void an_open_exchange_is_told_every_ten_seconds(void **state)
{
	mock_init(&host, parser_find("http1"));
	mock_open(&host);
	mock_text(&host, WEIR_C2S, "GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
	mock_text(&host, WEIR_S2C,
		  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata");
	mock_wait(&host, INT64_C(10000000000));
	assert_int_equal(host.nrecords, 0);
	assert_non_null(strstr(strbuf_text(&host.interims), "\"body\":{\"size\":4}"));
	mock_text(&host, WEIR_S2C, "more");
	mock_wait(&host, INT64_C(10000000000));
	assert_non_null(strstr(strbuf_text(&host.interims), "\"body\":{\"size\":8}"));
	mock_close(&host, WEIR_S2C, WEIR_CLOSE_FIN);
	assert_int_equal(host.nrecords, 1);
	mock_end(&host);
	mock_fini(&host);
}

/* ---- losses ---- */

static void a_gap_in_a_head_keeps_what_is_known(void **state)
{
	converse((struct shuffle_event[]){{'C', "GET /1 HTTP/1.1\r\nHost: a\r\nX: "},
					  {'c', NULL, 30},
					  {'S', OK},
					  {'C', "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', OK},
					  {0}});
	count_is(2);
	is_text(0, "http.request.target", "/1");
	is_text(0, "url.full", "http://a/1");
	is_text(0, "completeness", "gap");
	is_number(0, "missing_bytes", 30);
	is_number(0, "http.response.status_code", 200);
	is_text(1, "http.request.target", "/2");
	is_text(1, "completeness", "complete");
	anomalies_are("http.gap_in_head ");
	over();
}

static void a_status_line_within_a_body_is_no_start_after_a_gap(void **state)
{
	converse((struct shuffle_event[]){
		{'C', "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
		{'s', NULL, 100},
		{'S', "log:\r\nHTTP/1.1 500 Not me\r\nContent-Length: 0\r\n\r\n"},
		{'C', "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
		{'S', OK},
		{0}});
	count_is(2);
	is_text(0, "completeness", "no_response");
	is_text(1, "http.request.target", "/2");
	is_number(1, "http.response.status_code", 200);
	over();
}

static void junk_before_a_response_is_passed_over(void **state)
{
	converse((struct shuffle_event[]){{'C', "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', "SIP/2.0 200 ok\r\n" OK},
					  {'C', "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', OK},
					  {0}});
	count_is(2);
	is_number(0, "http.response.status_code", 200);
	is_text(0, "http.request.target", "/1");
	is_number(1, "http.response.status_code", 200);
	is_text(1, "http.request.target", "/2");
	is_text(1, "pairing", "exact");
	over();
}

static void midstream_finds_the_first_start_line(void **state)
{
	converse((struct shuffle_event[]){{'S', "rest of a body\nHTTP/1.1 is mentioned here\n"},
					  {'C', "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', OK},
					  {0}});
	count_is(1);
	is_text(0, "http.request.target", "/1");
	is_text(0, "completeness", "complete");
	anomalies_are("http.midstream ");
	over();
}

static void one_direction_gives_records(void **state)
{
	converse((struct shuffle_event[]){{'S', OK OK}, {'f'}, {0}});
	count_is(2);
	is_text(0, "completeness", "no_request");
	is_number(1, "http.response.status_code", 200);
	anomalies_are("http.one_sided http.one_sided ");
	over();
}

/* ---- limits ---- */

static void a_header_line_beyond_the_limit_is_cut_and_counted(void **state)
{
	static char request[200000];
	size_t n = (size_t)snprintf(request, sizeof(request),
				    "GET /1 HTTP/1.1\r\nHost: a\r\nX-Long: ");

	memset(request + n, 'v', 100000);
	(void)snprintf(request + n + 100000, 64, "\r\nX-After: 1\r\n\r\n");
	converse((struct shuffle_event[]){{'C', request},
					  {'S', OK},
					  {'C', "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"},
					  {'S', OK},
					  {0}});
	count_is(2);
	assert_int_equal(
		json_integer_value(json_object_get(value(0, "truncated"), "http.request.header")),
		100000);
	is_header(0, "http.request.header", "x-after", "1");
	is_text(1, "http.request.target", "/2");
	anomalies_are("");
	over();
}

static void a_target_beyond_the_limit_is_cut_and_counted(void **state)
{
	static char request[40000];
	size_t n = (size_t)snprintf(request, sizeof(request), "GET /");

	memset(request + n, 'a', 20000);
	(void)snprintf(request + n + 20000, 64, " HTTP/1.1\r\nHost: a\r\n\r\n");
	converse((struct shuffle_event[]){{'C', request}, {'S', OK}, {0}});
	count_is(1);
	is_text(0, "network.protocol.version", "1.1");
	assert_int_equal(json_string_length(value(0, "http.request.target")), 8192);
	anomalies_are("http.target_too_long ");
	over();
}

static void unanswered_requests_are_bounded(void **state)
{
	int i;

	mock_init(&host, parser_find("http1"));
	host.config.pending_limit = 4;
	mock_open(&host);
	for (i = 0; i < 10; i++) {
		mock_text(&host, WEIR_C2S, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	assert_int_equal(host.nrecords, 6);
	mock_end(&host);
	assert_int_equal(host.nrecords, 10);
	mock_fini(&host);
}

/* 20,000 lines of each kind that is kept somewhere, and 200 of 64 KiB: what is kept does not grow with them. */
static void heads_without_end_cost_bounded_memory(void **state)
{
	static const char *const lines[] = {
		"X-A: 1\r\n",
		"Server: x\r\n",
		"Content-Encoding: br, gzip\r\n",
		"User-Agent: x\r\n",
		"X-Forwarded-For: 1, 2\r\n",
		"Referer: x\r\n",
		"X-Fold: a\r\n b\r\n",
		"Upgrade: x\r\n",
		"Transfer-Encoding: gzip\r\n",
		"Content-Length: 2\r\n",
		"Host: x\r\n",
		"No colon\r\n",
	};
	static char longline[65536];
	size_t i;
	int n;

	mock_init(&host, parser_find("http1"));
	host.config.bodies = WEIR_BODIES_KEEP;
	mock_open(&host);
	mock_text(&host, WEIR_C2S, "GET /1 HTTP/1.1\r\n");
	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		for (n = 0; n < 20000; n++) {
			mock_text(&host, WEIR_C2S, lines[i]);
		}
	}
	memset(longline, 'v', sizeof(longline));
	for (n = 0; n < 200; n++) {
		mock_text(&host, WEIR_C2S, "X-Long: ");
		mock_feed(&host, WEIR_C2S, longline, sizeof(longline));
		mock_text(&host, WEIR_C2S, "\r\n");
	}
	mock_text(&host, WEIR_C2S, "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
	for (n = 0; n < 20000; n++) {
		mock_text(&host, WEIR_S2C, "HTTP/1.1 103 X\r\n\r\n");
	}
	mock_text(&host, WEIR_S2C, OK);
	assert_int_equal(host.nrecords, 1);
	assert_true(host.budget.peak < 512 * 1024);
	mock_text(&host, WEIR_C2S, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	mock_text(&host, WEIR_S2C, OK);
	assert_int_equal(host.nrecords, 2);
	mock_end(&host);
	mock_fini(&host);
}

static void without_memory_parsing_goes_on(void **state)
{
	size_t limit;

	for (limit = 0; limit < 40000; limit += 512) {
		mock_init(&host, parser_find("http1"));
		host.config.bodies = WEIR_BODIES_KEEP;
		host.budget.limit = limit;
		mock_open(&host);
		mock_text(&host, WEIR_C2S, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
		mock_text(&host, WEIR_S2C,
			  "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
			  "Content-Length: 5\r\n\r\nhello");
		host.budget.limit = 1 << 20;
		mock_text(&host, WEIR_C2S, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
		mock_text(&host, WEIR_S2C, OK);
		mock_end(&host);
		assert_non_null(strstr(strbuf_text(&host.records), "\"/2\""));
		mock_fini(&host);
	}
}

/* ---- detection ---- */

static void detection_goes_by_content(void **state)
{
	static const struct {
		const char *c2s, *s2c;
		bool midstream;
		int from, to;
		bool swapped;
	} rows[] = {
		{"GET / HTTP/1.1\r\n", NULL, false, 90, 100, false},
		{"\r\nGET / HTTP/1.1\r\n", NULL, false, 90, 100, false},
		{"GET /index", NULL, false, 60, 89, false},
		{"G", NULL, false, 1, 59, false},
		{"GET  \t", NULL, false, 1, 59, false},
		{"get", NULL, false, 0, 0, false},
		{"GET /x\r\n", NULL, false, 60, 89, false},
		{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", NULL, false, 0, 0, false},
		{"DESCRIBE rtsp://x/ RTSP/1.0\r\n", NULL, false, 0, 0, false},
		{"\x16\x03\x01\x02\x00\x01", NULL, false, 0, 0, false},
		{"EHLO mail.example\r\n", NULL, false, 0, 0, false},
		{NULL, "HTTP/1.1 200 OK\r\n", false, 90, 100, false},
		{NULL, "ICY 200 OK\r\n", false, 60, 89, false},
		{NULL, "SSH-2.0-OpenSSH\r\n", false, 0, 0, false},
		{"HTTP/1.1 200 OK\r\n", "GET / HTTP/1.1\r\n", true, 90, 100, true},
		{"body\nGET / HTTP/1.1\r\n", NULL, true, 60, 89, false},
		{"body\nGET / HTTP/1.1\r\n", NULL, false, 0, 0, false},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weir_probe probe = {.midstream = rows[i].midstream,
					   .roles_certain = !rows[i].midstream};
		struct weir_probe_result result;

		probe.data[0] = (const uint8_t *)rows[i].c2s;
		probe.len[0] = rows[i].c2s == NULL ? 0 : strlen(rows[i].c2s);
		probe.data[1] = (const uint8_t *)rows[i].s2c;
		probe.len[1] = rows[i].s2c == NULL ? 0 : strlen(rows[i].s2c);
		result = parser_find("http1")->probe(&probe);
		assert_in_range(result.score, rows[i].from, rows[i].to);
		assert_int_equal(result.swapped, rows[i].swapped);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transaction_has_its_fields),
		cmocka_unit_test(sizes_count_heads_and_framing),
		cmocka_unit_test(empty_lines_before_chunk_sizes_are_passed_over),
		cmocka_unit_test(a_trace_id_is_one_of_w3c_trace_context),
		cmocka_unit_test(cookies_are_told_by_their_names),
		cmocka_unit_test(a_form_is_told_by_its_parts),
		cmocka_unit_test(events_are_counted_whatever_is_done_with_bodies),
		cmocka_unit_test(an_open_stream_shows_what_has_come),
		cmocka_unit_test(what_failed_an_exchange_is_told),
		cmocka_unit_test(bodies_end_where_rfc_9112_says),
		cmocka_unit_test(long_bodies_are_skipped_and_counted),
		cmocka_unit_test(a_lost_response_does_not_shift_the_others),
		cmocka_unit_test(a_lost_request_leaves_its_response_alone),
		cmocka_unit_test(a_response_waits_for_requests_that_the_server_had),
		cmocka_unit_test(pipelined_answers_come_in_order),
		cmocka_unit_test(pipelined_answers_after_a_loss_are_uncertain),
		cmocka_unit_test(a_408_that_crossed_the_request_is_not_its_answer),
		cmocka_unit_test(an_early_response_waits_for_its_request),
		cmocka_unit_test(interim_responses_are_listed),
		cmocka_unit_test(connect_hands_over_at_the_exact_byte),
		cmocka_unit_test(another_version_of_the_response_is_told),
		cmocka_unit_test(a_request_behind_an_upgrade_that_nobody_answers_is_parsed),
		cmocka_unit_test(an_upgrade_that_was_asked_for_is_followed),
		cmocka_unit_test(a_request_behind_a_length_that_is_none_is_a_request),
		cmocka_unit_test(a_cut_body_is_truncated),
		cmocka_unit_test(an_open_exchange_is_told_every_ten_seconds),
		cmocka_unit_test(a_gap_in_a_head_keeps_what_is_known),
		cmocka_unit_test(a_status_line_within_a_body_is_no_start_after_a_gap),
		cmocka_unit_test(junk_before_a_response_is_passed_over),
		cmocka_unit_test(midstream_finds_the_first_start_line),
		cmocka_unit_test(one_direction_gives_records),
		cmocka_unit_test(a_header_line_beyond_the_limit_is_cut_and_counted),
		cmocka_unit_test(a_target_beyond_the_limit_is_cut_and_counted),
		cmocka_unit_test(unanswered_requests_are_bounded),
		cmocka_unit_test(heads_without_end_cost_bounded_memory),
		cmocka_unit_test(without_memory_parsing_goes_on),
		cmocka_unit_test(detection_goes_by_content),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
