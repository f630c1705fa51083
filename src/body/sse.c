/* SPDX-License-Identifier: Apache-2.0 */
/* Events of event streams: see sse.h. */
#include "body/sse.h"

#include <string.h>

enum { SSE_DATA = 4, SSE_IS_DATA = 5, SSE_OTHER = 6 };

static void end_line(struct sse *sse)
{
	/* "data" alone is a field with an empty value */
	if (sse->matched == SSE_DATA || sse->matched == SSE_IS_DATA) {
		sse->data = true;
	}
	if (!sse->begun) {
		sse->events += sse->data;
		sse->data = false;
	}
	sse->begun = false;
	sse->matched = 0;
	sse->any = true;
}

static void take_byte(struct sse *sse, uint8_t c)
{
	static const char name[] = "data";

	if (!sse->any && !sse->begun && (c == 0xef || c == 0xbb || c == 0xbf)) {
		return; /* of a byte order mark */
	}
	sse->begun = true;
	if (sse->matched < SSE_DATA) {
		sse->matched = c == (uint8_t)name[sse->matched] ? sse->matched + 1 : SSE_OTHER;
	} else if (sse->matched == SSE_DATA) {
		sse->matched = c == ':' ? SSE_IS_DATA : SSE_OTHER;
	}
}

static bool is_end(uint8_t c)
{
	return c == '\n' || c == '\r';
}

void sse_feed(struct sse *sse, const uint8_t *p, size_t len)
{
	const uint8_t *end = p + len;

	while (p < end) {
		if (is_end(*p)) {
			if (*p == '\r' || !sse->cr) {
				end_line(sse);
			}
			sse->cr = *p == '\r';
			p++;
			continue;
		}
		sse->cr = false;
		if (sse->matched < SSE_IS_DATA) {
			take_byte(sse, *p++);
			continue;
		}
		while (p < end && !is_end(*p)) {
			p++;
		}
	}
}

void sse_gap(struct sse *sse)
{
	sse->begun = true;
	sse->matched = SSE_OTHER;
	sse->cr = false;
}
