/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities of flows and records: ULIDs (Crockford base 32: 10 characters of milliseconds, then 16 of 80 bits), so that
 * they sort by time and stores can index them as text.
 *
 * Deviation: a ULID's 80 bits are random; ours come from the flow's hash and the record's number in it, because the same
 * capture must give the same ids. Two records of one flow never collide (the 64 low bits are a bijection of n).
 */
#include <endian.h>
#include <string.h>

#include "base/time.h"
#include "record/record.h"
#include "weir/flow.h"

#define MIX_1 UINT64_C(0xbf58476d1ce4e5b9)
#define MIX_2 UINT64_C(0x94d049bb133111eb)
#define STEP  UINT64_C(0x9e3779b97f4a7c15) /* from one record to the next */

/* Bijection of 64 bits that mixes well (Stafford's variant 13 of the MurmurHash3 finaliser). */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= MIX_1;
	x ^= x >> 27;
	x *= MIX_2;
	return x ^ (x >> 31);
}

#define EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Of eight bytes below 128, which are more than `most`: 1 for each, else 0. */
static inline uint64_t over(uint64_t bytes, unsigned most)
{
	return ((bytes + EACH(0x7f - most)) >> 7) & EACH(1);
}

/*
 * The eight digits of 40 bits, most significant first: all at once, a byte each. The digits are 0 to 9 and the letters but I, L, O
 * and U: what is more than the digit before one of these (17 is H, 19 K, 21 N, 26 T) is one letter further on.
 */
static void put_base32(char *to, uint64_t bits)
{
	uint64_t text;

	bits = (bits & UINT64_C(0xfffff00000)) << 12 | (bits & UINT64_C(0xfffff));
	bits = (bits & UINT64_C(0x000ffc00000ffc00)) << 6 | (bits & UINT64_C(0x000003ff000003ff));
	bits = (bits & UINT64_C(0x03e003e003e003e0)) << 3 | (bits & UINT64_C(0x001f001f001f001f));
	text = bits + EACH('0');
	text += over(bits, 9) * ('A' - '9' - 1);
	text += over(bits, 17) + over(bits, 19) + over(bits, 21) + over(bits, 26);
	text = htobe64(text);
	memcpy(to, &text, sizeof(text));
}

void weir_flow_id(const struct weir_flow_info *flow, int64_t ts_ns, uint64_t n, char *ret_id)
{
	uint64_t ms = ts_ns < 0 ? 0 : (uint64_t)(ts_ns / NS_PER_MS);
	uint64_t low = mix(flow->hash + n * STEP);
	char time[8]; /* its highest ten bits are two digits */
	uint64_t high = mix(low ^ flow->hash ^ UINT64_C(0xd6e8feb86659fd93)) & 0xffff;

	/* int64 ns end in 2262: the time always fits the 48 bits */
	put_base32(time, ms >> 40);
	memcpy(ret_id, time + 6, 2);
	put_base32(ret_id + 2, ms & ((UINT64_C(1) << 40) - 1));
	put_base32(ret_id + 10, high << 24 | low >> 40);
	put_base32(ret_id + 18, low & ((UINT64_C(1) << 40) - 1));
}

/* The inverse of an odd number modulo 2^64, by Newton's method: each round doubles the bits that are right, from 3. */
static uint64_t inverse(uint64_t x)
{
	uint64_t y = x;
	int i;

	for (i = 0; i < 5; i++) {
		y *= 2 - x * y;
	}
	return y;
}

static uint64_t unmix(uint64_t x)
{
	x ^= x >> 31 ^ x >> 62;
	x *= inverse(MIX_2);
	x ^= x >> 27 ^ x >> 54;
	x *= inverse(MIX_1);
	return x ^ x >> 30 ^ x >> 60;
}

static uint64_t take_base32(const char *from, int n)
{
	uint64_t bits = 0;
	int i;

	for (i = 0; i < n; i++) {
		char c = from[i];
		unsigned digit = c <= '9' ? (unsigned)(c - '0') : (unsigned)(c - 'A') + 10;

		/* I L O U are no digits */
		digit -= c > 'I';
		digit -= c > 'L';
		digit -= c > 'O';
		digit -= c > 'U';
		bits = bits << 5 | (digit & 31);
	}
	return bits;
}

uint64_t record_id_number(const struct weir_flow_info *flow, const char *id)
{
	uint64_t low = take_base32(id + 10, 8) << 40 | take_base32(id + 18, 8);

	return (unmix(low) - flow->hash) * inverse(STEP);
}
