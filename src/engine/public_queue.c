/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pull: events wait in a bounded queue for weir_engine_next().
 *
 * Each event lives in an arena of its own with all that it points to. The calls that make events stop when half of the queue's
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

/* All or nothing: false when memory is short. */
static bool copy_chunk(struct public_event *event, const struct weir_chunk *chunk)
{
	struct weir_chunk *copy = &event->event.chunk;

	*copy = *chunk;
	copy->marks = arena_alloc(&event->arena, chunk->nmarks * sizeof(*chunk->marks));
	copy->data = arena_dup(&event->arena, chunk->data, chunk->len);
	if (copy->marks == NULL || copy->data == NULL) {
		return false;
	}
	memcpy((struct weir_mark *)(uintptr_t)copy->marks, chunk->marks,
	       chunk->nmarks * sizeof(*chunk->marks));
	return true;
}

static struct public_event *new_event(struct public_queue *queue)
{
	struct weir_arena arena;
	struct public_event *event;

	arena_init(&arena, &queue->arenas);
	event = arena_alloc(&arena, sizeof(*event));
	if (event == NULL) {
		arena_fini(&arena);
		return NULL;
	}
	event->next = NULL;
	event->arena = arena;
	return event;
}

static void free_event(struct public_event *event)
{
	struct weir_arena arena = event->arena; /* the event is in it */

	arena_fini(&arena);
}

void public_queue_add(struct weir_engine *engine, const struct weir_flow *flow,
		      const struct weir_event *what)
{
	struct public_queue *queue = &engine->queue;
	struct public_event *event = new_event(queue);
	bool ok = event != NULL;

	if (ok) {
		event->event = *what;
		if (flow != NULL) {
			event->flow = *engine_info(engine->engine, flow->flow);
			event->event.user = flow->user;
		}
		event->event.flow = &event->flow;
		if (what->type == WEIR_EVENT_DATA) {
			ok = copy_chunk(event, &what->chunk);
		} else if (what->type == WEIR_EVENT_RECORD) {
			event->event.record = record_copy(what->record, &event->arena);
			event->flow = *what->record->flow;
			ok = event->event.record != NULL;
		}
	}
	if (!ok) {
		queue->lost++;
		if (event != NULL) {
			free_event(event);
		}
		return;
	}
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
		free_event(queue->taken);
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
		free_event(queue->taken);
	}
	while (queue->head != NULL) {
		struct public_event *event = queue->head;

		queue->head = event->next;
		free_event(event);
	}
	arena_pool_fini(&queue->arenas);
}
