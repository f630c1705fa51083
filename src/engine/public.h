/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is behind include/weir/engine.h: a front, an engine with all the shards, and an observer that turns what flows do
 * into the caller's callbacks (public_flow.c) or queued events (public_queue.c).
 */
#ifndef ENGINE_PUBLIC_H
#define ENGINE_PUBLIC_H

#include "engine/engine.h"
#include "engine/tail.h"
#include "weir/engine.h"

enum { PUBLIC_SINKS = 8 };

struct public_dir {
	struct tail *held;
	uint64_t skip;
	uint8_t offer; /* asked for: offer what is held once more */
	uint8_t ended; /* end() was told */
};

/* A flow as its callbacks see it; charged to the flow's shard. */
struct weir_flow {
	struct weir_engine *engine;
	struct flow *flow;
	void *user;
	unsigned want;
	struct public_dir dir[2];
};

struct public_sink {
	const struct weir_sink_type *type;
	struct weir_sink *sink;
	struct weir_tap *tap;
};

/* An event. A chunk's marks and bytes are behind it. */
struct public_event {
	struct public_event *next;
	size_t size;             /* of all that, bytes */
	struct weir_arena arena; /* a record is in here */
	struct weir_event event;
	struct weir_flow_info flow;
};

struct public_queue {
	unsigned types; /* bits; 0: there is no queue */
	struct budget budget;
	struct arena_pool arenas;
	struct public_event *head;
	struct public_event *tail;
	struct public_event *taken; /* the caller looks at it */
	uint64_t lost;
};

struct weir_engine {
	struct weir_config config;
	struct weir_callbacks callbacks;
	struct budget budget;          /* of this struct */
	struct budget datagram_budget; /* of datagrams put together, ... */
	struct arena_pool datagrams;   /* ... each while its packet is handled */
	struct front front;
	struct engine *engine;
	struct public_queue queue;
	struct public_sink sinks[PUBLIC_SINKS];
	size_t nsinks;
	unsigned default_want; /* without opened() */
	uint32_t flush_at;     /* where a flush that the queue interrupted goes on */
	int sink_error;        /* the first */
	uint64_t sink_errors;
	uint64_t held_dropped;
	uint64_t datagrams_lost;
	bool started;   /* a packet was pushed */
	bool finishing; /* no more packets */
	bool finished;  /* all flows have ended, sinks are flushed */
	bool busy;      /* a call is running: callbacks may not call it again */
	bool freeing;   /* closed() is all that is still told */
};

extern const struct engine_observer public_observer;

/** Is half of the queue used? false without a queue. */
bool public_queue_is_full(const struct weir_engine *engine);
static inline bool public_queues(const struct weir_engine *engine, enum weir_event_type type)
{
	return (engine->queue.types >> type) & 1;
}
/**
 * Queue an event; what does not fit is counted. `what` is copied with all it points to; its flow is filled in.
 */
void public_queue_add(struct weir_engine *engine, const struct weir_flow *flow,
		      const struct weir_event *what);
void public_queue_fini(struct weir_engine *engine);

/** End more flows after weir_engine_finish(), until the queue is full or nothing is left. */
void public_finish_more(struct weir_engine *engine);

#endif
