/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of a head: see scan.h.
 *
 * Of 64 bytes, two bit masks: the odd ones (below 0x20 or above 0x7e: in a sound line, its CR and LF and nothing else), and
 * the marks (colon or space: in a sound line, the first is the colon behind the name). What is then done per line is a few
 * operations on the masks. The last block is a whole one that overlaps the one before it, shifted.
 */
#include "http/scan.h"

#include <stdbool.h>
#include <string.h>
#ifdef __SSE2__
#include <immintrin.h>
#endif

enum { BLOCK = 64 };

struct masks {
	uint64_t odd;
	uint64_t marks;
};

typedef struct masks (*classify_fn)(const uint8_t *p);

static inline bool is_odd(uint8_t c)
{
	return c < 0x20 || c > 0x7e;
}

static inline struct masks classify_plain(const uint8_t *p)
{
	struct masks masks = {0, 0};
	unsigned i;

	for (i = 0; i < BLOCK; i++) {
		masks.odd |= (uint64_t)is_odd(p[i]) << i;
		masks.marks |= (uint64_t)(p[i] == ':' || p[i] == ' ') << i;
	}
	return masks;
}

#ifdef __SSE2__
static inline struct masks classify_sse2(const uint8_t *p)
{
	struct masks masks = {0, 0};
	unsigned i;

	for (i = 0; i < BLOCK; i += 16) {
		__m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
		/* as signed bytes, those above 0x7f are below 0x20 */
		__m128i odd = _mm_or_si128(_mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20)),
					   _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f)));
		__m128i marks = _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(':')),
					     _mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')));

		masks.odd |= (uint64_t)(uint32_t)_mm_movemask_epi8(odd) << i;
		masks.marks |= (uint64_t)(uint32_t)_mm_movemask_epi8(marks) << i;
	}
	return masks;
}

__attribute__((target("avx2"))) static inline struct masks classify_avx2(const uint8_t *p)
{
	struct masks masks = {0, 0};
	unsigned i;

	for (i = 0; i < BLOCK; i += 32) {
		__m256i bytes = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));
		__m256i odd = _mm256_or_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), bytes),
					      _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(0x7f)));
		__m256i marks = _mm256_or_si256(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(':')),
						_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(' ')));

		masks.odd |= (uint64_t)(uint32_t)_mm256_movemask_epi8(odd) << i;
		masks.marks |= (uint64_t)(uint32_t)_mm256_movemask_epi8(marks) << i;
	}
	return masks;
}
#endif

/* Is there a sound line's end at eol: CR LF, and behind it the byte that says the line is not folded (RFC 9112 §5.2)? */
static inline bool ends_at(const uint8_t *p, size_t len, size_t eol)
{
	uint32_t word;

	if (len - eol < sizeof(word)) {
		return false;
	}
	memcpy(&word, p + eol, sizeof(word));
	return (word & 0xffff) == ('\r' | '\n' << 8) && (word >> 16 & 0xff) != ' ' &&
	       (word >> 16 & 0xff) != '\t';
}

/* The masks of the block at `base`, which may be cut by the end: bits behind it are 0. */
static inline __attribute__((always_inline)) struct masks block_at(const uint8_t *p, size_t len,
								   size_t base,
								   classify_fn classify)
{
	size_t left = len - base;
	uint8_t copy[BLOCK];
	struct masks masks;
	unsigned shift;

	if (left >= BLOCK) {
		return classify(p + base);
	}
	shift = BLOCK - (unsigned)left;
	if (len >= BLOCK) {
		masks = classify(p + len - BLOCK);
	} else {
		memset(copy, 0, BLOCK);
		memcpy(copy + shift, p + base, left);
		masks = classify(copy);
	}
	masks.odd >>= shift;
	masks.marks >>= shift;
	return masks;
}

static inline __attribute__((always_inline)) size_t scan(const uint8_t *p, size_t len,
							 struct http_line *lines, size_t max,
							 classify_fn classify)
{
	const size_t none = SIZE_MAX;
	size_t begin = 0, colon = none, n = 0;
	size_t base;
	uint64_t first =
		1; /* the bit at which the block begins: its first may be the LF of a line before */

	for (base = 0; base < len; base += BLOCK) {
		struct masks masks = block_at(p, len, base, classify);

		masks.odd &= 0 - first;
		first = 1;
		while (masks.odd != 0) {
			uint64_t cr = masks.odd & (0 - masks.odd);
			size_t eol = base + (unsigned)__builtin_ctzll(cr);

			if (colon == none && (masks.marks & (cr - 1)) != 0) {
				colon = base + (unsigned)__builtin_ctzll(masks.marks);
			}
			if (colon == none || colon == begin || p[colon] != ':' ||
			    !ends_at(p, len, eol)) {
				return n;
			}
			lines[n] =
				(struct http_line){(uint32_t)begin, (uint32_t)colon, (uint32_t)eol};
			if (++n == max) {
				return n;
			}
			begin = eol + 2;
			colon = none;
			masks.marks &= 0 - cr; /* neither CR nor LF is one */
			masks.odd ^= cr;
			masks.odd &= masks.odd -
				     1; /* the LF; none is left when it is in the next block */
			first = cr >> (BLOCK - 1) != 0 ? 2 : 1;
		}
		if (colon == none && masks.marks != 0) {
			colon = base + (unsigned)__builtin_ctzll(masks.marks);
		}
	}
	return n;
}

static size_t scan_plain(const uint8_t *p, size_t len, struct http_line *lines, size_t max)
{
	return scan(p, len, lines, max, classify_plain);
}

#ifdef __SSE2__
static size_t scan_sse2(const uint8_t *p, size_t len, struct http_line *lines, size_t max)
{
	return scan(p, len, lines, max, classify_sse2);
}

__attribute__((target("avx2,bmi"))) static size_t scan_avx2(const uint8_t *p, size_t len,
							    struct http_line *lines, size_t max)
{
	return scan(p, len, lines, max, classify_avx2);
}

static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}
#endif

size_t http_scan_lines(const uint8_t *p, size_t len, struct http_line *lines, size_t max)
{
#ifdef __SSE2__
	return has_avx2() ? scan_avx2(p, len, lines, max) : scan_sse2(p, len, lines, max);
#else
	return scan_plain(p, len, lines, max);
#endif
}

size_t http_scan_lines_with(enum http_scan_with with, const uint8_t *p, size_t len,
			    struct http_line *lines, size_t max)
{
	switch (with) {
	case HTTP_SCAN_PLAIN:
		return scan_plain(p, len, lines, max);
#ifdef __SSE2__
	case HTTP_SCAN_SSE2:
		return scan_sse2(p, len, lines, max);
	case HTTP_SCAN_AVX2:
		return has_avx2() ? scan_avx2(p, len, lines, max) : SIZE_MAX;
#endif
	default:
		return SIZE_MAX;
	}
}
