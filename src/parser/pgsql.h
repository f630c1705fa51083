/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL, private to parser/pgsql*.c:
 *
 *   pgsql.c         the parser: bytes of both directions to messages; gaps, ends; detection
 *   pgsql_client.c  messages of the client: what is asked
 *   pgsql_server.c  messages of the server: what became of it
 *   pgsql_park.c    all of it in few bytes while the connection is idle
 *
 * A message is looked at when its first bytes are there, as many as its type is worth (prefix_of()); the rest of it goes by unseen (SKIP),
 * which is also what makes a hole in the middle of a message harmless. Its end is told apart (end of message: times, emission).
 */
#ifndef PARSER_PGSQL_H
#define PARSER_PGSQL_H

#include "db/db.h"
#include "db/look.h"
#include "db/rows.h"
#include "db/statements.h"

enum {
	PG_STARTUP_MAX = 10000,   /* the server's own limit */
	PG_MESSAGE_MAX = 1 << 30, /* the server's own limit */
	PG_LOST_MAX =
		1 << 20, /* bytes of a message that begins after a loss: more is not believed */
	PG_PORTALS = 8   /* of a flow that are remembered */
};

enum pg_field {
	PG_F_STATEMENT = DB_F_OWN,
	PG_F_TAG,
	PG_F_RESULTS,
	PG_F_COLUMNS,
	PG_F_COPY_IN,
	PG_F_COPY_OUT,
	PG_F_NOTICES,
	PG_F_NOTIFICATIONS,
	PG_F_SEVERITY,
	PG_F_SKIPPED,
	PG_F_PID,
	PG_F_AUTH,
	PG_F_APPLICATION,
	PG_F_END
};

enum pg_kind { PG_LOGIN, PG_QUERY, PG_EXTENDED, PG_CALL, PG_ORPHAN };

/* One request: a query, or what leads to one execution (Parse, Bind, Describe, Execute). */
struct pg_exchange {
	struct db_exchange ex;
	uint32_t unit; /* number of what ends in ReadyForQuery */
	uint32_t results;
	uint32_t notices;
	uint64_t data_rows; /* of the result that is coming */
	uint64_t copy_in;
	uint64_t copy_out;
	uint8_t kind;
	bool parse_due;
	bool bind_due;
	bool executes;
	bool has_data;
	bool copies_in;
	bool copies_out;
};

/* Where a direction is. */
enum pg_step {
	PG_START,    /* nothing has come */
	PG_MESSAGES, /* at a message */
	PG_LOST,     /* looking for one */
	PG_OVER      /* nothing that can be looked at follows */
};

struct pg_side {
	uint8_t step;
	uint8_t type; /* of the message that goes by, or whose beginning waits; 0: none */
	bool fresh;   /* LOST: right behind the gap */
	bool holding; /* S2C: the last verdict was HOLD, until c2s is at `awaits` */
	uint64_t awaits;
	uint64_t begin; /* of that message, and its end; 0: not known */
	uint64_t end;
	struct weir_mark mark; /* of its first byte */
	uint64_t pos;          /* what was offered, or declared a gap, ends here */
};

struct pg {
	struct db db;
	struct pg_side side[2];
	struct db_statements statements;
	struct {
		uint32_t portal; /* hashes of names */
		uint8_t key_len;
		uint8_t key[DB_KEY_MAX];
	} portals[PG_PORTALS];
	struct pg_exchange
		*building; /* Parse, Bind, Describe came, Execute or Sync did not; in the queue */
	struct pg_exchange *last;   /* the last request, while it is in the queue */
	struct pg_exchange *orphan; /* a response without a request; not in the queue */
	uint32_t unit_sent;         /* units the client has begun and ended */
	uint32_t unit_done;         /* ReadyForQuery that came, without that of the login */
	uint32_t notifications;     /* since the last record */
	const char *auth;           /* a constant */
	struct db_name application;
	bool ssl_asked; /* SSLRequest or GSSENCRequest, and no answer yet */
	bool ssl_yes;
	bool unit_error; /* an error came: the rest of the unit is skipped */
	bool cleartext_told;
};

/* A message, or as much of it as is looked at. */
struct pg_message {
	uint8_t type; /* 0: without one (startup) */
	const uint8_t *p;
	size_t len;                   /* bytes at p */
	uint64_t full;                /* bytes of the payload */
	uint64_t begin;               /* stream offset of the type */
	uint64_t end;                 /* behind the payload */
	const struct weir_mark *mark; /* of its first byte */
};

extern const struct weir_schema pg_schema;

/* ---- pgsql_client.c ---- */

/** How much of a message is looked at. */
size_t pg_client_prefix(uint8_t type);
void pg_client_message(struct pg *pg, const struct pg_message *m);
/** Its last byte has come; mark: NULL when that is missing. */
void pg_client_end(struct pg *pg, uint8_t type, uint64_t end, const struct weir_mark *mark);
/** Could a message begin with these five bytes? */
bool pg_client_plausible(const uint8_t *p);

/* ---- pgsql_server.c ---- */

size_t pg_server_prefix(const struct pg *pg, uint8_t type);
void pg_server_message(struct pg *pg, const struct pg_message *m);
void pg_server_end(struct pg *pg, uint8_t type, uint64_t end, const struct weir_mark *mark);
/** Is this the beginning of a message? 1, 0: too short to tell, -1: no */
int pg_server_plausible(const uint8_t *p, size_t len);

/* ---- pgsql.c ---- */

struct pg_exchange *pg_exchange_new(struct pg *pg, enum pg_kind kind, enum weir_direction dir,
				    const struct pg_message *m);
void pg_finish(struct pg *pg, struct pg_exchange *ex);

/* ---- pgsql_park.c: see weir/parser.h ---- */

size_t pgsql_park(void *state, struct weir_host *host, void *to, size_t room);
int pgsql_unpark(void *state, struct weir_host *host, const void *from, size_t len);

#endif
