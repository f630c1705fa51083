/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a MySQL server sends: greeting, results (MySQL internals, "Connection Phase", "Text Resultset", "COM_STMT_PREPARE Response").
 *
 * A result is OK, ERR, a request for a file, or a set of rows: number of columns, definitions, EOF, rows, EOF; with DEPRECATE_EOF the first
 * EOF is gone and the second is an OK that begins with 0xfe. Which of the two it is, is told from what follows the first definitions when
 * the login was not captured. A flag says whether another result follows.
 */
#include "parser/mysql.h"

#include <stdio.h>
#include <string.h>

enum {
	ERR_PROGRESS = 0xffff, /* errno of what is no error: how far a long statement has come */
	STATUS_MORE = 0x0008,
	STATUS_CURSOR = 0x0040,
	ROW_PREFIX = 40,
	EOF_MAX = 5 /* bytes of an EOF packet; an OK has 7 or more */
};

static const struct weir_anomaly local_infile = {"mysql.local_infile", "medium",
						 "MySQL internals, LOCAL INFILE Request",
						 "the server asks the client for a file"};

/* Of a result: what is kept of it has to be here. */
static size_t result_prefix(const struct mysql *my, const struct db_exchange *ex)
{
	if (my->expect == MY_DEFINITIONS && db_wants_column(&my->db, ex)) {
		return MY_COLUMN_PREFIX;
	}
	if ((my->expect == MY_ROWS || my->expect == MY_DEFINITIONS_END) &&
	    db_wants_row(&my->db, ex)) {
		return DB_ROW_PREFIX;
	}
	return ROW_PREFIX;
}

size_t my_server_prefix(const struct mysql *my, uint8_t first)
{
	if (first == 0xff) {
		return 3 + 6 + DB_MESSAGE_MAX;
	}
	if (my->expect == MY_FIRST &&
	    (first == 0xfb || first == 10 || first == 9 || first == 0xfe)) {
		return 512;
	}
	return my->answering == NULL ? ROW_PREFIX : result_prefix(my, &my->answering->ex);
}

/* ---- packets of the connection phase ---- */

/* version, NUL, thread(4), 8 bytes of challenge, 0, capabilities(2), character set, status(2), capabilities(2), length, 10 bytes */
static void take_greeting(struct mysql *my, const struct my_packet *packet)
{
	static const char maria[] = "5.5.5-";
	struct weir_str version;
	struct wire wire;

	wire_init(&wire, packet->p + 1, packet->len - 1);
	version = my_text(&wire);
	if (memmem(version.p, version.len, "MariaDB", 7) != NULL) {
		my->db.system = "mariadb";
		/* what old replicas could read stands before the version */
		if (version.len > 6 && memcmp(version.p, maria, 6) == 0) {
			version.p += 6;
			version.len -= 6;
		}
	}
	db_name_set(&my->db.version, version.p, version.len);
	my->thread_id = my_u32(&wire);
	(void)wire_skip(&wire, 9);
	my->server_capabilities = my_u16(&wire);
	(void)wire_skip(&wire, 3);
	my->server_capabilities |= (uint32_t)my_u16(&wire) << 16;
	my->greeted = wire_ok(&wire);
}

/* ---- results ---- */

static void take_error(struct my_exchange *ex, const struct my_packet *packet)
{
	struct wire wire;
	char code[8];
	int n;

	wire_init(&wire, packet->p + 1, packet->len - 1);
	n = snprintf(code, sizeof(code), "%u", my_u16(&wire));
	if (wire_left(&wire) >= 6 && wire.at[0] == '#') {
		weir_record_set_bytes(ex->ex.rec, MY_F_SQLSTATE, wire.at + 1, 5, SIZE_MAX);
		(void)wire_skip(&wire, 6);
	}
	db_error(&ex->ex, code, (size_t)n, wire.at, wire_left(&wire));
}

/* header, affected rows, insert id, status(2), warnings(2). The status. */
static uint16_t take_ok(struct my_exchange *ex, const struct my_packet *packet, bool rows)
{
	uint64_t affected, insert_id;
	uint16_t status, warnings;
	struct wire wire;

	wire_init(&wire, packet->p + 1, packet->len - 1);
	affected = my_lenenc(&wire);
	insert_id = my_lenenc(&wire);
	status = my_u16(&wire);
	warnings = my_u16(&wire);
	if (!wire_ok(&wire)) {
		warnings = 0;
	}
	if (!rows) {
		ex->ex.affected += affected;
		ex->ex.has_affected = true;
	}
	if (insert_id > 0) {
		weir_record_set_u64(ex->ex.rec, MY_F_INSERT_ID, insert_id);
	}
	if (warnings > 0) {
		weir_record_set_u64(ex->ex.rec, MY_F_WARNINGS, warnings);
	}
	return status;
}

/* header, warnings(2), status(2); of servers before 4.1 the header alone */
static uint16_t take_eof(struct my_exchange *ex, const struct my_packet *packet)
{
	struct wire wire;
	uint16_t warnings;

	wire_init(&wire, packet->p + 1, packet->len - 1);
	warnings = my_u16(&wire);
	if (warnings > 0) {
		weir_record_set_u64(ex->ex.rec, MY_F_WARNINGS, warnings);
	}
	return my_u16(&wire);
}

static void set_ok(struct my_exchange *ex)
{
	if (ex->ex.status == DB_STATUS_NONE) {
		ex->ex.status = DB_STATUS_OK;
	}
}

/* A result has come to its end. true: it was the last one */
static bool end_result(struct mysql *my, struct my_exchange *ex, uint16_t status)
{
	set_ok(ex);
	ex->results++;
	my->expect = MY_FIRST;
	return (status & STATUS_MORE) == 0;
}

static bool is_end(const struct mysql *my, const struct my_packet *packet)
{
	return packet->len > 0 && packet->p[0] == 0xfe &&
	       (my->no_eof ? packet->full < MY_PACKET_MAX : packet->full < 9);
}

static bool take_row(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	if (packet->len > 0 && packet->p[0] == 0xff) {
		take_error(ex, packet);
		return true;
	}
	if (is_end(my, packet)) {
		uint16_t status =
			packet->full <= EOF_MAX ? take_eof(ex, packet) : take_ok(ex, packet, true);

		return end_result(my, ex, status);
	}
	ex->ex.rows++;
	my_row(my, ex, packet);
	return false;
}

/* Behind the definitions: EOF, or rows at once. */
static bool take_definitions_end(struct mysql *my, struct my_exchange *ex,
				 const struct my_packet *packet)
{
	bool eof = packet->len > 0 && packet->p[0] == 0xfe && packet->full <= EOF_MAX;

	my->expect = MY_ROWS;
	if (!my->eof_known) {
		my->eof_known = true;
		my->no_eof = !eof;
	}
	if (!my->no_eof && eof) {
		uint16_t status = take_eof(ex, packet);

		/* rows are for COM_STMT_FETCH */
		return (status & STATUS_CURSOR) != 0 && end_result(my, ex, status);
	}
	return take_row(my, ex, packet);
}

/* The number of columns; MariaDB and MySQL may say beside it that no definitions follow. */
static bool take_columns(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	bool optional = (my->capabilities & MY_CAP_OPTIONAL_METADATA) != 0 && packet->full > 1 &&
			packet->p[0] <= 1;
	bool follow = true;
	struct wire wire;
	uint64_t n;

	wire_init(&wire, packet->p, packet->len);
	if (optional) {
		follow = wire_u8(&wire) != 0;
	}
	n = my_lenenc(&wire);
	if (!optional && wire_ok(&wire) && wire_left(&wire) == 1) {
		follow = wire_u8(&wire) != 0;
	}
	ex->ex.has_rows = true;
	ex->ncolumns = n;
	weir_record_set_u64(ex->ex.rec, MY_F_COLUMNS, n);
	my->left = n;
	my->expect = n > 0 && follow ? MY_DEFINITIONS : MY_DEFINITIONS_END;
	if (my->expect == MY_DEFINITIONS_END && my->eof_known && my->no_eof) {
		my->expect = MY_ROWS;
	}
	return false;
}

static void take_infile(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	ex->infile = true;
	weir_record_set_bytes(ex->ex.rec, MY_F_INFILE_NAME, packet->p + 1, packet->len - 1, 256);
	weir_host_anomaly(my->db.host, ex->ex.rec, &local_infile, WEIR_S2C, packet->begin);
}

static bool take_first(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	uint8_t first = packet->len > 0 ? packet->p[0] : 0xfe;
	bool metadata = (my->capabilities & MY_CAP_OPTIONAL_METADATA) != 0 && packet->full < 7;

	if (first == 0xff) {
		take_error(ex, packet);
		return true;
	}
	if (first == 0 && !metadata) {
		return end_result(my, ex, take_ok(ex, packet, false));
	}
	if (first == 0xfe && packet->full < 9) {
		return end_result(my, ex, take_eof(ex, packet)); /* of commands without rows */
	}
	if (first == 0xfb) {
		take_infile(my, ex, packet);
		return false;
	}
	return take_columns(my, ex, packet);
}

/* ---- prepared statements ---- */

/* What follows the definitions of parameters, or of columns. true: nothing */
static bool next_definitions(struct mysql *my, struct my_exchange *ex)
{
	if (my->expect != MY_PREPARED && my->expect != MY_PREPARED_END && my->columns_left > 0) {
		my->left = my->columns_left;
		my->columns_left = 0;
		my->expect = MY_PREPARED;
		return false;
	}
	my->expect = MY_FIRST;
	set_ok(ex);
	return true;
}

/* 0, statement(4), columns(2), parameters(2), 0, warnings(2) */
static bool take_prepared(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	uint8_t key[5] = {'p'};
	struct db_text *text;
	struct wire wire;
	uint16_t parameters;
	uint32_t id;

	if (packet->len > 0 && packet->p[0] == 0xff) {
		take_error(ex, packet);
		return true;
	}
	wire_init(&wire, packet->p, packet->len);
	(void)wire_u8(&wire);
	id = my_u32(&wire);
	my->columns_left = my_u16(&wire);
	parameters = my_u16(&wire);
	weir_record_set_u64(ex->ex.rec, MY_F_STATEMENT_ID, id);
	weir_record_set_u64(ex->ex.rec, MY_F_STATEMENT_PARAMETERS, parameters);
	weir_record_set_u64(ex->ex.rec, MY_F_COLUMNS, my->columns_left);
	memcpy(key + 1, &ex->prepare, 4);
	text = db_statements_get(&my->statements, key, 5);
	if (text != NULL) {
		db_statements_remove(&my->db, &my->statements, &id, 4);
		memcpy(text->key, &id, 4);
		text->key_len = 4;
		text->nparameters = parameters;
	}
	if (parameters > 0) {
		my->left = parameters;
		my->expect = MY_PARAMETERS;
		return false;
	}
	my->expect = MY_PARAMETERS;
	return next_definitions(my, ex);
}

/* One definition of a prepared statement has come. */
static bool take_definition(struct mysql *my, struct my_exchange *ex, enum my_expect end)
{
	if (--my->left > 0) {
		return false;
	}
	if (my->eof_known && my->no_eof) {
		return next_definitions(my, ex);
	}
	/* where it is not known whether an EOF follows, the last one is not waited for: what comes next tells */
	if (!my->eof_known && (end == MY_PREPARED_END || my->columns_left == 0)) {
		set_ok(ex);
		my->expect = MY_PERHAPS_OVER;
		return false;
	}
	my->expect = (uint8_t)end;
	return false;
}

static bool take_prepare(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	bool eof = packet->len > 0 && packet->p[0] == 0xfe && packet->full <= EOF_MAX;

	switch (my->expect) {
	case MY_PARAMETERS:
		return take_definition(my, ex, MY_PARAMETERS_END);
	case MY_PREPARED:
		return take_definition(my, ex, MY_PREPARED_END);
	case MY_PARAMETERS_END:
		my->eof_known = true;
		my->no_eof = !eof;
		if (next_definitions(my, ex)) {
			return true;
		}
		return !eof && take_definition(my, ex, MY_PREPARED_END);
	case MY_PREPARED_END:
	case MY_PERHAPS_OVER:
		my->expect = MY_PREPARED_END;
		return next_definitions(my, ex);
	default:
		return take_prepared(my, ex, packet);
	}
}

/* ---- which response it is part of ---- */

/* After a loss, or mid-stream, the first packet of a result: OK, ERR, or a number of columns and nothing else. */
static bool is_first_packet(const struct my_packet *packet)
{
	uint8_t first = packet->len > 0 ? packet->p[0] : 0xfe;

	if (packet->seq != 1) {
		return false;
	}
	if (first == 0) {
		return packet->full >= 7 && packet->full != 12;
	}
	if (first == 0xff) {
		return packet->full >= 9;
	}
	return first < 0xfb ? packet->full == 1 : first == 0xfc && packet->full == 3;
}

static struct my_exchange *begin_answer(struct mysql *my, const struct my_packet *packet)
{
	struct my_exchange *ex =
		(struct my_exchange *)db_choose(&my->db, packet->begin, packet->mark->peer_ack);

	my->expect = MY_FIRST;
	if (ex == NULL) {
		if (packet->len > 0 && packet->p[0] == 0xfe && packet->full <= EOF_MAX &&
		    packet->seq > 1) {
			/* what the last definitions of a prepared statement were not known to have behind them */
			my->eof_known = true;
			my->no_eof = false;
			return NULL;
		}
		if (!is_first_packet(packet)) {
			my_lose(my, WEIR_S2C);
			return NULL;
		}
		ex = my_exchange_new(my, MY_UNKNOWN, WEIR_S2C, packet);
	} else {
		db_begin(&ex->ex, WEIR_S2C, packet->begin, packet->mark);
		if (ex->command == MY_STMT_FETCH) {
			my->expect = MY_ROWS;
			ex->ex.has_rows = true;
		}
	}
	my->answering = ex;
	return ex;
}

static bool take_login_answer(struct mysql *my, struct my_exchange *ex,
			      const struct my_packet *packet)
{
	struct weir_str plugin;
	struct wire wire;

	switch (packet->len > 0 ? packet->p[0] : 1) {
	case 0:
		set_ok(ex);
		if (ex->command == MY_LOGIN) {
			my->logged_in = true;
			my->zstd = (my->capabilities & MY_CAP_ZSTD) != 0 &&
				   (my->capabilities & MY_CAP_COMPRESS) == 0;
			my->compressed = my->zstd || (my->capabilities & MY_CAP_COMPRESS) != 0;
			my->compressed_from = packet->end;
		}
		return true;
	case 0xff:
		take_error(ex, packet);
		return true;
	case 0xfe:
		wire_init(&wire, packet->p + 1, packet->len - 1);
		plugin = my_text(&wire);
		db_name_set(&my->plugin, plugin.p, plugin.len);
		return false;
	default:
		return false; /* more of the plugin's talk */
	}
}

/* MariaDB knowledge base, "Progress Reporting": an ERR packet, stage, stages, progress(3), text; the result comes later. */
static bool is_progress(const struct my_packet *packet)
{
	return packet->len >= 3 && packet->p[0] == 0xff && load_le16(packet->p + 1) == ERR_PROGRESS;
}

static bool take_answer(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	if (is_progress(packet)) {
		return false;
	}
	switch (ex->command) {
	case MY_LOGIN:
	case MY_CHANGE_USER:
		return take_login_answer(my, ex, packet);
	case MY_STMT_PREPARE:
		return take_prepare(my, ex, packet);
	case MY_STATISTICS:
		set_ok(ex);
		return true;
	case MY_BINLOG_DUMP:
	case MY_BINLOG_DUMP_GTID:
	case MY_FIELD_LIST:
		my->no_eof &= my->eof_known;
		ex->ex.has_rows = true;
		return take_row(my, ex, packet);
	default:
		break;
	}
	switch (my->expect) {
	case MY_DEFINITIONS:
		my_column(my, ex, packet);
		if (--my->left == 0) {
			my->expect = my->eof_known && my->no_eof ? MY_ROWS : MY_DEFINITIONS_END;
		}
		return false;
	case MY_DEFINITIONS_END:
		return take_definitions_end(my, ex, packet);
	case MY_ROWS:
		return take_row(my, ex, packet);
	default:
		return take_first(my, ex, packet);
	}
}

/* The server's first packet; false: it is none of the connection phase. */
static bool take_hello(struct mysql *my, const struct my_packet *packet)
{
	struct my_exchange *ex;

	if (my->greeted || packet->seq != 0 || packet->len == 0) {
		return false;
	}
	if (packet->p[0] == 10 || packet->p[0] == 9) {
		take_greeting(my, packet);
		return true;
	}
	if (packet->p[0] != 0xff || packet->len < 3) {
		return false;
	}
	ex = my_exchange_new(my, MY_CONNECT, WEIR_S2C, packet);
	my->answering = ex;
	if (ex != NULL) {
		take_error(ex, packet);
		ex->ex.side[WEIR_S2C].done = true;
	}
	return true;
}

/* Behind the last definition of a prepared statement: the EOF that ends it, or the beginning of the next response. */
static void tell_whether_over(struct mysql *my, const struct my_packet *packet)
{
	my->eof_known = true;
	my->no_eof = !(packet->p[0] == 0xfe && packet->full <= EOF_MAX && packet->seq > 1);
	if (my->no_eof) {
		my_finish(my, my->answering);
	}
}

void my_server_packet(struct mysql *my, const struct my_packet *packet)
{
	struct my_side *side = &my->side[WEIR_S2C];
	bool continued = side->continues;
	struct my_exchange *ex;

	side->continues = packet->goes_on;
	if (continued || packet->len == 0 || take_hello(my, packet)) {
		return;
	}
	if (my_perhaps_over(my)) {
		tell_whether_over(my, packet);
	}
	ex = my->answering != NULL ? my->answering : begin_answer(my, packet);
	if (ex == NULL) {
		return;
	}
	ex->ex.side[WEIR_S2C].done = take_answer(my, ex, packet);
}

void my_server_end(struct mysql *my, uint64_t end, const struct weir_mark *mark)
{
	struct my_exchange *ex = my->answering;

	if (ex == NULL || my->side[WEIR_S2C].continues) {
		return;
	}
	db_touch(&my->db, &ex->ex, WEIR_S2C, end, mark);
	if (ex->ex.side[WEIR_S2C].done) {
		my->expect = MY_FIRST;
		my_finish(my, ex);
	}
}
