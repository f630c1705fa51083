/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1's state in few bytes while the connection is quiet (park and unpark of weir/parser.h).
 *
 *	direction by direction | the connection | how many exchanges, which of them are read and answered | exchange by exchange,
 *	those of the queue first: its record, its two messages, what else it remembers
 *
 * One function describes a struct for both ways (base/pack.h). Numbers are told as differences to one that is near: offsets to
 * where the message began, times to where the exchange did. What is of no use in a direction's step is not kept.
 *
 * Not parked: a line beyond the limit on its way, bodies that are looked into, and more than EXCHANGES_MAX exchanges.
 */
#include "parser/http1.h"

#include <assert.h>
#include <string.h>

#include "base/arena.h"
#include "base/pack.h"
#include "record/record.h"

enum { EXCHANGES_MAX = 4 };

/* Bits of a struct that go before the rest of it: set one by one and then written, or read and then taken one by one. */
struct bits {
	uint64_t all;
	unsigned n;
	bool reading;
};

static bool bit(struct bits *bits, bool value)
{
	if (!bits->reading) {
		bits->all |= (uint64_t)value << bits->n;
	} else {
		value = (bits->all >> bits->n) & 1;
	}
	bits->n++;
	return value;
}

/* A small number of `width` bits. */
static uint8_t few_bits(struct bits *bits, uint8_t value, unsigned width)
{
	if (!bits->reading) {
		assert(value >> width == 0);
		bits->all |= (uint64_t)value << bits->n;
	} else {
		value = (bits->all >> bits->n) & ((1u << width) - 1);
	}
	bits->n += width;
	return value;
}

static void begin_bits(struct bits *bits, struct pack *pack)
{
	*bits = (struct bits){.reading = pack->reading};
	if (pack->reading) {
		bits->all = pack_u64(pack, 0);
	}
}

static void end_bits(struct bits *bits, struct pack *pack)
{
	if (!pack->reading) {
		(void)pack_u64(pack, bits->all);
	}
}

/* NOWHERE and WEIR_NO_ACK in one byte. */
static uint64_t pack_offset(struct pack *pack, uint64_t offset, uint64_t near)
{
	_Static_assert(HTTP1_NOWHERE == UINT64_MAX && WEIR_NO_ACK == UINT64_MAX, "the same");
	uint64_t code = offset == UINT64_MAX ? 0 : offset - near + 1;

	/* offsets are at or behind what they are near, but for the odd one */
	code = pack_near(pack, code, 0);
	return code == 0 ? UINT64_MAX : near + code - 1;
}

/* ---- directions and the connection ---- */

static void pack_side(struct pack *pack, struct http1_side *side)
{
	struct bits bits;
	bool in_piece, scanned, lost_scanned;

	begin_bits(&bits, pack);
	side->step = few_bits(&bits, side->step, 4);
	side->any = bit(&bits, side->any);
	side->messages = bit(&bits, side->messages);
	in_piece = bit(&bits, side->step == HTTP1_LENGTH || side->step == HTTP1_CHUNK_DATA);
	side->closed = bit(&bits, side->closed);
	side->ended = bit(&bits, side->ended);
	side->crlf = bit(&bits, side->crlf);
	side->after_lf = bit(&bits, side->after_lf);
	side->after_blank = bit(&bits, side->after_blank);
	side->junk = bit(&bits, side->junk);
	side->line_empty = bit(&bits, side->line_empty);
	side->odd = bit(&bits, side->odd);
	scanned = bit(&bits, side->scanned != 0);
	lost_scanned = bit(&bits, side->lost_scanned != 0);
	end_bits(&bits, pack);
	side->pos = pack_u64(pack, side->pos);
	if (in_piece) {
		side->until = pack_near(pack, side->until, side->pos);
	}
	if (scanned) {
		side->scanned = pack_u32(pack, side->scanned);
	}
	if (lost_scanned) {
		side->lost_scanned = pack_u32(pack, side->lost_scanned);
	}
}

static void pack_connection(struct pack *pack, struct http1 *http)
{
	struct bits bits;
	bool shift, stalled, lost;

	begin_bits(&bits, pack);
	http->many = bit(&bits, http->many);
	http->ticking = bit(&bits, http->ticking);
	stalled = bit(&bits, http->s2c_stall_ns != 0);
	lost = bit(&bits, http->c2s_lost_at != HTTP1_NOWHERE);
	http->pipelines = bit(&bits, http->pipelines);
	http->c2s_unexplained = bit(&bits, http->c2s_unexplained);
	http->s2c_lost = bit(&bits, http->s2c_lost);
	shift = bit(&bits, http->shift_ack != 0);
	http->shifted = bit(&bits, http->shifted);
	http->shift_explained = bit(&bits, http->shift_explained);
	http->reset_by = few_bits(&bits, http->reset_by, 2);
	http->timed_out = bit(&bits, http->timed_out);
	http->dark = bit(&bits, http->dark);
	http->told_midstream = bit(&bits, http->told_midstream);
	http->switching = bit(&bits, http->switching);
	end_bits(&bits, pack);
	http->c2s_lost_at =
		lost ? pack_near(pack, http->c2s_lost_at, http->side[WEIR_C2S].pos) : HTTP1_NOWHERE;
	if (shift) {
		http->shift_ack = pack_u64(pack, http->shift_ack);
	}
	if (stalled) {
		http->s2c_stall_ns = (int64_t)pack_u64(pack, (uint64_t)http->s2c_stall_ns);
	}
}

/* ---- exchanges ---- */

/* What an exchange's numbers are near. */
struct near {
	const uint8_t *begin;
	int64_t ns;
	uint64_t packet;
	uint64_t pos; /* of the direction */
};

/* May be NULL, which is not the same as empty. */
static void pack_str(struct pack *pack, const struct near *near, bool there, struct weir_str *str)
{
	bool none = false;

	if (there) {
		str->p = pack_text(pack, near->begin, str->p, &str->len, &none);
	}
}

/* Which numbers of a message are not 0. */
struct message_has {
	bool stalled, first_stalled, length, missing, seen, codings, type, gap_causes;
};

static void message_bits(struct bits *bits, struct http1_message *message, struct message_has *has)
{
	message->begun = bit(bits, message->begun);
	message->head_done = bit(bits, message->head_done);
	message->done = bit(bits, message->done);
	message->whole = bit(bits, message->whole);
	message->framing = few_bits(bits, message->framing, 2);
	message->version = few_bits(bits, message->version, 3);
	message->host = bit(bits, message->host);
	message->first_line = bit(bits, message->first_line);
	message->has_length = bit(bits, message->has_length);
	message->close = bit(bits, message->close);
	has->length = bit(bits, message->content_length != 0);
	has->type = bit(bits, message->type.p != NULL);
	has->first_stalled = bit(bits, message->first_stall_ns != 0);
	has->stalled = bit(bits, message->stall_ns != 0);
	message->has_te = bit(bits, message->has_te);
	message->te_chunked = bit(bits, message->te_chunked);
	message->coded = bit(bits, message->coded);
	has->seen = bit(bits, message->seen != 0);
	message->gap = bit(bits, message->gap);
	has->missing = bit(bits, message->missing != 0);
	has->gap_causes = bit(bits, message->gap_causes != 0);
	message->odd_framing = bit(bits, message->odd_framing);
	message->length_bad = bit(bits, message->length_bad);
	message->length_huge = bit(bits, message->length_huge);
	message->te_unknown = bit(bits, message->te_unknown);
	message->identity = bit(bits, message->identity);
	has->codings = bit(bits, message->codings.p != NULL);
}

static void pack_rare(struct pack *pack, const struct near *near, struct http1_message *message,
		      const struct message_has *has)
{
	if (has->length) {
		message->content_length = pack_u64(pack, message->content_length);
	}
	if (has->first_stalled) {
		message->first_stall_ns = pack_time(pack, message->first_stall_ns, 0);
	}
	if (has->stalled) {
		message->stall_ns = pack_time(pack, message->stall_ns, 0);
	}
	if (has->seen) {
		message->seen = pack_u64(pack, message->seen);
	}
	if (has->missing) {
		message->missing = pack_u64(pack, message->missing);
	}
	if (has->gap_causes) {
		message->gap_causes = pack_u8(pack, message->gap_causes);
	}
	pack_str(pack, near, has->codings, &message->codings);
	pack_str(pack, near, has->type, &message->type);
}

static void pack_message(struct pack *pack, const struct near *near, struct http1_message *message)
{
	struct message_has has;
	struct bits bits;

	begin_bits(&bits, pack);
	message_bits(&bits, message, &has);
	end_bits(&bits, pack);
	pack_rare(pack, near, message, &has);
	if (!message->begun) {
		return;
	}
	message->begin = pack_near(pack, message->begin, near->pos);
	if (message->done) {
		message->end = pack_near(pack, message->end, message->begin);
	}
	message->first_ack = pack_offset(pack, message->first_ack, 0);
	message->last_ack = pack_offset(pack, message->last_ack, message->first_ack);
	message->first_ns = pack_time(pack, message->first_ns, near->ns);
	message->last_ns = pack_time(pack, message->last_ns, message->first_ns);
	message->first_packet = pack_near(pack, message->first_packet, near->packet);
	message->last_packet = pack_near(pack, message->last_packet, message->first_packet);
	message->size = pack_u64(pack, message->size);
	message->nheaders = pack_u32(pack, message->nheaders);
	message->head_size = pack_u32(pack, message->head_size);
}

static void pack_figures(struct pack *pack, struct weir_tcp_figures *figures)
{
	figures->rtt_ns = pack_time(pack, figures->rtt_ns, 0);
	figures->retransmits = pack_u64(pack, figures->retransmits);
	figures->out_of_order = pack_u64(pack, figures->out_of_order);
	figures->gaps = pack_u64(pack, figures->gaps);
}

/* All but its record. Without that (no memory for it) the numbers are wrong, but as long as they are. */
static void pack_exchange(struct pack *pack, const struct http1 *http, const uint8_t *begin,
			  struct http1_exchange *ex)
{
	const struct weir_flow_info *flow = weir_host_flow(http->host);
	struct near near = {.begin = begin, .ns = flow->first_ts_ns, .packet = flow->first_packet};
	bool target, host, server, upgrade, expected, waited;
	struct bits bits;

	if (ex->rec != NULL && weir_record_has(ex->rec, WEIR_F_TS)) {
		near.ns = ex->rec->values[WEIR_F_TS].v.i64;
	}
	begin_bits(&bits, pack);
	ex->pairing = few_bits(&bits, ex->pairing, 2);
	target = bit(&bits, ex->target.p != NULL);
	host = bit(&bits, ex->host.p != NULL);
	/* a request that asked when it had all that there was: the commonest */
	expected = bit(&bits, ex->expect == ex->side[WEIR_C2S].first_ack);
	waited = bit(&bits, ex->waited_stall_ns != 0);
	ex->is_head = bit(&bits, ex->is_head);
	server = bit(&bits, ex->server.p != NULL);
	upgrade = bit(&bits, ex->upgrade.p != NULL);
	ex->is_connect = bit(&bits, ex->is_connect);
	ex->asked_upgrade = bit(&bits, ex->asked_upgrade);
	ex->expects = bit(&bits, ex->expects);
	ex->interim = bit(&bits, ex->interim);
	end_bits(&bits, pack);
	ex->begin_ns = pack_time(pack, ex->begin_ns, near.ns);
	near.ns = ex->begin_ns;
	near.pos = http->side[WEIR_C2S].pos;
	pack_message(pack, &near, &ex->side[WEIR_C2S]);
	near.pos = http->side[WEIR_S2C].pos;
	pack_message(pack, &near, &ex->side[WEIR_S2C]);
	ex->expect = expected ? ex->side[WEIR_C2S].first_ack : pack_offset(pack, ex->expect, 0);
	ex->gap_at = pack_offset(pack, ex->gap_at, 0);
	if (waited) {
		ex->waited_stall_ns = pack_time(pack, ex->waited_stall_ns, 0);
	}
	pack_figures(pack, &ex->figures);
	pack_str(pack, &near, target, &ex->target);
	ex->target_len = pack_near(pack, ex->target_len, ex->target.len);
	pack_str(pack, &near, host, &ex->host);
	pack_str(pack, &near, server, &ex->server);
	pack_str(pack, &near, upgrade, &ex->upgrade);
	ex->status = (uint16_t)pack_u64(pack, ex->status);
}

/* ---- which exchanges there are ---- */

struct open_exchanges {
	struct http1_exchange *all[EXCHANGES_MAX]; /* the queue, then those outside of it */
	unsigned n;
	unsigned nqueued;
	unsigned reading; /* 1 + index; 0: none */
	unsigned answering;
};

/* @return 1 + its index, 0 when it is none or they are too many. */
static unsigned list_one(struct open_exchanges *open, struct http1_exchange *ex)
{
	unsigned i;

	for (i = 0; ex != NULL && i < open->n; i++) {
		if (open->all[i] == ex) {
			return i + 1;
		}
	}
	if (ex == NULL || open->n == EXCHANGES_MAX) {
		return 0;
	}
	open->all[open->n++] = ex;
	return open->n;
}

/* false: there are too many. */
static bool list_exchanges(const struct http1 *http, struct open_exchanges *ret)
{
	struct http1_exchange *ex;

	memset(ret, 0, sizeof(*ret));
	for (ex = http->head; ex != NULL; ex = ex->next) {
		if (list_one(ret, ex) == 0) {
			return false;
		}
	}
	ret->nqueued = ret->n;
	ret->reading = list_one(ret, http->reading);
	ret->answering = list_one(ret, http->answering);
	return (ret->reading != 0) == (http->reading != NULL) &&
	       (ret->answering != 0) == (http->answering != NULL);
}

/* Each number is below 8. */
static void pack_open(struct pack *pack, struct open_exchanges *open)
{
	uint64_t code = open->n | open->nqueued << 3 | open->reading << 6 | open->answering << 9;

	code = pack_u64(pack, code);
	open->n = code & 7;
	open->nqueued = (code >> 3) & 7;
	open->reading = (code >> 6) & 7;
	open->answering = (code >> 9) & 7;
}

static bool is_parkable(const struct http1 *http, const struct open_exchanges *open)
{
	unsigned i;
	int dir;

	for (dir = 0; dir < 2; dir++) {
		const struct http1_side *side = &http->side[dir];

		if (side->step == HTTP1_LONG_LINE || side->skipping || side->holding ||
		    side->unfinished > 0) {
			return false;
		}
	}
	for (i = 0; i < open->n; i++) {
		const struct http1_message *request = &open->all[i]->side[WEIR_C2S];
		const struct http1_message *response = &open->all[i]->side[WEIR_S2C];

		if (request->body != NULL || response->body != NULL || request->shown != NULL ||
		    response->shown != NULL) {
			return false;
		}
	}
	return true;
}

size_t http1_park(void *state, struct weir_host *host, void *to, size_t room)
{
	struct http1 *http = state;
	struct open_exchanges open;
	struct pack pack;
	unsigned i;

	if (!list_exchanges(http, &open) || !is_parkable(http, &open)) {
		return 0;
	}
	pack_to(&pack, to, room);
	pack_side(&pack, &http->side[WEIR_C2S]);
	pack_side(&pack, &http->side[WEIR_S2C]);
	pack_connection(&pack, http);
	pack_open(&pack, &open);
	for (i = 0; i < open.n && !pack.failed; i++) {
		const uint8_t *begin = pack.at;
		size_t used = weir_host_pack_record(host, open.all[i]->rec, pack.at,
						    (size_t)(pack.end - pack.at));

		pack.at += used;
		pack.failed = pack.failed || used == 0;
		pack_exchange(&pack, http, begin, open.all[i]);
	}
	if (pack.failed) {
		return 0;
	}
	for (i = 0; i < open.n; i++) {
		weir_host_drop(host, open.all[i]->rec); /* the exchange goes with it */
	}
	return (size_t)(pack.at - (uint8_t *)to);
}

/* ---- back again ---- */

static void keep_str(struct http1_exchange *ex, struct weir_str *str)
{
	if (str->p != NULL) {
		*str = http1_keep(ex, str->p, str->len);
	}
}

/* NULL: memory is spent. */
static struct http1_exchange *read_exchange(struct http1 *http, struct pack *pack)
{
	const uint8_t *begin = pack->at;
	struct http1_exchange read = {0}, *ex = NULL;
	size_t used = 0;

	read.rec = weir_host_unpack_record(http->host, &http_schema, pack->at,
					   (size_t)(pack->end - pack->at), &used);
	pack->at += used;
	pack_exchange(pack, http, begin, &read);
	if (read.rec != NULL) {
		ex = arena_alloc(read.rec->arena, sizeof(*ex));
	}
	if (ex == NULL) {
		weir_host_drop(http->host, read.rec);
		return NULL;
	}
	*ex = read;
	keep_str(ex, &ex->target);
	keep_str(ex, &ex->host);
	keep_str(ex, &ex->server);
	keep_str(ex, &ex->upgrade);
	keep_str(ex, &ex->side[WEIR_C2S].codings);
	keep_str(ex, &ex->side[WEIR_C2S].type);
	keep_str(ex, &ex->side[WEIR_S2C].codings);
	keep_str(ex, &ex->side[WEIR_S2C].type);
	return ex;
}

static void queue_again(struct http1 *http, struct http1_exchange *ex)
{
	ex->queued = true;
	*(http->tail != NULL ? &http->tail->next : &http->head) = ex;
	http->tail = ex;
	http->npending++;
}

/* There was no memory for an exchange: its request or its response goes unseen, as when there is none at its beginning. */
static void give_up_exchange(struct http1 *http, bool reading, bool answering)
{
	http->s2c_lost = true; /* the next response may be its own */
	if (reading) {
		http1_lose(http, WEIR_C2S, http->side[WEIR_C2S].pos);
	}
	if (answering) {
		http1_lose(http, WEIR_S2C, http->side[WEIR_S2C].pos);
	}
}

int http1_unpark(void *state, struct weir_host *host, const void *from, size_t len)
{
	struct http1 *http = state;
	struct open_exchanges open = {0};
	struct pack pack;
	unsigned i;

	http->host = host;
	http->config = weir_host_config(host);
	pack_from(&pack, from, len);
	pack_side(&pack, &http->side[WEIR_C2S]);
	pack_side(&pack, &http->side[WEIR_S2C]);
	pack_connection(&pack, http);
	pack_open(&pack, &open);
	for (i = 0; i < open.n; i++) {
		struct http1_exchange *ex = read_exchange(http, &pack);

		if (ex == NULL) {
			give_up_exchange(http, open.reading == i + 1, open.answering == i + 1);
			continue;
		}
		if (i < open.nqueued) {
			queue_again(http, ex);
		}
		http->reading = open.reading == i + 1 ? ex : http->reading;
		http->answering = open.answering == i + 1 ? ex : http->answering;
	}
	assert(pack.at == pack.end);
	return 0;
}
