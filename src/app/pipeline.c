/* SPDX-License-Identifier: Apache-2.0 */
/* The data path, from beginning to end: see pipeline.h, and pipeline_private.h for how it works. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "app/pipeline_private.h"
#include "weir/error.h"

/* ---- figures ---- */

void pipeline_give_figures(struct pipeline *pipeline)
{
	struct pipeline_result *so_far = &pipeline->so_far;
	bool again;
	unsigned i;

	for (i = 0; i < pipeline->nworkers; i++) {
		engine_stats_add(&so_far->engine, &pipeline->workers[i].stats);
		so_far->memory_peak += pipeline->workers[i].stats.budget_peak;
	}
	pipeline->options.figures(pipeline->options.context, so_far);
	pthread_mutex_lock(&pipeline->lock);
	again = pipeline->look_again;
	pipeline->looking = false;
	pipeline->look_again = false;
	pthread_mutex_unlock(&pipeline->lock);
	if (again && pipeline->options.wake != NULL) {
		pipeline->options.wake();
	}
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

static void *thread_main(void *context)
{
	worker_run(context);
	return NULL;
}

static int open_worker(struct pipeline *pipeline, unsigned i)
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
		.record = alone ? options->record : worker_record,
		.context = alone ? options->context : worker,
		.wants = options->wants,
		.reads_tcp = options->reads_tcp,
		.wants_context = options->context,
		.tap = options->tap,
	};
	int err;

	worker->pipeline = pipeline;
	pthread_cond_init(&worker->moved, NULL);
	worker->desk = options->desks == NULL ? NULL : options->desks[i];
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
	return worker_open_pieces(worker, options->config->memory / 64 * 3 / pipeline->nworkers);
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

/* aligned_alloc() wants a multiple of the alignment */
static size_t parcels_size(const struct pipeline *pipeline, const struct batch *batch)
{
	size_t size = pipeline->nworkers * batch->max_items * sizeof(struct parcel);

	return (size + LINES - 1) / LINES * LINES;
}

static int open_batches(struct pipeline *pipeline)
{
	const struct pipeline_options *options = &pipeline->options;
	size_t k;

	budget_init(&pipeline->budget, options->config->memory / 16, options->config->allocator);
	arena_pool_init(&pipeline->arenas, &pipeline->budget, 64);
	pipeline->nbatches = pipeline->nworkers == 1 ? 1 : NBATCHES;
	for (k = 0; k < pipeline->nbatches; k++) {
		struct batch *batch = &pipeline->batches[k];

		batch->max_items = options->batch + 1;
		batch->items = malloc(batch->max_items * sizeof(*batch->items));
		if (pipeline->nworkers > 1) {
			batch->parcels = aligned_alloc(LINES, parcels_size(pipeline, batch));
			batch->moments = malloc(batch->max_items * sizeof(*batch->moments));
		}
		if (batch->items == NULL ||
		    (pipeline->nworkers > 1 &&
		     (batch->parcels == NULL || batch->moments == NULL)) ||
		    capture_batch_init(&batch->capture, options->batch) < 0) {
			return WEIR_ENOMEM;
		}
		arena_init(&batch->arena, &pipeline->arenas);
		pipeline->free[pipeline->nfree++] = batch;
	}
	return 0;
}

/* Threads of workers; the first one's is that which began, unless that one only reads. */
static int start_threads(struct pipeline *pipeline)
{
	unsigned i;

	for (i = pipeline->apart ? 0 : 1; i < pipeline->nworkers; i++) {
		struct worker *worker = &pipeline->workers[i];

		if (start_thread(&worker->thread, thread_main, worker) < 0) {
			return WEIR_ENOMEM;
		}
		worker->running = true;
	}
	return 0;
}

static int start(struct pipeline *pipeline)
{
	const struct pipeline_options *options = &pipeline->options;
	unsigned i;
	int err;

	pipeline->workers = aligned_alloc(LINES, pipeline->nworkers * sizeof(*pipeline->workers));
	pipeline->input_base = calloc(options->ninputs, sizeof(*pipeline->input_base));
	if (pipeline->workers == NULL || pipeline->input_base == NULL) {
		return WEIR_ENOMEM;
	}
	memset(pipeline->workers, 0, pipeline->nworkers * sizeof(*pipeline->workers));
	err = front_init(&pipeline->front, options->config,
			 options->shared != NULL ? options->shared->seed
						 : hash_seed(options->config),
			 pipeline->input_base, options->ninputs);
	if (err == 0) {
		err = open_batches(pipeline);
	}
	for (i = 0; i < pipeline->nworkers && err == 0; i++) {
		err = open_worker(pipeline, i);
	}
	return err < 0 || pipeline->nworkers == 1 ? err : start_threads(pipeline);
}

static void end_threads(struct pipeline *pipeline)
{
	unsigned i;

	for (i = 0; pipeline->workers != NULL && i < pipeline->nworkers; i++) {
		if (pipeline->workers[i].running) {
			pthread_join(pipeline->workers[i].thread, NULL);
			pipeline->workers[i].running = false;
		}
	}
}

/* Everything that can be read is worked off, and every flow ends. */
static void work(struct pipeline *pipeline)
{
	if (pipeline->nworkers > 1 && !pipeline->apart) {
		worker_run(&pipeline->workers[0]);
	}
	while (!pipeline->reading.done) {
		if (pipeline->nworkers > 1) {
			worker_wait_for_room(pipeline);
		}
		pipeline_read(pipeline);
	}
	end_threads(pipeline);
}

/* Starting failed half-way: end the threads there are. */
static void abandon(struct pipeline *pipeline)
{
	pthread_mutex_lock(&pipeline->lock);
	pipeline->abandoned = true;
	worker_wake_others(pipeline);
	pthread_mutex_unlock(&pipeline->lock);
	end_threads(pipeline);
}

static void collect(struct pipeline *pipeline)
{
	struct pipeline_result *result = pipeline->result;
	unsigned i;

	pipeline_collect_reading(pipeline, result);
	for (i = 0; i < pipeline->nworkers; i++) {
		struct worker *worker = &pipeline->workers[i];
		struct engine_stats stats;

		engine_get_stats(worker->engine, &stats);
		engine_stats_add(&result->engine, &stats);
		result->memory_peak += stats.budget_peak + worker->budget.peak + worker->text_peak;
		if (worker->desk != NULL) {
			pipeline->options.note(worker->desk);
		}
	}
	result->stopped = pipeline_is_stopped(pipeline);
}

static void clean_up(struct pipeline *pipeline)
{
	unsigned i;
	size_t k;

	for (i = 0; pipeline->workers != NULL && i < pipeline->nworkers; i++) {
		struct worker *worker = &pipeline->workers[i];

		engine_free(worker->engine);
		if (worker->tap != NULL) {
			pipeline->options.tap->close(worker->tap);
		}
		worker_close_pieces(worker);
		pthread_cond_destroy(&worker->moved);
	}
	for (k = 0; k < pipeline->nbatches; k++) {
		if (pipeline->batches[k].arena.pool != NULL) {
			arena_fini(&pipeline->batches[k].arena);
		}
		capture_batch_fini(&pipeline->batches[k].capture);
		free(pipeline->batches[k].items);
		free(pipeline->batches[k].parcels);
		free(pipeline->batches[k].moments);
	}
	if (pipeline->arenas.budget != NULL) {
		arena_pool_fini(&pipeline->arenas);
	}
	front_fini(&pipeline->front);
	free(pipeline->workers);
	free(pipeline->input_base);
	pthread_mutex_destroy(&pipeline->lock);
	pthread_cond_destroy(&pipeline->room);
}

/*
 * How --memory is divided, in 64ths: 52 for flows (engine.c), 4 for fragments (front.c, which takes no more than 4 MiB), 4 for
 * the datagrams made of them, 3 for records on their way from workers to who merges; sinks get the 1 that is left, and
 * what fragments do not take.
 */
size_t pipeline_sink_memory(const struct weir_config *config)
{
	return config->memory / 64 + config->memory / 16 - front_memory(config);
}

static struct pipeline *new_pipeline(const struct pipeline_options *options,
				     struct pipeline_result *ret)
{
	struct pipeline *pipeline = aligned_alloc(_Alignof(struct pipeline), sizeof(*pipeline));
	size_t k;

	if (pipeline == NULL) {
		return NULL;
	}
	memset(pipeline, 0, sizeof(*pipeline));
	pipeline->options = *options;
	pipeline->result = ret;
	pipeline->nworkers = options->nworkers < ENGINE_SHARDS ? options->nworkers : ENGINE_SHARDS;
	pipeline->places = worker_places();
	pthread_mutex_init(&pipeline->lock, NULL);
	pthread_cond_init(&pipeline->room, NULL);
	for (k = 0; k < options->ninputs; k++) {
		pipeline->live = pipeline->live || capture_is_live(options->inputs[k]);
		pipeline->apart = pipeline->apart || capture_may_wait(options->inputs[k]);
	}
	return pipeline;
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
	struct pipeline *pipeline;
	int err;

	memset(ret, 0, sizeof(*ret));
	pipeline = new_pipeline(options, ret);
	if (pipeline == NULL) {
		return WEIR_ENOMEM;
	}
	err = start(pipeline);
	if (err == 0) {
		work(pipeline);
		err = pipeline->reading.err;
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
