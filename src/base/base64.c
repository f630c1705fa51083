/* SPDX-License-Identifier: Apache-2.0 */
/* Base 64: see base64.h. */
#include "base/base64.h"

void base64_encode(const uint8_t *p, size_t n, uint8_t *to)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t i;

	for (i = 0; i < n; i += 3) {
		uint32_t bits = (uint32_t)p[i] << 16;
		size_t left = n - i;

		bits |= left > 1 ? (uint32_t)p[i + 1] << 8 : 0;
		bits |= left > 2 ? p[i + 2] : 0;
		*to++ = (uint8_t)digits[bits >> 18];
		*to++ = (uint8_t)digits[bits >> 12 & 63];
		*to++ = left > 1 ? (uint8_t)digits[bits >> 6 & 63] : '=';
		*to++ = left > 2 ? (uint8_t)digits[bits & 63] : '=';
	}
}

static int value_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z') {
		return c - 'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - 'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - '0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

size_t base64_decode(const uint8_t *text, size_t len, uint8_t *to)
{
	uint32_t bits = 0;
	int nbits = 0;
	size_t n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		int value = value_of(text[i]);

		if (value < 0) {
			break;
		}
		bits = bits << 6 | (uint32_t)value;
		nbits += 6;
		if (nbits >= 8) {
			nbits -= 8;
			to[n++] = (uint8_t)(bits >> nbits);
		}
	}
	return n;
}
