/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a PostgreSQL server answers (PostgreSQL documentation, "Frontend/Backend Protocol", Message Formats and Message Flow).
 *
 * Requests are answered in order. A unit is what ends in ReadyForQuery: a Query, or what was sent up to a Sync; the n-th ReadyForQuery ends
 * the n-th unit. An error skips what is left of its unit. After a loss the count says nothing, and the acknowledgements decide.
 */
#include "parser/pgsql.h"

#include "base/wire.h"

#include <string.h>

enum { COLUMNS_PREFIX = 4096 };

static const struct weir_anomaly cleartext_password = {
	"pg.cleartext_password", "medium", "PostgreSQL protocol, AuthenticationCleartextPassword",
	"the server asks for the password as it is: whoever listens has it"};

/* With --bodies=keep, of the first result: what is kept of it has to be here. */
static size_t result_prefix(const struct pg *pg, uint8_t type)
{
	const struct pg_exchange *ex =
		pg->orphan != NULL ? pg->orphan : (const struct pg_exchange *)pg->db.head;

	if (ex == NULL || ex->results > 0) {
		return type == 'T' ? 2 : 0;
	}
	if (type == 'T') {
		return db_wants_column(&pg->db, &ex->ex) ? COLUMNS_PREFIX : 2;
	}
	return db_wants_row(&pg->db, &ex->ex) ? DB_ROW_PREFIX : 0;
}

size_t pg_server_prefix(const struct pg *pg, uint8_t type)
{
	switch (type) {
	case 'E':
	case 'N':
		return 4096;
	case 'S':
	case 'C':
		return 256;
	case 'R':
		return 64;
	case 'T':
	case 'D':
		return result_prefix(pg, type);
	case 'Z':
		return 1;
	default:
		return 0;
	}
}

static int tag_plausible(const uint8_t *p, size_t len, uint32_t full)
{
	size_t i;

	if (full < 2 || full > 64) {
		return -1;
	}
	for (i = 0; i < len && i + 1 < full; i++) {
		if (!(p[i] >= 'A' && p[i] <= 'Z') && p[i] != ' ' &&
		    !(p[i] >= '0' && p[i] <= '9' && i > 0)) {
			return -1;
		}
	}
	if (len < full) {
		return 0;
	}
	return p[full - 1] == 0 ? 1 : -1;
}

int pg_server_plausible(const uint8_t *p, size_t len)
{
	uint32_t full;

	if (memchr("RSKZTDCENA123ntsIGHWdcVv", p[0], 24) == NULL) {
		return -1;
	}
	if (len < 5) {
		return 0;
	}
	full = load_be32(p + 1);
	if (full < 4 || full > PG_LOST_MAX) {
		return -1;
	}
	full -= 4;
	p += 5;
	len -= 5;
	switch (p[-5]) {
	case 'Z':
		if (full != 1) {
			return -1;
		}
		return len == 0 ? 0 : *p == 'I' || *p == 'T' || *p == 'E' ? 1 : -1;
	case 'C':
		return tag_plausible(p, len, full);
	case '1':
	case '2':
	case '3':
	case 'n':
	case 's':
	case 'I':
	case 'c':
		return full == 0 ? 1 : -1;
	case 'T':
	case 'D':
	case 't':
		if (full < 2) {
			return -1;
		}
		return len < 2 ? 0 : load_be16(p) <= 1664 && load_be16(p) * 4u + 2 <= full ? 1 : -1;
	case 'E':
	case 'N':
		return full < 4 ? -1 : len == 0 ? 0 : *p == 'S' ? 1 : -1;
	case 'K':
		return full >= 8 && full <= 260 ? 1 : -1;
	default:
		return full > 0 ? 1 : -1;
	}
}

/* ---- whose answer it is ---- */

static struct pg_exchange *head(const struct pg *pg)
{
	return (struct pg_exchange *)pg->db.head;
}

/* A response begins, or goes on, that belongs to nothing that was asked and captured. */
static struct pg_exchange *orphan(struct pg *pg, const struct pg_message *m)
{
	if (pg->orphan == NULL) {
		pg->orphan = pg_exchange_new(pg, PG_ORPHAN, WEIR_S2C, m);
	}
	return pg->orphan;
}

static bool is_due(const struct pg_exchange *ex, uint8_t type)
{
	switch (type) {
	case '1':
		return ex->parse_due;
	case '2':
		return ex->bind_due;
	case 'D':
	case 'C':
	case 'I':
	case 's':
	case 'G':
	case 'H':
	case 'W':
	case 'd':
	case 'c':
		return ex->kind != PG_EXTENDED || ex->executes;
	default:
		return true;
	}
}

/* The request that this message of the server is about; its response begins with it. */
static struct pg_exchange *answered(struct pg *pg, const struct pg_message *m)
{
	bool lost = pg->db.s2c_lost; /* a certain pair ends it */
	struct pg_exchange *ex;

	if (pg->orphan != NULL) {
		return pg->orphan;
	}
	if (!pg->db.pipelines && pg->db.head != NULL && pg->db.head->next != NULL &&
	    db_resync(&pg->db, m->begin, m->begin + 1, m->mark->peer_ack) != DB_NOWHERE) {
		lost = true; /* a client that waits says that this is the next one's */
	}
	ex = (struct pg_exchange *)db_choose(&pg->db, m->begin, m->mark->peer_ack);
	if (ex != NULL && lost) {
		pg->unit_done = ex->unit;
	}
	while (ex != NULL && ex->unit == pg->unit_done && !is_due(ex, m->type)) {
		/* its own answers have come: the next one's turn */
		ex->ex.side[WEIR_S2C].done = ex->ex.side[WEIR_S2C].begun;
		pg_finish(pg, ex);
		ex = (struct pg_exchange *)db_choose(&pg->db, m->begin, m->mark->peer_ack);
	}
	if (ex == NULL || ex->unit != pg->unit_done) {
		return ex == NULL ? orphan(pg, m) : NULL;
	}
	db_begin(&ex->ex, WEIR_S2C, m->begin, m->mark);
	return ex;
}

/* ---- messages ---- */

static void set_ok(struct pg_exchange *ex)
{
	if (ex->ex.status == DB_STATUS_NONE) {
		ex->ex.status = DB_STATUS_OK;
	}
}

/* The number at the end of a tag, or -1. */
static int64_t tag_number(const uint8_t *p, size_t len)
{
	size_t at = len;
	int64_t number = 0;

	while (at > 0 && p[at - 1] >= '0' && p[at - 1] <= '9') {
		at--;
	}
	if (at == len || len - at > 18) {
		return -1;
	}
	for (; at < len; at++) {
		number = number * 10 + (p[at] - '0');
	}
	return number;
}

static bool begins_with(const uint8_t *p, size_t len, const char *word)
{
	size_t n = strlen(word);

	return len >= n && memcmp(p, word, n) == 0;
}

static void end_result(struct pg_exchange *ex)
{
	ex->results++;
	ex->data_rows = 0;
	ex->has_data = false;
}

static void take_complete(struct pg_exchange *ex, const struct pg_message *m)
{
	size_t len = strnlen((const char *)m->p, m->len);
	int64_t number = tag_number(m->p, len);
	bool returns = begins_with(m->p, len, "SELECT") || begins_with(m->p, len, "FETCH") ||
		       begins_with(m->p, len, "COPY") || begins_with(m->p, len, "MOVE");

	weir_record_set_bytes(ex->ex.rec, PG_F_TAG, m->p, len, 64);
	if (number >= 0 && returns) {
		ex->ex.rows += (uint64_t)number;
		ex->ex.has_rows = true;
	} else {
		if (number >= 0) {
			ex->ex.affected += (uint64_t)number;
			ex->ex.has_affected = true;
		}
		ex->ex.rows += ex->data_rows;
		ex->ex.has_rows |= ex->has_data;
	}
	set_ok(ex);
	end_result(ex);
}

/* The fields of an error: a letter and a text each. */
static struct weir_str field_of(const struct pg_message *m, uint8_t letter)
{
	const uint8_t *p = m->p;
	const uint8_t *end = p + m->len;
	struct weir_str none = {NULL, 0};

	while (p < end && *p != 0) {
		const uint8_t *nul = memchr(p, 0, (size_t)(end - p));

		nul = nul == NULL ? end : nul;
		if (*p == letter) {
			struct weir_str text = {p + 1, (uint32_t)(nul - p - 1)};

			return text;
		}
		p = nul < end ? nul + 1 : end;
	}
	return none;
}

static void take_error(struct pg *pg, struct pg_exchange *ex, const struct pg_message *m)
{
	struct weir_str code = field_of(m, 'C');
	struct weir_str text = field_of(m, 'M');
	struct weir_str severity = field_of(m, 'V').len > 0 ? field_of(m, 'V') : field_of(m, 'S');

	pg->unit_error = true;
	if (ex == NULL) {
		return;
	}
	db_error(&ex->ex, code.p, code.len, text.p, text.len);
	weir_record_set_bytes(ex->ex.rec, PG_F_SEVERITY, severity.p, severity.len, 16);
}

/* int32: what the server wants to know */
static void take_authentication(struct pg *pg, const struct pg_message *m)
{
	static const char *const names[] = {[2] = "kerberos", [3] = "password", [5] = "md5",
					    [7] = "gss",      [9] = "sspi",     [10] = "sasl"};
	struct wire wire;
	uint32_t code;

	wire_init(&wire, m->p, m->len);
	code = wire_u32(&wire);
	if (code < sizeof(names) / sizeof(names[0]) && names[code] != NULL &&
	    !(code == 10 && pg->auth != NULL)) {
		pg->auth = names[code];
	}
	if (code == 3 && !pg->cleartext_told) {
		struct pg_exchange *ex = head(pg);

		pg->cleartext_told = true;
		weir_host_anomaly(pg->db.host, ex == NULL ? NULL : ex->ex.rec, &cleartext_password,
				  WEIR_S2C, m->begin);
	}
}

static void take_parameter(struct pg *pg, const struct pg_message *m)
{
	const uint8_t *nul = m->len == 0 ? NULL : memchr(m->p, 0, m->len);
	size_t at = nul == NULL ? m->len : (size_t)(nul - m->p) + 1;

	if (begins_with(m->p, at, "server_version") && at == sizeof("server_version")) {
		db_name_set(&pg->db.version, m->p + at, m->len - at);
	}
}

static void take_columns(struct pg *pg, struct pg_exchange *ex, const struct pg_message *m)
{
	struct wire wire;

	if (m->len < 2) {
		return;
	}
	weir_record_set_u64(ex->ex.rec, PG_F_COLUMNS, load_be16(m->p));
	/* name NUL, table(4), column(2), type(4), size(2), modifier(4), format(2) */
	wire_init(&wire, m->p + 2, m->len - 2);
	while (ex->results == 0 && wire_left(&wire) > 0 && db_wants_column(&pg->db, &ex->ex)) {
		const uint8_t *nul = memchr(wire.at, 0, wire_left(&wire));

		if (nul == NULL) {
			break;
		}
		db_column_add(&ex->ex, wire.at, (size_t)(nul - wire.at));
		(void)wire_skip(&wire, (size_t)(nul - wire.at) + 19);
		if (!wire_ok(&wire)) {
			break;
		}
	}
}

/* A binary value that cannot be text: \x and digits, as PostgreSQL writes bytea. */
static void take_binary(struct db_row *row, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 + 2 * 64] = "\\x";
	size_t i;

	for (i = 0; i < len && i < 64; i++) {
		text[2 + 2 * i] = digits[p[i] >> 4];
		text[3 + 2 * i] = digits[p[i] & 15];
	}
	db_row_value(row, text, 2 + 2 * i);
}

/* number of values(2); of each its length(4), -1: NULL, and bytes */
static void take_row(struct pg *pg, struct pg_exchange *ex, const struct pg_message *m)
{
	struct db_row row;
	struct wire wire;

	if (ex->results > 0 || !db_wants_row(&pg->db, &ex->ex)) {
		return;
	}
	db_row_init(&row, &pg->db, &ex->ex);
	wire_init(&wire, m->p, m->len);
	(void)wire_skip(&wire, 2);
	while (wire_ok(&wire) && wire_left(&wire) >= 4) {
		uint32_t len = wire_u32(&wire);
		size_t n = len < wire_left(&wire) ? len : wire_left(&wire);
		const uint8_t *p;

		if (len == UINT32_MAX) {
			db_row_value(&row, NULL, 0);
			continue;
		}
		p = wire_bytes(&wire, n);
		if (p != NULL && n > 0 && memchr(p, 0, n) != NULL) {
			take_binary(&row, p, n);
		} else {
			db_row_value(&row, p == NULL ? (const uint8_t *)"" : p, n);
		}
	}
	db_row_add(&ex->ex, &row);
}

/* Of a request that is being answered. */
static void take_answer(struct pg *pg, struct pg_exchange *ex, const struct pg_message *m)
{
	switch (m->type) {
	case '1':
		ex->parse_due = false;
		if (!ex->executes && !ex->bind_due) {
			set_ok(ex);
		}
		break;
	case '2':
		ex->bind_due = false;
		break;
	case 'T':
		take_columns(pg, ex, m);
		break;
	case 'D':
		ex->data_rows++;
		ex->has_data = true;
		take_row(pg, ex, m);
		break;
	case 'C':
		take_complete(ex, m);
		break;
	case 'I':
		ex->ex.has_rows = true;
		set_ok(ex);
		end_result(ex);
		break;
	case 's':
		ex->ex.rows += ex->data_rows;
		ex->ex.has_rows = true;
		set_ok(ex);
		end_result(ex);
		break;
	case 'G':
	case 'W':
		ex->copies_in = true;
		break;
	case 'H':
		ex->copies_out = true;
		break;
	case 'd':
		ex->copy_out += m->full;
		ex->copies_out = true;
		break;
	default:
		break;
	}
}

void pg_server_message(struct pg *pg, const struct pg_message *m)
{
	struct pg_exchange *ex;

	switch (m->type) {
	case 'R':
		take_authentication(pg, m);
		return;
	case 'S':
		take_parameter(pg, m);
		return;
	case 'K':
	case 'Z': /* see pg_server_end() */
		return;
	case 'A':
		pg->notifications++;
		return;
	case 'N':
		ex = head(pg);
		if (ex != NULL) {
			ex->notices++;
		}
		return;
	case 'E':
		take_error(pg, answered(pg, m), m);
		return;
	default:
		ex = answered(pg, m);
		if (ex != NULL) {
			take_answer(pg, ex, m);
		}
	}
}

/* ---- ends ---- */

/* The exchange at the head of the queue belongs to the unit that ends here. */
static void end_of_unit(struct pg *pg, struct pg_exchange *ex, uint64_t end,
			const struct weir_mark *mark)
{
	struct db_message *response = &ex->ex.side[WEIR_S2C];

	if (ex->kind == PG_LOGIN) {
		pg_finish(pg, ex); /* who is there; no transaction */
		return;
	}
	if (!response->begun && pg->unit_error) {
		weir_record_set_bool(ex->ex.rec, PG_F_SKIPPED, true);
		ex->ex.no_reply = true;
	} else {
		if (!response->begun) {
			db_begin(&ex->ex, WEIR_S2C, end - 6, mark);
		}
		db_touch(&pg->db, &ex->ex, WEIR_S2C, end, mark);
		response->done = true;
		if (ex->kind == PG_EXTENDED && response->missing == 0) {
			set_ok(ex);
		}
	}
	pg_finish(pg, ex);
}

/* ReadyForQuery. */
static void take_ready(struct pg *pg, uint64_t end, const struct weir_mark *mark)
{
	struct pg_exchange *ex = head(pg);
	uint32_t unit;

	if (pg->orphan != NULL) {
		ex = pg->orphan;
		pg->orphan = NULL;
		ex->ex.side[WEIR_S2C].done = true;
		db_touch(&pg->db, &ex->ex, WEIR_S2C, end, mark);
		pg_finish(pg, ex);
		pg->unit_error = false;
		return;
	}
	if (ex != NULL && ex->kind == PG_LOGIN) {
		end_of_unit(pg, ex, end, mark);
		pg->unit_error = false;
		return;
	}
	if (pg->db.s2c_lost && ex != NULL) {
		ex = (struct pg_exchange *)db_choose(&pg->db, end - 6, mark->peer_ack);
		pg->unit_done = ex == NULL ? pg->unit_done : ex->unit;
	}
	unit = pg->unit_done;
	while ((ex = head(pg)) != NULL && ex->unit <= unit && ex != pg->building) {
		end_of_unit(pg, ex, end, mark);
	}
	pg->unit_error = false;
	if (pg->unit_done < pg->unit_sent) {
		pg->unit_done++;
	}
	if (!pg->db.pipelines) {
		/* in step again: what comes answers what is asked from now on */
		pg->db.s2c_lost = false;
		pg->unit_done = head(pg) != NULL ? head(pg)->unit : pg->unit_sent;
	}
}

void pg_server_end(struct pg *pg, uint8_t type, uint64_t end, const struct weir_mark *mark)
{
	struct pg_exchange *ex = pg->orphan != NULL ? pg->orphan : head(pg);

	if (type == 'Z') {
		/* without its last byte: it was told by its head, which is kept */
		take_ready(pg, end, mark == NULL ? &pg->side[WEIR_S2C].mark : mark);
		return;
	}
	if (ex == NULL || type == 'A' || !ex->ex.side[WEIR_S2C].begun) {
		return;
	}
	db_touch(&pg->db, &ex->ex, WEIR_S2C, end, mark);
	if (type == 'E') {
		/* FATAL: nothing follows. In an extended query the server skips to Sync */
		if (ex->kind == PG_LOGIN || ex->kind == PG_EXTENDED) {
			ex->ex.side[WEIR_S2C].done = true;
			pg_finish(pg, ex);
		}
	} else if ((type == 'C' || type == 'I' || type == 's') && ex->kind == PG_EXTENDED &&
		   ex->executes) {
		ex->ex.side[WEIR_S2C].done = true;
		pg_finish(pg, ex);
	}
}
