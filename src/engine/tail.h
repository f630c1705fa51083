/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tail: bytes of one direction that are not consumed yet (an unfinished token, bytes held back, or the first bytes while the
 * protocol is not known), with the marks of where they came from. Charged to the budget it is given; NULL while it is empty.
 */
#ifndef ENGINE_TAIL_H
#define ENGINE_TAIL_H

#include "base/budget.h"
#include "weir/stream.h"

enum {
	TAIL_MARKS = 32,      /* marks a tail keeps: the oldest, and the newest ones */
	TAIL_EXTRA = 64 << 10 /* bytes beyond the head limit that a tail may hold */
};

struct tail {
	uint8_t *bytes;
	size_t len; /* 1 or more */
	size_t room;
	uint64_t offset; /* of bytes[0] */
	uint32_t nmarks;
	struct weir_mark marks[TAIL_MARKS];
};

/** Add the first n bytes of a chunk that follows. WEIR_ELIMIT (more than `limit`), WEIR_EBUDGET: nothing was added. */
int tail_append(struct tail **ref, struct budget *budget, size_t limit,
		const struct weir_chunk *chunk, size_t n);

/** Take n bytes away from its beginning; all of them: it is freed. */
void tail_drop(struct tail **ref, struct budget *budget, size_t n);

/** NULL is fine. */
void tail_free(struct tail **tail, struct budget *budget);

/** Its bytes as a chunk: valid until it is changed. */
struct weir_chunk tail_chunk(const struct tail *tail);

#endif
