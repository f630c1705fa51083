/* SPDX-License-Identifier: Apache-2.0 */
/* sink/escape: nothing captured reaches a terminal as a control. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sink/escape.h"

static const struct {
	const char *in;
	size_t len;
	const char *out;
	size_t columns;
} rows[] = {
	{"", 0, "", 0},
	{"GET /index.html", 15, "GET /index.html", 15},
	{"a\\b", 3, "a\\b", 3},
	{"\x1b[2J", 4, "\\x1b[2J", 7},
	{"\x1b]0;PWNED\x07", 10, "\\x1b]0;PWNED\\x07", 16},
	{"\0\r\n\t\x7f", 5, "\\x00\\x0d\\x0a\\x09\\x7f", 20},
	{"\xc2\x9b"
	 "1m",
	 4, "\\xc2\\x9b1m", 10}, /* CSI in C1 */
	{"\x9b"
	 "1m",
	 3, "\\x9b1m", 6}, /* the raw byte */
	{"a\xe2\x80\xae"
	 "b",
	 5, "a\\xe2\\x80\\xaeb", 14},                                          /* U+202E */
	{"\xe2\x81\xa6\xe2\x81\xa9", 6, "\\xe2\\x81\\xa6\\xe2\\x81\\xa9", 24}, /* U+2066, U+2069 */
	{"\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c", 8, "\\xe2\\x80\\x8e\\xe2\\x80\\x8f\\xd8\\x9c",
	 32},                                                                  /* marks */
	{"\xe2\x80\x8b\xef\xbb\xbf", 6, "\\xe2\\x80\\x8b\\xef\\xbb\\xbf", 24}, /* zero width */
	{"\xe2\x80\xa8", 3, "\\xe2\\x80\\xa8", 12},                            /* line separator */
	{"\xc0\x9b", 2, "\\xc0\\x9b", 8},                                      /* overlong */
	{"\xed\xa0\x80", 3, "\\xed\\xa0\\x80", 12},                            /* surrogate */
	{"ok\xff", 3, "ok\\xff", 6},
	{"caf\xc3\xa9", 5, "caf\xc3\xa9", 4},
	{"\xe6\x97\xa5\xe6\x9c\xac", 6, "\xe6\x97\xa5\xe6\x9c\xac", 4}, /* two wide */
	{"e\xcc\x81", 3, "e\xcc\x81", 1},                               /* combining */
	{"\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80", 2},
};

static void what_is_not_visible_is_shown_as_bytes(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strbuf out;

		strbuf_init(&out);
		assert_int_equal(escape_text(&out, rows[i].in, rows[i].len), rows[i].columns);
		assert_string_equal(strbuf_text(&out), rows[i].out);
		assert_int_equal(escape_columns(strbuf_text(&out), out.len), rows[i].columns);
		strbuf_fini(&out);
	}
}

static void every_control_byte_is_escaped(void **state)
{
	unsigned c;

	for (c = 0; c < 256; c++) {
		uint8_t byte = (uint8_t)c;
		struct strbuf out;

		strbuf_init(&out);
		escape_text(&out, &byte, 1);
		assert_int_equal(out.len, c >= 0x20 && c < 0x7f ? 1 : 4);
		strbuf_fini(&out);
	}
}

static void text_is_cut_by_columns_not_bytes(void **state)
{
	static const char text[] = "a\xc3\xa9\xe6\x97\xa5z"; /* 1 1 2 1 columns */

	assert_int_equal(escape_fit(text, 7, 0), 0);
	assert_int_equal(escape_fit(text, 7, 2), 3);
	assert_int_equal(escape_fit(text, 7, 3), 3); /* half of a wide character is none */
	assert_int_equal(escape_fit(text, 7, 4), 6);
	assert_int_equal(escape_fit(text, 7, 99), 7);
	assert_int_equal(escape_fit_end(text, 7, 1), 1);
	assert_int_equal(escape_fit_end(text, 7, 2), 1);
	assert_int_equal(escape_fit_end(text, 7, 3), 4);
	assert_int_equal(escape_fit_end(text, 7, 99), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_visible_is_shown_as_bytes),
		cmocka_unit_test(every_control_byte_is_escaped),
		cmocka_unit_test(text_is_cut_by_columns_not_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
