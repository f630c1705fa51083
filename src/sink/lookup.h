/* SPDX-License-Identifier: Apache-2.0 */
/* Fields by name, for sinks that say what is in a record in somebody else's words: where each schema has them. */
#ifndef SINK_LOOKUP_H
#define SINK_LOOKUP_H

#include "weir/record.h"

/* In the order of the names in lookup.c; those of the response follow those of the request in the same order. */
enum look {
	LOOK_METHOD,
	LOOK_TARGET,
	LOOK_URL,
	LOOK_SCHEME,
	LOOK_DOMAIN,
	LOOK_URL_PORT,
	LOOK_PATH,
	LOOK_QUERY,
	LOOK_ROUTE,
	LOOK_USER_AGENT,
	LOOK_REFERRER,
	LOOK_USER,
	LOOK_TRACE,
	LOOK_FORWARDED,
	LOOK_STATUS,
	LOOK_REASON,
	LOOK_INTERIM,
	LOOK_REPLY_VERSION,
	LOOK_UPGRADE,
	LOOK_REQUEST_HEADER,
	LOOK_REQUEST_SIZE,
	LOOK_REQUEST_DECODED,
	LOOK_REQUEST_SHA256,
	LOOK_REQUEST_MIME,
	LOOK_REQUEST_CONTENT,
	LOOK_REQUEST_ENCODING,
	LOOK_REQUEST_TRUNCATED,
	LOOK_REQUEST_GAPS,
	LOOK_REQUEST_CHARSET,
	LOOK_RESPONSE_HEADER,
	LOOK_RESPONSE_SIZE,
	LOOK_RESPONSE_DECODED,
	LOOK_RESPONSE_SHA256,
	LOOK_RESPONSE_MIME,
	LOOK_RESPONSE_CONTENT,
	LOOK_RESPONSE_ENCODING,
	LOOK_RESPONSE_TRUNCATED,
	LOOK_RESPONSE_GAPS,
	LOOK_RESPONSE_CHARSET,
	LOOK_TCP_STATE,
	LOOK_TCP_HANDSHAKE,
	LOOK_C2S_PACKETS,
	LOOK_C2S_DELIVERED,
	LOOK_C2S_GAP_BYTES,
	LOOK_S2C_PACKETS,
	LOOK_S2C_DELIVERED,
	LOOK_S2C_GAP_BYTES,
	LOOK_ANOMALY_CODE,
	LOOK_ANOMALY_SEVERITY,
	LOOK_ANOMALY_EVIDENCE,
	LOOK_TLS_SNI,
	LOOK_TLS_VERSION,
	LOOK_TLS_PROTOCOL,
	LOOK_TLS_CIPHER,
	LOOK_TLS_CURVE,
	LOOK_TLS_NEXT,
	LOOK_TLS_ESTABLISHED,
	LOOK_TLS_RESUMED,
	LOOK_TLS_ALERTS,
	LOOK_TLS_CIPHERS,
	LOOK_TLS_JA3,
	LOOK_TLS_JA4,
	LOOK_TLS_JA3S,
	LOOK_TLS_SUBJECT,
	LOOK_TLS_ISSUER,
	LOOK_TLS_NOT_BEFORE,
	LOOK_TLS_NOT_AFTER,
	LOOK_TLS_SHA256,
	LOOK_TLS_CHAIN,
	LOOK_TLS_CLIENT_SUBJECT,
	LOOK_TLS_CLIENT_ISSUER,
	LOOK_TLS_CLIENT_CHAIN,
	LOOK_N
};

enum { LOOKUP_SCHEMAS = 32 };

struct lookup {
	struct lookup_schema {
		const struct weir_schema *schema;
		int16_t index[LOOK_N]; /* below 0: not there */
	} schemas[LOOKUP_SCHEMAS];
	size_t n;
};

/** @param schemas every record type there is, NULL-terminated */
void lookup_init(struct lookup *lookup, const struct weir_schema *const *schemas);

/** Does some row of the table read this field? For weir_sink_type.wants; the common fields count too. */
bool lookup_wants(const struct lookup *lookup, const struct weir_schema *schema, size_t field);

enum weir_kind lookup_kind(enum look what);

/** The value, or NULL: not there. */
const struct weir_value *lookup_value(const struct lookup *lookup, const struct weir_record *rec,
				      enum look what);
/** A number, or `absent`. */
uint64_t lookup_u64(const struct lookup *lookup, const struct weir_record *rec, enum look what,
		    uint64_t absent);
/** Is it a text, and this one? */
bool lookup_is(const struct lookup *lookup, const struct weir_record *rec, enum look what,
	       const char *text);
/** The first header of a name (lower case) of a list; NULL: none */
const struct weir_header *lookup_header(const struct lookup *lookup, const struct weir_record *rec,
					enum look list, const char *name);

/** The same for common fields. NULL: not there */
static inline const struct weir_value *lookup_common(const struct weir_record *rec,
						     enum weir_common_field field)
{
	return weir_record_has(rec, field) ? &rec->values[field] : NULL;
}

/** Is it the header of this name? `low` is in lower case. */
bool lookup_is_header(const struct weir_header *header, const char *low);

#endif
