/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of records in a store: see id.h. */
#include "store/id.h"

#include "base/time.h"

enum { TIME_LEN = 10, REST_LEN = 16 };

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* One more than what the digit stands for; 0: it is none */
static const uint8_t values[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,
	['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14,
	['E'] = 15, ['F'] = 16, ['G'] = 17, ['H'] = 18, ['J'] = 19, ['K'] = 20, ['M'] = 21,
	['N'] = 22, ['P'] = 23, ['Q'] = 24, ['R'] = 25, ['S'] = 26, ['T'] = 27, ['V'] = 28,
	['W'] = 29, ['X'] = 30, ['Y'] = 31, ['Z'] = 32,
};

/* Of `n` digits; what is shifted out at the top goes to *over. false: not digits */
static bool take(const uint8_t *p, size_t n, uint64_t *ret, uint64_t *over)
{
	uint64_t bits = 0, high = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (values[p[i]] == 0) {
			return false;
		}
		high = high << 5 | bits >> 59;
		bits = bits << 5 | (uint64_t)(values[p[i]] - 1);
	}
	*ret = bits;
	*over = high;
	return true;
}

bool store_id_split(const void *text, size_t len, int64_t *ret_first_ns, int64_t *ret_low,
		    int64_t *ret_high)
{
	const uint8_t *p = text;
	uint64_t ms, low, over, high;

	if (len != STORE_ID_LEN || !take(p, TIME_LEN, &ms, &over) ||
	    !take(p + TIME_LEN, REST_LEN, &low, &high) || ms > INT64_MAX / NS_PER_MS) {
		return false;
	}
	*ret_first_ns = (int64_t)ms * NS_PER_MS;
	*ret_low = (int64_t)low;
	*ret_high = (int64_t)high;
	return true;
}

bool store_id_take(const void *text, size_t len, int64_t ts_ns, int64_t *ret_low, int64_t *ret_high)
{
	int64_t first_ns;

	return ts_ns >= 0 && store_id_split(text, len, &first_ns, ret_low, ret_high) &&
	       first_ns == ts_ns - ts_ns % NS_PER_MS;
}

void store_id_put(char *to, int64_t ts_ns, int64_t low, int64_t high)
{
	uint64_t ms = ts_ns < 0 ? 0 : (uint64_t)(ts_ns / NS_PER_MS);
	uint64_t bits = (uint64_t)low, over = (uint64_t)high & 0xffff;
	int i;

	for (i = TIME_LEN; i-- > 0; ms >>= 5) {
		to[i] = digits[ms & 31];
	}
	for (i = TIME_LEN + REST_LEN; i-- > TIME_LEN;) {
		to[i] = digits[bits & 31];
		bits = bits >> 5 | over << 59;
		over >>= 5;
	}
}
