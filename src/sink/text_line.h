/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two forms of a record as a line of text: aligned and coloured for a terminal (UI.md §5), tab-separated for
 * everything else.
 *
 * A transaction on a terminal is: time, status, method, host, path, duration, bar, flags, size, client. From the right,
 * columns go when the terminal is narrow: the bar below 110, the size below 90, the client below 80. The bar is as long
 * as the logarithm of the duration, split into the server's thinking █, the stall for missing segments ▒ and sending and
 * receiving ▌. Flags: ↻n retransmissions, ⋯ gap, ✂ cut short, ½ one side seen, ↑ switched to another protocol.
 *
 * What asks for something and has no HTTP status, as databases and DNS do, has the same columns: ok or err, the statement's verb, the
 * type with the database, the statement (behind an error: what the server says), rows (Δ: changed) or else bytes. With -v
 * all of its fields are below.
 * A session of TLS has the same columns: its version stands for the status, what was agreed on for the path, the handshake's time for the
 * duration, and no bar.
 *
 * Tab-separated, in this order: time, type, client, server, and for transactions: status, method, host, target, duration
 * in ns, bytes of the request's body, of the response's, retransmissions, completeness, anomalies. Absent is "-". Other
 * types have name=value columns behind the first four; those of WEIR_FIELD_DETAIL with -v.
 */
#ifndef SINK_TEXT_LINE_H
#define SINK_TEXT_LINE_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "weir/record.h"

enum text_field {
	TEXT_METHOD,
	TEXT_TARGET,
	TEXT_DOMAIN,
	TEXT_PATH,
	TEXT_QUERY,
	TEXT_STATUS,
	TEXT_REQUEST_SIZE,
	TEXT_RESPONSE_SIZE,
	/* of requests without an HTTP status */
	TEXT_OUTCOME,
	TEXT_ERROR_CODE,
	TEXT_ERROR_MESSAGE,
	TEXT_NAMESPACE,
	TEXT_ROWS,
	TEXT_CHANGED,
	TEXT_REQUEST_HEADER,
	TEXT_RESPONSE_HEADER,
	TEXT_REQUEST_TRAILER,
	TEXT_RESPONSE_TRAILER,
	/* from here on with bodies only; those of the response in the order of the request's */
	TEXT_REQUEST_CONTENT,
	TEXT_REQUEST_CONTENT_ENCODING,
	TEXT_REQUEST_TRUNCATED,
	TEXT_REQUEST_GAPS,
	TEXT_REQUEST_DECODED_SIZE,
	TEXT_RESPONSE_CONTENT,
	TEXT_RESPONSE_CONTENT_ENCODING,
	TEXT_RESPONSE_TRUNCATED,
	TEXT_RESPONSE_GAPS,
	TEXT_RESPONSE_DECODED_SIZE,
	/* of sessions */
	TEXT_VERSION,
	TEXT_HANDSHAKE,
	TEXT_NEXT_PROTOCOL,
	TEXT_CIPHER,
	TEXT_RESUMED,
	TEXT_SESSION_SIZE,
	TEXT_NFIELDS
};

/* Where a schema has the fields that the lines show; below 0: nowhere. */
struct text_schema {
	const struct weir_schema *schema;
	int index[TEXT_NFIELDS];
	bool transaction; /* it has a method and a status */
	bool request;     /* it has a method, and no HTTP status */
	bool session;     /* it has a handshake and a version */
};

void text_schema_init(struct text_schema *of, const struct weir_schema *schema);

/* What is slow is told by what the endpoint's transactions usually take: running medians of as many as fit. */
enum { TEXT_ENDPOINTS = 512, TEXT_ENDPOINT_MIN = 8 };

struct text_endpoint {
	uint32_t tag;
	uint32_t count;
	double median_ns;
};

struct text_style {
	bool color;
	bool rich;  /* 256 colours */
	bool ascii; /* nothing beyond ASCII */
	unsigned columns;
	unsigned verbose;    /* 1: headers, 2: bodies */
	size_t host_columns; /* of the widest host so far */
	struct text_endpoint endpoints[TEXT_ENDPOINTS];
	struct strbuf cell; /* scratch */
};

/** Append a line for a terminal, with its line end; headers and bodies below it when they are asked for. */
void text_put_line(struct text_style *style, const struct text_schema *of,
		   const struct weir_record *rec, struct strbuf *out);

/** Append tab-separated columns and a line end, and the same below. */
void text_put_columns(struct text_style *style, const struct text_schema *of,
		      const struct weir_record *rec, struct strbuf *out);

/* Shared by the forms; for text_*.c only. */
/** Of a request without an HTTP status: did it fail? */
bool text_is_error(const struct text_schema *of, const struct weir_record *rec);
/**
 * A statement as safe text in style->cell, in one line; of one that failed, what the server says comes first.
 * @return where what the server says ends; else all of it
 */
size_t text_make_statement(struct text_style *style, const struct text_schema *of,
			   const struct weir_record *rec);
/** Headers and bodies, as text_style.verbose says (text_body.c). */
void text_put_details(struct text_style *style, const struct text_schema *of,
		      const struct weir_record *rec, struct strbuf *out);
bool text_has(const struct text_schema *of, const struct weir_record *rec, enum text_field field);
const struct weir_value *text_value(const struct text_schema *of, const struct weir_record *rec,
				    enum text_field field);
bool text_is(const struct weir_record *rec, size_t field, const char *text);
void text_put_address(struct strbuf *out, const struct weir_value *value);
void text_put_value(struct strbuf *out, enum weir_kind kind, const struct weir_value *value,
		    bool human);
/** The field's name without the type's: mysql's "db.query.text" stays, "anomaly.code" is "code". */
const char *text_short_name(const struct weir_schema *schema, const struct weir_field *field);
/** Is it a detail that was not asked for? */
static inline bool text_is_hidden(const struct text_style *style, const struct weir_field *field)
{
	return style->verbose == 0 && (field->flags & WEIR_FIELD_DETAIL) != 0;
}
/** Escaped bytes; in ASCII, when the style says so. @return columns */
size_t text_escape(const struct text_style *style, struct strbuf *out, const void *p, size_t len);

#endif
