/* SPDX-License-Identifier: Apache-2.0 */
/* What a MySQL client sends: login and commands (MySQL internals, "Connection Phase", "Command Phase"). */
#include "parser/mysql.h"

#include <string.h>

static const struct weir_anomaly midstream = {
	"mysql.midstream", "info", NULL,
	"commands without a login: what the two agreed on is told from the packets"};

const char *my_command_name(unsigned command)
{
	static const char *const names[MY_COMMANDS] = {
		"SLEEP",
		"QUIT",
		"INIT_DB",
		"QUERY",
		"FIELD_LIST",
		"CREATE_DB",
		"DROP_DB",
		"REFRESH",
		"SHUTDOWN",
		"STATISTICS",
		"PROCESS_INFO",
		"CONNECT",
		"PROCESS_KILL",
		"DEBUG",
		"PING",
		"TIME",
		"DELAYED_INSERT",
		"CHANGE_USER",
		"BINLOG_DUMP",
		"TABLE_DUMP",
		"CONNECT_OUT",
		"REGISTER_SLAVE",
		"STMT_PREPARE",
		"STMT_EXECUTE",
		"STMT_SEND_LONG_DATA",
		"STMT_CLOSE",
		"STMT_RESET",
		"SET_OPTION",
		"STMT_FETCH",
		"DAEMON",
		"BINLOG_DUMP_GTID",
		"RESET_CONNECTION",
	};

	switch (command) {
	case MY_LOGIN:
		return "LOGIN";
	case MY_CONNECT:
		return "CONNECT";
	case MY_BULK:
		return "STMT_BULK_EXECUTE";
	default:
		return command < MY_COMMANDS ? names[command] : "UNKNOWN";
	}
}

size_t my_client_prefix(const struct mysql *my, uint8_t seq, uint8_t first)
{
	if (seq != 0) {
		return my->logged_in || my->db.head != NULL
			       ? 0
			       : 1024; /* login; else a secret, or a file */
	}
	switch (first) {
	case MY_QUERY:
	case MY_STMT_PREPARE:
	case MY_STMT_EXECUTE:
		return MY_TEXT_PREFIX;
	default:
		return 256;
	}
}

/* ---- login ---- */

/* Bytes of the answer to the challenge: passed by, never kept. */
static void pass_secret(struct wire *wire, uint32_t capabilities)
{
	if ((capabilities & MY_CAP_LENENC_AUTH) != 0) {
		(void)wire_skip(wire, (size_t)my_lenenc(wire));
	} else if ((capabilities & MY_CAP_SECURE) != 0) {
		(void)wire_skip(wire, wire_u8(wire));
	} else {
		(void)my_text(wire);
	}
}

static void agree(struct mysql *my, uint32_t capabilities)
{
	my->capabilities = my->greeted ? capabilities & my->server_capabilities : capabilities;
	my->capabilities_known = true;
	my->eof_known = true;
	my->no_eof = (my->capabilities & MY_CAP_DEPRECATE_EOF) != 0;
}

/* HandshakeResponse41: capabilities(4), largest packet(4), character set(1), 23 bytes, user NUL, answer, database NUL, plugin NUL */
static void take_login41(struct mysql *my, struct wire *wire, uint32_t capabilities)
{
	struct weir_str text;

	(void)wire_skip(wire, 28);
	text = my_text(wire);
	if (!wire_ok(wire)) {
		return;
	}
	db_name_set(&my->db.user, text.p, text.len);
	pass_secret(wire, capabilities);
	if ((capabilities & MY_CAP_DATABASE) != 0 && wire_ok(wire)) {
		text = my_text(wire);
		db_name_set(&my->db.namespace, text.p, text.len);
	}
	if ((capabilities & MY_CAP_PLUGIN) != 0 && wire_ok(wire)) {
		text = my_text(wire);
		db_name_set(&my->plugin, text.p, text.len);
	}
}

static void take_login(struct mysql *my, const struct my_packet *packet)
{
	struct my_exchange *ex;
	struct weir_str user;
	struct wire wire;
	uint32_t capabilities;

	wire_init(&wire, packet->p, packet->len);
	capabilities = my_u16(&wire);
	if ((capabilities & MY_CAP_41) != 0) {
		capabilities |= (uint32_t)my_u16(&wire) << 16;
	}
	if (packet->full == 32 && (capabilities & MY_CAP_SSL) != 0) {
		my->switching = true;
		return;
	}
	agree(my, capabilities);
	ex = my_exchange_new(my, MY_LOGIN, WEIR_C2S, packet);
	if ((capabilities & MY_CAP_41) != 0) {
		take_login41(my, &wire, capabilities);
	} else {
		(void)wire_skip(&wire, 3);
		user = my_text(&wire);
		db_name_set(&my->db.user, user.p, user.len);
	}
	if (ex == NULL) {
		my->logged_in = true; /* go on without */
	}
}

/* ---- commands ---- */

/* A key of a statement whose number is not known yet: of the n-th COM_STMT_PREPARE. */
static void pending_key(uint32_t n, uint8_t key[5])
{
	key[0] = 'p';
	memcpy(key + 1, &n, 4);
}

static void take_text(struct mysql *my, struct my_exchange *ex, struct wire *wire,
		      const struct my_packet *packet)
{
	uint64_t full = packet->full - (uint64_t)(wire->at - packet->p);
	size_t len = wire_left(wire);
	uint8_t key[5];

	if (ex->command == MY_STMT_PREPARE) {
		ex->prepare = ++my->nprepared;
		pending_key(ex->prepare, key);
		(void)db_statements_put(&my->db, &my->statements, key, 5, wire->at, len, full);
	}
	ex->query_size = full;
	db_statement(&my->db, &ex->ex, wire->at, len, full, DB_DIALECT_MYSQL);
}

/* Attributes before a query's text: their number, how many sets (1), values. Without a login: only if there are none. */
static void take_query(struct mysql *my, struct my_exchange *ex, struct wire *wire,
		       const struct my_packet *packet)
{
	const uint8_t *from = wire->at;

	if ((my->capabilities & MY_CAP_ATTRIBUTES) != 0) {
		uint64_t n = my_lenenc(wire);

		(void)my_lenenc(wire);
		my_values(NULL, wire, n, NULL, true);
	} else if (!my->capabilities_known && wire_left(wire) > 2 && from[0] == 0 && from[1] == 1) {
		(void)wire_skip(wire, 2);
	}
	if (wire_ok(wire)) {
		take_text(my, ex, wire, packet);
	}
}

/* MariaDB: -1 is the last one prepared, whose number the client may not know yet. */
static struct db_text *find_statement(struct mysql *my, uint32_t id)
{
	struct db_text *text = NULL;
	uint8_t key[5];

	if (id == UINT32_MAX) {
		pending_key(my->nprepared, key);
		text = db_statements_get(&my->statements, key, 5);
	}
	return text != NULL ? text : db_statements_get(&my->statements, &id, 4);
}

static void take_execute(struct mysql *my, struct my_exchange *ex, struct wire *wire)
{
	uint32_t id = my_u32(wire);
	uint8_t flags = wire_u8(wire);
	struct db_text *text = find_statement(my, id);
	bool attributes = (my->capabilities & MY_CAP_ATTRIBUTES) != 0;
	uint64_t n;

	(void)wire_skip(wire, 4);
	weir_record_set_u64(ex->ex.rec, MY_F_STATEMENT_ID, id);
	if (text == NULL || ex->command == MY_BULK) {
		return;
	}
	db_statement(&my->db, &ex->ex, text->text, text->len, text->full_len, DB_DIALECT_MYSQL);
	n = text->nparameters;
	if (attributes && (n > 0 || (flags & 8) != 0)) {
		n = my_lenenc(wire);
	}
	my_values(ex, wire, n, text, attributes);
	text->long_data = 0;
}

static void take_statement_id(struct mysql *my, struct my_exchange *ex, struct wire *wire)
{
	uint32_t id = my_u32(wire);
	struct db_text *text;
	uint16_t parameter;

	if (!wire_ok(wire)) {
		return;
	}
	weir_record_set_u64(ex->ex.rec, MY_F_STATEMENT_ID, id);
	text = find_statement(my, id);
	if (ex->command == MY_STMT_CLOSE) {
		db_statements_remove(&my->db, &my->statements, &id, 4);
	} else if (text != NULL && ex->command == MY_STMT_LONG_DATA) {
		parameter = my_u16(wire);
		text->long_data |= parameter < 64 ? UINT64_C(1) << parameter : 0;
	} else if (text != NULL && ex->command == MY_STMT_RESET) {
		text->long_data = 0;
	}
}

/* user NUL, answer, database NUL */
static void take_change_user(struct mysql *my, struct wire *wire)
{
	struct weir_str text = my_text(wire);

	db_name_set(&my->db.user, text.p, text.len);
	pass_secret(wire, MY_CAP_SECURE);
	if (wire_ok(wire)) {
		text = my_text(wire);
		db_name_set(&my->db.namespace, text.p, text.len);
	}
	db_statements_clear(&my->db, &my->statements);
}

static void take_arguments(struct mysql *my, struct my_exchange *ex, const struct my_packet *packet)
{
	struct weir_str table;
	struct wire wire;

	wire_init(&wire, packet->p, packet->len);
	(void)wire_u8(&wire);
	switch (ex->command) {
	case MY_QUERY:
		take_query(my, ex, &wire, packet);
		break;
	case MY_STMT_PREPARE:
		take_text(my, ex, &wire, packet);
		break;
	case MY_STMT_EXECUTE:
	case MY_BULK:
		take_execute(my, ex, &wire);
		break;
	case MY_STMT_CLOSE:
	case MY_STMT_RESET:
	case MY_STMT_LONG_DATA:
	case MY_STMT_FETCH:
		take_statement_id(my, ex, &wire);
		break;
	case MY_FIELD_LIST:
		table = my_text(&wire);
		weir_record_set_bytes(ex->ex.rec, DB_F_TARGET, table.p, table.len, DB_NAME_MAX);
		break;
	case MY_INIT_DB:
		db_name_set(&my->wanted, wire.at, wire_left(&wire));
		break;
	case MY_CHANGE_USER:
		take_change_user(my, &wire);
		break;
	case MY_RESET:
		db_statements_clear(&my->db, &my->statements);
		break;
	default:
		break;
	}
}

static void take_command(struct mysql *my, const struct my_packet *packet)
{
	uint8_t command = packet->len > 0 ? packet->p[0] : 0;
	struct my_exchange *ex;

	my->logged_in = true;
	ex = my_exchange_new(my, command, WEIR_C2S, packet);
	if (!my->capabilities_known && !my->midstream_told) {
		my->midstream_told = true;
		weir_host_anomaly(my->db.host, ex == NULL ? NULL : ex->ex.rec, &midstream, WEIR_C2S,
				  packet->begin);
	}
	if (ex != NULL) {
		take_arguments(my, ex, packet);
	}
}

void my_client_packet(struct mysql *my, const struct my_packet *packet)
{
	struct my_side *side = &my->side[WEIR_C2S];
	struct my_exchange *last = my->last;

	if (side->continues) {
		if (last != NULL && last->query_size > 0) {
			last->query_size += packet->full;
		}
	} else if (packet->seq == 0) {
		take_command(my, packet);
	} else if (!my->logged_in && my->db.head == NULL && last == NULL) {
		take_login(my, packet);
	} else if (last != NULL && last->command == MY_QUERY) {
		last->infile_bytes += packet->full;
	}
	side->continues = packet->goes_on;
	if (my->last != NULL) {
		/* what follows of this packet goes by */
		my->last->ex.side[WEIR_C2S].done = false;
	}
}

void my_client_end(struct mysql *my, uint64_t end, const struct weir_mark *mark)
{
	struct my_exchange *ex = my->last;

	if (ex == NULL) {
		return;
	}
	db_touch(&my->db, &ex->ex, WEIR_C2S, end, mark);
	ex->ex.side[WEIR_C2S].done = !my->side[WEIR_C2S].continues;
	if (ex->ex.side[WEIR_C2S].done && ex->ex.no_reply) {
		my_finish(my, ex);
	}
}
