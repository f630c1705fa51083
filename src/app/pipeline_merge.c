/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Merging: the workers' records in the order of their keys, to whoever writes them.
 *
 * Each worker's records are ascending already, so the head of each stream is all that is compared; and those of a batch all come
 * before those of the next. What was merged can be left anywhere and gone on with by another thread. Text is not touched:
 * what lies together is told as one part, and the pieces it lies in go back when it is written.
 */
#include "app/pipeline_private.h"

int pipeline_compare_keys(const struct weir_record_key *a, const struct weir_record_key *b)
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

static void write_text(struct pipeline *pipeline)
{
	struct merged_text *text = &pipeline->text;

	if (text->nrecords > 0) {
		pipeline->options.text(pipeline->options.context, text->parts, text->n,
				       text->nrecords);
	}
	text->n = 0;
	text->nrecords = 0;
}

static void add_text(struct pipeline *pipeline, char *p, size_t len)
{
	struct merged_text *text = &pipeline->text;
	struct iovec *last = text->n > 0 ? &text->parts[text->n - 1] : NULL;

	text->nrecords++;
	if (len == 0) {
		return;
	}
	if (last != NULL && (char *)last->iov_base + last->iov_len == p) {
		last->iov_len += len;
		return;
	}
	if (text->n == MERGE_PARTS) {
		text->nrecords--;
		write_text(pipeline);
		text->nrecords++;
	}
	text->parts[text->n++] = (struct iovec){.iov_base = p, .iov_len = len};
}

static void give_back(struct worker *worker)
{
	struct pipeline *pipeline = worker->pipeline;

	write_text(pipeline); /* it may lie in there */
	pthread_mutex_lock(&pipeline->lock);
	worker->spare[worker->nspare++] = worker->head;
	pthread_mutex_unlock(&pipeline->lock);
	worker->head = NULL;
}

static bool take_piece(struct worker *worker)
{
	struct pipeline *pipeline = worker->pipeline;

	pthread_mutex_lock(&pipeline->lock);
	if (worker->ntaken < worker->nsent) {
		worker->head = worker->sent[worker->ntaken++ % NPIECES];
	}
	pthread_mutex_unlock(&pipeline->lock);
	worker->at = 0;
	worker->offset = 0;
	return worker->head != NULL;
}

enum head { HEAD_RECORD, HEAD_NONE, HEAD_UNKNOWN };

/* The next record of a worker within the batch; NONE: it has none left there; UNKNOWN: it is not that far */
static enum head head_of(struct worker *worker)
{
	while (worker->head != NULL || take_piece(worker)) {
		if (worker->at < worker->head->n) {
			return HEAD_RECORD;
		}
		if (worker->head->end_of_batch) {
			return HEAD_NONE;
		}
		give_back(worker);
	}
	return HEAD_UNKNOWN;
}

/* Whose record is next? NULL: nobody's; *ret_unknown: it cannot be told yet */
static struct worker *first_of(struct pipeline *pipeline, bool *ret_unknown)
{
	struct worker *best = NULL;
	unsigned i;

	*ret_unknown = false;
	for (i = 0; i < pipeline->nworkers; i++) {
		struct worker *worker = &pipeline->workers[i];
		enum head head = head_of(worker);

		if (head == HEAD_UNKNOWN) {
			*ret_unknown = true;
			return NULL;
		}
		if (head == HEAD_RECORD &&
		    (best == NULL ||
		     pipeline_compare_keys(&worker->head->entries[worker->at].key,
					   &best->head->entries[best->at].key) < 0)) {
			best = worker;
		}
	}
	return best;
}

static void deliver(struct pipeline *pipeline, struct worker *worker)
{
	const struct entry *entry = &worker->head->entries[worker->at++];

	if (entry->rec != NULL) {
		pipeline->options.record(pipeline->options.context, entry->rec);
		return;
	}
	add_text(pipeline, worker->head->text.p + worker->offset, entry->len);
	worker->offset += entry->len;
}

/* Somebody may be watching the output; somebody may have asked for figures; and the batch is free. */
static void end_batch(struct pipeline *pipeline)
{
	struct batch *batch;
	unsigned i;

	write_text(pipeline);
	for (i = 0; i < pipeline->nworkers; i++) {
		give_back(&pipeline->workers[i]);
	}
	pthread_mutex_lock(&pipeline->lock);
	batch = pipeline->given[pipeline->nmerged % NBATCHES];
	pthread_mutex_unlock(&pipeline->lock);
	if (batch->figures) {
		pipeline_give_figures(pipeline);
	}
	if ((pipeline->live || batch->calm) && pipeline->options.settled != NULL) {
		pipeline->options.settled(pipeline->options.context);
	}
	pthread_mutex_lock(&pipeline->lock);
	pipeline->nmerged++;
	pipeline->free[pipeline->nfree++] = batch;
	if (pipeline->apart) {
		pthread_cond_signal(&pipeline->room);
	}
	worker_wake_others(pipeline);
	pthread_mutex_unlock(&pipeline->lock);
}

void pipeline_merge(struct pipeline *pipeline)
{
	bool unknown = false;

	while (!unknown) {
		struct worker *worker = first_of(pipeline, &unknown);

		if (worker != NULL) {
			deliver(pipeline, worker);
		} else if (!unknown) {
			end_batch(pipeline);
		}
	}
	write_text(pipeline);
}
