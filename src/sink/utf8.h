/* SPDX-License-Identifier: Apache-2.0 */
/* UTF-8 for output: strict decoding, and which characters a reader would not see for what they are. */
#ifndef SINK_UTF8_H
#define SINK_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * Decode one character at p < end (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF).
 * @return its length, 1 to 4, or 0 when the byte at p begins none
 */
static inline unsigned utf8_decode(const uint8_t *p, const uint8_t *end, uint32_t *ret_cp)
{
	size_t left = (size_t)(end - p);
	uint32_t cp;

	if (p[0] < 0x80) {
		*ret_cp = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || left < 2 || (p[1] & 0xc0) != 0x80) {
		return 0;
	}
	if (p[0] < 0xe0) {
		*ret_cp = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		return 2;
	}
	if (left < 3 || (p[2] & 0xc0) != 0x80) {
		return 0;
	}
	if (p[0] < 0xf0) {
		cp = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
		if (cp < 0x800 || (cp >= 0xd800 && cp < 0xe000)) {
			return 0;
		}
		*ret_cp = cp;
		return 3;
	}
	if (left < 4 || (p[3] & 0xc0) != 0x80 || p[0] > 0xf4) {
		return 0;
	}
	cp = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
	if (cp < 0x10000 || cp > 0x10ffff) {
		return 0;
	}
	*ret_cp = cp;
	return 4;
}

/**
 * Is it a control (C0, DEL, C1, bidi, line and paragraph separators), or invisible (zero width, fillers, tags)? Such
 * characters never reach a terminal as they are, and are \u escaped in JSON.
 */
static inline bool utf8_is_hidden(uint32_t cp)
{
	if (cp < 0xa0) {
		return cp < 0x20 || cp >= 0x7f;
	}
	if (cp < 0x2000) {
		return cp == 0xad || cp == 0x034f || cp == 0x061c || cp == 0x115f || cp == 0x1160 ||
		       (cp >= 0x17b4 && cp <= 0x17b5) || (cp >= 0x180b && cp <= 0x180f);
	}
	return (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2060 && cp <= 0x206f) || cp == 0x3164 || cp == 0xfeff || cp == 0xffa0 ||
	       (cp >= 0xfff0 && cp <= 0xfffb) || (cp >= 0xe0000 && cp <= 0xe0fff);
}

#endif
