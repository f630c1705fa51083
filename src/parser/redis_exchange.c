/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Redis command and its reply: the record, and which command a reply answers.
 *
 * Replies come in the order of the commands. As long as nothing is lost the oldest command is answered. After a loss only proof counts:
 * a client that sends when everything has come has received s2c up to P exactly when it sends, so that the reply to the first
 * command that was sent at P begins at P, whatever was lost before. What cannot be proved is not paired: the command has no reply, and
 * the reply no command. (db_choose() would pair by guess.) A client that sends when only some of its replies have come proves
 * nothing that way (`overlaps`): its pairs are uncertain.
 */
#include "parser/redis.h"

#include "base/arena.h"
#include "record/record.h"

#include <string.h>

enum redis_field {
	REDIS_F_KEY = DB_F_OWN,
	REDIS_F_ARGC,
	REDIS_F_REPLY_TYPE,
	REDIS_F_REPLY_SIZE,
	REDIS_F_REPLY_ELEMENTS,
	REDIS_F_REPLY_COUNT,
	REDIS_F_REPLY_TEXT,
	REDIS_F_REDIRECT,
	REDIS_F_QUEUED,
	REDIS_F_PUSH,
	REDIS_F_INLINE
};

static const struct weir_field fields[] = {
	DB_FIELDS,
	{"redis.key", WEIR_KIND_STR, 0, "the command's (first) key, or the channel; cut at 1 KiB"},
	{"redis.argc", WEIR_KIND_U64, 0, "words of the command, its name included"},
	{"redis.reply.type", WEIR_KIND_STR, 0,
	 "simple, error, integer, bulk, nil, array, map, set, push, double, boolean, bignum or "
	 "verbatim"},
	{"redis.reply.size", WEIR_KIND_U64, 0, "bytes of the string that is the reply"},
	{"redis.reply.elements", WEIR_KIND_U64, 0,
	 "elements of the array or set, pairs of the map that is the reply"},
	{"redis.reply.count", WEIR_KIND_U64, 0,
	 "replies to this command, when more than one is due"},
	{"redis.reply.text", WEIR_KIND_STR, WEIR_FIELD_STATEMENT,
	 "a short reply; with --bodies=keep any, cut at 1 KiB"},
	{"redis.redirect", WEIR_KIND_STR, 0, "where MOVED or ASK sends the client"},
	{"redis.queued", WEIR_KIND_BOOL, 0, "within MULTI: taken note of, not executed yet"},
	{"redis.push", WEIR_KIND_STR, 0,
	 "kind of what the server sent of its own accord: message, invalidate, monitor ..."},
	{"redis.inline", WEIR_KIND_BOOL, 0, "the command was a line of words"},
};

const struct weir_schema redis_schema = {"redis", fields, sizeof(fields) / sizeof(fields[0])};

#define ROW(name, code, severity, spec, doc) [REDIS_A_##name] = {"redis." code, severity, spec, doc}

static const struct weir_anomaly anomalies[REDIS_A_END] = {
	ROW(GAP, "gap", "info", NULL, "bytes within or between commands or replies are missing"),
	ROW(DEPTH, "depth", "high", NULL, "a reply nested more than 128 levels deep"),
	ROW(LEN_INVALID, "len_invalid", "high", NULL,
	    "a length that is no number, or beyond what a server takes (512 MiB)"),
	ROW(FRAMING, "framing", "medium", NULL,
	    "a value of no known type, or without its CR LF: looking for the next one"),
	ROW(LINE_TOO_LONG, "line_too_long", "medium", NULL, "a line of more than 64 KiB"),
	ROW(PENDING_LIMIT, "pending_limit", "low", NULL,
	    "more commands without a reply than are kept: the oldest goes without"),
};

/* ---- exchanges ---- */

struct redis_exchange *redis_exchange_new(struct redis *redis, enum weir_direction dir,
					  uint64_t offset, const struct weir_mark *mark)
{
	struct redis_exchange *ex = db_exchange_new(&redis->db, sizeof(*ex), dir, offset, mark);

	if (ex != NULL) {
		ex->wanted = 1;
		ex->expect = dir == WEIR_C2S ? mark->peer_ack : WEIR_NO_ACK;
	}
	return ex;
}

void redis_anomaly(struct redis *redis, struct redis_exchange *ex, enum weir_direction dir,
		   enum redis_anomaly what, uint64_t offset)
{
	if (ex != NULL) {
		uint32_t bit = UINT32_C(1) << what;

		if ((ex->seen & bit) != 0) {
			return;
		}
		ex->seen |= bit;
	}
	weir_host_anomaly(redis->db.host, ex != NULL ? ex->db.rec : NULL, &anomalies[what], dir,
			  offset);
}

void redis_text_add(struct redis_exchange *ex, struct redis_text *text, const void *p, size_t n,
		    size_t limit)
{
	text->full += n;
	if (text->cut) {
		return;
	}
	if (n > limit - text->len) {
		n = limit - text->len;
		text->cut = true;
	}
	if (n > text->size - text->len) {
		size_t size = text->size * 2 > text->len + n ? text->size * 2 : text->len + n;
		uint8_t *more;

		size = size < 64 ? 64 : size > limit ? limit : size;
		more = arena_bytes(ex->db.rec->arena, size);
		if (more == NULL) {
			text->cut = true;
			return;
		}
		if (text->len > 0) {
			memcpy(more, text->p, text->len);
		}
		text->p = more;
		text->size = (uint32_t)size;
	}
	memcpy(text->p + text->len, p, n);
	text->len += (uint32_t)n;
}

/* ---- the record ---- */

struct redis_exchange *redis_oldest(const struct redis *redis)
{
	return (struct redis_exchange *)(void *)redis->db.head;
}

static struct redis_exchange *next_of(const struct redis_exchange *ex)
{
	return (struct redis_exchange *)(void *)ex->db.next;
}

static void set_text(struct weir_record *rec, size_t field, const struct redis_text *text)
{
	if (text->len == 0) {
		return;
	}
	record_set_own(rec, field, text->p, text->len);
	if (weir_record_has(rec, field)) {
		rec->values[field].full_len =
			text->full > UINT32_MAX ? UINT32_MAX : (uint32_t)text->full;
	}
}

/* The command without its values: `SET ? ?`; of a container with what it holds: `CONFIG GET ?`. */
static void set_digest(struct redis *redis, struct redis_exchange *ex)
{
	bool container = ex->quirk == REDIS_Q_CONFIG || ex->quirk == REDIS_Q_CLIENT ||
			 ex->quirk == REDIS_Q_ACL;
	char digest[2 * REDIS_WORD + 32];
	uint64_t at = 1;
	size_t n = strlen(ex->name);

	if (!ex->name_known || !weir_record_has(ex->db.rec, DB_F_QUERY_TEXT)) {
		return;
	}
	memcpy(digest, ex->name, n);
	if (container && ex->sub[0] != '\0') {
		digest[n++] = ' ';
		memcpy(digest + n, ex->sub, strlen(ex->sub));
		n += strlen(ex->sub);
		at = 2;
	}
	for (; ex->has_argc && at < ex->argc && at < 6; at++) {
		memcpy(digest + n, at == 5 ? " .." : " ?", at == 5 ? 3 : 2);
		n += at == 5 ? 3 : 2;
	}
	db_digest_set(&redis->db, &ex->db, digest, n);
}

/* `PREFIX message`; MOVED and ASK: `MOVED slot host:port` */
static void set_error(struct redis_exchange *ex)
{
	/* an error of which nothing has come has no bytes */
	const char *p = ex->reply.p == NULL ? "" : (const char *)ex->reply.p;
	size_t len = ex->reply.len;
	size_t code = 0;
	size_t at;

	while (code < len && code < 32 && p[code] > ' ' && (p[code] < 'a' || p[code] > 'z')) {
		code++;
	}
	if (code < len && p[code] != ' ') {
		code = 0; /* no prefix: a sentence */
	}
	at = code < len && code > 0 ? code + 1 : code;
	db_error(&ex->db, p, code, p + at, len - at);
	if ((code == 5 && memcmp(p, "MOVED", 5) == 0) || (code == 3 && memcmp(p, "ASK", 3) == 0)) {
		const char *space = memchr(p + at, ' ', len - at);

		if (space != NULL) {
			space++;
			weir_record_set_bytes(ex->db.rec, REDIS_F_REDIRECT, space,
					      (size_t)(p + len - space), 256);
		}
	}
}

static void fill_reply(struct redis_exchange *ex)
{
	static const char *const types[REDIS_T_END] = {
		NULL,  "simple", "error", "integer", "bulk",    "nil",    "array",
		"map", "set",    "push",  "double",  "boolean", "bignum", "verbatim"};
	struct weir_record *rec = ex->db.rec;

	if (types[ex->type] == NULL) {
		return;
	}
	weir_record_set_static(rec, REDIS_F_REPLY_TYPE, types[ex->type]);
	if (ex->type == REDIS_T_BULK || ex->type == REDIS_T_VERBATIM) {
		weir_record_set_u64(rec, REDIS_F_REPLY_SIZE, ex->size);
	} else if (ex->type == REDIS_T_ARRAY || ex->type == REDIS_T_MAP ||
		   ex->type == REDIS_T_SET || ex->type == REDIS_T_PUSH) {
		weir_record_set_u64(rec, REDIS_F_REPLY_ELEMENTS, ex->elements);
		ex->db.has_rows = ex->push == NULL;
		ex->db.rows = ex->elements;
	}
	if (ex->push == NULL && ex->replies > 1) {
		weir_record_set_u64(rec, REDIS_F_REPLY_COUNT, ex->replies);
	}
	if (ex->in_multi) {
		weir_record_set_bool(rec, REDIS_F_QUEUED, true);
	}
	if (ex->type == REDIS_T_ERROR) {
		set_error(ex);
	} else {
		set_text(rec, REDIS_F_REPLY_TEXT, &ex->reply);
		ex->db.status = ex->db.side[WEIR_S2C].done && ex->push == NULL ? DB_STATUS_OK
									       : DB_STATUS_NONE;
	}
}

/* What is known of the command. */
static void fill_command(struct redis *redis, struct redis_exchange *ex)
{
	struct weir_record *rec = ex->db.rec;

	weir_record_set_static(rec, WEIR_F_NETWORK_PROTOCOL_VERSION, redis->resp3 ? "3" : "2");
	if (ex->name_known) {
		weir_record_set_str(rec, DB_F_COMMAND, ex->name);
		weir_record_set_str(rec, DB_F_OPERATION, ex->name);
	}
	set_text(rec, DB_F_QUERY_TEXT, &ex->query);
	if (ex->query.full > 0) {
		weir_record_set_u64(rec, DB_F_QUERY_SIZE, ex->query.full);
	}
	set_text(rec, REDIS_F_KEY, &ex->key);
	if (ex->has_argc) {
		weir_record_set_u64(rec, REDIS_F_ARGC, ex->argc);
	}
	if (ex->is_inline) {
		weir_record_set_bool(rec, REDIS_F_INLINE, true);
	}
}

void redis_show_open(struct redis *redis)
{
	struct redis_exchange *ex;

	for (ex = redis_oldest(redis); ex != NULL; ex = next_of(ex)) {
		fill_command(redis, ex);
	}
}

void redis_finish(struct redis *redis, struct redis_exchange *ex)
{
	struct weir_record *rec = ex->db.rec;

	if (redis->answering == ex) {
		redis->answering = NULL;
	}
	if (redis->reading == ex) {
		redis->reading = NULL;
	}
	fill_command(redis, ex);
	if (ex->push != NULL) {
		weir_record_set_static(rec, REDIS_F_PUSH, ex->push);
		/* nothing was asked, and nothing is missing for it */
		ex->db.side[WEIR_C2S] = ex->db.side[WEIR_S2C];
		ex->db.side[WEIR_C2S].end = ex->db.side[WEIR_C2S].begin;
		ex->db.side[WEIR_C2S].last_ns = ex->db.side[WEIR_C2S].first_ns;
		ex->db.side[WEIR_C2S].last_stall_ns = ex->db.side[WEIR_C2S].first_stall_ns;
		ex->db.side[WEIR_C2S].missing = 0;
	}
	set_digest(redis, ex);
	fill_reply(ex);
	db_finish(&redis->db, &ex->db);
}

/* ---- pairing ---- */

void redis_enqueue(struct redis *redis, struct redis_exchange *ex)
{
	const struct redis_side *s2c = &redis->side[WEIR_S2C];
	struct redis_exchange *oldest = redis_oldest(redis);

	ex->batched = ex->expect != WEIR_NO_ACK && ex->expect == redis->last_expect;
	redis->last_expect = ex->expect;
	if (oldest != NULL && oldest->db.gap_at == DB_NOWHERE && !ex->batched &&
	    s2c->step != REDIS_LOST && !redis->db.s2c_lost && ex->expect != WEIR_NO_ACK &&
	    redis->db.pos[WEIR_S2C] >= ex->expect) {
		redis->overlaps = true;
	}
	/*
	 * The server had all that is lost before this command when it sent what the client had when it sent it: then it was sent
	 * in a batch before this one, and answered before this one begins.
	 */
	if (!redis->overlaps && redis->db.pos[WEIR_S2C] == ex->expect &&
	    redis->s2c_ack >= ex->db.side[WEIR_C2S].begin) {
		redis->db.c2s_lost_at = DB_NOWHERE;
	}
	if (oldest != NULL && redis->db.npending >= redis->db.config->pending_limit) {
		redis_anomaly(redis, oldest, WEIR_C2S, REDIS_A_PENDING_LIMIT,
			      oldest->db.side[WEIR_C2S].begin);
		redis->db.s2c_lost = true; /* the next reply may be its own */
		redis_finish(redis, oldest);
	}
	db_enqueue(&redis->db, &ex->db);
}

/* Could a reply that begins at x be its own? */
static bool is_possible(const struct redis_exchange *ex, uint64_t x, uint64_t ack)
{
	return (ex->expect == WEIR_NO_ACK || ex->expect <= x) &&
	       (ack == WEIR_NO_ACK || ex->db.side[WEIR_C2S].end <= ack);
}

/* Is it proved that nothing was outstanding when the command was sent, and that it was the first to be sent then? */
static bool is_proof(const struct redis *redis, const struct redis_exchange *ex)
{
	return ex->expect != WEIR_NO_ACK && !ex->batched &&
	       !(ex->db.gap_at != DB_NOWHERE && redis->db.pipelines);
}

static struct redis_exchange *choose_proved(struct redis *redis, uint64_t x, uint64_t ack)
{
	struct redis_exchange *ex;

	for (ex = redis_oldest(redis); ex != NULL && is_possible(ex, x, ack); ex = next_of(ex)) {
		if (ex->expect != x || !is_proof(redis, ex)) {
			continue;
		}
		while (redis_oldest(redis) != ex) {
			redis_finish(redis, redis_oldest(redis));
		}
		ex->db.pairing = redis->overlaps ? DB_PAIRING_UNCERTAIN : DB_PAIRING_EXACT;
		ex->db.gap_at = DB_NOWHERE;
		redis->db.s2c_lost = false;
		return ex;
	}
	return NULL;
}

/*
 * Where the capture began with a command, nothing was known of s2c when it was sent: its reply is the first there is. Those sent then
 * are answered in order, up to the first of which more is known.
 */
static struct redis_exchange *choose_blindly(struct redis *redis, struct redis_exchange *ex,
					     uint64_t offset, uint64_t ack)
{
	const struct redis_exchange *next = next_of(ex);

	redis->blind = redis->blind || offset == 0;
	if (redis->db.s2c_lost || !redis->blind ||
	    (next != NULL && next->expect != WEIR_NO_ACK && next->expect <= offset)) {
		return choose_proved(redis, offset, ack);
	}
	ex->db.pairing = DB_PAIRING_ORDER;
	return ex;
}

struct redis_exchange *redis_choose(struct redis *redis, uint64_t offset, uint64_t ack)
{
	struct redis_exchange *ex = redis_oldest(redis);

	if (ex == NULL || !is_possible(ex, offset, ack)) {
		/* it answers something else, which is not known: from here on order proves nothing */
		redis->db.s2c_lost = true;
		return NULL;
	}
	if (ex->replies > 0 && !redis->db.s2c_lost) {
		return ex; /* and more to come */
	}
	if (ex->expect == WEIR_NO_ACK || ack == WEIR_NO_ACK) {
		return choose_blindly(redis, ex, offset, ack);
	}
	/* of a client that waits for all replies the first one begins where it had got to */
	if (!ex->batched && !redis->overlaps && ex->expect != offset) {
		redis->db.s2c_lost = true;
	}
	if (redis->db.s2c_lost || ex->db.gap_at != DB_NOWHERE) {
		return choose_proved(redis, offset, ack);
	}
	if (ex->expect == offset ||
	    ((next_of(ex) == NULL || next_of(ex)->db.side[WEIR_C2S].end > ack) &&
	     redis->db.c2s_lost_at >= ack)) {
		ex->db.pairing = DB_PAIRING_EXACT;
	} else {
		ex->db.pairing = DB_PAIRING_ORDER;
	}
	return ex;
}

uint64_t redis_next_proof(const struct redis *redis, uint64_t from, uint64_t to)
{
	const struct redis_exchange *ex;

	for (ex = redis_oldest(redis); ex != NULL && (ex->expect == WEIR_NO_ACK || ex->expect < to);
	     ex = next_of(ex)) {
		if (is_proof(redis, ex) && ex->expect >= from) {
			return ex->expect;
		}
	}
	return DB_NOWHERE;
}

void redis_push_over(struct redis *redis, uint64_t begin, uint64_t end)
{
	struct redis_exchange *ex;

	for (ex = redis_oldest(redis); ex != NULL && ex->expect <= begin; ex = next_of(ex)) {
		if (ex->expect == begin) {
			ex->expect = end;
		}
	}
}
