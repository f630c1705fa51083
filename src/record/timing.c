/* SPDX-License-Identifier: Apache-2.0 */
/* See timing.h. */
#include "record/timing.h"

void record_set_timing(struct weir_record *rec, const struct record_span *request,
		       const struct record_span *response, int64_t waited_ns)
{
	struct record_filling filling = record_begin(rec);

	record_fill_timing(&filling, request, response, waited_ns);
	record_end(rec, &filling);
}

void record_set_figures(struct weir_record *rec, const struct weir_tcp_figures *then,
			const struct weir_tcp_figures *now)
{
	struct record_filling filling = record_begin(rec);

	record_fill_figures(&filling, then, now);
	record_end(rec, &filling);
}
