/* SPDX-License-Identifier: Apache-2.0 */
/* record/redact: secrets do not leave records. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/fields.h"
#include "record/record.h"
#include "record/redact.h"

enum {
	F_HEADERS = WEIR_NCOMMON,
	F_PLAIN_HEADERS,
	F_URL,
	F_BODY,
	F_STATEMENT,
	F_EVIDENCE,
	F_PARAMETERS
};

static const struct weir_field fields[] = {
	{"t.headers", WEIR_KIND_HEADERS, WEIR_FIELD_SECRET_HEADERS, ""},
	{"t.plain", WEIR_KIND_HEADERS, 0, ""},
	{"t.url", WEIR_KIND_STR, WEIR_FIELD_URL, ""},
	{"t.body", WEIR_KIND_STR, WEIR_FIELD_BODY, ""},
	{"t.statement", WEIR_KIND_STR, WEIR_FIELD_STATEMENT, ""},
	{"t.evidence", WEIR_KIND_STR, WEIR_FIELD_EVIDENCE, ""},
	{"t.parameters", WEIR_KIND_STRS, WEIR_FIELD_STATEMENT, ""},
};
static const struct weir_schema schema = {"t", fields, 7};

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
		redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
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
		{"Cookie", ";;", NULL},
		{"Cookie", "a=123456789; b=1234567890; c",
		 "a=[redacted 9]; b=[redacted 10]; [redacted 1]"},
		{"Cookie", "a=[x]; [redacted 4]; b=[redacted 7]",
		 "a=[redacted 3]; [redacted 4]; b=[redacted 7]"},
		{"Cookie", " ; a=1;;  b", " ; a=[redacted 1];;  [redacted 1]"},
		{"X-Api-Key",
		 "0123456789012345678901234567890123456789012345678901234567890123456789"
		 "01234567890123456789012345678",
		 "[redacted 99]"},
		{"X-Api-Key",
		 "0123456789012345678901234567890123456789012345678901234567890123456789"
		 "012345678901234567890123456789",
		 "[redacted 100]"},
		{"Set-Cookie", "sid=abc; Path=/; Max-Age=60; HttpOnly; SameSite=Lax",
		 "sid=[redacted 3]; Path=/; Max-Age=60; HttpOnly; SameSite=Lax"},
		{"X-Api-Key", "k", "[redacted 1]"},
		{"X-Auth-Token", "abcd", "[redacted 4]"},
		{"X-Amz-Security-Token", "abcde", "[redacted 5]"},
		{"X-My-Secret-Thing", "abc", "[redacted 3]"},
		{"user-PASSWORD", "hunter2", "[redacted 7]"},
		{"X-Session-Id", "42", "[redacted 2]"},
		{"Referer", "http://h/p?token=abc&x=1", "http://h/p?token=[redacted 3]&x=1"},
		{"Location", "https://u:p@h/cb?code=1234",
		 "https://[redacted 3]@h/cb?code=[redacted 4]"},
		{"Link", "<http://h/?sig=abcd>; rel=next",
		 "<http://h/?sig=[redacted 4]>; rel=next"},
		{":path", "/a?password=x", "/a?password=[redacted 1]"},
		{"X-Original-Authorization", "Bearer zz", "Bearer [redacted 2]"},
		{"X-Auth", "abc", "[redacted 3]"},
		{"Ocp-Apim-Subscription-Key", "abc", "[redacted 3]"},
		{"X-CSRF", "abc", "[redacted 3]"},
		{"X-Original-URL", "/a?token=abc", "/a?token=[redacted 3]"},
	};

	check_headers(rows, sizeof(rows) / sizeof(rows[0]), SIZE_MAX);
}

static void other_headers_stay(void **state)
{
	static const struct row rows[] = {
		{"Host", "example.org", NULL},
		{"Referer", "http://h/p?page=2", NULL},
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
	redact_record(fx.rec, WEIR_REDACT_OFF, NULL);
	assert_str(&fx.rec->values[F_HEADERS].v.headers[0].value, "a=b");
	redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
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
	redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
	assert_int_equal(fx.rec->values[F_HEADERS].v.headers[0].value.len, 0);
	assert_int_equal(fx.rec->values[F_HEADERS].v.headers[0].redacted, 1);
	teardown(&fx);
}

/* A text field masked twice: once is enough. */
static void check_text(size_t field, enum weir_redact mode, const struct row *rows, size_t n)
{
	size_t i;
	int round;

	for (i = 0; i < n; i++) {
		struct fixture fx;
		const char *want = rows[i].want == NULL ? rows[i].value : rows[i].want;

		setup(&fx);
		weir_record_set_str(fx.rec, field, rows[i].value);
		for (round = 0; round < 2; round++) {
			const struct weir_value *value = &fx.rec->values[field];

			redact_record(fx.rec, mode, NULL);
			assert_true(weir_record_has(fx.rec, field));
			assert_str(&(struct weir_str){value->v.bytes, value->len}, want);
			assert_int_equal(value->full_len, value->len);
		}
		teardown(&fx);
	}
}

static void urls_lose_userinfo_and_secret_keys(void **state)
{
	static const struct row rows[] = {
		{"", "/", NULL},
		{"", "/plain?page=2&q=a", NULL},
		{"", "page=2", NULL},
		{"", "/login?user=joe&password=hunter2", "/login?user=joe&password=[redacted 7]"},
		{"", "password=hunter2&x=1", "password=[redacted 7]&x=1"},
		{"", "/cb?CODE=abc#frag", "/cb?CODE=[redacted 3]#frag"},
		{"", "/cb?code=&x", NULL},
		{"", "/cb?barcode=123&decode=1", NULL},
		{"", "/x?access_token=a.b.c;refresh_token=d",
		 "/x?access_token=[redacted 5];refresh_token=[redacted 1]"},
		{"", "/x?id_token=abc&client_secret=d&api_key=e&signature=f&sig=g",
		 "/x?id_token=[redacted 3]&client_secret=[redacted 1]&api_key=[redacted 1]&"
		 "signature=[redacted 1]&sig=[redacted 1]"},
		{"", "/x?pass%77ord=abc", "/x?pass%77ord=[redacted 3]"},
		{"", "/x?user[password]=abc&u%5Bpin%5D=1",
		 "/x?user[password]=[redacted 3]&u%5Bpin%5D=[redacted 1]"},
		{"", "/a/b;jsessionid=12AB?x=1", "/a/b;jsessionid=[redacted 4]?x=1"},
		{"", "http://joe:pw@example.org/a@b", "http://[redacted 6]@example.org/a@b"},
		{"", "https://ghp_abc@github.com/", "https://[redacted 7]@github.com/"},
		{"", "http://a@b@host/", "http://[redacted 3]@host/"},
		{"", "http://example.org/a@b", NULL},
		{"", "joe:pw@example.org:443", "[redacted 6]@example.org:443"},
		{"", "mail=joe@example.org", NULL},
		{"", "/x?token=http://u:p@h/&y=ftp://a:b@h/",
		 "/x?token=[redacted 13]&y=ftp://[redacted 3]@h/"},
		{"", "/x?next=http://u:p@h/&then=http://v@h",
		 "/x?next=http://[redacted 3]@h/&then=http://[redacted 1]@h"},
		{"", "/go?to=https%3A%2F%2Fx%2F%3Ftoken%3Dabc", "/go?to=[redacted 32]"},
		{"", "/go?to=https%3A%2F%2Fx%2F%3Fpage%3Dabc", NULL},
		{"", "/x?X-Amz-Signature=abc&country_code=49&jwt=e",
		 "/x?X-Amz-Signature=[redacted 3]&country_code=49&jwt=[redacted 1]"},
		{"", "?token", NULL},
		{"", "token=", NULL},
	};

	check_text(F_URL, WEIR_REDACT_DEFAULT, rows, sizeof(rows) / sizeof(rows[0]));
}

static void bodies_lose_secrets_of_forms_json_and_parts(void **state)
{
	static const struct row rows[] = {
		{"", "", NULL},
		{"", "hello world", NULL},
		{"", "user=joe&password=hunter2&go=1", "user=joe&password=[redacted 7]&go=1"},
		{"", "{\"user\":\"joe\",\"password\":\"hun\\\"ter2\"}",
		 "{\"user\":\"joe\",\"password\":\"[redacted 9]\"}"},
		{"", "{ \"access_token\" : \"abc\", \"n\": 1 }",
		 "{ \"access_token\" : \"[redacted 3]\", \"n\": 1 }"},
		{"", "[{\"pin\":1234},{\"pin\":null}]",
		 "[{\"pin\":\"[redacted 4]\"},{\"pin\":\"[redacted 4]\"}]"},
		{"", "{\"secrets\":{\"a\":[1,\"}\"],\"b\":2},\"c\":3}",
		 "{\"secrets\":\"[redacted 19]\",\"c\":3}"},
		{"", "{\"a\":\"password\",\"b\":\"x\"}", NULL},
		{"", "{\"token\":\"cut off", "{\"token\":\"[redacted 7]\""},
		{"", "{\"token\":", NULL},
		{"", "{\"token\"", NULL},
		{"", "{\"token\":\"a\\", "{\"token\":\"[redacted 2]\""},
		{"",
		 "--b\r\nContent-Disposition: form-data; "
		 "name=\"password\"\r\n\r\nhunter2\r\n--b\r\n"
		 "Content-Disposition: form-data; name=\"x\"\r\n\r\nopen\r\n--b--\r\n",
		 "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n[redacted 7]\r\n"
		 "--b\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\nopen\r\n--b--\r\n"},
		{"",
		 "TRACE / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic YWJj\r\nCookie: a=b\r\n\r\n",
		 "TRACE / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic [redacted 4]\r\n"
		 "Cookie: a=[redacted 1]\r\n\r\n"},
		{"", "Authorization: Bearer abc", "Authorization: Bearer [redacted 3]"},
		{"", "a=1&password=a b\"c<d;e&x=1", "a=1&password=[redacted 9]&x=1"},
		{"", "{\"p\\u0061ssword\":\"abc\"}", "{\"p\\u0061ssword\":\"[redacted 3]\"}"},
		{"", "event: x\ndata: {\"token\":\"abc\"}\n\ndata: pin=12\n\n",
		 "event: x\ndata: {\"token\":\"[redacted 3]\"}\n\ndata: pin=[redacted 2]\n\n"},
		{"", "GET /?token=abc HTTP/1.1\r\nHost: h\r\n\r\n",
		 "GET /?token=[redacted 3] HTTP/1.1\r\nHost: h\r\n\r\n"},
	};

	check_text(F_BODY, WEIR_REDACT_DEFAULT, rows, sizeof(rows) / sizeof(rows[0]));
}

static void markup_loses_secrets_of_elements_and_attributes(void **state)
{
	static const struct row rows[] = {
		{"", "<a><password>hunter2</password><b>x</b></a>",
		 "<a><password>[redacted 7]</password><b>x</b></a>"},
		{"",
		 "<?xml version=\"1.0\"?>\n<s:Body>\n <wsse:Password "
		 "Type=\"t\">abc</wsse:Password>\n</s:Body>",
		 "<?xml version=\"1.0\"?>\n<s:Body>\n <wsse:Password Type=\"t\">[redacted "
		 "3]</wsse:Password>\n</s:Body>"},
		{"", "<login user=\"joe\" password='a b'/>",
		 "<login user=\"joe\" password='[redacted 3]'/>"},
		{"", "<input type=hidden name=\"csrf_token\" value=\"abc\">",
		 "<input type=hidden name=\"csrf_token\" value=\"[redacted 3]\">"},
		{"", "<a href=\"/x?token=abc&y=1\">t</a>",
		 "<a href=\"/x?token=[redacted 3]&y=1\">t</a>"},
		{"", "<script>var c={\"apiKey\":\"abc\"}</script>",
		 "<script>var c={\"apiKey\":\"[redacted 3]\"}</script>"},
		{"", "<secret><![CDATA[abc]]></secret>",
		 "<secret><![CDATA[[redacted 3]]]></secret>"},
		{"", "<secret>abc", "<secret>[redacted 3]"},
		{"", "<html><p>plain</p></html>", NULL},
		{"", "<", NULL},
	};

	check_text(F_BODY, WEIR_REDACT_DEFAULT, rows, sizeof(rows) / sizeof(rows[0]));
}

/* Keys as their services show them in their documents, with other letters. */
static void keys_of_services_are_told_by_how_they_begin(void **state)
{
	static const struct row urls[] = {
		{"", "/x?key=AIzaSyA1234567890abcdefghijk&y=1", "/x?key=[redacted 28]&y=1"},
		{"", "/x?k=ghp_0123456789abcdefghijABCDEFGHIJ012345", "/x?k=[redacted 40]"},
		{"", "http://h/hook/ghp_0123456789abcdefghijABCDEFGHIJ012345/x?token=abc",
		 "http://h/hook/[redacted 40]/x?token=[redacted 3]"},
		{"", "/glpat-0123456789abcdefghij?a=1", "/[redacted 26]?a=1"},
		{"", "/x?page=sk_live_of_the_year", NULL},
		{"", "/x?q=AKIA&z=ghp_", NULL},
	};
	static const struct row bodies[] = {
		{"", "{\"x\":\"sk_live_0123456789abcdef0123\",\"y\":[\"AKIAIOSFODNN7EXAMPLE\"]}",
		 "{\"x\":\"[redacted 28]\",\"y\":[\"[redacted 20]\"]}"},
		{"", "a=1&k=xoxb-0123456789012-abcdefghij", "a=1&k=[redacted 29]"},
		{"", "{\"t\":\"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl\"}",
		 "{\"t\":\"[redacted 53]\"}"},
		{"", "{\"t\":\"eyJ\",\"s\":\"eyJustALongWordWithoutAnyDotsInItAtAll\"}", NULL},
	};
	static const struct row headers[] = {
		{"X-Thing", "github_pat_11ABCDEFG0123456789abcdef", "[redacted 36]"},
		{"X-Other", "plain value of no service at all", NULL},
	};

	check_text(F_URL, WEIR_REDACT_DEFAULT, urls, sizeof(urls) / sizeof(urls[0]));
	check_text(F_BODY, WEIR_REDACT_DEFAULT, bodies, sizeof(bodies) / sizeof(bodies[0]));
	check_headers(headers, sizeof(headers) / sizeof(headers[0]), SIZE_MAX);
}

static void evidence_is_masked_whatever_it_is(void **state)
{
	static const struct row rows[] = {
		{"", "AAAABBBB", NULL},
		{"", "2 HTTP/1.1\r\nAuthorization: Bearer abc\r\nX: y",
		 "2 HTTP/1.1\r\nAuthorization: Bearer [redacted 3]\r\nX: y"},
		{"", "x=1&token=abc HTTP/1.1\r\nCookie: a=b",
		 "x=1&token=[redacted 3] HTTP/1.1\r\nCookie: a=[redacted 1]"},
		{"", "1,\"password\":\"abc\"}", "1,\"password\":\"[redacted 3]\"}"},
	};

	check_text(F_EVIDENCE, WEIR_REDACT_DEFAULT, rows, sizeof(rows) / sizeof(rows[0]));
}

static void statements_lose_literals_when_strict(void **state)
{
	static const struct row rows[] = {
		{"", "SELECT a1, b_2 FROM t3", NULL},
		{"", "SELECT * FROM u WHERE name = 'O''Brien' AND age > 42 LIMIT 10",
		 "SELECT * FROM u WHERE name = ? AND age > ? LIMIT ?"},
		{"", "INSERT INTO t VALUES (1,-2.5e3,0xff,'a\\'b',\"c\")",
		 "INSERT INTO t VALUES (?,-?,?,?,?)"},
		{"", "SELECT $1, $tag$se'cret$tag$, $$x$$ FROM t", "SELECT $1, ?, ? FROM t"},
		{"", "SELECT 'no end", "SELECT ?"},
		{"", "", NULL},
	};

	check_text(F_STATEMENT, WEIR_REDACT_STRICT, rows, sizeof(rows) / sizeof(rows[0]));
}

static void statements_lose_passwords_by_default(void **state)
{
	static const struct row rows[] = {
		{"", "SELECT * FROM u WHERE name = 'x' AND age > 42", NULL},
		{"", "CREATE USER 'a'@'h' IDENTIFIED BY 'secret'",
		 "CREATE USER 'a'@'h' IDENTIFIED BY '[redacted 6]'"},
		{"", "create user a identified with caching_sha2_password by 'pw'",
		 "create user a identified with caching_sha2_password by '[redacted 2]'"},
		{"", "ALTER ROLE x WITH PASSWORD 'abc' VALID UNTIL 'infinity'",
		 "ALTER ROLE x WITH PASSWORD '[redacted 3]' VALID UNTIL 'infinity'"},
		{"", "SET PASSWORD = PASSWORD('abc')", "SET PASSWORD = PASSWORD('[redacted 3]')"},
		{"", "SELECT 1 ORDER BY 'x'", NULL},
		{"", "ALTER USER a PASSWORD 'unfin", "ALTER USER a PASSWORD '[redacted 5]"},
	};

	check_text(F_STATEMENT, WEIR_REDACT_DEFAULT, rows, sizeof(rows) / sizeof(rows[0]));
}

static void values_of_placeholders_are_masked_when_strict(void **state)
{
	struct fixture fx;

	setup(&fx);
	weir_record_add_str(fx.rec, F_PARAMETERS, "secret", 6);
	weir_record_add_str(fx.rec, F_PARAMETERS, "7", 1);
	redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
	assert_str(&fx.rec->values[F_PARAMETERS].v.strs[0], "secret");
	redact_record(fx.rec, WEIR_REDACT_STRICT, NULL);
	assert_int_equal(fx.rec->values[F_PARAMETERS].len, 2);
	assert_str(&fx.rec->values[F_PARAMETERS].v.strs[0], "?");
	assert_str(&fx.rec->values[F_PARAMETERS].v.strs[1], "?");
	teardown(&fx);
}

static void strict_drops_bodies_and_default_keeps_statements(void **state)
{
	struct fixture fx;

	setup(&fx);
	weir_record_set_str(fx.rec, F_BODY, "hello");
	weir_record_set_str(fx.rec, F_STATEMENT, "SELECT 1");
	redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
	assert_int_equal(fx.rec->values[F_STATEMENT].len, 8);
	assert_true(weir_record_has(fx.rec, F_BODY));
	redact_record(fx.rec, WEIR_REDACT_STRICT, NULL);
	assert_false(weir_record_has(fx.rec, F_BODY));
	assert_true(weir_record_has(fx.rec, F_STATEMENT));
	teardown(&fx);
}

/* The whole URL is looked at first, and what lies within it not again: with a secret and without, and what lies elsewhere. */
static void parts_of_a_url_are_masked_as_the_whole(void **state)
{
	static const struct {
		const char *full, *target; /* NULL: from the path on, in the same memory */
		const char *want_full, *want_target, *want_query;
	} rows[] = {
		{"http://h/a?x=1&token=abc", NULL, "http://h/a?x=1&token=[redacted 3]",
		 "/a?x=1&token=[redacted 3]", "x=1&token=[redacted 3]"},
		{"http://h/a?x=1&y=abc", NULL, "http://h/a?x=1&y=abc", "/a?x=1&y=abc", "x=1&y=abc"},
		{"http://h/a?x=1&y=abc", "/a?x=1&pin=1234", "http://h/a?x=1&y=abc",
		 "/a?x=1&pin=[redacted 4]", "x=1&y=abc"},
		{"http://u:p@h/?code=12", "/?y=1", "http://[redacted 3]@h/?code=[redacted 2]",
		 "/?y=1", "code=[redacted 2]"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const uint8_t *full = (const uint8_t *)rows[i].full;
		const uint8_t *path =
			(const uint8_t *)strchr(rows[i].full + strlen("http://"), '/');
		const uint8_t *target =
			rows[i].target == NULL ? path : (const uint8_t *)rows[i].target;
		const uint8_t *query = (const uint8_t *)strchr(rows[i].full, '?') + 1;
		struct fixture fx;
		struct weir_record *rec;
		const struct weir_value *v;

		setup(&fx);
		assert_int_equal(record_new(&fx.pool, &http_schema, &rec), 0);
		v = rec->values;
		record_set_own(rec, HTTP_F_URL_FULL, full, strlen((const char *)full));
		record_set_own(rec, HTTP_F_TARGET, target, strlen((const char *)target));
		record_set_own(rec, HTTP_F_URL_QUERY, query, strlen((const char *)query));
		redact_record(rec, WEIR_REDACT_DEFAULT, NULL);
		assert_str(&(struct weir_str){v[HTTP_F_URL_FULL].v.bytes, v[HTTP_F_URL_FULL].len},
			   rows[i].want_full);
		assert_str(&(struct weir_str){v[HTTP_F_TARGET].v.bytes, v[HTTP_F_TARGET].len},
			   rows[i].want_target);
		assert_str(&(struct weir_str){v[HTTP_F_URL_QUERY].v.bytes, v[HTTP_F_URL_QUERY].len},
			   rows[i].want_query);
		record_free(rec);
		teardown(&fx);
	}
}

/* A body's gaps are offsets in its content, which masks make longer or shorter. */
static void gaps_of_a_body_move_with_its_masks(void **state)
{
	static const uint64_t before[] = {2, 100, 16, 200, 21, 300, 24, 400};
	static const uint64_t after[] = {2, 100, 25, 200, 26, 300, 29, 400};
	struct fixture fx;
	struct weir_record *rec;
	size_t i;

	setup(&fx);
	assert_int_equal(record_new(&fx.pool, &http_schema, &rec), 0);
	weir_record_set_str(rec, HTTP_F_REQUEST_CONTENT, "a=1&password=hunter2&b=2");
	for (i = 0; i < 8; i++) {
		weir_record_add_u64(rec, HTTP_F_REQUEST_GAPS, before[i]);
	}
	redact_record(rec, WEIR_REDACT_DEFAULT, NULL);
	assert_int_equal(rec->values[HTTP_F_REQUEST_CONTENT].len, 29);
	assert_memory_equal(rec->values[HTTP_F_REQUEST_CONTENT].v.bytes,
			    "a=1&password=[redacted 7]&b=2", 29);
	assert_int_equal(rec->values[HTTP_F_REQUEST_GAPS].len, 8);
	for (i = 0; i < 8; i++) {
		assert_int_equal(rec->values[HTTP_F_REQUEST_GAPS].v.u64s[i], after[i]);
	}
	record_free(rec);
	teardown(&fx);
}

/* Fingerprints by Python: hmac.new(b'a key of 16 byte', secret, 'sha256').hexdigest()[:4] */
static void with_a_key_equal_secrets_have_equal_fingerprints(void **state)
{
	static const struct redact_key key = {(const uint8_t *)"a key of 16 byte", 16};
	const struct weir_header *header;
	struct fixture fx;
	int round;

	setup(&fx);
	weir_record_add_header(fx.rec, F_HEADERS, "Authorization", 13,
			       "Basic dXNlcjpwYXNzd29yZDEyMw==", 30, 100);
	weir_record_add_header(fx.rec, F_HEADERS, "X-Api-Key", 9, "hunter2", 7, 100);
	weir_record_add_header(fx.rec, F_HEADERS, "Cookie", 6, "a=hunter2; b=0123456789abcdef", 29,
			       100);
	weir_record_add_header(fx.rec, F_HEADERS, "Cookie", 6, "a=hunter2", 9, 5);
	weir_record_set_str(fx.rec, F_URL, "/?password=hunter2&x=1");
	weir_record_set_str(fx.rec, F_BODY, "{\"password\":\"hunter2\"}");
	for (round = 0; round < 2; round++) {
		redact_record(fx.rec, WEIR_REDACT_DEFAULT, &key);
		header = fx.rec->values[F_HEADERS].v.headers;
		assert_str(&header[0].value, "Basic [redacted 24 5ff9]");
		assert_str(&header[1].value, "[redacted 7 9034]");
		assert_str(&header[2].value, "a=[redacted 7 9034]; b=[redacted 16 96e5]");
		assert_str(&header[3].value, "a=[redacted 7]"); /* was cut: its end is not known */
		assert_str(&(struct weir_str){fx.rec->values[F_URL].v.bytes,
					      fx.rec->values[F_URL].len},
			   "/?password=[redacted 7 9034]&x=1");
		assert_str(&(struct weir_str){fx.rec->values[F_BODY].v.bytes,
					      fx.rec->values[F_BODY].len},
			   "{\"password\":\"[redacted 7 9034]\"}");
	}
	teardown(&fx);
}

/* printf 'password=hunter2&name=M\xfcller' | base64, and the same of password=[redacted 7]&name=M\xfcller */
static void a_body_in_base64_is_masked_within(void **state)
{
	struct fixture fx;
	const struct weir_value *value;
	struct weir_record *rec;

	setup(&fx);
	assert_int_equal(record_new(&fx.pool, &http_schema, &rec), 0);
	weir_record_set_str(rec, HTTP_F_REQUEST_CONTENT,
			    "cGFzc3dvcmQ9aHVudGVyMiZuYW1lPU38bGxlcg==");
	weir_record_set_str(rec, HTTP_F_REQUEST_CONTENT_ENCODING, "base64");
	weir_record_set_str(rec, HTTP_F_RESPONSE_CONTENT, "AAECAw==");
	weir_record_set_str(rec, HTTP_F_RESPONSE_CONTENT_ENCODING, "base64");
	redact_record(rec, WEIR_REDACT_DEFAULT, NULL);
	value = &rec->values[HTTP_F_REQUEST_CONTENT];
	assert_str(&(struct weir_str){value->v.bytes, value->len},
		   "cGFzc3dvcmQ9W3JlZGFjdGVkIDddJm5hbWU9TfxsbGVy");
	value = &rec->values[HTTP_F_RESPONSE_CONTENT];
	assert_str(&(struct weir_str){value->v.bytes, value->len}, "AAECAw==");
	record_free(rec);
	teardown(&fx);
}

static void a_cut_text_stays_cut(void **state)
{
	struct fixture fx;

	setup(&fx);
	weir_record_set_bytes(fx.rec, F_URL, "/a?token=0123456789", 19, 12);
	redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
	assert_str(&(struct weir_str){fx.rec->values[F_URL].v.bytes, fx.rec->values[F_URL].len},
		   "/a?token=[redacted 10]");
	assert_true(fx.rec->values[F_URL].full_len > fx.rec->values[F_URL].len);
	teardown(&fx);
}

/* Mask the first len bytes of a text in memory of exactly that size: what is read beyond it is seen by ASan. */
static void mask_prefix(const char *text, size_t len, size_t field, bool hidden)
{
	char *exact = malloc(len > 0 ? len : 1);
	struct weir_value *value;
	struct fixture fx;

	setup(&fx);
	memcpy(exact, text, len);
	weir_record_set_static(fx.rec, field, "");
	value = &fx.rec->values[field];
	value->v.bytes = (const uint8_t *)exact;
	value->len = (uint32_t)len;
	value->full_len = (uint32_t)len;
	redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
	if (hidden) {
		assert_null(memmem(value->v.bytes, value->len, "HIDE", 4));
	}
	redact_record(fx.rec, WEIR_REDACT_STRICT, NULL);
	free(exact);
	teardown(&fx);
}

static void any_beginning_of_a_text_is_safe(void **state)
{
	static const struct {
		const char *text;
		size_t field; /* whose masker knows its form */
	} rows[] = {
		{"{\"a\":{\"token\":{\"x\":[\"HIDE\\u0041\",1]}},\"password\":\"HIDE\\\\\"}",
		 F_BODY},
		{"a=1&password=HIDE&x=%2&%=1&token=HIDE%3Dx", F_BODY},
		{"--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nHIDE\nHIDE\r\n--b--",
		 F_BODY},
		{"Cookie: a=HIDE; b\r\nSet-Cookie: c=HIDE; Path=/\r\nX-Token: HIDE\r\n", F_BODY},
		{"https://HIDE:HIDE@h/?token=HIDE&to=%3Fcode%3DHIDE", 0},
		{"INSERT 'a''b\\'c', \"d\", $x$ y $x$, 0x1f, -1.5e3", 0},
	};
	size_t i, len, field;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (len = 0; len <= strlen(rows[i].text); len++) {
			for (field = F_URL; field <= F_STATEMENT; field++) {
				mask_prefix(rows[i].text, len, field, field == rows[i].field);
			}
		}
	}
}

/* Every field of a transaction that a secret of the URL or a header gets into is masked: nothing of it is left anywhere. */
static void no_field_of_a_transaction_keeps_the_secret(void **state)
{
	static const char *const urls[] = {
		"http.request.target", "url.full",   "url.path",
		"url.query",           "http.route", "http.request.referrer"};
	static const char *const headers[] = {"http.request.header", "http.request.trailer",
					      "http.response.header", "http.response.trailer"};
	static const char url[] = "http://HIDE:HIDE@h/a;jsessionid=HIDE?token=HIDE";
	struct fixture fx;
	size_t i;

	setup(&fx);
	record_free(fx.rec);
	assert_int_equal(record_new(&fx.pool, &http_schema, &fx.rec), 0);
	for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
		int at = weir_schema_find(&http_schema, urls[i], strlen(urls[i]));

		assert_true(at >= 0);
		weir_record_set_str(fx.rec, (size_t)at, url);
		redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
		assert_null(memmem(fx.rec->values[at].v.bytes, fx.rec->values[at].len, "HIDE", 4));
	}
	for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		int at = weir_schema_find(&http_schema, headers[i], strlen(headers[i]));
		const struct weir_header *header;

		assert_true(at >= 0);
		weir_record_add_header(fx.rec, (size_t)at, "Set-Cookie", 10, "a=HIDE", 6, 100);
		redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
		header = fx.rec->values[at].v.headers;
		assert_null(memmem(header->value.p, header->value.len, "HIDE", 4));
	}
	teardown(&fx);
}

/* A field that is part of another is looked at only once, but not when it begins in the middle of a name. */
static void parts_of_a_url_are_masked_as_it_is(void **state)
{
	static const char *const rows[][3] = {
		/* the whole, what the part begins behind, the part masked */
		{"http://a/b?xpin=12345", "http://a/b?x", "pin=[redacted 5]"},
		{"http://a/b?xpin=12345", "http://a/b?", "xpin=12345"},
		{"http://a/b?pin=12345", "http://a/b?", "pin=[redacted 5]"},
		{"http://a/b?c=d&e=f", "http://a", "/b?c=d&e=f"},
		{"http://a/x-ghp_0123456789abcdefghij/", "http://a/x-",
		 "ghp_0123456789abcdefghij/"},
		{"http://a/ghp_0123456789abcdefghij", "http://a", "/[redacted 24]"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t len = strlen(rows[i][0]), before = strlen(rows[i][1]);
		struct fixture fx;
		struct weir_record *rec;
		const uint8_t *text;

		setup(&fx);
		assert_int_equal(record_new(&fx.pool, &http_schema, &rec), 0);
		text = arena_dup(rec->arena, rows[i][0], len);
		record_set_own(rec, HTTP_F_URL_FULL, text, len);
		record_set_own(rec, HTTP_F_URL_PATH, text + before, len - before);
		redact_record(rec, WEIR_REDACT_DEFAULT, NULL);
		assert_int_equal(rec->values[HTTP_F_URL_PATH].len, strlen(rows[i][2]));
		assert_memory_equal(rec->values[HTTP_F_URL_PATH].v.bytes, rows[i][2],
				    strlen(rows[i][2]));
		record_free(rec);
		teardown(&fx);
	}
}

/* Masks that do not fit where the first run writes to are as those that do. */
static void long_values_are_masked_whole(void **state)
{
	struct fixture fx;
	char cookie[4096], want[8192];
	size_t n = 0, m = 0;
	int i;

	for (i = 0; i < 60; i++) {
		n += (size_t)snprintf(cookie + n, sizeof(cookie) - n, "%sc%d=%040d", i ? "; " : "",
				      i, i);
		m += (size_t)snprintf(want + m, sizeof(want) - m, "%sc%d=[redacted 40]",
				      i ? "; " : "", i);
	}
	setup(&fx);
	weir_record_add_header(fx.rec, F_HEADERS, "Cookie", 6, cookie, n, SIZE_MAX);
	redact_record(fx.rec, WEIR_REDACT_DEFAULT, NULL);
	assert_str(&fx.rec->values[F_HEADERS].v.headers[0].value, want);
	assert_int_equal(fx.rec->values[F_HEADERS].v.headers[0].value.len, m);
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
		cmocka_unit_test(urls_lose_userinfo_and_secret_keys),
		cmocka_unit_test(bodies_lose_secrets_of_forms_json_and_parts),
		cmocka_unit_test(markup_loses_secrets_of_elements_and_attributes),
		cmocka_unit_test(keys_of_services_are_told_by_how_they_begin),
		cmocka_unit_test(evidence_is_masked_whatever_it_is),
		cmocka_unit_test(statements_lose_literals_when_strict),
		cmocka_unit_test(statements_lose_passwords_by_default),
		cmocka_unit_test(values_of_placeholders_are_masked_when_strict),
		cmocka_unit_test(strict_drops_bodies_and_default_keeps_statements),
		cmocka_unit_test(parts_of_a_url_are_masked_as_the_whole),
		cmocka_unit_test(gaps_of_a_body_move_with_its_masks),
		cmocka_unit_test(with_a_key_equal_secrets_have_equal_fingerprints),
		cmocka_unit_test(a_body_in_base64_is_masked_within),
		cmocka_unit_test(a_cut_text_stays_cut),
		cmocka_unit_test(any_beginning_of_a_text_is_safe),
		cmocka_unit_test(no_field_of_a_transaction_keeps_the_secret),
		cmocka_unit_test(parts_of_a_url_are_masked_as_it_is),
		cmocka_unit_test(long_values_are_masked_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
