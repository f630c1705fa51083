/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MySQL 4.1 to 8.x and MariaDB (MySQL internals, "Client/Server Protocol"; MariaDB knowledge base, "Client/Server Protocol"): logins
 * that fail, commands and their results, prepared statements with their texts and parameters, LOCAL INFILE, compression. A login that
 * succeeds is no transaction: its user and database are said on those that follow. Answers to challenges are passed by unseen.
 *
 * Both directions are taken in the order of cause and effect: bytes wait (HOLD) until what their sender had received is parsed, as the
 * acknowledgements say, because what a packet means depends on the other side. Where they are forged (of bytes that come later, or smaller than
 * before) the order is that in which bytes came.
 *
 * Steps of a direction (enum my_step): START knows nothing; PACKETS is at a packet, or with `compressed` at a frame. LOST looks for a place
 * to go on: the client's is a packet of sequence 0 with a command at the beginning of a segment, the server's is where a command
 * says that its response begins. A hole inside of one packet leaves the direction in step. What TLS hides is handed to detection.
 */
#include "parser/mysql.h"

#include "parser/probe.h"

#include <string.h>

static const struct weir_field fields[] = {
	DB_FIELDS,
	{"mysql.statement.id", WEIR_KIND_U64, 0, "number of the prepared statement"},
	{"mysql.statement.parameters", WEIR_KIND_U64, 0, "placeholders of the prepared statement"},
	{"mysql.results", WEIR_KIND_U64, 0, "results of the request's statements"},
	{"mysql.columns", WEIR_KIND_U64, 0, "columns of the last result"},
	{"mysql.sqlstate", WEIR_KIND_STR, 0, "SQLSTATE of the error"},
	{"mysql.warnings", WEIR_KIND_U64, 0, "warnings of the last result that had some"},
	{"mysql.insert_id", WEIR_KIND_U64, 0, "id that the server made for the inserted row"},
	{"mysql.infile.name", WEIR_KIND_STR, 0, "file that the server asked the client for"},
	{"mysql.infile.bytes", WEIR_KIND_U64, 0, "bytes of it that the client sent"},
	{"mysql.thread.id", WEIR_KIND_U64, 0, "the connection's id on the server"},
	{"mysql.auth", WEIR_KIND_STR, 0, "plugin that the user logged in with"},
	{"mysql.compression", WEIR_KIND_STR, 0, "zlib or zstd"},
};

_Static_assert(sizeof(fields) / sizeof(fields[0]) == MY_F_END - WEIR_NCOMMON,
	       "enum my_field names every field of the table");

const struct weir_schema my_schema = {"mysql", fields, sizeof(fields) / sizeof(fields[0])};

static const struct weir_anomaly gap_anomaly = {
	"mysql.gap", "info", NULL,
	"bytes are missing between packets: resynchronised at the next command"};

/* ---- exchanges ---- */

static bool has_no_reply(unsigned command)
{
	return command == MY_QUIT || command == MY_STMT_CLOSE || command == MY_STMT_LONG_DATA;
}

/* The client's last command is over. One that waits for no reply is in no queue: it is told now. */
static void leave_last(struct mysql *my)
{
	if (my->last != NULL && !my->last->ex.queued) {
		my_finish(my, my->last);
	}
	my->last = NULL;
}

struct my_exchange *my_exchange_new(struct mysql *my, unsigned command, enum weir_direction dir,
				    const struct my_packet *packet)
{
	struct my_exchange *ex;

	if (dir == WEIR_C2S) {
		leave_last(my);
		/* the client has all of the last response, and goes on */
		if (my_perhaps_over(my) && packet->mark->peer_ack != WEIR_NO_ACK &&
		    packet->mark->peer_ack >= my->answering->ex.side[WEIR_S2C].end) {
			my_finish(my, my->answering);
		}
	}
	ex = db_exchange_new(&my->db, sizeof(*ex), dir, packet->begin, packet->mark);
	if (dir == WEIR_C2S) {
		my->last = ex;
	}
	if (ex == NULL) {
		return NULL;
	}
	ex->command = (uint16_t)command;
	ex->ex.no_reply = has_no_reply(command);
	if (command != MY_UNKNOWN) {
		db_command(&ex->ex, my_command_name(command));
	}
	if (dir == WEIR_C2S && !ex->ex.no_reply) {
		db_enqueue(&my->db, &ex->ex);
	}
	return ex;
}

static void fill(const struct mysql *my, struct my_exchange *ex)
{
	struct weir_record *rec = ex->ex.rec;

	if (ex->query_size > 0) {
		weir_record_set_u64(rec, DB_F_QUERY_SIZE, ex->query_size);
		if (weir_record_has(rec, DB_F_QUERY_TEXT)) {
			struct weir_value *text = &rec->values[DB_F_QUERY_TEXT];

			text->full_len =
				ex->query_size > UINT32_MAX ? UINT32_MAX : (uint32_t)ex->query_size;
		}
	}
	if (ex->results > 0) {
		weir_record_set_u64(rec, MY_F_RESULTS, ex->results);
	}
	if (ex->infile) {
		weir_record_set_u64(rec, MY_F_INFILE_BYTES, ex->infile_bytes);
	}
	if (my->thread_id != 0) {
		weir_record_set_u64(rec, MY_F_THREAD_ID, my->thread_id);
	}
	if (my->plugin.len > 0) {
		weir_record_set_bytes(rec, MY_F_AUTH, my->plugin.p, my->plugin.len, SIZE_MAX);
	}
	if (my->compressed) {
		weir_record_set_static(rec, MY_F_COMPRESSION, my->zstd ? "zstd" : "zlib");
	}
}

void my_finish(struct mysql *my, struct my_exchange *ex)
{
	my->last = my->last == ex ? NULL : my->last;
	if (my->answering == ex) {
		ex->ex.side[WEIR_S2C].done |= my_perhaps_over(my);
		my->answering = NULL;
		my->expect = MY_FIRST;
	}
	if (ex->command == MY_LOGIN && ex->ex.status != DB_STATUS_ERROR) {
		db_drop(&my->db, &ex->ex);
		return;
	}
	if (ex->command == MY_INIT_DB && ex->ex.status == DB_STATUS_OK) {
		my->db.namespace = my->wanted;
	}
	fill(my, ex);
	db_finish(&my->db, &ex->ex);
}

static void finish(struct db *db, struct db_exchange *ex)
{
	my_finish((struct mysql *)db, (struct my_exchange *)ex);
}

/* ---- packets ---- */

static uint64_t offset_of(const struct my_cursor *cur, const uint8_t *p)
{
	return cur->chunk->offset + (uint64_t)(p - cur->chunk->data);
}

void my_packet_end(struct mysql *my, enum weir_direction dir, uint64_t end,
		   const struct weir_mark *mark)
{
	if (dir == WEIR_C2S) {
		my_client_end(my, end, mark);
	} else {
		my_server_end(my, end, mark);
	}
}

/* Where the packet at the cursor begins and ends in the stream. */
static void place(const struct my_cursor *cur, struct my_packet *packet)
{
	if (cur->chunk != NULL) {
		packet->begin = offset_of(cur, cur->p);
		packet->end = packet->begin + 4 + packet->full;
		packet->mark = weir_chunk_mark(cur->chunk, packet->begin);
	} else {
		packet->begin = cur->side->frame_begin;
		packet->end = cur->side->frame_end;
		packet->mark = &cur->side->frame_mark;
	}
}

static size_t prefix_of(const struct my_cursor *cur, const struct my_packet *packet)
{
	size_t prefix;

	if (packet->full == 0) {
		return 0;
	}
	prefix = cur->dir == WEIR_C2S ? my_client_prefix(cur->my, packet->seq, packet->p[0])
				      : my_server_prefix(cur->my, packet->p[0]);
	return packet->full < prefix ? packet->full : prefix;
}

int my_take_packet(struct my_cursor *cur)
{
	size_t have = (size_t)(cur->end - cur->p);
	struct my_packet packet = {0};

	if (have < 4) {
		return WEIR_PARSE_NEED;
	}
	packet.full = cur->p[0] | (uint32_t)cur->p[1] << 8 | (uint32_t)cur->p[2] << 16;
	packet.seq = cur->p[3];
	packet.goes_on = packet.full == MY_PACKET_MAX;
	packet.p = cur->p + 4;
	place(cur, &packet);
	if (cur->chunk != NULL) {
		cur->side->begin = packet.begin;
		cur->side->end = packet.end;
	}
	if (have < 5 && packet.full > 0) {
		cur->side->first = 0xff; /* not known: nothing is made of it */
		return WEIR_PARSE_NEED;
	}
	packet.len = prefix_of(cur, &packet);
	if (have - 4 < packet.len) {
		cur->side->first = packet.p[0];
		return WEIR_PARSE_NEED;
	}
	if (cur->dir == WEIR_C2S) {
		my_client_packet(cur->my, &packet);
	} else {
		my_server_packet(cur->my, &packet);
	}
	if (cur->side->step == MY_LOST) {
		return MY_GO; /* it was none: the bytes are looked at again */
	}
	if (have - 4 < packet.full) {
		cur->skip = packet.full - (have - 4);
		cur->p = cur->end;
		return WEIR_PARSE_SKIP;
	}
	cur->p += 4 + packet.full;
	cur->side->end = 0;
	my_packet_end(cur->my, cur->dir, packet.end,
		      cur->chunk != NULL ? weir_chunk_mark(cur->chunk, packet.end - 1)
					 : cur->frame_mark);
	return MY_GO;
}

/* ---- after a loss ---- */

void my_lose(struct mysql *my, enum weir_direction dir)
{
	struct my_side *side = &my->side[dir];
	struct my_exchange *answering = my->answering;

	my_frames_reset(my, dir);
	side->step = MY_LOST;
	/* where in a segment a frame turned out to be broken depends on how it came */
	side->fresh = !my->compressed;
	side->continues = false;
	side->end = 0;
	if (dir == WEIR_C2S) {
		leave_last(my);
		return;
	}
	my->db.s2c_lost = true;
	my->answering = NULL;
	my->expect = MY_FIRST;
	if (answering != NULL && !answering->ex.queued) {
		my_finish(my, answering);
	}
}

/* length(3), 0, command: is it plausible? With compression: length(3), 0, length(3). 1, 0: too short to tell, -1 */
static int command_plausible(const uint8_t *p, size_t len, bool compressed)
{
	uint32_t full;

	if (len < 5) {
		return 0;
	}
	full = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	if (full == 0 || p[3] != 0) {
		return -1;
	}
	if (compressed) {
		return 1;
	}
	if (p[4] == 0 || (p[4] >= MY_COMMANDS && p[4] != MY_BULK)) {
		return -1;
	}
	switch (p[4]) {
	case MY_QUIT:
	case MY_STATISTICS:
	case MY_PROCESS_INFO:
	case MY_PING:
	case MY_RESET:
		return full == 1 ? 1 : -1;
	case MY_QUERY:
	case MY_STMT_PREPARE:
		if (len < 6) {
			return full > 1 ? 0 : -1;
		}
		return full > 1 && p[5] < 0x7f && (p[5] >= 0x20 || p[5] <= '\r') ? 1 : -1;
	case MY_STMT_CLOSE:
	case MY_STMT_RESET:
		return full == 5 ? 1 : -1;
	case MY_STMT_EXECUTE:
		return full >= 10 ? 1 : -1;
	default:
		return full < 1024 ? 1 : -1;
	}
}

/*
 * A frame of the compressed protocol that holds one command as it is, as short ones are: length(3), 0, 0(3), then the packet. 1, 0: too
 * short to tell, -1
 */
static int frame_plausible(const uint8_t *p, size_t len)
{
	uint32_t full, inner;

	if (len < 4 || (len < 12 && p[3] == 0 && (len < 5 || p[4] == 0))) {
		return 0;
	}
	if (len < 12 || p[3] != 0 || p[4] != 0 || p[5] != 0 || p[6] != 0) {
		return -1;
	}
	full = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	inner = p[7] | (uint32_t)p[8] << 8 | (uint32_t)p[9] << 16;
	if (inner + 4 != full) {
		return -1;
	}
	return command_plausible(p + 7, len - 7, false);
}

static int found(struct my_cursor *cur)
{
	cur->side->step = MY_PACKETS;
	cur->side->fresh = false;
	return MY_GO;
}

/* Frames, or packets as they are? What the client sent before it had the end of the login is as it was before. */
static bool is_framed(const struct my_cursor *cur)
{
	const struct mysql *my = cur->my;
	uint64_t ack = weir_chunk_mark(cur->chunk, offset_of(cur, cur->p))->peer_ack;

	return my->compressed && (cur->dir == WEIR_S2C || cur->side->frame_left > 0 ||
				  ack == WEIR_NO_ACK || ack >= my->compressed_from);
}

static int client_lost(struct my_cursor *cur)
{
	int got;

	if (cur->side->fresh || db_at_segment(cur->chunk, cur->p)) {
		got = command_plausible(cur->p, (size_t)(cur->end - cur->p), is_framed(cur));
		if (got >= 0) {
			return got == 0 ? WEIR_PARSE_NEED : found(cur);
		}
	}
	cur->side->fresh = false;
	cur->p = db_next_segment(cur->chunk, cur->p);
	return MY_GO;
}

static int skip_to_response(struct my_cursor *cur, const uint8_t *stop)
{
	uint64_t offset = offset_of(cur, cur->p);
	uint64_t at = db_resync(&cur->my->db, offset, offset_of(cur, stop),
				weir_chunk_mark(cur->chunk, offset)->peer_ack);

	cur->side->fresh = false;
	if (at == DB_NOWHERE) {
		cur->p = stop;
		return MY_GO;
	}
	cur->p += at - offset;
	return found(cur);
}

static int server_lost(struct my_cursor *cur)
{
	const struct my_side *client = &cur->my->side[WEIR_C2S];
	const uint8_t *stop = db_next_segment(cur->chunk, cur->p);
	uint64_t offset = offset_of(cur, cur->p);

	/* no further than to where the client's next command was sent: it may say what follows */
	if (client->holding && client->awaits > offset &&
	    client->awaits - offset < (uint64_t)(stop - cur->p)) {
		stop = cur->p + (client->awaits - offset);
	}
	return skip_to_response(cur, stop);
}

/* ---- the parser ---- */

/* Cause before effect: must these bytes wait for what their sender had received? */
static bool must_wait(struct my_cursor *cur)
{
	struct mysql *my = cur->my;
	struct db *db = &my->db;
	const struct my_side *other = &my->side[!cur->dir];
	const struct weir_mark *mark = weir_chunk_mark(cur->chunk, offset_of(cur, cur->p));
	int64_t limit_ns;

	if (mark->peer_ack == WEIR_NO_ACK || db->pos[!cur->dir] >= mark->peer_ack ||
	    db->closed[!cur->dir]) {
		return false;
	}
	/* each waits for the other: acknowledgements that contradict each other. From now on the client does not wait */
	my->contradicted |= other->holding && other->awaits > db->pos[cur->dir];
	cur->side->awaits = mark->peer_ack;
	if (cur->dir == WEIR_S2C) {
		return db_must_hold(db, mark, (size_t)(cur->end - cur->p));
	}
	if (my->contradicted) {
		return false;
	}
	limit_ns = db->any[WEIR_S2C] ? db->config->hole_age_ns : db->config->hole_age_oneway_ns;
	return cur->end - cur->p < DB_HOLD_LIMIT &&
	       weir_host_now(db->host) - mark->ts_ns <= limit_ns;
}

/* What the other direction's bytes waited for has come: they are first, however many bytes came here at once. */
static bool must_let_go(struct my_cursor *cur)
{
	const struct my_side *other = &cur->my->side[!cur->dir];

	cur->yields = other->holding && other->awaits <= cur->my->db.pos[cur->dir];
	return cur->yields;
}

/* The first bytes of a direction: the connection phase, or somewhere in the middle. */
static int start(struct my_cursor *cur)
{
	const uint8_t *p = cur->p;
	int got;

	if (cur->dir == WEIR_S2C) {
		return found(cur);
	}
	if (cur->end - p < 4) {
		return WEIR_PARSE_NEED;
	}
	if (p[3] == 1 && (cur->my->greeted || p[2] == 0)) {
		return found(cur);
	}
	got = command_plausible(p, (size_t)(cur->end - p), false);
	if (got < 0) {
		got = frame_plausible(p, (size_t)(cur->end - p));
		cur->my->compressed = got > 0;
	}
	if (got == 0) {
		return WEIR_PARSE_NEED;
	}
	if (got > 0) {
		return found(cur);
	}
	my_lose(cur->my, WEIR_C2S);
	cur->side->fresh = false;
	cur->p = db_next_segment(cur->chunk, cur->p);
	return MY_GO;
}

static int step(struct my_cursor *cur)
{
	struct my_side *side = cur->side;

	/* behind a hole within a packet: the rest of that packet */
	if (side->step == MY_PACKETS && !cur->my->compressed &&
	    side->end > offset_of(cur, cur->p) && side->begin < offset_of(cur, cur->p)) {
		cur->skip = side->end - offset_of(cur, cur->p);
		return WEIR_PARSE_SKIP;
	}
	if (side->step != MY_OVER && (must_wait(cur) || must_let_go(cur))) {
		return WEIR_PARSE_HOLD;
	}
	switch (side->step) {
	case MY_START:
		return start(cur);
	case MY_PACKETS:
		return is_framed(cur) ? my_take_frames(cur) : my_take_packet(cur);
	case MY_LOST:
		return cur->dir == WEIR_C2S ? client_lost(cur) : server_lost(cur);
	default:
		cur->p = cur->end;
		return MY_GO;
	}
}

static enum weir_verdict mysql_on_data(void *state, struct weir_host *host, enum weir_direction dir,
				       const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	struct mysql *my = state;
	struct my_cursor cur = {.my = my,
				.dir = dir,
				.side = &my->side[dir],
				.chunk = chunk,
				.p = chunk->data,
				.end = chunk->data + chunk->len};
	int verdict = MY_GO;

	(void)host;
	my->db.any[dir] = true;
	while (cur.p < cur.end && verdict == MY_GO && !my->switching) {
		verdict = step(&cur);
		db_moved(&my->db, dir, offset_of(&cur, cur.p));
	}
	cur.side->holding = verdict == WEIR_PARSE_HOLD && !cur.yields;
	ret->consumed = (size_t)(cur.p - chunk->data);
	if (my->switching) {
		ret->next = "tls";
		return WEIR_PARSE_SWITCH;
	}
	if (verdict == WEIR_PARSE_SKIP) {
		ret->skip = cur.skip;
		/* what is skipped is of a packet that is known already */
		db_moved(&my->db, dir, offset_of(&cur, cur.p) + cur.skip);
	}
	return verdict == MY_GO ? WEIR_PARSE_OK : (enum weir_verdict)verdict;
}

static void mysql_skipped(void *state, struct weir_host *host, enum weir_direction dir,
			  const struct weir_mark *mark)
{
	struct mysql *my = state;
	uint64_t end = my->side[dir].end;

	(void)host;
	my->side[dir].end = 0;
	my_packet_end(my, dir, end, mark);
}

static struct my_exchange *current(const struct mysql *my, enum weir_direction dir)
{
	if (dir == WEIR_C2S) {
		return my->last;
	}
	return my->answering != NULL ? my->answering : (struct my_exchange *)my->db.head;
}

/* A row that was waited for to be kept has a hole: it counts without its values. Errors and ends of results are no rows. */
static bool take_row_with_hole(struct mysql *my, uint64_t begin, uint64_t end)
{
	struct my_side *side = &my->side[WEIR_S2C];
	struct my_exchange *ex = my->answering;

	if (side->step != MY_PACKETS || my->compressed || side->end < end || side->begin != begin ||
	    side->first >= 0xfe || ex == NULL || my->expect != MY_ROWS) {
		return false;
	}
	ex->ex.rows++;
	side->continues = side->end - side->begin == 4 + (uint64_t)MY_PACKET_MAX;
	db_moved(&my->db, WEIR_S2C, end);
	if (side->end == end) {
		mysql_skipped(my, my->db.host, WEIR_S2C, NULL);
	}
	return true;
}

static void mysql_on_gap(void *state, struct weir_host *host, enum weir_direction dir,
			 uint64_t offset, uint64_t length, enum weir_gap_cause cause,
			 size_t dropped)
{
	struct mysql *my = state;
	struct my_side *side = &my->side[dir];
	uint64_t begin = length > 0 ? offset - dropped : offset;
	uint64_t end = length > 0 ? offset + length : offset + dropped;
	struct my_exchange *ex;

	(void)cause;
	if (dir == WEIR_S2C && my_perhaps_over(my)) {
		my_finish(my, my->answering);
	}
	ex = current(my, dir);
	if (ex != NULL && (dir == WEIR_S2C || !ex->ex.side[dir].done)) {
		db_missing(&ex->ex, dir, end - begin);
	}
	if (side->step == MY_PACKETS && !my->compressed && side->end > 0 && begin > side->begin &&
	    end <= side->end) {
		/* within what is skipped: nothing else is missing */
		db_moved(&my->db, dir, end);
		return;
	}
	if (dir == WEIR_S2C && take_row_with_hole(my, begin, end)) {
		return;
	}
	weir_host_anomaly(host, ex == NULL ? NULL : ex->ex.rec, &gap_anomaly, dir, begin);
	db_gap(&my->db, dir, begin, end - begin);
	if (side->step != MY_OVER) {
		my_lose(my, dir);
	}
}

static void mysql_on_close(void *state, struct weir_host *host, enum weir_direction dir,
			   enum weir_close how, size_t dropped)
{
	struct mysql *my = state;

	(void)host;
	(void)dropped;
	my->side[dir].holding = false;
	db_close(&my->db, dir, how);
}

static int mysql_open(void *state, struct weir_host *host)
{
	struct mysql *my = state;

	db_init(&my->db, host, &my_schema, "mysql");
	my->db.finish = finish;
	return 0;
}

static void mysql_on_tick(void *state, struct weir_host *host)
{
	struct mysql *my = state;

	(void)host;
	db_tick(&my->db);
}

static void mysql_done(void *state, struct weir_host *host)
{
	struct mysql *my = state;

	(void)host;
	if (my->answering != NULL && !my->answering->ex.queued) {
		my_finish(my, my->answering);
	}
	leave_last(my);
	db_end(&my->db);
	my_frames_reset(my, WEIR_C2S);
	my_frames_reset(my, WEIR_S2C);
	db_statements_clear(&my->db, &my->statements);
}

/* ---- detection ---- */

/* length(3), 0, then 10, a version and NUL, and a zero behind thread id and challenge; or ERR, whole, errno 1000 to 3999 */
static int greeting_score(const uint8_t *p, size_t len)
{
	static const uint8_t head[] = {0, 0};
	uint32_t full;
	const uint8_t *nul;
	size_t at;

	if (len < 5) {
		return len < 3 || memcmp(p + 2, head, len - 2 < 2 ? len - 2 : 2) == 0 ? DB_WEAK : 0;
	}
	full = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	if (p[3] != 0 || full < 9 || full > 1024) {
		return 0;
	}
	if (p[4] == 0xff) {
		unsigned code = len < 7 ? 1040 : load_le16(p + 5);

		return code < 1000 || code > 3999 || len > 4 + full ? 0
		       : len == 4 + full                            ? DB_LIKELY
								    : DB_WEAK;
	}
	if (p[4] != 10) {
		return 0;
	}
	for (at = 5; at < len && at < 5 + DB_NAME_MAX && p[at] != 0; at++) {
		if (p[at] < 0x20 || p[at] >= 0x7f) {
			return 0;
		}
	}
	nul = p + at;
	if (at == len) {
		return DB_WEAK;
	}
	if (*nul != 0 || at < 8 || at + 14 > 4 + full) {
		return 0;
	}
	/* thread(4), challenge(8), 0 */
	return len < at + 14 ? DB_WEAK : nul[13] == 0 ? DB_SURE : 0;
}

/* HandshakeResponse41: sequence 1, capabilities with PROTOCOL_41, 19 zeros; the four behind them are MariaDB's */
static int login_score(const uint8_t *p, size_t len)
{
	static const uint8_t zeros[19];
	size_t n;

	if (len < 6) {
		return len < 4 ? DB_WEAK : p[3] == 1 && p[2] == 0 ? DB_WEAK : 0;
	}
	if (p[3] != 1 || p[2] != 0 || (load_le16(p + 4) & MY_CAP_41) == 0) {
		return 0;
	}
	if (len <= 13) {
		return DB_WEAK;
	}
	n = len - 13 < sizeof(zeros) ? len - 13 : sizeof(zeros);
	return memcmp(p + 13, zeros, n) != 0 ? 0 : n < sizeof(zeros) ? DB_WEAK : DB_LIKELY;
}

/* Mid-stream: a command that fills its packet. */
static int command_score(const uint8_t *p, size_t len)
{
	uint32_t full;

	if (len < 6 && command_plausible(p, len, false) >= 0) {
		return DB_WEAK;
	}
	if (frame_plausible(p, len) >= 0) {
		full = len < 3 ? 0 : p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
		return len >= 12 && len >= 7 + (size_t)full ? DB_LIKELY : DB_WEAK;
	}
	if (len < 5 || command_plausible(p, len, false) <= 0) {
		return 0;
	}
	full = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	if (len < 4 + (size_t)full) {
		return DB_WEAK;
	}
	if (p[4] != MY_QUERY && p[4] != MY_STMT_PREPARE) {
		return DB_WEAK;
	}
	return len == 4 + (size_t)full || (len >= 8 + (size_t)full && p[4 + full + 3] == 0)
		       ? DB_LIKELY
		       : DB_WEAK;
}

/* Mid-stream: the first packet of a response. */
static int response_score(const uint8_t *p, size_t len)
{
	uint32_t full;

	if (len < 5) {
		return len < 4 || p[3] == 1 ? DB_WEAK : 0;
	}
	full = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	if (p[3] != 1 || full == 0) {
		return 0;
	}
	if (len >= 11 && (load_le16(p + 7) == 0x9c78 || load_le32(p + 7) == 0xfd2fb528 ||
			  (p[4] == 0 && p[5] == 0 && p[6] == 0 && p[10] == 1))) {
		return DB_LIKELY; /* a frame: zlib, zstd, or a packet as it is */
	}
	if (p[4] == 0 || p[4] == 0xff) {
		return full >= 7 && full < 1024 ? DB_LIKELY : 0;
	}
	return full == 1 || p[4] == 0xfb ? DB_LIKELY : 0;
}

static int score(const struct weir_probe *probe, int client)
{
	const uint8_t *c = probe->data[client], *s = probe->data[!client];
	size_t clen = probe->len[client], slen = probe->len[!client];
	int said = slen == 0 ? 0 : greeting_score(s, slen);
	int asked;

	if (said >= DB_LIKELY) {
		return said;
	}
	if (slen > 0 && said == 0 && !probe->midstream) {
		return 0;
	}
	asked = clen == 0 ? 0 : login_score(c, clen);
	if (asked >= DB_LIKELY) {
		return slen == 0 ? asked : DB_SURE;
	}
	if (probe->midstream && asked == 0) {
		int answered = slen == 0 ? 0 : response_score(s, slen);

		asked = clen == 0 ? 0 : command_score(c, clen);
		if (clen > 0 && slen > 0) {
			return asked == 0 || answered == 0 ? 0
			       : asked < answered          ? asked
							   : answered;
		}
		/* a response alone says little: the command that follows tells */
		return clen > 0 ? asked : answered > 0 ? DB_WEAK : 0;
	}
	return clen > 0 && asked == 0 ? 0 : said > asked ? said : asked;
}

static struct weir_probe_result mysql_probe(const struct weir_probe *probe)
{
	return probe_by_score(probe, score, DB_SURE);
}

static const struct weir_schema *const schemas[] = {&my_schema, NULL};
static const uint16_t ports[] = {3306, 3307, 33060, 0};

const struct weir_parser parser_mysql = {
	.name = "mysql",
	.doc = "MySQL and MariaDB",
	.schemas = schemas,
	.ports = ports,
	.state_size = sizeof(struct mysql),
	.probe = mysql_probe,
	.open = mysql_open,
	.on_data = mysql_on_data,
	.skipped = mysql_skipped,
	.on_gap = mysql_on_gap,
	.on_close = mysql_on_close,
	.on_tick = mysql_on_tick,
	.done = mysql_done,
	.park = mysql_park,
	.unpark = mysql_unpark,
};
