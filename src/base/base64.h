/* SPDX-License-Identifier: Apache-2.0 */
/* Base 64 (RFC 4648 §4), as records hold bytes that are no text. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stddef.h>
#include <stdint.h>

/** Length of the text of n bytes. */
static inline size_t base64_text_len(size_t n)
{
	return (n + 2) / 3 * 4;
}

/** Write base64_text_len(n) characters, padded, without a NUL. */
void base64_encode(const uint8_t *p, size_t n, uint8_t *to);

/**
 * @param to  len / 4 * 3 + 3 bytes
 * @return    bytes written; it stops at the first character that is none of the alphabet (the padding)
 */
size_t base64_decode(const uint8_t *text, size_t len, uint8_t *to);

#endif
