/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading: inputs → batches → front → items, given to the workers or handled by the only one.
 *
 * It goes in steps of one batch at most, so that any thread can take the next one (pipeline_private.h). What is not packets goes
 * the same way, in batches of its own: figures are asked for behind all that was read, and a pipe that gives nothing lets
 * out what was read so far.
 */
#include <stdio.h>
#include <string.h>

#include "app/pipeline_private.h"
#include "app/ring_flows.h"
#include "weir/error.h"

enum { PARCELS_AHEAD = 8, MOMENTS_AHEAD = 16 };

/* One that is free: the last that this worker has filled, for what is his in it is in his cache. Call with the lock. */
static struct batch *take_free(struct pipeline *pipeline)
{
	size_t best = pipeline->nfree - 1, k;
	struct batch *batch;

	for (k = pipeline->nfree; k-- > 0;) {
		if (pipeline->free[k]->reader == pipeline->reading.by) {
			best = k;
			break;
		}
	}
	batch = pipeline->free[best];
	pipeline->free[best] = pipeline->free[--pipeline->nfree];
	batch->reader = pipeline->reading.by;
	return batch;
}

/* An empty one. */
static struct batch *free_batch(struct pipeline *pipeline)
{
	struct batch *batch = &pipeline->batches[0];

	if (pipeline->nworkers > 1) {
		pthread_mutex_lock(&pipeline->lock);
		batch = take_free(pipeline);
		pthread_mutex_unlock(&pipeline->lock);
	}
	arena_fini(&batch->arena);
	arena_init(&batch->arena, &pipeline->arenas);
	batch->nitems = 0;
	memset(batch->nparcels, 0, pipeline->nworkers * sizeof(batch->nparcels[0]));
	batch->nmoments = 0;
	batch->drops = false;
	batch->packets = pipeline->front.index;
	batch->figures = false;
	batch->calm = false;
	batch->last = false;
	return batch;
}

static void give_back(struct pipeline *pipeline, struct batch *batch)
{
	if (pipeline->nworkers > 1) {
		pthread_mutex_lock(&pipeline->lock);
		pipeline->free[pipeline->nfree++] = batch;
		pthread_mutex_unlock(&pipeline->lock);
	}
}

/* To the workers, or here. */
static void handle(struct pipeline *pipeline, struct batch *batch)
{
	struct worker *worker = &pipeline->workers[0];

	if (pipeline->nworkers > 1) {
		worker_give(pipeline, batch);
		return;
	}
	engine_items(worker->engine, batch->items, batch->nitems);
	if (batch->figures) {
		engine_get_stats(worker->engine, &worker->stats);
		pipeline_give_figures(pipeline);
	}
	if (batch->last) {
		engine_finish(worker->engine, batch->packets);
	}
	if ((pipeline->live || batch->calm) && pipeline->options.settled != NULL) {
		pipeline->options.settled(pipeline->options.context);
	}
}

/* Where the next item is made. */
static inline struct item *next_item(struct pipeline *pipeline, struct batch *batch)
{
	return pipeline->nworkers == 1 ? &batch->items[batch->nitems] : &pipeline->reading.item;
}

/*
 * A line that others have read since is fetched for writing before it is needed. The compiler writes the plain fetch for processors of
 * any age, which would have to ask again for the right to write; to those that do not know this one it is a no-op.
 */
static inline void fetch_for_writing(void *at)
{
#ifdef __x86_64__
	__asm__ volatile("prefetchw %0" : : "m"(*(char *)at));
#else
	__builtin_prefetch(at, 1);
#endif
}

/* To the worker whose shard it is. */
static inline void send_item(struct pipeline *pipeline, struct batch *batch,
			     const struct item *item)
{
	unsigned worker = item->shard % pipeline->nworkers;
	struct parcel *to = &batch->parcels[worker * batch->max_items + batch->nparcels[worker]++];

	fetch_for_writing(to + PARCELS_AHEAD);
	if (!parcel_pack(&batch->base, item, to)) {
		batch->items[batch->nitems] = *item;
		parcel_pack_whole(&batch->items[batch->nitems++], to);
	}
}

/* It is complete. @return where the one after it is made */
static inline struct item *add_item(struct pipeline *pipeline, struct batch *batch,
				    struct item *item)
{
	struct item_moment *moment;

	if (pipeline->nworkers == 1) {
		batch->nitems++;
		return item + 1;
	}
	moment = &batch->moments[batch->nmoments];
	moment->index = item->index;
	moment->clock_ns = item->clock_ns;
	moment->drops = item->drops;
	fetch_for_writing(moment + MOMENTS_AHEAD);
	batch->drops = batch->drops || item->drops > 0;
	if (item->shard != FRONT_NO_SHARD) {
		item->moment = (uint32_t)batch->nmoments;
		send_item(pipeline, batch, item);
	}
	batch->nmoments++;
	return item;
}

static void decode_batch(struct pipeline *pipeline, struct capture *capture, struct batch *batch)
{
	const struct pipeline_shared *shared = pipeline->options.shared;
	const char *name = NULL;
	uint32_t named = UINT32_MAX; /* whose name it is */
	struct item *item = next_item(pipeline, batch);
	size_t i;

	batch->base.origin = batch->capture.npackets > 0 ? batch->capture.packets[0].data : NULL;
	batch->base.index = pipeline->front.index;
	batch->base.nsources = 0;
	for (i = 0; i < batch->capture.npackets; i++) {
		struct weir_packet *packet = &batch->capture.packets[i];

		if (packet->interface != named) {
			named = packet->interface;
			name = capture_interface_name(capture, packet->interface);
		}
		packet->interface_name = name;
		if (pipeline->options.filter != NULL || shared != NULL) {
			front_pass_over(&pipeline->front, packet);
		}
		if (front_push(&pipeline->front, packet, &batch->arena, item) > 0) {
			if (shared != NULL) {
				ring_flows_note(shared->flows, item->hash, pipeline->options.ring);
			}
			item = add_item(pipeline, batch, item);
		}
	}
	batch->packets = pipeline->front.index;
}

bool pipeline_is_stopped(const struct pipeline *pipeline)
{
	return pipeline->options.stop != NULL &&
	       __atomic_load_n(pipeline->options.stop, __ATOMIC_RELAXED) != 0;
}

/* Here, or in one of those that share the packets. */
static bool is_full(const struct pipeline *pipeline)
{
	const struct pipeline_shared *shared = pipeline->options.shared;

	return pipeline->reading.full || (shared != NULL && atomic_load(&shared->full));
}

/* The first thing that is said stays. */
void pipeline_note(struct pipeline *pipeline, const char *text)
{
	if (pipeline->result->message[0] == '\0') {
		(void)snprintf(pipeline->result->message, sizeof(pipeline->result->message), "%s",
			       text);
	}
}

/* The packets of a batch that the run is about: those that match, and no more than were asked for. */
static void select_packets(struct pipeline *pipeline, struct capture *capture,
			   struct capture_batch *batch)
{
	struct pipeline_shared *shared = pipeline->options.shared;
	uint64_t before = shared == NULL ? pipeline->front.stats.packets : shared->number;
	uint64_t max = pipeline->options.max_packets;
	size_t i;

	if (pipeline->options.filter != NULL && !capture_is_live(capture)) {
		filter_batch(pipeline->options.filter, batch);
	}
	if (max > 0 && batch->npackets >= max - before) {
		batch->npackets = (size_t)(max - before);
		pipeline->reading.full = true;
	}
	for (i = 0; shared != NULL && i < batch->npackets; i++) {
		batch->packets[i].number = ++shared->number;
	}
}

/* -w. What cannot be written ends the run: a capture with holes that nobody sees is worse. */
static int write_packets(struct pipeline *pipeline, const struct capture *capture,
			 struct capture_batch *batch)
{
	struct writer *writer = pipeline->options.writer;
	size_t i;

	for (i = 0; writer != NULL && i < batch->npackets; i++) {
		int got = writer_packet(writer, capture, &batch->packets[i]);

		if (got < 0) {
			pipeline_note(pipeline, writer_message(writer));
			return got;
		}
		if (got == 0) {
			pipeline->reading.full = true;
			batch->npackets = i;
		}
	}
	return 0;
}

/* What is known of the run so far by who reads. */
void pipeline_collect_reading(const struct pipeline *pipeline, struct pipeline_result *ret)
{
	size_t i;

	ret->front = pipeline->front.stats;
	ret->tunnels = pipeline->front.tunnels;
	ret->defrag = *defrag_stats(pipeline->front.defrag);
	ret->memory_peak = pipeline->front.budget.peak + pipeline->budget.peak;
	ret->drops = 0;
	ret->kernel_drops = 0;
	ret->interface_drops = 0;
	for (i = 0; i < pipeline->options.ninputs; i++) {
		const struct capture_stats *stats = capture_stats(pipeline->options.inputs[i]);

		ret->drops += stats->drops;
		ret->kernel_drops += stats->kernel_drops;
		ret->interface_drops += stats->interface_drops;
		ret->memory_peak += capture_memory(pipeline->options.inputs[i]);
	}
}

/* Figures so far, behind all that was read. Those that are on their way come first: who gives them wakes us then. */
static void ask_for_figures(struct pipeline *pipeline)
{
	bool looking;

	pthread_mutex_lock(&pipeline->lock);
	looking = pipeline->looking;
	pipeline->look_again = looking;
	pipeline->looking = true;
	pthread_mutex_unlock(&pipeline->lock);
	pipeline->reading.figures = !looking;
}

/* Between two batches. */
static void look_around(struct pipeline *pipeline, const struct capture *capture)
{
	const struct pipeline_options *options = &pipeline->options;

	if (options->progress != NULL) {
		struct pipeline_progress progress = {.input = capture,
						     .bytes_before = pipeline->reading.bytes_before,
						     .packets = pipeline->front.stats.packets};

		options->progress(options->context, &progress);
	}
	if (options->wants_figures != NULL && !pipeline->reading.figures &&
	    options->wants_figures(options->context)) {
		ask_for_figures(pipeline);
	}
}

/* Which packets there are, and where they go as packets. */
static int take_packets(struct pipeline *pipeline, struct capture *capture,
			struct capture_batch *batch)
{
	struct pipeline_shared *shared = pipeline->options.shared;
	int err;

	if (shared != NULL) {
		pthread_mutex_lock(&shared->packets);
	}
	select_packets(pipeline, capture, batch);
	err = write_packets(pipeline, capture, batch);
	if (err < 0) {
		batch->npackets = 0;
	}
	if (pipeline->options.keeper != NULL) {
		keeper_take(pipeline->options.keeper, capture, batch);
	}
	if (shared != NULL) {
		if (pipeline->reading.full) {
			atomic_store(&shared->full, true);
		}
		pthread_mutex_unlock(&shared->packets);
	}
	return err;
}

/* Packets to items; live, the time goes with them: what came may have been nothing for an engine. */
static int take_batch(struct pipeline *pipeline, struct capture *capture, struct batch *batch)
{
	int err = take_packets(pipeline, capture, &batch->capture);

	decode_batch(pipeline, capture, batch);
	if (capture_is_live(capture)) {
		if (batch->capture.clock_ns != 0) {
			front_tick(&pipeline->front, batch->capture.clock_ns);
		}
		front_tick_item(&pipeline->front, next_item(pipeline, batch));
		(void)add_item(pipeline, batch, next_item(pipeline, batch));
	}
	handle(pipeline, batch);
	return err;
}

/* There is no more to read: why, and what to say about it. */
static int end_of_input(struct pipeline *pipeline, const struct capture *capture, int got)
{
	if (got == WEIR_EDAMAGED) {
		pipeline->result->truncated = true;
		pipeline_note(pipeline, capture_message(capture));
		return 0;
	}
	if (got < 0) {
		pipeline_note(pipeline, capture_message(capture));
	}
	return got;
}

/* Nothing comes: what was read reaches its files. */
static void flush_packets(struct pipeline *pipeline)
{
	struct pipeline_shared *shared = pipeline->options.shared;

	if (shared != NULL) {
		pthread_mutex_lock(&shared->packets);
	}
	if (pipeline->options.keeper != NULL) {
		keeper_tick(pipeline->options.keeper);
	}
	if (pipeline->options.writer != NULL) {
		(void)writer_flush(pipeline->options.writer);
	}
	if (shared != NULL) {
		pthread_mutex_unlock(&shared->packets);
	}
}

/* @return false: nothing of this input can be read now, or at all */
static bool begin_input(struct pipeline *pipeline, struct capture *capture)
{
	struct reading *reading = &pipeline->reading;
	int err = reading->begun ? 0 : capture_begin(capture);

	if (err == CAPTURE_IDLE) {
		look_around(pipeline, capture);
		return false;
	}
	if (err < 0) {
		pipeline_note(pipeline, capture_message(capture));
		reading->err = err;
	}
	reading->begun = err == 0;
	return reading->begun;
}

static void end_input(struct pipeline *pipeline, const struct capture *capture)
{
	struct reading *reading = &pipeline->reading;

	reading->bytes_before += capture_stats(capture)->bytes;
	reading->begun = false;
	reading->input++;
}

/* A batch of the input, or its end. */
static void read_input(struct pipeline *pipeline, struct capture *capture)
{
	struct reading *reading = &pipeline->reading;
	bool live = capture_is_live(capture);
	struct batch *batch;
	int got;

	if (!begin_input(pipeline, capture)) {
		return;
	}
	batch = free_batch(pipeline);
	got = capture_fill(capture, &batch->capture);
	if (got <= 0) {
		give_back(pipeline, batch);
		reading->err = end_of_input(pipeline, capture, got);
		end_input(pipeline, capture);
		return;
	}
	if (got == CAPTURE_IDLE && !live) {
		give_back(pipeline, batch);
		reading->calm = true;
	} else {
		reading->err = take_batch(pipeline, capture, batch);
	}
	if (got == CAPTURE_IDLE) {
		flush_packets(pipeline);
	}
	look_around(pipeline, capture);
}

/* What goes without packets: asked for by one of the flags, which is obeyed with it. @return was there something? */
static bool give_empty(struct pipeline *pipeline)
{
	struct reading *reading = &pipeline->reading;
	struct batch *batch;

	if (!reading->calm && !reading->figures && !reading->over) {
		return false;
	}
	if (reading->figures) {
		memset(&pipeline->so_far, 0, sizeof(pipeline->so_far));
		pipeline_collect_reading(pipeline, &pipeline->so_far);
	}
	batch = free_batch(pipeline);
	batch->calm = reading->calm;
	batch->figures = reading->figures;
	batch->last = reading->over && !reading->calm && !reading->figures;
	reading->calm = false;
	reading->figures = false;
	reading->done = batch->last;
	handle(pipeline, batch);
	return true;
}

void pipeline_read(struct pipeline *pipeline)
{
	struct reading *reading = &pipeline->reading;
	struct capture *capture;

	if (give_empty(pipeline)) {
		return;
	}
	capture = reading->input < pipeline->options.ninputs
			  ? pipeline->options.inputs[reading->input]
			  : NULL;
	/* live, a stop is obeyed by capture_fill(), when the kernel has nothing left */
	if (capture == NULL || reading->err < 0 || is_full(pipeline) ||
	    (pipeline_is_stopped(pipeline) && !(reading->begun && capture_is_live(capture)))) {
		reading->over = true;
	} else {
		read_input(pipeline, capture);
	}
}
