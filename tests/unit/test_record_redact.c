/* SPDX-License-Identifier: Apache-2.0 */
/* record/redact: secrets do not leave records. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "record/record.h"
#include "record/redact.h"

enum { F_HEADERS = WEIR_NCOMMON, F_PLAIN_HEADERS };

static const struct weir_field fields[] = {
	{"t.headers", WEIR_KIND_HEADERS, WEIR_FIELD_SECRET_HEADERS, ""},
	{"t.plain", WEIR_KIND_HEADERS, 0, ""},
};
static const struct weir_schema schema = {"t", fields, 2};

struct fixture {
	struct budget budget;
	struct arena_pool pool;
	struct weir_record *rec;
};

static void setup(struct fixture *fx)
{
	budget_init(&fx->budget, 1 << 20, NULL);
	arena_pool_init(&fx->pool, &fx->budget, 4);
	assert_int_equal(record_new(&fx->pool, &schema, &fx->rec), 0);
}

static void teardown(struct fixture *fx)
{
	record_free(fx->rec);
	arena_pool_fini(&fx->pool);
	assert_int_equal(fx->budget.used, 0);
}

static void assert_str(const struct weir_str *got, const char *want)
{
	char *text = strndup((const char *)got->p, got->len);

	assert_string_equal(text, want);
	free(text);
}

struct row {
	const char *name;
	const char *value;
	const char *want; /* NULL: unchanged */
};

static void check_headers(const struct row *rows, size_t n, size_t limit)
{
	struct fixture fx;
	size_t i;
	int round;

	setup(&fx);
	for (i = 0; i < n; i++) {
		weir_record_add_header(fx.rec, F_HEADERS, rows[i].name, strlen(rows[i].name),
				       rows[i].value, strlen(rows[i].value), limit);
	}
	for (round = 0; round < 2; round++) {
		redact_record(fx.rec, WEIR_REDACT_DEFAULT);
		for (i = 0; i < n; i++) {
			const struct weir_header *header = &fx.rec->values[F_HEADERS].v.headers[i];

			assert_str(&header->name, rows[i].name);
			assert_str(&header->value,
				   rows[i].want == NULL ? rows[i].value : rows[i].want);
			assert_int_equal(header->redacted, rows[i].want != NULL);
		}
	}
	teardown(&fx);
}

static void secret_headers_keep_kind_and_length(void **state)
{
	static const struct row rows[] = {
		{"Authorization", "Basic dXNlcjpwYXNzd29yZDEyMw==", "Basic [redacted 24]"},
		{"AUTHORIZATION", "bearer abc.def.ghi", "bearer [redacted 11]"},
		{"authorization", "no-scheme-here", "[redacted 14]"},
		{"Authorization", "s3cr3t and more", "[redacted 15]"},
		{"Authorization", "Basic", "[redacted 5]"},
		{"Authorization ", "Basic YQ==", "Basic [redacted 4]"},
		{"Proxy-Authorization", "Digest username=\"u\", response=\"00\"",
		 "Digest [redacted 27]"},
		{"Authorization", "", NULL},
		{"Cookie", "sid=0123456789abcdef; theme=dark",
		 "sid=[redacted 16]; theme=[redacted 4]"},
		{"Cookie", "a=b=c;d=", "a=[redacted 3];d="},
		{"Cookie", "nameless; x=1", "[redacted 8]; x=[redacted 1]"},
		{"Cookie", ";;", ";;"},
		{"Set-Cookie", "sid=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
		 "sid=[redacted 3]; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
		{"X-Api-Key", "k", "[redacted 1]"},
		{"X-Auth-Token", "abcd", "[redacted 4]"},
		{"X-Amz-Security-Token", "abcde", "[redacted 5]"},
		{"X-My-Secret-Thing", "abc", "[redacted 3]"},
		{"user-PASSWORD", "hunter2", "[redacted 7]"},
		{"X-Session-Id", "42", "[redacted 2]"},
		{"X-Original-Authorization", "Bearer zz", "Bearer [redacted 2]"},
	};

	check_headers(rows, sizeof(rows) / sizeof(rows[0]), SIZE_MAX);
}

static void other_headers_stay(void **state)
{
	static const struct row rows[] = {
		{"Host", "example.org", NULL},
		{"Content-Length", "12", NULL},
		{"User-Agent", "curl/7.88.1", NULL},
		{"ETag", "\"abc\"", NULL},
		{"X-Request-Id", "5f1e", NULL},
		{"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==", NULL},
		{"WWW-Authenticate", "Basic realm=\"x\"", NULL},
		{"", "empty name", NULL},
	};

	check_headers(rows, sizeof(rows) / sizeof(rows[0]), SIZE_MAX);
}

static void a_cut_value_tells_its_whole_length(void **state)
{
	static const struct row rows[] = {
		{"Authorization", "Bearer 0123456789", "Bearer [redacted 10]"},
		{"Cookie", "a=1; b=23456789", "a=[redacted 1]; b=[redacted 8]"},
	};

	check_headers(rows, sizeof(rows) / sizeof(rows[0]), 9);
}

static void off_masks_nothing(void **state)
{
	struct fixture fx;

	setup(&fx);
	weir_record_add_header(fx.rec, F_HEADERS, "Cookie", 6, "a=b", 3, 10);
	weir_record_add_header(fx.rec, F_PLAIN_HEADERS, "Cookie", 6, "a=b", 3, 10);
	redact_record(fx.rec, WEIR_REDACT_OFF);
	assert_str(&fx.rec->values[F_HEADERS].v.headers[0].value, "a=b");
	redact_record(fx.rec, WEIR_REDACT_DEFAULT);
	assert_str(&fx.rec->values[F_HEADERS].v.headers[0].value, "a=[redacted 1]");
	assert_str(&fx.rec->values[F_PLAIN_HEADERS].v.headers[0].value, "a=b");
	teardown(&fx);
}

/* The failing allocator: the secret goes, even when there is no room for its mask. */
static void without_memory_the_value_becomes_empty(void **state)
{
	struct fixture fx;
	static char cookie[1500];
	size_t i;

	for (i = 0; i + 4 < sizeof(cookie); i += 4) {
		memcpy(cookie + i, "a=b;", 4);
	}
	setup(&fx);
	weir_record_add_header(fx.rec, F_HEADERS, "Cookie", 6, cookie, strlen(cookie), 4096);
	fx.budget.limit = fx.budget.used;
	redact_record(fx.rec, WEIR_REDACT_DEFAULT);
	assert_int_equal(fx.rec->values[F_HEADERS].v.headers[0].value.len, 0);
	assert_int_equal(fx.rec->values[F_HEADERS].v.headers[0].redacted, 1);
	teardown(&fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(secret_headers_keep_kind_and_length),
		cmocka_unit_test(other_headers_stay),
		cmocka_unit_test(a_cut_value_tells_its_whole_length),
		cmocka_unit_test(off_masks_nothing),
		cmocka_unit_test(without_memory_the_value_becomes_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
