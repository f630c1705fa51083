/* SPDX-License-Identifier: Apache-2.0 */
/* Growing text buffer: see strbuf.h. */
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void strbuf_init(struct strbuf *buf)
{
	memset(buf, 0, sizeof(*buf));
}

void strbuf_fini(struct strbuf *buf)
{
	free(buf->p);
	memset(buf, 0, sizeof(*buf));
}

char *strbuf_reserve(struct strbuf *buf, size_t n)
{
	size_t size = buf->size;
	char *p;

	if (buf->size - buf->len >= n) {
		return buf->p + buf->len;
	}
	if (n > SIZE_MAX / 4 || buf->len > SIZE_MAX / 4) {
		buf->failed = true;
		return NULL;
	}
	if (size == 0) {
		size = 256;
	}
	while (size - buf->len < n) {
		size *= 2;
	}
	p = realloc(buf->p, size);
	if (p == NULL) {
		buf->failed = true;
		return NULL;
	}
	buf->p = p;
	buf->size = size;
	return p + buf->len;
}

void strbuf_add(struct strbuf *buf, const void *p, size_t n)
{
	char *to;

	if (n == 0) {
		return;
	}
	to = strbuf_reserve(buf, n);
	if (to != NULL) {
		memcpy(to, p, n);
		buf->len += n;
	}
}

void strbuf_str(struct strbuf *buf, const char *text)
{
	strbuf_add(buf, text, strlen(text));
}

void strbuf_char(struct strbuf *buf, char c)
{
	strbuf_add(buf, &c, 1);
}

void strbuf_u64(struct strbuf *buf, uint64_t value)
{
	char digits[20];
	size_t i = sizeof(digits);

	do {
		digits[--i] = (char)('0' + value % 10);
		value /= 10;
	} while (value != 0);
	strbuf_add(buf, digits + i, sizeof(digits) - i);
}

void strbuf_i64(struct strbuf *buf, int64_t value)
{
	if (value < 0) {
		strbuf_char(buf, '-');
		strbuf_u64(buf, -(uint64_t)value);
	} else {
		strbuf_u64(buf, (uint64_t)value);
	}
}

void strbuf_hex(struct strbuf *buf, const uint8_t *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	char *to = strbuf_reserve(buf, 2 * n);
	size_t i;

	if (to == NULL) {
		return;
	}
	for (i = 0; i < n; i++) {
		to[2 * i] = digit[p[i] >> 4];
		to[2 * i + 1] = digit[p[i] & 15];
	}
	buf->len += 2 * n;
}

void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
	va_list ap;
	int n;
	char *to;

	va_start(ap, format);
	n = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	if (n < 0) {
		return;
	}
	to = strbuf_reserve(buf, (size_t)n + 1);
	if (to == NULL) {
		return;
	}
	va_start(ap, format);
	(void)vsnprintf(to, (size_t)n + 1, format, ap);
	va_end(ap);
	buf->len += (size_t)n;
}

const char *strbuf_text(struct strbuf *buf)
{
	char *to = strbuf_reserve(buf, 1);

	if (to == NULL) {
		return "";
	}
	*to = '\0';
	return buf->p;
}
