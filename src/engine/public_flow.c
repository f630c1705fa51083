/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows to callbacks: what the engine's observer sees becomes opened, data, gap, end and closed, with bytes held back and
 * skipped in between.
 *
 * Per direction either bytes are held or a skip runs, never both: a skip eats what is held first.
 */
#include <string.h>

#include "engine/public.h"
#include "engine/session.h"
#include "weir/error.h"

enum { ROOM_TRIES = 8 }; /* evictions for one flow's state at most */

/* ---- what a user may ask ---- */

const struct weir_flow_info *weir_flow_get_info(const struct weir_flow *flow)
{
	return engine_info(flow->engine->engine, flow->flow);
}

void weir_flow_set_user(struct weir_flow *flow, void *user)
{
	flow->user = user;
}

void *weir_flow_get_user(const struct weir_flow *flow)
{
	return flow->user;
}

void weir_flow_get_ledger(const struct weir_flow *flow, enum weir_direction dir,
			  struct weir_ledger *ret)
{
	reasm_half_ledger(&flow->flow->half[flow_sender(flow->flow, dir)], ret);
}

void weir_flow_get_figures(const struct weir_flow *flow, struct weir_tcp_figures *ret)
{
	struct weir_host host = {.engine = flow->engine->engine, .flow = flow->flow};

	weir_host_figures(&host, ret);
}

void weir_flow_ignore(struct weir_flow *flow)
{
	flow->flow->ignored = FLOW_IGNORE_ASKED;
}

void weir_flow_offer(struct weir_flow *flow, enum weir_direction dir)
{
	flow->dir[dir].offer = 1;
}

/* ---- bytes ---- */

static struct budget *budget_of(const struct weir_flow *flow)
{
	return &flow->flow->shard->budget;
}

static bool wanted(const struct weir_flow *flow)
{
	return flow->flow->ignored == FLOW_WANTED;
}

static void advance(struct weir_chunk *c, size_t n)
{
	c->data += n;
	c->len -= n;
	c->offset += n;
}

static void tell_gap(struct weir_flow *flow, enum weir_direction dir, const struct weir_gap *gap)
{
	struct weir_engine *engine = flow->engine;
	struct weir_event event = {.type = WEIR_EVENT_GAP, .dir = dir, .gap = *gap};

	if (public_queues(engine, WEIR_EVENT_GAP)) {
		public_queue_add(engine, flow, &event);
	} else if (engine->callbacks.gap != NULL) {
		engine->callbacks.gap(engine->callbacks.context, flow, dir, gap);
	}
}

/* Bytes cannot be held: for length, or for memory. `more` of them are not in the tail. */
static void drop_held(struct weir_flow *flow, enum weir_direction dir, uint64_t offset, size_t more,
		      int err)
{
	struct public_dir *d = &flow->dir[dir];
	struct weir_gap gap = {.offset = offset, .dropped = more};

	gap.cause = err == WEIR_ELIMIT ? WEIR_GAP_LIMIT : WEIR_GAP_BUDGET;
	if (d->held != NULL) {
		gap.offset = d->held->offset;
		gap.dropped += d->held->len;
	}
	tail_free(&d->held, budget_of(flow));
	flow->engine->held_dropped += gap.dropped;
	tell_gap(flow, dir, &gap);
}

/* Opaque bytes at the beginning of what is held, or of the chunk. */
static void pass_skipped(struct weir_flow *flow, struct public_dir *d, struct weir_chunk *c)
{
	size_t n;

	if (d->skip > 0 && d->held != NULL) {
		n = d->held->len < d->skip ? d->held->len : (size_t)d->skip;
		tail_drop(&d->held, budget_of(flow), n);
		d->skip -= n;
	}
	if (d->skip > 0) {
		n = c->len < d->skip ? c->len : (size_t)d->skip;
		advance(c, n);
		d->skip -= n;
	}
}

/* One call of data(). @return bytes that were consumed */
static size_t call_data(struct weir_flow *flow, enum weir_direction dir,
			const struct weir_chunk *chunk)
{
	const struct weir_callbacks *callbacks = &flow->engine->callbacks;
	struct weir_take take = {.consumed = chunk->len, .skip = 0};

	callbacks->data(callbacks->context, flow, dir, chunk, &take);
	flow->dir[dir].skip = take.skip;
	return take.consumed < chunk->len ? take.consumed : chunk->len;
}

/* What is held and then the chunk, as far as the user takes it. @return whether something was consumed */
static bool give(struct weir_flow *flow, enum weir_direction dir, struct weir_chunk *c)
{
	size_t limit = flow->engine->config.head_limit + TAIL_EXTRA;
	struct public_dir *d = &flow->dir[dir];
	bool moved = false;

	for (;;) {
		struct weir_chunk from;
		size_t used;
		int err = 0;

		pass_skipped(flow, d, c);
		if (d->held != NULL && c->len > 0) {
			err = tail_append(&d->held, budget_of(flow), limit, c, c->len);
			if (err < 0) {
				drop_held(flow, dir, 0, 0, err);
			} else {
				advance(c, c->len);
			}
		}
		if (!wanted(flow) || (d->held == NULL && c->len == 0)) {
			return moved;
		}
		from = d->held != NULL ? tail_chunk(d->held) : *c;
		used = call_data(flow, dir, &from);
		moved |= used > 0 || d->skip > 0;
		if (d->held != NULL) {
			if (used > 0) {
				tail_drop(&d->held, budget_of(flow), used);
			}
		} else {
			advance(c, used);
		}
		if (!wanted(flow) || d->skip == 0) {
			break;
		}
	}
	if (c->len > 0 && wanted(flow)) {
		int err = tail_append(&d->held, budget_of(flow), limit, c, c->len);

		if (err < 0) {
			drop_held(flow, dir, c->offset, c->len, err);
		}
	}
	return moved;
}

/* Offer again what the user asked for, for as long as that moves something. */
static void settle(struct weir_flow *flow)
{
	bool moved = true;

	while (moved) {
		int i;

		moved = false;
		for (i = 0; i < 2; i++) {
			struct public_dir *d = &flow->dir[i];
			struct weir_chunk none = {0};

			if (d->offer && d->held != NULL && wanted(flow)) {
				d->offer = 0;
				moved |= give(flow, (enum weir_direction)i, &none);
			}
			d->offer = 0;
		}
	}
}

/* ---- the observer ---- */

static struct weir_flow *new_flow(struct weir_engine *engine, struct flow *flow)
{
	struct weir_flow *ours = NULL;
	int tries = 0;

	do {
		ours = budget_calloc(&flow->shard->budget, 1, sizeof(*ours));
	} while (ours == NULL && tries++ < ROOM_TRIES &&
		 shard_make_room(flow->shard, SHARD_BYTES, flow));
	if (ours != NULL) {
		ours->engine = engine;
		ours->flow = flow;
	}
	return ours;
}

static int on_opened(void *context, struct flow *flow)
{
	struct weir_engine *engine = context;
	const struct weir_callbacks *callbacks = &engine->callbacks;
	struct weir_event event = {.type = WEIR_EVENT_OPENED};
	struct weir_flow *ours = new_flow(engine, flow);

	if (ours == NULL) {
		return WEIR_ENOMEM;
	}
	ours->want = callbacks->opened == NULL ? engine->default_want
					       : callbacks->opened(callbacks->context, ours);
	flow->observed = ours;
	if ((ours->want & WEIR_WANT_ALL) == 0) {
		budget_free(budget_of(ours), ours, sizeof(*ours));
		flow->observed = NULL;
		flow->ignored = FLOW_IGNORE_ASKED;
		return 0;
	}
	flow->unparsed = !(ours->want & WEIR_WANT_RECORDS);
	if (wanted(ours) && public_queues(engine, WEIR_EVENT_OPENED)) {
		public_queue_add(engine, ours, &event);
	}
	return 0;
}

/* The flow's callbacks, when its bytes are wanted. */
static struct weir_flow *bytes_wanted(const struct flow *flow)
{
	struct weir_flow *ours = flow->observed;

	if (ours == NULL || !(ours->want & WEIR_WANT_BYTES) || ours->engine->freeing) {
		return NULL;
	}
	return ours;
}

static void on_data(void *context, struct flow *flow, enum weir_direction dir,
		    const struct weir_chunk *chunk)
{
	struct weir_engine *engine = context;
	struct weir_flow *ours = bytes_wanted(flow);
	struct weir_chunk rest = *chunk;

	if (ours == NULL) {
		return;
	}
	if (public_queues(engine, WEIR_EVENT_DATA)) {
		struct weir_event event = {.type = WEIR_EVENT_DATA, .dir = dir, .chunk = *chunk};

		public_queue_add(engine, ours, &event);
	} else if (engine->callbacks.data != NULL) {
		(void)give(ours, dir, &rest);
		settle(ours);
	}
}

static void on_gap(void *context, struct flow *flow, enum weir_direction dir, uint64_t offset,
		   uint64_t length, enum weir_gap_cause cause)
{
	struct weir_flow *ours = bytes_wanted(flow);
	struct weir_gap gap = {.offset = offset, .length = length, .cause = cause};
	struct public_dir *d;

	(void)context;
	if (ours == NULL) {
		return;
	}
	d = &ours->dir[dir];
	if (d->held != NULL) {
		gap.dropped = d->held->len;
		tail_free(&d->held, budget_of(ours));
	}
	d->skip -= length < d->skip ? length : d->skip;
	tell_gap(ours, dir, &gap);
	settle(ours);
}

static void on_end(void *context, struct flow *flow, enum weir_direction dir, enum weir_close how)
{
	struct weir_engine *engine = context;
	struct weir_flow *ours = bytes_wanted(flow);
	size_t dropped = 0;

	if (ours == NULL || ours->dir[dir].ended) {
		return;
	}
	ours->dir[dir].ended = 1;
	if (ours->dir[dir].held != NULL) {
		dropped = ours->dir[dir].held->len;
		tail_free(&ours->dir[dir].held, budget_of(ours));
	}
	if (public_queues(engine, WEIR_EVENT_END)) {
		struct weir_event event = {.type = WEIR_EVENT_END, .dir = dir, .how = how};

		public_queue_add(engine, ours, &event);
	} else if (engine->callbacks.end != NULL) {
		engine->callbacks.end(engine->callbacks.context, ours, dir, how, dropped);
	}
	settle(ours);
}

static void on_closed(void *context, struct flow *flow, int how)
{
	struct weir_engine *engine = context;
	struct weir_flow *ours = flow->observed;
	int i;

	if (ours == NULL) {
		return;
	}
	if (how >= 0 && public_queues(engine, WEIR_EVENT_CLOSED)) {
		struct weir_event event = {.type = WEIR_EVENT_CLOSED, .how = (enum weir_close)how};

		public_queue_add(engine, ours, &event);
	} else if (how >= 0 && engine->callbacks.closed != NULL) {
		engine->callbacks.closed(engine->callbacks.context, ours, (enum weir_close)how);
	}
	for (i = 0; i < 2; i++) {
		tail_free(&ours->dir[i].held, budget_of(ours));
	}
	budget_free(budget_of(ours), ours, sizeof(*ours));
	flow->observed = NULL;
}

const struct engine_observer public_observer = {
	.opened = on_opened,
	.data = on_data,
	.gap = on_gap,
	.end = on_end,
	.closed = on_closed,
};
