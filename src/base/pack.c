/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is no number in little room: see pack.h.
 *
 *	text: length << 2 | bit << 1 | known, then how far back its bytes stand or they themselves
 *	sparse: zeros, other bytes and those, by turns to the end
 */
#include "base/pack.h"

enum {
	KNOWN_MIN = 4, /* bytes worth looking for */
	TEXT_KNOWN = 1,
	TEXT_BIT = 2,
};

static const uint8_t *read_text(struct pack *pack, const uint8_t *begin, uint32_t *len, bool *bit)
{
	const uint8_t *at = pack->at;
	uint64_t code = pack_u64(pack, 0), back;

	*len = (uint32_t)(code >> 2);
	*bit = (code & TEXT_BIT) != 0;
	if (code & TEXT_KNOWN) {
		back = pack_u64(pack, 0);
		assert(back <= (uint64_t)(at - begin) && *len <= back);
		return at - back;
	}
	assert((size_t)(pack->end - pack->at) >= *len);
	at = pack->at;
	pack->at += *len;
	return at;
}

const uint8_t *pack_text(struct pack *pack, const uint8_t *begin, const uint8_t *p, uint32_t *len,
			 bool *bit)
{
	const uint8_t *at = pack->at, *known = NULL;

	if (pack->reading) {
		return read_text(pack, begin, len, bit);
	}
	if (*len >= KNOWN_MIN) {
		known = memmem(begin, (size_t)(at - begin), p, *len);
	}
	(void)pack_u64(pack, (uint64_t)*len << 2 | (*bit ? TEXT_BIT : 0) |
				     (known != NULL ? TEXT_KNOWN : 0));
	if (known != NULL) {
		(void)pack_u64(pack, (uint64_t)(at - known));
	} else if ((size_t)(pack->end - pack->at) < *len) {
		pack->failed = true;
	} else if (*len > 0) {
		memcpy(pack->at, p, *len);
		pack->at += *len;
	}
	return p;
}

/* Bytes up to the next two zeros: one of them costs as much as it takes. */
static size_t count_others(const uint8_t *p, size_t size)
{
	size_t n = 0;

	while (n < size && (p[n] != 0 || (n + 1 < size && p[n + 1] != 0))) {
		n++;
	}
	return n;
}

void pack_sparse(struct pack *pack, void *p, size_t size)
{
	uint8_t *at = p, *end = at + size;

	while (at < end && !pack->failed) {
		size_t n = 0;

		while (!pack->reading && at + n < end && at[n] == 0) {
			n++;
		}
		n = pack_u64(pack, n);
		assert(n <= (size_t)(end - at));
		at += n;
		n = pack_u64(pack, pack->reading ? 0 : count_others(at, (size_t)(end - at)));
		assert(n <= (size_t)(end - at));
		pack_bytes(pack, at, n);
		at += n;
	}
}
