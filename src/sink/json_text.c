/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scalars as JSON text. Strings are the hot part: plain text is copied eight bytes at a time, looking for the bytes that
 * need more; only those go through the table and the UTF-8 decoder.
 */
#include "sink/json_text.h"

#include "sink/utf8.h"

#include <arpa/inet.h>
#include <string.h>

static const char digit[] = "0123456789abcdef";

char *json_put_u64(char *to, uint64_t value)
{
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
	char digits[JSON_U64_MAX];
	size_t i = sizeof(digits);

	while (value >= 100) {
		i -= 2;
		memcpy(digits + i, pairs + 2 * (value % 100), 2);
		value /= 100;
	}
	if (value >= 10) {
		i -= 2;
		memcpy(digits + i, pairs + 2 * value, 2);
	} else {
		digits[--i] = (char)('0' + value);
	}
	memcpy(to, digits + i, sizeof(digits) - i);
	return to + sizeof(digits) - i;
}

char *json_put_i64(char *to, int64_t value)
{
	if (value < 0) {
		*to++ = '-';
		return json_put_u64(to, -(uint64_t)value);
	}
	return json_put_u64(to, (uint64_t)value);
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

char *json_put_address(char *to, const uint8_t *p, size_t len)
{
	size_t i;

	*to++ = '"';
	if (len == 16) {
		if (inet_ntop(AF_INET6, p, to, INET6_ADDRSTRLEN) != NULL) {
			to += strlen(to);
		}
	} else if (len == 4) {
		for (i = 0; i < 4; i++) {
			to = json_put_u64(to, p[i]);
			*to++ = '.';
		}
		to--;
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
static inline char *put_plain(char *to, const uint8_t *p, size_t len, bool lower)
{
	const uint8_t *end = p + len;
	uint64_t word;

	if (len < 8) {
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

/* Any text, from its beginning. */
static char *put_careful(char *to, const uint8_t *p, size_t len, bool bad)
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
	return to;
}

char *json_put_string(char *to, const uint8_t *p, size_t len, bool bad)
{
	char *stop;

	*to++ = '"';
	stop = put_plain(to, p, len, false);
	if (stop == NULL) {
		stop = put_careful(to, p, len, bad);
		if (stop == NULL) {
			return NULL;
		}
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
