/* SPDX-License-Identifier: Apache-2.0 */
/* The public engine: callbacks and their order, holding and skipping, ignoring, flushing, ticks, parsers and sinks of the user. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tcp_script.h"
#include "weir/weir.h"

enum { SERVER = 4000 };

/* What callbacks said, one line each. */
struct log {
	char text[8192];
	size_t len;
	struct weir_engine *engine;
	unsigned want;    /* opened() gives it */
	size_t line_mode; /* data(): consume whole lines only */
	uint64_t skip_at_first;
	bool ignore_in_data;
	int offer; /* data() of S2C offers C2S again when it is 1 */
	bool hold_c2s;
};

static void say(struct log *log, const char *format, ...)
{
	va_list list;

	va_start(list, format);
	log->len +=
		(size_t)vsnprintf(log->text + log->len, sizeof(log->text) - log->len, format, list);
	va_end(list);
	assert_true(log->len < sizeof(log->text));
}

static const char *arrow(enum weir_direction dir)
{
	return dir == WEIR_C2S ? ">" : "<";
}

static unsigned on_opened(void *context, struct weir_flow *flow)
{
	struct log *log = context;
	const struct weir_flow_info *info = weir_flow_get_info(flow);

	say(log, "opened %u-%u\n", info->client.port, info->server.port);
	weir_flow_set_user(flow, log);
	return log->want;
}

static void on_data(void *context, struct weir_flow *flow, enum weir_direction dir,
		    const struct weir_chunk *chunk, struct weir_take *take)
{
	struct log *log = context;

	assert_ptr_equal(weir_flow_get_user(flow), log);
	assert_int_equal(take->consumed, chunk->len);
	say(log, "data%s%u %.*s\n", arrow(dir), (unsigned)chunk->offset,
	    chunk->len < 200 ? (int)chunk->len : 0, (const char *)chunk->data);
	if (log->skip_at_first > 0) {
		take->consumed = 1;
		take->skip = log->skip_at_first;
		log->skip_at_first = 0;
	}
	if (log->line_mode) {
		while (take->consumed > 0 && chunk->data[take->consumed - 1] != '\n') {
			take->consumed--;
		}
	}
	if (log->ignore_in_data) {
		weir_flow_ignore(flow);
	}
	if (dir == WEIR_C2S && log->hold_c2s) {
		take->consumed = 0;
	}
	if (dir == WEIR_S2C && log->offer == 1) {
		log->hold_c2s = false;
		weir_flow_offer(flow, WEIR_C2S);
	}
}

static void on_gap(void *context, struct weir_flow *flow, enum weir_direction dir,
		   const struct weir_gap *gap)
{
	say(context, "gap%s%u+%u %s dropped %u\n", arrow(dir), (unsigned)gap->offset,
	    (unsigned)gap->length, weir_gap_cause_name(gap->cause), (unsigned)gap->dropped);
}

static void on_end(void *context, struct weir_flow *flow, enum weir_direction dir,
		   enum weir_close how, size_t dropped)
{
	say(context, "end%s %s dropped %u\n", arrow(dir), weir_close_name(how), (unsigned)dropped);
}

static void on_closed(void *context, struct weir_flow *flow, enum weir_close how)
{
	say(context, "closed %s\n", weir_close_name(how));
}

static void on_record(void *context, const struct weir_record *rec)
{
	say(context, "record %s\n", rec->schema->type);
}

static struct weir_config config_of_tests(void)
{
	struct weir_config config;

	weir_config_init(&config);
	config.checksums = WEIR_CHECKSUM_NONE;
	config.memory = 8 << 20;
	return config;
}

static struct weir_callbacks byte_callbacks(struct log *log)
{
	struct weir_callbacks callbacks = {.context = log,
					   .opened = on_opened,
					   .data = on_data,
					   .gap = on_gap,
					   .end = on_end,
					   .closed = on_closed};

	return callbacks;
}

static struct weir_engine *open_engine(struct log *log)
{
	struct weir_config config = config_of_tests();
	struct weir_callbacks callbacks = byte_callbacks(log);

	memset(log, 0, sizeof(*log));
	log->want = WEIR_WANT_BYTES;
	assert_int_equal(weir_engine_new(&config, &callbacks, &log->engine), 0);
	return log->engine;
}

/* Times are seconds after T_START. */
static int push(struct weir_engine *engine, double at, bool c2s, int64_t seq, int64_t ack,
		unsigned flags, const char *data)
{
	struct tcp_packet p;

	tcp_make(&p, c2s, 50000, SERVER, seq, ack, flags, data, strlen(data),
		 T_START + (int64_t)(at * 1e9));
	return weir_engine_push(engine, &p.packet);
}

static void handshake(struct weir_engine *engine, double at)
{
	assert_int_equal(push(engine, at, true, -1, 0, T_SYN, ""), 0);
	assert_int_equal(push(engine, at, false, -1, 0, T_SYN | T_ACK, ""), 0);
	assert_int_equal(push(engine, at, true, 0, 0, T_ACK, ""), 0);
}

static struct weir_stats stats_of(const struct weir_engine *engine)
{
	struct weir_stats stats;

	weir_engine_stats(engine, &stats, sizeof(stats));
	return stats;
}

/* ---- bytes ---- */

static void a_conversation_is_told_in_order(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	handshake(engine, 0);
	push(engine, 0.1, true, 6, 0, T_ACK, "world");
	push(engine, 0.2, true, 0, 0, T_ACK, "hello ");
	push(engine, 0.3, false, 0, 11, T_ACK, "hi");
	push(engine, 0.4, true, 11, 2, T_ACK | T_FIN, "");
	push(engine, 0.5, false, 2, 12, T_ACK | T_FIN, "");
	assert_int_equal(weir_engine_finish(engine), 0);
	assert_string_equal(log.text, "opened 50000-4000\n"
				      "data>0 hello \n"
				      "data>6 world\n"
				      "data<0 hi\n"
				      "end> closed dropped 0\n"
				      "end< closed dropped 0\n"
				      "closed closed\n");
	weir_engine_free(engine);
}

static void a_server_is_known_by_its_syn_ack(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	push(engine, 0, false, -1, 0, T_SYN | T_ACK, "");
	assert_string_equal(log.text, "opened 50000-4000\n");
	weir_engine_free(engine);
}

static void a_hole_becomes_a_gap_and_drops_what_was_held(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	log.line_mode = 1;
	handshake(engine, 0);
	push(engine, 0.1, true, 0, 0, T_ACK, "a\nbc");
	push(engine, 0.2, true, 10, 0, T_ACK, "d\n");
	push(engine, 3, false, 0, 0, T_ACK, "");
	assert_string_equal(log.text, "opened 50000-4000\n"
				      "data>0 a\nbc\n"
				      "gap>4+6 age dropped 2\n"
				      "data>10 d\n\n");
	weir_engine_free(engine);
}

static void held_bytes_come_again_with_what_follows(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	log.line_mode = 1;
	handshake(engine, 0);
	push(engine, 0.1, true, 0, 0, T_ACK, "one\ntw");
	push(engine, 0.2, true, 6, 0, T_ACK, "o");
	push(engine, 0.3, true, 7, 0, T_ACK, "\nthree");
	push(engine, 0.4, true, 13, 0, T_ACK | T_FIN, "");
	assert_string_equal(log.text, "opened 50000-4000\n"
				      "data>0 one\ntw\n"
				      "data>4 two\n"
				      "data>4 two\nthree\n"
				      "end> closed dropped 5\n");
	weir_engine_free(engine);
}

static void held_bytes_are_dropped_at_the_limit(void **state)
{
	struct weir_config config = config_of_tests();
	struct log log = {.want = WEIR_WANT_BYTES};
	struct weir_callbacks callbacks = byte_callbacks(&log);
	static char kilobyte[1025];
	struct weir_engine *engine;
	int i;

	config.head_limit = 0; /* 64 KiB are left */

	memset(kilobyte, 'x', 1024);
	callbacks.data = on_data;
	log.hold_c2s = true;
	assert_int_equal(weir_engine_new(&config, &callbacks, &engine), 0);
	handshake(engine, 0);
	for (i = 0; i < 64; i++) {
		push(engine, 0.1, true, i * 1024, 0, T_ACK, kilobyte);
		log.len = 0;
	}
	push(engine, 0.1, true, 65536, 0, T_ACK, "y");
	assert_string_equal(log.text, "gap>0+0 limit dropped 65536\ndata>65536 y\n");
	assert_int_equal(stats_of(engine).held_dropped, 65536);
	weir_engine_free(engine);
}

static void skipped_bytes_pass_without_a_call(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	log.skip_at_first = 10;
	handshake(engine, 0);
	push(engine, 0.1, true, 0, 0, T_ACK, "Axxx");
	push(engine, 0.2, true, 4, 0, T_ACK, "xxxx");
	push(engine, 0.3, true, 8, 0, T_ACK, "xxxBC");
	assert_string_equal(log.text, "opened 50000-4000\n"
				      "data>0 Axxx\n"
				      "data>11 BC\n");
	weir_engine_free(engine);
}

static void a_gap_counts_as_skipped(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	log.skip_at_first = 10;
	handshake(engine, 0);
	push(engine, 0.1, true, 0, 0, T_ACK, "Axxx");
	push(engine, 0.2, true, 8, 0, T_ACK, "xxxBC");
	push(engine, 3, false, 0, 0, T_ACK, "");
	assert_string_equal(log.text, "opened 50000-4000\n"
				      "data>0 Axxx\n"
				      "gap>4+4 age dropped 0\n"
				      "data>11 BC\n");
	weir_engine_free(engine);
}

static void bytes_wait_for_the_other_direction(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	log.hold_c2s = true;
	handshake(engine, 0);
	push(engine, 0.1, true, 0, 0, T_ACK, "question");
	log.len = 0;
	log.offer = 1;
	push(engine, 0.2, false, 0, 8, T_ACK, "answer");
	assert_string_equal(log.text, "data<0 answer\ndata>0 question\n");
	weir_engine_free(engine);
}

/* What is held keeps its packets: data() of a joined chunk can tell them apart. */
static void note_marks(void *context, struct weir_flow *flow, enum weir_direction dir,
		       const struct weir_chunk *chunk, struct weir_take *take)
{
	struct log *log = context;
	size_t i;

	log->len = 0;
	for (i = 0; i < chunk->nmarks; i++) {
		say(log, "%u:%u ", (unsigned)chunk->marks[i].offset,
		    (unsigned)chunk->marks[i].packet);
	}
	take->consumed = 0;
}

static void held_bytes_keep_their_marks(void **state)
{
	struct weir_config config = config_of_tests();
	struct log log = {0};
	struct weir_callbacks callbacks = {.context = &log, .data = note_marks};
	struct weir_engine *engine;

	assert_int_equal(weir_engine_new(&config, &callbacks, &engine), 0);
	handshake(engine, 0);
	push(engine, 0.1, true, 0, 0, T_ACK, "ab");
	push(engine, 0.2, true, 2, 0, T_ACK, "cd");
	push(engine, 0.3, true, 4, 0, T_ACK, "ef");
	assert_string_equal(log.text, "0:4 2:5 4:6 ");
	weir_engine_free(engine);
}

/* ---- flows that are not wanted ---- */

static void an_ignored_flow_is_silent_and_counted(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);
	struct weir_stats stats;

	log.want = WEIR_WANT_NOTHING;
	handshake(engine, 0);
	push(engine, 0.1, true, 0, 0, T_ACK, "hello");
	push(engine, 0.2, true, 5, 0, T_ACK | T_FIN, "");
	stats = stats_of(engine);
	assert_int_equal(stats.flows, 1);
	assert_int_equal(stats.flows_ignored, 1);
	assert_int_equal(stats.ignored_segments, 5);
	assert_int_equal(stats.ignored_bytes, 5);
	assert_int_equal(stats.ledger.captured, 0);
	assert_int_equal(weir_engine_finish(engine), 0);
	assert_string_equal(log.text, "opened 50000-4000\n");
	weir_engine_free(engine);
}

static void a_new_connection_on_an_ignored_tuple_is_asked_about(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	log.want = WEIR_WANT_NOTHING;
	handshake(engine, 0);
	push(engine, 0.2, true, 0, 0, T_ACK, "old");
	push(engine, 0.3, true, -1, 0, T_SYN, ""); /* the same SYN again */
	assert_string_equal(log.text, "opened 50000-4000\n");
	log.want = WEIR_WANT_BYTES;
	push(engine, 1, true, 99999, 0, T_SYN, "");
	push(engine, 1, false, -1, 100000, T_SYN | T_ACK, "");
	push(engine, 1, true, 100000, 0, T_ACK, "new");
	assert_string_equal(log.text, "opened 50000-4000\nopened 50000-4000\ndata>0 new\n");
	weir_engine_free(engine);
}

static void a_flow_can_be_ignored_later(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);
	struct weir_stats stats;

	log.ignore_in_data = true;
	handshake(engine, 0);
	push(engine, 0.1, true, 0, 0, T_ACK, "first");
	push(engine, 0.2, true, 5, 0, T_ACK, "second");
	push(engine, 0.2, true, 20, 0, T_ACK, "third");
	stats = stats_of(engine);
	assert_int_equal(stats.ledger.captured, 5);
	assert_int_equal(stats.ledger.delivered, 5);
	assert_int_equal(stats.ignored_bytes, 11);
	assert_int_equal(weir_engine_finish(engine), 0);
	assert_string_equal(log.text, "opened 50000-4000\ndata>0 first\n");
	weir_engine_free(engine);
}

static void an_ignored_flow_times_out(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	log.want = WEIR_WANT_NOTHING;
	handshake(engine, 0);
	assert_int_equal(weir_engine_tick(engine, T_START + 299 * T_SECOND), 0);
	push(engine, 299, true, 0, 0, T_ACK, "x");
	assert_int_equal(stats_of(engine).flows, 1);
	assert_int_equal(weir_engine_tick(engine, T_START + 600 * T_SECOND), 0);
	push(engine, 600, true, 1, 0, T_ACK, "x");
	assert_int_equal(stats_of(engine).flows, 2); /* mid-stream: the entry had gone */
	weir_engine_free(engine);
}

/* ---- time ---- */

static void a_tick_closes_what_is_idle(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	handshake(engine, 0);
	push(engine, 1, true, 5, 0, T_ACK, "x");
	log.len = 0;
	assert_int_equal(weir_engine_tick(engine, T_START + 2 * T_SECOND), 0);
	assert_int_equal(log.len, 0);
	assert_int_equal(weir_engine_tick(engine, T_START + 3 * T_SECOND), 0);
	assert_int_equal(log.len, 0); /* what comes just then is in time */
	assert_int_equal(weir_engine_tick(engine, T_START + 3 * T_SECOND + 1), 0);
	assert_string_equal(log.text, "gap>0+5 age dropped 0\ndata>5 x\n");
	log.len = 0;
	assert_int_equal(weir_engine_tick(engine, T_START + 301 * T_SECOND), 0);
	assert_string_equal(log.text, "end> timeout dropped 0\nend< timeout dropped 0\n"
				      "closed timeout\n");
	assert_int_equal(stats_of(engine).clock_ns, T_START + 301 * T_SECOND);
	assert_int_equal(weir_engine_tick(engine, T_START), 0); /* never back */
	assert_int_equal(stats_of(engine).clock_ns, T_START + 301 * T_SECOND);
	weir_engine_free(engine);
}

static void flushing_by_age_gives_counts(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);
	struct weir_flushed flushed;

	handshake(engine, 0);
	push(engine, 1, true, 5, 0, T_ACK, "x");
	push(engine, 1.5, false, 0, 0, T_ACK, "");
	log.len = 0;
	assert_int_equal(weir_engine_flush_older(engine, T_START + T_SECOND / 2, &flushed), 0);
	assert_int_equal(flushed.flows + flushed.gaps + flushed.closed, 0);
	assert_int_equal(weir_engine_flush_older(engine, T_START + T_SECOND * 5 / 4, &flushed), 0);
	assert_int_equal(flushed.flows, 1);
	assert_int_equal(flushed.gaps, 1);
	assert_int_equal(flushed.gap_bytes, 5);
	assert_int_equal(flushed.closed, 0);
	assert_string_equal(log.text, "gap>0+5 age dropped 0\ndata>5 x\n");
	log.len = 0;
	assert_int_equal(weir_engine_flush_older(engine, T_START + 2 * T_SECOND, &flushed), 0);
	assert_int_equal(flushed.flows, 0);
	assert_int_equal(flushed.closed, 1);
	assert_string_equal(log.text, "end> timeout dropped 0\nend< timeout dropped 0\n"
				      "closed timeout\n");
	weir_engine_free(engine);
}

static void freeing_early_tells_closed_only(void **state)
{
	struct log log;
	struct weir_engine *engine = open_engine(&log);

	handshake(engine, 0);
	push(engine, 1, true, 5, 0, T_ACK, "x");
	log.len = 0;
	weir_engine_free(engine);
	assert_string_equal(log.text, "closed open\n");
}

/* ---- calls from within callbacks ---- */

static void call_all(void *context, struct weir_flow *flow, enum weir_direction dir,
		     const struct weir_chunk *chunk, struct weir_take *take)
{
	struct log *log = context;
	const struct weir_event *event;
	struct weir_ledger ledger;
	struct weir_tcp_figures figures;

	assert_int_equal(push(log->engine, 9, true, 0, 0, T_ACK, "x"), WEIR_EINVAL);
	assert_int_equal(weir_engine_tick(log->engine, T_START), WEIR_EINVAL);
	assert_int_equal(weir_engine_flush_older(log->engine, T_START, NULL), WEIR_EINVAL);
	assert_int_equal(weir_engine_finish(log->engine), WEIR_EINVAL);
	assert_int_equal(weir_engine_next(log->engine, &event), WEIR_EINVAL);
	assert_int_equal(weir_engine_queue(log->engine, WEIR_EVENTS_ALL, 0), WEIR_EINVAL);
	assert_int_equal(stats_of(log->engine).flows, 1);
	weir_flow_get_ledger(flow, dir, &ledger);
	assert_int_equal(ledger.captured, 5);
	assert_int_equal(ledger.delivered, 5);
	weir_flow_get_figures(flow, &figures);
	assert_int_equal(figures.retransmits, 0);
	say(log, "called\n");
}

static void calls_that_move_the_engine_are_refused_in_callbacks(void **state)
{
	struct weir_config config = config_of_tests();
	struct log log = {0};
	struct weir_callbacks callbacks = {.context = &log, .data = call_all};

	assert_int_equal(weir_engine_new(&config, &callbacks, &log.engine), 0);
	handshake(log.engine, 0);
	push(log.engine, 1, true, 0, 0, T_ACK, "hello");
	assert_string_equal(log.text, "called\n");
	assert_int_equal(weir_engine_finish(log.engine), 0);
	assert_int_equal(weir_engine_finish(log.engine), WEIR_EINVAL);
	assert_int_equal(push(log.engine, 9, true, 0, 0, T_ACK, "x"), WEIR_EINVAL);
	weir_engine_free(log.engine);
}

/* ---- records, parsers, sinks ---- */

#define REQUEST  "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

static void http(struct weir_engine *engine)
{
	int64_t q = sizeof(REQUEST) - 1, r = sizeof(RESPONSE) - 1;

	handshake(engine, 0);
	push(engine, 1, true, 0, 0, T_ACK, REQUEST);
	push(engine, 1, false, 0, q, T_ACK, RESPONSE);
	push(engine, 2, true, q, r, T_ACK | T_FIN, "");
	push(engine, 2, false, r, q + 1, T_ACK | T_FIN, "");
}

static void records_come_between_bytes_and_the_end(void **state)
{
	struct weir_config config = config_of_tests();
	struct log log = {.want = WEIR_WANT_ALL};
	struct weir_callbacks callbacks = byte_callbacks(&log);
	struct weir_engine *engine;

	callbacks.record = on_record;
	assert_int_equal(weir_engine_new(&config, &callbacks, &engine), 0);
	http(engine);
	assert_int_equal(weir_engine_finish(engine), 0);
	assert_string_equal(log.text, "opened 50000-4000\n"
				      "data>0 " REQUEST "\n"
				      "data<0 " RESPONSE "\n"
				      "record http\n"
				      "end> closed dropped 0\n"
				      "end< closed dropped 0\n"
				      "closed closed\n"
				      "record tcp\n");
	assert_int_equal(stats_of(engine).records, 2);
	weir_engine_free(engine);
}

static void bytes_alone_make_no_records_but_that_of_the_flow(void **state)
{
	struct weir_config config = config_of_tests();
	struct log log = {.want = WEIR_WANT_BYTES};
	struct weir_callbacks callbacks = {
		.context = &log, .opened = on_opened, .record = on_record};
	struct weir_engine *engine;

	assert_int_equal(weir_engine_new(&config, &callbacks, &engine), 0);
	http(engine);
	assert_int_equal(weir_engine_finish(engine), 0);
	assert_string_equal(log.text, "opened 50000-4000\nrecord tcp\n");
	weir_engine_free(engine);
}

/* A parser of somebody's own: each line of the client is a record. */
static const struct weir_field line_fields[] = {{"line.text", WEIR_KIND_STR, 0, "the line"}};
static const struct weir_schema line_schema = {"line", line_fields, 1};
static const struct weir_schema *const line_schemas[] = {&line_schema, NULL};

static struct weir_probe_result line_probe(const struct weir_probe *probe)
{
	struct weir_probe_result result = {0};

	result.score = probe->len[0] >= 5 && memcmp(probe->data[0], "LINE ", 5) == 0 ? 100 : 0;
	result.more = probe->len[0] < 5;
	return result;
}

static enum weir_verdict line_data(void *state, struct weir_host *host, enum weir_direction dir,
				   const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	const uint8_t *end = memchr(chunk->data, '\n', chunk->len);
	struct weir_record *rec;

	ret->consumed = chunk->len;
	if (dir == WEIR_S2C) {
		return WEIR_PARSE_OK;
	}
	if (end == NULL) {
		ret->consumed = 0;
		return WEIR_PARSE_NEED;
	}
	ret->consumed = (size_t)(end - chunk->data) + 1;
	rec = weir_host_record(host, &line_schema, weir_chunk_mark(chunk, chunk->offset)->ts_ns);
	if (rec != NULL) {
		weir_record_set_bytes(rec, WEIR_NCOMMON, chunk->data, ret->consumed - 1, 100);
		weir_host_emit(host, rec);
	}
	return WEIR_PARSE_OK;
}

static void line_gap(void *state, struct weir_host *host, enum weir_direction dir, uint64_t offset,
		     uint64_t length, enum weir_gap_cause cause, size_t dropped)
{
}

static const struct weir_parser line_parser = {.name = "line",
					       .doc = "lines",
					       .schemas = line_schemas,
					       .probe = line_probe,
					       .on_data = line_data,
					       .on_gap = line_gap};

static void say_line(void *context, const struct weir_record *rec)
{
	if (rec->schema == &line_schema) {
		const struct weir_value *text = &rec->values[WEIR_NCOMMON];

		say(context, "line %.*s\n", (int)text->len, (const char *)text->v.bytes);
	} else {
		say(context, "record %s\n", rec->schema->type);
	}
}

static void parsers_belong_to_their_engine(void **state)
{
	struct weir_config config = config_of_tests();
	struct log log[2] = {0};
	int i;

	for (i = 0; i < 2; i++) {
		struct weir_callbacks callbacks = {.context = &log[i], .record = say_line};
		struct weir_engine *engine;

		assert_int_equal(weir_engine_new(&config, &callbacks, &engine), 0);
		if (i == 0) {
			struct weir_parser taken = line_parser;

			taken.name = "http1";
			assert_int_equal(weir_engine_add_parser(engine, &taken), WEIR_EINVAL);
			assert_int_equal(weir_engine_add_parser(engine, &line_parser), 0);
			assert_int_equal(weir_engine_add_parser(engine, &line_parser), WEIR_EINVAL);
		}
		handshake(engine, 0);
		push(engine, 0.1, true, 0, 0, T_ACK, "LINE one\nLINE t");
		push(engine, 0.2, true, 15, 0, T_ACK, "wo\n");
		assert_int_equal(weir_engine_add_parser(engine, &line_parser), WEIR_EINVAL);
		assert_int_equal(weir_engine_finish(engine), 0);
		weir_engine_free(engine);
	}
	assert_string_equal(log[0].text, "line LINE one\nline LINE two\nrecord tcp\n");
	assert_string_equal(log[1].text, "record tcp\n");
}

/* A sink of somebody's own. */
static struct log sink_log;
static int sink_fails;

static int sink_open(const struct weir_sink_config *config, struct weir_sink **ret,
		     const char **ret_message)
{
	size_t n = 0;

	if (strcmp(config->target, "bad") == 0) {
		*ret_message = "no such target";
		return WEIR_EINVAL;
	}
	while (config->schemas[n] != NULL) {
		n++;
	}
	assert_true(n >= 3); /* tcp, anomaly, http ... */
	*ret = (struct weir_sink *)&sink_log;
	return 0;
}

static int sink_record(struct weir_sink *sink, const struct weir_record *rec)
{
	say((struct log *)sink, "record %s\n", rec->schema->type);
	return sink_fails;
}

static int sink_flush(struct weir_sink *sink)
{
	say((struct log *)sink, "flush\n");
	return 0;
}

static int sink_close(struct weir_sink *sink)
{
	say((struct log *)sink, "close\n");
	return 0;
}

static const struct weir_sink_type sink_type = {.name = "mine",
						.open = sink_open,
						.record = sink_record,
						.flush = sink_flush,
						.close = sink_close};

static void sinks_get_records_and_their_errors_are_told(void **state)
{
	struct weir_config config = config_of_tests();
	struct weir_sink_config bad = {.target = "bad"};
	struct weir_engine *engine;
	const char *message = NULL;

	sink_fails = WEIR_EIO;
	assert_int_equal(weir_engine_new(&config, NULL, &engine), 0);
	assert_int_equal(weir_engine_add_sink(engine, &sink_type, &bad, &message), WEIR_EINVAL);
	assert_string_equal(message, "no such target");
	assert_int_equal(weir_engine_add_sink(engine, &sink_type, NULL, NULL), 0);
	http(engine);
	assert_int_equal(weir_engine_finish(engine), WEIR_EIO);
	assert_int_equal(stats_of(engine).sink_errors, 2);
	weir_engine_free(engine);
	assert_string_equal(sink_log.text, "record http\nrecord tcp\nflush\nclose\n");
}

static void policies_that_make_no_sense_are_refused(void **state)
{
	static const struct weir_overlap_rule bad[] = {
		{.ip_version = 5, .prefix = 8},
		{.ip_version = 4, .prefix = 33},
		{.ip_version = 6, .prefix = 129},
		{.ip_version = 4, .prefix = 8, .policy = WEIR_OVERLAP_SOLARIS + 1},
	};
	struct weir_callbacks callbacks = {0};
	struct weir_engine *engine = NULL;
	struct weir_config config;
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		weir_config_init(&config);
		config.overlap_rules = &bad[i];
		config.noverlap_rules = 1;
		assert_int_equal(weir_engine_new(&config, &callbacks, &engine), WEIR_EINVAL);
	}
	weir_config_init(&config);
	config.noverlap_rules = 1; /* but none given */
	assert_int_equal(weir_engine_new(&config, &callbacks, &engine), WEIR_EINVAL);
	weir_config_init(&config);
	config.deliver = (enum weir_deliver)7;
	assert_int_equal(weir_engine_new(&config, &callbacks, &engine), WEIR_EINVAL);
	assert_null(engine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_conversation_is_told_in_order),
		cmocka_unit_test(a_server_is_known_by_its_syn_ack),
		cmocka_unit_test(a_hole_becomes_a_gap_and_drops_what_was_held),
		cmocka_unit_test(held_bytes_come_again_with_what_follows),
		cmocka_unit_test(held_bytes_are_dropped_at_the_limit),
		cmocka_unit_test(skipped_bytes_pass_without_a_call),
		cmocka_unit_test(a_gap_counts_as_skipped),
		cmocka_unit_test(bytes_wait_for_the_other_direction),
		cmocka_unit_test(held_bytes_keep_their_marks),
		cmocka_unit_test(an_ignored_flow_is_silent_and_counted),
		cmocka_unit_test(a_new_connection_on_an_ignored_tuple_is_asked_about),
		cmocka_unit_test(a_flow_can_be_ignored_later),
		cmocka_unit_test(an_ignored_flow_times_out),
		cmocka_unit_test(a_tick_closes_what_is_idle),
		cmocka_unit_test(flushing_by_age_gives_counts),
		cmocka_unit_test(freeing_early_tells_closed_only),
		cmocka_unit_test(calls_that_move_the_engine_are_refused_in_callbacks),
		cmocka_unit_test(records_come_between_bytes_and_the_end),
		cmocka_unit_test(bytes_alone_make_no_records_but_that_of_the_flow),
		cmocka_unit_test(parsers_belong_to_their_engine),
		cmocka_unit_test(sinks_get_records_and_their_errors_are_told),
		cmocka_unit_test(policies_that_make_no_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
