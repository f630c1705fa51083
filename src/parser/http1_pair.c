/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which request does a response answer?
 *
 * Let a request i occupy [a_i, b_i) of c2s and have been sent when the client had received s2c up to P_i (the peer_ack
 * of its first byte); let a response begin at x of s2c, sent when the server had received c2s up to A. Then x >= P_i (the
 * client cannot have had the answer before it asked) and A > a_i (the server cannot answer what it has not got). These
 * two hold for any HTTP, whatever was lost; a request that breaks one is not the one.
 *
 * A client that does not pipeline sends a request when it has all of the response before it: the response to request i
 * begins at x = P_i exactly, and [P_i, P_i+1) is i's. That is proof, and holds over any loss: when x = P_i, the requests
 * before i have lost their responses, and when no request has P_i = x, the response has lost its request. P equal for two
 * requests in a row proves pipelining; then answers come in the order of the requests (RFC 9112 §9.3.2), which is only worth
 * something as long as nothing was lost.
 *
 * After an interim response (1xx) the final one is to begin at the interim's end: `expect` is moved there. A request whose body
 * was sent after the 100 has the end of that 100 as peer_ack of its last byte, which helps when the 100 was lost.
 */
#include "parser/http1.h"

#include <assert.h>

/* How far c2s has come: the engine counts what is skipped. */
static uint64_t c2s_pos(const struct http1 *http)
{
	const struct http1_side *side = &http->side[WEIR_C2S];

	if (side->skipping) {
		return side->until - weir_host_skip_left(http->host, WEIR_C2S);
	}
	return side->pos;
}

/* Is there anything before `ack` of c2s that is not parsed yet: not there, or a start line that has not ended? */
static bool is_behind(const struct http1 *http, uint64_t ack)
{
	const struct http1_side *side = &http->side[WEIR_C2S];

	if (side->unfinished > 0 && (side->step == HTTP1_START || side->step == HTTP1_LOST)) {
		return side->pos - side->unfinished < ack;
	}
	return c2s_pos(http) < ack;
}

bool http1_must_hold(struct http1_cursor *cur, const struct weir_mark *mark)
{
	struct http1 *http = cur->http;
	const struct http1_side *c2s = &http->side[WEIR_C2S];
	int64_t limit_ns;

	if (mark->peer_ack == WEIR_NO_ACK || !is_behind(http, mark->peer_ack)) {
		return false;
	}
	/* both waiting for each other: an upgrade whose first bytes came early */
	if (c2s->closed || c2s->holding || http->dark) {
		return false;
	}
	limit_ns = c2s->any ? http->config->hole_age_ns : http->config->hole_age_oneway_ns;
	if ((size_t)(cur->end - cur->p) >= HTTP1_HOLD_LIMIT ||
	    weir_host_now(http->host) - mark->ts_ns > limit_ns) {
		http->dark = true; /* until c2s moves again */
		return false;
	}
	return true;
}

/* Could it be the one? See above. */
static bool is_possible(const struct http1_exchange *ex, uint64_t offset, uint64_t ack)
{
	return ex->expect == WEIR_NO_ACK ||
	       (ex->expect <= offset && ex->side[WEIR_C2S].begin < ack);
}

static bool is_expected(const struct http1_exchange *ex, uint64_t offset)
{
	const struct http1_message *request = &ex->side[WEIR_C2S];

	return ex->expect == offset || (request->done && request->last_ack == offset);
}

/*
 * Pipelining, a loss puts all that follow out of step: each response goes to the neighbour of its request. In step again is a
 * request that was sent after all of that, with everything answered, when what was lost has shown as a leftover.
 */
static bool is_out_of_step(const struct http1 *http, const struct http1_exchange *ex)
{
	return http->pipelines && http->shifted &&
	       !(http->shift_explained && ex->side[WEIR_C2S].first_ack > http->shift_ack);
}

/* s2c is whole since the oldest request: that one is answered. How sure is it? */
static enum http1_pairing judge_in_order(const struct http1 *http, const struct http1_exchange *ex,
					 uint64_t offset, uint64_t ack)
{
	bool after_gap = ex->gap_at != HTTP1_NOWHERE;
	uint64_t lost_at = ex->next == NULL ? http->c2s_lost_at : ex->next->gap_at;
	bool lost_before = after_gap && (http->pipelines || http->c2s_unexplained);

	if (lost_before || is_out_of_step(http, ex)) {
		return PAIRING_UNCERTAIN;
	}
	if (is_expected(ex, offset)) {
		return PAIRING_EXACT;
	}
	if (lost_at >= ack && (ex->next == NULL || !is_possible(ex->next, offset, ack))) {
		return PAIRING_EXACT; /* the only one that the server had */
	}
	return after_gap ? PAIRING_UNCERTAIN : PAIRING_ORDER;
}

/* Responses may have been lost: only what the acknowledgements say counts. */
static struct http1_exchange *choose_after_loss(const struct http1 *http, uint64_t offset,
						uint64_t ack, enum http1_pairing *ret_pairing)
{
	struct http1_exchange *last = NULL;
	struct http1_exchange *ex;

	for (ex = http->head; ex != NULL && is_possible(ex, offset, ack); ex = ex->next) {
		if (is_expected(ex, offset)) {
			bool guess = http->pipelines &&
				     (ex != http->head || ex->gap_at != HTTP1_NOWHERE ||
				      is_out_of_step(http, ex));

			*ret_pairing = guess ? PAIRING_UNCERTAIN : PAIRING_EXACT;
			return ex;
		}
		last = ex;
	}
	if (last == NULL) {
		return NULL;
	}
	*ret_pairing = PAIRING_UNCERTAIN;
	if (http->pipelines) {
		return http->head;
	}
	/* within the last one's stretch: its own, unless the server had a request that we have not */
	if ((last->next == NULL ? http->c2s_lost_at : last->next->gap_at) < ack) {
		return NULL;
	}
	return last;
}

struct http1_exchange *http1_choose(const struct http1 *http, uint64_t offset, uint64_t ack,
				    enum http1_pairing *ret_pairing)
{
	struct http1_exchange *head = http->head;

	*ret_pairing = PAIRING_NONE;
	if (head == NULL) {
		return NULL;
	}
	if (ack == WEIR_NO_ACK || head->expect == WEIR_NO_ACK) {
		*ret_pairing = http->s2c_lost || head->gap_at != HTTP1_NOWHERE ? PAIRING_UNCERTAIN
									       : PAIRING_ORDER;
		return head;
	}
	if (!is_possible(head, offset, ack)) {
		return NULL;
	}
	if (http->s2c_lost || (!http->pipelines && !is_expected(head, offset))) {
		struct http1_exchange *ex = choose_after_loss(http, offset, ack, ret_pairing);

		if (http->s2c_lost || (ex != NULL && *ret_pairing == PAIRING_EXACT)) {
			return ex;
		}
	}
	*ret_pairing = judge_in_order(http, head, offset, ack);
	return head;
}

bool http1_supported(const struct http1 *http, uint64_t offset, uint64_t ack, bool at_segment)
{
	enum http1_pairing pairing;
	struct http1_exchange *ex;
	bool lost = http->c2s_lost_at < ack || !http->side[WEIR_C2S].any || ack == 0;

	if (ack == WEIR_NO_ACK) {
		return at_segment;
	}
	ex = http1_choose(http, offset, ack, &pairing);
	if (ex != NULL) {
		return pairing != PAIRING_UNCERTAIN || at_segment;
	}
	/* without a request: one that was lost, or sent before the capture began */
	for (ex = http->head; ex != NULL && !lost; ex = ex->next) {
		lost = ex->gap_at < ack;
	}
	return at_segment && lost;
}

/* Take the oldest out of the queue, which is not empty. */
static struct http1_exchange *pop(struct http1 *http)
{
	struct http1_exchange *ex = http->head;

	assert(ex != NULL);
	http->head = ex->next;
	if (http->head == NULL) {
		http->tail = NULL;
	}
	http->npending--;
	ex->next = NULL;
	ex->queued = false;
	return ex;
}

void http1_note_pair(struct http1 *http, const struct http1_exchange *ex,
		     enum http1_pairing pairing)
{
	if (ex == NULL) {
		/* a response without a request: order says nothing any more */
		http->s2c_lost = true;
		http->c2s_unexplained = false;
		http->shift_explained = true;
	} else if (pairing == PAIRING_EXACT) {
		http->s2c_lost = false; /* in step again */
		http->shifted = false;
	} else if (pairing == PAIRING_UNCERTAIN) {
		http->shift_explained =
			(http->shifted && http->shift_explained) || ex != http->head;
		http->shifted = true;
		http->shift_ack = ex->side[WEIR_C2S].first_ack;
	}
}

void http1_enqueue(struct http1 *http, struct http1_exchange *ex)
{
	const struct http1_exchange *last = http->tail;

	/* sent with nothing received since the one before, which is unanswered: pipelined */
	if (last != NULL && ex->expect != WEIR_NO_ACK &&
	    last->side[WEIR_C2S].first_ack == ex->expect) {
		http->pipelines = true;
	}
	if (http->answering != NULL && ex->expect != WEIR_NO_ACK &&
	    ex->expect <= http->answering->side[WEIR_S2C].begin) {
		http->pipelines = true;
	}
	if (http->head != NULL && http->npending >= http->config->pending_limit) {
		http1_anomaly(http, http->head, WEIR_C2S, HTTP_A_PENDING_LIMIT,
			      http->head->side[WEIR_C2S].begin);
		http->s2c_lost = true; /* the next response may be its own */
		http1_exchange_emit(http, pop(http));
	}
	ex->gap_at = http->c2s_lost_at;
	http->c2s_lost_at = HTTP1_NOWHERE;
	ex->queued = true;
	ex->next = NULL;
	if (http->head == NULL) {
		http->head = ex;
	} else {
		http->tail->next = ex;
	}
	http->tail = ex;
	http->npending++;
}

void http1_dequeue(struct http1 *http, struct http1_exchange *ex)
{
	struct http1_exchange *first;

	while ((first = pop(http)) != ex) {
		http1_exchange_emit(http, first);
	}
}

void http1_requeue(struct http1 *http, struct http1_exchange *ex)
{
	ex->next = http->head;
	ex->queued = true;
	http->head = ex;
	if (http->tail == NULL) {
		http->tail = ex;
	}
	http->npending++;
}
