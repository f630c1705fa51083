/* SPDX-License-Identifier: Apache-2.0 */
/* A pipeline a ring: see fanout.h. */
#include "app/fanout.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app/ring_flows.h"
#include "weir/error.h"

struct fanout;

/* One ring, and the thread that reads it. */
struct reader {
	struct fanout *fanout;
	struct capture *capture;
	struct pipeline_options options;
	struct weir_config config;
	struct pipeline_result result;
	atomic_uint_fast64_t packets; /* so far */
	unsigned looked;              /* how often its figures were asked for and given */
	pthread_t thread;
	bool running;
	int err;
};

struct fanout {
	const struct pipeline_options *options; /* the caller's */
	struct pipeline_shared shared;
	pthread_mutex_t records; /* all that the caller is called with, but for packets */
	struct reader *readers;
	unsigned n;
	atomic_uint looks; /* how often figures were asked for */
	unsigned missing;  /* readers that have not given theirs; under `records` */
	struct pipeline_result so_far;
};

/* ---- sums ---- */

static void add_counters(uint64_t *to, const uint64_t *from, size_t size)
{
	size_t i;

	for (i = 0; i < size / sizeof(*to); i++) {
		to[i] += from[i];
	}
}

static void add_front(struct front_stats *to, const struct front_stats *from)
{
	uint64_t snaplen = to->snaplen > from->snaplen ? to->snaplen : from->snaplen;

	_Static_assert(sizeof(*to) % sizeof(uint64_t) == 0, "all counters are uint64_t");
	add_counters((uint64_t *)to, (const uint64_t *)from, sizeof(*to));
	to->snaplen = snaplen;
}

static void add_result(struct pipeline_result *to, const struct pipeline_result *from)
{
	_Static_assert(sizeof(to->defrag) % sizeof(uint64_t) == 0, "all counters are uint64_t");
	add_front(&to->front, &from->front);
	add_counters((uint64_t *)&to->defrag, (const uint64_t *)&from->defrag, sizeof(to->defrag));
	tunnels_add(&to->tunnels, &from->tunnels);
	engine_stats_add(&to->engine, &from->engine);
	to->drops += from->drops;
	to->kernel_drops += from->kernel_drops;
	to->interface_drops += from->interface_drops;
	to->memory_peak += from->memory_peak;
	to->truncated = to->truncated || from->truncated;
	to->stopped = to->stopped || from->stopped;
	if (to->message[0] == '\0') {
		memcpy(to->message, from->message, sizeof(to->message));
	}
}

/* ---- what the pipelines call, each on its own thread ---- */

static void on_record(void *context, const struct weir_record *rec)
{
	struct fanout *fanout = ((struct reader *)context)->fanout;

	pthread_mutex_lock(&fanout->records);
	fanout->options->record(fanout->options->context, rec);
	pthread_mutex_unlock(&fanout->records);
}

static bool wants(void *context, const struct weir_schema *schema, size_t field)
{
	struct fanout *fanout = ((struct reader *)context)->fanout;

	return fanout->options->wants(fanout->options->context, schema, field);
}

static bool reads_tcp(void *context)
{
	struct fanout *fanout = ((struct reader *)context)->fanout;

	return fanout->options->reads_tcp(fanout->options->context);
}

static void on_settled(void *context)
{
	struct fanout *fanout = ((struct reader *)context)->fanout;

	pthread_mutex_lock(&fanout->records);
	fanout->options->settled(fanout->options->context);
	pthread_mutex_unlock(&fanout->records);
}

/* The first reader tells of all. */
static void on_progress(void *context, const struct pipeline_progress *progress)
{
	struct reader *reader = context;
	struct fanout *fanout = reader->fanout;
	struct pipeline_progress sum = *progress;
	unsigned i;

	atomic_store_explicit(&reader->packets, progress->packets, memory_order_relaxed);
	if (reader != &fanout->readers[0]) {
		return;
	}
	sum.packets = 0;
	for (i = 0; i < fanout->n; i++) {
		sum.packets +=
			atomic_load_explicit(&fanout->readers[i].packets, memory_order_relaxed);
	}
	fanout->options->progress(fanout->options->context, &sum);
}

/* The first reader asks; then each gives its figures, and the last of them passes on the sum. */
static bool wants_figures(void *context)
{
	struct reader *reader = context;
	struct fanout *fanout = reader->fanout;

	if (reader == &fanout->readers[0]) {
		bool idle, asked;

		/* the writer of packets may be reopened in there */
		pthread_mutex_lock(&fanout->shared.packets);
		asked = fanout->options->wants_figures(fanout->options->context);
		pthread_mutex_unlock(&fanout->shared.packets);
		pthread_mutex_lock(&fanout->records);
		idle = fanout->missing == 0;
		if (asked && idle) {
			memset(&fanout->so_far, 0, sizeof(fanout->so_far));
			fanout->missing = fanout->n;
			atomic_fetch_add(&fanout->looks, 1);
		}
		pthread_mutex_unlock(&fanout->records);
	}
	return reader->looked != atomic_load(&fanout->looks);
}

static void on_figures(void *context, const struct pipeline_result *so_far)
{
	struct reader *reader = context;
	struct fanout *fanout = reader->fanout;

	reader->looked++;
	pthread_mutex_lock(&fanout->records);
	assert(fanout->missing > 0);
	add_result(&fanout->so_far, so_far);
	if (--fanout->missing == 0) {
		fanout->so_far.two_rings = ring_flows_count(fanout->shared.flows);
		fanout->options->figures(fanout->options->context, &fanout->so_far);
	}
	pthread_mutex_unlock(&fanout->records);
}

/* ---- life ---- */

static void *reader_main(void *context)
{
	struct reader *reader = context;

	reader->err = pipeline_run(&reader->options, &reader->result);
	/* one that fails ends all: half of the flows would be told as if they were all */
	if (reader->err < 0) {
		atomic_store(&reader->fanout->shared.full, true);
	}
	return NULL;
}

static void set_up(struct fanout *fanout, unsigned i)
{
	const struct pipeline_options *options = fanout->options;
	struct reader *reader = &fanout->readers[i];

	reader->fanout = fanout;
	reader->capture = options->inputs[i];
	reader->config = *options->config;
	reader->config.memory /= fanout->n;
	reader->options = *options;
	reader->options.config = &reader->config;
	reader->options.shared = &fanout->shared;
	reader->options.ring = i;
	reader->options.inputs = &reader->capture;
	reader->options.ninputs = 1;
	reader->options.nworkers = 1;
	reader->options.desks = NULL;
	reader->options.record = on_record;
	reader->options.wants = options->wants == NULL ? NULL : wants;
	reader->options.reads_tcp = options->reads_tcp == NULL ? NULL : reads_tcp;
	reader->options.progress = options->progress == NULL ? NULL : on_progress;
	reader->options.wants_figures = options->wants_figures == NULL ? NULL : wants_figures;
	reader->options.figures = on_figures;
	reader->options.settled = options->settled == NULL ? NULL : on_settled;
	reader->options.context = reader;
}

static int start_all(struct fanout *fanout)
{
	sigset_t all, before;
	unsigned i;
	int err = 0;

	/* signals are for the thread that waits for the others */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (i = 0; i < fanout->n && err == 0; i++) {
		struct reader *reader = &fanout->readers[i];

		err = pthread_create(&reader->thread, NULL, reader_main, reader);
		reader->running = err == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0) {
		atomic_store(&fanout->shared.full, true);
	}
	return err == 0 ? 0 : WEIR_ENOMEM;
}

static int end_all(struct fanout *fanout, struct pipeline_result *ret)
{
	int err = 0;
	unsigned i;

	for (i = 0; i < fanout->n; i++) {
		struct reader *reader = &fanout->readers[i];

		if (reader->running) {
			pthread_join(reader->thread, NULL);
			add_result(ret, &reader->result);
			err = err == 0 ? reader->err : err;
		}
	}
	ret->two_rings = ring_flows_count(fanout->shared.flows);
	return err;
}

int fanout_run(const struct pipeline_options *options, struct pipeline_result *ret)
{
	struct fanout fanout = {.options = options, .n = (unsigned)options->ninputs};
	uint64_t seed = 0;
	int err = WEIR_ENOMEM, ended;
	unsigned i;

	assert(fanout.n >= 1 && fanout.n <= RING_FLOWS_MAX_RINGS);
	memset(ret, 0, sizeof(*ret));
	/* all alike, so that a tuple has one hash */
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		seed = (uint64_t)(uintptr_t)options;
	}
	fanout.shared.seed = seed;
	pthread_mutex_init(&fanout.shared.packets, NULL);
	pthread_mutex_init(&fanout.records, NULL);
	fanout.shared.flows = ring_flows_new();
	fanout.readers = calloc(fanout.n, sizeof(*fanout.readers));
	if (fanout.shared.flows != NULL && fanout.readers != NULL) {
		for (i = 0; i < fanout.n; i++) {
			set_up(&fanout, i);
		}
		err = start_all(&fanout);
		ended = end_all(&fanout, ret);
		err = err < 0 ? err : ended;
		if (pipeline_finish_packets(options, ret) < 0 && err == 0) {
			err = WEIR_EIO;
		}
	}
	free(fanout.readers);
	ring_flows_free(fanout.shared.flows);
	pthread_mutex_destroy(&fanout.records);
	pthread_mutex_destroy(&fanout.shared.packets);
	return err;
}
