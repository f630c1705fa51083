/* SPDX-License-Identifier: Apache-2.0 */
/* parser/starttls: IMAP, POP3 and FTP up to TLS; whole, byte by byte and in random pieces. Dialogues of RFC 9051, 2595 and 4217. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "talk.h"

#define TLS "\x16\x03\x01\x00\x05hello"

/* Is TLS switched to, and are these the bytes that it gets? */
static void check(const struct shuffle_event *events, const char *c2s, const char *s2c)
{
	struct weir_host host;

	shuffle(parser_find("starttls"), NULL, events, &host);
	assert_int_equal(host.switched, c2s != NULL);
	if (c2s != NULL) {
		assert_string_equal(host.next_parser, "tls");
		assert_int_equal(host.rest[WEIR_C2S].len, strlen(c2s));
		assert_int_equal(host.rest[WEIR_S2C].len, strlen(s2c));
	}
	assert_int_equal(host.nrecords, 0);
	mock_fini(&host);
}

static void the_server_agrees(void **state)
{
	(void)state;
	check(EVENTS(S("* OK [CAPABILITY STARTTLS] ready\r\n"), C("a1 CAPABILITY\r\n"),
		     S("* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK done\r\n"), C("a2 starttls\r\n"),
		     S("a2 OK begin\r\n")),
	      "", "");
	check(EVENTS(S("+OK ready\r\n"), C("STLS\r\n"), S("+OK begin\r\n")), "", "");
	check(EVENTS(S("220-hello\r\n220 ready\r\n"), C("AUTH TLS\r\n"), S("234 go\r\n")), "", "");
}

static void the_server_refuses(void **state)
{
	(void)state;
	check(EVENTS(S("* OK ready\r\n"), C("a STARTTLS\r\n"), S("a BAD no\r\n"), C(TLS)), NULL,
	      NULL);
	check(EVENTS(S("+OK ready\r\n"), C("STLS\r\n"), S("-ERR no\r\n"), C("USER x\r\n"),
		     S("+OK\r\n")),
	      NULL, NULL);
	check(EVENTS(S("220 ready\r\n"), C("AUTH TLS\r\n"), S("534 no\r\n")), NULL, NULL);
	/* another tag's OK is no answer */
	check(EVENTS(S("* OK ready\r\n"), C("a NOOP\r\nb STARTTLS\r\n"), S("a OK done\r\n")), NULL,
	      NULL);
}

static void without_a_request_nothing_is_looked_for(void **state)
{
	(void)state;
	check(EVENTS(S("* OK ready\r\n"), C("a LOGIN x STARTTLS\r\n"), S("a OK in\r\n")), NULL,
	      NULL);
	check(EVENTS(S("+OK ready\r\n"), {'s', NULL, 5}, C("STLS\r\n"), S("+OK begin\r\n")), NULL,
	      NULL);
}

static void detection(void **state)
{
	static const struct talk_probe cases[] = {
		{SIDE("a CAPABILITY\r\n"), SIDE("* OK ready\r\n"), 90, 100, false},
		{SIDE("* OK ready\r\n"), SIDE("a CAPABILITY\r\n"), 90, 100, true},
		{SIDE("STLS\r\n"), SIDE("+OK ready\r\n"), 90, 100, false},
		{SIDE("AUTH TLS\r\n"), SIDE("220 ready\r\n"), 90, 100, false},
		{SIDE(""), SIDE("+OK ready\r\n"), 1, 59, false},
		{SIDE("*1\r\n$4\r\nPING\r\n"), SIDE("+OK ready\r\n"), 0, 0, false},
		{SIDE("PING\r\n"), SIDE("+OK\r\n"), 0, 0, false},
		{SIDE("GET / HTTP/1.1\r\n"), SIDE(""), 0, 0, false},
	};

	(void)state;
	talk_detect("starttls", cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_server_agrees),
		cmocka_unit_test(the_server_refuses),
		cmocka_unit_test(without_a_request_nothing_is_looked_for),
		cmocka_unit_test(detection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
