/* SPDX-License-Identifier: Apache-2.0 */
/* See timing.h. */
#include "record/timing.h"

void record_set_timing(struct weir_record *rec, const struct record_span *request,
		       const struct record_span *response, int64_t waited_ns)
{
	int64_t stall = 0;

	if (request->begun) {
		weir_record_set_i64(rec, WEIR_F_TIMING_SEND, request->last_ns - request->first_ns);
		stall += request->stall_ns;
	}
	if (response->begun) {
		weir_record_set_i64(rec, WEIR_F_TIMING_RECEIVE,
				    response->last_ns - response->first_ns);
		stall += response->stall_ns;
	}
	if (request->begun && response->begun) {
		int64_t duration = response->last_ns - request->first_ns;

		/* a hole before the first byte blocked it, too */
		stall += waited_ns > 0 ? waited_ns : 0;
		weir_record_set_i64(rec, WEIR_F_TIMING_WAIT, response->first_ns - request->last_ns);
		weir_record_set_i64(rec, WEIR_F_DURATION, duration);
		stall = stall > duration ? duration : stall;
	}
	weir_record_set_i64(rec, WEIR_F_TIMING_STALL, stall < 0 ? 0 : stall);
}

void record_set_figures(struct weir_record *rec, const struct weir_tcp_figures *then,
			const struct weir_tcp_figures *now)
{
	if (now->rtt_ns >= 0) {
		weir_record_set_i64(rec, WEIR_F_TCP_RTT, now->rtt_ns);
	}
	weir_record_set_u64(rec, WEIR_F_TCP_RETRANSMITS, now->retransmits - then->retransmits);
	weir_record_set_u64(rec, WEIR_F_TCP_OUT_OF_ORDER, now->out_of_order - then->out_of_order);
	weir_record_set_u64(rec, WEIR_F_TCP_GAPS, now->gaps - then->gaps);
}
