/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser/http1_park: what a quiet connection takes, what is not parked, and what becomes of it without memory. That all goes on as if it had
 * never been parked is shown by every conversation of test_parser_http1.c, in every second run of shuffle.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "shuffle.h"
#include "http1_state.h"
#include "parser/registry.h"

#pragma GCC diagnostic ignored                                                                     \
	"-Wmissing-field-initializers" /* of events: what is not given is 0 */

#define OK "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static struct weir_host host;

static int set_up(void **state)
{
	mock_check = http1_state_check;
	return 0;
}

static void a_parked_connection_takes_little(void **state)
{
	mock_init(&host, parser_find("http1"));
	host.parks = true;
	host.flow.first_ts_ns = host.now_ns;
	mock_open(&host);
	mock_text(&host, WEIR_C2S, "GET /first HTTP/1.1\r\nHost: example.com\r\n\r\n");
	mock_text(&host, WEIR_S2C, "HTTP/1.1 304 Not Modified\r\nServer: nginx\r\n\r\n");
	assert_int_equal(host.nrecords, 1);
	assert_int_equal(host.nparked, 2);
	assert_true(host.parked_size <= 16); /* keep-alive, between two exchanges */
	mock_text(&host, WEIR_C2S,
		  "GET /api/v1/users/4711?fields=name HTTP/1.1\r\nHost: www.example.com\r\n"
		  "User-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: */*\r\n\r\n");
	assert_int_equal(host.nparked, 3);
	/* 140 bytes of request: nearly each is there once, and 80 more */
	assert_true(host.parked_size <= 140 + 80);
	mock_text(&host, WEIR_S2C, "HTTP/1.1 304 Not Modified\r\n\r\n");
	assert_int_equal(host.nrecords, 2);
	mock_end(&host);
	mock_fini(&host);
}

/* http1_state.h compares all of the state, whenever it is parked: here in the states that other conversations pass over. */
static void every_state_comes_back(void **state)
{
	static const struct shuffle_event events[] = {
		{'C', "\r\n"},
		{'C', "POST /up HTTP/1.1\r\nHost: a.example\r\nUpgrade: h2c\r\n"
		      "Connection: close, upgrade\r\nTransfer-Encoding: gzip, chunked\r\n"
		      "Content-Type: text/plain\r\nExpect: 100-continue\r\n\r\n"},
		{'S', "HTTP/1.1 100 Continue\r\n\r\n"},
		{'C', "5\r\nhello\r\n"},
		{'C', "0\r\nX-Sum: 1\r\n\r\n"},
		{'s', NULL, 3},
		{'S', "HTTP/1.1 200 OK\r\nServer: x\r\nConnection: close\r\n"
		      "Transfer-Encoding: chunked\r\nContent-Type: text/event-stream\r\n"
		      "Content-Encoding: br\r\n\r\n"},
		{'S', "3\r\nabc\r\n"},
		{'s', NULL, 4},
		{'S', "x\r\n"},
		{'F'},
		{'f'},
		{0}};

	shuffle(parser_find("http1"), NULL, events, &host);
	assert_int_equal(host.nrecords, 1);
	assert_non_null(strstr(strbuf_text(&host.records), "\"target\":\"/up\""));
	mock_fini(&host);
}

/* What cannot be written stays: a line beyond the limit, and a body that is looked into. */
static void what_cannot_be_parked_is_not(void **state)
{
	char line[70000];

	mock_init(&host, parser_find("http1"));
	host.parks = true;
	host.config.bodies = WEIR_BODIES_HASH;
	mock_open(&host);
	mock_text(&host, WEIR_C2S, "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_int_equal(host.nparked, 0);
	mock_text(&host, WEIR_C2S, "0\r\n\r\n");
	assert_int_equal(host.nparked, 1);
	mock_end(&host);
	mock_fini(&host);
	mock_init(&host, parser_find("http1"));
	host.parks = true;
	mock_open(&host);
	memset(line, 'x', sizeof(line));
	memcpy(line, "GET /", 5);
	mock_feed(&host, WEIR_C2S, line, sizeof(line));
	assert_int_equal(host.nparked, 0);
	mock_text(&host, WEIR_C2S, " HTTP/1.1\r\nX: y\r\n\r\n");
	assert_int_equal(host.nparked, 1);
	mock_end(&host);
	assert_int_equal(host.nrecords, 1);
	mock_fini(&host);
}

/* Four exchanges and no more; no room is no harm. */
static void more_than_four_exchanges_stay(void **state)
{
	uint8_t room[4096];
	size_t whole, size;
	int i;

	mock_init(&host, parser_find("http1"));
	mock_open(&host);
	for (i = 0; i < 4; i++) {
		mock_text(&host, WEIR_C2S, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	}
	for (size = 0; (whole = host.parser->park(host.state, &host, room, size)) == 0; size++) {
	}
	assert_true(whole == size || whole + 10 >= size); /* a number may take 10 bytes */
	memset(host.state, 0, host.parser->state_size);
	assert_int_equal(host.parser->unpark(host.state, &host, room, whole), 0);
	mock_text(&host, WEIR_C2S, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
	assert_int_equal(host.parser->park(host.state, &host, room, sizeof(room)), 0);
	for (i = 0; i < 5; i++) {
		mock_text(&host, WEIR_S2C, OK);
	}
	assert_int_equal(host.nrecords, 5);
	mock_end(&host);
	assert_int_equal(host.nrecords, 5);
	mock_fini(&host);
}

/* No memory when it comes back: that exchange is lost, and the next is not. */
static void without_memory_an_unparked_exchange_is_given_up(void **state)
{
	uint8_t room[4096];
	size_t len, limit;

	mock_init(&host, parser_find("http1"));
	mock_open(&host);
	mock_text(&host, WEIR_C2S, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
	len = host.parser->park(host.state, &host, room, sizeof(room));
	assert_true(len > 0);
	arena_pool_trim(&host.pool);
	assert_int_equal(host.budget.used, 0);
	limit = host.budget.limit;
	host.budget.limit = 0;
	memset(host.state, 0, host.parser->state_size);
	assert_int_equal(host.parser->unpark(host.state, &host, room, len), 0);
	host.budget.limit = limit;
	mock_text(&host, WEIR_S2C, OK); /* of a request that is not known any more */
	mock_text(&host, WEIR_C2S, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
	mock_text(&host, WEIR_S2C, OK);
	mock_end(&host);
	assert_int_equal(host.nrecords, 2);
	assert_non_null(strstr(strbuf_text(&host.records), "\"no_request\""));
	assert_non_null(strstr(strbuf_text(&host.records), "/2"));
	assert_non_null(strstr(strbuf_text(&host.records), "\"exact\""));
	mock_fini(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_parked_connection_takes_little),
		cmocka_unit_test(every_state_comes_back),
		cmocka_unit_test(what_cannot_be_parked_is_not),
		cmocka_unit_test(more_than_four_exchanges_stay),
		cmocka_unit_test(without_memory_an_unparked_exchange_is_given_up),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
