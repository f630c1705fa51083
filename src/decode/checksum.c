/* SPDX-License-Identifier: Apache-2.0 */
/* The Internet checksum: see checksum.h. 32-bit words into 64-bit sums: no carry is lost below 16 GiB. */
#include "decode/checksum.h"

#include "base/wire.h"

uint64_t checksum_add(uint64_t sum, const uint8_t *p, size_t n)
{
	const uint8_t *end = p + (n & ~(size_t)31);
	uint64_t sums[4] = {0, 0, 0, 0};

	for (; p < end; p += 32) {
		uint64_t a, b, c, d;

		a = load_le64(p);
		b = load_le64(p + 8);
		c = load_le64(p + 16);
		d = load_le64(p + 24);
		sums[0] += (a & 0xffffffff) + (a >> 32);
		sums[1] += (b & 0xffffffff) + (b >> 32);
		sums[2] += (c & 0xffffffff) + (c >> 32);
		sums[3] += (d & 0xffffffff) + (d >> 32);
	}
	sum += sums[0] + sums[1] + sums[2] + sums[3];
	for (n &= 31; n >= 2; n -= 2, p += 2) {
		sum += load_le16(p);
	}
	if (n > 0) {
		sum += *p;
	}
	return sum;
}
