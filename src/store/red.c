/* SPDX-License-Identifier: Apache-2.0 */
/* What records count as: see red.h. */
#include "store/red.h"

#include <arpa/inet.h>
#include <string.h>

#include "record/record.h"

/* The first of these that the schema has. */
static int16_t first_of(const struct weir_schema *schema, const char *const *names)
{
	for (; *names != NULL; names++) {
		int field = weir_schema_find(schema, *names, strlen(*names));

		if (field >= 0) {
			return (int16_t)field;
		}
	}
	return KEY_NONE;
}

static const char *const databases[] = {"db.namespace", NULL};
static const char *const method[] = {"http.request.method", "db.operation.name",
				     "dns.question.type", NULL};
static const char *const route[] = {"http.route", "db.query.digest", NULL};
static const char *const digest[] = {"db.query.digest", NULL};
static const char *const status[] = {"http.response.status_code", "db.response.status_code",
				     "dns.response_code", "tcp.state", NULL};

bool red_is_transaction(const struct weir_schema *schema)
{
	return strcmp(schema->type, "tcp") != 0 && strcmp(schema->type, "anomaly") != 0;
}

unsigned red_nkeys(enum store_by by)
{
	switch (by) {
	case STORE_GROUP_NONE:
		return 0;
	case STORE_GROUP_PROTOCOL:
	case STORE_GROUP_CLIENT:
	case STORE_GROUP_FIELD:
		return 1;
	case STORE_GROUP_SERVICE:
	case STORE_GROUP_STATUS:
	case STORE_GROUP_STATEMENT:
		return 2;
	case STORE_GROUP_SERVER:
		return 3;
	case STORE_GROUP_ENDPOINT:
		break;
	}
	return 4;
}

/* service.name; databases have none of their own: the database */
static int16_t service_of(const struct weir_schema *schema)
{
	int16_t field = first_of(schema, databases);

	return field >= 0 ? field : WEIR_F_SERVICE_NAME;
}

static void plan_keys(struct red_plan *plan, enum store_by by, const char *field)
{
	const struct weir_schema *schema = plan->schema;
	int found;

	plan->counts = true;
	plan->keys[0] = KEY_TYPE;
	switch (by) {
	case STORE_GROUP_NONE:
	case STORE_GROUP_PROTOCOL:
		break;
	case STORE_GROUP_SERVICE:
		plan->keys[1] = service_of(schema);
		break;
	case STORE_GROUP_ENDPOINT:
		plan->keys[1] = service_of(schema);
		plan->keys[2] = first_of(schema, method);
		plan->keys[3] = first_of(schema, route);
		break;
	case STORE_GROUP_SERVER:
		plan->keys[1] = WEIR_F_SERVER_ADDRESS;
		plan->keys[2] = WEIR_F_SERVER_PORT;
		break;
	case STORE_GROUP_STATUS:
		plan->keys[1] = first_of(schema, status);
		break;
	case STORE_GROUP_CLIENT:
		plan->keys[0] = WEIR_F_CLIENT_ADDRESS;
		break;
	case STORE_GROUP_STATEMENT:
		plan->keys[1] = first_of(schema, digest);
		plan->counts = plan->keys[1] >= 0;
		break;
	case STORE_GROUP_FIELD:
		found = field == NULL ? -1 : weir_schema_find(schema, field, strlen(field));
		if (field != NULL && strcmp(field, "type") != 0) {
			plan->keys[0] = (int16_t)(found >= 0 ? found : KEY_NONE);
		}
		break;
	}
}

void red_plan_init(struct red_plan *plan, const struct weir_schema *schema, enum store_by by,
		   const char *field)
{
	static const char *const names[RED_NFIELDS][5] = {
		[RED_STATUS] = {"http.response.status_code"},
		[RED_DB_STATUS] = {"db.response.status"},
		[RED_DNS_CODE] = {"dns.response_code"},
		[RED_TCP_STATE] = {"tcp.state"},
		[RED_TIME] = {"tcp.handshake_ns", "duration_ns"},
		[RED_REQUEST_BYTES] = {"http.request.size", "db.request.size", "dns.request.size",
				       "tcp.c2s.bytes"},
		[RED_RESPONSE_BYTES] = {"http.response.size", "db.response.size",
					"dns.response.size", "tcp.s2c.bytes"},
		[RED_REQUEST_BYTES_ELSE] = {"http.request.body.size"},
		[RED_RESPONSE_BYTES_ELSE] = {"http.response.body.size"},
	};
	size_t i;

	memset(plan, 0, sizeof(*plan));
	plan->schema = schema;
	for (i = 0; i < RED_NFIELDS; i++) {
		plan->fields[i] = first_of(schema, names[i]);
	}
	for (i = 0; i < STORE_TEXTS_MAX; i++) {
		plan->keys[i] = KEY_NONE;
	}
	plan_keys(plan, by, field);
}

bool red_wants(const struct red_plan *plan, size_t field)
{
	size_t i;

	switch (field) {
	case WEIR_F_TIMING_SEND:
	case WEIR_F_TIMING_WAIT:
	case WEIR_F_TIMING_RECEIVE:
	case WEIR_F_TIMING_STALL:
	case WEIR_F_TCP_RETRANSMITS:
	case WEIR_F_TCP_GAPS:
	case WEIR_F_MISSING_BYTES:
	case WEIR_F_COMPLETENESS:
		return true;
	default:
		break;
	}
	for (i = 0; i < RED_NFIELDS; i++) {
		if (plan->fields[i] == (int)field) {
			return true;
		}
	}
	for (i = 0; i < STORE_TEXTS_MAX; i++) {
		if (plan->keys[i] == (int)field) {
			return true;
		}
	}
	return false;
}

/* ---- counting ---- */

static bool is_there(const struct weir_record *rec, int field)
{
	return field >= 0 && weir_record_has(rec, (size_t)field);
}

static bool says(const struct weir_record *rec, int field, const char *text)
{
	const struct weir_value *value = &rec->values[field];

	return value->len == strlen(text) && memcmp(value->v.bytes, text, value->len) == 0;
}

static uint64_t u64_of(const struct weir_record *rec, int field)
{
	return is_there(rec, field) ? rec->values[field].v.u64 : 0;
}

static uint64_t u64_or(const struct weir_record *rec, int field, int other)
{
	return u64_of(rec, is_there(rec, field) ? field : other);
}

static int64_t i64_of(const struct weir_record *rec, int field)
{
	return is_there(rec, field) ? rec->values[field].v.i64 : 0;
}

static void judge(const struct red_plan *plan, const struct weir_record *rec, struct store_red *ret)
{
	const int16_t *fields = plan->fields;

	if (fields[RED_STATUS] >= 0) {
		uint64_t code = u64_of(rec, fields[RED_STATUS]);

		ret->unanswered = !is_there(rec, fields[RED_STATUS]);
		ret->refused = code >= 400 && code < 500;
		ret->failed = code >= 500;
	} else if (fields[RED_DB_STATUS] >= 0) {
		ret->unanswered = !is_there(rec, fields[RED_DB_STATUS]);
		ret->failed = ret->unanswered == 0 && says(rec, fields[RED_DB_STATUS], "error");
	} else if (fields[RED_DNS_CODE] >= 0) {
		ret->unanswered = !is_there(rec, fields[RED_DNS_CODE]);
		ret->failed = ret->unanswered == 0 && says(rec, fields[RED_DNS_CODE], "SERVFAIL");
	} else if (is_there(rec, fields[RED_TCP_STATE])) {
		ret->failed = says(rec, fields[RED_TCP_STATE], "reset");
	}
}

void red_of(const struct red_plan *plan, const struct weir_record *rec, struct store_red *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->count = 1;
	judge(plan, rec, ret);
	ret->incomplete =
		is_there(rec, WEIR_F_COMPLETENESS) && !says(rec, WEIR_F_COMPLETENESS, "complete");
	ret->request_bytes =
		u64_or(rec, plan->fields[RED_REQUEST_BYTES], plan->fields[RED_REQUEST_BYTES_ELSE]);
	ret->response_bytes = u64_or(rec, plan->fields[RED_RESPONSE_BYTES],
				     plan->fields[RED_RESPONSE_BYTES_ELSE]);
	ret->retransmits = u64_of(rec, WEIR_F_TCP_RETRANSMITS);
	ret->gaps = u64_of(rec, WEIR_F_TCP_GAPS);
	ret->missing_bytes = u64_of(rec, WEIR_F_MISSING_BYTES);
	ret->send_ns = i64_of(rec, WEIR_F_TIMING_SEND);
	ret->wait_ns = i64_of(rec, WEIR_F_TIMING_WAIT);
	ret->receive_ns = i64_of(rec, WEIR_F_TIMING_RECEIVE);
	ret->stall_ns = i64_of(rec, WEIR_F_TIMING_STALL);
	ret->timed = is_there(rec, plan->fields[RED_TIME]);
	ret->total_ns = i64_of(rec, plan->fields[RED_TIME]);
	ret->max_ns = ret->total_ns;
}

/* ---- texts ---- */

static struct store_text text_of(struct strbuf *scratch)
{
	const char *text = strbuf_text(scratch);

	return (struct store_text){(const uint8_t *)text, (uint32_t)scratch->len};
}

struct store_text red_text(const struct weir_record *rec, size_t field, struct strbuf *scratch)
{
	const struct weir_value *value = &rec->values[field];
	char address[INET6_ADDRSTRLEN];
	uint32_t len;

	if (!weir_record_has(rec, field)) {
		return (struct store_text){NULL, 0};
	}
	strbuf_clear(scratch);
	switch (record_kind(rec->schema, field)) {
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
		strbuf_u64(scratch, value->v.u64);
		return text_of(scratch);
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
		strbuf_i64(scratch, value->v.i64);
		return text_of(scratch);
	case WEIR_KIND_STR:
		len = value->len < STORE_TEXT_MAX ? value->len : STORE_TEXT_MAX;
		return (struct store_text){len == 0 ? (const uint8_t *)"" : value->v.bytes, len};
	case WEIR_KIND_ADDRESS:
		if (inet_ntop(value->len == 16 ? AF_INET6 : AF_INET, value->v.bytes, address,
			      sizeof(address)) != NULL) {
			strbuf_str(scratch, address);
		}
		return text_of(scratch);
	case WEIR_KIND_HEX:
		strbuf_hex(scratch, value->v.bytes, value->len < 64 ? value->len : 64);
		return text_of(scratch);
	case WEIR_KIND_STRS:
	case WEIR_KIND_U64S:
	case WEIR_KIND_HEADERS:
		break;
	}
	return (struct store_text){NULL, 0};
}

void red_keys(const struct red_plan *plan, const struct weir_record *rec, unsigned nkeys,
	      struct strbuf scratch[STORE_TEXTS_MAX], struct store_text keys[STORE_TEXTS_MAX])
{
	unsigned i;

	memset(keys, 0, STORE_TEXTS_MAX * sizeof(*keys));
	for (i = 0; i < nkeys; i++) {
		if (plan->keys[i] == KEY_TYPE) {
			keys[i].p = (const uint8_t *)plan->schema->type;
			keys[i].len = (uint32_t)strlen(plan->schema->type);
		} else if (plan->keys[i] >= 0) {
			keys[i] = red_text(rec, (size_t)plan->keys[i], &scratch[i]);
		}
	}
}
