/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that wait to be consumed: see tail.h. */
#include "engine/tail.h"

#include <string.h>

#include "weir/error.h"

enum { TAIL_FIRST = 512 }; /* bytes: a tail's first room */

void tail_free(struct tail **tail, struct budget *budget)
{
	if (*tail != NULL) {
		budget_free(budget, (*tail)->bytes, (*tail)->room);
		budget_free(budget, *tail, sizeof(**tail));
		*tail = NULL;
	}
}

void tail_drop(struct tail **ref, struct budget *budget, size_t n)
{
	struct tail *tail = *ref;
	uint32_t first = 0;

	if (n >= tail->len) {
		tail_free(ref, budget);
		return;
	}
	memmove(tail->bytes, tail->bytes + n, tail->len - n);
	tail->len -= n;
	tail->offset += n;
	while (first + 1 < tail->nmarks && tail->marks[first + 1].offset <= tail->offset) {
		first++;
	}
	memmove(tail->marks, tail->marks + first, (tail->nmarks - first) * sizeof(tail->marks[0]));
	tail->nmarks -= first;
}

static void add_mark(struct tail *tail, const struct weir_mark *mark)
{
	if (tail->nmarks == TAIL_MARKS) {
		/* the first is where the token began, the last ones are where it will end */
		memmove(&tail->marks[1], &tail->marks[2],
			(TAIL_MARKS - 2) * sizeof(tail->marks[0]));
		tail->nmarks--;
	}
	tail->marks[tail->nmarks++] = *mark;
}

static int make_room(struct tail **ref, struct budget *budget, size_t want)
{
	struct tail *tail = *ref;
	size_t room;
	uint8_t *bytes;

	if (tail == NULL) {
		tail = budget_calloc(budget, 1, sizeof(*tail));
		if (tail == NULL) {
			return WEIR_EBUDGET;
		}
		*ref = tail;
	}
	if (tail->room >= want) {
		return 0;
	}
	room = tail->room == 0 ? TAIL_FIRST : tail->room;
	while (room < want) {
		room *= 2;
	}
	bytes = budget_realloc(budget, tail->bytes, tail->room, room);
	if (bytes == NULL) {
		return WEIR_EBUDGET;
	}
	tail->bytes = bytes;
	tail->room = room;
	return 0;
}

int tail_append(struct tail **ref, struct budget *budget, size_t limit,
		const struct weir_chunk *chunk, size_t n)
{
	size_t len = *ref == NULL ? 0 : (*ref)->len;
	struct tail *tail;
	size_t i;
	int err;

	if (len + n > limit) {
		return WEIR_ELIMIT;
	}
	err = make_room(ref, budget, len + n);
	if (err < 0) {
		if (len == 0) {
			tail_free(ref, budget);
		}
		return err;
	}
	tail = *ref;
	if (len == 0) {
		tail->offset = chunk->offset;
	}
	for (i = 0; i < chunk->nmarks; i++) {
		struct weir_mark mark =
			chunk->marks[i]; /* its offset stays where the segment began */

		if (mark.offset >= chunk->offset + n) {
			break;
		}
		if (i + 1 < chunk->nmarks && chunk->marks[i + 1].offset <= chunk->offset) {
			continue;
		}
		if (tail->nmarks > 0 && tail->marks[tail->nmarks - 1].packet == mark.packet) {
			continue; /* more of the same segment */
		}
		add_mark(tail, &mark);
	}
	memcpy(tail->bytes + tail->len, chunk->data, n);
	tail->len += n;
	return 0;
}

struct weir_chunk tail_chunk(const struct tail *tail)
{
	struct weir_chunk chunk = {
		.data = tail->bytes,
		.len = tail->len,
		.offset = tail->offset,
		.marks = tail->marks,
		.nmarks = tail->nmarks,
	};

	return chunk;
}
