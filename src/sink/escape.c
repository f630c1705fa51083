/* SPDX-License-Identifier: Apache-2.0 */
/* Visible text: see escape.h. */
#include "sink/escape.h"

#include "sink/utf8.h"

struct range {
	uint32_t first;
	uint32_t last;
};

static bool in_ranges(const struct range *ranges, size_t n, uint32_t cp)
{
	size_t i;

	for (i = 0; i < n && cp >= ranges[i].first; i++) {
		if (cp <= ranges[i].last) {
			return true;
		}
	}
	return false;
}

/*
 * Columns of a visible character: Unicode's East Asian Width in the ranges that occur in practice. An error of a column
 * shifts a table, no more; wcwidth() would need a locale.
 */
static unsigned columns_of(uint32_t cp)
{
	static const struct range none[] = {
		{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a},
		{0x064b, 0x065f}, {0x0e31, 0x0e31}, {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},
		{0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f},
		{0xfe20, 0xfe2f},
	};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},   {0x3400, 0x4dbf},
		{0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xac00, 0xd7a3},   {0xf900, 0xfaff},
		{0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
		{0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};

	if (cp < 0x300) {
		return 1;
	}
	if (in_ranges(none, sizeof(none) / sizeof(none[0]), cp)) {
		return 0;
	}
	return in_ranges(wide, sizeof(wide) / sizeof(wide[0]), cp) ? 2 : 1;
}

static void put_hex(struct strbuf *out, const uint8_t *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		char text[4] = {'\\', 'x', digit[p[i] >> 4], digit[p[i] & 15]};

		strbuf_add(out, text, sizeof(text));
	}
}

size_t escape_text(struct strbuf *out, const void *text, size_t len)
{
	const uint8_t *p = text;
	const uint8_t *end = len == 0 ? p : p + len;
	const uint8_t *plain = p; /* from here on nothing was written yet */
	size_t columns = 0;

	while (p < end) {
		uint32_t cp = 0;
		unsigned n = utf8_decode(p, end, &cp);

		if (n > 0 && !utf8_is_hidden(cp)) {
			columns += columns_of(cp);
			p += n;
			continue;
		}
		n = n == 0 ? 1 : n;
		strbuf_add(out, plain, (size_t)(p - plain));
		put_hex(out, p, n);
		columns += (size_t)4 * n;
		p += n;
		plain = p;
	}
	strbuf_add(out, plain, (size_t)(p - plain));
	return columns;
}

size_t escape_columns(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text;
	const uint8_t *end = len == 0 ? p : p + len;
	size_t columns = 0;

	while (p < end) {
		uint32_t cp = ' ';
		unsigned n = utf8_decode(p, end, &cp);

		columns += columns_of(cp);
		p += n == 0 ? 1 : n;
	}
	return columns;
}

size_t escape_fit(const char *text, size_t len, size_t columns)
{
	const uint8_t *start = (const uint8_t *)text;
	const uint8_t *p = start;
	const uint8_t *end = len == 0 ? p : p + len;

	while (p < end) {
		uint32_t cp = ' ';
		unsigned n = utf8_decode(p, end, &cp);
		unsigned width = columns_of(cp);

		if (width > columns) {
			break;
		}
		columns -= width;
		p += n == 0 ? 1 : n;
	}
	return (size_t)(p - start);
}

size_t escape_fit_end(const char *text, size_t len, size_t columns)
{
	size_t whole = escape_columns(text, len);
	size_t skip = 0;

	while (whole > columns && skip < len) {
		uint32_t cp = ' ';
		unsigned n =
			utf8_decode((const uint8_t *)text + skip, (const uint8_t *)text + len, &cp);

		whole -= columns_of(cp);
		skip += n == 0 ? 1 : n;
	}
	return len - skip;
}
