/* SPDX-License-Identifier: Apache-2.0 */
/* The data path: see pipeline.h. */
#include "app/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app/queue.h"
#include "app/ring_flows.h"
#include "record/record.h"
#include "weir/error.h"

enum {
	NBATCHES = 12,         /* batches on their way at once */
	NPIECES = 16,          /* pieces of output on their way, a worker */
	OUT_BYTES = 128 << 10, /* of records in a piece */
	OUT_BLOCK = 16 << 10,  /* its memory comes in: several records each */
	OUT_RECORDS = 1024
};

/* Packets and what the front made of them. Used by all workers, then filled again. */
struct batch {
	struct capture_batch capture;
	struct weir_arena arena; /* datagrams put together */
	struct item *items;
	size_t nitems;
	uint64_t packets; /* of the run, with this batch */
	bool figures;     /* the workers say where they stand */
	bool last;        /* nothing more comes: finish */
};

/* A piece of a worker's output: records in ascending order. */
struct piece {
	struct weir_arena arena;
	const struct weir_record *records[OUT_RECORDS];
	size_t n;
	bool end_of_batch;
};

struct pipeline;

struct worker {
	struct pipeline *pipeline;
	struct engine *engine;
	struct weir_tap *tap;
	struct queue in;    /* batches */
	struct queue out;   /* pieces to merge */
	struct queue spare; /* pieces merged: the worker takes their memory back */
	struct piece pieces[NPIECES];
	struct budget budget; /* of the pieces */
	struct arena_pool arenas;
	struct piece *piece;       /* being filled */
	struct engine_stats stats; /* as of the last batch that asked */
	pthread_t thread;
	bool running;
	/* the merging thread's */
	struct piece *head;
	size_t at;
};

struct pipeline {
	struct pipeline_options options;
	struct pipeline_result *result;
	struct front front;
	uint64_t *input_base;
	struct budget budget; /* of the batches */
	struct arena_pool arenas;
	struct batch batches[NBATCHES];
	size_t nbatches;
	struct queue free;   /* batches that were merged, for the reading thread */
	struct batch *spare; /* one that it took and did not need; NULL: none */
	struct worker workers[ENGINE_SHARDS];
	unsigned nworkers;
	pthread_t merger;
	struct queue order; /* batches given to the workers, for the merging thread */
	struct batch end;   /* in that queue: nothing more comes */
	struct batch look;  /* in that queue: the figures asked for are there */
	struct batch calm;  /* in that queue: nothing comes for now */
	atomic_bool looking;
	struct pipeline_result so_far; /* what goes with them */
	uint64_t bytes_before;         /* of the inputs that were read */
	bool live;
	bool full; /* max_packets were read, or the last file is written */
};

/* ---- workers (more than one) ---- */

static void next_piece(struct worker *worker)
{
	struct piece *piece = queue_pop(&worker->spare);

	arena_fini(&piece->arena);
	arena_init(&piece->arena, &worker->arenas);
	piece->n = 0;
	worker->piece = piece;
}

static void send_piece(struct worker *worker, bool end_of_batch)
{
	worker->piece->end_of_batch = end_of_batch;
	queue_push(&worker->out, worker->piece);
	worker->piece = NULL;
}

/* The budget of the pieces is spent: wait until all that were sent have been merged, and take their memory back. */
static void reclaim(struct worker *worker)
{
	struct piece *pieces[NPIECES];
	size_t k;

	send_piece(worker, false);
	for (k = 0; k < NPIECES; k++) {
		pieces[k] = queue_pop(&worker->spare);
		arena_fini(&pieces[k]->arena);
	}
	arena_pool_trim(&worker->arenas);
	for (k = 0; k < NPIECES; k++) {
		queue_push(&worker->spare, pieces[k]);
	}
	next_piece(worker);
}

static void keep_record(void *context, const struct weir_record *rec)
{
	struct worker *worker = context;
	struct weir_record *copy = record_copy(rec, &worker->piece->arena);

	if (copy == NULL) {
		reclaim(worker);
		copy = record_copy(rec, &worker->piece->arena);
	}
	if (copy == NULL) {
		worker->engine->stats.records_no_memory++;
		return;
	}
	worker->piece->records[worker->piece->n++] = copy;
	if (worker->piece->n == OUT_RECORDS || worker->piece->arena.used >= OUT_BYTES) {
		send_piece(worker, false);
		next_piece(worker);
	}
}

static void *worker_main(void *context)
{
	struct worker *worker = context;
	bool last = false;

	while (!last) {
		struct batch *batch = queue_pop(&worker->in);

		next_piece(worker);
		last = batch->last;
		engine_items(worker->engine, batch->items, batch->nitems);
		if (batch->figures) {
			engine_get_stats(worker->engine, &worker->stats);
			worker->stats.budget_peak += worker->budget.peak;
		}
		if (last) {
			engine_finish(worker->engine, batch->packets);
		}
		send_piece(worker, true);
	}
	return NULL;
}

static int compare_keys(const struct weir_record_key *a, const struct weir_record_key *b)
{
	if (a->packet != b->packet) {
		return a->packet < b->packet ? -1 : 1;
	}
	if (a->by_packet != b->by_packet) {
		return a->by_packet < b->by_packet ? -1 : 1;
	}
	if (a->deadline_ns != b->deadline_ns) {
		return a->deadline_ns < b->deadline_ns ? -1 : 1;
	}
	if (a->first_packet != b->first_packet) {
		return a->first_packet < b->first_packet ? -1 : 1;
	}
	return 0;
}

/* The next record of a worker within the batch; NULL: it has none left there. Waits for the worker. */
static const struct weir_record *head_of(struct worker *worker)
{
	for (;;) {
		struct piece *piece = worker->head;

		if (piece == NULL) {
			worker->head = queue_pop(&worker->out);
			worker->at = 0;
			continue;
		}
		if (worker->at < piece->n) {
			return piece->records[worker->at];
		}
		if (piece->end_of_batch) {
			return NULL;
		}
		queue_push(&worker->spare, piece);
		worker->head = NULL;
	}
}

/* Merge what the workers made of one batch. */
static void merge_batch(struct pipeline *pipeline)
{
	unsigned i;

	for (;;) {
		struct worker *best = NULL;
		const struct weir_record *first = NULL;

		for (i = 0; i < pipeline->nworkers; i++) {
			const struct weir_record *rec = head_of(&pipeline->workers[i]);

			if (rec != NULL &&
			    (first == NULL || compare_keys(&rec->key, &first->key) < 0)) {
				first = rec;
				best = &pipeline->workers[i];
			}
		}
		if (best == NULL) {
			break;
		}
		pipeline->options.record(pipeline->options.context, first);
		best->at++;
	}
	for (i = 0; i < pipeline->nworkers; i++) {
		queue_push(&pipeline->workers[i].spare, pipeline->workers[i].head);
		pipeline->workers[i].head = NULL;
	}
}

/* Somebody may be watching the output. */
static void settle(struct pipeline *pipeline)
{
	if (pipeline->options.settled != NULL) {
		pipeline->options.settled(pipeline->options.context);
	}
}

/* All workers have said where they stand, and what they said before has been delivered. */
static void give_figures(struct pipeline *pipeline)
{
	struct pipeline_result *so_far = &pipeline->so_far;
	unsigned i;

	for (i = 0; i < pipeline->nworkers; i++) {
		engine_stats_add(&so_far->engine, &pipeline->workers[i].stats);
		so_far->memory_peak += pipeline->workers[i].stats.budget_peak;
	}
	pipeline->options.figures(pipeline->options.context, so_far);
	atomic_store(&pipeline->looking, false);
}

static void *merger_main(void *context)
{
	struct pipeline *pipeline = context;

	for (;;) {
		/* the first worker's batches are everybody's */
		struct batch *batch = queue_pop(&pipeline->order);
		if (batch == &pipeline->end) {
			return NULL;
		}
		if (batch == &pipeline->look) {
			give_figures(pipeline);
			continue;
		}
		if (batch != &pipeline->calm) {
			merge_batch(pipeline);
			/* every worker has said that it is through with it */
			queue_push(&pipeline->free, batch);
		}
		if (pipeline->live || batch == &pipeline->calm) {
			settle(pipeline);
		}
	}
}

/* ---- reading ---- */

static void handle(struct pipeline *pipeline, struct batch *batch)
{
	unsigned i;

	if (pipeline->nworkers == 1) {
		engine_items(pipeline->workers[0].engine, batch->items, batch->nitems);
		if (batch->last) {
			engine_finish(pipeline->workers[0].engine, batch->packets);
		}
		if (pipeline->live) {
			settle(pipeline);
		}
		return;
	}
	queue_push(&pipeline->order, batch);
	for (i = 0; i < pipeline->nworkers; i++) {
		queue_push(&pipeline->workers[i].in, batch);
	}
}

static struct batch *free_batch(struct pipeline *pipeline)
{
	struct batch *batch = pipeline->nworkers == 1   ? &pipeline->batches[0]
			      : pipeline->spare != NULL ? pipeline->spare
							: queue_pop(&pipeline->free);

	pipeline->spare = NULL;
	arena_fini(&batch->arena);
	arena_init(&batch->arena, &pipeline->arenas);
	batch->nitems = 0;
	batch->figures = false;
	batch->last = false;
	return batch;
}

static void decode_batch(struct pipeline *pipeline, struct capture *capture, struct batch *batch)
{
	const struct pipeline_shared *shared = pipeline->options.shared;
	size_t i;

	for (i = 0; i < batch->capture.npackets; i++) {
		struct weir_packet *packet = &batch->capture.packets[i];
		struct item *item = &batch->items[batch->nitems];

		packet->interface_name = capture_interface_name(capture, packet->interface);
		if (pipeline->options.filter != NULL || shared != NULL) {
			front_pass_over(&pipeline->front, packet);
		}
		if (front_push(&pipeline->front, packet, &batch->arena, item) > 0) {
			batch->nitems++;
			if (shared != NULL) {
				ring_flows_note(shared->flows, item->hash, pipeline->options.ring);
			}
		}
	}
	batch->packets = pipeline->front.index;
}

static bool stopped(const struct pipeline *pipeline)
{
	return pipeline->options.stop != NULL && *pipeline->options.stop;
}

/* Here, or in one of those that share the packets. */
static bool is_full(const struct pipeline *pipeline)
{
	const struct pipeline_shared *shared = pipeline->options.shared;

	return pipeline->full || (shared != NULL && atomic_load(&shared->full));
}

/* The first thing that is said stays. */
static void note(struct pipeline *pipeline, const char *text)
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
		pipeline->full = true;
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
			note(pipeline, writer_message(writer));
			return got;
		}
		if (got == 0) {
			pipeline->full = true;
			batch->npackets = i;
		}
	}
	return 0;
}

/* What the reading thread knows of the run so far. */
static void collect_reading(const struct pipeline *pipeline, struct pipeline_result *ret)
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
	}
}

/* Figures so far: through the workers and the merging thread, behind all that was read. */
static void ask_for_figures(struct pipeline *pipeline)
{
	struct batch *batch;

	if (atomic_load(&pipeline->looking)) {
		return;
	}
	memset(&pipeline->so_far, 0, sizeof(pipeline->so_far));
	collect_reading(pipeline, &pipeline->so_far);
	if (pipeline->nworkers == 1) {
		engine_get_stats(pipeline->workers[0].engine, &pipeline->workers[0].stats);
		give_figures(pipeline);
		return;
	}
	atomic_store(&pipeline->looking, true);
	batch = free_batch(pipeline);
	batch->figures = true;
	batch->packets = pipeline->front.index;
	handle(pipeline, batch);
	queue_push(&pipeline->order, &pipeline->look);
}

/* Between two batches. */
static void look_around(struct pipeline *pipeline, const struct capture *capture)
{
	const struct pipeline_options *options = &pipeline->options;

	if (options->progress != NULL) {
		struct pipeline_progress progress = {.input = capture,
						     .bytes_before = pipeline->bytes_before,
						     .packets = pipeline->front.stats.packets};

		options->progress(options->context, &progress);
	}
	if (options->wants_figures != NULL && options->wants_figures(options->context)) {
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
		if (pipeline->full) {
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
		front_tick_item(&pipeline->front, &batch->items[batch->nitems++]);
	}
	handle(pipeline, batch);
	return err;
}

/* There is no more to read: why, and what to say about it. */
static int end_of_input(struct pipeline *pipeline, const struct capture *capture, int got)
{
	if (got == WEIR_EDAMAGED) {
		pipeline->result->truncated = true;
		note(pipeline, capture_message(capture));
		return 0;
	}
	if (got < 0) {
		note(pipeline, capture_message(capture));
	}
	return got;
}

static void give_back(struct pipeline *pipeline, struct batch *batch)
{
	if (pipeline->nworkers > 1) {
		pipeline->spare = batch;
	}
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

/* A pipe that gives nothing for now: what was read so far comes out. */
static void calm_down(struct pipeline *pipeline)
{
	if (pipeline->nworkers == 1) {
		settle(pipeline);
	} else {
		queue_push(&pipeline->order, &pipeline->calm);
	}
}

/* One input to its end. 0, or an error that ends the run. */
static int read_input(struct pipeline *pipeline, struct capture *capture)
{
	bool live = capture_is_live(capture);
	int err = capture_begin(capture);

	while (err == CAPTURE_IDLE && !stopped(pipeline)) {
		look_around(pipeline, capture);
		err = capture_begin(capture);
	}
	if (err < 0) {
		note(pipeline, capture_message(capture));
		return err;
	}
	/* live, a stop is obeyed by capture_fill(), when the kernel has nothing left */
	while (err == 0 && !is_full(pipeline) && (live || !stopped(pipeline))) {
		struct batch *batch = free_batch(pipeline);
		int got = capture_fill(capture, &batch->capture);

		if (got <= 0) {
			give_back(pipeline, batch);
			err = end_of_input(pipeline, capture, got);
			break;
		}
		if (got == CAPTURE_IDLE && !live) {
			give_back(pipeline, batch);
			calm_down(pipeline);
		} else {
			err = take_batch(pipeline, capture, batch);
		}
		if (got == CAPTURE_IDLE) {
			flush_packets(pipeline);
		}
		look_around(pipeline, capture);
	}
	pipeline->bytes_before += capture_stats(capture)->bytes;
	return err;
}

/* ---- life ---- */

/* Threads that signals do not go to: the reading thread is the one that waits. */
static int start_thread(pthread_t *thread, void *(*run)(void *context), void *context)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(thread, NULL, run, context);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err == 0 ? 0 : WEIR_ENOMEM;
}

static int start_worker(struct pipeline *pipeline, unsigned i)
{
	const struct pipeline_options *options = &pipeline->options;
	struct worker *worker = &pipeline->workers[i];
	bool alone = pipeline->nworkers == 1;
	struct engine_options engine = {
		.config = options->config,
		.worker = i,
		.nworkers = pipeline->nworkers,
		.input_base = pipeline->input_base,
		.ninputs = options->ninputs,
		.record = alone ? options->record : keep_record,
		.context = alone ? options->context : worker,
		.wants = options->wants,
		.reads_tcp = options->reads_tcp,
		.wants_context = options->context,
		.tap = options->tap,
	};
	int err;
	size_t k;

	worker->pipeline = pipeline;
	if (options->tap != NULL) {
		err = options->tap->open(options->tap_sink, &worker->tap);
		if (err < 0) {
			return err;
		}
		engine.tap_instance = worker->tap;
	}
	engine.seed = pipeline->front.seed;
	err = engine_new(&engine, &worker->engine);
	if (err < 0 || alone) {
		return err;
	}
	queue_init(&worker->in, NBATCHES + 1);
	queue_init(&worker->out, NPIECES);
	queue_init(&worker->spare, NPIECES);
	budget_init(&worker->budget, options->config->memory / 64 * 3 / pipeline->nworkers,
		    options->config->allocator);
	arena_pool_init_blocks(&worker->arenas, &worker->budget,
			       NPIECES * (OUT_BYTES / OUT_BLOCK + 1), OUT_BLOCK);
	for (k = 0; k < NPIECES; k++) {
		arena_init(&worker->pieces[k].arena, &worker->arenas);
		queue_push(&worker->spare, &worker->pieces[k]);
	}
	if (start_thread(&worker->thread, worker_main, worker) < 0) {
		return WEIR_ENOMEM;
	}
	worker->running = true;
	return 0;
}

/* Live, nobody outside can know which flows meet in one shard. */
static uint64_t hash_seed(const struct weir_config *config)
{
	uint64_t seed = 0;

	if (config->random_hash && getrandom(&seed, sizeof(seed), 0) != sizeof(seed)) {
		seed = (uint64_t)(uintptr_t)config;
	}
	return seed;
}

static int start(struct pipeline *pipeline)
{
	const struct pipeline_options *options = &pipeline->options;
	size_t k;
	unsigned i;
	int err;

	pipeline->nbatches = pipeline->nworkers == 1 ? 1 : NBATCHES;
	pipeline->input_base = calloc(options->ninputs, sizeof(*pipeline->input_base));
	if (pipeline->input_base == NULL) {
		return WEIR_ENOMEM;
	}
	err = front_init(&pipeline->front, options->config,
			 options->shared != NULL ? options->shared->seed
						 : hash_seed(options->config),
			 pipeline->input_base, options->ninputs);
	if (err < 0) {
		return err;
	}
	queue_init(&pipeline->free, QUEUE_MAX);
	queue_init(&pipeline->order, QUEUE_MAX);
	budget_init(&pipeline->budget, options->config->memory / 16, options->config->allocator);
	arena_pool_init(&pipeline->arenas, &pipeline->budget, 64);
	for (k = 0; k < pipeline->nbatches; k++) {
		struct batch *batch = &pipeline->batches[k];

		batch->items = malloc((options->batch + 1) * sizeof(struct item));
		if (batch->items == NULL ||
		    capture_batch_init(&batch->capture, options->batch) < 0) {
			return WEIR_ENOMEM;
		}
		arena_init(&batch->arena, &pipeline->arenas);
		queue_push(&pipeline->free, batch);
	}
	for (i = 0; i < pipeline->nworkers; i++) {
		err = start_worker(pipeline, i);
		if (err < 0) {
			return err;
		}
	}
	if (pipeline->nworkers > 1) {
		if (start_thread(&pipeline->merger, merger_main, pipeline) < 0) {
			return WEIR_ENOMEM;
		}
	}
	return 0;
}

/* Everything that was read is worked off, and every flow ends. */
static void finish(struct pipeline *pipeline)
{
	struct batch *batch = free_batch(pipeline);
	unsigned i;

	batch->last = true;
	batch->packets = pipeline->front.index;
	handle(pipeline, batch);
	if (pipeline->nworkers > 1) {
		for (i = 0; i < pipeline->nworkers; i++) {
			pthread_join(pipeline->workers[i].thread, NULL);
			pipeline->workers[i].running = false;
		}
		queue_push(&pipeline->order, &pipeline->end);
		pthread_join(pipeline->merger, NULL);
	}
}

/* Starting failed half-way: end the threads there are. */
static void abandon(struct pipeline *pipeline)
{
	unsigned i;

	pipeline->end.last = true;
	for (i = 0; i < pipeline->nworkers; i++) {
		if (pipeline->workers[i].running) {
			queue_push(&pipeline->workers[i].in, &pipeline->end);
			pthread_join(pipeline->workers[i].thread, NULL);
		}
	}
}

static void collect(struct pipeline *pipeline)
{
	struct pipeline_result *result = pipeline->result;
	unsigned i;

	collect_reading(pipeline, result);
	for (i = 0; i < pipeline->nworkers; i++) {
		struct engine_stats stats;

		engine_get_stats(pipeline->workers[i].engine, &stats);
		engine_stats_add(&result->engine, &stats);
		result->memory_peak += stats.budget_peak + pipeline->workers[i].budget.peak;
	}
	result->stopped = stopped(pipeline);
}

static void clean_up(struct pipeline *pipeline)
{
	unsigned i;
	size_t k;

	for (i = 0; i < pipeline->nworkers; i++) {
		struct worker *worker = &pipeline->workers[i];

		engine_free(worker->engine);
		if (worker->tap != NULL) {
			pipeline->options.tap->close(worker->tap);
		}
		for (k = 0; k < NPIECES && worker->pieces[k].arena.pool != NULL; k++) {
			arena_fini(&worker->pieces[k].arena);
		}
		if (worker->arenas.budget != NULL) {
			arena_pool_fini(&worker->arenas);
		}
	}
	for (k = 0; k < pipeline->nbatches; k++) {
		if (pipeline->batches[k].arena.pool != NULL) {
			arena_fini(&pipeline->batches[k].arena);
		}
		capture_batch_fini(&pipeline->batches[k].capture);
		free(pipeline->batches[k].items);
	}
	if (pipeline->arenas.budget != NULL) {
		arena_pool_fini(&pipeline->arenas);
	}
	front_fini(&pipeline->front);
	free(pipeline->input_base);
}

/*
 * How --memory is divided, in 64ths: 52 for flows (engine.c), 4 for fragments (front.c, which takes no more than 4 MiB), 4 for
 * the datagrams made of them, 3 for records on their way from workers to the merging thread; sinks get the 1 that is left, and
 * what fragments do not take.
 */
size_t pipeline_sink_memory(const struct weir_config *config)
{
	return config->memory / 64 + config->memory / 16 - front_memory(config);
}

int pipeline_finish_packets(const struct pipeline_options *options, struct pipeline_result *result)
{
	if (options->keeper != NULL) {
		keeper_finish(options->keeper);
	}
	if (options->writer != NULL && writer_finish(options->writer) < 0) {
		if (result->message[0] == '\0') {
			(void)snprintf(result->message, sizeof(result->message), "%s",
				       writer_message(options->writer));
		}
		return WEIR_EIO;
	}
	return 0;
}

int pipeline_run(const struct pipeline_options *options, struct pipeline_result *ret)
{
	struct pipeline *pipeline = aligned_alloc(_Alignof(struct pipeline), sizeof(*pipeline));
	size_t k;
	int err;

	memset(ret, 0, sizeof(*ret));
	if (pipeline == NULL) {
		return WEIR_ENOMEM;
	}
	memset(pipeline, 0, sizeof(*pipeline));
	pipeline->options = *options;
	pipeline->result = ret;
	pipeline->nworkers = options->nworkers < ENGINE_SHARDS ? options->nworkers : ENGINE_SHARDS;
	for (k = 0; k < options->ninputs; k++) {
		pipeline->live = pipeline->live || capture_is_live(options->inputs[k]);
	}
	err = start(pipeline);
	if (err == 0) {
		for (k = 0;
		     k < options->ninputs && err == 0 && !pipeline->full && !stopped(pipeline);
		     k++) {
			err = read_input(pipeline, options->inputs[k]);
		}
		finish(pipeline);
		if (options->shared == NULL && pipeline_finish_packets(options, ret) < 0 &&
		    err == 0) {
			err = WEIR_EIO;
		}
		collect(pipeline);
	} else {
		abandon(pipeline);
	}
	clean_up(pipeline);
	free(pipeline);
	return err;
}
