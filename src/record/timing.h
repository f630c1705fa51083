/* SPDX-License-Identifier: Apache-2.0 */
/* The common fields about time and about the flow, which every kind of exchange fills in alike (CONTRACT.md §3). */
#ifndef RECORD_TIMING_H
#define RECORD_TIMING_H

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
void record_set_timing(struct weir_record *rec, const struct record_span *request,
		       const struct record_span *response, int64_t waited_ns);

/** tcp.*: of the flow since `then`. */
void record_set_figures(struct weir_record *rec, const struct weir_tcp_figures *then,
			const struct weir_tcp_figures *now);

#endif
