/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of parked flows: see session.h and park.h. */
#include "engine/session.h"

#include <string.h>

#include "base/pack.h"
#include "engine/engine.h"
#include "engine/shard.h"

enum { ROOM_MIN = 64 /* bytes: less is not offered to a parser */ };

bool session_is_parkable(const struct session *session)
{
	int i;

	for (i = 0; i < 2; i++) {
		const struct session_dir *d = &session->dir[i];

		if (d->tail != NULL || d->skip != 0 || d->held || d->closed != d->told) {
			return false;
		}
	}
	if (session->busy || session->parser == NULL) {
		return session->deaf && !session->busy;
	}
	return session->parser->park != NULL && session->parser->unpark != NULL;
}

static size_t parser_number(const struct engine *engine, const struct weir_parser *parser)
{
	size_t i = 0;

	while (i < engine->parsers.n && engine->parsers.list[i] != parser) {
		i++;
	}
	return i;
}

static uint64_t next_of(const struct flow *flow, int dir)
{
	return flow->half[flow_sender(flow, (enum weir_direction)dir)].next;
}

static void pack_dir(struct pack *pack, struct session_dir *d, uint64_t next)
{
	uint32_t bits = (uint32_t)(d->closed | d->told << 1 | d->how << 2) | d->pieces << 8;

	d->next = pack_near(pack, d->next, next);
	bits = pack_u32(pack, bits);
	d->closed = bits & 1;
	d->told = bits >> 1 & 1;
	d->how = (uint8_t)(bits >> 2 & 63);
	d->pieces = bits >> 8;
}

/* While detecting, segments are counted: with a parser nobody asks for their number. */
static bool is_plain(const struct session *session, int dir)
{
	const struct session_dir *d = &session->dir[dir];

	return d->next == next_of(session->host.flow, dir) && !d->closed && !d->told;
}

/* Most have two directions that go on from where the halves are, and nothing else. */
static void pack_session(struct pack *pack, struct session *session)
{
	bool plain = is_plain(session, 0) && is_plain(session, 1) && session->excluded == 0;
	uint32_t bits = (uint32_t)(plain | session->deaf << 1 | session->midstream << 2 |
				   session->switches << 3);
	int dir;

	bits = pack_u32(pack, bits);
	plain = bits & 1;
	session->deaf = bits >> 1 & 1;
	session->midstream = bits >> 2 & 1;
	session->switches = (uint8_t)(bits >> 3);
	if (!plain) {
		session->excluded = pack_u32(pack, session->excluded);
	}
	for (dir = 0; dir < 2; dir++) {
		if (plain) {
			session->dir[dir].next = next_of(session->host.flow, dir);
		} else {
			pack_dir(pack, &session->dir[dir], next_of(session->host.flow, dir));
		}
	}
}

bool session_park(struct session *session, struct pack *pack, const uint8_t **ret_bytes,
		  size_t *ret_len)
{
	const struct engine *engine = session->host.engine;
	size_t number = parser_number(engine, session->parser);
	size_t room;

	*ret_bytes = NULL;
	*ret_len = 0;
	if (session->parser == NULL) {
		(void)pack_u32(pack, 0);
		pack_session(pack, session);
		return !pack->failed;
	}
	if (number == engine->parsers.n) {
		return false;
	}
	(void)pack_u32(pack, (uint32_t)number + 1);
	pack_session(pack, session);
	room = (size_t)(pack->end - pack->at);
	if (pack->failed || room < ROOM_MIN) {
		return false;
	}
	/* what the parser writes is last: its length follows from that of all */
	*ret_len = session->parser->park(session->state, &session->host, pack->at, room);
	*ret_bytes = pack->at;
	pack->at += *ret_len;
	return *ret_len > 0;
}

static size_t state_size(const struct weir_parser *parser)
{
	return parser->state_size > 0 ? parser->state_size : 1;
}

void session_parked(struct session *session)
{
	struct spares *spares = &session->host.flow->shard->spares;

	if (session->parser != NULL) {
		spares_give(spares, session->state, state_size(session->parser));
	}
	spares_give(spares, session, sizeof(*session));
}

/* The parser's state from its bytes, or the session hears nothing any more. */
static void fill_state(struct session *session, const uint8_t *bytes, size_t len)
{
	struct spares *spares = &session->host.flow->shard->spares;
	const struct weir_parser *parser = session->parser;

	if (parser->unpark(session->state, &session->host, bytes, len) < 0) {
		session->host.engine->stats.records_no_memory++;
		spares_give(spares, session->state, state_size(parser));
		session->state = NULL;
		session->parser = NULL;
		session->deaf = 1;
	}
}

void session_unpark_again(struct session *session, const uint8_t *bytes, size_t len)
{
	if (session->parser != NULL) {
		memset(session->state, 0, state_size(session->parser));
		fill_state(session, bytes, len);
	}
}

struct session *session_unpark(struct engine *engine, struct flow *flow, struct pack *pack)
{
	struct spares *spares = &flow->shard->spares;
	struct session *session = spares_take(spares, sizeof(*session));
	uint32_t number = pack_u32(pack, 0);

	if (session == NULL) {
		engine->stats.records_no_memory++;
		return NULL;
	}
	session->host.engine = engine;
	session->host.flow = flow;
	/* parsers ask the flow for its session */
	flow->session = session;
	pack_session(pack, session);
	if (number == 0) {
		return session;
	}
	session->parser = engine->parsers.list[number - 1];
	session->state = spares_take(spares, state_size(session->parser));
	if (session->state == NULL) {
		engine->stats.records_no_memory++;
		session->parser = NULL;
		session->deaf = 1;
		return session;
	}
	fill_state(session, pack->at, (size_t)(pack->end - pack->at));
	return session;
}

void session_moved(struct session *session, struct flow *flow)
{
	session->host.flow = flow;
}
