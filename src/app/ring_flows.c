/* SPDX-License-Identifier: Apache-2.0 */
/* See ring_flows.h. */
#include "app/ring_flows.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { NSLOTS = 1 << 20, RING = 0x1f, COUNTED = 0x80, LOW = 0xff };

/* A slot is chosen by the hash's low bits and holds the others; in place of the lowest eight: the ring from 1 on, and whether the
 * flow has been counted. 0: empty. */
struct ring_flows {
	atomic_uint_fast64_t count;
	atomic_uint_fast64_t slots[NSLOTS];
};

struct ring_flows *ring_flows_new(void)
{
	return calloc(1, sizeof(struct ring_flows));
}

void ring_flows_free(struct ring_flows *flows)
{
	free(flows);
}

void ring_flows_note(struct ring_flows *flows, uint64_t hash, unsigned ring)
{
	atomic_uint_fast64_t *slot = &flows->slots[hash & (NSLOTS - 1)];
	uint_fast64_t now = atomic_load_explicit(slot, memory_order_relaxed);
	uint64_t mine = (hash & ~(uint64_t)LOW) | (ring + 1);

	if (((now ^ mine) & ~(uint64_t)LOW) != 0 || (now & RING) == 0) {
		atomic_store_explicit(slot, mine, memory_order_relaxed);
		return;
	}
	if ((now & RING) == ring + 1 || (now & COUNTED) != 0) {
		return;
	}
	/* who marks it counts it */
	if (atomic_compare_exchange_strong_explicit(slot, &now, now | COUNTED, memory_order_relaxed,
						    memory_order_relaxed)) {
		(void)atomic_fetch_add_explicit(&flows->count, 1, memory_order_relaxed);
	}
}

uint64_t ring_flows_count(const struct ring_flows *flows)
{
	return atomic_load_explicit(&flows->count, memory_order_relaxed);
}
