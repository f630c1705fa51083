/* SPDX-License-Identifier: Apache-2.0 */
/* sink/har: character sets, cookies, query strings. The documents as others read them: tests/web/test_har.py. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "sink/har_charset.h"
#include "sink/har_text.h"

/* Made with iconv(1) and base64(1). */
static void bodies_in_other_sets_become_utf_8(void **state)
{
	static const struct {
		const char *charset, *base64;
		bool cut;
		const char *want; /* NULL: it stays base64 */
	} rows[] = {
		{"iso-8859-1", "Y2Fm6Q==", false, "caf\xc3\xa9"},
		{"ISO-8859-1", "gA==", false, "\xe2\x82\xac"}, /* as browsers: windows-1252 */
		{"windows-1251", "z/Do4uXy", false,
		 "\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82"},
		{"shift_jis", "gqCCog==", false, "\xe3\x81\x82\xe3\x81\x84"},
		{"shift_jis", "gqCC", true, "\xe3\x81\x82"}, /* cut within a character */
		{"shift_jis", "gqCC", false, NULL},
		{"gb2312", "1tDOxA==", false, "\xe4\xb8\xad\xe6\x96\x87"},
		{"utf-16", "//5hAOkA", false, "a\xc3\xa9"},
		{"utf-16be", "AGEA6Q==", false, "a\xc3\xa9"},
		{"utf-16le", "ANg=", false, NULL}, /* half a surrogate pair */
		{"windows-1252", "gQ==", false, NULL},
		{"x-klingon", "Y2Fm6Q==", false, NULL},
		{"", "Y2Fm6Q==", false, NULL},
	};
	struct har_charsets *charsets = har_charsets_new();
	struct strbuf out;
	size_t i;

	strbuf_init(&out);
	assert_non_null(charsets);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool is = har_charsets_decode(charsets, rows[i].charset, strlen(rows[i].charset),
					      (const uint8_t *)rows[i].base64,
					      strlen(rows[i].base64), rows[i].cut, &out);

		if (is != (rows[i].want != NULL) ||
		    (is && strcmp(strbuf_text(&out), rows[i].want) != 0)) {
			print_error("%s %s: %d %s\n", rows[i].charset, rows[i].base64, is,
				    strbuf_text(&out));
			fail();
		}
	}
	strbuf_fini(&out);
	har_charsets_free(charsets);
}

enum what { QUERY, COOKIE, SET_COOKIE };

static void texts_are_taken_apart(void **state)
{
	static const struct {
		enum what what;
		const char *text, *want;
	} rows[] = {
		{QUERY, "a=1&b=%20x+y",
		 "{\"a\":[{\"name\":\"a\",\"value\":\"1\"},"
		 "{\"name\":\"b\",\"value\":\" x y\"}]}"},
		{QUERY, "&&=&%zz&%4",
		 "{\"a\":[{\"name\":\"\",\"value\":\"\"},"
		 "{\"name\":\"%zz\",\"value\":\"\"},"
		 "{\"name\":\"%4\",\"value\":\"\"}]}"},
		{QUERY, "", "{\"a\":[]}"},
		{COOKIE, "a=b=c; d ;;e= f ",
		 "{\"a\":[{\"name\":\"a\",\"value\":\"b=c\"},"
		 "{\"name\":\"d\",\"value\":\"\"},"
		 "{\"name\":\"e\",\"value\":\"f\"}]}"},
		{SET_COOKIE, "s=1; Path=/; Domain=a.test; Secure; HttpOnly",
		 "{\"a\":[{\"name\":\"s\",\"value\":\"1\",\"path\":\"/\",\"domain\":\"a.test\","
		 "\"httpOnly\":true,\"secure\":true}]}"},
		{SET_COOKIE, "s=1; expires=Wed, 09-Jun-2021 10:18:14 GMT; path=/a; path=/b",
		 "{\"a\":[{\"name\":\"s\",\"value\":\"1\",\"expires\":\"2021-06-09T10:18:14.000Z\","
		 "\"path\":\"/a\",\"httpOnly\":false,\"secure\":false}]}"},
		{SET_COOKIE, "s=1; expires=Wed, 39 Jun 2021 10:18:14 GMT",
		 "{\"a\":[{\"name\":\"s\",\"value\":\"1\",\"httpOnly\":false,\"secure\":false}]}"},
		{SET_COOKIE, "",
		 "{\"a\":[{\"name\":\"\",\"value\":\"\",\"httpOnly\":false,\"secure\":false}]}"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct weir_str text = {(const uint8_t *)rows[i].text,
					(uint32_t)strlen(rows[i].text)};
		struct json_build build;
		struct strbuf out;

		strbuf_init(&out);
		json_build_init(&build, &out, false);
		json_build_key(&build, "a");
		json_build_open(&build, '[');
		if (rows[i].what == QUERY) {
			har_put_query(&build, text.p, text.len);
		} else if (rows[i].what == COOKIE) {
			har_put_cookies(&build, &text);
		} else {
			har_put_set_cookie(&build, &text);
		}
		json_build_close(&build, ']');
		json_build_end(&build);
		assert_string_equal(strbuf_text(&out), rows[i].want);
		strbuf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bodies_in_other_sets_become_utf_8),
		cmocka_unit_test(texts_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
