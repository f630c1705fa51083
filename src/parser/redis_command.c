/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of Redis clients: an array of strings (`*2\r\n$3\r\nGET\r\n$1\r\nk\r\n`), or a line of words ("inline", as over telnet).
 *
 * An argument is looked at as it goes by: its text goes into the record up to a limit, its first bytes (`word`) say what the ones
 * behind it mean. Passwords (AUTH, HELLO, ACL SETUSER, CONFIG SET, MIGRATE, SENTINEL SET) never get into the record unless
 * --redact=off asks for it. A hole within an argument is counted; a hole anywhere else ends the command, and the next one is
 * looked for where a segment begins with what can only be a command.
 */
#include "parser/redis.h"

#include <stdio.h>
#include <string.h>

#define NOWHERE UINT64_MAX

static const struct {
	const char *name;
	enum redis_quirk quirk;
} quirks[] = {
	{"ACL", REDIS_Q_ACL},
	{"AUTH", REDIS_Q_AUTH},
	{"BGREWRITEAOF", REDIS_Q_NO_KEY},
	{"BGSAVE", REDIS_Q_NO_KEY},
	{"BITOP", REDIS_Q_KEY_2},
	{"CLIENT", REDIS_Q_CLIENT},
	{"CLUSTER", REDIS_Q_NO_KEY},
	{"COMMAND", REDIS_Q_NO_KEY},
	{"CONFIG", REDIS_Q_CONFIG},
	{"DBSIZE", REDIS_Q_NO_KEY},
	{"DEBUG", REDIS_Q_KEY_2},
	{"DISCARD", REDIS_Q_NO_KEY},
	{"ECHO", REDIS_Q_NO_KEY},
	{"EVAL", REDIS_Q_NUMKEYS},
	{"EVALSHA", REDIS_Q_NUMKEYS},
	{"EVALSHA_RO", REDIS_Q_NUMKEYS},
	{"EVAL_RO", REDIS_Q_NUMKEYS},
	{"EXEC", REDIS_Q_NO_KEY},
	{"FAILOVER", REDIS_Q_NO_KEY},
	{"FCALL", REDIS_Q_NUMKEYS},
	{"FCALL_RO", REDIS_Q_NUMKEYS},
	{"FLUSHALL", REDIS_Q_NO_KEY},
	{"FLUSHDB", REDIS_Q_NO_KEY},
	{"FUNCTION", REDIS_Q_NO_KEY},
	{"HELLO", REDIS_Q_HELLO},
	{"INFO", REDIS_Q_NO_KEY},
	{"KEYS", REDIS_Q_NO_KEY},
	{"LASTSAVE", REDIS_Q_NO_KEY},
	{"LATENCY", REDIS_Q_NO_KEY},
	{"LOLWUT", REDIS_Q_NO_KEY},
	{"MEMORY", REDIS_Q_KEY_2},
	{"MIGRATE", REDIS_Q_MIGRATE},
	{"MODULE", REDIS_Q_NO_KEY},
	{"MONITOR", REDIS_Q_MONITOR},
	{"MULTI", REDIS_Q_NO_KEY},
	{"OBJECT", REDIS_Q_KEY_2},
	{"PING", REDIS_Q_NO_KEY},
	{"PSUBSCRIBE", REDIS_Q_SUBSCRIBE},
	{"PSYNC", REDIS_Q_SYNC},
	{"PUBSUB", REDIS_Q_NO_KEY},
	{"PUNSUBSCRIBE", REDIS_Q_UNSUBSCRIBE},
	{"QUIT", REDIS_Q_NO_KEY},
	{"RANDOMKEY", REDIS_Q_NO_KEY},
	{"READONLY", REDIS_Q_NO_KEY},
	{"READWRITE", REDIS_Q_NO_KEY},
	{"REPLCONF", REDIS_Q_NO_KEY},
	{"REPLICAOF", REDIS_Q_NO_KEY},
	{"RESET", REDIS_Q_RESET},
	{"ROLE", REDIS_Q_NO_KEY},
	{"SAVE", REDIS_Q_NO_KEY},
	{"SCAN", REDIS_Q_NO_KEY},
	{"SCRIPT", REDIS_Q_NO_KEY},
	{"SELECT", REDIS_Q_SELECT},
	{"SENTINEL", REDIS_Q_SENTINEL},
	{"SHUTDOWN", REDIS_Q_NO_KEY},
	{"SLAVEOF", REDIS_Q_NO_KEY},
	{"SLOWLOG", REDIS_Q_NO_KEY},
	{"SSUBSCRIBE", REDIS_Q_SUBSCRIBE},
	{"SUBSCRIBE", REDIS_Q_SUBSCRIBE},
	{"SUNSUBSCRIBE", REDIS_Q_UNSUBSCRIBE},
	{"SWAPDB", REDIS_Q_NO_KEY},
	{"SYNC", REDIS_Q_SYNC},
	{"TIME", REDIS_Q_NO_KEY},
	{"UNSUBSCRIBE", REDIS_Q_UNSUBSCRIBE},
	{"UNWATCH", REDIS_Q_NO_KEY},
	{"WAIT", REDIS_Q_NO_KEY},
	{"XGROUP", REDIS_Q_KEY_2},
	{"XINFO", REDIS_Q_KEY_2},
	{"XREAD", REDIS_Q_STREAMS},
	{"XREADGROUP", REDIS_Q_STREAMS},
};

static enum redis_quirk quirk_of(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(quirks) / sizeof(quirks[0]); i++) {
		if (strcmp(quirks[i].name, name) == 0) {
			return quirks[i].quirk;
		}
	}
	return REDIS_Q_NONE;
}

/* The argument that is the key; 0: there is none, or it is not known yet. */
static uint16_t key_of(enum redis_quirk quirk)
{
	switch (quirk) {
	case REDIS_Q_NONE:
	case REDIS_Q_SUBSCRIBE:
	case REDIS_Q_UNSUBSCRIBE:
		return 1;
	case REDIS_Q_KEY_2:
		return 2;
	case REDIS_Q_MIGRATE:
		return 3;
	default:
		return 0;
	}
}

/* ---- arguments ---- */

static bool word_is(const struct redis *redis, const char *word)
{
	return redis->word_len == strlen(word) && memcmp(redis->word, word, redis->word_len) == 0;
}

/* Is the argument that begins a secret, as far as the ones before it say? */
static bool is_secret(const struct redis *redis, const struct redis_exchange *ex)
{
	uint64_t at = redis->arg_at;

	if (redis->db.config->redact == WEIR_REDACT_OFF || at == 0) {
		return false;
	}
	if (ex->name_gap || at == redis->secret_at) {
		return true;
	}
	/* AUTH password, or AUTH user password */
	return ex->quirk == REDIS_Q_AUTH && !(ex->has_argc && ex->argc == 3 && at == 1);
}

/* With --redact=strict only names and keys are told. */
static bool is_literal(const struct redis *redis, const struct redis_exchange *ex)
{
	return redis->db.config->redact == WEIR_REDACT_STRICT && redis->arg_at > 0 &&
	       redis->arg_at != ex->key_at;
}

static void argument_begin(struct redis *redis, struct redis_exchange *ex)
{
	redis->word_len = 0;
	redis->arg_len = 0;
	redis->arg_secret = is_secret(redis, ex);
	if (ex->quirk == REDIS_Q_AUTH && ex->has_argc && ex->argc == 3) {
		redis->user_at = 1;
	}
	if (redis->arg_at == redis->user_at) {
		redis->user_len = 0;
	}
	if (redis->arg_at > 0) {
		redis_text_add(ex, &ex->query, " ", 1, REDIS_QUERY_LIMIT);
	}
}

static void argument_bytes(struct redis *redis, struct redis_exchange *ex, const uint8_t *p,
			   size_t n)
{
	size_t i;

	/* ACL SETUSER name >password <password #hash !hash */
	if (redis->arg_len == 0 && ex->quirk == REDIS_Q_ACL && redis->arg_at >= 3 &&
	    strchr("><#!", p[0]) != NULL && redis->db.config->redact != WEIR_REDACT_OFF) {
		redis->arg_secret = true;
	}
	redis->arg_len += n;
	for (i = 0; i < n && redis->word_len < REDIS_WORD; i++) {
		uint8_t c = p[i];

		redis->word[redis->word_len++] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
	}
	for (i = 0; i < n && redis->arg_at == redis->user_at && redis->user_len < DB_NAME_MAX;
	     i++) {
		redis->user[redis->user_len++] = (char)p[i];
	}
	if (redis->arg_secret) {
		return;
	}
	if (redis->arg_at > 0 && redis->arg_at == ex->key_at) {
		redis_text_add(ex, &ex->key, p, n, REDIS_KEY_LIMIT);
	}
	if (!is_literal(redis, ex)) {
		redis_text_add(ex, &ex->query, p, n, REDIS_QUERY_LIMIT);
	}
}

/* What the argument that has ended says of those to come. */
static void heed(struct redis *redis, struct redis_exchange *ex)
{
	uint64_t at = redis->arg_at;

	switch ((enum redis_quirk)ex->quirk) {
	case REDIS_Q_HELLO:
		if (word_is(redis, "AUTH")) {
			redis->user_at = at + 1;
			redis->secret_at = at + 2;
		}
		break;
	case REDIS_Q_MIGRATE:
		if (at > 5 && word_is(redis, "AUTH")) {
			redis->secret_at = at + 1;
		} else if (at > 5 && word_is(redis, "AUTH2")) {
			redis->secret_at = at + 2;
		}
		break;
	case REDIS_Q_CONFIG:
		if (word_is(redis, "REQUIREPASS") || word_is(redis, "MASTERAUTH") ||
		    word_is(redis, "TLS-KEY-FILE-PASS") ||
		    word_is(redis, "TLS-CLIENT-KEY-FILE-PASS")) {
			redis->secret_at = at + 1;
		}
		break;
	case REDIS_Q_SENTINEL:
		if (word_is(redis, "AUTH-PASS") || word_is(redis, "SENTINEL-PASS")) {
			redis->secret_at = at + 1;
		}
		break;
	case REDIS_Q_STREAMS:
		if (ex->key_at == 0 && word_is(redis, "STREAMS") && at < 64) {
			ex->key_at = (uint16_t)(at + 1);
		}
		break;
	case REDIS_Q_NUMKEYS:
		if (at == 2 && !word_is(redis, "0")) {
			ex->key_at = 3;
		}
		break;
	default:
		break;
	}
}

static void copy_word(const struct redis *redis, char *to)
{
	size_t n = redis->word_len < REDIS_WORD - 1 ? redis->word_len : REDIS_WORD - 1;

	memcpy(to, redis->word, n);
	to[n] = '\0';
}

static void argument_end(struct redis *redis, struct redis_exchange *ex)
{
	char mask[48];
	int n;

	if (redis->arg_secret) {
		n = snprintf(mask, sizeof(mask), "[redacted %llu]",
			     (unsigned long long)redis->arg_len);
		redis_text_add(ex, &ex->query, mask, (size_t)n, REDIS_QUERY_LIMIT);
	} else if (is_literal(redis, ex)) {
		redis_text_add(ex, &ex->query, "?", 1, REDIS_QUERY_LIMIT);
	}
	if (redis->arg_at == 0) {
		copy_word(redis, ex->name);
		ex->name_known = !ex->name_gap;
		ex->quirk = (uint8_t)(ex->name_known ? quirk_of(ex->name) : REDIS_Q_NONE);
		ex->key_at = ex->name_known ? key_of((enum redis_quirk)ex->quirk) : 0;
	} else if (redis->arg_at == 1 && !redis->arg_secret) {
		copy_word(redis, ex->sub);
	}
	if (redis->arg_at > 0) {
		heed(redis, ex);
	}
	redis->arg_at++;
}

void redis_argument_gap(struct redis *redis, uint64_t length)
{
	struct redis_exchange *ex = redis->reading;

	redis->arg_len += length;
	redis->word_len = 0;
	redis->word[0] = '\0';
	if (redis->arg_at == 0) {
		ex->name_gap = true;
	}
	ex->query.full += length;
	ex->query.cut = true;
	if (redis->arg_at > 0 && redis->arg_at == ex->key_at) {
		ex->key.full += length;
		ex->key.cut = true;
	}
}

/* ---- the end of a command ---- */

/* CLIENT REPLY ON|OFF|SKIP takes hold with the command itself. */
static void take_reply_mode(struct redis *redis, struct redis_exchange *ex)
{
	if (strcmp(ex->sub, "REPLY") != 0) {
		return;
	}
	if (word_is(redis, "ON")) {
		redis->reply_off = false;
		redis->skip_next = false;
	} else if (word_is(redis, "OFF")) {
		redis->reply_off = true;
	} else if (word_is(redis, "SKIP") && !redis->reply_off) {
		redis->skip_next = true;
		ex->db.no_reply = true;
	}
}

static uint64_t replies_wanted(const struct redis *redis, const struct redis_exchange *ex)
{
	uint64_t named = redis->arg_at > 1 ? redis->arg_at - 1 : 0;
	unsigned kind = ex->name[0] == 'P' ? 1 : ex->name[0] == 'S' ? 2 : 0;

	if (ex->quirk == REDIS_Q_SUBSCRIBE) {
		return named > 0 ? named : 1;
	}
	if (ex->quirk != REDIS_Q_UNSUBSCRIBE || named > 0) {
		return named > 0 && ex->quirk == REDIS_Q_UNSUBSCRIBE ? named : 1;
	}
	return redis->subscribed[kind] > 0 ? redis->subscribed[kind] : 1;
}

static void take_effect(struct redis *redis, struct redis_exchange *ex)
{
	bool skipped = redis->skip_next;

	redis->skip_next = false;
	ex->db.no_reply = redis->syncing ||
			  (strcmp(ex->name, "REPLCONF") == 0 && strcmp(ex->sub, "ACK") == 0);
	if (ex->quirk == REDIS_Q_CLIENT) {
		take_reply_mode(redis, ex);
	} else if (ex->quirk == REDIS_Q_SYNC) {
		redis->syncing = true;
	} else if (ex->quirk == REDIS_Q_RESET) {
		redis->reply_off = false;
	}
	ex->db.no_reply = ex->db.no_reply || redis->reply_off || skipped;
	ex->wanted = replies_wanted(redis, ex);
}

void redis_command_done(struct redis *redis, uint64_t end, bool whole)
{
	struct redis_exchange *ex = redis->reading;

	ex->db.side[WEIR_C2S].done = whole;
	ex->db.side[WEIR_C2S].end = end;
	redis->reading = NULL;
	ex->wanted = 1;
	if (whole) {
		take_effect(redis, ex);
	}
	if (!ex->has_argc && whole) {
		ex->argc = redis->arg_at;
		ex->has_argc = true;
	}
	if (ex->db.no_reply) {
		redis_finish(redis, ex);
	} else {
		redis_enqueue(redis, ex);
	}
}

/* ---- steps ---- */

/* Out of step from p on. */
static int lose(struct redis_cursor *cur, enum redis_anomaly why)
{
	struct redis *redis = cur->redis;

	redis_anomaly(redis, redis->reading, WEIR_C2S, why, redis_offset(cur, cur->p));
	if (redis->reading != NULL) {
		redis_command_done(redis, redis_offset(cur, cur->p), false);
	}
	db_gap(&redis->db, WEIR_C2S, redis_offset(cur, cur->p), 0);
	cur->side->step = REDIS_LOST;
	return REDIS_GO;
}

/* The byte at cur->p is the command's. */
static void touch(struct redis_cursor *cur)
{
	db_touch(&cur->redis->db, &cur->redis->reading->db, WEIR_C2S, redis_offset(cur, cur->p) + 1,
		 redis_mark(cur, cur->p));
}

static void begin_line(struct redis_side *side)
{
	side->step = REDIS_LINE_IN;
	side->line_len = 0;
}

static int step_start(struct redis_cursor *cur)
{
	struct redis *redis = cur->redis;
	struct redis_exchange *ex;
	uint8_t c = *cur->p;

	if (c == '\r' || c == '\n') {
		cur->p++; /* an empty line is no command */
		return REDIS_GO;
	}
	if (c != '*' && (c < ' ' || c > '~')) {
		return lose(cur, REDIS_A_FRAMING);
	}
	ex = redis_exchange_new(redis, WEIR_C2S, redis_offset(cur, cur->p),
				redis_mark(cur, cur->p));
	if (ex == NULL) {
		db_gap(&redis->db, WEIR_C2S, redis_offset(cur, cur->p), 0);
		cur->side->step = REDIS_LOST;
		return REDIS_GO;
	}
	ex->is_inline = c != '*';
	redis->reading = ex;
	redis->arg_at = 0;
	redis->secret_at = NOWHERE;
	redis->user_at = NOWHERE;
	redis->word_len = 0;
	redis->in_word = false;
	redis->quote = 0;
	begin_line(cur->side);
	return REDIS_GO;
}

/* A number of 1 to 19 digits behind the type; -1: `-1`; -2: none */
int64_t redis_line_number(const struct redis_side *side)
{
	int64_t value = 0;
	size_t i;

	if (side->line_len == 3 && side->line[1] == '-' && side->line[2] == '1') {
		return -1;
	}
	if (side->line_len < 2 || side->line_len > 19) {
		return -2;
	}
	for (i = 1; i < side->line_len; i++) {
		if (side->line[i] < '0' || side->line[i] > '9') {
			return -2;
		}
		value = value * 10 + (side->line[i] - '0');
	}
	return value;
}

/* The line with a length has ended: of the array, or of an argument. */
static int take_length(struct redis_cursor *cur)
{
	struct redis *redis = cur->redis;
	struct redis_exchange *ex = redis->reading;
	int64_t n = redis_line_number(cur->side);

	if (!ex->has_argc) {
		if (n < -1 || n > (int64_t)REDIS_ARGS_LIMIT) {
			return lose(cur, REDIS_A_LEN_INVALID);
		}
		if (n <= 0) {
			/* as the server does: nothing was asked */
			cur->side->step = REDIS_START;
			redis->reading = NULL;
			weir_host_drop(redis->db.host, ex->db.rec);
			return REDIS_GO;
		}
		ex->has_argc = true;
		ex->argc = (uint64_t)n;
		redis->args_left = ex->argc;
		begin_line(cur->side);
		return REDIS_GO;
	}
	if (cur->side->line[0] != '$') {
		return lose(cur, REDIS_A_FRAMING);
	}
	if (n < 0 || (uint64_t)n > REDIS_BULK_LIMIT) {
		return lose(cur, REDIS_A_LEN_INVALID);
	}
	argument_begin(redis, ex);
	cur->side->step = n > 0 ? REDIS_BULK : REDIS_BULK_END;
	cur->side->left = n > 0 ? (uint64_t)n : 2;
	return REDIS_GO;
}

/* One byte of an inline command. sdssplitargs() of the server: words, also in quotes */
static void inline_byte(struct redis *redis, struct redis_exchange *ex, const uint8_t *p)
{
	bool space = *p == ' ' || *p == '\t' || *p == '\r';

	if (redis->quote == 0 && space) {
		if (redis->in_word) {
			argument_end(redis, ex);
			redis->in_word = false;
		}
		return;
	}
	if (!redis->in_word) {
		redis->in_word = true;
		argument_begin(redis, ex);
	}
	if (redis->quote != 0 && *p == (uint8_t)redis->quote) {
		redis->quote = 0;
	} else if (redis->quote == 0 && (*p == '"' || *p == '\'')) {
		redis->quote = (char)*p;
	} else {
		argument_bytes(redis, ex, p, 1);
	}
}

static int end_inline(struct redis_cursor *cur)
{
	struct redis *redis = cur->redis;
	struct redis_exchange *ex = redis->reading;

	if (redis->in_word) {
		argument_end(redis, ex);
		redis->in_word = false;
	}
	redis->inlines = true;
	cur->side->step = REDIS_START;
	redis_command_done(redis, redis_offset(cur, cur->p), true);
	return REDIS_GO;
}

static int step_line(struct redis_cursor *cur)
{
	struct redis_side *side = cur->side;
	struct redis_exchange *ex = cur->redis->reading;
	size_t limit = ex->is_inline ? REDIS_INLINE_LIMIT : REDIS_LINE;

	while (cur->p < cur->end) {
		uint8_t c = *cur->p;

		touch(cur);
		if (c == '\n') {
			cur->p++;
			if (ex->is_inline) {
				return end_inline(cur);
			}
			if (side->line_len == 0 || side->line[side->line_len - 1] != '\r') {
				return lose(cur, REDIS_A_FRAMING);
			}
			side->line_len--;
			return take_length(cur);
		}
		if (side->line_len == limit) {
			return lose(cur,
				    ex->is_inline ? REDIS_A_LINE_TOO_LONG : REDIS_A_LEN_INVALID);
		}
		if (ex->is_inline) {
			inline_byte(cur->redis, ex, cur->p);
		} else {
			side->line[side->line_len] = (char)c;
		}
		side->line_len++;
		cur->p++;
	}
	return REDIS_GO;
}

static int step_bulk(struct redis_cursor *cur)
{
	struct redis_side *side = cur->side;
	size_t n = (size_t)(cur->end - cur->p);

	n = n < side->left ? n : (size_t)side->left;
	argument_bytes(cur->redis, cur->redis->reading, cur->p, n);
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
	struct redis *redis = cur->redis;
	struct redis_side *side = cur->side;

	if (*cur->p != (side->left == 2 ? '\r' : '\n')) {
		return lose(cur, REDIS_A_FRAMING);
	}
	touch(cur);
	cur->p++;
	side->left--;
	if (side->left > 0) {
		return REDIS_GO;
	}
	argument_end(redis, redis->reading);
	redis->args_left--;
	if (redis->args_left > 0) {
		begin_line(side);
		return REDIS_GO;
	}
	side->step = REDIS_START;
	redis_command_done(redis, redis_offset(cur, cur->p), true);
	return REDIS_GO;
}

/* ---- after a loss ---- */

/* `X<digits>\r\n`: bytes of it; 0: too short to tell; -1: it is none. *ret: the number */
static int like_line(const uint8_t *p, size_t len, char type, size_t digits, uint64_t *ret)
{
	size_t i;

	*ret = 0;
	if (len > 0 && p[0] != (uint8_t)type) {
		return -1;
	}
	for (i = 1; i < len && p[i] >= '0' && p[i] <= '9'; i++) {
		*ret = *ret * 10 + (uint64_t)(p[i] - '0');
		if (i > digits) {
			return -1;
		}
	}
	if (i >= len) {
		return 0;
	}
	if (i == 1 || p[i] != '\r' || (i > 2 && p[1] == '0')) {
		return -1;
	}
	if (i + 1 >= len) {
		return 0;
	}
	return p[i + 1] == '\n' ? (int)i + 2 : -1;
}

static bool is_name_byte(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '.' || c == '_' || c == '-';
}

int redis_like_command(const uint8_t *p, size_t len)
{
	uint64_t n;
	size_t i;
	int used = like_line(p, len, '*', 7, &n);
	int more;

	if (used <= 0 || n == 0 || n > REDIS_ARGS_LIMIT) {
		return used <= 0 ? used : -1;
	}
	more = like_line(p + used, len - (size_t)used, '$', 2, &n);
	if (more <= 0 || n == 0 || n > 40) {
		return more <= 0 ? more : -1;
	}
	p += used + more;
	len -= (size_t)(used + more);
	for (i = 0; i < n; i++) {
		if (i >= len) {
			return 0;
		}
		if (!is_name_byte(p[i])) {
			return -1;
		}
	}
	if (len < n + 2) {
		return len == n || p[n] == '\r' ? 0 : -1;
	}
	return p[n] == '\r' && p[n + 1] == '\n' ? 1 : -1;
}

/* Names that are looked for where there is no array around them: those of people at a terminal, and of checks of health. */
int redis_like_inline(const uint8_t *p, size_t len)
{
	static const char *const names[] = {
		"PING",   "INFO",   "QUIT",   "AUTH",    "SET",     "GET",       "INCR",
		"DEL",    "KEYS",   "SELECT", "COMMAND", "MONITOR", "SUBSCRIBE", "EXISTS",
		"CONFIG", "CLIENT", "DBSIZE", "LRANGE",  "LPUSH",   "HGETALL",   "SYNC"};
	bool maybe = false;
	size_t i, n;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		size_t have = strlen(names[i]);

		for (n = 0; n < have && n < len && (p[n] & 0xdf) == names[i][n]; n++) {
		}
		if (n == len && n <= have) {
			maybe = true;
		} else if (n == have && (p[n] == ' ' || p[n] == '\r' || p[n] == '\n')) {
			return 1;
		}
	}
	return maybe ? 0 : -1;
}

/* A command is believed where a segment begins with one. */
static int step_lost(struct redis_cursor *cur)
{
	const struct weir_chunk *chunk = cur->chunk;
	uint64_t from = redis_offset(cur, cur->p);
	size_t i;

	for (i = 0; i < chunk->nmarks; i++) {
		uint64_t at = chunk->marks[i].offset;
		const uint8_t *p;
		int like;

		if (at < from || at >= chunk->offset + chunk->len) {
			continue;
		}
		p = chunk->data + (at - chunk->offset);
		like = redis_like_command(p, (size_t)(cur->end - p));
		if (like < 0 && cur->redis->inlines) {
			like = redis_like_inline(p, (size_t)(cur->end - p));
		}
		if (like >= 0) {
			cur->p = p;
			cur->side->step = like > 0 ? REDIS_START : REDIS_LOST;
			return like > 0 ? REDIS_GO : WEIR_PARSE_NEED;
		}
	}
	cur->p = cur->end;
	return REDIS_GO;
}

int redis_command_step(struct redis_cursor *cur)
{
	static redis_step_fn *const steps[REDIS_STREAM] = {
		[REDIS_START] = step_start, [REDIS_LINE_IN] = step_line,
		[REDIS_BULK] = step_bulk,   [REDIS_BULK_END] = step_bulk_end,
		[REDIS_LOST] = step_lost,
	};

	return redis_step(cur, steps);
}
