/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MySQL and MariaDB, private to parser/mysql*.c:
 *
 *   mysql.c           the parser: bytes of both directions to packets; gaps, ends; detection
 *   mysql_compress.c  frames of the compressed protocol to the packets within
 *   mysql_client.c    packets of the client: login, commands
 *   mysql_server.c    packets of the server: greeting, results
 *   mysql_value.c     integers and strings with lengths; values of parameters as text
 *   mysql_park.c      all of it in few bytes while the connection is idle
 *
 * A packet is looked at when its first bytes are there, as many as it is worth; the rest goes by unseen (SKIP). Packets of 16 MiB - 1
 * bytes go on in the next one.
 */
#ifndef PARSER_MYSQL_H
#define PARSER_MYSQL_H

#include "base/wire.h"
#include "body/coding.h"
#include "db/db.h"
#include "db/look.h"
#include "db/rows.h"
#include "db/statements.h"

enum {
	MY_PACKET_MAX = 0xffffff, /* a packet of this length goes on in the next */
	MY_TEXT_PREFIX = 64 * 1024,
	MY_COLUMN_PREFIX = 512,
	MY_INNER_MAX = MY_TEXT_PREFIX + 4 /* bytes of an unfinished packet within frames */
};

/* Capabilities (MySQL internals, "Capabilities Flags"). */
enum {
	MY_CAP_DATABASE = 0x8,
	MY_CAP_COMPRESS = 0x20,
	MY_CAP_41 = 0x200,
	MY_CAP_SSL = 0x800,
	MY_CAP_SECURE = 0x8000,
	MY_CAP_PLUGIN = 0x80000,
	MY_CAP_LENENC_AUTH = 0x200000,
	MY_CAP_DEPRECATE_EOF = 0x1000000,
	MY_CAP_OPTIONAL_METADATA = 0x2000000,
	MY_CAP_ZSTD = 0x4000000,
	MY_CAP_ATTRIBUTES = 0x8000000
};

enum my_field {
	MY_F_STATEMENT_ID = DB_F_OWN,
	MY_F_STATEMENT_PARAMETERS,
	MY_F_RESULTS,
	MY_F_COLUMNS,
	MY_F_SQLSTATE,
	MY_F_WARNINGS,
	MY_F_INSERT_ID,
	MY_F_INFILE_NAME,
	MY_F_INFILE_BYTES,
	MY_F_THREAD_ID,
	MY_F_AUTH,
	MY_F_COMPRESSION,
	MY_F_END
};

enum my_command {
	MY_QUIT = 0x01,
	MY_INIT_DB = 0x02,
	MY_QUERY = 0x03,
	MY_FIELD_LIST = 0x04,
	MY_STATISTICS = 0x09,
	MY_PROCESS_INFO = 0x0a,
	MY_PING = 0x0e,
	MY_CHANGE_USER = 0x11,
	MY_BINLOG_DUMP = 0x12,
	MY_STMT_PREPARE = 0x16,
	MY_STMT_EXECUTE = 0x17,
	MY_STMT_LONG_DATA = 0x18,
	MY_STMT_CLOSE = 0x19,
	MY_STMT_RESET = 0x1a,
	MY_STMT_FETCH = 0x1c,
	MY_BINLOG_DUMP_GTID = 0x1e,
	MY_RESET = 0x1f,
	MY_COMMANDS,      /* those above are known */
	MY_BULK = 0xfa,   /* MariaDB's COM_STMT_BULK_EXECUTE */
	MY_LOGIN = 0x100, /* not on the wire */
	MY_CONNECT,       /* the server refuses before any login */
	MY_UNKNOWN        /* a response without a request */
};

struct my_exchange {
	struct db_exchange ex;
	uint64_t query_size; /* of the statement, over all its packets; 0: no statement */
	uint64_t infile_bytes;
	uint64_t ncolumns; /* of the result that is coming */
	uint8_t *
		types; /* with --bodies=keep: type and sign of the first DB_COLUMNS_MAX; NULL: not known */
	uint32_t prepare; /* number of this COM_STMT_PREPARE in the flow */
	uint32_t results;
	uint16_t command;
	bool infile;
};

/* What the server's next packet is. */
enum my_expect {
	MY_FIRST,           /* the first of a result */
	MY_DEFINITIONS,     /* `left` column definitions */
	MY_DEFINITIONS_END, /* EOF behind them, if there is one */
	MY_ROWS,
	MY_PARAMETERS,     /* `left` definitions of a prepared statement's parameters */
	MY_PARAMETERS_END, /* EOF behind them, if there is one */
	MY_PREPARED,       /* `left` definitions of its columns */
	MY_PREPARED_END,
	MY_PERHAPS_OVER /* behind all of them: EOF, or the next response */
};

enum my_step { MY_START, MY_PACKETS, MY_LOST, MY_OVER };

struct my_side {
	uint8_t step;
	bool fresh;      /* LOST: right behind the gap */
	bool continues;  /* the last packet goes on in the next */
	bool holding;    /* the last verdict was HOLD */
	uint8_t first;   /* byte of the packet whose beginning waits */
	uint64_t awaits; /* with holding: the other direction's offset that is waited for */
	uint64_t
		begin; /* of the packet (compressed: frame) that goes by, or whose beginning waits; its end; 0: none */
	uint64_t end;
	/* compressed */
	struct coding *coding; /* of the frame; NULL: it is not compressed, or none */
	uint64_t frame_left;   /* bytes of the frame's payload to come */
	uint64_t frame_out;    /* bytes that it may still decompress to */
	uint64_t frame_begin;
	uint64_t frame_end;
	struct weir_mark frame_mark;
	uint8_t *
		inner; /* MY_INNER_MAX bytes: of an unfinished packet within frames; NULL: none yet */
	size_t inner_len;
	uint64_t inner_skip; /* bytes within the frames that go by */
};

struct mysql {
	struct db db;
	struct my_side side[2];
	struct db_statements statements;
	struct my_exchange *last; /* of the client's last command, until it is finished */
	struct my_exchange *
		answering; /* whose result is coming: the head of the queue, or none that was asked */
	uint64_t left;
	uint32_t columns_left; /* of a prepared statement, behind its parameters */
	uint32_t nprepared;
	uint32_t capabilities; /* that both have; valid with capabilities_known */
	uint32_t server_capabilities;
	uint32_t thread_id;
	uint8_t expect;
	bool capabilities_known;
	bool eof_known; /* whether there are EOF packets; no_eof */
	bool no_eof;
	bool greeted;
	bool logged_in; /* of a login that was seen */
	bool compressed;
	uint64_t
		compressed_from; /* s2c offset: what the client sends after having received so much */
	bool zstd;
	bool switching; /* TLS begins */
	bool midstream_told;
	bool contradicted;         /* the acknowledgements of the two directions do not agree */
	struct body_memory memory; /* of the decoders */
	struct db_name plugin;
	struct db_name wanted; /* database of an INIT_DB that is under way */
};

/* Bytes of packets on their way: of a chunk, or from within a frame (chunk NULL), where they have the places of the frame. */
struct my_cursor {
	struct mysql *my;
	enum weir_direction dir;
	struct my_side *side;
	const struct weir_chunk *chunk;
	const uint8_t *p;
	const uint8_t *end;
	uint64_t skip;                      /* with SKIP */
	bool yields;                        /* with HOLD: the other direction goes first */
	const struct weir_mark *frame_mark; /* chunk NULL: of the bytes that gave these */
};

struct my_packet {
	const uint8_t *p;
	size_t len;    /* bytes at p */
	uint32_t full; /* bytes of the payload */
	uint8_t seq;
	bool goes_on; /* the next packet continues this one */
	uint64_t begin;
	uint64_t end;
	const struct weir_mark *mark; /* of its first byte */
	const struct weir_mark *last; /* of its last byte that is here */
};

#define MY_GO (-1) /* a step: on with the next */

extern const struct weir_schema my_schema;

/* ---- mysql.c ---- */

/** The next packet at the cursor. MY_GO, NEED, or SKIP with cur->skip. */
int my_take_packet(struct my_cursor *cur);
/** The packet that went by (SKIP) is over. */
void my_packet_end(struct mysql *my, enum weir_direction dir, uint64_t end,
		   const struct weir_mark *mark);
struct my_exchange *my_exchange_new(struct mysql *my, unsigned command, enum weir_direction dir,
				    const struct my_packet *packet);
void my_finish(struct mysql *my, struct my_exchange *ex);
void my_lose(struct mysql *my, enum weir_direction dir);
static inline bool my_perhaps_over(const struct mysql *my)
{
	return my->expect == MY_PERHAPS_OVER && my->answering != NULL;
}
const char *my_command_name(unsigned command);

/* ---- mysql_compress.c ---- */

/** Bytes of frames. MY_GO, NEED, or SKIP with cur->skip. */
int my_take_frames(struct my_cursor *cur);
/** Forget what is unfinished. */
void my_frames_reset(struct mysql *my, enum weir_direction dir);

/* ---- mysql_client.c ---- */

size_t my_client_prefix(const struct mysql *my, uint8_t seq, uint8_t first);
void my_client_packet(struct mysql *my, const struct my_packet *packet);
void my_client_end(struct mysql *my, uint64_t end, const struct weir_mark *mark);

/* ---- mysql_server.c ---- */

size_t my_server_prefix(const struct mysql *my, uint8_t first);
void my_server_packet(struct mysql *my, const struct my_packet *packet);
void my_server_end(struct mysql *my, uint64_t end, const struct weir_mark *mark);

/* ---- mysql_value.c ---- */

uint16_t my_u16(struct wire *wire);
uint32_t my_u32(struct wire *wire);
/** An integer with its length before it; 0 and failed when it is none. */
uint64_t my_lenenc(struct wire *wire);
/** A text that ends in a NUL or where the bytes end. */
struct weir_str my_text(struct wire *wire);
/**
 * The values of a COM_STMT_EXECUTE, or of query attributes.
 * @param ex       whose parameters they are; NULL: pass them by
 * @param n        how many there are
 * @param text     statement whose types hold when none are sent, and are kept; NULL: none
 * @param names    types have names behind them
 */
void my_values(struct my_exchange *ex, struct wire *wire, uint64_t n, struct db_text *text,
	       bool names);
/** A definition of a column, a row: what is kept of them (--bodies=keep). */
void my_column(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet);
void my_row(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet);

/* ---- mysql_park.c: see weir/parser.h ---- */

size_t mysql_park(void *state, struct weir_host *host, void *to, size_t room);
int mysql_unpark(void *state, struct weir_host *host, const void *from, size_t len);

#endif
