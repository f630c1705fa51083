/* SPDX-License-Identifier: Apache-2.0 */
/* Fields by name: see lookup.h. */
#include "sink/lookup.h"

#include <string.h>

/* The kind is part of it: a field that is something else by now is not found, and its tests fail. */
static const struct {
	const char *name;
	enum weir_kind kind;
} rows[] = {
	[LOOK_METHOD] = {"http.request.method", WEIR_KIND_STR},
	[LOOK_TARGET] = {"http.request.target", WEIR_KIND_STR},
	[LOOK_URL] = {"url.full", WEIR_KIND_STR},
	[LOOK_SCHEME] = {"url.scheme", WEIR_KIND_STR},
	[LOOK_DOMAIN] = {"url.domain", WEIR_KIND_STR},
	[LOOK_URL_PORT] = {"url.port", WEIR_KIND_U64},
	[LOOK_PATH] = {"url.path", WEIR_KIND_STR},
	[LOOK_QUERY] = {"url.query", WEIR_KIND_STR},
	[LOOK_ROUTE] = {"http.route", WEIR_KIND_STR},
	[LOOK_USER_AGENT] = {"user_agent.original", WEIR_KIND_STR},
	[LOOK_REFERRER] = {"http.request.referrer", WEIR_KIND_STR},
	[LOOK_USER] = {"user.name", WEIR_KIND_STR},
	[LOOK_TRACE] = {"trace.id", WEIR_KIND_STR},
	[LOOK_FORWARDED] = {"http.request.forwarded_for", WEIR_KIND_STRS},
	[LOOK_STATUS] = {"http.response.status_code", WEIR_KIND_U64},
	[LOOK_REASON] = {"http.response.reason", WEIR_KIND_STR},
	[LOOK_INTERIM] = {"http.interim", WEIR_KIND_U64S},
	[LOOK_REPLY_VERSION] = {"http.response.version", WEIR_KIND_STR},
	[LOOK_UPGRADE] = {"http.upgrade", WEIR_KIND_STR},
	[LOOK_REQUEST_HEADER] = {"http.request.header", WEIR_KIND_HEADERS},
	[LOOK_REQUEST_SIZE] = {"http.request.body.size", WEIR_KIND_U64},
	[LOOK_REQUEST_DECODED] = {"http.request.body.decoded_size", WEIR_KIND_U64},
	[LOOK_REQUEST_SHA256] = {"http.request.body.sha256", WEIR_KIND_HEX},
	[LOOK_REQUEST_MIME] = {"http.request.mime_type", WEIR_KIND_STR},
	[LOOK_REQUEST_CONTENT] = {"http.request.body.content", WEIR_KIND_STR},
	[LOOK_REQUEST_ENCODING] = {"http.request.body.content_encoding", WEIR_KIND_STR},
	[LOOK_REQUEST_TRUNCATED] = {"http.request.body.truncated", WEIR_KIND_BOOL},
	[LOOK_REQUEST_GAPS] = {"http.request.body.gaps", WEIR_KIND_U64S},
	[LOOK_REQUEST_CHARSET] = {"http.request.charset", WEIR_KIND_STR},
	[LOOK_RESPONSE_HEADER] = {"http.response.header", WEIR_KIND_HEADERS},
	[LOOK_RESPONSE_SIZE] = {"http.response.body.size", WEIR_KIND_U64},
	[LOOK_RESPONSE_DECODED] = {"http.response.body.decoded_size", WEIR_KIND_U64},
	[LOOK_RESPONSE_SHA256] = {"http.response.body.sha256", WEIR_KIND_HEX},
	[LOOK_RESPONSE_MIME] = {"http.response.mime_type", WEIR_KIND_STR},
	[LOOK_RESPONSE_CONTENT] = {"http.response.body.content", WEIR_KIND_STR},
	[LOOK_RESPONSE_ENCODING] = {"http.response.body.content_encoding", WEIR_KIND_STR},
	[LOOK_RESPONSE_TRUNCATED] = {"http.response.body.truncated", WEIR_KIND_BOOL},
	[LOOK_RESPONSE_GAPS] = {"http.response.body.gaps", WEIR_KIND_U64S},
	[LOOK_RESPONSE_CHARSET] = {"http.response.charset", WEIR_KIND_STR},
	[LOOK_TCP_STATE] = {"tcp.state", WEIR_KIND_STR},
	[LOOK_TCP_HANDSHAKE] = {"tcp.handshake", WEIR_KIND_STR},
	[LOOK_C2S_PACKETS] = {"tcp.c2s.packets", WEIR_KIND_U64},
	[LOOK_C2S_DELIVERED] = {"tcp.c2s.delivered", WEIR_KIND_U64},
	[LOOK_C2S_GAP_BYTES] = {"tcp.c2s.gap_bytes", WEIR_KIND_U64},
	[LOOK_S2C_PACKETS] = {"tcp.s2c.packets", WEIR_KIND_U64},
	[LOOK_S2C_DELIVERED] = {"tcp.s2c.delivered", WEIR_KIND_U64},
	[LOOK_S2C_GAP_BYTES] = {"tcp.s2c.gap_bytes", WEIR_KIND_U64},
	[LOOK_ANOMALY_CODE] = {"anomaly.code", WEIR_KIND_STR},
	[LOOK_ANOMALY_SEVERITY] = {"anomaly.severity", WEIR_KIND_STR},
	[LOOK_ANOMALY_EVIDENCE] = {"anomaly.evidence", WEIR_KIND_STR},
	[LOOK_TLS_SNI] = {"tls.client.server_name", WEIR_KIND_STR},
	[LOOK_TLS_VERSION] = {"tls.version", WEIR_KIND_STR},
	[LOOK_TLS_PROTOCOL] = {"tls.version_protocol", WEIR_KIND_STR},
	[LOOK_TLS_CIPHER] = {"tls.cipher", WEIR_KIND_STR},
	[LOOK_TLS_CURVE] = {"tls.curve", WEIR_KIND_STR},
	[LOOK_TLS_NEXT] = {"tls.next_protocol", WEIR_KIND_STR},
	[LOOK_TLS_ESTABLISHED] = {"tls.established", WEIR_KIND_BOOL},
	[LOOK_TLS_RESUMED] = {"tls.resumed", WEIR_KIND_BOOL},
	[LOOK_TLS_ALERTS] = {"tls.alerts", WEIR_KIND_STRS},
	[LOOK_TLS_CIPHERS] = {"tls.client.supported_ciphers", WEIR_KIND_STRS},
	[LOOK_TLS_JA3] = {"tls.client.ja3", WEIR_KIND_STR},
	[LOOK_TLS_JA4] = {"tls.client.ja4", WEIR_KIND_STR},
	[LOOK_TLS_JA3S] = {"tls.server.ja3s", WEIR_KIND_STR},
	[LOOK_TLS_SUBJECT] = {"tls.server.subject", WEIR_KIND_STR},
	[LOOK_TLS_ISSUER] = {"tls.server.issuer", WEIR_KIND_STR},
	[LOOK_TLS_NOT_BEFORE] = {"tls.server.not_before", WEIR_KIND_TIME},
	[LOOK_TLS_NOT_AFTER] = {"tls.server.not_after", WEIR_KIND_TIME},
	[LOOK_TLS_SHA256] = {"tls.server.hash.sha256", WEIR_KIND_HEX},
	[LOOK_TLS_CHAIN] = {"tls.server.certificate_chain.sha256", WEIR_KIND_STRS},
	[LOOK_TLS_CLIENT_SUBJECT] = {"tls.client.subject", WEIR_KIND_STR},
	[LOOK_TLS_CLIENT_ISSUER] = {"tls.client.issuer", WEIR_KIND_STR},
	[LOOK_TLS_CLIENT_CHAIN] = {"tls.client.certificate_chain.sha256", WEIR_KIND_STRS},
};

_Static_assert(sizeof(rows) / sizeof(rows[0]) == LOOK_N, "one row a field");

void lookup_init(struct lookup *lookup, const struct weir_schema *const *schemas)
{
	size_t i, k;

	lookup->n = 0;
	for (i = 0; schemas != NULL && schemas[i] != NULL && lookup->n < LOOKUP_SCHEMAS; i++) {
		struct lookup_schema *to = &lookup->schemas[lookup->n++];

		to->schema = schemas[i];
		for (k = 0; k < LOOK_N; k++) {
			int at = weir_schema_find(schemas[i], rows[k].name, strlen(rows[k].name));

			to->index[k] = (int16_t)at;
			if (at < 0 ||
			    weir_schema_field(schemas[i], (size_t)at)->kind != rows[k].kind) {
				to->index[k] = -1;
			}
		}
	}
}

static const struct lookup_schema *find(const struct lookup *lookup,
					const struct weir_schema *schema)
{
	size_t i;

	for (i = 0; i < lookup->n; i++) {
		if (lookup->schemas[i].schema == schema) {
			return &lookup->schemas[i];
		}
	}
	return NULL;
}

bool lookup_wants(const struct lookup *lookup, const struct weir_schema *schema, size_t field)
{
	const struct lookup_schema *of = find(lookup, schema);
	size_t i;

	if (field < WEIR_NCOMMON) {
		return true;
	}
	for (i = 0; of != NULL && i < LOOK_N; i++) {
		if (of->index[i] == (int)field) {
			return true;
		}
	}
	return false;
}

const struct weir_value *lookup_value(const struct lookup *lookup, const struct weir_record *rec,
				      enum look what)
{
	const struct lookup_schema *of = find(lookup, rec->schema);

	if (of == NULL || of->index[what] < 0 || !weir_record_has(rec, (size_t)of->index[what])) {
		return NULL;
	}
	return &rec->values[of->index[what]];
}

uint64_t lookup_u64(const struct lookup *lookup, const struct weir_record *rec, enum look what,
		    uint64_t absent)
{
	const struct weir_value *value = lookup_value(lookup, rec, what);

	return value == NULL ? absent : value->v.u64;
}

bool lookup_is(const struct lookup *lookup, const struct weir_record *rec, enum look what,
	       const char *text)
{
	const struct weir_value *value = lookup_value(lookup, rec, what);

	return value != NULL && value->len == strlen(text) &&
	       memcmp(value->v.bytes, text, value->len) == 0;
}

bool lookup_is_header(const struct weir_header *header, const char *low)
{
	uint32_t i;

	if (header->name.len != strlen(low)) {
		return false;
	}
	for (i = 0; i < header->name.len; i++) {
		uint8_t c = header->name.p[i];

		if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)low[i]) {
			return false;
		}
	}
	return true;
}

const struct weir_header *lookup_header(const struct lookup *lookup, const struct weir_record *rec,
					enum look list, const char *name)
{
	const struct weir_value *value = lookup_value(lookup, rec, list);
	uint32_t i;

	for (i = 0; value != NULL && i < value->len; i++) {
		if (lookup_is_header(&value->v.headers[i], name)) {
			return &value->v.headers[i];
		}
	}
	return NULL;
}

enum weir_kind lookup_kind(enum look what)
{
	return rows[what].kind;
}
