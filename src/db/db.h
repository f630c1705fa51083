/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parsers of database protocols share, as http/ is what HTTP/1 and HTTP/2 share: the head of their record types, an exchange
 * (one request and its response) from its first byte to its record, which request a response answers, statements.
 *
 * A schema of such a type begins with the fields of DB_FIELDS, in that order, and goes on with the parser's own from DB_F_OWN on:
 *
 *	static const struct weir_field fields[] = {DB_FIELDS, {"redis.key", WEIR_KIND_STR, 0, "..."}};
 *
 * A parser has a struct db in its state (db_init() first) and exchanges that begin with a struct db_exchange. An exchange lives in the
 * arena of its record. Its life:
 *
 *	db_exchange_new() -> db_touch() for its bytes ... -> db_enqueue() when it waits for a response
 *	-> db_choose() by the response's first byte -> db_touch() -> db_finish(): filled in, emitted, gone
 *
 * What has no response goes from db_exchange_new() to db_finish() at once. All that is open at the end is emitted by db_end(). `pos`,
 * what was parsed of a direction, is the parser's to set (db_moved()): responses wait for it (db_must_hold()).
 *
 * Pairing. Let a request i begin at c2s offset a_i and have been sent when its client had s2c up to P_i; let a response begin at x, sent
 * when its server had c2s up to A. Then x >= P_i and A > a_i, whatever was lost. A client that waits for each answer sends
 * request i with P_i = x_i exactly: that is proof. Pipelined requests share P; then order decides, which is worth something as long as
 * nothing was lost.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "db/digest.h"
#include "weir/parser.h"

enum db_field {
	DB_F_SYSTEM = WEIR_NCOMMON,
	DB_F_COMMAND,
	DB_F_OPERATION,
	DB_F_STATUS,
	DB_F_STATUS_CODE,
	DB_F_ERROR_MESSAGE,
	DB_F_TARGET,
	DB_F_NAMESPACE,
	DB_F_USER,
	DB_F_QUERY_TEXT,
	DB_F_QUERY_SIZE,
	DB_F_QUERY_DIGEST,
	DB_F_QUERY_REPEATED,
	DB_F_QUERY_PARAMETERS,
	DB_F_ROWS,
	DB_F_AFFECTED,
	DB_F_REQUEST_SIZE,
	DB_F_RESPONSE_SIZE,
	DB_F_RESPONSE_COLUMNS,
	DB_F_RESPONSE_ROWS,
	DB_F_SERVER_VERSION,
	DB_F_OWN /* the first of the parser's own */
};

#define DB_FIELDS                                                                                  \
	{"db.system.name", WEIR_KIND_STR, 0, "mysql, mariadb, redis or postgresql"},               \
		{"db.command", WEIR_KIND_STR, 0, "what the protocol calls the request"},           \
		{"db.operation.name", WEIR_KIND_STR, 0,                                            \
		 "verb of the statement, else the command"},                                       \
		{"db.response.status", WEIR_KIND_STR, 0,                                           \
		 "ok or error; absent when no response told"},                                     \
		{"db.response.status_code", WEIR_KIND_STR, 0,                                      \
		 "errno, SQLSTATE or the error's first word"},                                     \
		{"error.message", WEIR_KIND_STR, WEIR_FIELD_STATEMENT,                             \
		 "what the server says about the error, cut at 1 KiB"},                            \
		{"db.collection.name", WEIR_KIND_STR, 0,                                           \
		 "the first table that the statement names"},                                      \
		{"db.namespace", WEIR_KIND_STR, 0, "database"},                                    \
		{"db.user", WEIR_KIND_STR, 0, "who logged in"},                                    \
		{"db.query.text", WEIR_KIND_STR, WEIR_FIELD_STATEMENT,                             \
		 "the statement, cut at the target limit"},                                        \
		{"db.query.size", WEIR_KIND_U64, 0, "bytes of the statement, all of it"},          \
		{"db.query.digest", WEIR_KIND_STR, 0,                                              \
		 "the statement without its literals, cut at 1 KiB"},                              \
		{"db.query.repeated", WEIR_KIND_U64, 0,                                            \
		 "how often this flow has sent a statement of this digest before"},                \
		{"db.query.parameters", WEIR_KIND_STRS, WEIR_FIELD_STATEMENT,                      \
		 "values of the placeholders, the first 64 of them"},                              \
		{"db.response.returned_rows", WEIR_KIND_U64, 0, "rows in the response"},           \
		{"db.response.affected_rows", WEIR_KIND_U64, 0,                                    \
		 "rows inserted, updated or deleted"},                                             \
		{"db.request.size", WEIR_KIND_U64, 0, "bytes of the request on the wire"},         \
		{"db.response.size", WEIR_KIND_U64, 0, "bytes of the response on the wire"},       \
		{"db.response.columns", WEIR_KIND_STRS, WEIR_FIELD_STATEMENT | WEIR_FIELD_RARE,    \
		 "with --bodies=keep: the first result's columns, 64 of them"},                    \
		{"db.response.rows", WEIR_KIND_STRS, WEIR_FIELD_STATEMENT | WEIR_FIELD_RARE,       \
		 "with --bodies=keep: its first 32 rows as lines of CSV, each cut at 1 KiB"},      \
	{                                                                                          \
		"db.server.version", WEIR_KIND_STR, 0, "what the server calls itself"              \
	}

enum {
	DB_NAME_MAX = 128,        /* bytes of a user, a database, a version */
	DB_MESSAGE_MAX = 1024,    /* of an error's message */
	DB_PARAMETER_MAX = 256,   /* of a parameter */
	DB_PARAMETERS_MAX = 64,   /* parameters */
	DB_REPEATS = 64,          /* digests of a flow that are remembered */
	DB_HOLD_LIMIT = 64 * 1024 /* bytes of responses that wait for their requests */
};

enum db_status { DB_STATUS_NONE, DB_STATUS_OK, DB_STATUS_ERROR };
enum db_pairing { DB_PAIRING_NONE, DB_PAIRING_EXACT, DB_PAIRING_ORDER, DB_PAIRING_UNCERTAIN };

/* One direction of an exchange. */
struct db_message {
	uint64_t begin; /* stream offsets */
	uint64_t end;   /* behind its last byte so far */
	uint64_t first_ack;
	uint64_t first_packet;
	uint64_t last_packet;
	int64_t first_ns;
	int64_t last_ns;
	int64_t first_stall_ns;
	int64_t last_stall_ns;
	uint64_t missing; /* bytes */
	bool begun;
	bool done; /* its end was seen */
};

struct db_exchange {
	struct weir_record *rec;
	struct db_exchange *next; /* in the queue */
	struct db_message side[2];
	struct weir_tcp_figures figures; /* at its beginning */
	int64_t waited_stall_ns;         /* s2c stall total when the response before it had ended */
	uint64_t
		gap_at; /* requests from this c2s offset on, up to it, may be lost; or DB_NOWHERE */
	uint64_t rows;
	uint64_t affected;
	uint64_t secret_columns; /* bit i: the values of column i are masked */
	uint32_t rows_size;      /* bytes of DB_F_RESPONSE_ROWS */
	uint32_t nparameters;
	uint8_t nrows;    /* elements of it */
	uint8_t ncolumns; /* of DB_F_RESPONSE_COLUMNS */
	uint8_t status;   /* enum db_status */
	uint8_t pairing;  /* enum db_pairing */
	bool has_rows;
	bool has_affected;
	bool queued;
	bool no_reply; /* none is due: complete without one */
};

#define DB_NOWHERE UINT64_MAX /* of stream offsets */

/* Text of a flow, cut at DB_NAME_MAX. */
struct db_name {
	uint8_t len;
	char p[DB_NAME_MAX];
};

struct db {
	struct weir_host *host;
	const struct weir_config *config;
	const struct weir_schema *schema;
	const char *system;
	/* how the parser finishes an exchange that db/ gives up; NULL: db_finish(). It ends with db_finish() or db_drop() */
	void (*finish)(struct db *db, struct db_exchange *ex);
	struct db_exchange *
		head; /* requests without a response, oldest first; the head may be being answered */
	struct db_exchange *tail;
	uint64_t pos[2];      /* stream offsets behind what was parsed, or declared a gap */
	uint64_t c2s_lost_at; /* c2s offset from which requests behind the last one may be lost */
	int64_t s2c_stall_ns; /* total at the last byte of the last response */
	uint32_t npending;
	uint8_t reset_by; /* 1 + direction; 0: no RST */
	bool any[2];      /* bytes or gaps were seen */
	bool closed[2];
	bool ended[2]; /* by FIN or RST */
	bool holding;  /* the last db_must_hold() said yes */
	bool dark;     /* c2s has stopped: responses wait for it no more */
	bool timed_out;
	bool s2c_lost;  /* since the last certain pair responses may have been lost */
	bool pipelines; /* requests are sent before the answers are there */
	bool ticking;
	struct db_name user;
	struct db_name namespace;
	struct db_name version;
	struct {
		uint32_t hash;
		uint32_t count;
	} repeats[DB_REPEATS];
};

/** @param system a constant: db.system.name */
void db_init(struct db *db, struct weir_host *host, const struct weir_schema *schema,
	     const char *system);
/** Last call, of the parser's done(): emits what is open. */
void db_end(struct db *db);

/** NULL-terminated or not: a name of the flow, said on all records made from now on. */
void db_name_set(struct db_name *name, const void *p, size_t len);

/* ---- park.c: for park() and unpark() of a parser whose connection is idle ---- */

struct pack; /* base/pack.h */

/** Does anything wait for a response? */
static inline bool db_is_idle(const struct db *db)
{
	return db->head == NULL;
}
/** In a copy of the state: what db_set_again() sets. */
void db_unset(struct db *db);
/** After the state was read: what the parser's open() set in `opened`. */
void db_set_again(struct db *db, const struct db *opened);

/* ---- exchange.c: an exchange and its record ---- */

/**
 * A new exchange, begun by a message of a direction.
 * @param size  bytes of the parser's struct, which begins with struct db_exchange; zeroed
 * @param mark  of the message's first byte, at `offset`
 * @return      NULL: memory is spent (counted). Go on without
 */
void *db_exchange_new(struct db *db, size_t size, enum weir_direction dir, uint64_t offset,
		      const struct weir_mark *mark);
/** Bytes of its message in a direction, up to `end`; mark: of the last of them (NULL: that one is missing). ex may be NULL. */
void db_touch(struct db *db, struct db_exchange *ex, enum weir_direction dir, uint64_t end,
	      const struct weir_mark *mark);
/** The message begins with the byte at `offset`: for responses. A second call does nothing. */
void db_begin(struct db_exchange *ex, enum weir_direction dir, uint64_t offset,
	      const struct weir_mark *mark);
/** Bytes of the message are missing. */
void db_missing(struct db_exchange *ex, enum weir_direction dir, uint64_t length);
/** A constant: the protocol's name of the request. */
void db_command(struct db_exchange *ex, const char *name);
/**
 * The statement: text, size, digest, verb, table, how often before.
 * @param len      bytes of it that are here
 * @param full_len bytes that it has
 */
void db_statement(struct db *db, struct db_exchange *ex, const uint8_t *p, size_t len,
		  uint64_t full_len, enum db_dialect dialect);
/** The digest of a request that is no statement of SQL, and how often before. */
void db_digest_set(struct db *db, struct db_exchange *ex, const char *digest, size_t len);
/** The next parameter. */
void db_parameter(struct db_exchange *ex, const void *p, size_t len);
/** The server refuses: its code and what it says. */
void db_error(struct db_exchange *ex, const void *code, size_t code_len, const void *message,
	      size_t len);
/** Fill the record in, emit it; out of the queue when it is in there. ex is gone. NULL is fine. */
void db_finish(struct db *db, struct db_exchange *ex);
/** Give it up without a record; out of the queue when it is in there. NULL is fine. */
void db_drop(struct db *db, struct db_exchange *ex);
/** The parser's on_tick(): interim records of what is open. db_enqueue() asks for it. */
void db_tick(struct db *db);

/* ---- pair.c: which request a response answers ---- */

void db_enqueue(struct db *db, struct db_exchange *ex);
/** A direction has been parsed up to here. */
void db_moved(struct db *db, enum weir_direction dir, uint64_t pos);
/** Must the response whose first byte has this mark wait for requests that the server had? `left`: bytes that would wait. */
bool db_must_hold(struct db *db, const struct weir_mark *mark, size_t left);
/**
 * The request that a response beginning at s2c offset x answers. Those before it whose responses are lost are finished.
 * @param ack  what the server had received of c2s: peer_ack of that byte's mark
 * @return     NULL: none that is known
 */
struct db_exchange *db_choose(struct db *db, uint64_t x, uint64_t ack);
/**
 * After a loss: the first s2c offset in [from, to) at which a response begins because a request says so (a client that waits for each
 * answer). Those whose responses end before it are finished. DB_NOWHERE: none there.
 */
uint64_t db_resync(struct db *db, uint64_t from, uint64_t to, uint64_t ack);
/** Bytes are missing, in this direction from `offset` on; what it means for the message being read is the parser's business. */
void db_gap(struct db *db, enum weir_direction dir, uint64_t offset, uint64_t length);
/** The parser's on_close(). */
void db_close(struct db *db, enum weir_direction dir, enum weir_close how);

#endif
