/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pull: events wait in a bounded queue for weir_engine_next().
 *
 * Each event has all that it points to: a chunk's bytes behind it, a record in an arena of its own. The calls that make events stop when half of the queue's
 * memory is used, between two timers or two flows; the other half is for what one packet or one timer brings.
 */
#include <string.h>

#include "engine/public.h"
#include "record/record.h"
#include "weir/error.h"

enum { KEEP_BLOCKS = 64 }; /* free blocks kept for the next events */

int weir_engine_queue(struct weir_engine *engine, unsigned types, size_t limit)
{
	struct public_queue *queue = &engine->queue;

	if (engine->started || (types & WEIR_EVENTS_ALL) == 0 || queue->types != 0) {
		return WEIR_EINVAL;
	}
	if (limit == 0 || limit > engine->config.memory / 8) {
		limit = engine->config.memory / 8;
	}
	queue->types = types & WEIR_EVENTS_ALL;
	budget_init(&queue->budget, limit, engine->config.allocator);
	arena_pool_init(&queue->arenas, &queue->budget, KEEP_BLOCKS);
	return 0;
}

bool public_queue_is_full(const struct weir_engine *engine)
{
	const struct public_queue *queue = &engine->queue;
	size_t kept = queue->arenas.nfree * queue->arenas.block;

	return queue->types != 0 && queue->budget.used - kept > queue->budget.limit / 2;
}

/* An event, with room for so many bytes behind it. */
static struct public_event *new_event(struct public_queue *queue, size_t extra)
{
	size_t size = sizeof(struct public_event) + extra;
	struct public_event *event = budget_alloc(&queue->budget, size);

	if (event != NULL) {
		event->next = NULL;
		event->size = size;
		arena_init(&event->arena, &queue->arenas);
	}
	return event;
}

static void free_event(struct public_queue *queue, struct public_event *event)
{
	arena_fini(&event->arena);
	budget_free(&queue->budget, event, event->size);
}

/* The chunk's marks and bytes go behind the event. */
static struct public_event *copy_chunk(struct public_queue *queue, const struct weir_event *what)
{
	size_t marks = what->chunk.nmarks * sizeof(struct weir_mark);
	struct public_event *event = new_event(queue, marks + what->chunk.len);

	if (event != NULL) {
		uint8_t *room = (uint8_t *)(event + 1);

		event->event = *what;
		event->event.chunk.marks = memcpy(room, what->chunk.marks,
						  marks); /* after a struct of 8-byte members */
		event->event.chunk.data = memcpy(room + marks, what->chunk.data, what->chunk.len);
	}
	return event;
}

static struct public_event *copy_record(struct public_queue *queue, const struct weir_event *what)
{
	struct public_event *event = new_event(queue, 0);

	if (event != NULL) {
		event->event = *what;
		event->flow = *what->record->flow;
		event->event.record = record_copy(what->record, &event->arena);
		if (event->event.record == NULL) {
			free_event(queue, event);
			return NULL;
		}
	}
	return event;
}

static struct public_event *copy_plain(struct public_queue *queue, const struct weir_event *what)
{
	struct public_event *event = new_event(queue, 0);

	if (event != NULL) {
		event->event = *what;
	}
	return event;
}

void public_queue_add(struct weir_engine *engine, const struct weir_flow *flow,
		      const struct weir_event *what)
{
	struct public_queue *queue = &engine->queue;
	struct public_event *event;

	event = what->type == WEIR_EVENT_DATA     ? copy_chunk(queue, what)
		: what->type == WEIR_EVENT_RECORD ? copy_record(queue, what)
						  : copy_plain(queue, what);
	if (event == NULL) {
		queue->lost++;
		return;
	}
	if (flow != NULL) {
		event->flow = *engine_info(engine->engine, flow->flow);
		event->event.user = flow->user;
	}
	event->event.flow = &event->flow;
	if (queue->tail == NULL) {
		queue->head = event;
	} else {
		queue->tail->next = event;
	}
	queue->tail = event;
}

int weir_engine_next(struct weir_engine *engine, const struct weir_event **ret)
{
	struct public_queue *queue = &engine->queue;

	if (engine->busy || queue->types == 0) {
		return WEIR_EINVAL;
	}
	if (queue->taken != NULL) {
		free_event(queue, queue->taken);
		queue->taken = NULL;
	}
	if (queue->head == NULL && engine->finishing) {
		public_finish_more(engine);
	}
	if (queue->head == NULL) {
		return 0;
	}
	queue->taken = queue->head;
	queue->head = queue->taken->next;
	if (queue->head == NULL) {
		queue->tail = NULL;
	}
	*ret = &queue->taken->event;
	return 1;
}

void public_queue_fini(struct weir_engine *engine)
{
	struct public_queue *queue = &engine->queue;

	if (queue->types == 0) {
		return;
	}
	if (queue->taken != NULL) {
		free_event(queue, queue->taken);
	}
	while (queue->head != NULL) {
		struct public_event *event = queue->head;

		queue->head = event->next;
		free_event(queue, event);
	}
	arena_pool_fini(&queue->arenas);
}
