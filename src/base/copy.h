/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memcpy() for what is nearly always short: names, values of headers, parts of URLs. Compilers make a call of it, or an instruction that
 * takes long to begin; here it is two loads and stores that overlap, whatever the length, a loop for what is longer, and a call for what is
 * long.
 */
#ifndef BASE_COPY_H
#define BASE_COPY_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* n bytes, at least `size` and at most twice that, of which two copies of `size` see all. */
#define COPY_TWICE(size)                                                                           \
	do {                                                                                       \
		uint8_t first[size], last[size];                                                   \
                                                                                                   \
		memcpy(first, p, size);                                                            \
		memcpy(last, p + n - (size), size);                                                \
		memcpy(to, first, size);                                                           \
		memcpy(to + n - (size), last, size);                                               \
	} while (0)

enum { COPY_LONG = 128 /* bytes, from which on the call is worth it */ };

/** As memcpy(); nothing behind either end is touched. n may be 0, and then the pointers anything. */
static inline void copy_bytes(uint8_t *to, const uint8_t *p, size_t n)
{
	if (n >= COPY_LONG) {
		memmove(to, p, n); /* of memcpy() a compiler may make the instruction after all */
	} else if (n >= 16) {
		for (; n > 32; n -= 32, to += 32, p += 32) {
			memcpy(to, p, 32);
		}
		if (n >= 16) {
			COPY_TWICE(16);
		} else {
			/* the rest of something longer: with some of what was copied */
			memcpy(to + n - 16, p + n - 16, 16);
		}
	} else if (n >= 8) {
		COPY_TWICE(8);
	} else if (n >= 4) {
		COPY_TWICE(4);
	} else if (n > 0) {
		uint8_t middle = p[n / 2], last = p[n - 1];

		to[0] = p[0];
		to[n / 2] = middle;
		to[n - 1] = last;
	}
}

#undef COPY_TWICE

#endif
