/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redis, private to parser/redis*.c:
 *
 *   redis.c           the parser: chunks, gaps and ends of both directions; detection
 *   redis_command.c   commands: RESP arrays and inline lines, their arguments, keys and secrets
 *   redis_reply.c     values of the server: what a value is (reply, push, confirmation), where it ends, what it says
 *   redis_exchange.c  a command and its reply, from the first byte to the record; which command a reply answers
 *   redis_park.c      all of it in few bytes while the connection is idle
 *
 * An exchange lives in the arena of its record. Nothing is carried over between chunks but the numbers below and, of the server's
 * direction, the few bytes that tell a push from a reply (the engine keeps those): text goes into the record as it comes.
 */
#ifndef PARSER_REDIS_H
#define PARSER_REDIS_H

#include "db/db.h"
#include "db/look.h"
#include "weir/parser.h"

enum {
	REDIS_LINE = 32,   /* bytes of a length line, or of an inline keyword, that are looked at */
	REDIS_WORD = 32,   /* bytes of a command's name and of a keyword kept */
	REDIS_DEPTH = 128, /* levels of nesting that are told apart; deeper ones are only counted */
	REDIS_LEVELS = 6,  /* of these without memory of their own */
	REDIS_KEY_LIMIT = 1024,         /* bytes of a key kept */
	REDIS_QUERY_LIMIT = 4096,       /* bytes of a command's text kept */
	REDIS_REPLY_LIMIT = 1024,       /* bytes of a reply's text kept */
	REDIS_INLINE_LIMIT = 64 * 1024, /* as the server's PROTO_INLINE_MAX_SIZE */
	REDIS_LINE_LIMIT = 64 * 1024,   /* bytes of a simple string or an error */
	REDIS_PEEK = 64                 /* bytes of a value that tell a push from a reply */
};

#define REDIS_BULK_LIMIT  (UINT64_C(512) << 20) /* as the server's proto-max-bulk-len */
#define REDIS_ARGS_LIMIT  (UINT64_C(1) << 20)   /* as the server's limit of arguments */
#define REDIS_ELEMS_LIMIT (UINT64_C(1) << 32)

/* Where a direction is in its messages. */
enum redis_step {
	REDIS_START,    /* between messages */
	REDIS_LINE_IN,  /* in a line: of a length, a scalar or (client) an inline command; line */
	REDIS_BULK,     /* in a string of known length; left */
	REDIS_BULK_END, /* in its CR LF; left: bytes of it to come */
	REDIS_LOST,     /* out of step */
	REDIS_STREAM    /* what follows is no RESP that anybody waits for: SYNC */
};

struct redis_text {
	uint8_t *p; /* in the record's memory */
	uint32_t len;
	uint32_t size;
	uint64_t full; /* with what the limit, or a gap, cut off */
	bool cut;
};

enum redis_type {
	REDIS_T_NONE,
	REDIS_T_SIMPLE,
	REDIS_T_ERROR,
	REDIS_T_INTEGER,
	REDIS_T_BULK,
	REDIS_T_NIL,
	REDIS_T_ARRAY,
	REDIS_T_MAP,
	REDIS_T_SET,
	REDIS_T_PUSH,
	REDIS_T_DOUBLE,
	REDIS_T_BOOLEAN,
	REDIS_T_BIGNUM,
	REDIS_T_VERBATIM,
	REDIS_T_END
};

struct redis_exchange {
	struct db_exchange db; /* first */
	struct redis_text query;
	struct redis_text key;
	struct redis_text reply;
	char name[REDIS_WORD]; /* upper case, terminated */
	char sub[REDIS_WORD];  /* the first argument, the same */
	uint64_t argc;
	uint64_t size;     /* of the reply's string */
	uint64_t elements; /* of the reply's aggregate */
	uint64_t wanted;   /* replies */
	uint64_t replies;
	uint64_t
		expect; /* s2c offset that the client had reached when it sent the command; moved on by pushes */
	uint32_t seen;   /* anomalies told, bits of enum redis_anomaly */
	uint16_t key_at; /* argument; 0: none */
	uint8_t type;    /* enum redis_type of the reply */
	uint8_t quirk;   /* enum redis_quirk of its name */
	bool name_known;
	bool name_gap; /* bytes of the name are missing */
	bool has_argc;
	bool is_inline;
	bool batched;     /* sent with nothing received since the one before */
	bool in_multi;    /* the reply was +QUEUED */
	const char *push; /* its kind: the server's own accord, no command */
};

struct redis_level {
	uint64_t left; /* elements to come; UINT64_MAX: until a '.' */
	uint8_t kind;  /* '*' for all aggregates, '|' attribute, '$' streamed string */
};

struct redis_side {
	uint64_t left; /* bytes of the string */
	uint64_t line_len;
	char line[REDIS_LINE]; /* its first bytes, type included */
	uint8_t step;
	bool cr; /* the line's last byte so far is a CR, not counted yet */
};

struct redis {
	struct db db;
	struct redis_side side[2];
	struct redis_exchange *reading;   /* its command is being read */
	struct redis_exchange *answering; /* its reply is being read */
	/* the command being read */
	uint64_t args_left;
	uint64_t arg_at; /* index of the argument */
	uint64_t
		secret_at; /* index of the argument that is a secret, or of a user's name (user_at); UINT64_MAX */
	uint64_t user_at;
	char word[REDIS_WORD]; /* the argument, upper case */
	uint64_t arg_len;
	char user[DB_NAME_MAX]; /* of the last AUTH */
	uint8_t user_len;
	uint8_t word_len;
	char quote; /* inline: the quote that is open; 0 */
	bool in_word;
	bool arg_secret;
	/* the value being read */
	struct redis_level levels[REDIS_LEVELS];
	struct redis_level *more; /* REDIS_DEPTH - REDIS_LEVELS of them, allocated when needed */
	uint32_t depth;
	uint32_t attributes; /* levels of depth that are attributes */
	uint64_t deep;       /* elements to come beyond the deepest level */
	uint64_t top_index;  /* index in the outermost aggregate */
	bool need_comma;
	bool comma_before; /* an attribute */
	/* the connection */
	uint64_t subscribed[3]; /* channels, patterns, shard channels */
	uint64_t subscriptions; /* what the server said last */
	bool resp3;
	bool reply_off;
	bool skip_next;
	bool monitor;
	bool syncing;
	bool overlaps; /* a command was sent when only some of the replies before it had come */
	bool inlines;
	bool blind;           /* the first reply of all was seen */
	uint64_t last_expect; /* of the last command */
	uint64_t s2c_ack; /* how much of c2s the server had when it sent what was taken of s2c */
};

/* A chunk on its way. */
struct redis_cursor {
	struct redis *redis;
	enum weir_direction dir;
	struct redis_side *side;
	const struct weir_chunk *chunk;
	const uint8_t *p;
	const uint8_t *end;
};

static inline uint64_t redis_offset(const struct redis_cursor *cur, const uint8_t *p)
{
	return cur->chunk->offset + (uint64_t)(p - cur->chunk->data);
}

static inline const struct weir_mark *redis_mark(const struct redis_cursor *cur, const uint8_t *p)
{
	return weir_chunk_mark(cur->chunk, redis_offset(cur, p));
}

enum redis_anomaly {
	REDIS_A_GAP,
	REDIS_A_DEPTH,
	REDIS_A_LEN_INVALID,
	REDIS_A_FRAMING,
	REDIS_A_LINE_TOO_LONG,
	REDIS_A_PENDING_LIMIT,
	REDIS_A_END
};

#define REDIS_GO (-1) /* of a step: on with the next */

/* What is special about a command. */
enum redis_quirk {
	REDIS_Q_NONE,
	REDIS_Q_NO_KEY,
	REDIS_Q_SUBSCRIBE,   /* a reply for each channel; also PSUBSCRIBE, SSUBSCRIBE */
	REDIS_Q_UNSUBSCRIBE, /* the same */
	REDIS_Q_KEY_2,       /* the key is the second argument */
	REDIS_Q_STREAMS,     /* the key follows STREAMS */
	REDIS_Q_NUMKEYS,     /* SCRIPT NUMKEYS KEY */
	REDIS_Q_AUTH,
	REDIS_Q_HELLO,
	REDIS_Q_CONFIG,
	REDIS_Q_ACL,
	REDIS_Q_MIGRATE,
	REDIS_Q_SENTINEL,
	REDIS_Q_CLIENT,
	REDIS_Q_MONITOR,
	REDIS_Q_SYNC,
	REDIS_Q_SELECT,
	REDIS_Q_RESET
};

/* ---- redis.c ---- */

/* What a direction does with the bytes at the cursor, by its step (enum redis_step). REDIS_GO or a verdict */
typedef int redis_step_fn(struct redis_cursor *cur);
int redis_step(struct redis_cursor *cur, redis_step_fn *const steps[REDIS_STREAM]);

/* ---- redis_command.c ---- */

int redis_command_step(struct redis_cursor *cur);
/** The number of the line; -1: `-1`, -2: it is none. */
int64_t redis_line_number(const struct redis_side *side);
/** Is this the beginning of a command as an array of strings? 1, 0: too short to tell, -1 */
int redis_like_command(const uint8_t *p, size_t len);
/** The same of an inline command whose name is known. */
int redis_like_inline(const uint8_t *p, size_t len);
/** Bytes within the argument are missing. */
void redis_argument_gap(struct redis *redis, uint64_t length);
/** The command ends here, whole or not. */
void redis_command_done(struct redis *redis, uint64_t end, bool whole);

/* ---- redis_reply.c ---- */

int redis_reply_step(struct redis_cursor *cur);
/** Is this the beginning of a value? 1, 0, -1 as above. *ret_sure: it is no text of another protocol */
int redis_like_value(const uint8_t *p, size_t len, bool *ret_sure);
/** The value being read ends here, whole or not. */
void redis_reply_done(struct redis *redis, uint64_t end, bool whole);
void redis_reply_gap(struct redis *redis, uint64_t length);

/* ---- redis_exchange.c ---- */

extern const struct weir_schema redis_schema;

/** An exchange begun by a message of a direction. NULL: memory is spent. */
struct redis_exchange *redis_exchange_new(struct redis *redis, enum weir_direction dir,
					  uint64_t offset, const struct weir_mark *mark);
void redis_anomaly(struct redis *redis, struct redis_exchange *ex, enum weir_direction dir,
		   enum redis_anomaly what, uint64_t offset);
/** Add bytes of text, up to a limit. Its memory is the exchange's. */
void redis_text_add(struct redis_exchange *ex, struct redis_text *text, const void *p, size_t n,
		    size_t limit);
/** Say on the records of what is open what is known of it. */
void redis_show_open(struct redis *redis);
/** Fill the record in and emit it; ex is gone. */
void redis_finish(struct redis *redis, struct redis_exchange *ex);
/** The command waits for its reply from now on. */
void redis_enqueue(struct redis *redis, struct redis_exchange *ex);
/** The oldest command that waits for a reply; NULL. */
struct redis_exchange *redis_oldest(const struct redis *redis);
/** The command that a reply beginning at `offset` answers; NULL: none that is known. */
struct redis_exchange *redis_choose(struct redis *redis, uint64_t offset, uint64_t ack);
/** The first s2c offset in [from, to) at which a reply is proved to begin; DB_NOWHERE: none. */
uint64_t redis_next_proof(const struct redis *redis, uint64_t from, uint64_t to);
/** A push lay at [begin, end) of s2c. */
void redis_push_over(struct redis *redis, uint64_t begin, uint64_t end);

/* ---- redis_park.c: see weir/parser.h ---- */

size_t redis_park(void *state, struct weir_host *host, void *to, size_t room);
int redis_unpark(void *state, struct weir_host *host, const void *from, size_t len);

#endif
