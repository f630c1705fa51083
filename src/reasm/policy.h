/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who wins when two segments claim the same bytes before delivery (Novak & Sturges, "Target-Based TCP Stream Reassembly").
 *
 * The decision is made for each pair of an older and a newer segment by their extents: that is all that the policies of
 * operating systems look at. An older segment's extent is what its mark holds for, so coalescing does not blur it.
 */
#ifndef REASM_POLICY_H
#define REASM_POLICY_H

#include "reasm/segq.h"

/* What one segment claims: [lo, hi) in stream space. */
struct reasm_claim {
	uint64_t lo;
	uint64_t hi;
};

/** Does the newer segment's copy replace the older one where they overlap? */
bool reasm_policy_prefers_newer(enum weir_overlap_policy policy, const struct reasm_claim *older,
				const struct reasm_claim *newer);

/**
 * Compare a segment with the bytes that wait in one interval, where they overlap: equal ones are counted as duplicate,
 * different ones as overlap and told once (ops->overlap); the policy says whose are kept.
 * @param run   the segment: its bytes and its one mark
 */
void reasm_policy_resolve(struct reasm_pool *pool, struct reasm_half *half, void *owner,
			  struct reasm_node *node, const struct reasm_run *run,
			  struct weir_ledger *ledger);

#endif
