/* SPDX-License-Identifier: Apache-2.0 */
/* Tab-separated lines, and what both forms of line share. See text_line.h. */
#include "sink/text_line.h"

#include "base/time.h"
#include "sink/escape.h"
#include "sink/human.h"
#include "weir/error.h"

#include <arpa/inet.h>
#include <string.h>

/* The names of other types for what is shown; NULL: they have none. */
static const char *other_name(enum text_field field, bool dns)
{
	static const char *const db[TEXT_NFIELDS] = {
		[TEXT_METHOD] = "db.operation.name",
		[TEXT_TARGET] = "db.query.text",
		[TEXT_RESPONSE_SIZE] = "db.response.size",
		[TEXT_OUTCOME] = "db.response.status",
		[TEXT_ERROR_CODE] = "db.response.status_code",
		[TEXT_ERROR_MESSAGE] = "error.message",
		[TEXT_NAMESPACE] = "db.namespace",
		[TEXT_ROWS] = "db.response.returned_rows",
		[TEXT_CHANGED] = "db.response.affected_rows",
	};
	static const char *const of_dns[TEXT_NFIELDS] = {
		[TEXT_METHOD] = "dns.question.type",
		[TEXT_TARGET] = "dns.question.name",
		[TEXT_OUTCOME] = "dns.response_code",
	};

	return dns ? of_dns[field] : db[field];
}

static int find(const struct weir_schema *schema, const char *name)
{
	return name == NULL ? WEIR_ENOTFOUND : weir_schema_find(schema, name, strlen(name));
}

void text_schema_init(struct text_schema *of, const struct weir_schema *schema)
{
	static const char *const names[TEXT_NFIELDS] = {
		[TEXT_METHOD] = "http.request.method",
		[TEXT_TARGET] = "http.request.target",
		[TEXT_DOMAIN] = "url.domain",
		[TEXT_PATH] = "url.path",
		[TEXT_QUERY] = "url.query",
		[TEXT_STATUS] = "http.response.status_code",
		[TEXT_REQUEST_SIZE] = "http.request.body.size",
		[TEXT_RESPONSE_SIZE] = "http.response.body.size",
		[TEXT_REQUEST_HEADER] = "http.request.header",
		[TEXT_RESPONSE_HEADER] = "http.response.header",
		[TEXT_REQUEST_TRAILER] = "http.request.trailer",
		[TEXT_RESPONSE_TRAILER] = "http.response.trailer",
		[TEXT_REQUEST_CONTENT] = "http.request.body.content",
		[TEXT_REQUEST_CONTENT_ENCODING] = "http.request.body.content_encoding",
		[TEXT_REQUEST_TRUNCATED] = "http.request.body.truncated",
		[TEXT_REQUEST_GAPS] = "http.request.body.gaps",
		[TEXT_REQUEST_DECODED_SIZE] = "http.request.body.decoded_size",
		[TEXT_RESPONSE_CONTENT] = "http.response.body.content",
		[TEXT_RESPONSE_CONTENT_ENCODING] = "http.response.body.content_encoding",
		[TEXT_RESPONSE_TRUNCATED] = "http.response.body.truncated",
		[TEXT_RESPONSE_GAPS] = "http.response.body.gaps",
		[TEXT_RESPONSE_DECODED_SIZE] = "http.response.body.decoded_size",
		[TEXT_VERSION] = "tls.version",
		[TEXT_HANDSHAKE] = "tls.handshake_ns",
		[TEXT_NEXT_PROTOCOL] = "tls.next_protocol",
		[TEXT_CIPHER] = "tls.cipher",
		[TEXT_RESUMED] = "tls.resumed",
		[TEXT_SESSION_SIZE] = "tls.s2c.bytes",
	};
	bool dns;
	size_t i;

	of->schema = schema;
	for (i = 0; i < TEXT_NFIELDS; i++) {
		of->index[i] = find(schema, names[i]);
	}
	of->transaction = of->index[TEXT_METHOD] >= 0 && of->index[TEXT_STATUS] >= 0;
	of->session = of->index[TEXT_VERSION] >= 0 && of->index[TEXT_HANDSHAKE] >= 0;
	if (of->transaction || of->session) {
		of->request = false;
		return;
	}
	dns = find(schema, other_name(TEXT_METHOD, true)) >= 0;
	for (i = 0; i < TEXT_NFIELDS; i++) {
		of->index[i] = find(schema, other_name((enum text_field)i, dns));
	}
	of->request = of->index[TEXT_METHOD] >= 0;
}

bool text_has(const struct text_schema *of, const struct weir_record *rec, enum text_field field)
{
	return of->index[field] >= 0 && weir_record_has(rec, (size_t)of->index[field]);
}

const struct weir_value *text_value(const struct text_schema *of, const struct weir_record *rec,
				    enum text_field field)
{
	return text_has(of, rec, field) ? &rec->values[of->index[field]] : NULL;
}

bool text_is(const struct weir_record *rec, size_t field, const char *text)
{
	const struct weir_value *value = &rec->values[field];

	return weir_record_has(rec, field) && value->len == strlen(text) &&
	       memcmp(value->v.bytes, text, value->len) == 0;
}

size_t text_escape(const struct text_style *style, struct strbuf *out, const void *p, size_t len)
{
	const uint8_t *byte = p;
	size_t start = out->len;
	size_t i;

	if (!style->ascii) {
		return escape_text(out, p, len);
	}
	for (i = 0; i < len; i++) {
		if (byte[i] < 0x80) {
			(void)escape_text(out, byte + i, 1);
		} else {
			strbuf_str(out, "\\x");
			strbuf_hex(out, byte + i, 1);
		}
	}
	return out->len - start;
}

void text_put_address(struct strbuf *out, const struct weir_value *value)
{
	char text[INET6_ADDRSTRLEN] = "?";

	if (value->len == 4 || value->len == 16) {
		(void)inet_ntop(value->len == 4 ? AF_INET : AF_INET6, value->v.bytes, text,
				sizeof(text));
	}
	strbuf_str(out, text);
}

static void put_strs(struct strbuf *out, const struct weir_value *value)
{
	uint32_t i;

	for (i = 0; i < value->len; i++) {
		if (i > 0) {
			strbuf_char(out, ',');
		}
		(void)escape_text(out, value->v.strs[i].p, value->v.strs[i].len);
	}
}

void text_put_value(struct strbuf *out, enum weir_kind kind, const struct weir_value *value,
		    bool human)
{
	char text[HUMAN_LEN];
	uint32_t i;

	switch (kind) {
	case WEIR_KIND_BOOL:
		strbuf_str(out, value->v.u64 != 0 ? "true" : "false");
		break;
	case WEIR_KIND_U64:
		strbuf_u64(out, value->v.u64);
		break;
	case WEIR_KIND_DURATION:
		if (human) {
			human_duration(value->v.i64, true, text);
			strbuf_str(out, text);
		} else {
			strbuf_i64(out, value->v.i64);
		}
		break;
	case WEIR_KIND_TIME:
		time_rfc3339(value->v.i64, text);
		strbuf_add(out, text, TIME_RFC3339_LEN);
		break;
	case WEIR_KIND_STR:
		(void)escape_text(out, value->v.bytes, value->len);
		break;
	case WEIR_KIND_ADDRESS:
		text_put_address(out, value);
		break;
	case WEIR_KIND_HEX:
		strbuf_hex(out, value->v.bytes, value->len);
		break;
	case WEIR_KIND_STRS:
		put_strs(out, value);
		break;
	case WEIR_KIND_U64S:
		for (i = 0; i < value->len; i++) {
			if (i > 0) {
				strbuf_char(out, ',');
			}
			strbuf_u64(out, value->v.u64s[i]);
		}
		break;
	case WEIR_KIND_HEADERS:
		strbuf_u64(out, value->len);
		break;
	}
}

const char *text_short_name(const struct weir_schema *schema, const struct weir_field *field)
{
	size_t len = strlen(schema->type);

	if (strncmp(field->name, schema->type, len) == 0 && field->name[len] == '.') {
		return field->name + len + 1;
	}
	return field->name;
}

/* ---- tab-separated ---- */

/* A tab and the value, "-" when there is none or it is empty. */
static void put_column(struct strbuf *out, enum weir_kind kind, const struct weir_value *value)
{
	size_t start;

	strbuf_char(out, '\t');
	start = out->len;
	if (value != NULL) {
		text_put_value(out, kind, value, false);
	}
	if (out->len == start) {
		strbuf_char(out, '-');
	}
}

static void put_end(struct strbuf *out, const struct weir_record *rec, size_t address, size_t port)
{
	strbuf_char(out, '\t');
	if (!weir_record_has(rec, address)) {
		strbuf_char(out, '-');
		return;
	}
	if (rec->values[address].len == 16) {
		strbuf_char(out, '[');
		text_put_address(out, &rec->values[address]);
		strbuf_char(out, ']');
	} else {
		text_put_address(out, &rec->values[address]);
	}
	if (weir_record_has(rec, port)) {
		strbuf_char(out, ':');
		strbuf_u64(out, rec->values[port].v.u64);
	}
}

static const struct weir_value *common(const struct weir_record *rec, size_t field)
{
	return weir_record_has(rec, field) ? &rec->values[field] : NULL;
}

static void put_transaction(const struct text_schema *of, const struct weir_record *rec,
			    struct strbuf *out)
{
	put_column(out, WEIR_KIND_U64, text_value(of, rec, TEXT_STATUS));
	put_column(out, WEIR_KIND_STR, text_value(of, rec, TEXT_METHOD));
	put_column(out, WEIR_KIND_STR, text_value(of, rec, TEXT_DOMAIN));
	put_column(out, WEIR_KIND_STR, text_value(of, rec, TEXT_TARGET));
	put_column(out, WEIR_KIND_DURATION, common(rec, WEIR_F_DURATION));
	put_column(out, WEIR_KIND_U64, text_value(of, rec, TEXT_REQUEST_SIZE));
	put_column(out, WEIR_KIND_U64, text_value(of, rec, TEXT_RESPONSE_SIZE));
	put_column(out, WEIR_KIND_U64, common(rec, WEIR_F_TCP_RETRANSMITS));
	put_column(out, WEIR_KIND_STR, common(rec, WEIR_F_COMPLETENESS));
	put_column(out, WEIR_KIND_STRS, common(rec, WEIR_F_ANOMALIES));
}

/* The type's own fields, and what is wrong with the record. */
static void put_others(const struct text_style *style, const struct weir_record *rec,
		       struct strbuf *out)
{
	const struct weir_field *field;
	size_t i;

	for (i = WEIR_F_COMPLETENESS; (field = weir_schema_field(rec->schema, i)) != NULL; i++) {
		if (!weir_record_has(rec, i) || i == WEIR_F_FINAL || i == WEIR_F_PAIRING ||
		    text_is_hidden(style, field)) {
			continue;
		}
		strbuf_char(out, '\t');
		strbuf_str(out, text_short_name(rec->schema, field));
		strbuf_char(out, '=');
		text_put_value(out, field->kind, &rec->values[i], false);
	}
}

void text_put_columns(struct text_style *style, const struct text_schema *of,
		      const struct weir_record *rec, struct strbuf *out)
{
	if (weir_record_has(rec, WEIR_F_TS)) {
		text_put_value(out, WEIR_KIND_TIME, &rec->values[WEIR_F_TS], false);
	} else {
		strbuf_char(out, '-');
	}
	strbuf_char(out, '\t');
	strbuf_str(out, rec->schema->type);
	put_end(out, rec, WEIR_F_CLIENT_ADDRESS, WEIR_F_CLIENT_PORT);
	put_end(out, rec, WEIR_F_SERVER_ADDRESS, WEIR_F_SERVER_PORT);
	if (of->transaction) {
		put_transaction(of, rec, out);
	} else {
		put_others(style, rec, out);
	}
	strbuf_char(out, '\n');
	text_put_details(style, of, rec, out);
}
