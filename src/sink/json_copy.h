/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that JSON takes as it is, copied and judged in one go: nearly every string of a record is such text, and most are short. 32 bytes at
 * a time with AVX2, 16 with SSE2, which every x86-64 has, else eight. Inline, for the record writer.
 *
 * Up to 32 (16) bytes are one load, which may read behind the text as far as the page goes that the text begins in: what is there is never
 * judged, and what is written of it is written over. Longer text ends with a load that overlaps the one before.
 */
#ifndef SINK_JSON_COPY_H
#define SINK_JSON_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

/* Has one of the eight bytes to be looked at: a control, a quote, a backslash, DEL, or not ASCII? */
static inline bool json_needs_care(uint64_t word)
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

static inline uint64_t json_load8(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, 8);
	return word;
}

static inline uint32_t json_load4(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, 4);
	return word;
}

/* Change A-Z to a-z in eight bytes of ASCII at once. */
static inline uint64_t json_lower8(uint64_t word)
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
static inline char *json_copy_short(char *to, const uint8_t *p, size_t len, bool lower)
{
	const uint8_t *end = p + len;
	uint64_t word;

	if (len >= 4) {
		word = json_load4(p) | (uint64_t)json_load4(end - 4) << 32;
	} else if (len > 0) {
		/* bytes 0, middle and last: all of up to three */
		word = p[0] | (uint64_t)p[len / 2] << 8 | (uint64_t)p[len - 1] << 16 |
		       UINT64_C(0x2020202020000000);
	} else {
		return to;
	}
	if (json_needs_care(word)) {
		return NULL;
	}
	word = lower ? json_lower8(word) : word;
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

static inline char *json_copy_words(char *to, const uint8_t *p, size_t len, bool lower)
{
	const uint8_t *end = p + len;
	uint64_t word;

	if (len < 8) {
		return json_copy_short(to, p, len, lower);
	}
	for (; end - p >= 8; p += 8, to += 8) {
		word = json_load8(p);
		if (json_needs_care(word)) {
			return NULL;
		}
		word = lower ? json_lower8(word) : word;
		memcpy(to, &word, 8);
	}
	if (p < end) {
		word = json_load8(end - 8);
		if (json_needs_care(word)) {
			return NULL;
		}
		word = lower ? json_lower8(word) : word;
		to += end - p;
		memcpy(to - 8, &word, 8);
	}
	return to;
}

#ifdef __SSE2__
enum { JSON_PAGE = 4096 /* memory is there, or not, in pieces of at least so much */ };

/* May n bytes be loaded from where a text of 1 to n begins? */
static inline bool json_is_within_page(const uint8_t *p, unsigned n)
{
	return ((uintptr_t)p & (JSON_PAGE - 1)) <= JSON_PAGE - n;
}

/* Not judged by the sanitizer: what is behind the text is not looked at. */
__attribute__((no_sanitize_address)) static inline __m128i json_load_beyond(const uint8_t *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* 0xff where a byte needs care */
static inline __m128i json_care16(__m128i bytes)
{
	/* one more than a control is at most a space; than DEL and what is above, below 0 or 0 */
	__m128i more = _mm_add_epi8(bytes, _mm_set1_epi8(1));
	__m128i odd = _mm_cmplt_epi8(more, _mm_set1_epi8(0x21));
	__m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"'));
	__m128i backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));

	return _mm_or_si128(odd, _mm_or_si128(quote, backslash));
}

/* A-Z to a-z */
static inline __m128i json_lower16(__m128i bytes)
{
	__m128i from_a = _mm_cmpgt_epi8(bytes, _mm_set1_epi8('A' - 1));
	__m128i to_z = _mm_cmplt_epi8(bytes, _mm_set1_epi8('Z' + 1));

	return _mm_or_si128(bytes,
			    _mm_and_si128(_mm_and_si128(from_a, to_z), _mm_set1_epi8('a' - 'A')));
}

/* More than 32 bytes. What is written is not looked at until the end: text that needs care is rare, and written again. */
static inline char *json_copy_long16(char *to, const uint8_t *p, size_t len, bool lower)
{
	const uint8_t *end = p + len;
	__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(end - 16));
	__m128i care = json_care16(bytes);

	bytes = lower ? json_lower16(bytes) : bytes;
	_mm_storeu_si128((__m128i *)(void *)(to + len - 16), bytes);
	for (; end - p > 16; p += 16, to += 16) {
		bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
		care = _mm_or_si128(care, json_care16(bytes));
		bytes = lower ? json_lower16(bytes) : bytes;
		_mm_storeu_si128((__m128i *)(void *)to, bytes);
	}
	return _mm_movemask_epi8(care) == 0 ? to + (end - p) : NULL;
}

/* 16 to 32 bytes: two pieces that overlap. */
static inline char *json_copy_twice16(char *to, const uint8_t *p, size_t len, bool lower)
{
	__m128i first = _mm_loadu_si128((const __m128i *)(const void *)p);
	__m128i last = _mm_loadu_si128((const __m128i *)(const void *)(p + len - 16));

	if (_mm_movemask_epi8(_mm_or_si128(json_care16(first), json_care16(last))) != 0) {
		return NULL;
	}
	_mm_storeu_si128((__m128i *)(void *)to, lower ? json_lower16(first) : first);
	_mm_storeu_si128((__m128i *)(void *)(to + len - 16), lower ? json_lower16(last) : last);
	return to + len;
}

static inline char *json_copy_sse2(char *to, const uint8_t *p, size_t len, bool lower)
{
	if (len - 1 < 16 && json_is_within_page(p, 16)) {
		__m128i bytes = json_load_beyond(p);
		unsigned care = (unsigned)_mm_movemask_epi8(json_care16(bytes));

		bytes = lower ? json_lower16(bytes) : bytes;
		_mm_storeu_si128((__m128i *)(void *)to, bytes);
		return care << (32 - len) == 0 ? to + len : NULL;
	}
	if (len > 32) {
		return json_copy_long16(to, p, len, lower);
	}
	return len >= 16 ? json_copy_twice16(to, p, len, lower)
			 : json_copy_words(to, p, len, lower);
}

__attribute__((target("avx2"), no_sanitize_address)) static inline __m256i json_load_beyond32(
	const uint8_t *p)
{
	return _mm256_loadu_si256((const __m256i *)(const void *)p);
}

/* As json_care16() */
__attribute__((target("avx2"))) static inline __m256i json_care32(__m256i bytes)
{
	__m256i more = _mm256_add_epi8(bytes, _mm256_set1_epi8(1));
	__m256i odd = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x21), more);
	__m256i quote = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('"'));
	__m256i backslash = _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8('\\'));

	return _mm256_or_si256(odd, _mm256_or_si256(quote, backslash));
}

/* As json_copy_sse2(), not in lower case */
__attribute__((target("avx2"))) static inline char *json_copy_avx2(char *to, const uint8_t *p,
								   size_t len)
{
	const uint8_t *end = p + len;
	__m256i bytes, care;

	if (len - 1 < 32 && json_is_within_page(p, 32)) {
		bytes = json_load_beyond32(p);
		_mm256_storeu_si256((__m256i *)(void *)to, bytes);
		return (unsigned)_mm256_movemask_epi8(json_care32(bytes)) << (32 - len) == 0
			       ? to + len
			       : NULL;
	}
	if (len <= 32) {
		return json_copy_sse2(to, p, len, false);
	}
	bytes = _mm256_loadu_si256((const __m256i *)(const void *)(end - 32));
	care = json_care32(bytes);
	_mm256_storeu_si256((__m256i *)(void *)(to + len - 32), bytes);
	for (; end - p > 32; p += 32, to += 32) {
		bytes = _mm256_loadu_si256((const __m256i *)(const void *)p);
		care = _mm256_or_si256(care, json_care32(bytes));
		_mm256_storeu_si256((__m256i *)(void *)to, bytes);
	}
	return _mm256_movemask_epi8(care) == 0 ? to + (end - p) : NULL;
}

__attribute__((target("avx2"))) static inline void json_copy_block_avx2(char *to, const char *p)
{
	_mm256_storeu_si256((__m256i *)(void *)to,
			    _mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline bool json_has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#endif

/**
 * Text without quotes, in lower case (ASCII) if told. NULL: some of it needs care. Up to 32 bytes from its beginning are written, whatever
 * its length, also when it needs care.
 */
static inline char *json_copy_any(char *to, const uint8_t *p, size_t len, bool lower)
{
#ifdef __SSE2__
	return json_copy_sse2(to, p, len, lower);
#else
	return json_copy_words(to, p, len, lower);
#endif
}

/* The same, not in lower case: as one of the two ways of what writes records. */
static inline char *json_copy_plain(char *to, const uint8_t *p, size_t len)
{
	return json_copy_any(to, p, len, false);
}

/* 32 bytes, the other. */
static inline void json_copy_block(char *to, const char *p)
{
	memcpy(to, p, 32);
}

#endif
