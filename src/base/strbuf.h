/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Growing text buffer for output (not charged to a budget: sinks write it out as it fills). After a failed allocation
 * it stays as it was and `failed` is set: check once, at the end.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf {
	char *p; /* not terminated; see strbuf_text() */
	size_t len;
	size_t size;
	bool failed;
};

void strbuf_init(struct strbuf *buf);
void strbuf_fini(struct strbuf *buf);

/** Room for n more bytes: a pointer to write them at, NULL without memory. Then strbuf_wrote(). */
char *strbuf_reserve(struct strbuf *buf, size_t n);
static inline void strbuf_wrote(struct strbuf *buf, size_t n)
{
	buf->len += n;
}

void strbuf_add(struct strbuf *buf, const void *p, size_t n);
void strbuf_str(struct strbuf *buf, const char *text);
void strbuf_char(struct strbuf *buf, char c);
void strbuf_u64(struct strbuf *buf, uint64_t value);
void strbuf_i64(struct strbuf *buf, int64_t value);
void strbuf_hex(struct strbuf *buf, const uint8_t *p, size_t n);
void strbuf_printf(struct strbuf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static inline void strbuf_clear(struct strbuf *buf)
{
	buf->len = 0;
}

/** Terminated with NUL; "" when there is nothing or no memory. Valid until the next change. */
const char *strbuf_text(struct strbuf *buf);

#endif
