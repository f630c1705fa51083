/* SPDX-License-Identifier: Apache-2.0 */
/* Content-Type and character sets: see type.h. */
#include "body/type.h"

#include <string.h>
#include <strings.h>

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static size_t skip_spaces(struct weir_str text, size_t at)
{
	while (at < text.len && is_space(text.p[at])) {
		at++;
	}
	return at;
}

bool body_type_is(struct weir_str value, const char *type)
{
	size_t len = strlen(type);
	size_t at = skip_spaces(value, 0);

	if (value.len - at < len || strncasecmp((const char *)value.p + at, type, len) != 0) {
		return false;
	}
	at += len;
	return type[len - 1] == '/' || at == value.len || value.p[at] == ';' ||
	       is_space(value.p[at]);
}

/* A quoted string whose opening quote is at `at`. Browsers write file names with backslashes that quote nothing. */
static size_t unquote(struct weir_str value, size_t at, uint8_t *buffer, struct weir_str *ret)
{
	size_t n = 0;

	for (at++; at < value.len && value.p[at] != '"'; at++) {
		if (value.p[at] == '\\' && at + 1 < value.len &&
		    (value.p[at + 1] == '"' || value.p[at + 1] == '\\')) {
			at++;
		}
		buffer[n++] = value.p[at];
	}
	*ret = (struct weir_str){buffer, (uint32_t)n};
	return at < value.len ? at + 1 : at;
}

bool body_parameter(struct weir_str value, const char *name, uint8_t *buffer, struct weir_str *ret)
{
	const uint8_t *semicolon = memchr(value.p, ';', value.len);
	size_t at = semicolon == NULL ? value.len : (size_t)(semicolon - value.p) + 1;

	while (at < value.len) {
		size_t start = skip_spaces(value, at);
		size_t len;

		for (at = start; at < value.len && value.p[at] != '=' && value.p[at] != ';'; at++) {
		}
		len = at - start;
		while (len > 0 && is_space(value.p[start + len - 1])) {
			len--;
		}
		*ret = (struct weir_str){value.p + at, 0};
		if (at < value.len && value.p[at] == '=') {
			at = skip_spaces(value, at + 1);
			if (at < value.len && value.p[at] == '"') {
				at = unquote(value, at, buffer, ret);
			} else {
				ret->p = value.p + at;
				while (at < value.len && value.p[at] != ';' &&
				       !is_space(value.p[at])) {
					at++;
				}
				ret->len = (uint32_t)(value.p + at - ret->p);
			}
		}
		if (strlen(name) == len &&
		    strncasecmp((const char *)value.p + start, name, len) == 0) {
			return true;
		}
		while (at < value.len && value.p[at] != ';') {
			at++;
		}
		at += at < value.len;
	}
	return false;
}

/* ---- character sets ---- */

/* Names of character sets: RFC 2978 §2.3, letters, digits and some signs. */
static bool take_charset(const uint8_t *p, size_t len, char *ret)
{
	size_t n = 0;

	while (n < len && n < BODY_CHARSET_MAX &&
	       ((p[n] >= '0' && p[n] <= '9') || ((p[n] | 0x20) >= 'a' && (p[n] | 0x20) <= 'z') ||
		(n > 0 && memchr("-_.:+", p[n], 5) != NULL))) {
		ret[n] = (char)(p[n] >= 'A' && p[n] <= 'Z' ? p[n] | 0x20 : p[n]);
		n++;
	}
	ret[n] = '\0';
	return n > 0;
}

static const char *byte_order_mark(const uint8_t *p, size_t len)
{
	if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		return "utf-8";
	}
	if (len >= 2 && memcmp(p, "\xfe\xff", 2) == 0) {
		return "utf-16be";
	}
	if (len >= 2 && memcmp(p, "\xff\xfe", 2) == 0) {
		return "utf-16le";
	}
	return NULL;
}

/* Behind `word` and an equals sign, quoted or not, in [p, p + len). */
static bool said_by(const uint8_t *p, size_t len, const char *word, char *ret)
{
	size_t n = strlen(word);
	size_t i, at;

	for (i = 0; i + n < len; i++) {
		if (strncasecmp((const char *)p + i, word, n) != 0) {
			continue;
		}
		for (at = i + n; at < len && (is_space(p[at]) || p[at] == '='); at++) {
		}
		if (at == i + n) {
			continue;
		}
		at += at < len && (p[at] == '"' || p[at] == '\'');
		return take_charset(p + at, len - at, ret);
	}
	return false;
}

/* <meta charset=...>, or http-equiv with it in its content */
static bool said_by_html(const uint8_t *p, size_t len, char *ret)
{
	const uint8_t *end = p + len;

	while ((p = memchr(p, '<', (size_t)(end - p))) != NULL) {
		const uint8_t *stop = memchr(p, '>', (size_t)(end - p));

		if (end - p > 5 && strncasecmp((const char *)p, "<meta", 5) == 0 &&
		    said_by(p, (size_t)((stop == NULL ? end : stop) - p), "charset", ret)) {
			return true;
		}
		p++;
	}
	return false;
}

bool body_charset(struct weir_str declared, const uint8_t *p, size_t len, char *ret)
{
	const char *mark = byte_order_mark(p, len);
	uint8_t buffer[256];
	struct weir_str got;

	if (mark != NULL) {
		(void)strcpy(ret, mark);
		return true;
	}
	if (declared.p != NULL && declared.len <= sizeof(buffer) &&
	    body_parameter(declared, "charset", buffer, &got) &&
	    take_charset(got.p, got.len, ret)) {
		return true;
	}
	if (len > 5 && memcmp(p, "<?xml", 5) == 0) {
		const uint8_t *stop = memchr(p, '>', len);

		return said_by(p, stop == NULL ? len : (size_t)(stop - p), "encoding", ret);
	}
	if (declared.p != NULL && !body_type_is(declared, "text/html")) {
		return false;
	}
	return said_by_html(p, len, ret);
}
