/* SPDX-License-Identifier: Apache-2.0 */
/* Ascending numbers in few bytes: see ids.h. */
#include "store/ids.h"

size_t ids_put(uint8_t *to, uint64_t distance)
{
	size_t n = 0;

	for (; distance >= 0x80; distance >>= 7) {
		to[n++] = (uint8_t)(distance | 0x80);
	}
	to[n++] = (uint8_t)distance;
	return n;
}

void ids_begin(struct ids *ids, int64_t first, const void *p, size_t len)
{
	ids->p = p;
	ids->end = ids->p == NULL ? NULL : ids->p + len;
	ids->id = first;
	ids->begun = false;
}

bool ids_next(struct ids *ids)
{
	uint64_t distance = 0;
	unsigned shift = 0;

	if (!ids->begun) {
		ids->begun = true;
		return true;
	}
	while (ids->p < ids->end && shift < 64) {
		uint8_t octet = *ids->p++;

		distance |= (uint64_t)(octet & 0x7f) << shift;
		shift += 7;
		if (octet < 0x80) {
			ids->id = (int64_t)((uint64_t)ids->id + distance);
			return true;
		}
	}
	ids->p = ids->end;
	return false;
}
