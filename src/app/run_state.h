/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has, shared by the files that it is made of: run.c, run_open.c and run_rights.c. Nobody else includes this. */
#ifndef APP_RUN_STATE_H
#define APP_RUN_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "app/desk.h"
#include "app/exit_status.h"
#include "app/health.h"
#include "app/output.h"
#include "app/pipeline.h"
#include "app/privs.h"
#include "app/progress.h"
#include "app/summary.h"

struct run {
	const struct options *options;
	struct output output;
	struct summary summary;
	struct capture *inputs[OPTIONS_MAX_INPUTS];
	size_t ninputs;
	bool live;
	char *filter_text; /* owned */
	struct filter *filter;
	struct writer *writer;
	struct keeper *keeper;
	struct privs_needs needs;
	char *directories[PRIVS_MAX_PATHS]; /* owned, behind needs */
	size_t ndirectories;
	struct desks desks;                /* none: records come to on_record() */
	atomic_uint_fast64_t transactions; /* that came there */
	/* what the next figures are for; set by who reads, taken by who has the records */
	atomic_bool show_summary;
	atomic_bool show_ticker;
	atomic_bool reopen;
	pthread_mutex_t terminal; /* stderr: the progress line and what is written between */
	struct progress progress;
	int64_t begin_ns;
	int64_t ticker_ns;          /* when the last line was written */
	struct engine_stats ticked; /* as of then */
	struct health health;
	int64_t health_ns; /* when it was last asked for */
	atomic_bool show_health;
	uint64_t told; /* interfaces that went away */
};

/** Below the error on stderr: what helps against an errno; nothing when there is no such advice. */
void run_print_fix(int error);

/** A sink's message, perhaps from its own thread; it goes to stderr without disturbing the progress line. `context` is the run. */
void run_say(void *context, const char *text);

/** Does the summary or an output read a field? `context` is the run. */
bool run_wants(void *context, const struct weir_schema *schema, size_t field);

/*
 * Opening. Each returns 0, EXIT_ERROR or EXIT_USAGE, and has said on stderr what was wrong; what was opened is closed at the end of the
 * run.
 */

/** The capture filter of -f or its file. */
int run_open_filter(struct run *run);
/** Files, or interfaces. Behind the filter. */
int run_open_inputs(struct run *run);
/** -w. Behind the inputs, as is the next. */
int run_open_writer(struct run *run);
/** --ring */
int run_open_keeper(struct run *run);

/** Give up the rights that what was opened does not need. @return 0 or EXIT_ERROR, and it is said why */
int run_drop_rights(struct run *run);

#endif
