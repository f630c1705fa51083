/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public engine: a fuzzer's bytes choose packets of four connections, ticks, flushes, and what callbacks answer. Whatever they
 * are: chunks and gaps tile each stream, end and closed come once, the ledger balances and all memory comes back.
 *
 *	byte 0   bit 0: pull events; bit 1: records too; bits 2..: memory, 4 MiB and so many halves more
 *	op       low 3 bits: what; the rest: see run_op()
 */
#include <stdint.h>
#include <stdlib.h>

#include "tcp_script.h"
#include "weir/weir.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	const uint8_t *end;
};

/* What a flow's callbacks said so far. */
struct seen {
	uint64_t next[2]; /* stream offset that must come next: consumed or missing before it */
	size_t held[2];
	bool ended[2];
};

struct run {
	struct input in;
	struct weir_engine *engine;
	int64_t now_ns;
	uint64_t open;
	size_t used;
};

static uint8_t next(struct input *in)
{
	return in->at < in->end ? *in->at++ : 0;
}

static void must(bool truth)
{
	if (!truth) {
		abort();
	}
}

static void *take_memory(void *context, size_t size)
{
	struct run *run = context;

	run->used += size;
	return malloc(size);
}

static void give_memory(void *context, void *ptr, size_t size)
{
	struct run *run = context;

	must(run->used >= size);
	run->used -= size;
	free(ptr);
}

static unsigned on_opened(void *context, struct weir_flow *flow)
{
	struct run *run = context;
	unsigned want = next(&run->in) % 8;

	if (want == 7) {
		return WEIR_WANT_NOTHING;
	}
	weir_flow_set_user(flow, calloc(1, sizeof(struct seen)));
	must(weir_flow_get_user(flow) != NULL);
	run->open++;
	return want % 3 + 1;
}

static void release(struct run *run, struct weir_flow *flow)
{
	free(weir_flow_get_user(flow));
	weir_flow_set_user(flow, NULL);
	run->open--;
}

static void on_data(void *context, struct weir_flow *flow, enum weir_direction dir,
		    const struct weir_chunk *chunk, struct weir_take *take)
{
	struct run *run = context;
	struct seen *seen = weir_flow_get_user(flow);
	uint8_t answer = next(&run->in);

	must(seen != NULL && chunk->len > 0 && chunk->nmarks > 0 && !seen->ended[dir]);
	must(chunk->offset == seen->next[dir] && chunk->len >= seen->held[dir]);
	must(chunk->marks[0].offset <= chunk->offset);
	switch (answer % 8) {
	case 0:
		take->consumed = answer / 8 % (chunk->len + 1);
		break;
	case 1:
		take->consumed = 0;
		break;
	case 2:
		take->consumed = answer / 16 < chunk->len ? (size_t)(answer / 16) : chunk->len;
		take->skip = answer / 8;
		break;
	case 3:
		weir_flow_offer(flow, (enum weir_direction)(answer / 8 % 2));
		break;
	case 4:
		if (answer / 8 % 8 == 0) {
			weir_flow_ignore(flow);
			release(run, flow);
			return;
		}
		break;
	default:
		break;
	}
	seen->next[dir] += take->consumed + take->skip;
	seen->held[dir] = take->skip > 0 ? 0 : chunk->len - take->consumed;
}

static void on_gap(void *context, struct weir_flow *flow, enum weir_direction dir,
		   const struct weir_gap *gap)
{
	struct seen *seen = weir_flow_get_user(flow);

	must(seen != NULL && !seen->ended[dir] && gap->dropped >= seen->held[dir]);
	if (gap->length == 0) {
		seen->next[dir] += gap->dropped;
	} else {
		must(gap->dropped == seen->held[dir]);
		/* within a skip the gap begins earlier, and may end earlier */
		must(gap->offset <= seen->next[dir] + gap->dropped);
		if (gap->offset + gap->length > seen->next[dir]) {
			seen->next[dir] = gap->offset + gap->length;
		}
	}
	seen->held[dir] = 0;
}

static void on_end(void *context, struct weir_flow *flow, enum weir_direction dir,
		   enum weir_close how, size_t dropped)
{
	struct seen *seen = weir_flow_get_user(flow);

	must(seen != NULL && !seen->ended[dir] && dropped == seen->held[dir]);
	seen->ended[dir] = true;
}

static void on_closed(void *context, struct weir_flow *flow, enum weir_close how)
{
	release(context, flow);
}

static void on_record(void *context, const struct weir_record *rec)
{
	must(rec->schema != NULL && rec->flow != NULL);
}

static void take_events(struct run *run, unsigned n)
{
	const struct weir_event *event;

	while (n-- > 0 && weir_engine_next(run->engine, &event) == 1) {
		must(event->flow != NULL && event->type < WEIR_EVENT_NTYPES);
	}
}

/* A packet near where the stream stands, or far off. */
static void push_packet(struct run *run, uint8_t op)
{
	static const char payload[256] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	uint8_t a = next(&run->in), b = next(&run->in), len = next(&run->in);
	unsigned flags = next(&run->in);
	struct tcp_packet p;

	tcp_make(&p, op & 8, (uint16_t)(50000 + op / 16 % 4), 80, (int64_t)a * 8 - 8 + b % 8,
		 (int64_t)b * 4, flags & 0x17, payload, len, run->now_ns);
	if (op & 128 && len > 8) {
		p.packet.caplen -= 8; /* the snaplen */
	}
	if (weir_engine_push(run->engine, &p.packet) == WEIR_ELIMIT) {
		take_events(run, 1000);
	}
}

static void run_op(struct run *run)
{
	struct weir_flushed flushed;
	uint8_t op = next(&run->in);

	switch (op % 8) {
	case 0:
		run->now_ns += (int64_t)next(&run->in) * T_SECOND / 8;
		(void)weir_engine_tick(run->engine, run->now_ns);
		break;
	case 1:
		(void)weir_engine_flush_older(
			run->engine, run->now_ns - next(&run->in) * T_SECOND / 16, &flushed);
		break;
	case 2:
		take_events(run, op / 8);
		break;
	case 3:
		run->now_ns += (int64_t)(op / 8) * 1000000;
		break;
	default:
		push_packet(run, op);
		break;
	}
}

static void check_ledger(const struct weir_engine *engine)
{
	struct weir_stats stats;
	uint64_t sum;
	int i;

	weir_engine_stats(engine, &stats, sizeof(stats));
	sum = stats.ledger.delivered + stats.ledger.duplicate + stats.ledger.overlap +
	      stats.ledger.pending;
	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		sum += stats.ledger.rejected[i];
	}
	must(stats.ledger.captured == sum);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run run = {.in = {data, data + size}, .now_ns = T_START};
	struct weir_allocator allocator = {take_memory, give_memory, &run};
	struct weir_callbacks callbacks = {.context = &run,
					   .opened = on_opened,
					   .data = on_data,
					   .gap = on_gap,
					   .end = on_end,
					   .closed = on_closed};
	uint8_t mode = next(&run.in);
	struct weir_config config;

	weir_config_init(&config);
	config.memory = (size_t)(8 + mode / 4 % 8) << 19;
	config.checksums = WEIR_CHECKSUM_NONE;
	config.allocator = &allocator;
	config.deliver = mode % 8 == 7 ? WEIR_DELIVER_ACKED : WEIR_DELIVER_CONTIGUOUS;
	config.overlap = (enum weir_overlap_policy)(mode / 32 % 6);
	callbacks.record = mode & 2 ? on_record : NULL;
	must(weir_engine_new(&config, &callbacks, &run.engine) == 0);
	if (mode & 1) {
		must(weir_engine_queue(run.engine, WEIR_EVENTS_ALL & ~(1u << WEIR_EVENT_CLOSED),
				       16384) == 0);
	}
	while (run.in.at < run.in.end) {
		run_op(&run);
		check_ledger(run.engine);
	}
	if (mode < 192) {
		must(weir_engine_finish(run.engine) == 0);
		while (mode & 1 &&
		       weir_engine_next(run.engine, &(const struct weir_event *){NULL}) == 1) {
		}
		check_ledger(run.engine);
	}
	weir_engine_free(run.engine);
	must(run.open == 0 && run.used == 0);
	return 0;
}
