/* SPDX-License-Identifier: Apache-2.0 */
/* From chunks to parsers: see session.h. */
#include "engine/session.h"

#include <assert.h>
#include <string.h>

#include "detect/detect.h"
#include "engine/engine.h"
#include "engine/shard.h"
#include "weir/error.h"

enum {
	TAIL_PIECE = 256 /* bytes: how much of a chunk is joined to an unfinished token at least */
};

static struct budget *budget_of(const struct session *session)
{
	return &session->host.flow->shard->budget;
}

/* ---- tails ---- */

static size_t tail_len(const struct session_dir *d)
{
	return d->tail == NULL ? 0 : d->tail->len;
}

static void free_tail(struct session *session, struct session_dir *d)
{
	tail_free(&d->tail, budget_of(session));
	d->held = 0;
}

static void drop_bytes(struct session *session, struct session_dir *d, size_t n)
{
	if (n >= d->tail->len) {
		d->held = 0;
	}
	tail_drop(&d->tail, budget_of(session), n);
}

/* Add the first n bytes of a chunk. WEIR_ELIMIT, WEIR_EBUDGET: nothing was added. */
static int append(struct session *session, struct session_dir *d, const struct weir_chunk *c,
		  size_t n)
{
	size_t limit = session->host.engine->options.config->head_limit + TAIL_EXTRA;

	return tail_append(&d->tail, budget_of(session), limit, c, n);
}

static void parser_gap(struct session *session, enum weir_direction dir, uint64_t offset,
		       uint64_t length, enum weir_gap_cause cause, size_t dropped)
{
	if (session->parser->on_gap != NULL) {
		session->parser->on_gap(session->state, &session->host, dir, offset, length, cause,
					dropped);
	}
}

/* The tail cannot grow: its bytes (and `more` behind them) are given up, and the parser resynchronises. */
static void tail_overflow(struct session *session, enum weir_direction dir, int err, size_t more)
{
	struct session_dir *d = &session->dir[dir];
	size_t dropped = tail_len(d) + more;
	uint64_t offset = d->tail == NULL ? d->next : d->tail->offset;

	session->host.engine->stats.tail_overflows++;
	free_tail(session, d);
	if (session->parser != NULL) {
		parser_gap(session, dir, offset, 0,
			   err == WEIR_ELIMIT ? WEIR_GAP_LIMIT : WEIR_GAP_BUDGET, dropped);
	}
}

static void advance(struct weir_chunk *c, size_t n)
{
	c->data += n;
	c->len -= n;
	c->offset += n;
}

/* ---- parsers ---- */

/* Memory of a parser's state: one that needs none still has a pointer of its own. */
static size_t state_size(const struct weir_parser *parser)
{
	return parser->state_size > 0 ? parser->state_size : 1;
}

static void leave(struct session *session)
{
	if (session->parser == NULL) {
		return;
	}
	if (session->parser->done != NULL) {
		session->parser->done(session->state, &session->host);
	}
	spares_give(&session->host.flow->shard->spares, session->state,
		    state_size(session->parser));
	session->state = NULL;
	session->parser = NULL;
	session->dir[0].skip = 0;
	session->dir[1].skip = 0;
}

static void go_deaf(struct session *session)
{
	leave(session);
	free_tail(session, &session->dir[0]);
	free_tail(session, &session->dir[1]);
	session->deaf = 1;
}

static void enter(struct session *session, const struct weir_parser *parser)
{
	session->state = spares_take(&session->host.flow->shard->spares, state_size(parser));
	if (session->state == NULL) {
		session->host.engine->stats.records_no_memory++;
		go_deaf(session);
		return;
	}
	session->parser = parser;
	if (parser->open != NULL && parser->open(session->state, &session->host) < 0) {
		session->host.engine->stats.records_no_memory++;
		go_deaf(session);
	}
}

/* After SWITCH or NOT_MINE. Bytes not consumed are in the tails. */
static void change_protocol(struct session *session, const struct weir_parser *next)
{
	leave(session);
	session->dir[0].held = 0;
	session->dir[1].held = 0;
	session->dir[0].pieces = 0;
	session->dir[1].pieces = 0;
	if (++session->switches > SESSION_SWITCHES) {
		go_deaf(session);
		return;
	}
	if (next != NULL) {
		enter(session, next);
	}
}

static void exclude(struct session *session, const struct weir_parser *parser)
{
	const struct parser_set *parsers = &session->host.engine->parsers;
	size_t i;

	for (i = 0; i < parsers->n; i++) {
		if (parsers->list[i] == parser) {
			session->excluded |= UINT32_C(1) << i;
		}
	}
}

/* One on_data call. *ret_used bytes of the chunk are done with. */
static enum weir_verdict offer(struct session *session, enum weir_direction dir,
			       const struct weir_chunk *c, size_t *ret_used,
			       const struct weir_parser **ret_next)
{
	struct session_dir *d = &session->dir[dir];
	struct weir_consumed got = {0};
	enum weir_verdict verdict;

	verdict = session->parser->on_data(session->state, &session->host, dir, c, &got);
	assert(got.consumed <= c->len);
	*ret_used = got.consumed;
	*ret_next = NULL;
	if (verdict == WEIR_PARSE_SKIP) {
		d->skip = got.skip;
		d->late_ns = INT64_MIN;
		d->late_packet = 0;
	} else if (verdict == WEIR_PARSE_SWITCH && got.next != NULL) {
		*ret_next = parser_set_find(&session->host.engine->parsers, got.next);
	}
	return verdict;
}

/* The first n bytes of the chunk go by: not all of them need have come before the last one. */
static inline void note_late(struct session_dir *d, const struct weir_chunk *chunk, size_t n)
{
	size_t i;

	for (i = 0; i < chunk->nmarks && chunk->marks[i].offset < chunk->offset + n; i++) {
		const struct weir_mark *mark = &chunk->marks[i];

		if (i + 1 < chunk->nmarks && mark[1].offset <= chunk->offset) {
			continue; /* all of it is before the chunk */
		}
		d->late_ns = mark->ts_ns > d->late_ns ? mark->ts_ns : d->late_ns;
		d->late_packet = mark->packet > d->late_packet ? mark->packet : d->late_packet;
	}
}

static void went_by(struct session *session, enum weir_direction dir, const struct weir_mark *mark)
{
	const struct session_dir *d = &session->dir[dir];
	struct weir_mark last = *mark;

	if (d->skip == 0 && session->parser->skipped != NULL) {
		last.ts_ns = d->late_ns > last.ts_ns ? d->late_ns : last.ts_ns;
		last.packet = d->late_packet > last.packet ? d->late_packet : last.packet;
		session->parser->skipped(session->state, &session->host, dir, &last);
	}
}

/* Opaque bytes: from the tail first, then from the chunk. */
static void skip(struct session *session, enum weir_direction dir, struct weir_chunk *c)
{
	struct session_dir *d = &session->dir[dir];
	struct weir_chunk from = d->tail != NULL ? tail_chunk(d->tail) : *c;
	size_t n = from.len < d->skip ? from.len : (size_t)d->skip;
	struct weir_mark mark;

	if (n > 0) {
		mark = *weir_chunk_mark(&from, from.offset + n - 1);
		note_late(d, &from, n);
		d->skip -= n;
		if (d->tail != NULL) {
			drop_bytes(session, d, n);
		} else {
			advance(c, n);
		}
		went_by(session, dir, &mark);
	}
}

/* Where feed() stands: the tail, then the rest of the chunk. The tail's end is the rest's beginning. */
struct feeding {
	const struct weir_chunk
		*chunk; /* all of it: joining may have copied more than was needed */
	struct weir_chunk rest;
	bool joined; /* the parser has seen the tail as it is: add to it before asking again */
	bool moved;  /* something was consumed */
};

/* The rest waits as well. */
static void keep_rest(struct session *session, enum weir_direction dir, struct feeding *f,
		      bool held)
{
	struct session_dir *d = &session->dir[dir];
	int err = 0;

	if (f->rest.len > 0) {
		err = append(session, d, &f->rest, f->rest.len);
		if (err < 0) {
			tail_overflow(session, dir, err, f->rest.len);
		}
		advance(&f->rest, f->rest.len);
	}
	d->held = held && d->tail != NULL;
}

/* Offer the tail, with a piece of the rest joined to it. false: there is nothing to be gained */
static bool feed_tail(struct session *session, enum weir_direction dir, struct feeding *f,
		      enum weir_verdict *ret_verdict, const struct weir_parser **ret_next)
{
	struct session_dir *d = &session->dir[dir];
	struct weir_chunk joined;
	size_t used;

	*ret_verdict = WEIR_PARSE_OK;
	*ret_next = NULL;
	if (f->joined) {
		size_t n = d->tail->len > TAIL_PIECE ? d->tail->len : TAIL_PIECE;
		int err;

		if (f->rest.len == 0) {
			return false;
		}
		n = f->rest.len < n ? f->rest.len : n;
		err = append(session, d, &f->rest, n);
		f->joined = false;
		if (err < 0) {
			tail_overflow(session, dir, err, 0);
			return true;
		}
		advance(&f->rest, n);
	}
	joined = tail_chunk(d->tail);
	*ret_verdict = offer(session, dir, &joined, &used, ret_next);
	f->moved |= used > 0;
	if (f->chunk->len > 0 && joined.offset + used >= f->chunk->offset) {
		/* what had to be joined is consumed: go on in the chunk itself */
		f->rest = *f->chunk;
		advance(&f->rest, (size_t)(joined.offset + used - f->chunk->offset));
		free_tail(session, d);
	} else if (used > 0) {
		drop_bytes(session, d, used);
	}
	f->joined = *ret_verdict == WEIR_PARSE_NEED || used == 0;
	return true;
}

/* Offer the rest of the chunk, as it lies in the packet. false: the rest waits in the tail now */
static bool feed_rest(struct session *session, enum weir_direction dir, struct feeding *f,
		      enum weir_verdict *ret_verdict, const struct weir_parser **ret_next)
{
	size_t used;

	*ret_verdict = offer(session, dir, &f->rest, &used, ret_next);
	advance(&f->rest, used);
	f->moved |= used > 0;
	if (*ret_verdict == WEIR_PARSE_NEED || (*ret_verdict == WEIR_PARSE_OK && used == 0)) {
		keep_rest(session, dir, f, false);
		return false;
	}
	return true;
}

/*
 * Feed what is in the tail and then the chunk, until all is consumed or the parser wants more. Bytes that the parser leaves
 * are in the tail afterwards. `asked`: the parser has seen the tail already and wants more than that.
 * Returns whether anything was consumed.
 */
static bool feed(struct session *session, enum weir_direction dir, const struct weir_chunk *chunk,
		 bool asked)
{
	struct session_dir *d = &session->dir[dir];
	struct feeding f = {.chunk = chunk, .rest = *chunk, .joined = asked};

	while (session->parser != NULL && (f.rest.len > 0 || d->tail != NULL)) {
		const struct weir_parser *next;
		enum weir_verdict verdict;

		if (d->skip > 0) {
			skip(session, dir, &f.rest);
			f.moved = true;
			f.joined = false;
			continue;
		}
		if (d->tail != NULL ? !feed_tail(session, dir, &f, &verdict, &next)
				    : !feed_rest(session, dir, &f, &verdict, &next)) {
			break;
		}
		if (verdict == WEIR_PARSE_HOLD) {
			keep_rest(session, dir, &f, true);
			break;
		}
		if (verdict == WEIR_PARSE_SWITCH || verdict == WEIR_PARSE_NOT_MINE) {
			if (verdict == WEIR_PARSE_NOT_MINE) {
				exclude(session, session->parser);
			}
			change_protocol(session, next);
			f.moved = true;
			f.joined = false;
		}
	}
	if (session->parser == NULL && !session->deaf) {
		keep_rest(session, dir, &f, false);
	}
	return f.moved;
}

static const struct weir_chunk nothing;

static void try_detect(struct session *session, bool last);

static void tell_close(struct session *session, enum weir_direction dir)
{
	struct session_dir *d = &session->dir[dir];
	size_t dropped = tail_len(d);

	d->told = 1;
	free_tail(session, d);
	if (session->parser != NULL && session->parser->on_close != NULL) {
		session->parser->on_close(session->state, &session->host, dir,
					  (enum weir_close)d->how, dropped);
	}
}

/*
 * Offer again what the directions hold back, and tell the ends that had to wait for that, for as long as one of them moves on.
 */
static void settle(struct session *session)
{
	bool moved = true;

	while (moved && session->parser != NULL) {
		int i;

		moved = false;
		for (i = 0; i < 2; i++) {
			struct session_dir *d = &session->dir[i];

			if (session->parser != NULL && d->held) {
				d->held = 0;
				moved |= feed(session, (enum weir_direction)i, &nothing, false);
				/* that it waits no more may be what the other one waits for */
				moved |= !d->held;
			}
			if (session->parser != NULL && d->closed && !d->told && !d->held) {
				tell_close(session, (enum weir_direction)i);
				moved = true;
			}
		}
	}
	if (session->parser == NULL && !session->deaf &&
	    (tail_len(&session->dir[0]) > 0 || tail_len(&session->dir[1]) > 0)) {
		try_detect(session, false);
	}
}

/* The protocol is known: what collected goes to the parser, in the order in which it was captured. */
static void begin(struct session *session, const struct weir_parser *parser)
{
	struct session_dir *a = &session->dir[WEIR_C2S];
	struct session_dir *b = &session->dir[WEIR_S2C];
	enum weir_direction first = WEIR_C2S;

	if (tail_len(a) > 0 && tail_len(b) > 0 &&
	    b->tail->marks[0].packet < a->tail->marks[0].packet) {
		first = WEIR_S2C;
	}
	enter(session, parser);
	if (session->parser != NULL) {
		(void)feed(session, first, &nothing, false);
	}
	if (session->parser != NULL) {
		(void)feed(session, (enum weir_direction) !first, &nothing, false);
	}
	settle(session);
}

/* Told once, of the flow's first protocol: what a proxy hands on has no port of its own. */
static void tell_mismatch(struct session *session, const struct weir_parser *parser, uint16_t port)
{
	static const struct weir_anomaly proto_mismatch = {
		"proto.mismatch", "medium", NULL,
		"a port that is usual for one protocol carries another one that is known"};
	struct engine *engine = session->host.engine;

	if (session->switches == 0 && detect_is_mismatch(&engine->parsers, parser, port)) {
		engine_anomaly(engine, session->host.flow, NULL, &proto_mismatch, WEIR_C2S, 0);
	}
}

/* Whose are these bytes? NULL: not known (yet) */
static const struct weir_parser *detect(struct session *session, struct weir_probe *probe,
					bool enough, bool *ret_more)
{
	struct flow *flow = session->host.flow;
	struct engine *engine = session->host.engine;
	struct detect_result found;

	probe->roles_certain = flow->tcp.role >= TCP_ROLE_SYN_ACK;
	probe->server_port = flow->tuple.port[!flow->tcp.client];
	probe->midstream = session->midstream;
	detect_protocol(probe, &engine->parsers, session->excluded, enough, &found);
	*ret_more = found.more;
	if (found.parser == NULL || (found.swapped && probe->roles_certain)) {
		return NULL;
	}
	tell_mismatch(session, found.parser, probe->server_port);
	return found.parser;
}

static void try_detect(struct session *session, bool last)
{
	const struct weir_parser *parser;
	struct weir_probe probe = {0};
	bool enough = last, more;
	int i;

	for (i = 0; i < 2; i++) {
		struct session_dir *d = &session->dir[i];

		probe.len[i] = tail_len(d);
		probe.data[i] = probe.len[i] > 0 ? d->tail->bytes : NULL;
		probe.closed[i] = d->closed;
		enough |= probe.len[i] >= DETECT_BYTES ||
			  (d->pieces >= DETECT_SEGMENTS && probe.len[i] >= DETECT_LEAST);
	}
	parser = detect(session, &probe, enough, &more);
	if (parser != NULL) {
		begin(session, parser);
	} else if (enough || !more) {
		session->host.engine->stats.unknown_flows++;
		go_deaf(session);
	}
}

/* Most first segments say whose they are: nothing of them is kept then. false: it does not, and nothing was done */
static bool detect_at_once(struct session *session, enum weir_direction dir,
			   const struct weir_chunk *chunk)
{
	const struct weir_parser *parser;
	struct weir_probe probe = {0};
	bool more;

	if (session->dir[0].tail != NULL || session->dir[1].tail != NULL) {
		return false;
	}
	probe.data[dir] = chunk->data;
	probe.len[dir] = chunk->len;
	probe.closed[0] = session->dir[0].closed;
	probe.closed[1] = session->dir[1].closed;
	parser = detect(session, &probe, chunk->len >= DETECT_BYTES, &more);
	if (parser == NULL) {
		return false;
	}
	enter(session, parser);
	if (session->parser != NULL) {
		(void)feed(session, dir, chunk, false);
	}
	settle(session);
	return true;
}

int session_roles(const struct engine *engine, const uint8_t *data, size_t len, uint16_t sport,
		  uint16_t dport, bool weak)
{
	struct weir_probe probe = {
		.data = {data, NULL}, .len = {len, 0}, .server_port = dport, .midstream = true};
	struct detect_result as_client, as_server;
	int best_client = weak ? detect_best(&probe, &engine->parsers) : 0;

	detect_protocol(&probe, &engine->parsers, 0, true, &as_client);
	probe.data[0] = NULL;
	probe.len[0] = 0;
	probe.data[1] = data;
	probe.len[1] = len;
	probe.server_port = sport;
	detect_protocol(&probe, &engine->parsers, 0, true, &as_server);
	if (as_client.parser != NULL && as_client.swapped) {
		as_client.score = 0;
	}
	if (as_server.parser != NULL && as_server.swapped) {
		as_server.score = 0;
	}
	if (as_client.score == as_server.score && weak) {
		as_client.score = best_client;
		as_server.score = detect_best(&probe, &engine->parsers);
	}
	if (as_client.score == as_server.score) {
		return -1;
	}
	return as_client.score > as_server.score;
}

/* ---- what the engine calls ---- */

struct session *session_new(struct engine *engine, struct flow *flow)
{
	struct session *session = spares_take(&flow->shard->spares, sizeof(*session));

	if (session != NULL) {
		session->host.engine = engine;
		session->host.flow = flow;
		session->midstream = !flow->tcp.syn_seen && !flow->tcp.syn_ack_seen;
	}
	return session;
}

void session_free(struct session *session)
{
	if (session == NULL) {
		return;
	}
	leave(session);
	free_tail(session, &session->dir[0]);
	free_tail(session, &session->dir[1]);
	spares_give(&session->host.flow->shard->spares, session, sizeof(*session));
}

/* Does settle() have anything to do? */
static inline bool is_settled(const struct session *session)
{
	const struct session_dir *a = &session->dir[0], *b = &session->dir[1];

	return session->parser != NULL && !a->held && !b->held && a->closed == a->told &&
	       b->closed == b->told;
}

/* A chunk of nothing but opaque bytes, and nothing is kept before it. false: it is not that, and nothing was done. */
static inline bool take_opaque(struct session *session, enum weir_direction dir,
			       const struct weir_chunk *chunk)
{
	struct session_dir *d = &session->dir[dir];

	if (d->tail != NULL || d->held || d->skip < chunk->len) {
		return false;
	}
	note_late(d, chunk, chunk->len);
	d->skip -= chunk->len;
	if (d->skip == 0) {
		went_by(session, dir, weir_chunk_mark(chunk, chunk->offset + chunk->len - 1));
	}
	return true;
}

/* While detecting: does the chunk hold anything but more of the segment that the tail ends with? */
static bool begins_segment(const struct session_dir *d, const struct weir_chunk *chunk)
{
	const struct tail *tail = d->tail;

	return tail == NULL || chunk->nmarks > 1 ||
	       tail->marks[tail->nmarks - 1].packet != chunk->marks[0].packet;
}

void session_data(struct session *session, enum weir_direction dir, const struct weir_chunk *chunk)
{
	struct session_dir *d = &session->dir[dir];

	d->next = chunk->offset + chunk->len;
	if (session->deaf || d->closed) {
		return;
	}
	if (session->parser == NULL) {
		d->pieces += begins_segment(d, chunk);
		if (detect_at_once(session, dir, chunk)) {
			return;
		}
		if (append(session, d, chunk, chunk->len) < 0) {
			go_deaf(session);
			return;
		}
		try_detect(session, false);
		return;
	}
	if (take_opaque(session, dir, chunk)) {
		/* only counted */
	} else if (d->held) {
		int err = append(session, d, chunk, chunk->len);

		if (err < 0) {
			tail_overflow(session, dir, err, 0);
			(void)feed(session, dir, chunk, false);
		}
	} else {
		(void)feed(session, dir, chunk, true);
	}
	if (!is_settled(session)) {
		settle(session);
	}
}

void session_gap(struct session *session, enum weir_direction dir, uint64_t offset, uint64_t length,
		 enum weir_gap_cause cause)
{
	struct session_dir *d = &session->dir[dir];
	size_t dropped;

	d->next = offset + length;
	if (session->deaf || d->closed) {
		return;
	}
	if (session->parser == NULL) {
		/* what came before is lost for detection: begin behind the gap */
		free_tail(session, d);
		d->pieces = 0;
		session->midstream = 1;
		return;
	}
	if (d->skip > 0 && d->tail == NULL) {
		uint64_t n = length < d->skip ? length : d->skip;

		parser_gap(session, dir, offset, n, cause, 0);
		d->skip -= n;
		if (d->skip == 0 && session->parser->skipped != NULL) {
			session->parser->skipped(session->state, &session->host, dir, NULL);
		}
		offset += n;
		length -= n;
	}
	if (length > 0 && session->parser != NULL) {
		dropped = tail_len(d);
		free_tail(session, d);
		parser_gap(session, dir, offset, length, cause, dropped);
	}
	settle(session);
}

void session_close(struct session *session, enum weir_direction dir, enum weir_close how)
{
	struct session_dir *d = &session->dir[dir];

	if (d->closed) {
		return;
	}
	d->closed = 1;
	d->how = (uint8_t)how;
	if (session->deaf) {
		return;
	}
	if (session->parser == NULL) {
		try_detect(session, session->dir[0].closed && session->dir[1].closed);
		return;
	}
	settle(session);
	if (session->dir[0].closed && session->dir[1].closed && !session->deaf) {
		/* nothing can move on any more: what is still held back is dropped */
		session->dir[0].held = 0;
		session->dir[1].held = 0;
		settle(session);
	}
}

void session_tick(struct session *session)
{
	if (session->parser != NULL && session->parser->on_tick != NULL) {
		session->parser->on_tick(session->state, &session->host);
	}
}
