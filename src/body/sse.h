/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the events of an event stream (text/event-stream, WHATWG HTML §9.2.6) as its bytes come: an event is dispatched at an
 * empty line when a line of the field `data` came since the last one. Lines end in LF, CR or CR LF. Private to body/.
 */
#ifndef BODY_SSE_H
#define BODY_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sse {
	uint64_t events;
	uint8_t matched; /* of "data" at the line's start; SSE_OTHER: it is another line */
	bool begun;      /* the line has a byte */
	bool data;       /* this event has data */
	bool cr;         /* the last byte was a CR: a LF now ends no other line */
	bool any;        /* not before the first line, where a byte order mark may be */
};

/** Zero it first. */
void sse_feed(struct sse *sse, const uint8_t *p, size_t len);

/** Bytes are missing: the line they were in is nothing. */
void sse_gap(struct sse *sse);

#endif
