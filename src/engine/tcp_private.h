/* SPDX-License-Identifier: Apache-2.0 */
/* What the files engine/tcp*.c share. */
#ifndef ENGINE_TCP_PRIVATE_H
#define ENGINE_TCP_PRIVATE_H

#include "engine/flow.h"
#include "engine/front.h"

/** Hand a segment to the half of its sender; make room as long as the budget is spent, in the end count it as rejected. */
void tcp_push(struct flow *flow, uint8_t side, const struct reasm_seg *seg);

/** Declare what is due; packet: one more packet of the flow has gone by. */
void tcp_poll_holes(struct flow *flow, int64_t now_ns, bool packet);

/** Keep a SYN, with its payload. @return false: there is no memory for it */
bool tcp_hold_syn(struct flow *flow, const struct item *item, const struct tcp_candidate *syn);

/** Release a candidate; what is beyond the `taken` first bytes of its payload is counted as rejected. */
void tcp_free_candidate(struct flow *flow, struct tcp_candidate *c, uint32_t taken);

/**
 * Only one direction was captured, and nothing came after a SYN with data: nobody will say whether it was taken, so it is.
 */
void tcp_take_lone_syn(struct engine *engine, struct flow *flow, enum weir_close how);

/** Nobody reads any field of `tcp` records: one more is only counted. false: it must be made */
bool tcp_count_record(struct engine *engine);

/** The `tcp` record of an ended flow. */
void tcp_emit_record(struct engine *engine, struct flow *flow);

#endif
