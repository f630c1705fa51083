/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identities of flows and records: ULIDs (Crockford base 32: 10 characters of milliseconds, then 16 of 80 bits), so that
 * they sort by time and stores can index them as text.
 *
 * Deviation: a ULID's 80 bits are random; ours come from the flow's hash and the record's number in it, because the same
 * capture must give the same ids. Two records of one flow never collide (the 64 low bits are a bijection of n).
 */
#include "base/time.h"
#include "weir/flow.h"

/* Bijection of 64 bits that mixes well (Stafford's variant 13 of the MurmurHash3 finaliser). */
static uint64_t mix(uint64_t x)
{
	x ^= x >> 30;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	x ^= x >> 27;
	x *= UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* The lowest n * 5 bits, most significant first. */
static void put_base32(char *to, uint64_t bits, int n)
{
	static const char digit[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

	while (n-- > 0) {
		to[n] = digit[bits & 31];
		bits >>= 5;
	}
}

void weir_flow_id(const struct weir_flow_info *flow, int64_t ts_ns, uint64_t n, char *ret_id)
{
	uint64_t ms = ts_ns < 0 ? 0 : (uint64_t)(ts_ns / NS_PER_MS);
	uint64_t low = mix(flow->hash + n * UINT64_C(0x9e3779b97f4a7c15));
	uint64_t high = mix(low ^ flow->hash ^ UINT64_C(0xd6e8feb86659fd93)) & 0xffff;

	/* int64 ns end in 2262: the time always fits the 48 bits */
	put_base32(ret_id, ms, 10);
	put_base32(ret_id + 10, high << 24 | low >> 40, 8);
	put_base32(ret_id + 18, low & ((UINT64_C(1) << 40) - 1), 8);
}
