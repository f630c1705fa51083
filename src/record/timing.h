/* SPDX-License-Identifier: Apache-2.0 */
/* The common fields about time and about the flow, which every kind of exchange fills in alike (CONTRACT.md §3). */
#ifndef RECORD_TIMING_H
#define RECORD_TIMING_H

#include "record/record.h"
#include "weir/parser.h"

/* One direction of an exchange. */
struct record_span {
	int64_t first_ns; /* capture time of its first and last byte */
	int64_t last_ns;
	int64_t stall_ns; /* how long a hole kept its bytes back */
	bool begun;       /* else the rest means nothing */
};

/**
 * send + wait + receive = duration; stall is part of each.
 * @param waited_ns how long a hole kept back the first byte of the response; below 0: not at all
 */
static inline void record_fill_timing(struct record_filling *filling,
				      const struct record_span *request,
				      const struct record_span *response, int64_t waited_ns)
{
	int64_t stall = 0;

	if (request->begun) {
		record_fill_i64(filling, WEIR_F_TIMING_SEND, request->last_ns - request->first_ns);
		stall += request->stall_ns;
	}
	if (response->begun) {
		record_fill_i64(filling, WEIR_F_TIMING_RECEIVE,
				response->last_ns - response->first_ns);
		stall += response->stall_ns;
	}
	if (request->begun && response->begun) {
		int64_t duration = response->last_ns - request->first_ns;

		/* a hole before the first byte blocked it, too */
		stall += waited_ns > 0 ? waited_ns : 0;
		record_fill_i64(filling, WEIR_F_TIMING_WAIT, response->first_ns - request->last_ns);
		record_fill_i64(filling, WEIR_F_DURATION, duration);
		stall = stall > duration ? duration : stall;
	}
	record_fill_i64(filling, WEIR_F_TIMING_STALL, stall < 0 ? 0 : stall);
}

void record_set_timing(struct weir_record *rec, const struct record_span *request,
		       const struct record_span *response, int64_t waited_ns);

/** tcp.*: of the flow since `then`. */
static inline void record_fill_figures(struct record_filling *filling,
				       const struct weir_tcp_figures *then,
				       const struct weir_tcp_figures *now)
{
	if (now->rtt_ns >= 0) {
		record_fill_i64(filling, WEIR_F_TCP_RTT, now->rtt_ns);
	}
	record_fill_u64(filling, WEIR_F_TCP_RETRANSMITS, now->retransmits - then->retransmits);
	record_fill_u64(filling, WEIR_F_TCP_OUT_OF_ORDER, now->out_of_order - then->out_of_order);
	record_fill_u64(filling, WEIR_F_TCP_GAPS, now->gaps - then->gaps);
}

void record_set_figures(struct weir_record *rec, const struct weir_tcp_figures *then,
			const struct weir_tcp_figures *now);

#endif
