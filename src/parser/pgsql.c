/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL, protocol 3.x (PostgreSQL documentation, "Frontend/Backend Protocol"): queries, extended queries, COPY, logins that fail,
 * cancel requests. A login that succeeds is no transaction: its user and database are said on those that follow. Passwords are not
 * kept: of an answer to an authentication request only the name of the SASL mechanism is looked at.
 *
 * Steps of a direction (enum pg_step): START knows nothing; the client's first bytes are a startup packet, which has no type byte, or,
 * when the beginning was not captured, a message. After an SSLRequest the client's bytes wait for the server's one byte. LOST looks for a
 * message where one can be told: the server's `Z 00 00 00 05 [ITE]` anywhere, a plausible message at the beginning of a segment, or where a
 * request says that its response begins. A hole inside of one message whose length is known leaves the direction in step.
 *
 * Deviations: protocol 2 is not known; replication's streams are COPY like any other; what a GSS-encrypted connection says is not ours.
 */
#include "parser/pgsql.h"

#include "base/wire.h"
#include "parser/probe.h"

#include <string.h>

static const struct weir_field fields[] = {
	DB_FIELDS,
	{"pgsql.statement", WEIR_KIND_STR, 0, "name of the prepared statement"},
	{"pgsql.tag", WEIR_KIND_STR, 0, "the last CommandComplete's, SELECT 1"},
	{"pgsql.results", WEIR_KIND_U64, 0, "results of the request's statements"},
	{"pgsql.columns", WEIR_KIND_U64, 0, "columns of the last result"},
	{"pgsql.copy.in_bytes", WEIR_KIND_U64, 0, "bytes of COPY data from the client"},
	{"pgsql.copy.out_bytes", WEIR_KIND_U64, 0, "bytes of COPY data from the server"},
	{"pgsql.notices", WEIR_KIND_U64, 0, "notices while it was answered"},
	{"pgsql.notifications", WEIR_KIND_U64, 0, "notifications (NOTIFY) since the last record"},
	{"pgsql.severity", WEIR_KIND_STR, 0, "of the error: ERROR, FATAL or PANIC"},
	{"pgsql.skipped", WEIR_KIND_BOOL, 0, "not executed: an error before it in the pipeline"},
	{"pgsql.pid", WEIR_KIND_U64, 0, "process that a cancel request is for"},
	{"pgsql.auth", WEIR_KIND_STR, 0, "how the user was asked to prove who they are"},
	{"pgsql.application", WEIR_KIND_STR, 0, "application_name"},
};

_Static_assert(sizeof(fields) / sizeof(fields[0]) == PG_F_END - WEIR_NCOMMON,
	       "enum pg_field names every field of the table");

const struct weir_schema pg_schema = {"pgsql", fields, sizeof(fields) / sizeof(fields[0])};

static const struct weir_anomaly gap_anomaly = {
	"pg.gap", "info", NULL,
	"bytes are missing between messages: resynchronised at the next that can be told"};

/* ---- exchanges ---- */

struct pg_exchange *pg_exchange_new(struct pg *pg, enum pg_kind kind, enum weir_direction dir,
				    const struct pg_message *m)
{
	struct pg_exchange *ex = db_exchange_new(&pg->db, sizeof(*ex), dir, m->begin, m->mark);

	if (ex == NULL) {
		pg->last = NULL;
		return NULL;
	}
	ex->kind = (uint8_t)kind;
	ex->unit = pg->unit_sent;
	if (dir == WEIR_C2S) {
		db_enqueue(&pg->db, &ex->ex);
		pg->last = ex;
	}
	return ex;
}

static void set_text(struct weir_record *rec, size_t field, const struct db_name *name)
{
	if (name->len > 0) {
		weir_record_set_bytes(rec, field, name->p, name->len, SIZE_MAX);
	}
}

void pg_finish(struct pg *pg, struct pg_exchange *ex)
{
	struct weir_record *rec = ex->ex.rec;

	if (ex == pg->last) {
		pg->last = NULL;
	}
	if (ex == pg->building) {
		pg->building = NULL;
	}
	if (ex->kind == PG_LOGIN && ex->ex.status != DB_STATUS_ERROR) {
		db_drop(&pg->db, &ex->ex);
		return;
	}
	if (ex->results > 0) {
		weir_record_set_u64(rec, PG_F_RESULTS, ex->results);
	}
	if (ex->data_rows > 0) {
		ex->ex.rows += ex->data_rows; /* of a result that did not come to its end */
		ex->ex.has_rows = true;
	}
	if (ex->copies_in) {
		weir_record_set_u64(rec, PG_F_COPY_IN, ex->copy_in);
	}
	if (ex->copies_out) {
		weir_record_set_u64(rec, PG_F_COPY_OUT, ex->copy_out);
	}
	if (ex->notices > 0) {
		weir_record_set_u64(rec, PG_F_NOTICES, ex->notices);
	}
	if (pg->notifications > 0) {
		weir_record_set_u64(rec, PG_F_NOTIFICATIONS, pg->notifications);
		pg->notifications = 0;
	}
	if (pg->auth != NULL) {
		weir_record_set_static(rec, PG_F_AUTH, pg->auth);
	}
	set_text(rec, PG_F_APPLICATION, &pg->application);
	db_finish(&pg->db, &ex->ex);
}

/* ---- messages ---- */

/* A chunk on its way. */
struct cursor {
	struct pg *pg;
	enum weir_direction dir;
	struct pg_side *side;
	const struct weir_chunk *chunk;
	const uint8_t *p;
	const uint8_t *end;
	struct weir_consumed *ret;
};

#define GO (-1) /* a step: on with the next */

static uint64_t offset_of(const struct cursor *cur, const uint8_t *p)
{
	return cur->chunk->offset + (uint64_t)(p - cur->chunk->data);
}

static void lose(struct pg *pg, enum weir_direction dir)
{
	pg->side[dir].step = PG_LOST;
	pg->side[dir].fresh = true;
	pg->side[dir].end = 0;
	pg->side[dir].type = 0;
}

static void end_message(struct pg *pg, enum weir_direction dir, uint8_t type, uint64_t end,
			const struct weir_mark *mark)
{
	if (dir == WEIR_C2S) {
		pg_client_end(pg, type, end, mark);
	} else {
		pg_server_end(pg, type, end, mark);
	}
}

/* A message of `total` bytes, `head` of them before its payload. A verdict or GO. */
static int take_message(struct cursor *cur, uint8_t type, size_t head, uint64_t total)
{
	size_t prefix =
		cur->dir == WEIR_C2S ? pg_client_prefix(type) : pg_server_prefix(cur->pg, type);
	size_t have = (size_t)(cur->end - cur->p);
	struct pg_message m = {.type = type,
			       .p = cur->p + head,
			       .full = total - head,
			       .begin = offset_of(cur, cur->p)};
	uint64_t last;

	m.len = m.full < prefix ? (size_t)m.full : prefix;
	m.end = m.begin + total;
	m.mark = weir_chunk_mark(cur->chunk, m.begin);
	cur->side->begin = m.begin;
	cur->side->end = m.end;
	cur->side->type = type;
	if (have < head + m.len) {
		cur->side->mark = *m.mark;
		return WEIR_PARSE_NEED;
	}
	if (cur->dir == WEIR_C2S) {
		pg_client_message(cur->pg, &m);
	} else {
		pg_server_message(cur->pg, &m);
	}
	if (have < total) {
		cur->p = cur->end;
		cur->ret->skip = total - have;
		return WEIR_PARSE_SKIP;
	}
	cur->p += total;
	last = m.end - 1;
	cur->side->end = 0;
	end_message(cur->pg, cur->dir, type, m.end, weir_chunk_mark(cur->chunk, last));
	return GO;
}

static int step_messages(struct cursor *cur)
{
	uint32_t len;

	if (cur->end - cur->p < 5) {
		return WEIR_PARSE_NEED;
	}
	len = load_be32(cur->p + 1);
	if (len < 4 || len > PG_MESSAGE_MAX || *cur->p < '1' || *cur->p > 'v') {
		lose(cur->pg, cur->dir);
		return GO;
	}
	return take_message(cur, *cur->p, 5, 1 + (uint64_t)len);
}

/* Bytes of the client behind an SSLRequest: until when do they wait for the answer? */
static bool must_wait(const struct cursor *cur)
{
	const struct db *db = &cur->pg->db;
	size_t left = (size_t)(cur->end - cur->p);
	int64_t limit_ns =
		db->any[WEIR_S2C] ? db->config->hole_age_ns : db->config->hole_age_oneway_ns;

	return !db->closed[WEIR_S2C] && left < DB_HOLD_LIMIT &&
	       weir_host_now(db->host) -
			       weir_chunk_mark(cur->chunk, offset_of(cur, cur->p))->ts_ns <=
		       limit_ns;
}

static int client_start(struct cursor *cur)
{
	uint32_t len;

	if (cur->pg->ssl_asked && must_wait(cur)) {
		return WEIR_PARSE_HOLD;
	}
	if (cur->pg->ssl_asked && *cur->p == 0x16) {
		cur->ret->next =
			"tls"; /* the answer was not captured, but it can only have been a yes */
		return WEIR_PARSE_SWITCH;
	}
	if (*cur->p != 0) {
		cur->side->step = PG_MESSAGES; /* mid-stream */
		return GO;
	}
	cur->pg->ssl_asked = false;
	if (cur->end - cur->p < 8) {
		return WEIR_PARSE_NEED;
	}
	len = load_be32(cur->p);
	if (len < 8 || len > PG_STARTUP_MAX) {
		lose(cur->pg, cur->dir);
		return GO;
	}
	return take_message(cur, 0, 4, len);
}

/* The server's first byte: the answer to an SSLRequest has no length. */
static int server_start(struct cursor *cur)
{
	struct pg *pg = cur->pg;

	if (!pg->ssl_asked) {
		cur->side->step = PG_MESSAGES;
		return GO;
	}
	if (*cur->p != 'S' && *cur->p != 'N' && *cur->p != 'G') {
		pg->ssl_asked = false;
		return GO; /* an old server's error */
	}
	pg->ssl_asked = false;
	pg->ssl_yes = *cur->p != 'N';
	cur->p++;
	if (pg->ssl_yes) {
		cur->ret->next = cur->p[-1] == 'S' ? "tls" : NULL;
		return WEIR_PARSE_SWITCH;
	}
	return GO;
}

/* ---- after a loss ---- */

static int found(struct cursor *cur)
{
	cur->side->step = PG_MESSAGES;
	cur->side->fresh = false;
	return GO;
}

static int client_lost(struct cursor *cur)
{
	if (cur->side->fresh || db_at_segment(cur->chunk, cur->p)) {
		if (cur->end - cur->p < 5) {
			return WEIR_PARSE_NEED;
		}
		if (pg_client_plausible(cur->p)) {
			return found(cur);
		}
	}
	cur->side->fresh = false;
	cur->p = db_next_segment(cur->chunk, cur->p);
	return GO;
}

/* Z 00 00 00 05 [ITE] */
static int is_ready(const uint8_t *p, size_t len)
{
	static const uint8_t ready[] = {'Z', 0, 0, 0, 5};
	size_t n = len < sizeof(ready) ? len : sizeof(ready);

	if (memcmp(p, ready, n) != 0) {
		return -1;
	}
	return len < 6 ? 0 : p[5] == 'I' || p[5] == 'T' || p[5] == 'E' ? 1 : -1;
}

/* Must the server's bytes here wait for requests that it had? */
static bool must_hold(struct cursor *cur)
{
	const struct weir_mark *mark = weir_chunk_mark(cur->chunk, offset_of(cur, cur->p));

	cur->side->holding = db_must_hold(&cur->pg->db, mark, (size_t)(cur->end - cur->p));
	cur->side->awaits = mark->peer_ack;
	return cur->side->holding;
}

static int server_lost(struct cursor *cur)
{
	const struct weir_mark *mark = weir_chunk_mark(cur->chunk, offset_of(cur, cur->p));
	const uint8_t *stop = db_next_segment(cur->chunk, cur->p);
	uint64_t offset = offset_of(cur, cur->p);
	uint64_t expected;
	int got;

	if (must_hold(cur)) {
		return WEIR_PARSE_HOLD;
	}
	expected = db_resync(&cur->pg->db, offset, offset + 1, mark->peer_ack);
	if (cur->side->fresh || expected == offset || db_at_segment(cur->chunk, cur->p)) {
		got = pg_server_plausible(cur->p, (size_t)(cur->end - cur->p));
		if (got >= 0) {
			return got == 0 ? WEIR_PARSE_NEED : found(cur);
		}
		cur->side->fresh = false;
	}
	for (; cur->p < stop; cur->p++) {
		got = is_ready(cur->p, (size_t)(cur->end - cur->p));
		if (got >= 0) {
			return got == 0 ? WEIR_PARSE_NEED : found(cur);
		}
	}
	return GO;
}

/* ---- the parser ---- */

static int step(struct cursor *cur)
{
	const struct pg_side *answers = &cur->pg->side[WEIR_S2C];

	/* behind a hole within a message: the rest of that message */
	if (cur->side->step == PG_MESSAGES && cur->side->end > offset_of(cur, cur->p) &&
	    cur->side->begin < offset_of(cur, cur->p)) {
		cur->ret->skip = cur->side->end - offset_of(cur, cur->p);
		return WEIR_PARSE_SKIP;
	}
	if (cur->dir == WEIR_S2C && cur->side->step != PG_LOST && cur->side->step != PG_OVER) {
		if (must_hold(cur)) {
			return WEIR_PARSE_HOLD;
		}
	}
	/* what waited for the requests up to here goes first, however many bytes came at once */
	if (cur->dir == WEIR_C2S && answers->holding &&
	    answers->awaits <= cur->pg->db.pos[WEIR_C2S]) {
		return WEIR_PARSE_HOLD;
	}
	switch (cur->side->step) {
	case PG_START:
		return cur->dir == WEIR_C2S ? client_start(cur) : server_start(cur);
	case PG_MESSAGES:
		return step_messages(cur);
	case PG_LOST:
		return cur->dir == WEIR_C2S ? client_lost(cur) : server_lost(cur);
	default:
		cur->p = cur->end;
		return GO;
	}
}

static enum weir_verdict pgsql_on_data(void *state, struct weir_host *host, enum weir_direction dir,
				       const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	struct pg *pg = state;
	struct cursor cur = {pg, dir, &pg->side[dir], chunk, chunk->data, chunk->data + chunk->len,
			     ret};
	int verdict = GO;

	(void)host;
	pg->db.any[dir] = true;
	cur.side->holding = false;
	cur.side->pos = chunk->offset + chunk->len;
	while (cur.p < cur.end && verdict == GO) {
		verdict = step(&cur);
		if (dir == WEIR_C2S) {
			db_moved(&pg->db, dir, offset_of(&cur, cur.p));
		}
	}
	ret->consumed = (size_t)(cur.p - chunk->data);
	if (verdict == WEIR_PARSE_SKIP && dir == WEIR_C2S) {
		/* what is skipped is of a message that is known already */
		db_moved(&pg->db, dir, offset_of(&cur, cur.p) + ret->skip);
	}
	return verdict == GO ? WEIR_PARSE_OK : (enum weir_verdict)verdict;
}

static void pgsql_skipped(void *state, struct weir_host *host, enum weir_direction dir,
			  const struct weir_mark *mark)
{
	struct pg *pg = state;
	struct pg_side *side = &pg->side[dir];
	uint64_t end = side->end;

	(void)host;
	side->end = 0;
	end_message(pg, dir, side->type, end, mark);
}

/* Whom the missing bytes belong to. */
static struct pg_exchange *current(const struct pg *pg, enum weir_direction dir)
{
	if (dir == WEIR_C2S) {
		return pg->last;
	}
	return pg->orphan != NULL ? pg->orphan : (struct pg_exchange *)pg->db.head;
}

/* A message has lost its beginning, but not its type: so much is known to have been asked. */
static void take_headless(struct pg *pg, enum weir_direction dir)
{
	struct pg_side *side = &pg->side[dir];
	struct pg_message m = {.type = side->type,
			       .p = (const uint8_t *)"",
			       .full = side->end - side->begin - 5,
			       .begin = side->begin,
			       .end = side->end,
			       .mark = &side->mark};

	if (dir == WEIR_S2C) {
		pg_server_message(pg, &m);
	} else if (m.type != 0) {
		pg_client_message(pg, &m);
	}
}

static void pgsql_on_gap(void *state, struct weir_host *host, enum weir_direction dir,
			 uint64_t offset, uint64_t length, enum weir_gap_cause cause,
			 size_t dropped)
{
	struct pg *pg = state;
	struct pg_side *side = &pg->side[dir];
	uint64_t begin = offset - dropped * (length > 0);
	uint64_t end = length > 0 ? offset + length : offset + dropped;
	struct pg_exchange *ex;

	(void)cause;
	side->pos = end;
	if (side->step == PG_MESSAGES && side->end > 0 && begin > side->begin && end <= side->end) {
		/* within what is skipped: nothing else is missing */
		db_missing((struct db_exchange *)current(pg, dir), dir, length);
		db_moved(&pg->db, dir, end);
		return;
	}
	if (side->step == PG_MESSAGES && side->end >= end && side->begin == begin) {
		take_headless(pg, dir);
		db_missing((struct db_exchange *)current(pg, dir), dir, end - begin);
		db_moved(&pg->db, dir, end);
		if (side->end == end) {
			pgsql_skipped(pg, host, dir, NULL);
		}
		return;
	}
	ex = current(pg, dir);
	if (ex != NULL && (dir == WEIR_C2S ? !ex->ex.side[dir].done : true)) {
		db_missing(&ex->ex, dir, end - begin);
	}
	weir_host_anomaly(host, ex == NULL ? NULL : ex->ex.rec, &gap_anomaly, dir, begin);
	db_gap(&pg->db, dir, begin, end - begin);
	if (side->step != PG_OVER) {
		lose(pg, dir);
	}
	if (dir == WEIR_C2S) {
		pg->building = NULL;
	}
}

static void pgsql_on_close(void *state, struct weir_host *host, enum weir_direction dir,
			   enum weir_close how, size_t dropped)
{
	struct pg *pg = state;

	(void)host;
	(void)dropped;
	pg->side[dir].holding = false;
	db_close(&pg->db, dir, how);
	if (dir == WEIR_S2C) {
		struct pg_exchange *ex = (struct pg_exchange *)pg->db.head;

		/* FATAL ends a query without ReadyForQuery */
		if (ex != NULL && ex->ex.status == DB_STATUS_ERROR) {
			ex->ex.side[WEIR_S2C].done = true;
		}
	}
}

static void finish(struct db *db, struct db_exchange *ex)
{
	pg_finish((struct pg *)db, (struct pg_exchange *)ex);
}

static int pgsql_open(void *state, struct weir_host *host)
{
	struct pg *pg = state;

	db_init(&pg->db, host, &pg_schema, "postgresql");
	pg->db.finish = finish;
	return 0;
}

static void pgsql_on_tick(void *state, struct weir_host *host)
{
	struct pg *pg = state;

	(void)host;
	db_tick(&pg->db);
}

static void pgsql_done(void *state, struct weir_host *host)
{
	struct pg *pg = state;

	(void)host;
	if (pg->orphan != NULL) {
		pg_finish(pg, pg->orphan);
	}
	db_end(&pg->db);
	db_statements_clear(&pg->db, &pg->statements);
}

/* ---- detection ---- */

/* A startup packet, an SSLRequest, a GSSENCRequest, a CancelRequest. */
static int startup_score(const uint8_t *p, size_t len)
{
	uint32_t size, code;

	if (len < 8) {
		return p[0] == 0 && (len < 2 || p[1] == 0) ? DB_WEAK : 0;
	}
	size = load_be32(p);
	code = load_be32(p + 4);
	if (code >= 80877102 && code <= 80877104) {
		return size == 8 || (code == 80877102 && size >= 16 && size <= 268) ? DB_SURE : 0;
	}
	if (code >> 16 != 3 || (code & 0xffff) > 9999 || size < 9 || size > PG_STARTUP_MAX) {
		return 0;
	}
	return len >= size && p[size - 1] == 0 ? DB_SURE : DB_LIKELY;
}

/* Messages one after the other, up to the end of what is there. */
static int chain_score(const uint8_t *p, size_t len, bool server)
{
	unsigned n = 0;
	bool strong = false;

	while (len >= 5) {
		uint64_t total = 1 + (uint64_t)load_be32(p + 1);

		if (server ? pg_server_plausible(p, len) < 0 : !pg_client_plausible(p)) {
			return 0;
		}
		strong |= server ? is_ready(p, len) == 1 || (p[0] == 'R' && total == 9)
				 : (p[0] == 'Q' && total <= len && p[total - 1] == 0) ||
					   (p[0] == 'S' && n > 0);
		n++;
		if (total > len) {
			return n > 1 && strong ? DB_SURE : DB_WEAK;
		}
		p += total;
		len -= total;
	}
	return n == 0                         ? DB_WEAK
	       : strong && (n > 1 || !server) ? (n > 1 ? DB_SURE : DB_LIKELY)
					      : DB_WEAK;
}

static int score(const struct weir_probe *probe, int client)
{
	const uint8_t *c = probe->data[client], *s = probe->data[!client];
	int asked = 0, said = 0;

	if (probe->len[client] > 0) {
		asked = startup_score(c, probe->len[client]);
		if (asked == 0 && probe->midstream) {
			asked = chain_score(c, probe->len[client], false);
		}
		if (asked == 0) {
			return 0;
		}
	}
	if (probe->len[!client] > 0) {
		said = probe->len[!client] == 1 ? DB_WEAK
						: chain_score(s, probe->len[!client], true);
		if (said == 0 && asked < DB_SURE) {
			return 0;
		}
	}
	if (asked >= DB_WEAK && said >= DB_LIKELY) {
		return DB_SURE;
	}
	return asked > said ? asked : said;
}

static struct weir_probe_result pgsql_probe(const struct weir_probe *probe)
{
	return probe_by_score(probe, score, DB_SURE);
}

static const struct weir_schema *const schemas[] = {&pg_schema, NULL};
static const uint16_t ports[] = {5432, 5433, 6432, 0};

const struct weir_parser parser_pgsql = {
	.name = "pgsql",
	.doc = "PostgreSQL 3.x",
	.schemas = schemas,
	.ports = ports,
	.state_size = sizeof(struct pg),
	.probe = pgsql_probe,
	.open = pgsql_open,
	.on_data = pgsql_on_data,
	.skipped = pgsql_skipped,
	.on_gap = pgsql_on_gap,
	.on_close = pgsql_on_close,
	.on_tick = pgsql_on_tick,
	.done = pgsql_done,
	.park = pgsql_park,
	.unpark = pgsql_unpark,
};
