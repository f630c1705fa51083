/* SPDX-License-Identifier: Apache-2.0 */
/* What a PostgreSQL client asks (PostgreSQL documentation, "Frontend/Backend Protocol", Message Formats). */
#include "parser/pgsql.h"

#include "base/wire.h"

#include <stdio.h>
#include <string.h>

enum {
	CODE_CANCEL = 80877102,
	CODE_SSL = 80877103,
	CODE_GSS = 80877104,
	TEXT_PREFIX = 64 * 1024, /* bytes of Query, Parse and Bind that are looked at */
	NAME_PREFIX = 512
};

size_t pg_client_prefix(uint8_t type)
{
	switch (type) {
	case 0:
		return PG_STARTUP_MAX;
	case 'Q':
	case 'P':
	case 'B':
		return TEXT_PREFIX;
	case 'E':
	case 'D':
	case 'C':
		return NAME_PREFIX;
	case 'p':
		return 32; /* the name of the mechanism; never the secret */
	default:
		return 0;
	}
}

bool pg_client_plausible(const uint8_t *p)
{
	uint32_t len = load_be32(p + 1);

	if (len < 4 || len > PG_LOST_MAX || memchr("BCDEFHPQSXcdfp", p[0], 14) == NULL) {
		return false;
	}
	if (p[0] == 'S' || p[0] == 'H' || p[0] == 'X' || p[0] == 'c') {
		return len == 4;
	}
	return len > 4 || p[0] == 'd';
}

/* A text that ends in a NUL, moved past; cut by the prefix: what is there. */
static struct weir_str take_text(struct wire *wire)
{
	size_t left = wire_left(wire);
	const uint8_t *nul = left == 0 ? NULL : memchr(wire->at, 0, left);
	struct weir_str text = {wire->at,
				(uint32_t)(nul == NULL ? left : (size_t)(nul - wire->at))};

	(void)wire_skip(wire, nul == NULL ? left : (size_t)text.len + 1);
	return text;
}

static uint32_t hash_name(struct weir_str name)
{
	uint32_t hash = 2166136261u;
	uint32_t i;

	for (i = 0; i < name.len; i++) {
		hash = (hash ^ name.p[i]) * 16777619u;
	}
	return hash;
}

/* ---- without a type: startup ---- */

static void take_startup(struct pg *pg, struct wire *wire, const struct pg_message *m)
{
	struct pg_exchange *ex = pg_exchange_new(pg, PG_LOGIN, WEIR_C2S, m);

	if (ex != NULL) {
		db_command(&ex->ex, "LOGIN");
	}
	while (wire_left(wire) > 1) {
		struct weir_str name = take_text(wire);
		struct weir_str value = take_text(wire);

		if (name.len == 4 && memcmp(name.p, "user", 4) == 0) {
			db_name_set(&pg->db.user, value.p, value.len);
		} else if (name.len == 8 && memcmp(name.p, "database", 8) == 0) {
			db_name_set(&pg->db.namespace, value.p, value.len);
		} else if (name.len == 16 && memcmp(name.p, "application_name", 16) == 0) {
			db_name_set(&pg->application, value.p, value.len);
		}
	}
	if (pg->db.namespace.len == 0) {
		pg->db.namespace = pg->db.user; /* that is what the server takes */
	}
}

static void take_untyped(struct pg *pg, const struct pg_message *m)
{
	struct wire wire;
	uint32_t code;

	wire_init(&wire, m->p, m->len);
	code = wire_u32(&wire);
	if (code == CODE_SSL || code == CODE_GSS) {
		pg->ssl_asked = true;
	} else if (code == CODE_CANCEL) {
		struct pg_exchange *ex = pg_exchange_new(pg, PG_CALL, WEIR_C2S, m);

		pg->side[WEIR_C2S].step = PG_OVER;
		if (ex != NULL) {
			db_command(&ex->ex, "CANCEL");
			weir_record_set_u64(ex->ex.rec, PG_F_PID, wire_u32(&wire));
			ex->ex.no_reply = true;
		}
	} else {
		pg->side[WEIR_C2S].step = PG_MESSAGES;
		take_startup(pg, &wire, m);
	}
}

/* ---- the extended query ---- */

/* The request that Parse, Bind, Describe and Execute make together. */
static struct pg_exchange *build(struct pg *pg, const struct pg_message *m)
{
	if (pg->building == NULL) {
		pg->building = pg_exchange_new(pg, PG_EXTENDED, WEIR_C2S, m);
	}
	return pg->building;
}

/* What came so far is a request of its own. */
static void end_building(struct pg *pg)
{
	if (pg->building != NULL) {
		pg->building->ex.side[WEIR_C2S].done = true;
		pg->building = NULL;
	}
}

static void set_statement_name(struct pg_exchange *ex, const void *p, size_t len)
{
	if (len > 0) {
		weir_record_set_bytes(ex->ex.rec, PG_F_STATEMENT, p, len, DB_KEY_MAX);
	}
}

static void take_parse(struct pg *pg, const struct pg_message *m)
{
	struct pg_exchange *ex;
	struct weir_str name, text;
	struct wire wire;
	uint64_t full;

	end_building(pg);
	wire_init(&wire, m->p, m->len);
	name = take_text(&wire);
	text = take_text(&wire);
	/* behind the text: its NUL and the types of the parameters; what is cut is text nearly all */
	full = m->full > m->len ? m->full - name.len - 2 : text.len;
	(void)db_statements_put(&pg->db, &pg->statements, name.p, name.len, text.p, text.len, full);
	ex = build(pg, m);
	if (ex != NULL) {
		db_command(&ex->ex, "PARSE");
		db_statement(&pg->db, &ex->ex, text.p, text.len, full, DB_DIALECT_PGSQL);
		set_statement_name(ex, name.p, name.len);
		ex->parse_due = true;
	}
}

static void remember_portal(struct pg *pg, struct weir_str portal, struct weir_str statement)
{
	uint32_t hash = hash_name(portal);
	size_t at = hash % PG_PORTALS;

	pg->portals[at].portal = hash;
	pg->portals[at].key_len =
		(uint8_t)(statement.len < DB_KEY_MAX ? statement.len : DB_KEY_MAX);
	memcpy(pg->portals[at].key, statement.p, pg->portals[at].key_len);
}

static void use_statement(struct pg *pg, struct pg_exchange *ex, const void *key, size_t len)
{
	struct db_text *text = db_statements_get(&pg->statements, key, len);

	set_statement_name(ex, key, len);
	if (text != NULL && !ex->parse_due) {
		db_statement(&pg->db, &ex->ex, text->text, text->len, text->full_len,
			     DB_DIALECT_PGSQL);
	}
}

/* A binary value says nothing without its type: those of a number's size are shown as one, others in hexadecimal. */
static void add_binary(struct pg_exchange *ex, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 + DB_PARAMETER_MAX];
	size_t i, n = 2;

	if (len == 2 || len == 4 || len == 8) {
		int64_t number = len == 2   ? (int16_t)load_be16(p)
				 : len == 4 ? (int32_t)load_be32(p)
					    : (int64_t)load_be64(p);

		n = (size_t)snprintf(text, sizeof(text), "%lld", (long long)number);
		db_parameter(&ex->ex, text, n);
		return;
	}
	text[0] = '\\';
	text[1] = 'x';
	for (i = 0; i < len && n + 2 <= sizeof(text); i++) {
		text[n++] = digits[p[i] >> 4];
		text[n++] = digits[p[i] & 15];
	}
	db_parameter(&ex->ex, text, n);
}

/* int16 formats, int16 each; int16 values, int32 length (-1: NULL) and bytes each */
static void take_values(struct pg_exchange *ex, struct wire *wire)
{
	uint16_t nformats = wire_u16(wire);
	const uint8_t *formats = wire_bytes(wire, 2 * (size_t)nformats);
	uint16_t n = wire_u16(wire);
	uint16_t i;

	for (i = 0; i < n && i < DB_PARAMETERS_MAX && wire_ok(wire); i++) {
		uint32_t len = wire_u32(wire);
		bool binary = nformats == 1  ? formats != NULL && formats[1] == 1
			      : i < nformats ? formats != NULL && formats[2 * i + 1] == 1
					     : false;
		const uint8_t *p;

		if (wire_ok(wire) && len == UINT32_MAX) {
			db_parameter(&ex->ex, "NULL", 4);
			continue;
		}
		p = wire_bytes(wire, len);
		if (p == NULL) {
			break;
		}
		if (binary) {
			add_binary(ex, p, len);
		} else {
			db_parameter(&ex->ex, p, len);
		}
	}
}

static void take_bind(struct pg *pg, const struct pg_message *m)
{
	struct pg_exchange *ex;
	struct weir_str portal, statement;
	struct wire wire;

	wire_init(&wire, m->p, m->len);
	portal = take_text(&wire);
	statement = take_text(&wire);
	remember_portal(pg, portal, statement);
	if (pg->building != NULL && pg->building->bind_due) {
		end_building(pg);
	}
	ex = build(pg, m);
	if (ex == NULL) {
		return;
	}
	db_command(&ex->ex, "BIND");
	use_statement(pg, ex, statement.p, statement.len);
	ex->bind_due = true;
	take_values(ex, &wire);
}

static void take_execute(struct pg *pg, const struct pg_message *m)
{
	struct pg_exchange *ex;
	struct wire wire;
	struct weir_str portal;
	bool bound = pg->building != NULL && pg->building->bind_due;
	uint32_t hash;

	wire_init(&wire, m->p, m->len);
	portal = take_text(&wire);
	hash = hash_name(portal);
	ex = build(pg, m);
	if (ex == NULL) {
		return;
	}
	if (!bound && pg->portals[hash % PG_PORTALS].portal == hash) {
		use_statement(pg, ex, pg->portals[hash % PG_PORTALS].key,
			      pg->portals[hash % PG_PORTALS].key_len);
	}
	db_command(&ex->ex, "EXECUTE");
	ex->executes = true;
}

static void take_describe(struct pg *pg, const struct pg_message *m)
{
	struct pg_exchange *ex = build(pg, m);

	if (ex != NULL && !weir_record_has(ex->ex.rec, DB_F_COMMAND)) {
		db_command(&ex->ex, "DESCRIBE");
	}
}

static void take_close(struct pg *pg, const struct pg_message *m)
{
	struct wire wire;
	struct weir_str name;

	wire_init(&wire, m->p, m->len);
	if (wire_u8(&wire) == 'S') {
		name = take_text(&wire);
		db_statements_remove(&pg->db, &pg->statements, name.p, name.len);
	}
}

/* ---- others ---- */

static void take_query(struct pg *pg, const struct pg_message *m)
{
	struct pg_exchange *ex;
	struct wire wire;
	struct weir_str text;

	end_building(pg);
	ex = pg_exchange_new(pg, m->type == 'Q' ? PG_QUERY : PG_CALL, WEIR_C2S, m);
	pg->unit_sent++;
	if (ex == NULL) {
		return;
	}
	db_command(&ex->ex, m->type == 'Q' ? "QUERY" : "FUNCTION_CALL");
	if (m->type == 'Q') {
		wire_init(&wire, m->p, m->len);
		text = take_text(&wire);
		db_statement(&pg->db, &ex->ex, text.p, text.len,
			     m->full > m->len ? m->full - 1 : text.len, DB_DIALECT_PGSQL);
	}
}

/* SASLInitialResponse begins with the mechanism. All else of a 'p' is a secret: it is only compared. */
static void take_password(struct pg *pg, const struct pg_message *m)
{
	static const char *const mechanisms[] = {"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256",
						 "OAUTHBEARER"};
	size_t i;

	for (i = 0; i < sizeof(mechanisms) / sizeof(mechanisms[0]); i++) {
		size_t n = strlen(mechanisms[i]) + 1;

		if (m->len >= n && memcmp(m->p, mechanisms[i], n) == 0) {
			pg->auth = mechanisms[i];
			return;
		}
	}
}

static void take_copy_data(struct pg *pg, const struct pg_message *m)
{
	if (pg->last != NULL) {
		pg->last->copies_in = true;
		pg->last->copy_in += m->full;
	}
}

void pg_client_message(struct pg *pg, const struct pg_message *m)
{
	switch (m->type) {
	case 0:
		take_untyped(pg, m);
		break;
	case 'Q':
	case 'F':
		take_query(pg, m);
		break;
	case 'P':
		take_parse(pg, m);
		break;
	case 'B':
		take_bind(pg, m);
		break;
	case 'E':
		take_execute(pg, m);
		break;
	case 'D':
		take_describe(pg, m);
		break;
	case 'C':
		take_close(pg, m);
		break;
	case 'S':
		end_building(pg);
		pg->unit_sent++;
		break;
	case 'd':
		take_copy_data(pg, m);
		break;
	case 'p':
		take_password(pg, m);
		break;
	default: /* Flush, CopyDone, CopyFail, Terminate */
		break;
	}
}

void pg_client_end(struct pg *pg, uint8_t type, uint64_t end, const struct weir_mark *mark)
{
	struct pg_exchange *ex = pg->last;

	if (ex == NULL || type == 'S' || type == 'H' || type == 'X' || type == 'C') {
		return;
	}
	db_touch(&pg->db, &ex->ex, WEIR_C2S, end, mark);
	ex->ex.side[WEIR_C2S].done = pg->building != ex || type == 'E';
	if (type == 'E') {
		pg->building = NULL;
	}
	if (ex->ex.no_reply) {
		pg_finish(pg, ex);
	}
}
