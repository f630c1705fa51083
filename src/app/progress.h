/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far the run is, on stderr (UI.md §5). On a terminal one line that is rewritten ten times a second at most and cleared
 * at the end; `plain` and `json` are a line a second for logs and programs.
 */
#ifndef APP_PROGRESS_H
#define APP_PROGRESS_H

#include <stdio.h>

#include "app/options.h"
#include "app/pipeline.h"

struct progress {
	FILE *out;
	enum options_progress form; /* AUTO: the line that is rewritten */
	bool ascii;
	bool shown;
	uint64_t size; /* of all inputs; 0: not known */
	int64_t begin_ns;
	int64_t last_ns; /* when it was last written */
	uint64_t last_bytes;
	uint64_t last_packets;
	double bytes_per_s; /* smoothed */
	double packets_per_s;
	unsigned turn; /* of the spinner */
};

/**
 * @param form  what was asked for; AUTO becomes NONE unless `tty` (records go elsewhere, and stderr is a terminal)
 * @param size  bytes of all inputs; 0: not known
 */
void progress_init(struct progress *progress, const struct options *options, bool tty,
		   uint64_t size);

/** Write when it is time to. transactions: records of requests so far. now_ns: of a monotonic clock */
void progress_update(struct progress *progress, const struct pipeline_progress *run,
		     uint64_t transactions, int64_t now_ns);

/** Clear the line, so that something else can be written. */
void progress_clear(struct progress *progress);

#endif
