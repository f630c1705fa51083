/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hole at every position of a conversation: one whole segment after the other is left out, and then every stretch of a few bytes within each
 * segment. The records of exchanges that the hole cannot touch must be the same as without it, and no record may say what was not said:
 * each statement told must be one of the conversation. Include after shuffle.h.
 *
 * Events may be 'C' and 'S' only. An exchange is one or more events; `owner` says for each event which exchange (0, 1 ...) it is part of, -1:
 * of none (a login). Statements are `query_N` in exchange N.
 */
#ifndef TESTS_GAP_EVERYWHERE_H
#define TESTS_GAP_EVERYWHERE_H

#include "shuffle.h"

static inline void gap_feed(struct weir_host *host, const struct shuffle_event *event, size_t from,
			    size_t missing)
{
	enum weir_direction dir = event->what == 'C' ? WEIR_C2S : WEIR_S2C;
	struct weir_mark mark;

	if (from > 0) {
		mock_feed(host, dir, event->text, from);
	}
	mock_gap(host, dir, missing);
	if (from + missing < event->len) {
		/* the rest comes in a segment of its own, which acknowledges no more than the whole one did */
		mark = mock_mark(host, dir);
		mock_feed_marked(host, dir, event->text + from + missing,
				 event->len - from - missing, &mark);
	}
}

/* How many lines hold the text? */
static inline unsigned gap_count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what)) {
		n++;
	}
	return n;
}

/* Does the record that names query_N say `completeness` complete, and has it the rows N + 1? */
static inline bool gap_is_right(const char *records, int n)
{
	char want[32], rows[40];
	const char *at, *end, *found;

	(void)snprintf(want, sizeof(want), "query_%d\"", n);
	(void)snprintf(rows, sizeof(rows), "\"returned_rows\":%d,", n + 1);
	at = strstr(records, want);
	if (at == NULL) {
		return false;
	}
	while (at > records && at[-1] != '\n') {
		at--;
	}
	end = strchr(at, '\n');
	found = strstr(at, "\"completeness\":\"complete\"");
	if (found == NULL || found > end) {
		return false;
	}
	found = strstr(at, rows);
	return found != NULL && found < end;
}

/* Runs with a hole of `missing` bytes at `from` of event `hole`. Aborts when something is wrong. */
static inline void gap_run(const struct weir_parser *parser, enum weir_bodies bodies,
			   const struct shuffle_event *events, const int *owner, int nexchanges,
			   size_t hole, size_t from, size_t missing)
{
	struct weir_host host;
	size_t i;
	int n;

	mock_init(&host, parser);
	host.config.bodies = bodies;
	mock_open(&host);
	for (i = 0; events[i].what != 0; i++) {
		if (i == hole) {
			gap_feed(&host, &events[i], from, missing);
		} else {
			mock_feed(&host, events[i].what == 'C' ? WEIR_C2S : WEIR_S2C,
				  events[i].text, events[i].len);
		}
	}
	mock_end(&host);
	for (n = 0; n < nexchanges; n++) {
		char want[32];

		(void)snprintf(want, sizeof(want), "text\":\"query_%d\"", n);
		if ((owner[hole] != n && !gap_is_right(strbuf_text(&host.records), n)) ||
		    gap_count(strbuf_text(&host.records), want) > 1) {
			(void)fprintf(stderr,
				      "hole in event %zu at %zu, %zu bytes: exchange %d\n%s", hole,
				      from, missing, n, strbuf_text(&host.records));
			abort();
		}
	}
	if (host.nrecords > (unsigned)nexchanges + 1) {
		(void)fprintf(stderr, "hole in event %zu at %zu: %u records\n%s", hole, from,
			      host.nrecords, strbuf_text(&host.records));
		abort();
	}
	mock_fini(&host);
}

/** @param owner exchange of each event, -1: none */
static inline unsigned gap_everywhere(const struct weir_parser *parser,
				      const struct shuffle_event *events, const int *owner,
				      int nexchanges)
{
	static const size_t lengths[] = {1, 3, 7, SIZE_MAX};
	unsigned n = 0;
	size_t i, from, k;

	for (i = 0; events[i].what != 0; i++) {
		if (owner[i] < 0) {
			continue;
		}
		for (from = 0; from < events[i].len; from++) {
			for (k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
				size_t left = events[i].len - from;

				left = lengths[k] < left ? lengths[k] : left;
				gap_run(parser, WEIR_BODIES_SIZE, events, owner, nexchanges, i,
					from, left);
				/* what is kept is waited for */
				gap_run(parser, WEIR_BODIES_KEEP, events, owner, nexchanges, i,
					from, left);
				n += 2;
			}
		}
	}
	return n;
}

#endif
