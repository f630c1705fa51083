/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workers: each its own part of every batch, and whose turn it is to read and to merge (see pipeline_private.h).
 *
 * There is one lock, taken a few times a batch. Whatever changes what others could do is changed under it, and wakes them when
 * they wait.
 */
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "app/pipeline_private.h"
#include "record/record.h"
#include "weir/error.h"

/* ---- sleeping ---- */

static bool may_read(const struct pipeline *pipeline)
{
	return !pipeline->apart && !pipeline->is_reading && !pipeline->read_all &&
	       pipeline->nfree > 0;
}

static uint64_t ahead_of(const struct worker *worker)
{
	return worker->pipeline->ngiven - worker->done;
}

/* More workers than processors: are as many awake as can run? */
static bool is_crowded(const struct pipeline *pipeline)
{
	return pipeline->nworkers - pipeline->sleepers >= pipeline->places;
}

/* It sleeps, and others wait for it: for what it does, or for the end. */
static bool must_wake(const struct worker *worker)
{
	const struct pipeline *pipeline = worker->pipeline;

	return worker->asleep &&
	       (worker->for_pieces || pipeline->abandoned || worker->done < pipeline->hurry ||
		(pipeline->read_all && pipeline->nmerged == pipeline->ngiven));
}

/* It sleeps, and has so much to do that it is worth waking: that costs about as much as a batch of small packets. */
static bool has_work(const struct worker *worker)
{
	return worker->asleep && ahead_of(worker) >= WAKE_AHEAD;
}

/* Who has most of it; NULL: nobody. */
static struct worker *most_behind(struct pipeline *pipeline)
{
	struct worker *most = NULL;
	unsigned i;

	for (i = 0; pipeline->sleepers > 0 && i < pipeline->nworkers; i++) {
		struct worker *worker = &pipeline->workers[i];

		if (has_work(worker) && (most == NULL || worker->done < most->done)) {
			most = worker;
		}
	}
	return most;
}

unsigned worker_places(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 ? (unsigned)CPU_COUNT(&set) : UINT_MAX;
}

static void wake(struct worker *worker)
{
	worker->asleep = false;
	worker->pipeline->sleepers--;
	pthread_cond_signal(&worker->moved);
}

/* Nobody has to, but somebody can read. */
static struct worker *next_reader(struct pipeline *pipeline)
{
	unsigned i;

	for (i = 0; may_read(pipeline) && pipeline->nfree >= WAKE_FREE && i < pipeline->nworkers;
	     i++) {
		if (pipeline->workers[i].asleep && ahead_of(&pipeline->workers[i]) == 0) {
			return &pipeline->workers[i];
		}
	}
	return NULL;
}

void worker_wake_others(struct pipeline *pipeline)
{
	struct worker *next;
	unsigned i;

	for (i = 0; pipeline->sleepers > 0 && i < pipeline->nworkers; i++) {
		if (must_wake(&pipeline->workers[i])) {
			wake(&pipeline->workers[i]);
		}
	}
	while (!is_crowded(pipeline) && (next = most_behind(pipeline)) != NULL) {
		wake(next);
	}
	if (pipeline->sleepers > 0 && !is_crowded(pipeline) &&
	    (next = next_reader(pipeline)) != NULL) {
		wake(next);
	}
}

/* The lock is given up meanwhile. */
static void sleep_until_moved(struct worker *worker, bool for_pieces)
{
	struct pipeline *pipeline = worker->pipeline;

	pipeline->sleepers++;
	worker_wake_others(pipeline); /* its place is another's */
	worker->asleep = true;
	worker->for_pieces = for_pieces;
	while (worker->asleep) {
		pthread_cond_wait(&worker->moved, &pipeline->lock);
	}
}

/* All that was given is waited for. */
static void hurry(struct pipeline *pipeline)
{
	pipeline->hurry = pipeline->ngiven;
	worker_wake_others(pipeline);
}

/* ---- merging ---- */

/* All of a batch's records are there. Call with the lock, as all below. */
static bool is_mergeable(const struct pipeline *pipeline)
{
	unsigned i;

	for (i = 0; i < pipeline->nworkers; i++) {
		if (pipeline->workers[i].done == pipeline->nmerged) {
			return false;
		}
	}
	return true;
}

static void merge(struct pipeline *pipeline)
{
	pipeline->is_merging = true;
	pthread_mutex_unlock(&pipeline->lock);
	pipeline_merge(pipeline);
	pthread_mutex_lock(&pipeline->lock);
	pipeline->is_merging = false;
	worker_wake_others(pipeline);
}

/* ---- pieces ---- */

/* So many of the worker's pieces are to be merged. */
static void wait_for_pieces(struct worker *worker, size_t n)
{
	struct pipeline *pipeline = worker->pipeline;

	while (worker->nspare < n) {
		uint64_t seen = pipeline->nsent;

		if (!pipeline->is_merging) {
			merge(pipeline);
		}
		/* what was sent while we merged may have come too late for that, and nobody else has to merge it */
		if (worker->nspare < n && (pipeline->is_merging || pipeline->nsent == seen)) {
			hurry(pipeline);
			sleep_until_moved(worker, true);
		}
	}
}

/* The text of a piece grew, or was given back. */
static void note_text(struct worker *worker, size_t before, size_t now)
{
	worker->text_size += now - before;
	if (worker->text_size > worker->text_peak) {
		worker->text_peak = worker->text_size;
	}
}

static void next_piece(struct worker *worker)
{
	struct pipeline *pipeline = worker->pipeline;
	struct piece *piece;

	pthread_mutex_lock(&pipeline->lock);
	wait_for_pieces(worker, 1);
	piece = worker->spare[--worker->nspare];
	pthread_mutex_unlock(&pipeline->lock);
	arena_fini(&piece->arena);
	arena_init(&piece->arena, &worker->arenas);
	strbuf_clear(&piece->text);
	piece->n = 0;
	worker->piece = piece;
}

static void send_piece(struct worker *worker, bool end_of_batch)
{
	struct pipeline *pipeline = worker->pipeline;

	worker->piece->end_of_batch = end_of_batch;
	pthread_mutex_lock(&pipeline->lock);
	worker->sent[worker->nsent++ % NPIECES] = worker->piece;
	worker->done += end_of_batch ? 1 : 0;
	pipeline->nsent++;
	worker_wake_others(pipeline);
	pthread_mutex_unlock(&pipeline->lock);
	worker->piece = NULL;
}

/* The memory of the pieces is spent: wait until all that were sent have been merged, and take it back. */
static void reclaim(struct worker *worker)
{
	struct pipeline *pipeline = worker->pipeline;
	size_t k;

	send_piece(worker, false);
	pthread_mutex_lock(&pipeline->lock);
	wait_for_pieces(worker, NPIECES);
	pthread_mutex_unlock(&pipeline->lock);
	/* all are spare: nobody else looks at them */
	for (k = 0; k < NPIECES; k++) {
		struct piece *piece = worker->spare[k];

		arena_fini(&piece->arena);
		note_text(worker, piece->text.size, 0);
		strbuf_fini(&piece->text);
		strbuf_init(&piece->text);
	}
	arena_pool_trim(&worker->arenas);
	next_piece(worker);
}

static struct entry *new_entry(struct worker *worker, const struct weir_record *rec)
{
	struct entry *entry = &worker->piece->entries[worker->piece->n++];

	entry->key = rec->key;
	entry->rec = NULL;
	entry->len = 0;
	return entry;
}

static void copy_record(struct worker *worker, const struct weir_record *rec)
{
	const struct weir_record *copy = record_copy(rec, &worker->piece->arena);

	if (copy == NULL) {
		reclaim(worker);
		copy = record_copy(rec, &worker->piece->arena);
	}
	if (copy == NULL) {
		worker->engine->stats.records_no_memory++;
		return;
	}
	new_entry(worker, rec)->rec = copy;
}

static void put_text(struct worker *worker, const struct weir_record *rec)
{
	const struct pipeline_options *options = &worker->pipeline->options;
	struct strbuf *text = &worker->piece->text;
	size_t before = text->len, size = text->size;
	int got = options->prepare(worker->desk, rec, text);

	note_text(worker, size, text->size);
	if (got < 0) {
		worker->engine->stats.records_no_memory++;
	} else if (got > 0) {
		new_entry(worker, rec)->len = text->len - before;
	}
	if (worker->text_size > worker->budget.limit) {
		reclaim(worker);
	}
}

void worker_record(void *context, const struct weir_record *rec)
{
	struct worker *worker = context;

	if (worker->desk == NULL) {
		copy_record(worker, rec);
	} else {
		put_text(worker, rec);
	}
	if (worker->piece->n == OUT_RECORDS || worker->piece->arena.used >= OUT_BYTES ||
	    worker->piece->text.len >= OUT_BYTES) {
		send_piece(worker, false);
		next_piece(worker);
	}
}

int worker_open_pieces(struct worker *worker, size_t memory)
{
	size_t k;

	budget_init(&worker->budget, memory, worker->pipeline->options.config->allocator);
	arena_pool_init_blocks(&worker->arenas, &worker->budget,
			       NPIECES * (OUT_BYTES / OUT_BLOCK + 1), OUT_BLOCK);
	worker->pieces = calloc(NPIECES, sizeof(*worker->pieces));
	if (worker->pieces == NULL) {
		return WEIR_ENOMEM;
	}
	for (k = 0; k < NPIECES; k++) {
		arena_init(&worker->pieces[k].arena, &worker->arenas);
		strbuf_init(&worker->pieces[k].text);
		worker->spare[worker->nspare++] = &worker->pieces[k];
	}
	return 0;
}

void worker_close_pieces(struct worker *worker)
{
	size_t k;

	for (k = 0; worker->pieces != NULL && k < NPIECES; k++) {
		arena_fini(&worker->pieces[k].arena);
		strbuf_fini(&worker->pieces[k].text);
	}
	if (worker->arenas.budget != NULL) {
		arena_pool_fini(&worker->arenas);
	}
	free(worker->pieces);
}

/* ---- turns ---- */

/* The worker's part of the next batch. */
static void do_own_part(struct worker *worker)
{
	struct pipeline *pipeline = worker->pipeline;
	struct batch *batch = pipeline->given[worker->done % NBATCHES];
	size_t k = (size_t)(worker - pipeline->workers);

	pthread_mutex_unlock(&pipeline->lock);
	next_piece(worker);
	engine_part(worker->engine,
		    &(struct engine_part){.parcels = batch->parcels + k * batch->max_items,
					  .nparcels = batch->nparcels[k],
					  .base = &batch->base,
					  .moments = batch->moments,
					  .nmoments = batch->nmoments,
					  .drops = batch->drops});
	if (batch->figures) {
		engine_get_stats(worker->engine, &worker->stats);
		worker->stats.budget_peak += worker->budget.peak + worker->text_peak;
		if (worker->desk != NULL) {
			pipeline->options.note(worker->desk);
		}
	}
	if (batch->last) {
		engine_finish(worker->engine, batch->packets);
	}
	send_piece(worker, true);
	pthread_mutex_lock(&pipeline->lock);
}

static void read_once(struct worker *worker)
{
	struct pipeline *pipeline = worker->pipeline;

	pipeline->is_reading = true;
	pipeline->reading.by = (unsigned)(worker - pipeline->workers);
	pthread_mutex_unlock(&pipeline->lock);
	pipeline_read(pipeline);
	pthread_mutex_lock(&pipeline->lock);
	pipeline->is_reading = false;
	worker_wake_others(pipeline);
}

/* @return false: there is nothing to do now */
static bool take_turn(struct worker *worker)
{
	struct pipeline *pipeline = worker->pipeline;
	uint64_t ahead = ahead_of(worker);
	bool awaited = is_crowded(pipeline) && most_behind(pipeline) != NULL;

	if (!pipeline->is_merging && is_mergeable(pipeline)) {
		merge(pipeline);
	} else if (ahead < READ_AHEAD && may_read(pipeline) && !awaited) {
		read_once(worker);
	} else if (ahead > 0) {
		do_own_part(worker);
	} else {
		return false;
	}
	return true;
}

void worker_run(struct worker *worker)
{
	struct pipeline *pipeline = worker->pipeline;

	pthread_mutex_lock(&pipeline->lock);
	while (!pipeline->abandoned &&
	       !(pipeline->read_all && pipeline->nmerged == pipeline->ngiven)) {
		if (!take_turn(worker)) {
			sleep_until_moved(worker, false);
		}
	}
	worker_wake_others(pipeline);
	pthread_mutex_unlock(&pipeline->lock);
}

void worker_wait_for_room(struct pipeline *pipeline)
{
	pthread_mutex_lock(&pipeline->lock);
	while (pipeline->nfree == 0) {
		pthread_cond_wait(&pipeline->room, &pipeline->lock);
	}
	pthread_mutex_unlock(&pipeline->lock);
}

void worker_give(struct pipeline *pipeline, struct batch *batch)
{
	pthread_mutex_lock(&pipeline->lock);
	pipeline->given[pipeline->ngiven++ % NBATCHES] = batch;
	pipeline->read_all = batch->last;
	if (pipeline->apart || batch->figures || batch->calm || batch->last) {
		pipeline->hurry = pipeline->ngiven;
	}
	worker_wake_others(pipeline);
	pthread_mutex_unlock(&pipeline->lock);
}
