/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser/socks: handshakes in, what is left for the next parser out. Each conversation is fed whole and byte by byte. The literals
 * are those of RFC 1928, RFC 1929 and the descriptions of SOCKS 4 and 4A.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "mock_host.h"
#include "parser/registry.h"

struct turn {
	char who; /* C S; c s: missing bytes; f: FIN of the server; w: len ms pass */
	const char *text;
	size_t len;
};

#define T(who, text)                                                                               \
	{                                                                                          \
		who, text, sizeof(text) - 1                                                        \
	}

#define METHODS_5 T('C', "\x05\x01\x00")
#define METHOD_5  T('S', "\x05\x00")
#define CONNECT_5 T('C', "\x05\x01\x00\x01\x5d\xb8\xd8\x77\x00\x50")
#define REPLY_5   T('S', "\x05\x00\x00\x01\x0a\xb4\x9c\xf9\xdf\xb4")

static void feed(struct weir_host *host, const struct turn *turn, bool bytes)
{
	enum weir_direction dir = turn->who == 'C' || turn->who == 'c' ? WEIR_C2S : WEIR_S2C;
	struct weir_mark mark;
	size_t i;

	switch (turn->who) {
	case 'c':
	case 's':
		mock_gap(host, dir, turn->len);
		return;
	case 'f':
		mock_close(host, WEIR_S2C, WEIR_CLOSE_FIN);
		return;
	case 'w':
		mock_wait(host, (int64_t)turn->len * 1000000);
		return;
	default:
		break;
	}
	mark = mock_mark(host, dir);
	for (i = 0; i < turn->len; i += bytes ? 1 : turn->len) {
		mock_feed_marked(host, dir, turn->text + i, bytes ? 1 : turn->len, &mark);
	}
}

/* What is handed over of each direction; NULL: nothing is, and the parser has eaten all. */
static void handed_over(const struct turn *turns, const char *c2s, const char *s2c)
{
	int mode;

	for (mode = 0; mode < 2; mode++) {
		struct weir_host host;
		const struct turn *turn;

		mock_init(&host, parser_find("socks"));
		mock_open(&host);
		for (turn = turns; turn->who != 0; turn++) {
			feed(&host, turn, mode == 1);
		}
		assert_int_equal(host.switched, c2s != NULL);
		assert_false(host.not_mine);
		if (c2s != NULL) {
			assert_string_equal(host.next_parser, "");
			assert_string_equal(strbuf_text(&host.rest[WEIR_C2S]), c2s);
			assert_string_equal(strbuf_text(&host.rest[WEIR_S2C]), s2c);
		}
		mock_end(&host);
		mock_fini(&host);
	}
}

static void socks4_hands_over_behind_its_reply(void **state)
{
	handed_over((struct turn[]){T('C', "\x04\x01\x00\x50\x5d\xb8\xd8\x77me\0"),
				    T('S', "\x00\x5a\xdf\xb2\x0a\xb4\x9c\xf9"),
				    T('C', "GET"),
				    T('S', "HTTP"),
				    {0}},
		    "GET", "HTTP");
}

static void socks4a_has_a_host_name(void **state)
{
	handed_over((struct turn[]){T('C', "\x04\x01\x00\x50\x00\x00\x00\x01\0www.example.com\0"),
				    T('S', "\x00\x5a\xdf\xb2\x0a\xb4\x9c\xf9"),
				    T('C', "GET"),
				    {0}},
		    "GET", "");
}

static void socks5_hands_over_behind_its_reply(void **state)
{
	handed_over((struct turn[]){METHODS_5, METHOD_5, CONNECT_5, REPLY_5, T('C', "GET"), {0}},
		    "GET", "");
}

static void socks5_with_password(void **state)
{
	handed_over((struct turn[]){T('C', "\x05\x03\x00\x01\x02"),
				    T('S', "\x05\x02"),
				    T('C', "\x01\x04user\x06secret"),
				    T('S', "\x01\x00"),
				    CONNECT_5,
				    REPLY_5,
				    T('C', "GET"),
				    {0}},
		    "GET", "");
}

static void socks5_with_a_host_name_and_ipv6(void **state)
{
	handed_over((struct turn[]){METHODS_5,
				    METHOD_5,
				    T('C', "\x05\x01\x00\x03\x0b"
					   "example.com\x00\x50"),
				    T('S', "\x05\x00\x00\x04"
					   "0123456789abcdef"
					   "\x00\x50"),
				    T('C', "GET"),
				    {0}},
		    "GET", "");
}

static void bytes_behind_the_request_wait_for_the_reply(void **state)
{
	handed_over((struct turn[]){METHODS_5,
				    METHOD_5,
				    CONNECT_5,
				    T('C', "GET"),
				    REPLY_5,
				    T('S', "HTTP"),
				    {0}},
		    "GET", "HTTP");
}

static void bind_has_two_replies(void **state)
{
	handed_over((struct turn[]){METHODS_5,
				    METHOD_5,
				    T('C', "\x05\x02\x00\x01\x5d\xb8\xd8\x77\x00\x50"),
				    REPLY_5,
				    REPLY_5,
				    T('S', "220 ftp"),
				    {0}},
		    "", "220 ftp");
}

static void a_refusal_ends_it(void **state)
{
	handed_over((struct turn[]){METHODS_5, T('S', "\x05\xff"), T('C', "GET"), {0}}, NULL, NULL);
	handed_over((struct turn[]){METHODS_5,
				    METHOD_5,
				    CONNECT_5,
				    T('S', "\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00"),
				    T('C', "GET"),
				    {0}},
		    NULL, NULL);
	handed_over((struct turn[]){T('C', "\x04\x01\x00\x50\x5d\xb8\xd8\x77\0"),
				    T('S', "\x00\x5b\0\0\0\0\0\0"),
				    T('C', "GET"),
				    {0}},
		    NULL, NULL);
}

static void of_the_client_alone_enough_is_known(void **state)
{
	handed_over(
		(struct turn[]){
			METHODS_5, CONNECT_5, T('C', "GET"), {'w', NULL, 300}, T('C', " /"), {0}},
		"GET /", "");
	handed_over((struct turn[]){METHODS_5, CONNECT_5, T('C', "GET"), {'f', NULL, 0}, {0}},
		    "GET", "");
}

static void of_the_server_alone_enough_is_known(void **state)
{
	handed_over((struct turn[]){METHOD_5, REPLY_5, T('S', "HTTP"), {0}}, "", "HTTP");
}

static void a_hole_in_the_handshake_hands_over(void **state)
{
	handed_over(
		(struct turn[]){
			METHODS_5, METHOD_5, CONNECT_5, {'s', NULL, 10}, T('C', "GET"), {0}},
		"GET", "");
}

/* ---- detection ---- */

static int probe(const char *client, size_t client_len, const char *server, size_t server_len,
		 bool *ret_swapped)
{
	struct weir_probe probe = {
		.data = {(const uint8_t *)client, (const uint8_t *)server},
		.len = {client_len, server_len},
	};
	struct weir_probe_result got = parser_find("socks")->probe(&probe);

	*ret_swapped = got.swapped;
	return got.score;
}

#define PROBE(client, server, swapped)                                                             \
	probe(client, sizeof(client) - 1, server, sizeof(server) - 1, swapped)

static void both_sides_make_it_sure(void **state)
{
	bool swapped;

	assert_true(PROBE("\x05\x02\x00\x01", "\x05\x00", &swapped) >= 90);
	assert_true(PROBE("\x04\x01\x00\x50\x5d\xb8\xd8\x77\0", "\x00\x5a\0\0\0\0\0\0", &swapped) >=
		    90);
	assert_false(swapped);
	assert_true(PROBE("\x05\x00", "\x05\x02\x00\x01", &swapped) >= 90);
	assert_true(swapped);
}

static void one_side_is_likely_at_most(void **state)
{
	bool swapped;

	assert_in_range(PROBE("\x05\x01\x00", "", &swapped), 60, 89);
	assert_in_range(PROBE("", "\x05\x00\x05\x00\x00\x01\x0a\xb4\x9c\xf9\xdf\xb4", &swapped), 60,
			89);
	assert_in_range(PROBE("\x05\x04\x00", "", &swapped), 1, 59);
}

static void other_things_are_not_socks(void **state)
{
	bool swapped;

	assert_int_equal(PROBE("GET / HTTP/1.1\r\n", "", &swapped), 0);
	assert_int_equal(PROBE("\x05\x01\x00", "\x05\x02", &swapped), 0); /* not offered */
	assert_int_equal(PROBE("\x05\x01\x40", "", &swapped), 0);
	assert_int_equal(PROBE("\x04\x03\x00\x50\x5d\xb8\xd8\x77\0", "", &swapped), 0);
	assert_int_equal(PROBE("\x04\x01\x00\x50\x5d\xb8\xd8\x77\x01\0", "", &swapped), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(socks4_hands_over_behind_its_reply),
		cmocka_unit_test(socks4a_has_a_host_name),
		cmocka_unit_test(socks5_hands_over_behind_its_reply),
		cmocka_unit_test(socks5_with_password),
		cmocka_unit_test(socks5_with_a_host_name_and_ipv6),
		cmocka_unit_test(bytes_behind_the_request_wait_for_the_reply),
		cmocka_unit_test(bind_has_two_replies),
		cmocka_unit_test(a_refusal_ends_it),
		cmocka_unit_test(of_the_client_alone_enough_is_known),
		cmocka_unit_test(of_the_server_alone_enough_is_known),
		cmocka_unit_test(a_hole_in_the_handshake_hands_over),
		cmocka_unit_test(both_sides_make_it_sure),
		cmocka_unit_test(one_side_is_likely_at_most),
		cmocka_unit_test(other_things_are_not_socks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
