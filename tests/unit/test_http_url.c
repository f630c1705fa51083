/* SPDX-License-Identifier: Apache-2.0 */
/* http/url: targets and Host to normalised URLs (RFC 3986 §6.2.2, RFC 9112 §3.2); http/lists. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/lists.h"
#include "http/route.h"
#include "http/url.h"

static struct weir_str str(const char *text)
{
	struct weir_str s = {(const uint8_t *)text, text == NULL ? 0 : (uint32_t)strlen(text)};

	return s;
}

static void is(struct weir_str got, const char *want)
{
	if (want == NULL) {
		assert_true(got.p == NULL || got.len == 0);
		return;
	}
	assert_non_null(got.p);
	assert_int_equal(got.len, strlen(want));
	assert_memory_equal(got.p, want, got.len);
}

/* Exactly the room that was promised, so that one byte more is caught. */
static uint8_t *make(bool connect, const char *target, const char *host, struct http_url *url)
{
	uint8_t *buffer = malloc(http_url_room(strlen(target), host == NULL ? 0 : strlen(host)));

	http_url_make(connect, str(target), str(host), "http", buffer, url);
	return buffer;
}

static void urls_are_normalised(void **state)
{
	static const struct {
		const char *target, *host, *full, *path, *query;
		uint16_t port;
		unsigned flags;
	} rows[] = {
		{"/", "a", "http://a/", "/", NULL, 0, 0},
		{"/a/%2e%2E/b//c/./%7Eu?q=%41", "A", "http://a/b//c/~u?q=%41", "/b//c/~u", "q=%41",
		 0, 0},
		/* RFC 3986 §6.2.2: eXAMPLE://a/./b/../b/%63/%7bfoo%7d is example://a/b/c/%7Bfoo%7D */
		{"eXAMPLE://a/./b/../b/%63/%7bfoo%7d", NULL, "example://a/b/c/%7Bfoo%7D",
		 "/b/c/%7Bfoo%7D", NULL, 0, 0},
		{"http://b:81/x?y#z", "a", "http://b:81/x?y", "/x", "y", 81,
		 HTTP_URL_HOST_MISMATCH},
		{"http://B:80/", "b", "http://b/", "/", NULL, 0, 0},
		{"https://b:443", "b:443", "https://b/", "/", NULL, 0, 0},
		{"http://u:p@b/", "b", "http://b/", "/", NULL, 0, 0},
		{"/x", "[2001:DB8::1]:8080", "http://[2001:db8::1]:8080/x", "/x", NULL, 8080, 0},
		{"/%zz%4", "a", "http://a/%zz%4", "/%zz%4", NULL, 0, HTTP_URL_PCT_INVALID},
		{"/a?%", "a", "http://a/a?%", "/a", "%", 0, HTTP_URL_PCT_INVALID},
		{"/a b\x01\x7f", "a", "http://a/a%20b%01%7F", "/a%20b%01%7F", NULL, 0, 0},
		{"/caf\xc3\xa9", "a", "http://a/caf\xc3\xa9", "/caf\xc3\xa9", NULL, 0, 0},
		{"/../../x/..", "a", "http://a/", "/", NULL, 0, 0},
		{"/x/y/..", "a", "http://a/x/", "/x/", NULL, 0, 0},
		{"/x/.", "a", "http://a/x/", "/x/", NULL, 0, 0},
		{"/...", "a", "http://a/...", "/...", NULL, 0, 0},
		{"?q", "a", "http://a/?q", "/", "q", 0, 0},
		{"x/../y", "a", "http://a/y", "/y", NULL, 0, 0},
		{"*", "a", "http://a", NULL, NULL, 0, HTTP_URL_ASTERISK},
		{"/p", NULL, NULL, "/p", NULL, 0, 0},
		{"/p", "", NULL, "/p", NULL, 0, 0},
		{"/p", "a:x", "http://a:x/p", "/p", NULL, 0, 0},
		{"/p", "a:99999", "http://a:99999/p", "/p", NULL, 0, 0},
		{"/%00", "a", "http://a/%00", "/%00", NULL, 0, 0},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_url url;
		uint8_t *buffer = make(false, rows[i].target, rows[i].host, &url);

		is(url.full, rows[i].full);
		is(url.path, rows[i].path);
		is(url.query, rows[i].query);
		assert_int_equal(url.port, rows[i].port);
		assert_int_equal(url.flags, rows[i].flags);
		free(buffer);
	}
}

static void a_target_that_stays_is_told(void **state)
{
	static const struct {
		const char *target;
		bool as_is;
	} rows[] = {
		{"/", true},       {"/a?b=c/../d", false}, {"/a?b=c", true},   {"/a/../b", false},
		{"/a%20b", false}, {"http://a/b", false},  {"/a?b#c", false},  {"*", false},
		{"x", false},      {"?q", false},          {"/A.b/c?d", true},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct http_url url;
		uint8_t *buffer = make(false, rows[i].target, "a", &url);

		assert_int_equal(url.as_is, rows[i].as_is);
		if (rows[i].as_is) {
			assert_memory_equal(url.path.p, rows[i].target, strlen(rows[i].target));
		}
		free(buffer);
	}
}

static void connect_names_host_and_port_only(void **state)
{
	struct http_url url;
	uint8_t *buffer = make(true, "H.example:443", "h.example:443", &url);

	is(url.host, "h.example");
	assert_int_equal(url.port, 443);
	is(url.full, NULL);
	is(url.path, NULL);
	assert_int_equal(url.flags, HTTP_URL_AUTHORITY);
	free(buffer);
}

static void ipv6_hosts_lose_their_brackets_in_the_host_only(void **state)
{
	struct http_url url;
	uint8_t *buffer = make(false, "/", "[::1]", &url);

	is(url.host, "::1");
	is(url.full, "http://[::1]/");
	free(buffer);
}

static void lists_split_at_commas_outside_quotes(void **state)
{
	struct weir_str list = str(" gzip , ,br;q=\"1,5\",\t\"a\\\",b\" ");
	struct weir_str item;

	assert_true(http_list_next(&list, &item));
	is(item, "gzip");
	assert_true(http_list_next(&list, &item));
	is(item, "br;q=\"1,5\"");
	is(http_list_token(item), "br");
	assert_true(http_list_next(&list, &item));
	is(item, "\"a\\\",b\"");
	assert_false(http_list_next(&list, &item));
	assert_true(http_list_has(str("keep-alive, Upgrade"), "upgrade"));
	assert_false(http_list_has(str("upgraded"), "upgrade"));
}

static void routes_replace_what_names_one_thing(void **state)
{
	static const struct {
		const char *path, *route;
	} rows[] = {
		{"/", "/"},
		{"/api/v1/items/4711", "/api/v1/items/{id}"},
		{"/api/v1/items/4711/", "/api/v1/items/{id}/"},
		{"/users/6f9619ff-8b86-d011-b42d-00cf4fc964ff/edit", "/users/{uuid}/edit"},
		{"/blob/d41d8cd98f00b204e9800998ecf8427e.js", "/blob/{hex}.js"},
		{"/img/123.png", "/img/{id}.png"},
		{"/item-12", "/item-{id}"},
		{"/utf-8", "/utf-{id}"},
		{"/page2", "/page2"},
		{"/v2.1/x", "/v2.1/x"},
		{"/deadbeefdeadbeef", "/deadbeefdeadbeef"},
		{"/a/b@example.com", "/a/{email}"},
		{"/@user", "/@user"},
		{"/s/eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9", "/s/{token}"},
		{"/a-quite-long-article-title-here", "/a-quite-long-article-title-here"},
		{"//x//1", "//x//{id}"},
		{"/1/2/3/4/5/6/7/8/9/10/11/12/13/14/15/16/17/18",
		 "/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/{id}/"
		 "{rest}"},
		{"/abc123", "/abc123"},
		{"/a1_2", "/a1_{id}"},
		{"/ab:1/x", "/ab:{id}/x"},
		{"/a1.b2", "/a1.b2"},
		{"/12.gz/v1/3", "/{id}.gz/v1/{id}"},
		{"/deadbeef1234567", "/deadbeef1234567"},
		{"/deadbeef12345678", "/{hex}"},
		{"/x1@example.com", "/{email}"},
		{"", ""},
	};
	static char longpath[600];
	uint8_t buffer[HTTP_ROUTE_MAX];
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t n = http_route(str(rows[i].path), buffer);

		assert_int_equal(n, strlen(rows[i].route));
		assert_memory_equal(buffer, rows[i].route, n);
	}
	memset(longpath, 'x', sizeof(longpath) - 1);
	longpath[0] = '/';
	assert_int_equal(http_route(str(longpath), buffer), 0);
}

static void a_rule_for_routes_comes_before_the_guess(void **state)
{
	static const char *const rules[] = {
		"/users/{user}",        "/users/{user}/orders/{order}", "/img/{name}.png",
		"api.example.com/v1/*", "*.example.org/{page}",         "/exact",
	};
	static const struct {
		const char *host, *path, *route; /* NULL: no rule fits */
	} rows[] = {
		{"h", "/users/joe", "/users/{user}"},
		{"h", "/users/", NULL},
		{"h", "/users", NULL},
		{"h", "/users/joe/", NULL},
		{"h", "/users/joe/orders/7", "/users/{user}/orders/{order}"},
		{"h", "/users/joe/orders/7/x", NULL},
		{"h", "/img/a.b.png", "/img/{name}.png"},
		{"h", "/img/.png", NULL},
		{"api.example.com", "/v1/a/b/c", "/v1/*"},
		{"api.example.com", "/v1/", "/v1/*"},
		{"api.example.com", "/v1", "/v1/*"},
		{"api.example.com", "/v2", NULL},
		{"xapi.example.com", "/v1/a", NULL},
		{"www.example.org", "/start", "/{page}"},
		{"example.org", "/start", NULL},
		{"h", "/exact", "/exact"},
		{"h", "/exactly", NULL},
		{"h", "", NULL},
	};
	size_t i, len;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *route = http_route_rule(rules, sizeof(rules) / sizeof(rules[0]),
						    str(rows[i].host), str(rows[i].path), &len);

		if (rows[i].route == NULL) {
			assert_null(route);
			continue;
		}
		assert_non_null(route);
		assert_int_equal(len, strlen(rows[i].route));
		assert_memory_equal(route, rows[i].route, len);
	}
	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		assert_null(http_route_check(rules[i]));
	}
}

static void what_is_no_rule_for_routes_is_told(void **state)
{
	static const char *const bad[] = {"",        "users", "/a b",    "/a?b=1",
					  "/{}",     "/{a",   "/a}b{c",  "/{a}{b}",
					  "/*/more", "/a*",   "{h}/path"};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_non_null(http_route_check(bad[i]));
	}
}

/* Every byte at every place, in memory of its own: what the letter of url.h says is plain, whichever way of looking. */
static void every_way_of_looking_finds_the_same_targets_plain(void **state)
{
	uint8_t text[50];
	size_t len, at, i;
	int c;

	for (len = 1; len <= sizeof(text); len++) {
		uint8_t *p = malloc(len);

		for (at = 0; at < len; at++) {
			for (c = 0; c < 256; c++) {
				bool plain = c > ' ' && c != 0x7f && c != '%' && c != '#';

				for (i = 0; i < len; i++) {
					p[i] = i % 5 == 0 ? '/' : i % 5 == 3 ? '.' : 'a';
				}
				p[at] = (uint8_t)c;
				for (i = 1; i < len; i++) {
					plain = plain && !(p[i] == '.' && p[i - 1] == '/');
				}
				assert_int_equal(
					http_url_is_plain_with(HTTP_URL_LOOK_BYTES, p, len), plain);
				assert_int_equal(http_url_is_plain_with(HTTP_URL_LOOK_SSE2, p, len),
						 plain);
			}
		}
		free(p);
	}
}

/* Segments of more bytes than are counted at a time. */
static void long_segments_are_looked_at_whole(void **state)
{
	static const struct {
		size_t digits, letters;
		const char *want; /* NULL: itself */
	} rows[] = {
		{100, 0, "/{id}/x"}, {300, 0, "/{id}/x"},    {35, 0, "/{id}/x"},
		{36, 0, "/{id}/x"},  {2, 100, "/{token}/x"}, {1, 12, NULL},
		{0, 30, NULL},       {2, 17, NULL},          {2, 18, "/{token}/x"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t buffer[HTTP_ROUTE_MAX];
		char path[512], want[512];
		size_t n;

		path[0] = '/';
		memset(path + 1, '7', rows[i].digits);
		memset(path + 1 + rows[i].digits, 'z', rows[i].letters);
		memcpy(path + 1 + rows[i].digits + rows[i].letters, "/x", 3);
		(void)strcpy(want, rows[i].want == NULL ? path : rows[i].want);
		n = http_route(str(path), buffer);
		assert_int_equal(n, strlen(want));
		assert_memory_equal(buffer, want, n);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(urls_are_normalised),
		cmocka_unit_test(a_target_that_stays_is_told),
		cmocka_unit_test(connect_names_host_and_port_only),
		cmocka_unit_test(ipv6_hosts_lose_their_brackets_in_the_host_only),
		cmocka_unit_test(routes_replace_what_names_one_thing),
		cmocka_unit_test(every_way_of_looking_finds_the_same_targets_plain),
		cmocka_unit_test(long_segments_are_looked_at_whole),
		cmocka_unit_test(a_rule_for_routes_comes_before_the_guess),
		cmocka_unit_test(what_is_no_rule_for_routes_is_told),
		cmocka_unit_test(lists_split_at_commas_outside_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
