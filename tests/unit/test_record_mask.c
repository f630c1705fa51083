/* SPDX-License-Identifier: Apache-2.0 */
/* record/mask: what is told to be a secret, and the quick looks that say it is none. */
#include <stdarg.h>
#include <stddef.h>
#include <ctype.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "record/header_names.h"
#include "record/mask.h"

/* -1: it is none of the names that have a number. */
static int common_class(const uint8_t *name, size_t len)
{
	uint8_t number = header_name_find(name, len);

	return number == HEADER_OTHER ? -1 : header_name_classes[number];
}

static void headers_have_classes_in_whatever_case(void **state)
{
	static const struct {
		const char *name;
		bool common; /* found in the table of common names */
		enum header_class class;
	} rows[] = {
		{"Host", true, HEADER_PLAIN},
		{"USER-AGENT", true, HEADER_PLAIN},
		{"etag", true, HEADER_PLAIN},
		{"Via", true, HEADER_PLAIN},
		{"Sec-Fetch-Site", true, HEADER_PLAIN},
		{"Sec-Fetch-Mode", true, HEADER_PLAIN},
		{"Content-Disposition", true, HEADER_PLAIN},
		{"X-Forwarded-Proto", true, HEADER_PLAIN},
		{"X-XSS-Protection", true, HEADER_PLAIN},
		{":authority", true, HEADER_PLAIN},
		{":path", true, HEADER_URL},
		{"Link", true, HEADER_URL},
		{"referer", true, HEADER_URL},
		{"Refresh", true, HEADER_URL},
		{"Location", true, HEADER_URL},
		{"Content-Location", true, HEADER_URL},
		{"X-Original-URL", false, HEADER_URL},
		{"Cookie", true, HEADER_COOKIE},
		{"Cookie ", false, HEADER_COOKIE},
		{"Set-Cookie", true, HEADER_SET_COOKIE},
		{"set-cookie2", true, HEADER_SET_COOKIE},
		{"Authorization", true, HEADER_CREDENTIALS},
		{"Proxy-Authorization", true, HEADER_CREDENTIALS},
		{"X-Amz-Authorization", false, HEADER_CREDENTIALS},
		{"WWW-Authenticate", false, HEADER_PLAIN},
		{"X-Auth-Token", false, HEADER_SECRET},
		{"X-CSRF-Token", false, HEADER_SECRET},
		{"X-Api-Key", false, HEADER_SECRET},
		{"Api-Key", false, HEADER_SECRET},
		{"Hosts", false, HEADER_PLAIN},
		{"Hoss", false, HEADER_PLAIN},
		{"X", false, HEADER_PLAIN},
		{"", false, HEADER_PLAIN},
		{"Cookie-", false, HEADER_PLAIN},
		{"Content-Security-Policy-Report-Only", false, HEADER_PLAIN},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i].name);
		uint8_t *name = malloc(len > 0 ? len : 1); /* no byte behind it is read */
		int common;

		memcpy(name, rows[i].name, len);
		common = common_class(name, len);
		assert_int_equal(common, rows[i].common ? (int)rows[i].class : -1);
		assert_int_equal(mask_classify_header(name, len), rows[i].class);
		free(name);
	}
}

static const char *const plain_names[] = {
	"host",
	"date",
	"etag",
	"vary",
	"accept",
	"server",
	"origin",
	"pragma",
	"upgrade",
	"expires",
	"connection",
	"user-agent",
	"keep-alive",
	"content-type",
	"cache-control",
	"last-modified",
	"if-none-match",
	"accept-ranges",
	"content-range",
	"content-length",
	"retry-after",
	"accept-encoding",
	"accept-language",
	"x-forwarded-for",
	"content-encoding",
	"transfer-encoding",
	"if-modified-since",
	":method",
	":scheme",
	":authority",
	":status",
	"accept-charset",
	"range",
	"expect",
	"x-requested-with",
	"sec-fetch-site",
	"sec-fetch-mode",
	"sec-fetch-dest",
	"sec-fetch-user",
	"sec-ch-ua",
	"sec-ch-ua-mobile",
	"sec-ch-ua-platform",
	"x-powered-by",
	"x-frame-options",
	"traceparent",
	"tracestate",
	"x-request-id",
	"allow",
	"via",
	"age",
	"dnt",
	"x-cache",
	"x-forwarded-host",
	"x-forwarded-proto",
	"alt-svc",
	"content-language",
	"x-xss-protection",
	"priority",
	"content-disposition",
	"grpc-status",
	"grpc-timeout",
};

/* What the table says is what the words of a name say, but for those that have classes of their own. */
static void common_names_are_as_plain_as_they_sound(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(plain_names) / sizeof(plain_names[0]); i++) {
		char other[32];

		assert_int_equal(
			common_class((const uint8_t *)plain_names[i], strlen(plain_names[i])),
			HEADER_PLAIN);
		/* a letter that is in none of the words makes it a name that is not in the table */
		(void)snprintf(other, sizeof(other), "%sz", plain_names[i]);
		assert_int_equal(common_class((const uint8_t *)other, strlen(other)), -1);
		assert_int_equal(mask_classify_header((const uint8_t *)other, strlen(other)),
				 HEADER_PLAIN);
	}
}

static void every_name_of_the_table_is_found(void **state)
{
	unsigned number;
	size_t i;

	for (number = 1; number < HEADER_NAMES; number++) {
		const struct header_name *name = &header_names[number];
		uint8_t upper[HEADER_NAME_MAX];

		assert_int_equal(header_name_find((const uint8_t *)name->text, name->len), number);
		for (i = 0; i < name->len; i++) {
			upper[i] = (uint8_t)toupper(name->text[i]);
		}
		assert_int_equal(header_name_find(upper, name->len), number);
		for (i = 0; i < name->len; i++) {
			upper[i] ^= 1; /* each byte counts */
			assert_int_equal(header_name_find(upper, name->len), HEADER_OTHER);
			upper[i] ^= 1;
			upper[i] ^=
				0x20; /* of letters the case does not, of a hyphen it makes a CR */
			assert_int_equal(header_name_find(upper, name->len),
					 isalpha(name->text[i]) ? number : HEADER_OTHER);
			upper[i] ^= 0x20;
		}
	}
}

static const char *const secret_keys[] = {
	"otp",
	"pwd",
	"pin",
	"sig",
	"sid",
	"jwt",
	"auth",
	"CODE",
	"Pass",
	"signature",
	"passphrase",
	"authorization",
	"token",
	"xsrf",
	"my_secret",
	"db_pwd",
	"X-Amz-Signature",
	"user[pin]",
	"apikey",
	"api-key",
	"PASSWD",
	"SessionId",
	"credentials",
	"p%69n",
	"%73ig",
	"\\u0070in",
	"a.jwt",
	"sid%20",
};

static const char *const plain_keys[] = {
	"",       "q",     "id",        "pa",         "page",          "codes",  "country_code",
	"pins",   "asset", "book",      "class",      "script",        "across", "sign",
	"passed", "tok",   "signatura", "passphrasf", "authorizatiox", "%7",     "jw",
	"pwds",   "opt",   "side",
};

static void names_of_secrets_are_told(void **state)
{
	size_t i;

	for (i = 0; i < sizeof(secret_keys) / sizeof(secret_keys[0]); i++) {
		size_t len = strlen(secret_keys[i]);
		uint8_t *key = malloc(len);

		memcpy(key, secret_keys[i], len);
		assert_true(mask_is_secret_key(key, len));
		free(key);
	}
	for (i = 0; i < sizeof(plain_keys) / sizeof(plain_keys[0]); i++) {
		size_t len = strlen(plain_keys[i]);
		uint8_t *key = malloc(len > 0 ? len : 1);

		memcpy(key, plain_keys[i], len);
		assert_false(mask_is_secret_key(key, len));
		free(key);
	}
}

/* Texts put together from pieces that matter and those that do not. */
static size_t random_url(uint8_t *to, size_t room, uint32_t *seed)
{
	static const char *const pieces[] = {
		"/",
		"=",
		"&",
		"?",
		"@",
		"%3D",
		"%",
		"a",
		"page",
		"token",
		"sid",
		"http://",
		"x-",
		"ghp_0123456789abcdefghij",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmN",
		"items",
		":",
		"0123456789",
		"code",
		"[redacted 4]",
		" ",
		"api_",
		"key",
		"sk_live_",
	};
	size_t n = 0;
	int i;

	*seed = *seed * 1664525u + 1013904223u;
	for (i = (int)(*seed >> 24) % 16; i >= 0; i--) {
		const char *piece;

		*seed = *seed * 1664525u + 1013904223u;
		/* the rare ones are rarer */
		piece = pieces[(*seed >> 16) % ((*seed >> 30) == 0 ? 24 : 3)];
		if ((*seed >> 28) % 3 == 0) {
			piece = "abc";
		}
		if (n + strlen(piece) <= room) {
			memcpy(to + n, piece, strlen(piece));
			n += strlen(piece);
		}
	}
	return n;
}

/* The quick look may say no too often, but never yes to what would be masked. */
static void the_quick_look_at_urls_misses_nothing(void **state)
{
	uint32_t seed = 7;
	int i, nplain = 0, nmasked = 0;

	for (i = 0; i < 20000; i++) {
		uint8_t text[256], result[2048];
		struct mask mask = {.at = result, .end = result + sizeof(result)};
		size_t len = random_url(text, sizeof(text), &seed);
		uint8_t *url = malloc(len > 0 ? len : 1);
		bool plain;

		memcpy(url, text, len);
		plain = mask_is_plain_url(url, len);
		mask_url(&mask, url, len, 0);
		assert_false(plain && mask.any);
		nplain += plain;
		nmasked += mask.any;
		free(url);
	}
	assert_true(nplain > 1000 && nmasked > 1000);
}

static void every_way_of_looking_sees_the_same(void **state)
{
	static const char bytes[] = "/=@%.0?>A$&\x80";
	size_t len, at, i;
	int with;

	for (len = 0; len <= 64; len++) {
		uint8_t *text = malloc(len > 0 ? len : 1); /* no byte behind it is read */

		for (at = 0; at < len; at++) {
			for (i = 0; i < sizeof(bytes); i++) {
				uint64_t bit = UINT64_C(1) << at;

				memset(text, '.', len);
				text[at] = (uint8_t)bytes[i];
				for (with = MASK_LOOK_BYTES; with <= MASK_LOOK_SSE2; with++) {
					struct mask_marks marks =
						mask_marks_with((enum mask_look)with, text, len);

					assert_int_equal(marks.slash, bytes[i] == '/' ? bit : 0);
					assert_int_equal(marks.equals, bytes[i] == '=' ? bit : 0);
					assert_int_equal(marks.other,
							 bytes[i] == '@' || bytes[i] == '%' ? bit
											    : 0);
				}
			}
		}
		free(text);
	}
}

/* A secret at every place of texts that are looked at in one piece and in several. */
static void the_quick_look_finds_secrets_at_any_place(void **state)
{
	static const char *const secrets[] = {"&token=x", "/ghp_0123456789abcdefghij", "/%70",
					      "@",        "=AKIA0123456789abcdef",     "?pin=1"};
	size_t i, at;

	for (i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		size_t len = strlen(secrets[i]);

		for (at = 0; at < 200; at++) {
			size_t behind = at % 50, k;
			uint8_t *text = malloc(at + len + behind);

			for (k = 0; k < at + len + behind; k++) {
				text[k] = k % 7 == 3 ? '/' : k % 11 == 0 ? '&' : 'a';
			}
			memcpy(text + at, secrets[i], len);
			if (behind > 0) {
				text[at + len] = '/';
			}
			assert_false(mask_is_plain_url(text, at + len + behind));
			memset(text + at, 'b', len);
			assert_true(mask_is_plain_url(text, at + len + behind));
			free(text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_have_classes_in_whatever_case),
		cmocka_unit_test(common_names_are_as_plain_as_they_sound),
		cmocka_unit_test(every_name_of_the_table_is_found),
		cmocka_unit_test(names_of_secrets_are_told),
		cmocka_unit_test(the_quick_look_at_urls_misses_nothing),
		cmocka_unit_test(every_way_of_looking_sees_the_same),
		cmocka_unit_test(the_quick_look_finds_secrets_at_any_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
