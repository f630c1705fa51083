/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields of type `http`: one table for HTTP/1 and HTTP/2, so that a record looks the same whichever carried it.
 * Names: CONTRACT.md section 3; where it is silent, OpenTelemetry's or the nearest of ECS.
 *
 * The request's and the response's body fields come in the same order: http_side() finds the response's from the
 * request's.
 */
#ifndef HTTP_FIELDS_H
#define HTTP_FIELDS_H

#include "weir/record.h"
#include "weir/stream.h"

enum http_field {
	HTTP_F_METHOD = WEIR_NCOMMON,
	HTTP_F_TARGET,
	HTTP_F_URL_FULL,
	HTTP_F_URL_SCHEME,
	HTTP_F_URL_DOMAIN,
	HTTP_F_URL_PORT,
	HTTP_F_URL_PATH,
	HTTP_F_URL_QUERY,
	HTTP_F_ROUTE,
	HTTP_F_USER_AGENT,
	HTTP_F_REFERRER,
	HTTP_F_USER_NAME,
	HTTP_F_TRACE_ID,
	HTTP_F_FORWARDED,
	HTTP_F_REQUEST_HEADER,
	HTTP_F_REQUEST_TRAILER,
	HTTP_F_REQUEST_FRAMING,
	HTTP_F_REQUEST_BODY_SIZE,
	HTTP_F_REQUEST_DECODED_SIZE,
	HTTP_F_REQUEST_SHA256,
	HTTP_F_REQUEST_WIRE_SHA256,
	HTTP_F_REQUEST_MIME,
	HTTP_F_REQUEST_CONTENT,
	HTTP_F_REQUEST_CONTENT_ENCODING,
	HTTP_F_REQUEST_TRUNCATED,
	HTTP_F_REQUEST_GAPS,
	HTTP_F_REQUEST_CHARSET,
	HTTP_F_REQUEST_COOKIES,
	HTTP_F_REQUEST_SIZE,
	HTTP_F_STATUS,
	HTTP_F_REASON,
	HTTP_F_INTERIM,
	HTTP_F_RESPONSE_HEADER,
	HTTP_F_RESPONSE_TRAILER,
	HTTP_F_RESPONSE_FRAMING,
	HTTP_F_RESPONSE_BODY_SIZE,
	HTTP_F_RESPONSE_DECODED_SIZE,
	HTTP_F_RESPONSE_SHA256,
	HTTP_F_RESPONSE_WIRE_SHA256,
	HTTP_F_RESPONSE_MIME,
	HTTP_F_RESPONSE_CONTENT,
	HTTP_F_RESPONSE_CONTENT_ENCODING,
	HTTP_F_RESPONSE_TRUNCATED,
	HTTP_F_RESPONSE_GAPS,
	HTTP_F_RESPONSE_CHARSET,
	HTTP_F_RESPONSE_COOKIES,
	HTTP_F_RESPONSE_SIZE,
	HTTP_F_PART_COUNT,
	HTTP_F_PART_NAME,
	HTTP_F_PART_FILENAME,
	HTTP_F_PART_MIME,
	HTTP_F_PART_SIZE,
	HTTP_F_EVENTS,
	HTTP_F_RESPONSE_VERSION,
	HTTP_F_UPGRADE,
	HTTP_F_RPC_SYSTEM,
	HTTP_F_RPC_SERVICE,
	HTTP_F_RPC_METHOD,
	HTTP_F_RPC_STATUS,
	HTTP_F_GAP_CAUSES,
	HTTP_F_END
};

/* A field of the request (C2S) or the same of the response (S2C), by the request's. */
static inline size_t http_side(enum weir_direction dir, enum http_field request_field)
{
	if (dir == WEIR_C2S) {
		return request_field;
	}
	return (size_t)request_field + (HTTP_F_RESPONSE_HEADER - HTTP_F_REQUEST_HEADER);
}

extern const struct weir_schema http_schema;

#endif
