/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of doubtful checksum, kept until the peer has spoken.
 *
 * Captures on the host itself show packets that segmentation offload has merged or not finished: their checksums are wrong
 * though the endpoint took them, and the same direction's small packets have good ones. An injected packet with a bad checksum
 * looks the same. What tells them apart is the peer: when it acknowledges bytes that no other captured segment brought, it had
 * them from this one. So with `-k auto` such a segment is kept aside (bounded), and
 *   taken     when the peer has acknowledged all of it and it is still missing
 *   rejected  (checksum) when its bytes came otherwise, when the flow ends (unless the capture just stops behind it), or when the bound bites (oldest first)
 */
#ifndef ENGINE_DOUBT_H
#define ENGINE_DOUBT_H

#include "engine/flow.h"
#include "reasm/half.h"

enum { DOUBT_BYTES = 1 << 20 }; /* of payload kept for a flow */

/** Keep a segment. false: it cannot be kept, the caller rejects it */
bool doubt_keep(struct flow *flow, uint8_t side, const struct reasm_seg *seg);

/** Decide what can be decided now. @return segments that were taken */
unsigned doubt_settle(struct flow *flow, int64_t now_ns);

/**
 * The flow ends: reject what is left.
 * @param silent the capture, or the patience, ended before the peer could speak: what continues the stream exactly is taken
 * @return segments that were taken
 */
unsigned doubt_finish(struct flow *flow, int64_t now_ns, bool silent);

#endif
