/* SPDX-License-Identifier: Apache-2.0 */
/* Names of bodies: see files_name.h. All of it was captured. */
#include "sink/files_name.h"

#include "sink/utf8.h"

#include <string.h>
#include <strings.h>

enum { RAW_MAX = 4096 }; /* bytes of a value that are looked at */

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-encoding undone; Latin-1 to UTF-8 when it is that. */
static void put_decoded(struct strbuf *out, const uint8_t *p, size_t len, bool latin1)
{
	size_t i;

	for (i = 0; i < len && i < RAW_MAX; i++) {
		int high = i + 2 < len && p[i] == '%' ? hex_digit(p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(p[i + 2]) : -1;
		uint8_t c = p[i];

		if (low >= 0) {
			c = (uint8_t)(high << 4 | low);
			i += 2;
		}
		if (latin1 && c >= 0x80) {
			strbuf_char(out, (char)(0xc0 | c >> 6));
			c = 0x80 | (c & 0x3f);
		}
		strbuf_char(out, (char)c);
	}
}

/* ---- Content-Disposition ---- */

static bool is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

/* A parameter: its value without quotes, up to the next semicolon. The place behind it. */
static size_t take_value(const uint8_t *p, size_t len, size_t at, struct strbuf *value)
{
	strbuf_clear(value);
	if (at < len && p[at] == '"') {
		for (at++; at < len && p[at] != '"'; at++) {
			if (p[at] == '\\' && at + 1 < len) {
				at++; /* RFC 9110 §5.6.4 */
			}
			strbuf_char(value, (char)p[at]);
		}
		while (at < len && p[at] != ';') {
			at++;
		}
		return at;
	}
	while (at < len && p[at] != ';') {
		strbuf_char(value, (char)p[at++]);
	}
	while (value->len > 0 && is_blank((uint8_t)value->p[value->len - 1])) {
		value->len--;
	}
	return at;
}

/* RFC 8187: charset'language'percent-encoded */
static bool put_extended(struct strbuf *out, const struct strbuf *value)
{
	const char *first = value->len == 0 ? NULL : memchr(value->p, '\'', value->len);
	const char *second = first == NULL ? NULL
					   : memchr(first + 1, '\'',
						    value->len - (size_t)(first + 1 - value->p));
	bool latin1;

	if (second == NULL) {
		return false;
	}
	latin1 = first - value->p == 10 && strncasecmp(value->p, "iso-8859-1", 10) == 0;
	put_decoded(out, (const uint8_t *)second + 1, value->len - (size_t)(second + 1 - value->p),
		    latin1);
	return out->len > 0;
}

static bool is_name(const uint8_t *p, size_t len, const char *name)
{
	return strlen(name) == len && strncasecmp((const char *)p, name, len) == 0;
}

static bool from_disposition(const struct weir_str *disposition, struct strbuf *out)
{
	const uint8_t *p = disposition->p;
	size_t len = disposition->len < RAW_MAX ? disposition->len : RAW_MAX;
	struct strbuf value;
	bool extended = false;
	size_t at = 0;

	strbuf_init(&value);
	while (at < len && p[at] != ';') { /* attachment, inline */
		at++;
	}
	while (at < len && !extended) {
		size_t name, end;

		for (at++; at < len && is_blank(p[at]); at++) {
		}
		name = at;
		while (at < len && p[at] != '=' && p[at] != ';') {
			at++;
		}
		end = at;
		while (end > name && is_blank(p[end - 1])) {
			end--;
		}
		if (at == len || p[at] == ';') {
			continue;
		}
		for (at++; at < len && is_blank(p[at]); at++) {
		}
		at = take_value(p, len, at, &value);
		if (is_name(p + name, end - name, "filename*")) {
			struct strbuf text;

			strbuf_init(&text);
			extended = put_extended(&text, &value);
			if (extended) {
				strbuf_clear(out);
				strbuf_add(out, text.p, text.len);
			}
			strbuf_fini(&text);
		} else if (is_name(p + name, end - name, "filename") && out->len == 0) {
			strbuf_add(out, value.p, value.len);
		}
	}
	strbuf_fini(&value);
	return out->len > 0;
}

/* ---- harmless ---- */

/* What lies behind the last separator, of any system. */
static void last_part(const struct strbuf *text, const uint8_t **ret, size_t *ret_len)
{
	size_t end = text->len, begin;

	while (end > 0 && (text->p[end - 1] == '/' || text->p[end - 1] == '\\')) {
		end--;
	}
	begin = end;
	while (begin > 0 && text->p[begin - 1] != '/' && text->p[begin - 1] != '\\') {
		begin--;
	}
	*ret = (const uint8_t *)text->p + begin;
	*ret_len = end - begin;
}

static bool is_bad(uint32_t cp)
{
	return utf8_is_hidden(cp) ||
	       (cp < 0x80 && cp != 0 && strchr("<>:\"/\\|?*", (int)cp) != NULL);
}

/* con, nul, com1 ... with any suffix. */
static bool is_device(const char *name, size_t len)
{
	static const char *const devices[] = {"con", "prn", "aux", "nul", "conin$", "conout$"};
	const char *dot = memchr(name, '.', len);
	size_t n = dot == NULL ? len : (size_t)(dot - name), i;

	for (i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
		if (is_name((const uint8_t *)name, n, devices[i])) {
			return true;
		}
	}
	return n == 4 && name[3] >= '0' && name[3] <= '9' &&
	       (strncasecmp(name, "com", 3) == 0 || strncasecmp(name, "lpt", 3) == 0);
}

static void make_harmless(const uint8_t *p, size_t len, struct strbuf *out)
{
	const uint8_t *end = p + len;

	while (p < end && (*p == '.' || *p == ' ')) {
		p++;
	}
	while (p < end) {
		uint32_t cp = 0;
		unsigned n = utf8_decode(p, end, &cp);

		if (out->len + (n == 0 ? 1 : n) > FILES_NAME_MAX) {
			break;
		}
		if (n == 0 || is_bad(cp)) {
			strbuf_char(out, '_');
		} else {
			strbuf_add(out, p, n);
		}
		p += n == 0 ? 1 : n;
	}
	while (out->len > 0 && (out->p[out->len - 1] == '.' || out->p[out->len - 1] == ' ')) {
		out->len--;
	}
}

void files_name(const struct weir_str *disposition, const struct weir_str *path, struct strbuf *out)
{
	struct strbuf text;
	const uint8_t *p;
	size_t len;

	strbuf_clear(out);
	strbuf_init(&text);
	if ((disposition == NULL || !from_disposition(disposition, &text)) && path != NULL) {
		const uint8_t *slash = path->len == 0 ? NULL : memrchr(path->p, '/', path->len);
		const uint8_t *begin = slash == NULL ? path->p : slash + 1;

		put_decoded(&text, begin, path->len - (size_t)(begin - path->p), false);
	}
	if (text.len > 0) {
		last_part(&text, &p, &len);
		make_harmless(p, len, out);
	}
	if (out->len > 0 && is_device(out->p, out->len)) {
		strbuf_clear(&text);
		strbuf_char(&text, '_');
		strbuf_add(&text, out->p, out->len);
		strbuf_clear(out);
		strbuf_add(out, text.p, text.len);
	}
	strbuf_fini(&text);
}
