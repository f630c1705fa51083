/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of Redis servers, RESP2 and RESP3 (redis/redis-specifications, protocol/RESP3.md), streamed ones included.
 *
 * A value is read element by element with a list of what each open aggregate still lacks: no recursion. Beyond REDIS_DEPTH levels
 * elements are only counted, which is enough to know where the value ends. Its text goes into the record up to a limit: of scalars
 * always, of what may hold data (strings, aggregates) with --bodies=keep only.
 *
 * Where a value begins it is decided what it is: a reply, a confirmation (SUBSCRIBE has one for each channel), or a push, which
 * answers nothing: RESP3's `>`, RESP2's `message` arrays, lines of MONITOR.
 */
#include "parser/redis.h"

#include <string.h>

/* ---- text ---- */

static bool is_text_type(char type)
{
	return strchr("+-:,#(", type) != NULL;
}

/* Does the record get the element's text? */
static bool shows(const struct redis *redis, char type)
{
	if (redis->answering == NULL || redis->attributes > 0) {
		return false;
	}
	return redis->db.config->bodies == WEIR_BODIES_KEEP ||
	       (redis->depth == 0 && (is_text_type(type) || type == '!'));
}

static void show(struct redis *redis, char type, const void *p, size_t n)
{
	if (shows(redis, type)) {
		redis_text_add(redis->answering, &redis->answering->reply, p, n, REDIS_REPLY_LIMIT);
	}
}

/* Bytes of a string. */
static void string_bytes(struct redis *redis, char type, const uint8_t *p, size_t n)
{
	struct redis_exchange *ex = redis->answering;

	show(redis, type, p, n);
	if (ex != NULL && ex->push != NULL && redis->depth == 1 && redis->attributes == 0 &&
	    redis->top_index == (ex->push[0] == 'p' ? 2u : 1u)) {
		redis_text_add(ex, &ex->key, p, n, REDIS_KEY_LIMIT);
	}
}

/* ---- levels ---- */

static struct redis_level *level_at(struct redis *redis, uint32_t depth)
{
	return depth < REDIS_LEVELS ? &redis->levels[depth] : &redis->more[depth - REDIS_LEVELS];
}

/* false: too deep, or no memory: count only */
static bool push_level(struct redis *redis, char kind, uint64_t left)
{
	struct redis_level *level;

	if (redis->depth == REDIS_DEPTH) {
		return false;
	}
	if (redis->depth >= REDIS_LEVELS && redis->more == NULL) {
		redis->more = weir_host_alloc(redis->db.host,
					      (REDIS_DEPTH - REDIS_LEVELS) * sizeof(*redis->more));
		if (redis->more == NULL) {
			return false;
		}
	}
	level = level_at(redis, redis->depth);
	level->kind = (uint8_t)kind;
	level->left = left;
	if (kind == '*') {
		show(redis, kind, "[", 1);
	}
	redis->need_comma = false;
	redis->depth++;
	redis->attributes += kind == '|';
	if (redis->depth == 1) {
		redis->top_index = 0;
	}
	return true;
}

static char pop_level(struct redis *redis)
{
	struct redis_level *level = level_at(redis, --redis->depth);
	char kind = (char)level->kind;

	redis->attributes -= kind == '|';
	redis->need_comma = kind == '|' ? redis->comma_before : true;
	if (kind == '*') {
		show(redis, kind, "]", 1);
	}
	return kind;
}

/* An element has ended. true: so has the whole value */
static bool element_done(struct redis *redis)
{
	if (redis->deep > 0 && --redis->deep > 0) {
		return false;
	}
	for (;;) {
		struct redis_level *level;

		redis->need_comma = true;
		if (redis->depth == 0) {
			return true;
		}
		if (redis->depth == 1) {
			redis->top_index++;
		}
		level = level_at(redis, redis->depth - 1);
		if (level->left == UINT64_MAX || --level->left > 0) {
			return false;
		}
		if (pop_level(redis) == '|') {
			return false; /* what it is about follows */
		}
	}
}

/* ---- the end of a reply ---- */

static void take_user(struct redis *redis, const struct redis_exchange *ex)
{
	if (ex->quirk == REDIS_Q_AUTH && redis->user_len == 0) {
		db_name_set(&redis->db.user, "default", 7); /* AUTH password */
	} else if (redis->user_len > 0) {
		db_name_set(&redis->db.user, redis->user, redis->user_len);
	}
}

/* What a command does to the connection, once the server says that it did it. */
static void take_effect(struct redis *redis, struct redis_exchange *ex)
{
	if (ex->type == REDIS_T_ERROR || ex->in_multi) {
		return;
	}
	switch ((enum redis_quirk)ex->quirk) {
	case REDIS_Q_MONITOR:
		redis->monitor = true;
		break;
	case REDIS_Q_SYNC:
		redis->side[WEIR_S2C].step = REDIS_STREAM;
		break;
	case REDIS_Q_AUTH:
		take_user(redis, ex);
		break;
	case REDIS_Q_HELLO:
		if (ex->sub[0] == '2' || ex->sub[0] == '3') {
			redis->resp3 = ex->sub[0] == '3';
		}
		take_user(redis, ex);
		break;
	case REDIS_Q_SELECT:
		db_name_set(&redis->db.namespace, ex->sub, strlen(ex->sub));
		break;
	case REDIS_Q_RESET:
		redis->monitor = false;
		redis->resp3 = false;
		memset(redis->subscribed, 0, sizeof(redis->subscribed));
		redis->subscriptions = 0;
		db_name_set(&redis->db.namespace, "0", 1);
		break;
	default:
		break;
	}
}

static void note_subscription(struct redis *redis, const struct redis_exchange *ex, uint64_t total)
{
	unsigned kind = 0;

	if (ex->name[0] == 'P') {
		kind = 1;
	} else if (strcmp(ex->name, "SSUBSCRIBE") == 0 || strcmp(ex->name, "SUNSUBSCRIBE") == 0) {
		kind = 2;
	}
	if (ex->quirk == REDIS_Q_SUBSCRIBE) {
		redis->subscribed[kind]++;
	} else if (redis->subscribed[kind] > 0) {
		redis->subscribed[kind]--;
	}
	redis->subscriptions = total;
}

void redis_reply_done(struct redis *redis, uint64_t end, bool whole)
{
	struct redis_exchange *ex = redis->answering;
	struct redis_side *side = &redis->side[WEIR_S2C];
	uint64_t begin;

	redis->answering = NULL;
	side->step = REDIS_START;
	if (ex == NULL) {
		return;
	}
	ex->db.side[WEIR_S2C].end = end;
	ex->db.side[WEIR_S2C].done = whole;
	if (ex->push != NULL) {
		begin = ex->db.side[WEIR_S2C].begin;
		redis_finish(redis, ex);
		redis_push_over(redis, begin, end);
		return;
	}
	ex->replies++;
	if (whole) {
		/* within MULTI, and nothing else is answered so */
		ex->in_multi = ex->type == REDIS_T_SIMPLE && ex->reply.len == 6 &&
			       memcmp(ex->reply.p, "QUEUED", 6) == 0;
		take_effect(redis, ex);
		if (ex->wanted > ex->replies &&
		    (ex->type == REDIS_T_ARRAY || ex->type == REDIS_T_PUSH)) {
			ex->db.side[WEIR_S2C].done = false;
			return;
		}
	}
	redis_finish(redis, ex);
}

void redis_reply_gap(struct redis *redis, uint64_t length)
{
	struct redis_exchange *ex = redis->answering;

	if (ex != NULL) {
		ex->reply.cut = true;
		ex->reply.full += length;
		ex->key.cut = ex->key.cut || ex->push != NULL;
		db_missing(&ex->db, WEIR_S2C, length);
	}
}

/* Out of step from p on. */
static int lose(struct redis_cursor *cur, enum redis_anomaly why)
{
	struct redis *redis = cur->redis;
	uint64_t offset = redis_offset(cur, cur->p);

	redis_anomaly(redis, redis->answering, WEIR_S2C, why, offset);
	redis_reply_done(redis, offset, false);
	db_gap(&redis->db, WEIR_S2C, offset, 0);
	if (cur->side->step != REDIS_STREAM) {
		cur->side->step = REDIS_LOST;
	}
	return REDIS_GO;
}

static void touch(struct redis_cursor *cur)
{
	if (cur->redis->answering != NULL) {
		db_touch(&cur->redis->db, &cur->redis->answering->db, WEIR_S2C,
			 redis_offset(cur, cur->p) + 1, redis_mark(cur, cur->p));
	}
}

/* ---- what a value is ---- */

enum what { WHAT_MORE, WHAT_REPLY, WHAT_CONFIRMATION, WHAT_PUSH };

static const char *const kinds[] = {"message",      "pmessage",   "smessage",        "subscribe",
				    "psubscribe",   "ssubscribe", "unsubscribe",     "punsubscribe",
				    "sunsubscribe", "invalidate", "server-cpu-usage"};
enum { NMESSAGES = 3, FIRST_OTHER = 9, NKINDS = sizeof(kinds) / sizeof(kinds[0]) };

/* The first string of an array at p. -1: it is none of kinds; -2: too short to tell */
static int kind_at(const uint8_t *p, size_t len)
{
	size_t at = 1;
	size_t n = 0;
	size_t i;

	/* N \r \n $ L \r \n: two numbers of up to 2 digits, each byte checked as far as there are any */
	for (i = 0; i < 2; i++) {
		for (n = 0; at < len && p[at] >= '0' && p[at] <= '9'; at++) {
			n = n * 10 + (size_t)(p[at] - '0');
			if (n > 32) {
				return -1;
			}
		}
		if (at < len && p[at] != '\r') {
			return -1;
		}
		if (at + 1 < len && p[at + 1] != '\n') {
			return -1;
		}
		at += 2;
		if (i == 0) {
			if (at < len && p[at] != '$' && p[at] != '+') {
				return -1;
			}
			at++;
		}
	}
	for (i = 0; i < NKINDS; i++) {
		size_t have = at < len ? len - at : 0;

		if (at > len || strlen(kinds[i]) != n) {
			continue;
		}
		if (have >= n && memcmp(p + at, kinds[i], n) == 0) {
			return (int)i;
		}
	}
	return len < at + n || len < at ? -2 : -1;
}

static enum what what_is(const struct redis *redis, const uint8_t *p, size_t len, int *ret_kind)
{
	const struct redis_exchange *oldest = redis_oldest(redis);
	bool asked = oldest != NULL &&
		     (oldest->quirk == REDIS_Q_SUBSCRIBE || oldest->quirk == REDIS_Q_UNSUBSCRIBE);

	*ret_kind = -1;
	if (p[0] == '+' && redis->monitor) {
		/* +1700000000.123456 [0 127.0.0.1:1234] "PING" */
		return len < 2 ? WHAT_MORE : p[1] >= '0' && p[1] <= '9' ? WHAT_PUSH : WHAT_REPLY;
	}
	if (p[0] != '>' && p[0] != '*') {
		return WHAT_REPLY;
	}
	if (p[0] == '*' && oldest != NULL && !asked && redis->subscriptions == 0) {
		return WHAT_REPLY; /* whatever it holds */
	}
	*ret_kind = len < 2 ? -2 : kind_at(p, len);
	if (*ret_kind == -2) {
		return len < REDIS_PEEK ? WHAT_MORE : p[0] == '>' ? WHAT_PUSH : WHAT_REPLY;
	}
	if (*ret_kind >= NMESSAGES && *ret_kind < FIRST_OTHER && asked) {
		return WHAT_CONFIRMATION;
	}
	return p[0] == '>' || *ret_kind >= 0 ? WHAT_PUSH : WHAT_REPLY;
}

int redis_like_value(const uint8_t *p, size_t len, bool *ret_sure)
{
	size_t i = 1;

	*ret_sure = false;
	if (strchr("+-:$*%~>#,_(=!|", p[0]) == NULL || p[0] == '\0') {
		return -1;
	}
	if (p[0] == '+' || p[0] == '-') {
		while (i < len && i < REDIS_PEEK && p[i] >= ' ' && p[i] <= '~') {
			i++;
		}
		if (i > 1 && i < len && p[i] == '\r') {
			*ret_sure = (i == 3 && memcmp(p, "+OK", 3) == 0) ||
				    (i == 5 && memcmp(p, "+PONG", 5) == 0) ||
				    (i > 5 && memcmp(p, "-ERR ", 5) == 0) ||
				    (i > 8 && memcmp(p, "-NOAUTH ", 8) == 0);
			return 1;
		}
		return i >= REDIS_PEEK ? 1 : i < len ? -1 : 0;
	}
	while (i < len && i < 24 &&
	       ((p[i] >= '0' && p[i] <= '9') || p[i] == '-' || p[i] == '.' || p[i] == 't' ||
		p[i] == 'f' || p[i] == 'i' || p[i] == 'n' || p[i] == 'e' || p[i] == '?')) {
		i++;
	}
	if (i + 1 >= len) {
		return i < len && p[i] != '\r' ? -1 : 0;
	}
	*ret_sure = i > 1 && p[i] == '\r' && p[i + 1] == '\n';
	return p[i] == '\r' && p[i + 1] == '\n' && (i > 1 || p[0] == '_') ? 1 : -1;
}

/* ---- steps ---- */

static void begin_line(struct redis_side *side)
{
	side->step = REDIS_LINE_IN;
	side->line_len = 0;
	side->cr = false;
}

static void begin_value(struct redis_cursor *cur, enum what what, int kind)
{
	struct redis *redis = cur->redis;
	const struct weir_mark *mark = redis_mark(cur, cur->p);
	uint64_t offset = redis_offset(cur, cur->p);
	struct redis_exchange *ex = NULL;

	if (what != WHAT_PUSH) {
		ex = redis_choose(redis, offset, mark->peer_ack);
	}
	if (ex != NULL) {
		db_begin(&ex->db, WEIR_S2C, offset, mark);
		if (ex->replies == 0) {
			ex->reply.len = 0;
		}
	} else {
		ex = redis_exchange_new(redis, WEIR_S2C, offset, mark);
	}
	if (ex != NULL && what == WHAT_PUSH) {
		ex->push = kind >= 0 ? kinds[kind] : *cur->p == '+' ? "monitor" : "other";
	}
	redis->answering = ex;
	redis->depth = 0;
	redis->attributes = 0;
	redis->deep = 0;
	redis->top_index = 0;
	redis->need_comma = false;
	begin_line(cur->side);
}

static int step_start(struct redis_cursor *cur)
{
	struct redis *redis = cur->redis;
	size_t left = (size_t)(cur->end - cur->p);
	enum what what;
	int kind;

	if (db_must_hold(&redis->db, redis_mark(cur, cur->p), left)) {
		return WEIR_PARSE_HOLD;
	}
	if (*cur->p == '\0' || strchr("+-:$*%~>#,_(=!|", *cur->p) == NULL) {
		return lose(cur, REDIS_A_FRAMING);
	}
	what = what_is(redis, cur->p, left, &kind);
	if (what == WHAT_MORE) {
		return WEIR_PARSE_NEED;
	}
	begin_value(cur, what, kind);
	return REDIS_GO;
}

/* Bytes of a line, its CR LF not among them. */
static void put_line(struct redis *redis, struct redis_side *side, const uint8_t *p, size_t n)
{
	size_t i = 0;

	if (n == 0) {
		return;
	}
	if (side->line_len == 0) {
		side->line[0] = (char)p[0];
		side->line_len = 1;
		i = 1;
		if (redis->need_comma && redis->depth > 0 && strchr("|;.", p[0]) == NULL) {
			show(redis, (char)p[0], ", ", 2);
		}
	}
	if (is_text_type(side->line[0]) && n > i) {
		string_bytes(redis, side->line[0], p + i, n - i);
	}
	for (; i < n; i++, side->line_len++) {
		if (side->line_len < REDIS_LINE) {
			side->line[side->line_len] = (char)p[i];
		}
	}
}

static void note_type(struct redis_exchange *ex, char type, int64_t n)
{
	static const char letters[] = " +-:$_*%~>,#(=";
	const char *at = strchr(letters, type == '!' ? '-' : type);

	if (n == -1 && strchr("$*", type) != NULL) {
		ex->type = REDIS_T_NIL;
	} else {
		ex->type = (uint8_t)(at == NULL ? REDIS_T_NONE : at - letters);
	}
	if (type == '$' || type == '=') {
		ex->size = n < 0 ? 0 : (uint64_t)n;
	} else if (strchr("*%~>", type) != NULL) {
		ex->elements = n < 0 ? 0 : (uint64_t)n;
	}
}

/* After an element. */
static int next_element(struct redis_cursor *cur)
{
	if (element_done(cur->redis)) {
		redis_reply_done(cur->redis, redis_offset(cur, cur->p), true);
	} else {
		begin_line(cur->side);
	}
	return REDIS_GO;
}

static int open_aggregate(struct redis_cursor *cur, char type, int64_t n)
{
	struct redis *redis = cur->redis;
	uint64_t left = n < 0 ? UINT64_MAX : (uint64_t)n * (type == '%' || type == '|' ? 2 : 1);

	if (n == 0) {
		if (type == '|') {
			begin_line(cur->side);
			return REDIS_GO;
		}
		if (redis->deep == 0) {
			show(redis, '*', "[]", 2);
		}
		return next_element(cur);
	}
	if (type == '|') {
		redis->comma_before = redis->need_comma;
	}
	if (redis->deep > 0 || !push_level(redis, type == '|' ? '|' : '*', left)) {
		redis_anomaly(redis, redis->answering, WEIR_S2C, REDIS_A_DEPTH,
			      redis_offset(cur, cur->p));
		if (left > REDIS_ELEMS_LIMIT * 2 || redis->deep > UINT64_MAX / 2) {
			return lose(cur, REDIS_A_LEN_INVALID);
		}
		/* the element itself, if it is one, is left when its own are */
		redis->deep +=
			left - (redis->deep > 0 && type != '|') + (redis->deep == 0 && type == '|');
	}
	begin_line(cur->side);
	return REDIS_GO;
}

static int take_string(struct redis_cursor *cur, char type, int64_t n)
{
	struct redis *redis = cur->redis;

	if (n == -1 && type == '$') {
		show(redis, type, "nil", 3);
		return next_element(cur);
	}
	if (n < 0 || (uint64_t)n > REDIS_BULK_LIMIT) {
		return lose(cur, REDIS_A_LEN_INVALID);
	}
	if (type == ';' && n == 0) {
		if (redis->depth == 0 || level_at(redis, redis->depth - 1)->kind != '$') {
			return lose(cur, REDIS_A_FRAMING);
		}
		(void)pop_level(redis);
		return next_element(cur);
	}
	cur->side->left = n > 0 ? (uint64_t)n : 2;
	cur->side->step = n > 0 ? REDIS_BULK : REDIS_BULK_END;
	return REDIS_GO;
}

/* The line that opens an aggregate: `n` elements, or with streamed as many as come. */
static int take_head(struct redis_cursor *cur, char type, bool streamed, int64_t n)
{
	if (n == -1 && type == '*') {
		show(cur->redis, '$', "nil", 3);
		return next_element(cur);
	}
	if ((n < 0 && !streamed) || n > (int64_t)REDIS_ELEMS_LIMIT) {
		return lose(cur, REDIS_A_LEN_INVALID);
	}
	return open_aggregate(cur, type, streamed ? -1 : n);
}

/* A line has ended: side->line holds its first bytes. */
static int take_line(struct redis_cursor *cur)
{
	struct redis *redis = cur->redis;
	struct redis_side *side = cur->side;
	struct redis_exchange *ex = redis->answering;
	char type = side->line_len > 0 ? side->line[0] : '\0';
	bool streamed = side->line_len == 2 && side->line[1] == '?';
	int64_t n = redis_line_number(side);

	if (redis->depth == 0 && ex != NULL && type != '|') {
		note_type(ex, type, streamed ? 0 : n);
	}
	if (redis->depth > 0 && level_at(redis, redis->depth - 1)->kind == '$' && type != ';') {
		return lose(cur, REDIS_A_FRAMING);
	}
	switch (type) {
	case ':':
		if (redis->depth == 1 && redis->top_index == 2 && n >= 0 && ex != NULL &&
		    (ex->quirk == REDIS_Q_SUBSCRIBE || ex->quirk == REDIS_Q_UNSUBSCRIBE)) {
			note_subscription(redis, ex, (uint64_t)n);
		}
		return next_element(cur);
	case '+':
	case '-':
	case ',':
	case '#':
	case '(':
		return next_element(cur);
	case '_':
		show(redis, type, "nil", 3);
		return next_element(cur);
	case '$':
	case '=':
	case '!':
	case ';':
		if (streamed && type == '$' && push_level(redis, '$', UINT64_MAX)) {
			begin_line(side);
			return REDIS_GO;
		}
		return take_string(cur, type, n);
	case '*':
	case '%':
	case '~':
	case '>':
	case '|':
		return take_head(cur, type, streamed, n);
	case '.':
		if (redis->depth > 0 && redis->deep == 0 &&
		    level_at(redis, redis->depth - 1)->left == UINT64_MAX) {
			(void)pop_level(redis);
			return next_element(cur);
		}
		break;
	default:
		break;
	}
	return lose(cur, REDIS_A_FRAMING);
}

/* The line has got longer than its limit by the bytes up to `stop`: the place of the byte that was too much, however the bytes came. */
static const uint8_t *too_much(const struct redis_cursor *cur, const uint8_t *stop, size_t limit)
{
	size_t n = (size_t)(stop - cur->p) - cur->side->cr;
	size_t over = cur->side->line_len - limit;
	const uint8_t *at = cur->p + (over < n ? n - over : 0);

	/* a CR counts when the byte behind it is no LF */
	return n > 0 && *at == '\r' ? at + 1 : at;
}

static int step_line(struct redis_cursor *cur)
{
	struct redis_side *side = cur->side;
	const uint8_t *lf = memchr(cur->p, '\n', (size_t)(cur->end - cur->p));
	const uint8_t *stop = lf == NULL ? cur->end : lf;
	size_t limit;

	if (stop > cur->p && side->cr) {
		put_line(cur->redis, side, (const uint8_t *)"\r", 1);
		side->cr = false;
	}
	if (stop > cur->p) {
		side->cr = stop[-1] == '\r';
		put_line(cur->redis, side, cur->p, (size_t)(stop - cur->p) - side->cr);
	}
	limit = side->line_len > 0 && is_text_type(side->line[0]) ? REDIS_LINE_LIMIT : REDIS_LINE;
	if (side->line_len > limit) {
		const uint8_t *at = too_much(cur, stop, limit);

		if (at > cur->p) {
			cur->p = at - 1;
			touch(cur);
			cur->p++;
		}
		return lose(cur, limit == REDIS_LINE ? REDIS_A_LEN_INVALID : REDIS_A_LINE_TOO_LONG);
	}
	cur->p = lf == NULL ? cur->end - 1 : lf;
	touch(cur);
	cur->p++;
	if (lf == NULL) {
		return REDIS_GO;
	}
	return side->cr ? take_line(cur) : lose(cur, REDIS_A_FRAMING);
}

static int step_bulk(struct redis_cursor *cur)
{
	struct redis_side *side = cur->side;
	size_t n = (size_t)(cur->end - cur->p);

	n = n < side->left ? n : (size_t)side->left;
	string_bytes(cur->redis, side->line[0], cur->p, n);
	cur->p += n - 1;
	touch(cur);
	cur->p++;
	side->left -= n;
	if (side->left == 0) {
		side->step = REDIS_BULK_END;
		side->left = 2;
	}
	return REDIS_GO;
}

static int step_bulk_end(struct redis_cursor *cur)
{
	struct redis_side *side = cur->side;

	if (*cur->p != (side->left == 2 ? '\r' : '\n')) {
		return lose(cur, REDIS_A_FRAMING);
	}
	touch(cur);
	cur->p++;
	if (--side->left > 0) {
		return REDIS_GO;
	}
	if (side->line[0] == ';') {
		begin_line(side); /* the next piece of a streamed string */
		return REDIS_GO;
	}
	return next_element(cur);
}

/* ---- after a loss ---- */

/* Within one segment [p, stop): is there a value that begins for sure? */
static int search(struct redis_cursor *cur, const uint8_t *stop)
{
	struct redis *redis = cur->redis;
	uint64_t from = redis_offset(cur, cur->p);
	uint64_t to = redis_offset(cur, stop);
	uint64_t at = redis_next_proof(redis, from, to);
	bool at_segment = redis_mark(cur, cur->p)->offset == from;
	bool sure;
	int like = -1;
	int kind;

	if (at != DB_NOWHERE) {
		cur->p += at - from;
		like = redis_like_value(cur->p, (size_t)(cur->end - cur->p), &sure);
	} else if (at_segment && from == 0 && redis_oldest(redis) != NULL &&
		   redis_oldest(redis)->expect == WEIR_NO_ACK) {
		/* the capture began with a command: this answers it */
		like = redis_like_value(cur->p, (size_t)(cur->end - cur->p), &sure);
	} else if (at_segment && !redis->db.any[WEIR_C2S]) {
		/* the server speaks first, or alone */
		like = redis_like_value(cur->p, (size_t)(cur->end - cur->p), &sure);
	} else if (at_segment && (redis->monitor || redis->subscriptions > 0)) {
		enum what what = what_is(redis, cur->p, (size_t)(cur->end - cur->p), &kind);

		like = what == WHAT_MORE ? 0 : what == WHAT_PUSH ? 1 : -1;
	}
	if (like > 0) {
		cur->side->step = REDIS_START;
		return REDIS_GO;
	}
	if (like == 0) {
		return WEIR_PARSE_NEED;
	}
	cur->p = at != DB_NOWHERE ? cur->p + 1 : stop;
	return REDIS_GO;
}

static int step_lost(struct redis_cursor *cur)
{
	const struct weir_chunk *chunk = cur->chunk;
	size_t i;

	for (i = 0; i < chunk->nmarks && cur->side->step == REDIS_LOST && cur->p < cur->end; i++) {
		uint64_t next = i + 1 < chunk->nmarks ? chunk->marks[i + 1].offset
						      : chunk->offset + chunk->len;
		int verdict = REDIS_GO;

		if (next > chunk->offset + chunk->len) {
			next = chunk->offset + chunk->len;
		}
		while (redis_offset(cur, cur->p) < next && verdict == REDIS_GO &&
		       cur->side->step == REDIS_LOST) {
			if (db_must_hold(&cur->redis->db, redis_mark(cur, cur->p),
					 (size_t)(cur->end - cur->p))) {
				return WEIR_PARSE_HOLD;
			}
			verdict = search(cur, chunk->data + (next - chunk->offset));
		}
		if (verdict != REDIS_GO) {
			return verdict;
		}
	}
	return REDIS_GO;
}

int redis_reply_step(struct redis_cursor *cur)
{
	static redis_step_fn *const steps[REDIS_STREAM] = {
		[REDIS_START] = step_start, [REDIS_LINE_IN] = step_line,
		[REDIS_BULK] = step_bulk,   [REDIS_BULK_END] = step_bulk_end,
		[REDIS_LOST] = step_lost,
	};

	return redis_step(cur, steps);
}
