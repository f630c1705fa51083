/* SPDX-License-Identifier: Apache-2.0 */
/* Looking for a protocol: see look.h. */
#include "db/look.h"

static uint64_t offset_of(const struct weir_chunk *chunk, const uint8_t *p)
{
	return chunk->offset + (uint64_t)(p - chunk->data);
}

const uint8_t *db_next_segment(const struct weir_chunk *chunk, const uint8_t *p)
{
	uint64_t offset = offset_of(chunk, p);
	size_t i;

	for (i = 0; i < chunk->nmarks; i++) {
		if (chunk->marks[i].offset > offset) {
			return chunk->data + (chunk->marks[i].offset - chunk->offset);
		}
	}
	return chunk->data + chunk->len;
}

bool db_at_segment(const struct weir_chunk *chunk, const uint8_t *p)
{
	uint64_t offset = offset_of(chunk, p);

	return weir_chunk_mark(chunk, offset)->offset == offset;
}
