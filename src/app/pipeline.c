/* SPDX-License-Identifier: Apache-2.0 */
/* The data path: see pipeline.h. */
#include "app/pipeline.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/queue.h"
#include "record/record.h"
#include "weir/error.h"

enum {
	NBATCHES = 12,         /* batches on their way at once */
	NPIECES = 16,          /* pieces of output on their way, a worker */
	OUT_BYTES = 128 << 10, /* of records in a piece */
	OUT_BLOCK = 16 << 10,  /* its memory comes in: several records each */
	OUT_RECORDS = 1024,
	PROGRESS_BATCHES = 64
};

/* Packets and what the front made of them. Used by all workers, then filled again. */
struct batch {
	struct capture_batch capture;
	struct weir_arena arena; /* datagrams put together */
	struct item *items;
	size_t nitems;
	uint64_t packets; /* of the run, with this batch */
	atomic_uint users;
	bool last; /* nothing more comes: finish */
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
	struct piece *piece; /* being filled */
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
	struct capture **captures; /* kept open: names of interfaces live in them */
	size_t ncaptures;
	struct budget budget; /* of the batches */
	struct arena_pool arenas;
	struct batch batches[NBATCHES];
	size_t nbatches;
	struct queue free;
	struct worker workers[ENGINE_SHARDS];
	unsigned nworkers;
	pthread_t merger;
	struct queue order; /* batches given to the workers, for the merging thread */
	struct batch end;   /* in that queue: nothing more comes */
	uint64_t nread;     /* batches */
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

static void release(struct pipeline *pipeline, struct batch *batch)
{
	if (atomic_fetch_sub(&batch->users, 1) == 1) {
		queue_push(&pipeline->free, batch);
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
		if (last) {
			engine_finish(worker->engine, batch->packets);
		}
		send_piece(worker, true);
		release(worker->pipeline, batch);
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

static void *merger_main(void *context)
{
	struct pipeline *pipeline = context;

	for (;;) {
		/* the first worker's batches are everybody's */
		struct batch *batch = queue_pop(&pipeline->order);
		bool last = batch == &pipeline->end;

		if (last) {
			return NULL;
		}
		merge_batch(pipeline);
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
		return;
	}
	atomic_store(&batch->users, pipeline->nworkers);
	queue_push(&pipeline->order, batch);
	for (i = 0; i < pipeline->nworkers; i++) {
		queue_push(&pipeline->workers[i].in, batch);
	}
}

static struct batch *free_batch(struct pipeline *pipeline)
{
	struct batch *batch =
		pipeline->nworkers == 1 ? &pipeline->batches[0] : queue_pop(&pipeline->free);

	arena_fini(&batch->arena);
	arena_init(&batch->arena, &pipeline->arenas);
	batch->nitems = 0;
	batch->last = false;
	return batch;
}

static void decode_batch(struct pipeline *pipeline, struct capture *capture, struct batch *batch)
{
	size_t i;

	for (i = 0; i < batch->capture.npackets; i++) {
		struct weir_packet *packet = &batch->capture.packets[i];

		packet->interface_name = capture_interface_name(capture, packet->interface);
		batch->nitems += (size_t)front_push(&pipeline->front, packet, &batch->arena,
						    &batch->items[batch->nitems]);
	}
	batch->packets = pipeline->front.index;
}

static bool stopped(const struct pipeline *pipeline)
{
	return pipeline->options.stop != NULL && *pipeline->options.stop;
}

static void note(struct pipeline *pipeline, const char *format, const char *input, const char *text)
{
	if (pipeline->result->message[0] == '\0') {
		(void)snprintf(pipeline->result->message, sizeof(pipeline->result->message), format,
			       input, text);
	}
}

/* One input to its end. 0, or an error that ends the run. */
static int read_input(struct pipeline *pipeline, size_t which)
{
	const char *name = pipeline->options.inputs[which];
	struct capture *capture = NULL;
	int got;
	int err = capture_open_file(name, (uint16_t)which, &capture);

	if (err < 0) {
		note(pipeline, "%s%s", capture == NULL ? name : "",
		     capture == NULL ? ": out of memory" : capture_message(capture));
		capture_close(capture);
		return err;
	}
	pipeline->captures[pipeline->ncaptures++] = capture;
	while (!stopped(pipeline)) {
		struct batch *batch = free_batch(pipeline);

		got = capture_fill(capture, &batch->capture);
		if (got <= 0) {
			if (pipeline->nworkers > 1) {
				queue_push(&pipeline->free, batch);
			}
			if (got == WEIR_EDAMAGED) {
				pipeline->result->truncated = true;
				note(pipeline, "%s%s", "", capture_message(capture));
				got = 0;
			} else if (got < 0) {
				note(pipeline, "%s%s", "", capture_message(capture));
			}
			err = got;
			break;
		}
		decode_batch(pipeline, capture, batch);
		handle(pipeline, batch);
		if (pipeline->options.progress != NULL &&
		    pipeline->nread++ % PROGRESS_BATCHES == 0) {
			const struct capture_stats *stats = capture_stats(capture);

			pipeline->options.progress(pipeline->options.context, stats->bytes,
						   stats->size, pipeline->front.index);
		}
	}
	pipeline->result->drops += capture_stats(capture)->drops;
	return err;
}

/* ---- life ---- */

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
	err = engine_new(&engine, &worker->engine);
	if (err < 0 || alone) {
		return err;
	}
	queue_init(&worker->in, NBATCHES + 1);
	queue_init(&worker->out, NPIECES);
	queue_init(&worker->spare, NPIECES);
	budget_init(&worker->budget, options->config->memory / 8 / pipeline->nworkers,
		    options->config->allocator);
	arena_pool_init_blocks(&worker->arenas, &worker->budget,
			       NPIECES * (OUT_BYTES / OUT_BLOCK + 1), OUT_BLOCK);
	for (k = 0; k < NPIECES; k++) {
		arena_init(&worker->pieces[k].arena, &worker->arenas);
		queue_push(&worker->spare, &worker->pieces[k]);
	}
	if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
		return WEIR_ENOMEM;
	}
	worker->running = true;
	return 0;
}

static int start(struct pipeline *pipeline)
{
	const struct pipeline_options *options = &pipeline->options;
	size_t k;
	unsigned i;
	int err;

	pipeline->nbatches = pipeline->nworkers == 1 ? 1 : NBATCHES;
	pipeline->input_base = calloc(options->ninputs, sizeof(*pipeline->input_base));
	pipeline->captures = calloc(options->ninputs, sizeof(struct capture *));
	if (pipeline->input_base == NULL || pipeline->captures == NULL) {
		return WEIR_ENOMEM;
	}
	err = front_init(&pipeline->front, options->config, 0, pipeline->input_base,
			 options->ninputs);
	if (err < 0) {
		return err;
	}
	queue_init(&pipeline->free, QUEUE_MAX);
	queue_init(&pipeline->order, QUEUE_MAX);
	budget_init(&pipeline->budget, options->config->memory / 16, options->config->allocator);
	arena_pool_init(&pipeline->arenas, &pipeline->budget, 64);
	for (k = 0; k < pipeline->nbatches; k++) {
		struct batch *batch = &pipeline->batches[k];

		batch->items = malloc(options->batch * sizeof(struct item));
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
		if (pthread_create(&pipeline->merger, NULL, merger_main, pipeline) != 0) {
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
	atomic_store(&pipeline->end.users, ENGINE_SHARDS + 1);
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

	result->front = pipeline->front.stats;
	result->defrag = *defrag_stats(pipeline->front.defrag);
	result->memory_peak = pipeline->front.budget.peak + pipeline->budget.peak;
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
	for (k = 0; k < pipeline->ncaptures; k++) {
		capture_close(pipeline->captures[k]);
	}
	front_fini(&pipeline->front);
	free(pipeline->captures);
	free(pipeline->input_base);
}

int pipeline_run(const struct pipeline_options *options, struct pipeline_result *ret)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
	size_t k;
	int err;

	memset(ret, 0, sizeof(*ret));
	if (pipeline == NULL) {
		return WEIR_ENOMEM;
	}
	pipeline->options = *options;
	pipeline->result = ret;
	pipeline->nworkers = options->nworkers < ENGINE_SHARDS ? options->nworkers : ENGINE_SHARDS;
	err = start(pipeline);
	if (err == 0) {
		for (k = 0; k < options->ninputs && err == 0 && !stopped(pipeline); k++) {
			err = read_input(pipeline, k);
		}
		finish(pipeline);
		collect(pipeline);
	} else {
		abandon(pipeline);
	}
	clean_up(pipeline);
	free(pipeline);
	return err;
}
