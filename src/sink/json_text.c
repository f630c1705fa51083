/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalars as JSON text. Strings are the hot part: json_copy.h copies what needs nothing; what does need care, which is rare, goes through
 * the table and the UTF-8 decoder.
 */
#include "sink/json_text.h"

#include "sink/json_copy.h"
#include "sink/utf8.h"

#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

static const char digit[] = "0123456789abcdef";

/* 00 to 99 */
static const char pairs[] = "00010203040506070809"
			    "10111213141516171819"
			    "20212223242526272829"
			    "30313233343536373839"
			    "40414243444546474849"
			    "50515253545556575859"
			    "60616263646566676869"
			    "70717273747576777879"
			    "80818283848586878889"
			    "90919293949596979899";

static inline void put_pair(char *to, uint64_t value)
{
	memcpy(to, pairs + 2 * value, 2);
}

/*
 * The eight digits of a number below 10^8, the first in the lowest byte: halves are told apart all at once, first of four digits each, then
 * of two, then of one. The factors are reciprocals, exact for numbers this small.
 */
static inline uint64_t eight_digits(uint32_t value)
{
	uint64_t fours = value / 10000 | (uint64_t)(value % 10000) << 32;
	uint64_t high = fours * 10486 >> 20 & UINT64_C(0x0000007f0000007f); /* / 100 */
	uint64_t twos = high | (fours - high * 100) << 16;
	uint64_t tens = twos * 103 >> 10 & UINT64_C(0x000f000f000f000f); /* / 10 */

	return tens | (twos - tens * 10) << 8;
}

static inline char *put_eight(char *to, uint64_t digits)
{
	digits = htole64(digits | UINT64_C(0x3030303030303030));
	memcpy(to, &digits, 8);
	return to + 8;
}

/* Below 10^8; not 0. Eight bytes are written. */
static inline char *put_small(char *to, uint32_t value)
{
	uint64_t digits = eight_digits(value);
	unsigned zeros = (unsigned)__builtin_ctzll(digits) & ~7u; /* bits of leading zeros */

	(void)put_eight(to, (digits | UINT64_C(0x3030303030303030)) >> zeros);
	return to + 8 - zeros / 8;
}

/* Of more than eight digits: as one piece or two before the last eight. */
static char *put_large(char *to, uint64_t value)
{
	enum { EIGHT = 100000000 };
	uint64_t high = value / EIGHT;

	if (high >= EIGHT) {
		to = put_small(to, (uint32_t)(high / EIGHT));
		to = put_eight(to, eight_digits((uint32_t)(high % EIGHT)));
	} else {
		to = put_small(to, (uint32_t)high);
	}
	return put_eight(to, eight_digits((uint32_t)(value % EIGHT)));
}

char *json_put_u64(char *to, uint64_t value)
{
	if (value < 10) {
		*to = (char)('0' + value);
		return to + 1;
	}
	if (value < 100) {
		put_pair(to, value);
		return to + 2;
	}
	if (value < 1000) {
		*to = (char)('0' + value / 100);
		put_pair(to + 1, value % 100);
		return to + 3;
	}
	return value < 100000000 ? put_small(to, (uint32_t)value) : put_large(to, value);
}

char *json_put_i64(char *to, int64_t value)
{
	if (value < 0) {
		*to++ = '-';
		return json_put_u64(to, -(uint64_t)value);
	}
	return json_put_u64(to, (uint64_t)value);
}

char *json_put_fraction(char *to, uint32_t ns)
{
	to = put_eight(to, eight_digits(ns / 10));
	*to = (char)('0' + ns % 10);
	return to + 1;
}

char *json_put_hex(char *to, const uint8_t *p, size_t len)
{
	size_t i;

	*to++ = '"';
	for (i = 0; i < len; i++) {
		*to++ = digit[p[i] >> 4];
		*to++ = digit[p[i] & 15];
	}
	*to++ = '"';
	return to;
}

/* A byte and what stands behind it, by a table of digits: at most three, all of which are written. */
static inline char *put_octet(char *to, uint8_t value, char behind)
{
	unsigned hundreds = value / 100, rest = value % 100;
	size_t n = 0;

	if (hundreds > 0) {
		to[n++] = (char)('0' + hundreds);
	}
	put_pair(to + n, rest);
	if (value < 10) {
		to[0] = to[1];
		n = 1;
	} else {
		n += 2;
	}
	to[n] = behind;
	return to + n + 1;
}

char *json_put_address(char *to, const uint8_t *p, size_t len)
{
	*to++ = '"';
	if (len == 16) {
		if (inet_ntop(AF_INET6, p, to, INET6_ADDRSTRLEN) != NULL) {
			to += strlen(to);
		}
	} else if (len == 4) {
		to = put_octet(to, p[0], '.');
		to = put_octet(to, p[1], '.');
		to = put_octet(to, p[2], '.');
		return put_octet(to, p[3], '"');
	}
	*to++ = '"';
	return to;
}

static char *put_unicode_unit(char *to, uint32_t unit)
{
	*to++ = '\\';
	*to++ = 'u';
	*to++ = digit[unit >> 12 & 15];
	*to++ = digit[unit >> 8 & 15];
	*to++ = digit[unit >> 4 & 15];
	*to++ = digit[unit & 15];
	return to;
}

static char *put_unicode(char *to, uint32_t cp)
{
	if (cp >= 0x10000) {
		cp -= 0x10000;
		to = put_unicode_unit(to, 0xd800 | cp >> 10);
		cp = 0xdc00 | (cp & 0x3ff);
	}
	return put_unicode_unit(to, cp);
}

/* One character, or bad byte, that is not plain. Moves *p on; NULL: a bad byte that is not to be written. */
static char *put_special(char *to, const uint8_t **p, const uint8_t *end, bool bad)
{
	uint32_t cp = 0;
	unsigned n = utf8_decode(*p, end, &cp);

	if (n == 0) {
		if (!bad) {
			return NULL;
		}
		memcpy(to, "\\\\x", 3);
		to[3] = digit[**p >> 4];
		to[4] = digit[**p & 15];
		(*p)++;
		return to + 5;
	}
	if (cp == '"' || cp == '\\') {
		*to++ = '\\';
		*to++ = (char)cp;
		if (cp == '\\' && bad) {
			*to++ = '\\';
			*to++ = '\\';
		}
	} else if (utf8_is_hidden(cp)) {
		to = put_unicode(to, cp);
	} else {
		memcpy(to, *p, n);
		to += n;
	}
	*p += n;
	return to;
}

/*
 * How many bytes at p, of at most 16, are written as they are. They are copied, and more behind them may be written that is no part of the
 * text.
 */
static inline size_t copy_run(char *to, const uint8_t *p, size_t len)
{
#ifdef __SSE2__
	if (len > 16 || json_is_within_page(p, 16)) {
		__m128i bytes = json_load_beyond(p);
		unsigned care = (unsigned)_mm_movemask_epi8(json_care16(bytes));
		size_t n = len < 16 ? len : 16;

		_mm_storeu_si128((__m128i *)(void *)to, bytes);
		care |= 1u << n;
		return (size_t)__builtin_ctz(care);
	}
#endif
	if (len >= 8 && json_copy_words(to, p, 8, false) != NULL) {
		return 8;
	}
	*to = (char)*p;
	return json_copy_short(to, p, 1, false) != NULL;
}

/* From its beginning. */
char *json_put_careful(char *to, const uint8_t *p, size_t len, bool bad)
{
	const uint8_t *end = p + len;

	while (p < end) {
		size_t n = copy_run(to, p, (size_t)(end - p));

		to += n;
		p += n;
		if (p < end && *p == '"') {
			memcpy(to, "\\\"", 2); /* what most such text has: tags of entities do */
			to += 2;
			p++;
		} else if (p < end && n < 16) {
			to = put_special(to, &p, end, bad);
			if (to == NULL) {
				return NULL;
			}
		}
	}
	return to;
}

char *json_put_text(char *to, const uint8_t *p, size_t len, bool bad)
{
	char *stop = json_copy_plain(to, p, len);

	return stop != NULL ? stop : json_put_careful(to, p, len, bad);
}

char *json_put_string(char *to, const uint8_t *p, size_t len, bool bad)
{
	char *stop;

	*to++ = '"';
	stop = json_put_text(to, p, len, bad);
	if (stop == NULL) {
		return NULL;
	}
	*stop++ = '"';
	return stop;
}

#ifdef __SSE2__
__attribute__((target("avx2"))) static char *copy_avx2(char *to, const uint8_t *p, size_t len)
{
	return json_copy_avx2(to, p, len);
}
#endif

char *json_put_plain_with(enum json_copy with, char *to, const uint8_t *p, size_t len, bool lower)
{
#ifdef __SSE2__
	if (with == JSON_COPY_SSE2 || (with == JSON_COPY_AVX2 && (lower || !json_has_avx2()))) {
		return json_copy_sse2(to, p, len, lower);
	}
	if (with == JSON_COPY_AVX2) {
		return copy_avx2(to, p, len);
	}
#endif
	(void)with;
	return json_copy_words(to, p, len, lower);
}
