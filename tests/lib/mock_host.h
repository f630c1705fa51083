/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An engine for one parser on one flow, with nothing below it: bytes, gaps and ends are fed by hand, records come out as
 * JSON lines, anomalies as a list. It does what include/weir/parser.h promises a parser: carries unfinished tokens, holds
 * back, skips, splits gaps at the end of a skip, and tells ends when nothing is held back any more.
 *
 * It defines the weir_host_* functions: include it once in a program; the archive's own are then not linked.
 */
#ifndef TESTS_MOCK_HOST_H
#define TESTS_MOCK_HOST_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/pack.h"
#include "base/strbuf.h"
#include "record/record.h"
#include "sink/json_record.h"
#include "weir/parser.h"

struct mock_dir {
	uint8_t *
		tail; /* exactly tail_len bytes while the parser looks at it, so that a read beyond is caught */
	size_t tail_len;
	uint64_t tail_offset;
	struct weir_mark *marks; /* of the tail */
	size_t nmarks;
	uint64_t next; /* stream offset */
	uint64_t skip;
	bool held;
	bool closed;
	bool told;
	enum weir_close how;
};

struct weir_host {
	const struct weir_parser *parser;
	void *state;
	struct weir_config config;
	struct weir_flow_info flow;
	struct weir_tcp_figures figures;
	struct budget budget;
	struct arena_pool pool;
	struct mock_dir dir[2];
	int64_t now_ns;
	int64_t tick_ns; /* absolute; 0: none */
	uint64_t packet;
	int reset_by; /* 1 + direction */
	struct json_writer writer;
	struct strbuf records;   /* JSON lines of final records */
	struct strbuf interims;  /* and of interim ones */
	struct strbuf anomalies; /* codes, one a line, in the order of telling */
	unsigned nrecords;
	bool switched; /* the parser handed over; next_parser */
	bool not_mine;
	char next_parser[32];
	struct strbuf rest[2]; /* what it handed over */
	bool parks; /* park and unpark the parser after whatever happened, when that is legal */
	unsigned nparked;   /* how often it was */
	size_t parked_size; /* bytes, the last time */
	/* before parking, and afterwards; state NULL: it was not. NULL: nobody looks */
	void (*check)(const void *state, void **taken);
};

/* ---- the parser's view ---- */

#include "host_basics.h"

void weir_host_figures(const struct weir_host *host, struct weir_tcp_figures *ret)
{
	*ret = host->figures;
}

uint64_t weir_host_skip_left(const struct weir_host *host, enum weir_direction dir)
{
	return host->dir[dir].skip;
}

/* The first to be told of its RST. */
int weir_host_reset_by(const struct weir_host *host)
{
	return host->reset_by - 1;
}

bool weir_host_body(struct weir_host *host, struct weir_body_out *ret)
{
	(void)host;
	(void)ret;
	return false;
}

struct weir_record *weir_host_record(struct weir_host *host, const struct weir_schema *schema,
				     int64_t ts_ns)
{
	struct weir_record *rec;

	if (record_new(&host->pool, schema, &rec) < 0) {
		return NULL;
	}
	rec->flow = &host->flow;
	weir_record_set_i64(rec, WEIR_F_TS, ts_ns);
	return rec;
}

static void mock_write(struct weir_host *host, struct weir_record *rec, struct strbuf *to)
{
	if (json_write_record(&host->writer, rec, to) < 0) {
		strbuf_str(to, "{}");
	}
	strbuf_char(to, '\n');
}

void weir_host_emit(struct weir_host *host, struct weir_record *rec)
{
	host->nrecords++;
	mock_write(host, rec, &host->records);
	record_free(rec);
}

void weir_host_emit_interim(struct weir_host *host, struct weir_record *rec)
{
	mock_write(host, rec, &host->interims);
}

size_t weir_host_pack_record(const struct weir_host *host, const struct weir_record *rec, void *to,
			     size_t room)
{
	struct pack pack;

	pack_to(&pack, to, room);
	record_pack(&pack, rec, &host->flow);
	return pack.failed ? 0 : (size_t)(pack.at - (uint8_t *)to);
}

struct weir_record *weir_host_unpack_record(struct weir_host *host,
					    const struct weir_schema *schema, const void *from,
					    size_t len, size_t *ret_used)
{
	struct weir_record *rec = NULL;
	struct pack pack;

	pack_from(&pack, from, len);
	(void)record_unpack(&pack, &host->pool, schema, NULL, &host->flow, &rec);
	*ret_used = (size_t)(pack.at - (const uint8_t *)from);
	return rec;
}

bool weir_host_wants(const struct weir_host *host, const struct weir_schema *schema, size_t field)
{
	return true;
}

void weir_host_anomaly(struct weir_host *host, struct weir_record *rec,
		       const struct weir_anomaly *what, enum weir_direction dir, uint64_t offset)
{
	assert(what->code != NULL && what->severity != NULL && what->doc != NULL);
	strbuf_str(&host->anomalies, what->code);
	strbuf_char(&host->anomalies, '\n');
	if (rec != NULL) {
		weir_record_add_anomaly(rec, what->code);
	}
}

void weir_host_tick(struct weir_host *host, int64_t delay_ns)
{
	host->tick_ns = delay_ns == 0 ? 0 : host->now_ns + delay_ns;
}

/* ---- the test's view ---- */

/* What mock_init() gives a host. */
static void (*mock_check)(const void *state, void **taken);

static inline void mock_init(struct weir_host *host, const struct weir_parser *parser)
{
	memset(host, 0, sizeof(*host));
	host->parser = parser;
	weir_config_init(&host->config);
	budget_init(&host->budget, 64 << 20, NULL);
	arena_pool_init(&host->pool, &host->budget, 8);
	json_writer_init(&host->writer);
	host->figures.rtt_ns = -1;
	host->now_ns = INT64_C(1700000000000000000);
	host->state = calloc(1, parser->state_size);
	host->parks = getenv("WEIR_MOCK_PARK") != NULL;
	host->check = mock_check;
	strbuf_init(&host->records);
	strbuf_init(&host->interims);
	strbuf_init(&host->anomalies);
	strbuf_init(&host->rest[0]);
	strbuf_init(&host->rest[1]);
}

/* After the config is as it should be. */
static inline void mock_open(struct weir_host *host)
{
	if (host->parser->open != NULL && host->parser->open(host->state, host) < 0) {
		host->not_mine = true;
	}
}

static inline bool mock_is_over(const struct weir_host *host)
{
	return host->switched || host->not_mine;
}

static inline void mock_set_tail(struct mock_dir *d, const struct weir_chunk *c, size_t used)
{
	uint8_t *tail = NULL;
	struct weir_mark *marks = NULL;
	size_t nmarks = 0;
	size_t i;

	if (used < c->len) {
		tail = malloc(c->len - used);
		memcpy(tail, c->data + used, c->len - used);
		marks = malloc(c->nmarks * sizeof(*marks));
		for (i = 0; i < c->nmarks; i++) {
			if (i + 1 < c->nmarks && c->marks[i + 1].offset <= c->offset + used) {
				continue;
			}
			marks[nmarks++] = c->marks[i];
		}
	}
	d->tail_offset = c->offset + used;
	free(d->tail);
	free(d->marks);
	d->tail = tail;
	d->tail_len = c->len - used;
	d->marks = marks;
	d->nmarks = nmarks;
}

static inline void mock_leave(struct weir_host *host)
{
	int i;

	if (host->parser->done != NULL) {
		host->parser->done(host->state, host);
	}
	for (i = 0; i < 2; i++) {
		strbuf_add(&host->rest[i], host->dir[i].tail, host->dir[i].tail_len);
		host->dir[i].skip = 0;
	}
}

/* Offer a chunk (which may be the tail); what is left of it becomes the tail. True: something was consumed. */
static inline bool mock_offer(struct weir_host *host, enum weir_direction dir, struct weir_chunk c)
{
	struct mock_dir *d = &host->dir[dir];
	bool moved = false;

	d->held = false;
	while (c.len > 0 && !mock_is_over(host)) {
		struct weir_consumed got = {0};
		enum weir_verdict verdict = WEIR_PARSE_OK;

		if (d->skip > 0) {
			uint64_t n = c.len < d->skip ? c.len : d->skip;
			struct weir_mark mark = *weir_chunk_mark(&c, c.offset + n - 1);

			d->skip -= n;
			got.consumed = n;
			if (d->skip == 0 && host->parser->skipped != NULL) {
				host->parser->skipped(host->state, host, dir, &mark);
			}
		} else {
			verdict = host->parser->on_data(host->state, host, dir, &c, &got);
			assert(got.consumed <= c.len);
			if (verdict == WEIR_PARSE_SKIP) {
				assert(got.skip > 0);
				d->skip = got.skip;
			}
		}
		moved |= got.consumed > 0;
		c.data += got.consumed;
		c.offset += got.consumed;
		c.len -= got.consumed;
		if (verdict == WEIR_PARSE_SWITCH || verdict == WEIR_PARSE_NOT_MINE) {
			host->switched = verdict == WEIR_PARSE_SWITCH;
			host->not_mine = !host->switched;
			if (got.next != NULL) {
				(void)snprintf(host->next_parser, sizeof(host->next_parser), "%s",
					       got.next);
			}
			mock_set_tail(d, &c, 0);
			mock_leave(host);
			return true;
		}
		if (verdict == WEIR_PARSE_NEED || verdict == WEIR_PARSE_HOLD) {
			d->held = verdict == WEIR_PARSE_HOLD;
			break;
		}
		assert(verdict == WEIR_PARSE_SKIP || got.consumed > 0);
	}
	mock_set_tail(d, &c, 0);
	return moved;
}

static inline bool mock_offer_tail(struct weir_host *host, enum weir_direction dir)
{
	struct mock_dir *d = &host->dir[dir];
	struct weir_chunk c = {d->tail, d->tail_len, d->tail_offset, d->marks, d->nmarks};

	return mock_offer(host, dir, c);
}

static inline void mock_settle(struct weir_host *host)
{
	bool moved = true;

	while (moved && !mock_is_over(host)) {
		int i;

		moved = false;
		for (i = 0; i < 2 && !mock_is_over(host); i++) {
			struct mock_dir *d = &host->dir[i];

			if (d->held) {
				moved |= mock_offer_tail(host, (enum weir_direction)i);
				moved |= !d->held;
			}
			if (!mock_is_over(host) && d->closed && !d->told && !d->held) {
				size_t dropped = d->tail_len;
				struct weir_chunk none = {NULL, 0, d->next, NULL, 0};

				mock_set_tail(d, &none, 0);
				d->told = true;
				if (host->parser->on_close != NULL) {
					host->parser->on_close(host->state, host,
							       (enum weir_direction)i, d->how,
							       dropped);
				}
				moved = true;
			}
		}
	}
}

enum { MOCK_PARK_ROOM = 16384 };

/* As an engine that wants the memory: the state goes into bytes of exactly their size, and comes back in other memory. */
static inline void mock_park(struct weir_host *host)
{
	static uint8_t room[MOCK_PARK_ROOM];
	void *taken = NULL;
	uint8_t *bytes;
	size_t len;

	if (!host->parks || mock_is_over(host) || host->parser->park == NULL ||
	    host->dir[0].tail_len > 0 || host->dir[1].tail_len > 0 || host->dir[0].skip > 0 ||
	    host->dir[1].skip > 0) {
		return;
	}
	if (host->check != NULL) {
		host->check(host->state, &taken);
	}
	len = host->parser->park(host->state, host, room, sizeof(room));
	if (len == 0) {
		if (host->check != NULL) {
			host->check(NULL, &taken);
		}
		return;
	}
	assert(len <= sizeof(room));
	bytes = malloc(len);
	memcpy(bytes, room, len);
	memset(room, 0xdd, sizeof(room));
	memset(host->state, 0xdd, host->parser->state_size);
	free(host->state);
	host->state = calloc(1, host->parser->state_size);
	if (host->parser->unpark(host->state, host, bytes, len) < 0) {
		host->not_mine = true;
	}
	free(bytes);
	if (host->check != NULL) {
		host->check(host->state, &taken);
	}
	host->nparked++;
	host->parked_size = len;
}

/* Bytes with the mark of their segment; mark.offset may lie before them, when a segment is fed in pieces. */
static inline void mock_feed_marked(struct weir_host *host, enum weir_direction dir, const void *p,
				    size_t len, const struct weir_mark *mark)
{
	struct mock_dir *d = &host->dir[dir];
	struct weir_chunk c = {NULL, len, d->next, mark, 1};
	struct weir_mark *marks;
	uint8_t *copy;
	size_t n;

	if (len == 0) {
		return;
	}
	if (mock_is_over(host)) {
		strbuf_add(&host->rest[dir], p, len);
		return;
	}
	d->next += len;
	/* an exact copy, so that a read beyond it is caught */
	copy = malloc(d->tail_len + len);
	marks = malloc((d->nmarks + 1) * sizeof(*marks));
	if (d->tail_len > 0) {
		memcpy(copy, d->tail, d->tail_len);
		memcpy(marks, d->marks, d->nmarks * sizeof(*marks));
	}
	memcpy(copy + d->tail_len, p, len);
	n = d->tail_len > 0 ? d->nmarks : 0;
	if (n == 0 || marks[n - 1].offset < mark->offset) {
		marks[n++] = *mark;
	}
	if (d->tail_len > 0) {
		c.offset = d->tail_offset;
	}
	c.data = copy;
	c.len = d->tail_len + len;
	c.marks = marks;
	c.nmarks = n;
	(void)mock_offer(host, dir, c);
	free(copy);
	free(marks);
	mock_settle(host);
	mock_park(host);
}

/* A mark for the next bytes of a direction: a new packet, 1 ms later, that acknowledges all that the peer sent. */
static inline struct weir_mark mock_mark(struct weir_host *host, enum weir_direction dir)
{
	struct weir_mark mark = {.offset = host->dir[dir].next,
				 .ts_ns = host->now_ns,
				 .packet = ++host->packet,
				 .peer_ack = host->dir[!dir].next,
				 .stall_ns = 0};

	host->now_ns += 1000000;
	return mark;
}

/* One segment. */
static inline void mock_feed(struct weir_host *host, enum weir_direction dir, const void *p,
			     size_t len)
{
	struct weir_mark mark = mock_mark(host, dir);

	mock_feed_marked(host, dir, p, len, &mark);
}

static inline void mock_text(struct weir_host *host, enum weir_direction dir, const char *text)
{
	mock_feed(host, dir, text, strlen(text));
}

static inline void mock_gap(struct weir_host *host, enum weir_direction dir, uint64_t length)
{
	struct mock_dir *d = &host->dir[dir];
	uint64_t offset = d->next;

	d->next += length;
	if (mock_is_over(host) || length == 0) {
		return;
	}
	if (d->skip > 0) {
		uint64_t n = length < d->skip ? length : d->skip;

		host->parser->on_gap(host->state, host, dir, offset, n, WEIR_GAP_ACKED, 0);
		d->skip -= n;
		if (d->skip == 0) {
			host->parser->skipped(host->state, host, dir, NULL);
		}
		offset += n;
		length -= n;
	}
	if (length > 0) {
		size_t dropped = d->tail_len;
		struct weir_chunk none = {NULL, 0, d->next, NULL, 0};

		mock_set_tail(d, &none, 0);
		d->held = false;
		host->parser->on_gap(host->state, host, dir, offset, length, WEIR_GAP_ACKED,
				     dropped);
	}
	mock_settle(host);
	mock_park(host);
}

static inline void mock_close(struct weir_host *host, enum weir_direction dir, enum weir_close how)
{
	struct mock_dir *d = &host->dir[dir];

	if (mock_is_over(host) || d->closed) {
		return;
	}
	d->closed = true;
	d->how = how;
	if (how == WEIR_CLOSE_RST && host->reset_by == 0) {
		host->reset_by = 1 + (int)dir;
	}
	mock_settle(host);
	if (host->dir[0].closed && host->dir[1].closed) {
		host->dir[0].held = false;
		host->dir[1].held = false;
		mock_settle(host);
	}
	mock_park(host);
}

/* Time passes; the tick runs when it is due. */
static inline void mock_wait(struct weir_host *host, int64_t ns)
{
	int64_t until = host->now_ns + ns;

	while (host->tick_ns != 0 && host->tick_ns <= until && !mock_is_over(host)) {
		host->now_ns = host->tick_ns;
		host->tick_ns = 0;
		host->parser->on_tick(host->state, host);
		mock_park(host);
	}
	host->now_ns = until;
}

/* The capture is over. */
static inline void mock_end(struct weir_host *host)
{
	mock_close(host, WEIR_C2S, WEIR_CLOSE_END);
	mock_close(host, WEIR_S2C, WEIR_CLOSE_END);
	if (!mock_is_over(host)) {
		if (host->parser->done != NULL) {
			host->parser->done(host->state, host);
		}
		host->not_mine = true;
	}
}

/* Releases all; the budget must be as empty as it was. */
static inline void mock_fini(struct weir_host *host)
{
	int i;

	for (i = 0; i < 2; i++) {
		free(host->dir[i].tail);
		free(host->dir[i].marks);
		strbuf_fini(&host->rest[i]);
	}
	free(host->state);
	arena_pool_fini(&host->pool);
	assert(host->budget.used == 0);
	strbuf_fini(&host->records);
	strbuf_fini(&host->interims);
	strbuf_fini(&host->anomalies);
	json_writer_fini(&host->writer);
}

#endif
