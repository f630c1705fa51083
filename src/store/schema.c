/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and views from record schemas: see schema.h. */
#include "store/schema.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A record has them from its flow. */
static bool is_of_flow(size_t field)
{
	switch (field) {
	case WEIR_F_FLOW_ID:
	case WEIR_F_NETWORK_TYPE:
	case WEIR_F_NETWORK_COMMUNITY_ID:
	case WEIR_F_NETWORK_VLAN_ID:
	case WEIR_F_CLIENT_ADDRESS:
	case WEIR_F_CLIENT_PORT:
	case WEIR_F_SERVER_ADDRESS:
	case WEIR_F_SERVER_PORT:
	case WEIR_F_CAPTURE_INTERFACE:
		return true;
	default:
		return false;
	}
}

/*
 * Fields with few different values, whose combinations are stored once. In order (strcmp). A field that is added or taken away moves to
 * another table: that is another layout, as soon as a release has written this one.
 */
static const char *const shape_names[] = {
	"anomaly.code",
	"anomaly.direction",
	"anomaly.severity",
	"completeness",
	"db.collection.name",
	"db.command",
	"db.namespace",
	"db.operation.name",
	"db.query.digest",
	"db.response.status",
	"db.response.status_code",
	"db.server.version",
	"db.system.name",
	"db.user",
	"dns.op_code",
	"dns.question.class",
	"dns.question.type",
	"dns.response_code",
	"error.type",
	"http.request.framing",
	"http.request.method",
	"http.response.framing",
	"http.response.mime_type",
	"http.response.reason",
	"http.response.status_code",
	"http.response.version",
	"http.route",
	"http.upgrade",
	"mysql.auth",
	"mysql.compression",
	"mysql.sqlstate",
	"network.protocol.name",
	"network.protocol.version",
	"pairing",
	"pgsql.application",
	"pgsql.auth",
	"pgsql.severity",
	"pgsql.skipped",
	"redis.inline",
	"redis.push",
	"redis.queued",
	"redis.reply.type",
	"rpc.grpc.status_code",
	"rpc.method",
	"rpc.service",
	"rpc.system",
	"service.name",
	"tcp.handshake",
	"tcp.phase",
	"tcp.state",
	"tls.cipher",
	"tls.client.ja3",
	"tls.client.ja4",
	"tls.curve",
	"tls.decrypted",
	"tls.established",
	"tls.next_protocol",
	"tls.resumed",
	"tls.server.issuer",
	"tls.server.ja3s",
	"tls.server.subject",
	"tls.version",
	"tls.version_protocol",
	"url.domain",
	"url.port",
	"url.scheme",
};

static int by_name(const void *a, const void *b)
{
	return strcmp(a, *(const char *const *)b);
}

static bool is_of_shape(const struct weir_field *def)
{
	return bsearch(def->name, shape_names, sizeof(shape_names) / sizeof(shape_names[0]),
		       sizeof(shape_names[0]), by_name) != NULL;
}

enum store_part store_part_of(const struct weir_schema *schema, size_t field)
{
	const struct weir_field *def = weir_schema_field(schema, field);

	if (is_of_flow(field)) {
		return STORE_FLOW;
	}
	if (is_of_shape(def)) {
		return STORE_SHAPE;
	}
	if (def->kind == WEIR_KIND_HEADERS || def->kind == WEIR_KIND_STRS ||
	    def->kind == WEIR_KIND_U64S) {
		return STORE_LIST;
	}
	if (def->kind == WEIR_KIND_HEX || (def->flags & WEIR_FIELD_BODY) != 0) {
		return STORE_BODY;
	}
	return (def->flags & WEIR_FIELD_RARE) != 0 ? STORE_MORE : STORE_ROW;
}

bool store_find_url(const struct weir_schema *schema, int ret_fields[STORE_NURL])
{
	static const char *const names[STORE_NURL] = {
		"url.scheme", "url.domain", "url.port",           "url.path",
		"url.query",  "url.full",   "http.request.target"};
	bool all = true;
	size_t i;

	for (i = 0; i < STORE_NURL; i++) {
		ret_fields[i] = weir_schema_find(schema, names[i], strlen(names[i]));
		all = all && ret_fields[i] >= 0;
	}
	return all;
}

bool store_is_text(enum weir_kind kind)
{
	return kind == WEIR_KIND_STR || kind == WEIR_KIND_STRS || kind == WEIR_KIND_U64S ||
	       kind == WEIR_KIND_HEADERS;
}

void store_put_column(struct strbuf *out, const char *field)
{
	for (; *field != '\0'; field++) {
		strbuf_char(out, *field == '.' ? '_' : *field);
	}
}

void store_put_table(struct strbuf *out, const struct weir_schema *schema, enum store_part part)
{
	static const char *const ends[STORE_NTABLES] = {"",      "_more", "_list",
							"_body", "",      "_shape"};

	if (part == STORE_FLOW) {
		strbuf_str(out, "_flow");
	} else {
		strbuf_printf(out, "_%s%s", schema->type, ends[part]);
	}
}

/* What the sink says about a record beside its fields: in the table of what few have. */
static bool has_notes(enum store_part part)
{
	return part == STORE_MORE;
}

/* Columns of a table, each behind a comma. @return how many */
static size_t put_columns(struct strbuf *out, const struct weir_schema *schema,
			  enum store_part part)
{
	const struct weir_field *field;
	size_t n = 0, i;

	if (part == STORE_ROW) {
		strbuf_str(out, ",\"_flow\",\"_shape\",\"_id_high\"");
		n += 3;
	}
	if (part == STORE_SHAPE) {
		strbuf_str(out, ",\"server_address\",\"server_port\"");
		n += 2;
	}
	for (i = 0; (field = weir_schema_field(schema, i)) != NULL; i++) {
		if (store_part_of(schema, i) == part) {
			strbuf_str(out, ",\"");
			store_put_column(out, field->name);
			strbuf_char(out, '"');
			n++;
		}
	}
	if (has_notes(part)) {
		strbuf_str(out, ",\"escaped\",\"truncated\"");
		n += 2;
	}
	return n;
}

void store_put_create(struct strbuf *out, const struct weir_schema *schema, enum store_part part)
{
	struct strbuf columns;

	strbuf_init(&columns);
	if (put_columns(&columns, schema, part) > 0) {
		strbuf_str(out, "CREATE TABLE IF NOT EXISTS ");
		store_put_table(out, schema, part);
		strbuf_str(out, "(_id INTEGER PRIMARY KEY");
		strbuf_add(out, columns.p, columns.len);
		strbuf_str(out, ");");
		if (part == STORE_ROW) {
			strbuf_printf(out, "CREATE INDEX IF NOT EXISTS _%s_ts ON _%s(ts);",
				      schema->type, schema->type);
		}
	}
	out->failed |= columns.failed;
	strbuf_fini(&columns);
}

bool store_put_insert(struct strbuf *out, const struct weir_schema *schema, enum store_part part)
{
	struct strbuf columns;
	size_t n, i;

	strbuf_init(&columns);
	n = put_columns(&columns, schema, part);
	if (n > 0) {
		strbuf_str(out, "INSERT INTO ");
		store_put_table(out, schema, part);
		strbuf_str(out, "(_id");
		strbuf_add(out, columns.p, columns.len);
		strbuf_str(out, ")VALUES(?");
		for (i = 0; i < n; i++) {
			strbuf_str(out, ",?");
		}
		strbuf_char(out, ')');
	}
	out->failed |= columns.failed;
	strbuf_fini(&columns);
	return n > 0;
}

static const char *alias_of(enum store_part part)
{
	static const char *const aliases[STORE_NTABLES] = {"r", "m", "l", "b", "f", "s"};

	return aliases[part];
}

/* Do texts of this field have numbers? */
static bool is_by_number(const struct weir_schema *schema, size_t field)
{
	return store_part_of(schema, field) < STORE_NPARTS &&
	       store_is_text(weir_schema_field(schema, field)->kind);
}

/* RFC 3339 with nanoseconds out of a number of them. */
static void put_time(struct strbuf *out, const char *alias, const char *column)
{
	struct strbuf c;

	strbuf_init(&c);
	strbuf_printf(&c, "%s.\"%s\"", alias, column);
	strbuf_printf(
		out,
		"strftime('%%Y-%%m-%%dT%%H:%%M:%%S',(%s-(%s%%1000000000+1000000000)%%1000000000)"
		"/1000000000,'unixepoch')||printf('.%%09dZ',(%s%%1000000000+1000000000)%%"
		"1000000000)",
		strbuf_text(&c), strbuf_text(&c), strbuf_text(&c));
	out->failed |= c.failed;
	strbuf_fini(&c);
}

static void put_text(struct strbuf *out, const char *alias, const char *column)
{
	strbuf_printf(out,
		      "CASE typeof(%s.\"%s\") WHEN 'integer' THEN (SELECT text FROM _string WHERE "
		      "_id=%s.\"%s\") ELSE %s.\"%s\" END",
		      alias, column, alias, column, alias, column);
}

/* One of the fields that a URL consists of. */
static void put_url_part(struct strbuf *out, const struct weir_schema *schema, int field)
{
	const struct weir_field *def = weir_schema_field(schema, (size_t)field);
	const char *alias = alias_of(store_part_of(schema, (size_t)field));
	struct strbuf column;

	strbuf_init(&column);
	store_put_column(&column, def->name);
	if (is_by_number(schema, (size_t)field)) {
		put_text(out, alias, strbuf_text(&column));
	} else {
		strbuf_printf(out, "%s.\"%s\"", alias, strbuf_text(&column));
	}
	out->failed |= column.failed;
	strbuf_fini(&column);
}

/* CASE column WHEN 0 THEN what it is made of ELSE ...; the sink leaves out what is the same. @return is it one of these? */
static bool put_made_of(struct strbuf *out, const struct weir_schema *schema, size_t i,
			const char *column)
{
	int url[STORE_NURL];

	if (!store_find_url(schema, url) ||
	    ((int)i != url[STORE_FULL] && (int)i != url[STORE_TARGET])) {
		return false;
	}
	strbuf_printf(out, "CASE WHEN r.\"%s\"=0 THEN ", column);
	if ((int)i == url[STORE_FULL]) {
		put_url_part(out, schema, url[STORE_SCHEME]);
		strbuf_str(out, "||'://'||");
		put_url_part(out, schema, url[STORE_DOMAIN]);
		strbuf_str(out, "||ifnull(':'||");
		put_url_part(out, schema, url[STORE_PORT]);
		strbuf_str(out, ",'')||");
	}
	put_url_part(out, schema, url[STORE_PATH]);
	strbuf_str(out, "||ifnull('?'||");
	put_url_part(out, schema, url[STORE_QUERY]);
	strbuf_str(out, ",'') ELSE ");
	put_text(out, "r", column);
	strbuf_str(out, " END");
	return true;
}

/* How a field is had back from its column. */
static void put_expression(struct strbuf *out, const struct weir_field *field, enum store_part part,
			   const char *column)
{
	const char *alias = alias_of(part);

	if (field->kind == WEIR_KIND_TIME) {
		put_time(out, alias, column);
	} else if (field->kind == WEIR_KIND_HEX) {
		strbuf_printf(out, "CASE WHEN %s.\"%s\" NOT NULL THEN lower(hex(%s.\"%s\")) END",
			      alias, column, alias, column);
	} else if (store_is_text(field->kind) && part < STORE_NPARTS) {
		put_text(out, alias, column);
	} else {
		strbuf_printf(out, "%s.\"%s\"", alias, column);
	}
}

/* One digit of base 32. */
static void put_digit(struct strbuf *out, const char *bits)
{
	strbuf_printf(out, "||substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ',(%s&31)+1,1)", bits);
}

/* store_id_put() in SQL */
static void put_id(struct strbuf *out)
{
	char bits[64];
	int shift;

	strbuf_str(out, "CASE typeof(r.id) WHEN 'integer' THEN ''");
	for (shift = 45; shift >= 0; shift -= 5) {
		(void)snprintf(bits, sizeof(bits), "((r.ts/1000000)>>%d)", shift);
		put_digit(out, bits);
	}
	for (shift = 11; shift >= 1; shift -= 5) {
		(void)snprintf(bits, sizeof(bits), "(r._id_high>>%d)", shift);
		put_digit(out, bits);
	}
	put_digit(out, "((r._id_high<<4)|((r.id>>60)&15))");
	for (shift = 55; shift >= 0; shift -= 5) {
		(void)snprintf(bits, sizeof(bits), "(r.id>>%d)", shift);
		put_digit(out, bits);
	}
	strbuf_str(out, " ELSE r.id END");
}

/* Fields that are stored otherwise than as they are. @return is it one of these? */
static bool put_special(struct strbuf *out, size_t field)
{
	switch (field) {
	case WEIR_F_ID:
		put_id(out);
		return true;
	case WEIR_F_PACKET_LAST:
		strbuf_str(out, "r.packet_last+ifnull(r.packet_first,0)");
		return true;
	case WEIR_F_TIMING_WAIT:
		strbuf_str(out,
			   "r.timing_wait_ns+ifnull(r.duration_ns,0)-ifnull(r.timing_send_ns,0)"
			   "-ifnull(r.timing_receive_ns,0)");
		return true;
	default:
		return false;
	}
}

/* A column of the view; a time has a second one, a number to compare with. */
static void put_view_column(struct strbuf *out, const struct weir_schema *schema, size_t i)
{
	const struct weir_field *field = weir_schema_field(schema, i);
	enum store_part part = store_part_of(schema, i);
	struct strbuf column;

	strbuf_init(&column);
	store_put_column(&column, field->name);
	strbuf_char(out, ',');
	if (!put_special(out, i) && !put_made_of(out, schema, i, strbuf_text(&column))) {
		put_expression(out, field, part, strbuf_text(&column));
	}
	strbuf_printf(out, " AS \"%s\"", strbuf_text(&column));
	if (field->kind == WEIR_KIND_TIME) {
		strbuf_printf(out, ",%s.\"%s\" AS \"%s_ns\"", alias_of(part), strbuf_text(&column),
			      strbuf_text(&column));
	}
	out->failed |= column.failed;
	strbuf_fini(&column);
}

static bool has_part(const struct weir_schema *schema, enum store_part part)
{
	size_t i;

	for (i = 0; weir_schema_field(schema, i) != NULL; i++) {
		if (store_part_of(schema, i) == part) {
			return true;
		}
	}
	return false;
}

void store_put_view(struct strbuf *out, const struct weir_schema *schema)
{
	size_t i;
	int part;

	strbuf_printf(
		out,
		"DROP VIEW IF EXISTS \"%s\";CREATE VIEW \"%s\" AS SELECT r._id AS _id,'%s' AS type",
		schema->type, schema->type, schema->type);
	for (i = 0; weir_schema_field(schema, i) != NULL; i++) {
		put_view_column(out, schema, i);
	}
	strbuf_printf(
		out,
		",m.escaped AS escaped,m.truncated AS truncated FROM _%s r LEFT JOIN _flow f ON "
		"f._id=r._flow LEFT JOIN _%s_shape s ON s._id=r._shape",
		schema->type, schema->type);
	for (part = STORE_MORE; part < STORE_NPARTS; part++) {
		if (has_part(schema, (enum store_part)part)) {
			strbuf_str(out, " LEFT JOIN ");
			store_put_table(out, schema, (enum store_part)part);
			strbuf_printf(out, " %s ON %s._id=r._id", alias_of((enum store_part)part),
				      alias_of((enum store_part)part));
		}
	}
	strbuf_char(out, ';');
}
