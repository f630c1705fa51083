/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records: what weir tells about traffic. A record has a schema (its type) and values for some of the schema's fields.
 *
 * Every schema begins with the common fields (enum weir_common_field), so a field index below WEIR_NCOMMON means the
 * same in all types; a type's own fields follow from index WEIR_NCOMMON on. A field has one canonical dotted name, and
 * the table that holds it is the only place that names it: JSON keys, SQL columns, filters and the reference page are
 * generated from it. Unknown = absent.
 */
#ifndef WEIR_RECORD_H
#define WEIR_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export.h"
#include "flow.h"

#ifdef __cplusplus
extern "C" {
#endif

enum weir_kind {
	WEIR_KIND_BOOL,     /* u64: 0 or 1 */
	WEIR_KIND_U64,      /* u64 */
	WEIR_KIND_DURATION, /* i64: ns, may be negative; the name ends in _ns */
	WEIR_KIND_TIME,     /* i64: ns since the epoch; RFC 3339 with nanoseconds in text */
	WEIR_KIND_STR,      /* bytes, meant as text; sinks escape what is not valid UTF-8 */
	WEIR_KIND_ADDRESS,  /* bytes: 4 or 16, network order */
	WEIR_KIND_HEX,      /* bytes, shown in lower-case hexadecimal (digests) */
	WEIR_KIND_STRS,     /* array of strings */
	WEIR_KIND_U64S,     /* array of numbers */
	WEIR_KIND_HEADERS   /* array of name/value pairs in the order of the wire */
};

struct weir_str {
	const uint8_t *p;
	uint32_t len;
};

struct weir_header {
	struct weir_str name;  /* as on the wire */
	struct weir_str value; /* trimmed, obs-fold replaced; cut at the header value limit */
	uint32_t full_len;     /* of the value before the cut */
	uint8_t redacted;      /* the value has been replaced by a mask */
	uint8_t number; /* of the name, among those that are met often; 0: another. The setter finds it */
};

struct weir_value {
	union {
		uint64_t u64;
		int64_t i64;
		const uint8_t *bytes;
		const struct weir_str *strs;
		const uint64_t *u64s;
		const struct weir_header *headers;
	} v;
	uint32_t len;      /* bytes, or elements */
	uint32_t full_len; /* bytes before a limit cut them; = len when whole */
};

/* What a field holds that sinks and masking must know. */
enum weir_field_flags {
	WEIR_FIELD_SECRET_HEADERS =
		1u << 0,           /* header list: values of secret-looking names are masked */
	WEIR_FIELD_URL = 1u << 1,  /* userinfo and secret-looking query keys are masked */
	WEIR_FIELD_BODY = 1u << 2, /* body text: secret-looking form and JSON keys are masked */
	WEIR_FIELD_STATEMENT =
		1u << 3, /* a database statement: literals masked with --redact=strict */
	WEIR_FIELD_EVIDENCE =
		1u
		<< 4, /* some bytes of a stream: what looks like a secret in any of these ways is masked */
	WEIR_FIELD_RARE =
		1u << 5, /* few records have it: stores keep it apart from those that most have */
	WEIR_FIELD_DETAIL = 1u << 6 /* lines of text have it only when asked for details (-v) */
};

struct weir_field {
	const char *name; /* canonical dotted name, e.g. "http.request.method" */
	enum weir_kind kind;
	uint32_t flags;  /* of enum weir_field_flags */
	const char *doc; /* one line: meaning, unit */
};

enum weir_common_field {
	WEIR_F_TS,
	WEIR_F_ID,
	WEIR_F_FLOW_ID,
	WEIR_F_NETWORK_TYPE,
	WEIR_F_NETWORK_PROTOCOL_NAME,
	WEIR_F_NETWORK_PROTOCOL_VERSION,
	WEIR_F_NETWORK_COMMUNITY_ID,
	WEIR_F_NETWORK_VLAN_ID,
	WEIR_F_CLIENT_ADDRESS,
	WEIR_F_CLIENT_PORT,
	WEIR_F_SERVER_ADDRESS,
	WEIR_F_SERVER_PORT,
	WEIR_F_SERVICE_NAME,
	WEIR_F_CAPTURE_INTERFACE,
	WEIR_F_PACKET_FIRST,
	WEIR_F_PACKET_LAST,
	WEIR_F_DURATION,
	WEIR_F_TIMING_SEND,
	WEIR_F_TIMING_WAIT,
	WEIR_F_TIMING_RECEIVE,
	WEIR_F_TIMING_STALL,
	WEIR_F_TCP_RTT,
	WEIR_F_TCP_RETRANSMITS,
	WEIR_F_TCP_OUT_OF_ORDER,
	WEIR_F_TCP_GAPS,
	WEIR_F_COMPLETENESS,
	WEIR_F_MISSING_BYTES,
	WEIR_F_FINAL,
	WEIR_F_PAIRING,
	WEIR_F_TLS_DECRYPTED,
	WEIR_F_ERROR_TYPE,
	WEIR_F_ANOMALIES,
	WEIR_NCOMMON
};

#define WEIR_MAX_FIELDS 128

struct weir_schema {
	const char *type;                /* "http", "tcp", ... : the record's `type` */
	const struct weir_field *fields; /* the type's own, not the common ones */
	size_t nfields;                  /* of its own; WEIR_NCOMMON + nfields <= WEIR_MAX_FIELDS */
};

/** The field at an index of a schema: a common one below WEIR_NCOMMON. NULL beyond the end. */
WEIR_API const struct weir_field *weir_schema_field(const struct weir_schema *schema, size_t i);

/** Index of a field by canonical name, or WEIR_ENOTFOUND. */
WEIR_API int weir_schema_find(const struct weir_schema *schema, const char *name, size_t len);

/* Records leave in ascending order of this key (DESIGN.md, Threads). */
struct weir_record_key {
	uint64_t
		packet; /* the packet whose processing completed it, run-wide; or the one whose clock reached the timer */
	uint8_t by_packet; /* 0: completed by a timer (these come first); 1: by the packet itself */
	int64_t deadline_ns;   /* of the timer; 0 by packet */
	uint64_t first_packet; /* of the flow */
	uint32_t index;        /* in the flow, in order of emission */
};

struct weir_arena; /* memory of one record; internal */

struct weir_record {
	const struct weir_schema *schema;
	const struct weir_flow_info *flow; /* valid while a callback or sink has the record */
	struct weir_record_key key;
	uint64_t present[2]; /* bit i of the pair: values[i] holds */
	const uint64_t *
		wanted; /* NULL: all; else the fields that some sink will read. Setters skip the others */
	struct weir_value *values; /* WEIR_NCOMMON + schema->nfields */
	struct weir_arena *arena;  /* owns values and what they point to */
};

static inline bool weir_record_has(const struct weir_record *rec, size_t field)
{
	return (rec->present[field >> 6] >> (field & 63)) & 1;
}

static inline bool weir_record_wants(const struct weir_record *rec, size_t field)
{
	return rec->wanted == NULL || ((rec->wanted[field >> 6] >> (field & 63)) & 1);
}

/*
 * Setters. Values are copied into the record's memory unless the name ends in _static (the bytes must then outlive the
 * record: constants). A second set replaces the first. When there is no memory the field stays absent and the record's
 * arena counts it: there is nothing to check. `limit` cuts what is kept; full_len keeps the length.
 */
WEIR_API void weir_record_set_u64(struct weir_record *rec, size_t field, uint64_t value);
WEIR_API void weir_record_set_i64(struct weir_record *rec, size_t field, int64_t value);
WEIR_API void weir_record_set_bool(struct weir_record *rec, size_t field, bool value);
WEIR_API void weir_record_set_bytes(struct weir_record *rec, size_t field, const void *p,
				    size_t len, size_t limit);
WEIR_API void weir_record_set_str(struct weir_record *rec, size_t field, const char *text);
WEIR_API void weir_record_set_static(struct weir_record *rec, size_t field, const char *text);
WEIR_API void weir_record_add_str(struct weir_record *rec, size_t field, const void *p, size_t len);
WEIR_API void weir_record_add_u64(struct weir_record *rec, size_t field, uint64_t value);
WEIR_API void weir_record_add_header(struct weir_record *rec, size_t field, const void *name,
				     size_t name_len, const void *value, size_t value_len,
				     size_t limit);
WEIR_API void weir_record_clear(struct weir_record *rec, size_t field);

/** Add an anomaly code (a constant) to WEIR_F_ANOMALIES, once per code. */
WEIR_API void weir_record_add_anomaly(struct weir_record *rec, const char *code);

#ifdef __cplusplus
}
#endif
#endif
