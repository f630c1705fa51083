/* SPDX-License-Identifier: Apache-2.0 */
/* Message bodies to a tap (the body_ callbacks of struct weir_tap_type), through the public API. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tcp_script.h"
#include "weir/engine.h"

#define SERVER   4000
#define REQUEST  "POST /u?token=secret HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
#define RESPONSE "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"

static struct log {
	char text[1024];
	size_t len;
} told;

static void say(const char *format, ...)
{
	va_list list;

	va_start(list, format);
	told.len +=
		(size_t)vsnprintf(told.text + told.len, sizeof(told.text) - told.len, format, list);
	va_end(list);
	assert_true(told.len < sizeof(told.text));
}

enum { F_URL = WEIR_NCOMMON };

static const struct weir_field fields[] = {{"url", WEIR_KIND_STR, WEIR_FIELD_URL, ""}};
static const struct weir_schema schema = {"body", fields, 1};
static int opened;
static bool refuse; /* body_open() has no memory */

static int tap_open(struct weir_sink *sink, struct weir_tap **ret)
{
	*ret = (struct weir_tap *)&told;
	return 0;
}

static void tap_close(struct weir_tap *tap)
{
	assert_int_equal(opened, 0);
}

static int tap_data(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		    enum weir_direction dir, const struct weir_chunk *chunk)
{
	return 0;
}

static int tap_gap(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		   enum weir_direction dir, uint64_t offset, uint64_t length,
		   enum weir_gap_cause cause)
{
	return 0;
}

static bool tap_end(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		    enum weir_direction dir, struct weir_record *rec)
{
	return false;
}

static void tap_done(struct weir_tap *tap, void **state)
{
}

static void *body_open(struct weir_tap *tap, const struct weir_flow_info *flow)
{
	assert_int_equal(flow->server.port, SERVER);
	opened += refuse ? 0 : 1;
	return refuse ? NULL : (void *)&opened;
}

static int body_data(struct weir_tap *tap, void *body, bool wire, const uint8_t *p, size_t len)
{
	assert_ptr_equal(body, &opened);
	assert_false(wire);
	say("data %.*s\n", (int)len, (const char *)p);
	return 0;
}

static void body_raw(struct weir_tap *tap, void *body)
{
	fail();
}

static void body_gap(struct weir_tap *tap, void *body, uint64_t length)
{
	say("gap %u\n", (unsigned)length);
}

static bool body_end(struct weir_tap *tap, void *body, enum weir_direction dir, bool whole,
		     const struct weir_record *message, struct weir_record *rec)
{
	opened--;
	say("end %s %s %s\n", dir == WEIR_C2S ? "c2s" : "s2c", whole ? "whole" : "part",
	    message == NULL ? "given up" : message->schema->type);
	assert_true((message == NULL) == (rec == NULL));
	if (rec != NULL) {
		weir_record_set_str(rec, F_URL, "http://a/u?token=secret");
	}
	return rec != NULL;
}

static const struct weir_tap_type tap = {.schema = &schema,
					 .open = tap_open,
					 .close = tap_close,
					 .data = tap_data,
					 .gap = tap_gap,
					 .end = tap_end,
					 .done = tap_done,
					 .body_open = body_open,
					 .body_data = body_data,
					 .body_raw = body_raw,
					 .body_gap = body_gap,
					 .body_end = body_end};

static int sink_open(const struct weir_sink_config *config, struct weir_sink **ret,
		     const char **ret_message)
{
	*ret = (struct weir_sink *)&told;
	return 0;
}

static int sink_record(struct weir_sink *sink, const struct weir_record *rec)
{
	if (rec->schema == &schema) {
		say("record %.*s\n", (int)rec->values[F_URL].len,
		    (const char *)rec->values[F_URL].v.bytes);
	} else {
		say("record %s\n", rec->schema->type);
	}
	return 0;
}

static int sink_nothing(struct weir_sink *sink)
{
	return 0;
}

static const struct weir_sink_type sink_type = {.name = "mine",
						.open = sink_open,
						.record = sink_record,
						.flush = sink_nothing,
						.close = sink_nothing,
						.tap = &tap};

static struct weir_engine *open_engine(enum weir_bodies bodies)
{
	struct weir_config config;
	struct weir_engine *engine;

	weir_config_init(&config);
	config.checksums = WEIR_CHECKSUM_NONE;
	config.memory = 8 << 20;
	config.bodies = bodies;
	memset(&told, 0, sizeof(told));
	opened = 0;
	refuse = false;
	assert_int_equal(weir_engine_new(&config, NULL, &engine), 0);
	assert_int_equal(weir_engine_add_sink(engine, &sink_type, NULL, NULL), 0);
	return engine;
}

static void push(struct weir_engine *engine, double at, bool c2s, int64_t seq, int64_t ack,
		 unsigned flags, const char *data)
{
	struct tcp_packet p;

	tcp_make(&p, c2s, 50000, SERVER, seq, ack, flags, data, strlen(data),
		 T_START + (int64_t)(at * 1e9));
	assert_int_equal(weir_engine_push(engine, &p.packet), 0);
}

static const int64_t q = sizeof(REQUEST) - 1 + 3, r = sizeof(RESPONSE) - 1;

/* Up to the first half of the response's body. */
static void converse(struct weir_engine *engine)
{
	push(engine, 0, true, -1, 0, T_SYN, "");
	push(engine, 0, false, -1, 0, T_SYN | T_ACK, "");
	push(engine, 0, true, 0, 0, T_ACK, "");
	push(engine, 1, true, 0, 0, T_ACK, REQUEST "abc");
	push(engine, 1, false, 0, q, T_ACK, RESPONSE "one");
}

static void a_body_comes_in_order_and_its_record_is_masked(void **state)
{
	struct weir_engine *engine = open_engine(WEIR_BODIES_HASH);

	converse(engine);
	push(engine, 1.1, false, r + 3, q, T_ACK, "two");
	assert_int_equal(weir_engine_finish(engine), 0);
	weir_engine_free(engine);
	assert_string_equal(told.text, "data abc\n"
				       "end c2s whole http\n"
				       "record http://a/u?token=[redacted 6]\n"
				       "data one\n"
				       "data two\n"
				       "end s2c whole http\n"
				       "record http://a/u?token=[redacted 6]\n"
				       "record http\n"
				       "record tcp\n");
}

static void a_hole_is_told_in_its_place(void **state)
{
	struct weir_engine *engine = open_engine(WEIR_BODIES_HASH);

	converse(engine);
	push(engine, 1.1, false, r + 5, q, T_ACK, "o");
	assert_int_equal(weir_engine_finish(engine), 0);
	weir_engine_free(engine);
	assert_non_null(
		strstr(told.text, "data one\ngap 2\nrecord anomaly\ndata o\nend s2c part http\n"));
}

static void a_body_that_is_given_up_is_ended(void **state)
{
	struct weir_engine *engine = open_engine(WEIR_BODIES_HASH);

	converse(engine);
	weir_engine_free(engine); /* without weir_engine_finish() */
	assert_int_equal(opened, 0);
	assert_non_null(strstr(told.text, "data one\nend s2c part "));
}

static void with_bodies_size_there_are_none(void **state)
{
	struct weir_engine *engine = open_engine(WEIR_BODIES_SIZE);

	converse(engine);
	assert_int_equal(weir_engine_finish(engine), 0);
	weir_engine_free(engine);
	assert_string_equal(told.text, "record http\nrecord tcp\n");
}

static void without_memory_the_records_still_come(void **state)
{
	struct weir_engine *engine = open_engine(WEIR_BODIES_HASH);

	refuse = true;
	converse(engine);
	push(engine, 1.1, false, r + 3, q, T_ACK, "two");
	assert_int_equal(weir_engine_finish(engine), 0);
	weir_engine_free(engine);
	assert_string_equal(told.text, "record http\nrecord tcp\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_body_comes_in_order_and_its_record_is_masked),
		cmocka_unit_test(a_hole_is_told_in_its_place),
		cmocka_unit_test(a_body_that_is_given_up_is_ended),
		cmocka_unit_test(with_bodies_size_there_are_none),
		cmocka_unit_test(without_memory_the_records_still_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
