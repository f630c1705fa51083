/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Carries the verdicts of flow/tcp_state out: starts and feeds the halves, ends flows, writes `tcp` records.
 */
#ifndef ENGINE_TCP_H
#define ENGINE_TCP_H

#include "engine/flow.h"
#include "engine/front.h"
#include "weir/parser.h"

struct engine;
struct engine_flushed;
struct engine_stats;

extern const struct reasm_ops tcp_reasm_ops;
extern const struct weir_anomaly tcp_overlap_conflict;
extern const struct weir_anomaly tcp_rst_out_of_window;
extern const struct weir_anomaly ip_fragment_overlap;

/**
 * Handle a segment of a flow.
 * @return true: done; false: a new connection has taken the tuple over: the flow has been finalised (it is gone), and *ret_syn
 *         is the SYN that opened the new one (packet 0: none, the segment itself does). Its held payload is the caller's
 */
bool tcp_input(struct engine *engine, struct flow *flow, const struct item *item,
	       struct tcp_candidate *ret_syn);

/** A fresh flow begins with this earlier SYN, whose held payload moves to the flow. */
void tcp_seed(struct flow *flow, const struct tcp_candidate *syn);

/** The flow is over: declare what is missing, tell the session, free it. The entry stays, as a tombstone. */
void tcp_end(struct engine *engine, struct flow *flow, enum weir_close how);

/** End it if it has not ended, emit its record, and free the entry. */
void tcp_finalise(struct engine *engine, struct flow *flow, enum weir_close how);

/** What tcp_finalise() would count for a flow of one SYN. false: its record is wanted, it must be made */
bool tcp_count_lone_syn(struct engine *engine, enum weir_close how);

/** Nothing more of the flow is wanted: release what it holds. Its entry stays until it times out. */
void tcp_ignore(struct engine *engine, struct flow *flow);

/** Declare the holes that are older than a time; close the flow if it was idle since before it. It may be gone afterwards. */
void tcp_flush(struct engine *engine, struct flow *flow, int64_t before_ns,
	       struct engine_flushed *ret);

/** The flow's timer is due at deadline_ns. The flow may be gone afterwards. */
void tcp_timer(struct engine *engine, struct flow *flow, int64_t deadline_ns);

/** When the flow times out if nothing more comes, by its phase. */
int64_t tcp_idle_deadline(const struct engine *engine, const struct flow *flow);

/** Add the figures of a flow (ledger, retransmissions ...) to a total. */
void tcp_add_figures(struct engine_stats *stats, const struct flow *flow);

/** Take them away again: modulo 2^64. */
void tcp_take_figures(struct engine_stats *stats, const struct flow *flow);

/** Release held SYN payloads; they are counted as rejected. */
void tcp_drop_candidates(struct flow *flow);

#endif
