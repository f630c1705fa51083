/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange of a database protocol, from its first byte to its record. See db.h. */
#include "db/db.h"

#include <assert.h>
#include <string.h>

#include "record/record.h"
#include "record/timing.h"

void db_init(struct db *db, struct weir_host *host, const struct weir_schema *schema,
	     const char *system)
{
	memset(db, 0, sizeof(*db));
	db->host = host;
	db->config = weir_host_config(host);
	db->schema = schema;
	db->system = system;
	db->c2s_lost_at = DB_NOWHERE;
}

void db_name_set(struct db_name *name, const void *p, size_t len)
{
	size_t n = strnlen(p, len < DB_NAME_MAX ? len : DB_NAME_MAX);

	memcpy(name->p, p, n);
	name->len = (uint8_t)n;
}

/* ---- messages ---- */

void db_begin(struct db_exchange *ex, enum weir_direction dir, uint64_t offset,
	      const struct weir_mark *mark)
{
	struct db_message *message = &ex->side[dir];

	if (message->begun) {
		return;
	}
	message->begun = true;
	message->begin = offset;
	message->end = offset;
	message->first_ack = mark->peer_ack;
	message->first_packet = message->last_packet = mark->packet;
	message->first_ns = message->last_ns = mark->ts_ns;
	message->first_stall_ns = message->last_stall_ns = mark->stall_ns;
}

void *db_exchange_new(struct db *db, size_t size, enum weir_direction dir, uint64_t offset,
		      const struct weir_mark *mark)
{
	struct weir_record *rec = weir_host_record(db->host, db->schema, mark->ts_ns);
	struct db_exchange *ex;

	if (rec == NULL) {
		return NULL;
	}
	ex = arena_alloc(rec->arena, size);
	if (ex == NULL) {
		weir_host_drop(db->host, rec);
		return NULL;
	}
	memset(ex, 0, size);
	ex->rec = rec;
	ex->gap_at = DB_NOWHERE;
	ex->waited_stall_ns = db->s2c_stall_ns;
	weir_host_figures(db->host, &ex->figures);
	db_begin(ex, dir, offset, mark);
	return ex;
}

void db_touch(struct db *db, struct db_exchange *ex, enum weir_direction dir, uint64_t end,
	      const struct weir_mark *mark)
{
	struct db_message *message;

	if (ex == NULL || !ex->side[dir].begun) {
		return;
	}
	message = &ex->side[dir];
	if (end > message->end) {
		message->end = end;
	}
	if (mark == NULL) {
		return;
	}
	/* what was retransmitted may have come later than what follows it */
	if (mark->ts_ns > message->last_ns) {
		message->last_ns = mark->ts_ns;
	}
	if (mark->packet > message->last_packet) {
		message->last_packet = mark->packet;
	}
	message->last_stall_ns = mark->stall_ns;
	if (dir == WEIR_S2C) {
		db->s2c_stall_ns = mark->stall_ns;
	}
}

void db_missing(struct db_exchange *ex, enum weir_direction dir, uint64_t length)
{
	if (ex != NULL) {
		ex->side[dir].missing += length;
	}
}

/* ---- what it says ---- */

void db_command(struct db_exchange *ex, const char *name)
{
	weir_record_set_static(ex->rec, DB_F_COMMAND, name);
	if (!weir_record_has(ex->rec, DB_F_OPERATION)) {
		weir_record_set_static(ex->rec, DB_F_OPERATION, name);
	}
}

/* FNV-1a; never 0 */
static uint32_t hash_text(const char *p, size_t len)
{
	uint32_t hash = 2166136261u;

	while (len-- > 0) {
		hash = (hash ^ (uint8_t)*p++) * 16777619u;
	}
	return hash == 0 ? 1 : hash;
}

/* How often has this flow sent the digest before? One of two that share a place is forgotten. */
static uint32_t count_before(struct db *db, const char *digest, size_t len)
{
	uint32_t hash = hash_text(digest, len);
	uint32_t before;
	size_t at = hash % DB_REPEATS;

	if (db->repeats[at].hash != hash) {
		db->repeats[at].hash = hash;
		db->repeats[at].count = 0;
	}
	before = db->repeats[at].count;
	db->repeats[at].count += before < UINT32_MAX;
	return before;
}

/* Text of which `full_len` bytes are said to be, and `len` are here. */
static void set_cut(struct weir_record *rec, size_t field, const uint8_t *p, size_t len,
		    uint64_t full_len, size_t limit)
{
	/* the setter looks at one byte behind what it keeps, not to cut a character in two */
	if (full_len > len && limit >= len) {
		limit = len > 0 ? len - 1 : 0;
	}
	weir_record_set_bytes(rec, field, p, len, limit);
	if (weir_record_has(rec, field) && full_len > len) {
		rec->values[field].full_len =
			full_len > UINT32_MAX ? UINT32_MAX : (uint32_t)full_len;
	}
}

void db_digest_set(struct db *db, struct db_exchange *ex, const char *digest, size_t len)
{
	uint32_t before = count_before(db, digest, len);

	weir_record_set_bytes(ex->rec, DB_F_QUERY_DIGEST, digest, len, SIZE_MAX);
	if (before > 0) {
		weir_record_set_u64(ex->rec, DB_F_QUERY_REPEATED, before);
	}
}

void db_statement(struct db *db, struct db_exchange *ex, const uint8_t *p, size_t len,
		  uint64_t full_len, enum db_dialect dialect)
{
	struct weir_record *rec = ex->rec;
	char digest[DB_DIGEST_MAX];
	char verb[24];
	struct weir_str table;
	size_t n;

	set_cut(rec, DB_F_QUERY_TEXT, p, len, full_len, db->config->target_limit);
	weir_record_set_u64(rec, DB_F_QUERY_SIZE, full_len);
	if (len > db->config->target_limit) {
		len = db->config->target_limit;
	}
	n = db_verb(p, len, verb, sizeof(verb));
	if (n > 0) {
		weir_record_set_bytes(rec, DB_F_OPERATION, verb, n, SIZE_MAX);
	}
	n = db_digest(p, len, dialect, digest);
	if (n == 0) {
		return;
	}
	db_digest_set(db, ex, digest, n);
	table = db_table(digest, n);
	if (table.len > 0) {
		weir_record_set_bytes(rec, DB_F_TARGET, table.p, table.len, DB_NAME_MAX);
	}
}

void db_parameter(struct db_exchange *ex, const void *p, size_t len)
{
	if (ex->nparameters < DB_PARAMETERS_MAX) {
		ex->nparameters++;
		weir_record_add_str(ex->rec, DB_F_QUERY_PARAMETERS, p,
				    len < DB_PARAMETER_MAX ? len : DB_PARAMETER_MAX);
	}
}

void db_error(struct db_exchange *ex, const void *code, size_t code_len, const void *message,
	      size_t len)
{
	ex->status = DB_STATUS_ERROR;
	if (code_len > 0) {
		weir_record_set_bytes(ex->rec, DB_F_STATUS_CODE, code, code_len, DB_NAME_MAX);
	}
	if (len > 0) {
		weir_record_set_bytes(ex->rec, DB_F_ERROR_MESSAGE, message, len, DB_MESSAGE_MAX);
	}
}

/* ---- the record ---- */

static struct record_span span_of(const struct db_message *message)
{
	return (struct record_span){message->first_ns, message->last_ns,
				    message->last_stall_ns - message->first_stall_ns,
				    message->begun};
}

static void fill_times(const struct db_exchange *ex)
{
	struct record_span request = span_of(&ex->side[WEIR_C2S]);
	struct record_span response = span_of(&ex->side[WEIR_S2C]);

	record_set_timing(ex->rec, &request, &response,
			  ex->side[WEIR_S2C].first_stall_ns - ex->waited_stall_ns);
}

static void fill_figures(struct db *db, const struct db_exchange *ex)
{
	struct weir_tcp_figures now;

	weir_host_figures(db->host, &now);
	record_set_figures(ex->rec, &ex->figures, &now);
}

static const char *completeness(const struct db_exchange *ex)
{
	const struct db_message *request = &ex->side[WEIR_C2S];
	const struct db_message *response = &ex->side[WEIR_S2C];

	if (!request->begun) {
		return "no_request";
	}
	if (!response->begun && !ex->no_reply) {
		return "no_response";
	}
	if (request->missing > 0 || response->missing > 0) {
		return "gap";
	}
	return request->done && (response->done || ex->no_reply) ? "complete" : "truncated";
}

static void set_name(struct weir_record *rec, size_t field, const struct db_name *name)
{
	if (name->len > 0 && !weir_record_has(rec, field)) {
		weir_record_set_bytes(rec, field, name->p, name->len, SIZE_MAX);
	}
}

static void fill_response(const struct db_exchange *ex)
{
	static const char *const statuses[] = {NULL, "ok", "error"};
	struct weir_record *rec = ex->rec;

	if (statuses[ex->status] != NULL) {
		weir_record_set_static(rec, DB_F_STATUS, statuses[ex->status]);
	}
	if (ex->has_rows) {
		weir_record_set_u64(rec, DB_F_ROWS, ex->rows);
	}
	if (ex->has_affected) {
		weir_record_set_u64(rec, DB_F_AFFECTED, ex->affected);
	}
}

static void fill(struct db *db, struct db_exchange *ex)
{
	static const char *const pairings[] = {NULL, "exact", "order", "uncertain"};
	const struct db_message *request = &ex->side[WEIR_C2S];
	const struct db_message *response = &ex->side[WEIR_S2C];
	const struct db_message *first = request->begun ? request : response;
	struct weir_record *rec = ex->rec;

	weir_record_set_static(rec, DB_F_SYSTEM, db->system);
	weir_record_set_u64(rec, WEIR_F_PACKET_FIRST, first->first_packet);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST,
			    request->last_packet > response->last_packet ? request->last_packet
									 : response->last_packet);
	fill_times(ex);
	fill_figures(db, ex);
	fill_response(ex);
	if (request->begun) {
		weir_record_set_u64(rec, DB_F_REQUEST_SIZE, request->end - request->begin);
	}
	if (response->begun) {
		weir_record_set_u64(rec, DB_F_RESPONSE_SIZE, response->end - response->begin);
	}
	set_name(rec, DB_F_USER, &db->user);
	set_name(rec, DB_F_NAMESPACE, &db->namespace);
	set_name(rec, DB_F_SERVER_VERSION, &db->version);
	weir_record_set_static(rec, WEIR_F_COMPLETENESS, completeness(ex));
	if (request->missing + response->missing > 0) {
		weir_record_set_u64(rec, WEIR_F_MISSING_BYTES,
				    request->missing + response->missing);
	}
	if (pairings[ex->pairing] != NULL) {
		weir_record_set_static(rec, WEIR_F_PAIRING, pairings[ex->pairing]);
	}
}

/* OpenTelemetry's error.type: how the connection failed the exchange, else the server's code. */
static void fill_error(const struct db *db, const struct db_exchange *ex)
{
	static const char *const resets[] = {"client_reset", "server_reset"};
	struct weir_record *rec = ex->rec;
	bool over = ex->side[WEIR_S2C].done || ex->no_reply || !ex->side[WEIR_C2S].begun;

	if (!over && db->reset_by != 0) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE, resets[db->reset_by - 1]);
	} else if (!over && db->timed_out) {
		weir_record_set_static(rec, WEIR_F_ERROR_TYPE, "timeout");
	} else if (ex->status == DB_STATUS_ERROR && weir_record_has(rec, DB_F_STATUS_CODE)) {
		const struct weir_value *code = &rec->values[DB_F_STATUS_CODE];

		weir_record_set_bytes(rec, WEIR_F_ERROR_TYPE, code->v.bytes, code->len, SIZE_MAX);
	}
}

static void unlink_exchange(struct db *db, struct db_exchange *ex)
{
	struct db_exchange *before = NULL;
	struct db_exchange *at = db->head;

	while (at != ex) {
		assert(at != NULL);
		before = at;
		at = at->next;
	}
	if (before == NULL) {
		db->head = ex->next;
	} else {
		before->next = ex->next;
	}
	if (db->tail == ex) {
		db->tail = before;
	}
	db->npending--;
	ex->queued = false;
}

void db_finish(struct db *db, struct db_exchange *ex)
{
	if (ex == NULL) {
		return;
	}
	if (ex->queued) {
		unlink_exchange(db, ex);
	}
	fill(db, ex);
	fill_error(db, ex);
	weir_host_emit(db->host, ex->rec);
}

void db_drop(struct db *db, struct db_exchange *ex)
{
	if (ex == NULL) {
		return;
	}
	if (ex->queued) {
		unlink_exchange(db, ex);
	}
	weir_host_drop(db->host, ex->rec);
}

void db_tick(struct db *db)
{
	struct db_exchange *ex;

	db->ticking = db->head != NULL;
	for (ex = db->head; ex != NULL; ex = ex->next) {
		if (weir_host_now(db->host) - ex->rec->values[WEIR_F_TS].v.i64 >=
		    db->config->tick_ns) {
			fill(db, ex);
			weir_host_emit_interim(db->host, ex->rec);
		}
	}
	if (db->ticking) {
		weir_host_tick(db->host, db->config->tick_ns);
	}
}

void db_end(struct db *db)
{
	while (db->head != NULL) {
		if (db->finish != NULL) {
			db->finish(db, db->head);
		} else {
			db_finish(db, db->head);
		}
	}
}
