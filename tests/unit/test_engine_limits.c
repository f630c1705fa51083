/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public engine under limits: events pulled through small queues, an allocator that fails at each of its calls in turn,
 * memory budgets. The traffic is one script of everything: HTTP with coded bodies, holes, FIN, RST, reuse, fragments, ignored
 * flows, held bytes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <cmocka.h>

#include "tcp_script.h"
#include "weir/weir.h"

enum { FLOWS = 40, FRAGMENT = 24, LOG = 1 << 20 };

/* ---- an allocator that counts, and fails ---- */

struct counting {
	struct weir_allocator allocator;
	uint64_t calls;
	uint64_t fail_at; /* 0: never */
	bool fail_on;     /* and all that follow */
	size_t used;
	size_t peak;
};

static void *count_alloc(void *context, size_t size)
{
	struct counting *c = context;

	c->calls++;
	if (c->fail_at != 0 && (c->calls == c->fail_at || (c->fail_on && c->calls > c->fail_at))) {
		return NULL;
	}
	c->used += size;
	c->peak = c->used > c->peak ? c->used : c->peak;
	return malloc(size);
}

static void count_free(void *context, void *ptr, size_t size)
{
	struct counting *c = context;

	assert_true(c->used >= size);
	c->used -= size;
	free(ptr);
}

static void counting_init(struct counting *c)
{
	memset(c, 0, sizeof(*c));
	c->allocator.alloc = count_alloc;
	c->allocator.free = count_free;
	c->allocator.context = c;
}

/* ---- the script ---- */

struct script {
	struct tcp_packet *packets;
	size_t n;
	size_t room;
};

static struct script script;

static void add(bool c2s, uint16_t port, int64_t seq, int64_t ack, unsigned flags, const char *data,
		size_t len)
{
	if (script.n == script.room) {
		script.room = script.room == 0 ? 256 : script.room * 2;
		script.packets = realloc(script.packets, script.room * sizeof(*script.packets));
		assert_non_null(script.packets);
	}
	tcp_make(&script.packets[script.n], c2s, port, 80, seq, ack, flags, data, len,
		 T_START + (int64_t)script.n * 1000000);
	script.n++;
}

static size_t gzip_response(char *ret, size_t room)
{
	uint8_t body[256], text[2000];
	z_stream z = {
		.next_in = text, .avail_in = sizeof(text), .next_out = body, .avail_out = 256};
	int head;

	memset(text, 'z', sizeof(text));
	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	head = snprintf(ret, room,
			"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %u\r\n\r\n",
			(unsigned)z.total_out);
	memcpy(ret + head, body, z.total_out);
	deflateEnd(&z);
	return (size_t)head + z.total_out;
}

/* The last packet again as two fragments. */
static void add_fragments(void)
{
	struct tcp_packet whole = script.packets[--script.n];
	int i;

	for (i = 0; i < 2; i++) {
		struct tcp_packet *p;
		size_t from = i == 0 ? 0 : FRAGMENT;
		size_t len = i == 0 ? FRAGMENT : whole.packet.caplen - 20 - FRAGMENT;

		add(true, 0, 0, 0, 0, "", 0);
		p = &script.packets[script.n - 1];
		memcpy(p->bytes, whole.bytes, 20);
		memcpy(p->bytes + 20, whole.bytes + 20 + from, len);
		put16(p->bytes + 2, (uint32_t)(20 + len));
		put16(p->bytes + 4, (uint32_t)script.n);
		put16(p->bytes + 4, 77);
		put16(p->bytes + 6, i == 0 ? 0x2000 : FRAGMENT / 8);
		p->packet.caplen = (uint32_t)(20 + len);
		p->packet.wirelen = p->packet.caplen;
	}
}

static void add_conversation(uint16_t port, const char *response, size_t r)
{
	static const char request[] =
		"POST /a?b=c HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello";
	int64_t q = sizeof(request) - 1;

	add(true, port, -1, 0, T_SYN, "", 0);
	add(false, port, -1, 0, T_SYN | T_ACK, "", 0);
	add(true, port, 0, 0, T_ACK, request, 20);
	if (port % 4 == 1) { /* out of order */
		add(true, port, 40, 0, T_ACK, request + 40, (size_t)q - 40);
		add(true, port, 20, 0, T_ACK, request + 20, 20);
	} else if (port % 4 == 2) { /* a hole that stays */
		add(true, port, 40, 0, T_ACK, request + 40, (size_t)q - 40);
	} else {
		add(true, port, 20, 0, T_ACK, request + 20, (size_t)q - 20);
		if (port % 4 == 3) {
			add_fragments();
		}
	}
	add(false, port, 0, q, T_ACK, response, 30);
	add(false, port, 20, q, T_ACK, response + 20, r - 20); /* overlaps */
	if (port % 3 == 0) {
		add(true, port, q, (int64_t)r, T_ACK | T_RST, "", 0);
	} else if (port % 3 == 1) {
		add(true, port, q, (int64_t)r, T_ACK | T_FIN, "", 0);
		add(false, port, (int64_t)r, q + 1, T_ACK | T_FIN, "", 0);
	}
}

static int make_script(void **state)
{
	char response[512];
	size_t r = gzip_response(response, sizeof(response));
	size_t k;
	int i;

	for (i = 0; i < FLOWS; i++) {
		add_conversation((uint16_t)(30000 + i), response, r);
	}
	for (i = 0; i < FLOWS; i += 5) { /* the tuple again, with other numbers */
		add(true, (uint16_t)(30000 + i), 500000, 0, T_SYN, "", 0);
		add(true, (uint16_t)(30000 + i), 500001, 0, T_ACK, "more", 4);
	}
	for (k = 0; k < script.n; k++) {
		script.packets[k].packet.data = script.packets[k].bytes; /* the array has moved */
	}
	return 0;
}

static int free_script(void **state)
{
	free(script.packets);
	memset(&script, 0, sizeof(script));
	return 0;
}

/* ---- what happens ---- */

struct log {
	char *text;
	size_t len;
	uint64_t opened;
	uint64_t closed;
};

static void say(struct log *log, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	log->len += (size_t)vsnprintf(log->text + log->len, LOG - log->len, format, list);
	va_end(list);
	assert_true(log->len < LOG);
}

static unsigned on_opened(void *context, struct weir_flow *flow)
{
	struct log *log = context;

	if (weir_flow_get_info(flow)->client.port % 10 == 9) {
		return WEIR_WANT_NOTHING;
	}
	log->opened++;
	return WEIR_WANT_ALL;
}

static void say_data(struct log *log, const struct weir_flow_info *flow, enum weir_direction dir,
		     const struct weir_chunk *chunk)
{
	say(log, "%u data %d %u %08lx %u\n", (unsigned)flow->first_packet, dir,
	    (unsigned)chunk->offset, crc32(0, chunk->data, (unsigned)chunk->len),
	    (unsigned)chunk->marks[0].packet);
}

static void say_gap(struct log *log, const struct weir_flow_info *flow, enum weir_direction dir,
		    const struct weir_gap *gap)
{
	say(log, "%u gap %d %u+%u\n", (unsigned)flow->first_packet, dir, (unsigned)gap->offset,
	    (unsigned)gap->length);
}

static void on_data(void *context, struct weir_flow *flow, enum weir_direction dir,
		    const struct weir_chunk *chunk, struct weir_take *take)
{
	say_data(context, weir_flow_get_info(flow), dir, chunk);
}

/* Every kind of answer in turn. */
static void mixed_data(void *context, struct weir_flow *flow, enum weir_direction dir,
		       const struct weir_chunk *chunk, struct weir_take *take)
{
	static const struct {
		unsigned consumed;
		uint64_t skip;
	} answers[] = {{3, 0}, {0, 0}, {100, 0}, {1, 10}, {0, 0}, {0, 1}};
	struct log *log = context;
	size_t i = log->len++ % (sizeof(answers) / sizeof(answers[0]));

	take->consumed = answers[i].consumed < chunk->len ? answers[i].consumed : chunk->len;
	take->skip = answers[i].skip;
	if (i == 2) {
		weir_flow_offer(flow, dir == WEIR_C2S ? WEIR_S2C : WEIR_C2S);
	}
	if (log->len % 97 == 0) {
		weir_flow_ignore(flow);
		log->closed++;
	}
}

static void on_gap(void *context, struct weir_flow *flow, enum weir_direction dir,
		   const struct weir_gap *gap)
{
	say_gap(context, weir_flow_get_info(flow), dir, gap);
}

static void on_end(void *context, struct weir_flow *flow, enum weir_direction dir,
		   enum weir_close how, size_t dropped)
{
	say(context, "%u end %d %d\n", (unsigned)weir_flow_get_info(flow)->first_packet, dir, how);
}

static void on_closed(void *context, struct weir_flow *flow, enum weir_close how)
{
	struct log *log = context;

	log->closed++;
	say(log, "%u closed %d\n", (unsigned)weir_flow_get_info(flow)->first_packet, how);
}

static void on_record(void *context, const struct weir_record *rec)
{
	const struct weir_value *id = &rec->values[WEIR_F_ID];

	say(context, "%u record %s %.*s\n", (unsigned)rec->flow->first_packet, rec->schema->type,
	    weir_record_has(rec, WEIR_F_ID) ? (int)id->len : 0,
	    weir_record_has(rec, WEIR_F_ID) ? (const char *)id->v.bytes : "");
}

static struct weir_callbacks all_callbacks(struct log *log)
{
	struct weir_callbacks callbacks = {.context = log,
					   .opened = on_opened,
					   .data = on_data,
					   .gap = on_gap,
					   .end = on_end,
					   .closed = on_closed,
					   .record = on_record};

	return callbacks;
}

static void log_init(struct log *log)
{
	memset(log, 0, sizeof(*log));
	log->text = malloc(LOG);
	assert_non_null(log->text);
	log->text[0] = '\0';
}

static struct weir_config config_of_tests(void)
{
	struct weir_config config;

	weir_config_init(&config);
	config.checksums = WEIR_CHECKSUM_NONE;
	config.bodies = WEIR_BODIES_KEEP;
	config.memory = 8 << 20;
	return config;
}

static struct weir_stats stats_of(const struct weir_engine *engine)
{
	struct weir_stats stats;

	weir_engine_stats(engine, &stats, sizeof(stats));
	return stats;
}

static void check_ledger(const struct weir_ledger *ledger)
{
	uint64_t sum = ledger->delivered + ledger->duplicate + ledger->overlap + ledger->pending;
	int i;

	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		sum += ledger->rejected[i];
	}
	assert_int_equal(ledger->captured, sum);
}

static void check_end(const struct weir_engine *engine)
{
	struct weir_stats stats = stats_of(engine);

	check_ledger(&stats.ledger);
	assert_int_equal(stats.ledger.pending, 0);
}

/* ---- tests ---- */

static void check_script(const struct log *log)
{
	/*
	 * Of 40 flows 4 are ignored. 8 tuples come again, none of an ignored flow (their ports end in 0 and 5); 3 of their first
	 * flows are still open (port % 3 is 2), and a SYN that nobody answers does not take those over.
	 */
	assert_int_equal(log->opened, 36 + 5);
	assert_int_equal(log->closed, 36 + 5);
}

static void run_with_callbacks(struct log *log)
{
	struct weir_config config = config_of_tests();
	struct weir_callbacks callbacks = all_callbacks(log);
	struct weir_engine *engine;
	size_t i;

	assert_int_equal(weir_engine_new(&config, &callbacks, &engine), 0);
	for (i = 0; i < script.n; i++) {
		assert_int_equal(weir_engine_push(engine, &script.packets[i].packet), 0);
	}
	assert_int_equal(weir_engine_finish(engine), 0);
	check_end(engine);
	assert_int_equal(stats_of(engine).flows_ignored, 4);
	weir_engine_free(engine);
	check_script(log);
}

static void say_event(struct log *log, const struct weir_event *event)
{
	unsigned flow = (unsigned)event->flow->first_packet;

	switch (event->type) {
	case WEIR_EVENT_DATA:
		say_data(log, event->flow, event->dir, &event->chunk);
		break;
	case WEIR_EVENT_GAP:
		say_gap(log, event->flow, event->dir, &event->gap);
		break;
	case WEIR_EVENT_END:
		say(log, "%u end %d %d\n", flow, event->dir, event->how);
		break;
	case WEIR_EVENT_CLOSED:
		log->closed++;
		say(log, "%u closed %d\n", flow, event->how);
		break;
	case WEIR_EVENT_RECORD:
		on_record(log, event->record);
		break;
	default:
		break;
	}
}

static size_t take_all(struct weir_engine *engine, struct log *log)
{
	const struct weir_event *event;
	size_t n = 0;

	while (weir_engine_next(engine, &event) == 1) {
		say_event(log, event);
		n++;
	}
	return n;
}

static void pulled_events_are_those_of_callbacks(void **state)
{
	static const size_t limits[] = {0, 30000, 60000};
	struct log pushed;
	size_t i, k;

	log_init(&pushed);
	run_with_callbacks(&pushed);
	for (k = 0; k < 3; k++) {
		struct weir_config config = config_of_tests();
		struct weir_callbacks callbacks = {.opened = on_opened};
		struct weir_engine *engine;
		size_t full = 0;
		struct log log;

		log_init(&log);
		callbacks.context = &log;
		assert_int_equal(weir_engine_new(&config, &callbacks, &engine), 0);
		assert_int_equal(weir_engine_queue(engine, WEIR_EVENTS_ALL, limits[k]), 0);
		for (i = 0; i < script.n; i++) {
			int err;

			while ((err = weir_engine_push(engine, &script.packets[i].packet)) ==
			       WEIR_ELIMIT) {
				full++;
				assert_true(take_all(engine, &log) > 0);
			}
			assert_int_equal(err, 0);
		}
		assert_true((full > 0) == (limits[k] != 0));
		assert_int_equal(weir_engine_finish(engine), 0);
		take_all(engine, &log);
		assert_int_equal(stats_of(engine).events_lost, 0);
		check_end(engine);
		check_script(&log);
		assert_string_equal(log.text, pushed.text);
		weir_engine_free(engine);
		free(log.text);
	}
	free(pushed.text);
}

static void a_queue_that_nobody_empties_stays_within_its_limit(void **state)
{
	struct weir_config config = config_of_tests();
	struct weir_engine *engine;
	size_t i, refused = 0;

	assert_int_equal(weir_engine_new(&config, NULL, &engine), 0);
	assert_int_equal(weir_engine_queue(engine, WEIR_EVENTS_ALL, 20000), 0);
	assert_int_equal(weir_engine_queue(engine, WEIR_EVENTS_ALL, 20000), WEIR_EINVAL);
	for (i = 0; i < script.n; i++) {
		refused += weir_engine_push(engine, &script.packets[i].packet) == WEIR_ELIMIT;
	}
	assert_true(refused > script.n / 2);
	assert_int_equal(stats_of(engine).packets, script.n - refused);
	assert_int_equal(weir_engine_tick(engine, T_START + 5000 * T_SECOND), WEIR_ELIMIT);
	assert_int_equal(weir_engine_flush_older(engine, T_START, NULL), WEIR_ELIMIT);
	weir_engine_free(engine);
}

/* One run with an allocator that may fail. @return calls of it */
static uint64_t run_failing(size_t memory, uint64_t fail_at, bool fail_on, bool pull)
{
	struct weir_config config = config_of_tests();
	struct weir_engine *engine = NULL;
	struct weir_callbacks callbacks;
	struct counting counting;
	struct log log = {0};
	size_t i;

	counting_init(&counting);
	counting.fail_at = fail_at;
	counting.fail_on = fail_on;
	config.memory = memory;
	config.allocator = &counting.allocator;
	log_init(&log);
	callbacks = all_callbacks(&log);
	if (!pull) {
		callbacks.data = mixed_data;
	}
	if (weir_engine_new(&config, &callbacks, &engine) == 0) {
		if (pull) {
			assert_int_equal(weir_engine_queue(engine, WEIR_EVENTS_ALL, 0), 0);
		}
		for (i = 0; i < script.n; i++) {
			assert_int_equal(weir_engine_push(engine, &script.packets[i].packet), 0);
		}
		assert_int_equal(weir_engine_flush_older(engine, T_START + T_SECOND / 10, NULL), 0);
		assert_int_equal(weir_engine_tick(engine, T_START + 2 * T_SECOND), 0);
		assert_int_equal(weir_engine_finish(engine), 0);
		if (pull) {
			take_all(engine, &log);
		}
		check_end(engine);
		weir_engine_free(engine);
		if (!pull) {
			assert_int_equal(log.opened, log.closed);
		}
	} else {
		assert_true(fail_at != 0);
	}
	assert_int_equal(counting.used, 0);
	free(log.text);
	return counting.calls;
}

/* With little memory shards do without a ring for segments that wait. */
static const size_t memories[] = {8 << 20, 64 << 20};

static void all_memory_is_the_callers_and_comes_back(void **state)
{
	assert_true(run_failing(memories[0], 0, false, false) > 200);
	assert_true(run_failing(memories[1], 0, false, false) > 200);
}

static void no_allocation_that_fails_does_harm(void **state)
{
	int way;

	for (way = 0; way < 4; way++) {
		bool pull = way % 2;
		size_t memory = memories[way / 2];
		uint64_t n = run_failing(memory, 0, false, pull);
		uint64_t i;

		/* the ring is there from the beginning: behind that each seventh will do */
		for (i = 1; i <= n; i += way >= 2 && i > 200 ? 7 : 1) {
			run_failing(memory, i, false, pull);
		}
		for (i = 1; i <= n; i += 1 + i / 16) {
			run_failing(memory, i, true, pull); /* and nothing ever after */
		}
	}
}

static void memory_stays_within_its_budget(void **state)
{
	static const size_t sizes[] = {4 << 20, 6 << 20, 12 << 20};
	char payload[1001];
	size_t k;

	memset(payload, 'x', sizeof(payload));
	for (k = 0; k < 3; k++) {
		struct weir_config config = config_of_tests();
		struct log log = {0};
		struct weir_callbacks callbacks = {.data = mixed_data, .context = &log};
		struct weir_engine *engine;
		struct counting counting;
		struct weir_stats stats;
		int i;

		counting_init(&counting);
		config.memory = sizes[k];
		config.allocator = &counting.allocator;
		assert_int_equal(weir_engine_new(&config, &callbacks, &engine), 0);
		for (i = 0; i < 20000; i++) {
			struct tcp_packet p;

			/* mid-stream, with a hole in each flow */
			tcp_make(&p, true, (uint16_t)(i % 10000 + 1024), 80, i < 10000 ? 0 : 2000,
				 0, T_ACK, payload, 1000, T_START + i);
			assert_int_equal(weir_engine_push(engine, &p.packet), 0);
		}
		stats = stats_of(engine);
		check_ledger(&stats.ledger);
		assert_int_equal(stats.ledger.captured + stats.ignored_bytes, 20000000);
		assert_true(stats.evicted_flows > 0);
		assert_true(counting.peak <= sizes[k] + (1 << 20));
		assert_true(stats.memory_peak <= sizes[k] + (1 << 20));
		assert_true(stats.memory_used == counting.used);
		assert_int_equal(weir_engine_finish(engine), 0);
		check_end(engine);
		weir_engine_free(engine);
		assert_int_equal(counting.used, 0);
	}
}

static void too_little_memory_is_refused(void **state)
{
	struct weir_config config = config_of_tests();
	struct weir_engine *engine;

	config.memory = (4 << 20) - 1;
	assert_int_equal(weir_engine_new(&config, NULL, &engine), WEIR_EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pulled_events_are_those_of_callbacks),
		cmocka_unit_test(a_queue_that_nobody_empties_stays_within_its_limit),
		cmocka_unit_test(all_memory_is_the_callers_and_comes_back),
		cmocka_unit_test(no_allocation_that_fails_does_harm),
		cmocka_unit_test(memory_stays_within_its_budget),
		cmocka_unit_test(too_little_memory_is_refused),
	};

	return cmocka_run_group_tests(tests, make_script, free_script);
}
