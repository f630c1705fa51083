/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overlap policies: see policy.h. One case a policy; bsd, linux, windows and solaris compare the extents.
 *
 * Novak & Sturges (2007) give Windows the results of BSD, and so do Snort and Suricata; it has a name of its own because users
 * know what a host runs, not whose rules that follows.
 */
#include "reasm/policy.h"

#include <assert.h>
#include <string.h>

#define EVIDENCE_MAX 64 /* bytes of each copy in an event */

bool reasm_policy_prefers_newer(enum weir_overlap_policy policy, const struct reasm_claim *older,
				const struct reasm_claim *newer)
{
	assert(older->lo < newer->hi && newer->lo < older->hi);
	switch (policy) {
	case WEIR_OVERLAP_LAST:
		return true;
	case WEIR_OVERLAP_BSD:
	case WEIR_OVERLAP_WINDOWS:
		return newer->lo < older->lo;
	case WEIR_OVERLAP_LINUX:
		return newer->lo < older->lo || (newer->lo == older->lo && newer->hi > older->hi);
	case WEIR_OVERLAP_SOLARIS:
		/* one that lies within an older one, or ends with it, has nothing to say */
		return newer->lo <= older->lo ? newer->hi >= older->hi : newer->hi > older->hi;
	case WEIR_OVERLAP_FIRST:
		break;
	}
	return false;
}

/* @return how many bytes differ; the first one's index through ret_first */
static size_t count_differing(const uint8_t *a, const uint8_t *b, size_t len, size_t *ret_first)
{
	size_t i, n = 0;

	if (memcmp(a, b, len) == 0) {
		return 0;
	}
	for (i = 0; i < len; i++) {
		if (a[i] != b[i] && n++ == 0) {
			*ret_first = i;
		}
	}
	return n;
}

void reasm_policy_resolve(struct reasm_pool *pool, struct reasm_half *half, void *owner,
			  struct reasm_node *node, const struct reasm_run *run,
			  struct weir_ledger *ledger)
{
	struct reasm_claim newer = {.lo = run->offset, .hi = run->offset + run->len}, older;
	uint64_t at = newer.lo > node->offset ? newer.lo : node->offset;
	bool told = false;

	while (at < newer.hi && at < reasm_node_end(node)) {
		unsigned i = reasm_node_mark_index(node, at);
		const uint8_t *theirs = run->data + (at - newer.lo);
		uint8_t *ours = reasm_node_data(node) + (at - node->offset);
		size_t len, differing, first = 0;
		bool replace;

		older.lo = reasm_node_marks(node)[i].offset;
		older.hi = i + 1u < node->nmarks ? reasm_node_marks(node)[i + 1].offset
						 : reasm_node_end(node);
		len = (older.hi < newer.hi ? older.hi : newer.hi) - at;
		differing = count_differing(ours, theirs, len, &first);
		ledger->overlap += differing;
		ledger->duplicate += len - differing;
		replace = differing > 0 && reasm_policy_prefers_newer(half->policy, &older, &newer);
		if (differing > 0 && !told) {
			size_t n = len - first < EVIDENCE_MAX ? len - first : EVIDENCE_MAX;

			pool->ops->overlap(
				owner, half, at + first, (replace ? theirs : ours) + first,
				(replace ? ours : theirs) + first, n, run->marks,
				replace ? run->marks->packet : reasm_node_marks(node)[i].packet);
			told = true;
		}
		if (replace) {
			memcpy(ours, theirs, len);
			reasm_node_remark(pool, half->queue, node, at, at + len, run->marks);
		}
		at += len;
	}
}
