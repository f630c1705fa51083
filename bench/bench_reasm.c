/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nanoseconds a segment of reassembly alone, for a few orders of arrival. Not in the suite. The bytes are the same ones each
 * time and stay in the cache: this measures the bookkeeping and the one copy of what waits, not memory.
 *
 *	ninja -C build bench_reasm && build/bench_reasm
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "reasm/half.h"

#define SEGMENTS (1u << 23)

static uint64_t sum;

static void on_data(void *owner, struct reasm_half *half, const struct weir_chunk *chunk)
{
	sum += chunk->len + chunk->data[0];
}

static void on_gap(void *owner, struct reasm_half *half, uint64_t offset, uint64_t length,
		   enum weir_gap_cause cause, const struct weir_mark *mark)
{
	sum += length;
}

static void on_overlap(void *owner, struct reasm_half *half, uint64_t offset, const uint8_t *kept,
		       const uint8_t *lost, size_t len, const struct weir_mark *mark)
{
}

static void on_end(void *owner, struct reasm_half *half)
{
}

static const struct reasm_ops ops = {on_data, on_gap, on_overlap, on_end};

/* Which segment arrives as the i-th. */
static uint32_t in_order(uint32_t i)
{
	return i;
}

static uint32_t swapped(uint32_t i)
{
	return i ^ 1;
}

static uint32_t one_late_of_64(uint32_t i)
{
	return (i & 63) == 63 ? i & ~63u : i + 1; /* the first of each 64 comes last */
}

static uint32_t reversed_64(uint32_t i)
{
	return i ^ 63;
}

static const struct {
	const char *name;
	uint32_t (*order)(uint32_t i);
} orders[] = {
	{"in order", in_order},
	{"swapped pairs", swapped},
	{"one late of 64", one_late_of_64},
	{"64 reversed", reversed_64},
};

static double measure(uint32_t (*order)(uint32_t i), uint32_t len, uint32_t ring, bool whole)
{
	static uint8_t data[2048];
	struct budget budget;
	struct reasm_pool pool;
	struct reasm_half half;
	struct reasm_seg seg = {.data = data, .len = len, .caplen = len};
	struct timespec from, to;
	uint32_t i;

	budget_init(&budget, 64 << 20, NULL);
	reasm_pool_init(&pool, &budget, &ops);
	if (ring > 0) {
		(void)reasm_pool_ring(&pool, ring, whole);
	}
	reasm_half_init(&half, 0);
	reasm_half_start(&half, 0);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	for (i = 0; i < SEGMENTS; i++) {
		seg.seq = order(i) * len;
		seg.packet = i;
		(void)reasm_half_push(&half, &pool, NULL, &seg);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	reasm_half_fini(&half, &pool);
	reasm_pool_fini(&pool);
	return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) /
	       SEGMENTS;
}

int main(void)
{
	static const uint32_t lens[] = {64, 1448};
	size_t i, k;

	printf("%-16s %6s %10s %10s %10s   ns a segment\n", "order", "bytes", "", "ring", "whole");
	for (i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		for (k = 0; k < sizeof(lens) / sizeof(lens[0]); k++) {
			printf("%-16s %6u %10.1f %10.1f %10.1f\n", orders[i].name, lens[k],
			       measure(orders[i].order, lens[k], 0, false),
			       measure(orders[i].order, lens[k], 256, false),
			       measure(orders[i].order, lens[k], 256, true));
		}
	}
	return sum == 0;
}
