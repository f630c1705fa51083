/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows whose packets come on two of the kernel's rings. With fanout each ring has an engine of its own, so such a flow is two
 * halves: they are counted, because nothing else would tell.
 *
 * A table of fixed size remembers on which ring a tuple was last seen: a flow that another one has taken the place of may be
 * counted again, or missed. Lock-free: all rings' threads use it.
 */
#ifndef APP_RING_FLOWS_H
#define APP_RING_FLOWS_H

#include <stdint.h>

struct ring_flows;

enum { RING_FLOWS_MAX_RINGS = 16 };

/** NULL without memory. */
struct ring_flows *ring_flows_new(void);
void ring_flows_free(struct ring_flows *flows);

/** A packet of the tuple with this hash (the same for both directions) came on this ring, 0 to 15. */
void ring_flows_note(struct ring_flows *flows, uint64_t hash, unsigned ring);

/** Flows that came on two. */
uint64_t ring_flows_count(const struct ring_flows *flows);

#endif
