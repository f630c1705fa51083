/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The program, but what reassembly delivers comes to the parsers in pieces: linked as weir is, with --wrap=session_data.
 * WEIR_SPLIT=1: byte by byte; another number: the seed of random pieces. Marks stay those of the segments, so the records must be the
 * same (test_split.py).
 */
#include "engine/session.h"

#include <stdlib.h>

void __real_session_data(struct session *session, enum weir_direction dir,
			 const struct weir_chunk *chunk);
void __wrap_session_data(struct session *session, enum weir_direction dir,
			 const struct weir_chunk *chunk);

static unsigned long how(void)
{
	static unsigned long split;

	if (split == 0) {
		const char *text = getenv("WEIR_SPLIT");

		split = text == NULL ? 1 : strtoul(text, NULL, 10);
	}
	return split;
}

static size_t piece(const struct weir_chunk *chunk, uint64_t offset, size_t left)
{
	uint64_t dice = (offset ^ chunk->marks[0].packet << 20 ^ how() << 40) *
			UINT64_C(0x9e3779b97f4a7c15);

	if (how() == 1) {
		return 1;
	}
	/* small ones as often as large ones */
	return 1 + (size_t)((dice >> 33) % ((dice >> 62) == 0 ? left : left < 8 ? left : 8));
}

void __wrap_session_data(struct session *session, enum weir_direction dir,
			 const struct weir_chunk *chunk)
{
	struct weir_chunk part = *chunk;
	size_t at = 0;

	while (at < chunk->len) {
		part.data = chunk->data + at;
		part.offset = chunk->offset + at;
		part.len = piece(chunk, part.offset, chunk->len - at);
		part.marks = weir_chunk_mark(chunk, part.offset);
		part.nmarks = 1;
		while (part.marks + part.nmarks < chunk->marks + chunk->nmarks &&
		       part.marks[part.nmarks].offset < part.offset + part.len) {
			part.nmarks++;
		}
		at += part.len;
		__real_session_data(session, dir, &part);
	}
}
