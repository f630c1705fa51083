/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker does with its records by itself, before all workers' are put in order: it filters them, counts them for the summary, and
 * makes the text that the sink will write. Each worker has a desk, and what was counted is added up when it is asked for.
 *
 * That fits where one sink writes text and needs nothing but the record for it; else records themselves are put in order
 * (output_formats()).
 */
#ifndef APP_DESK_H
#define APP_DESK_H

#include <stdatomic.h>

#include "app/output.h"
#include "app/summary.h"

struct desk_figures {
	struct summary_records records;
	struct weir_record_key first[SUMMARY_TYPES]; /* of each row of `records` */
	struct output_filter filter;                 /* its counts */
};

enum { DESK_LINES = 128 /* bytes of two cache lines: what another thread writes is not between */ };

struct desk {
	_Alignas(DESK_LINES) struct output *output;
	struct output_filter filter;
	const struct output_sink *writer; /* NULL: nothing is written */
	const struct weir_formatter_type *type;
	struct weir_formatter *formatter;
	struct desk_figures now;
	struct desk_figures told;          /* as of desk_note() */
	atomic_uint_fast64_t transactions; /* for the line of progress */
};

/* One a worker. All zero: none */
struct desks {
	struct desk *at;
	size_t n;
	void *contexts[ENGINE_SHARDS]; /* pipeline_options.desks */
};

/**
 * When the sinks are open.
 * @return 0; none are made for one worker. WEIR_ENOMEM, WEIR_EUNSUPPORTED (the output wants records): there are none
 */
int desks_open(struct desks *desks, unsigned nworkers, struct output *output);
void desks_close(struct desks *desks);

/** pipeline_options.prepare and .note; context is the desk */
int desk_prepare(void *context, const struct weir_record *rec, struct strbuf *text);
void desk_note(void *context);

/** What all of them noted is added to the summary's records and the filter's counts. */
void desks_gather(const struct desks *desks, struct summary_records *ret_records,
		  struct output_filter *ret_filter);
uint64_t desks_transactions(const struct desks *desks);

#endif
