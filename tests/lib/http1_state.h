/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is HTTP/1's state the same after it was parked and unparked? Every byte of every struct but pointers is compared, so that a
 * new member that http1_park.c forgets is found by any conversation that uses it: set mock_check to http1_state_check. Include after mock_host.h.
 */
#ifndef TESTS_HTTP1_STATE_H
#define TESTS_HTTP1_STATE_H

#include "parser/http1.h"

enum { HTTP1_STATE_MAX = 6 };

struct http1_state {
	struct http1 http;
	struct http1_exchange ex[HTTP1_STATE_MAX];
	struct strbuf texts; /* of all exchanges, in order */
	size_t n, nqueued, reading, answering;
};

/* What is not kept or cannot be the same is 0. A text goes to `texts`, with whether it is one at all. */
static inline void http1_state_text(struct http1_state *s, struct weir_str *str)
{
	strbuf_char(&s->texts, str->p != NULL ? '"' : '-');
	strbuf_add(&s->texts, str->p, str->len);
	memset(str, 0, sizeof(*str));
}

static inline size_t http1_state_add(struct http1_state *s, const struct http1_exchange *from)
{
	struct http1_exchange *ex = &s->ex[s->n];

	if (s->n == HTTP1_STATE_MAX) {
		return s->n; /* too many to be parked */
	}
	memcpy(ex, from, sizeof(*ex));
	http1_state_text(s, &ex->target);
	http1_state_text(s, &ex->host);
	http1_state_text(s, &ex->server);
	http1_state_text(s, &ex->upgrade);
	http1_state_text(s, &ex->side[0].codings);
	http1_state_text(s, &ex->side[0].type);
	http1_state_text(s, &ex->side[1].codings);
	http1_state_text(s, &ex->side[1].type);
	ex->rec = NULL;
	ex->next = NULL;
	/* of a line beyond the limit, with which nothing is parked */
	memset(&ex->long_name, 0, sizeof(ex->long_name));
	memset(&ex->long_value, 0, sizeof(ex->long_value));
	ex->long_len = 0;
	memset(ex->tail, 0, sizeof(ex->tail));
	return ++s->n;
}

static inline struct http1_state *http1_state_take(const struct http1 *http)
{
	struct http1_state *s = calloc(1, sizeof(*s));
	const struct http1_exchange *ex;
	int dir;

	memcpy(&s->http, http, sizeof(*http));
	strbuf_init(&s->texts);
	for (ex = http->head; ex != NULL; ex = ex->next) {
		s->reading = http1_state_add(s, ex) * (ex == http->reading) + s->reading;
		assert(ex->next != NULL || ex == http->tail);
	}
	s->nqueued = s->n;
	if (http->reading != NULL && s->reading == 0) {
		s->reading = http1_state_add(s, http->reading);
	}
	if (http->answering != NULL) {
		s->answering = http->answering == http->reading
				       ? s->reading
				       : http1_state_add(s, http->answering);
	}
	s->http.host = NULL;
	s->http.reading = s->http.answering = s->http.head = s->http.tail = NULL;
	for (dir = 0; dir < 2; dir++) {
		struct http1_side *side = &s->http.side[dir];

		if (side->step != HTTP1_LENGTH && side->step != HTTP1_CHUNK_DATA) {
			side->until = 0;
		}
		side->long_start = false;
	}
	return s;
}

static inline void http1_state_free(struct http1_state *s)
{
	strbuf_fini(&s->texts);
	free(s);
}

/* See mock_host.h. */
static inline void http1_state_check(const void *state, void **taken)
{
	struct http1_state *before = *taken, *now;

	if (state == NULL) {
		http1_state_free(before);
		return;
	}
	now = http1_state_take(state);
	if (before == NULL) {
		*taken = now;
		return;
	}
	assert(now->n == before->n && now->nqueued == before->nqueued);
	assert(now->reading == before->reading && now->answering == before->answering);
	assert(memcmp(&now->http, &before->http, sizeof(now->http)) == 0);
	assert(memcmp(now->ex, before->ex, sizeof(now->ex)) == 0);
	assert(now->texts.len == before->texts.len);
	assert(now->texts.len == 0 || memcmp(now->texts.p, before->texts.p, now->texts.len) == 0);
	http1_state_free(now);
	http1_state_free(before);
}

#endif
