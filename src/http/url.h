/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The URL that a request is about: from its target and its Host (RFC 9110 §7.1, RFC 9112 §3.2 and §3.3), normalised as RFC 3986 §6.2
 * allows without knowing the server: scheme and host in lower case, the scheme's default port left out, percent-encoded
 * unreserved characters decoded, dot segments removed. The query stays as it is on the wire.
 *
 * Bytes that no URL may hold (controls, space, DEL) come out percent-encoded; bytes above 0x7f stay, since servers send
 * UTF-8 there.
 */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/record.h"

enum http_url_flags {
	HTTP_URL_PCT_INVALID = 1u << 0,   /* a % that no two hexadecimal digits follow */
	HTTP_URL_HOST_MISMATCH = 1u << 1, /* the target names another host than Host */
	HTTP_URL_AUTHORITY = 1u << 2,     /* authority-form: no path, no full URL */
	HTTP_URL_ASTERISK = 1u << 3       /* asterisk-form */
};

/* What was found. The strings point into the buffer given to http_url_make(); p is NULL where a part is not known. */
struct http_url {
	struct weir_str full;
	struct weir_str scheme;
	struct weir_str host; /* without brackets */
	struct weir_str path;
	struct weir_str query; /* without ? */
	uint16_t port;         /* 0: the scheme's default */
	unsigned flags;        /* of enum http_url_flags */
	bool as_is;            /* path and query are the target as it was, from path.p on */
};

/** Bytes that http_url_make() may write for a target and a Host of these lengths. */
size_t http_url_room(size_t target_len, size_t host_len);

/**
 * Take target and Host apart and normalise them.
 *
 * @param connect the method is CONNECT: the target is authority-form
 * @param target  as on the wire
 * @param host    value of Host; p NULL: there was none
 * @param scheme  "http" or "https": for a target that names none
 * @param buffer  http_url_room() bytes; the result points into it
 * @return        bytes of it that the result is in
 */
size_t http_url_make(bool connect, struct weir_str target, struct weir_str host, const char *scheme,
		     uint8_t *buffer, struct http_url *ret_url);

enum http_url_look { HTTP_URL_LOOK_BYTES, HTTP_URL_LOOK_SSE2 };

/** Is there nothing to normalise in a path, and in a query behind it? In one of the ways of looking that there are, for tests. */
bool http_url_is_plain_with(enum http_url_look with, const uint8_t *p, size_t len);

#endif
