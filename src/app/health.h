/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the capture is doing, for stores: what the summary's figures have grown by, every ten seconds and at the end, as a record of a
 * type of its own that only sinks with `health` get. What weir could not see is in there by name.
 */
#ifndef APP_HEALTH_H
#define APP_HEALTH_H

#include "app/output.h"
#include "app/summary.h"
#include "base/arena.h"

enum { HEALTH_FIGURES = 320, HEALTH_NAME = 64 };

#define HEALTH_NS (10 * NS_PER_S)

struct health {
	struct health_figure {
		char name[HEALTH_NAME];
		uint64_t value;
	} before[HEALTH_FIGURES]; /* told already */
	size_t n;
	uint64_t packets, bytes; /* told already */
	int64_t newest_ns;       /* ts of the newest record; INT64_MIN: none */
};

void health_init(struct health *health);

/**
 * Tell the sinks that ask for it what has come since the last call. From the thread that records come on.
 * @param now_ns the time that it is told for: of a live capture the clock; of a file the newest record's
 */
void health_give(struct health *health, const struct summary *summary, int64_t now_ns,
		 struct output *output);

#endif
