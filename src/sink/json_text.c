/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalars as JSON text. Strings are the hot part: plain text is copied 16 bytes at a time (with SSE2, which every x86-64 has;
 * else eight), looking for the bytes that need more; only those go through the table and the UTF-8 decoder.
 */
#include "sink/json_text.h"

#include "sink/utf8.h"

#include <arpa/inet.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* Digits of a number of 10,000 or more. */
static inline unsigned count_digits(uint64_t value)
{
	static const uint64_t powers[] = {UINT64_C(1),
					  UINT64_C(10),
					  UINT64_C(100),
					  UINT64_C(1000),
					  UINT64_C(10000),
					  UINT64_C(100000),
					  UINT64_C(1000000),
					  UINT64_C(10000000),
					  UINT64_C(100000000),
					  UINT64_C(1000000000),
					  UINT64_C(10000000000),
					  UINT64_C(100000000000),
					  UINT64_C(1000000000000),
					  UINT64_C(10000000000000),
					  UINT64_C(100000000000000),
					  UINT64_C(1000000000000000),
					  UINT64_C(10000000000000000),
					  UINT64_C(100000000000000000),
					  UINT64_C(1000000000000000000),
					  UINT64_C(10000000000000000000)};
	/* log10(2) is a little less than 1233 / 4096 */
	unsigned least = (64 - (unsigned)__builtin_clzll(value)) * 1233 >> 12;

	return least + (value >= powers[least]);
}

/* Of 10,000 or more, straight to where it belongs: what is stored in small pieces is slow to be read again in large ones. */
static char *put_large(char *to, uint64_t value)
{
	unsigned n = count_digits(value);
	char *at = to + n;

	while (value >= 100) {
		at -= 2;
		put_pair(at, value % 100);
		value /= 100;
	}
	if (value >= 10) {
		put_pair(to, value);
	} else {
		*to = (char)('0' + value);
	}
	return to + n;
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
	if (value < 10000) {
		put_pair(to, value / 100);
		put_pair(to + 2, value % 100);
		return to + 4;
	}
	return put_large(to, value);
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
	put_pair(to, ns / 10000000);
	put_pair(to + 2, ns / 100000 % 100);
	put_pair(to + 4, ns / 1000 % 100);
	put_pair(to + 6, ns / 10 % 100);
	to[8] = (char)('0' + ns % 10);
	return to + 9;
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

/* Has one of the eight bytes to be looked at: a control, a quote, a backslash, DEL, or not ASCII? */
static inline bool needs_care(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	const uint64_t high = UINT64_C(0x8080808080808080);
	uint64_t quote = word ^ (ones * '"');
	uint64_t backslash = word ^ (ones * '\\');
	uint64_t del = word ^ (ones * 0x7f);

	/* exact enough: a borrow can only claim a byte above one that is special itself */
	return ((word | (word - ones * 0x20) | (quote - ones) | (backslash - ones) | (del - ones)) &
		high) != 0;
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

static inline bool is_plain(uint8_t c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

static inline uint64_t load8(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, 8);
	return word;
}

static inline uint32_t load4(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, 4);
	return word;
}

/* Change A-Z to a-z in eight bytes of ASCII at once. */
static inline uint64_t lower8(uint64_t word)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	/* bit 7 of a byte: it is 'A' or more; it is more than 'Z' */
	uint64_t from_a = word + ones * (0x80 - 'A');
	uint64_t beyond_z = word + ones * (0x7f - 'Z');

	return word | ((from_a & ~beyond_z & (ones * 0x80)) >> 2);
}

/*
 * Copy text that needs no care, in lower case if told; NULL when some of it does. The last bytes are copied together with
 * some before them, which are written a second time with the same content: no loop over single bytes.
 */
static inline char *put_short(char *to, const uint8_t *p, size_t len, bool lower)
{
	const uint8_t *end = p + len;
	uint64_t word;

	if (len >= 4) {
		word = load4(p) | (uint64_t)load4(end - 4) << 32;
	} else if (len > 0) {
		/* bytes 0, middle and last: all of up to three */
		word = p[0] | (uint64_t)p[len / 2] << 8 | (uint64_t)p[len - 1] << 16 |
		       UINT64_C(0x2020202020000000);
	} else {
		return to;
	}
	if (needs_care(word)) {
		return NULL;
	}
	word = lower ? lower8(word) : word;
	if (len >= 4) {
		uint32_t high = (uint32_t)(word >> 32);

		memcpy(to, &word, 4);
		memcpy(to + len - 4, &high, 4);
	} else {
		to[0] = (char)word;
		to[len / 2] = (char)(word >> 8);
		to[len - 1] = (char)(word >> 16);
	}
	return to + len;
}

static inline char *put_plain8(char *to, const uint8_t *p, size_t len, bool lower)
{
	const uint8_t *end = p + len;
	uint64_t word;

	if (len < 8) {
		return put_short(to, p, len, lower);
	}
	for (; end - p >= 8; p += 8, to += 8) {
		word = load8(p);
		if (needs_care(word)) {
			return NULL;
		}
		word = lower ? lower8(word) : word;
		memcpy(to, &word, 8);
	}
	if (p < end) {
		word = load8(end - 8);
		if (needs_care(word)) {
			return NULL;
		}
		word = lower ? lower8(word) : word;
		to += end - p;
		memcpy(to - 8, &word, 8);
	}
	return to;
}

#ifdef __SSE2__
/* 0xff where a byte needs care */
static inline __m128i care16(__m128i bytes)
{
	/* as signed bytes, those above 0x7f are below 0x20 */
	__m128i low = _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20));
	__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
	__m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));

	return _mm_or_si128(_mm_or_si128(low, quote), _mm_or_si128(backslash, del));
}

/* A-Z to a-z */
static inline __m128i lower16(__m128i bytes)
{
	__m128i from_a = _mm_cmpgt_epi8(bytes, _mm_set1_epi8('A' - 1));
	__m128i to_z = _mm_cmplt_epi8(bytes, _mm_set1_epi8('Z' + 1));

	return _mm_or_si128(bytes,
			    _mm_and_si128(_mm_and_si128(from_a, to_z), _mm_set1_epi8('a' - 'A')));
}

/* More than 32 bytes. What is written is not looked at until the end: text that needs care is rare, and written again. */
static inline char *put_long16(char *to, const uint8_t *p, size_t len, bool lower)
{
	const uint8_t *end = p + len;
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(end - 16));
	__m128i care = care16(bytes);

	bytes = lower ? lower16(bytes) : bytes;
	_mm_storeu_si128((__m128i *)(void *)(to + len - 16), bytes);
	for (; end - p > 16; p += 16, to += 16) {
		bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
		care = _mm_or_si128(care, care16(bytes));
		bytes = lower ? lower16(bytes) : bytes;
		_mm_storeu_si128((__m128i *)(void *)to, bytes);
	}
	return _mm_movemask_epi8(care) == 0 ? to + (end - p) : NULL;
}

static inline char *put_plain16(char *to, const uint8_t *p, size_t len, bool lower)
{
	const uint8_t *end = p + len;
	__m128i bytes, last;

	if (len < 8) {
		return put_short(to, p, len, lower);
	}
	if (len < 16) {
		bytes = _mm_set_epi64x((int64_t)load8(end - 8), (int64_t)load8(p));
		if (_mm_movemask_epi8(care16(bytes)) != 0) {
			return NULL;
		}
		bytes = lower ? lower16(bytes) : bytes;
		_mm_storel_epi64((__m128i *)(void *)to, bytes);
		_mm_storel_epi64((__m128i *)(void *)(to + len - 8),
				 _mm_unpackhi_epi64(bytes, bytes));
		return to + len;
	}
	if (len > 32) {
		return put_long16(to, p, len, lower);
	}
	bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
	last = _mm_loadu_si128((const __m128i *)(const void *)(end - 16));
	if (_mm_movemask_epi8(_mm_or_si128(care16(bytes), care16(last))) != 0) {
		return NULL;
	}
	_mm_storeu_si128((__m128i *)(void *)to, lower ? lower16(bytes) : bytes);
	_mm_storeu_si128((__m128i *)(void *)(to + len - 16), lower ? lower16(last) : last);
	return to + len;
}
#endif

static inline char *put_plain(char *to, const uint8_t *p, size_t len, bool lower)
{
#ifdef __SSE2__
	return put_plain16(to, p, len, lower);
#else
	return put_plain8(to, p, len, lower);
#endif
}

/* Any text, from its beginning, and the quote behind it. Not inlined: what calls it is short and saves no registers for it. */
static __attribute__((noinline, cold)) char *put_careful(char *to, const uint8_t *p, size_t len,
							 bool bad)
{
	const uint8_t *end = p + len;

	while (p < end) {
		while (end - p >= 8 && !needs_care(load8(p))) {
			memcpy(to, p, 8);
			to += 8;
			p += 8;
		}
		/* up to the next special byte, or through the last few */
		while (p < end && is_plain(*p)) {
			*to++ = (char)*p++;
		}
		while (p < end && !is_plain(*p)) {
			to = put_special(to, &p, end, bad);
			if (to == NULL) {
				return NULL;
			}
		}
	}
	*to++ = '"';
	return to;
}

char *json_put_string(char *to, const uint8_t *p, size_t len, bool bad)
{
	char *stop;

	*to++ = '"';
	stop = put_plain(to, p, len, false);
	if (stop == NULL) {
		return put_careful(to, p, len, bad);
	}
	*stop++ = '"';
	return stop;
}

char *json_put_plain_name(char *to, const uint8_t *p, size_t len)
{
	char *stop;

	*to++ = '"';
	stop = put_plain(to, p, len, true);
	if (stop == NULL) {
		return NULL;
	}
	*stop++ = '"';
	return stop;
}

char *json_put_plain_with(enum json_copy with, char *to, const uint8_t *p, size_t len, bool lower)
{
	switch (with) {
	case JSON_COPY_WORDS:
		return put_plain8(to, p, len, lower);
#ifdef __SSE2__
	case JSON_COPY_SSE2:
		return put_plain16(to, p, len, lower);
#endif
	default:
		return put_plain8(to, p, len, lower);
	}
}
