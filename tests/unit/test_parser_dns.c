/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser/dns: messages over TCP in, records out; whole, byte by byte and in random pieces (shuffle.h). The messages are written out by
 * RFC 1035 §4.1; the compressed name is that of its example in §4.1.4.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "talk.h"

/* a.example A and MX; ids 1 and 2. 12 + 11 + 4 bytes */
#define NAME                                                                                       \
	"\x01"                                                                                     \
	"a\x07"                                                                                    \
	"example\x00"
#define QUERY1 "\x00\x1b\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME "\x00\x01\x00\x01"
#define QUERY2 "\x00\x1b\x00\x02\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME "\x00\x0f\x00\x01"
#define REPLY1                                                                                     \
	"\x00\x2b\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" NAME "\x00\x01\x00\x01"         \
	"\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0\x00\x02\x01"
/* MX 10 m.a.example: the data ends in a pointer */
#define REPLY2                                                                                     \
	"\x00\x2d\x00\x02\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" NAME "\x00\x0f\x00\x01"         \
	"\xc0\x0c\x00\x0f\x00\x01\x00\x00\x00\x3c\x00\x06\x00\x0a\x01m\xc0\x0c"
#define NXDOMAIN "\x00\x1b\x00\x01\x81\x83\x00\x01\x00\x00\x00\x00\x00\x00" NAME "\x00\x01\x00\x01"

static void check(const struct shuffle_event *events, unsigned nrecords, const char *const *texts,
		  const char *anomalies)
{
	talk_check("dns", NULL, events, nrecords, texts, anomalies);
}

static void responses_in_any_order_find_their_queries(void **state)
{
	check(EVENTS(C(QUERY1 QUERY2), S(REPLY2 REPLY1)), 2,
	      TEXTS("\"id\":2,\"op_code\":\"QUERY\",\"question\":{\"name\":\"a.example\",\"type\":"
		    "\"MX\","
		    "\"class\":\"IN\"},\"response_code\":\"NOERROR\",\"answers\":[\"10 "
		    "m.a.example\"],"
		    "\"answer\":{\"name\":[\"a.example\"],\"type\":[\"MX\"],\"ttl\":[60],\"count\":"
		    "1}",
		    "\"id\":1,\"op_code\":\"QUERY\",\"question\":{\"name\":\"a.example\",\"type\":"
		    "\"A\","
		    "\"class\":\"IN\"},\"response_code\":\"NOERROR\",\"answers\":[\"192.0.2.1\"],"
		    "\"answer\":{\"name\":[\"a.example\"],\"type\":[\"A\"],\"ttl\":[300],\"count\":"
		    "1}"),
	      "");
}

static void a_name_that_is_none_is_an_error(void **state)
{
	check(EVENTS(C(QUERY1), S(NXDOMAIN)), 1,
	      TEXTS("\"response_code\":\"NXDOMAIN\"", "\"error\":{\"type\":\"NXDOMAIN\"}",
		    "\"completeness\":\"complete\""),
	      "");
}

#define SOA                                                                                        \
	"\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x3c\x00\x18\xc0\x0c\xc0\x0c\x00\x00\x00\x07"         \
	"\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01"
#define HEAD(len, count)                                                                           \
	"\x00" len "\x00\x03\x84\x00\x00\x01\x00" count "\x00\x00\x00\x00" NAME "\x00\xfc\x00\x01"

static void a_transfer_ends_with_the_soa_it_began_with(void **state)
{
	check(EVENTS(C("\x00\x1b\x00\x03\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME
		       "\x00\xfc\x00\x01"),
		     S(HEAD("\x3f", "\x01") SOA),
		     S(HEAD("\x2b", "\x01") "\xc0\x0c\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04\xc0"
					    "\x00\x02\x02"),
		     S(HEAD("\x3f", "\x01") SOA), C(QUERY1), S(REPLY1)),
	      2,
	      TEXTS("\"messages\":3", "\"answers\":[\"a.example\",\"192.0.2.2\",\"a.example\"]",
		    "\"id\":1,"),
	      "");
}

static void pointers_that_do_not_point_back_are_told(void **state)
{
	check(EVENTS(C(QUERY1), S("\x00\x2b\x00\x01\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" NAME
				  "\x00\x01\x00\x01\xc0\x1b\x00\x01\x00\x01\x00\x00\x01\x2c\x00\x04"
				  "\xc0\x00\x02\x01")),
	      1, TEXTS("\"anomalies\":[\"dns.malformed\"]", "\"count\":0"), "dns.malformed\n");
}

static void a_hole_costs_the_message_that_it_is_in(void **state)
{
	check(EVENTS(C(QUERY1 QUERY2), S(REPLY2 "\x00\x2b\x00\x01\x81\x80"), {'s', NULL, 20},
		     S("0123456789012345678"), C(QUERY2), S(REPLY2)),
	      3,
	      TEXTS("\"completeness\":\"gap\",\"missing_bytes\":20,\"pairing\":\"exact\",\"dns\":{"
		    "\"id\":1,"),
	      "dns.gap\n");
}

static void a_lost_length_costs_until_the_next_segment(void **state)
{
	check(EVENTS(C(QUERY1), {'s', NULL, 10}, S("\x00\x00\x00" REPLY1), C(QUERY2), S(REPLY2)), 2,
	      TEXTS("\"completeness\":\"no_response\"", "\"completeness\":\"complete\""),
	      "dns.gap\n");
	check(EVENTS(C(QUERY1), {'c', NULL, 29}, S(REPLY1 REPLY2)), 2,
	      TEXTS("\"completeness\":\"complete\"", "\"completeness\":\"no_request\""),
	      "dns.gap\n");
}

static void a_length_without_a_message_is_told(void **state)
{
	check(EVENTS(C(QUERY1), S(REPLY1 "\x00\x03\x01\x02\x03"), C(QUERY2), S(REPLY2)), 2,
	      TEXTS("\"dns\":{\"id\":1,", "\"dns\":{\"id\":2,"), "dns.framing\n");
}

static void a_query_without_a_response(void **state)
{
	check(EVENTS(C(QUERY1), {'r', NULL, 0}), 1,
	      TEXTS("\"completeness\":\"no_response\"", "\"type\":\"server_reset\""), "");
}

/* `len` bytes at `at` of the session are missing: records are those of the whole, or say what they lack. */
static void with_a_hole(enum weir_direction which, size_t at, size_t len)
{
	static const char *const texts[2][2] = {{QUERY1, QUERY2}, {REPLY1, REPLY2}};
	static const size_t lens[2] = {sizeof(QUERY1) - 1, 0};
	const size_t all[2][2] = {{lens[0], sizeof(QUERY2) - 1},
				  {sizeof(REPLY1) - 1, sizeof(REPLY2) - 1}};
	struct weir_host host;
	size_t from = 0;
	int i, dir;

	mock_init(&host, parser_find("dns"));
	mock_open(&host);
	for (i = 0; i < 2; i++) {
		for (dir = 0; dir < 2; dir++) {
			struct weir_mark mark = mock_mark(&host, (enum weir_direction)dir);
			size_t n = all[dir][i];

			if (dir == (int)which && at >= from && at < from + n) {
				size_t cut = at - from + len > n ? n - (at - from) : len;

				mock_feed_marked(&host, which, texts[dir][i], at - from, &mark);
				mock_gap(&host, which, cut);
				mock_feed_marked(&host, which, texts[dir][i] + (at - from) + cut,
						 n - (at - from) - cut, &mark);
			} else {
				mock_feed_marked(&host, (enum weir_direction)dir, texts[dir][i], n,
						 &mark);
			}
			from += dir == (int)which ? n : 0;
		}
	}
	mock_end(&host);
	/* one exchange is whole, at least; whatever is whole is right */
	assert_in_range(talk_count(strbuf_text(&host.records), "\"completeness\":\"complete\""), 1,
			2);
	assert_int_equal(
		talk_count(strbuf_text(&host.records), "\"completeness\":\"complete\""),
		talk_count(strbuf_text(&host.records),
			   "\"complete\",\"pairing\":\"exact\",\"dns\":{\"id\":1,\"op_code\":"
			   "\"QUERY\","
			   "\"question\":{\"name\":\"a.example\",\"type\":\"A\"") +
			talk_count(
				strbuf_text(&host.records),
				"\"complete\",\"pairing\":\"exact\",\"dns\":{\"id\":2,\"op_code\":"
				"\"QUERY\",\"question\":{\"name\":\"a.example\",\"type\":\"MX\""));
	assert_true(host.nrecords <= 3);
	mock_fini(&host);
}

static void a_hole_at_every_position_costs_one_exchange(void **state)
{
	size_t at, len;

	for (at = 0; at < 2 * (sizeof(QUERY1) - 1); at++) {
		for (len = 1; len < 30; len++) {
			with_a_hole(WEIR_C2S, at, len);
		}
	}
	for (at = 0; at < sizeof(REPLY1 REPLY2) - 1; at++) {
		for (len = 1; len < 48; len++) {
			with_a_hole(WEIR_S2C, at, len);
		}
	}
}

static int probe(const char *client, size_t client_len, const char *server, size_t server_len)
{
	struct weir_probe probe = {
		.data = {(const uint8_t *)client, (const uint8_t *)server},
		.len = {client_len, server_len},
		.roles_certain = true,
	};

	return parser_find("dns")->probe(&probe).score;
}

static void both_sides_make_it_sure(void **state)
{
	assert_in_range(probe(QUERY1, sizeof(QUERY1) - 1, REPLY1, sizeof(REPLY1) - 1), 90, 100);
	assert_in_range(probe(QUERY1, sizeof(QUERY1) - 1, "", 0), 60, 89);
	assert_int_equal(probe("GET / HTTP/1.1\r\n\r\n", 18, "", 0), 0);
	assert_int_equal(probe(QUERY1, sizeof(QUERY1) - 1, "HTTP/1.1 200 OK\r\n\r\n", 19), 0);
	assert_int_equal(probe("\x00\x1b\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" NAME
			       "\x00\x01\x00\x09",
			       29, "", 0),
			 0);
}

static void an_idle_connection_is_parked_in_little(void **state)
{
	struct weir_host host;

	mock_init(&host, parser_find("dns"));
	host.parks = true;
	mock_open(&host);
	mock_feed(&host, WEIR_C2S, QUERY1, sizeof(QUERY1) - 1);
	assert_int_equal(host.nparked, 0); /* a query waits */
	mock_feed(&host, WEIR_S2C, REPLY1, sizeof(REPLY1) - 1);
	assert_int_equal(host.nparked, 1);
	assert_true(host.parked_size <= 48);
	mock_feed(&host, WEIR_C2S, QUERY1, sizeof(QUERY1) - 1);
	mock_feed(&host, WEIR_S2C, REPLY1, sizeof(REPLY1) - 1);
	assert_int_equal(host.nparked, 2);
	assert_int_equal(host.nrecords, 2);
	assert_int_equal(talk_count(strbuf_text(&host.records), "\"complete\""), 2);
	mock_end(&host);
	mock_fini(&host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(responses_in_any_order_find_their_queries),
		cmocka_unit_test(a_name_that_is_none_is_an_error),
		cmocka_unit_test(a_transfer_ends_with_the_soa_it_began_with),
		cmocka_unit_test(pointers_that_do_not_point_back_are_told),
		cmocka_unit_test(a_hole_costs_the_message_that_it_is_in),
		cmocka_unit_test(a_lost_length_costs_until_the_next_segment),
		cmocka_unit_test(a_length_without_a_message_is_told),
		cmocka_unit_test(a_query_without_a_response),
		cmocka_unit_test(a_hole_at_every_position_costs_one_exchange),
		cmocka_unit_test(both_sides_make_it_sure),
		cmocka_unit_test(an_idle_connection_is_parked_in_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
