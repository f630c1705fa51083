/* SPDX-License-Identifier: Apache-2.0 */
/* Cookies and query strings for HAR: see har_text.h. The text is captured: each part is bounded by what the record keeps. */
#include "sink/har_text.h"

#include <string.h>
#include <strings.h>
#include <time.h>

enum { PARTS_MAX = 1024 }; /* of one query, one header */

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void put_decoded(struct json_build *build, const uint8_t *p, size_t len)
{
	struct strbuf text;
	size_t i;

	strbuf_init(&text);
	for (i = 0; i < len; i++) {
		int high = i + 2 < len && p[i] == '%' ? hex_digit(p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(p[i + 2]) : -1;

		if (low >= 0) {
			strbuf_char(&text, (char)(high << 4 | low));
			i += 2;
		} else {
			strbuf_char(&text, p[i] == '+' ? ' ' : (char)p[i]);
		}
	}
	json_build_str(build, text.p == NULL ? "" : text.p, text.len);
	strbuf_fini(&text);
}

/* Length up to a byte, or all. */
static size_t until(const uint8_t *p, size_t len, uint8_t c)
{
	const uint8_t *at = len == 0 ? NULL : memchr(p, c, len);

	return at == NULL ? len : (size_t)(at - p);
}

void har_put_query(struct json_build *build, const uint8_t *p, size_t len)
{
	unsigned parts = 0;

	while (len > 0 && parts < PARTS_MAX) {
		size_t n = until(p, len, '&');
		size_t name = until(p, n, '=');

		if (n > 0) {
			json_build_open(build, '{');
			json_build_key(build, "name");
			put_decoded(build, p, name);
			json_build_key(build, "value");
			put_decoded(build, p + name + (name < n), n - name - (name < n));
			json_build_close(build, '}');
			parts++;
		}
		n += n < len;
		p += n;
		len -= n;
	}
}

/* ---- cookies ---- */

static struct weir_str trimmed(const uint8_t *p, size_t len)
{
	while (len > 0 && (p[0] == ' ' || p[0] == '\t')) {
		p++;
		len--;
	}
	while (len > 0 && (p[len - 1] == ' ' || p[len - 1] == '\t')) {
		len--;
	}
	return (struct weir_str){p, (uint32_t)len};
}

/* The next part before a semicolon, as name and value. false: no more */
static bool next_part(const uint8_t **p, size_t *len, struct weir_str *ret_name,
		      struct weir_str *ret_value)
{
	size_t n, name;

	if (*len == 0) {
		return false;
	}
	n = until(*p, *len, ';');
	name = until(*p, n, '=');
	*ret_name = trimmed(*p, name);
	*ret_value = trimmed(*p + name + (name < n), n - name - (name < n));
	n += n < *len;
	*p += n;
	*len -= n;
	return true;
}

static void put_pair(struct json_build *build, const struct weir_str *name,
		     const struct weir_str *value)
{
	json_build_key(build, "name");
	json_build_str(build, name->p, name->len);
	json_build_key(build, "value");
	json_build_str(build, value->p, value->len);
}

void har_put_cookies(struct json_build *build, const struct weir_str *value)
{
	const uint8_t *p = value->p;
	size_t len = value->len;
	struct weir_str name, text;
	unsigned parts = 0;

	while (parts < PARTS_MAX && next_part(&p, &len, &name, &text)) {
		if (name.len + text.len > 0) {
			json_build_open(build, '{');
			put_pair(build, &name, &text);
			json_build_close(build, '}');
			parts++;
		}
	}
}

static bool is(const struct weir_str *text, const char *word)
{
	return text->len == strlen(word) &&
	       strncasecmp((const char *)text->p, word, text->len) == 0;
}

/* "Sun, 22 Nov 2026 17:51:21 GMT", dashes in the date allowed, as HAR's ISO 8601. false: it is not of that form */
static bool put_expires(struct json_build *build, const struct weir_str *value)
{
	static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S", "%a, %d-%b-%Y %H:%M:%S"};
	char text[48], iso[48];
	const char *end = NULL;
	struct tm when;
	size_t i;

	if (value->len >= sizeof(text)) {
		return false;
	}
	memcpy(text, value->p, value->len);
	text[value->len] = '\0';
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]) && end == NULL; i++) {
		memset(&when, 0, sizeof(when));
		end = strptime(text, forms[i], &when);
	}
	if (end == NULL || strcmp(end, " GMT") != 0 || when.tm_year < 0) {
		return false;
	}
	(void)strftime(iso, sizeof(iso), "%Y-%m-%dT%H:%M:%S.000Z", &when);
	json_build_key(build, "expires");
	json_build_text(build, iso);
	return true;
}

void har_put_set_cookie(struct json_build *build, const struct weir_str *value)
{
	const uint8_t *p = value->p;
	size_t len = value->len;
	struct weir_str name, text;
	const struct weir_str none = {(const uint8_t *)"", 0};
	bool path = false, domain = false, expires = false, http_only = false, secure = false;

	json_build_open(build, '{');
	if (next_part(&p, &len, &name, &text)) {
		put_pair(build, &name, &text);
	} else {
		put_pair(build, &none, &none);
	}
	while (next_part(&p, &len, &name, &text)) {
		if (is(&name, "path") && !path) {
			path = true;
			json_build_key(build, "path");
			json_build_str(build, text.p, text.len);
		} else if (is(&name, "domain") && !domain) {
			domain = true;
			json_build_key(build, "domain");
			json_build_str(build, text.p, text.len);
		} else if (is(&name, "expires") && !expires) {
			expires = put_expires(build, &text);
		}
		http_only = http_only || is(&name, "httponly");
		secure = secure || is(&name, "secure");
	}
	json_build_key(build, "httpOnly");
	json_build_bool(build, http_only);
	json_build_key(build, "secure");
	json_build_bool(build, secure);
	json_build_close(build, '}');
}
