/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking for a protocol: at the first bytes of a flow, whoever speaks (detection), and after a loss, segment by segment.
 */
#ifndef DB_LOOK_H
#define DB_LOOK_H

#include "weir/parser.h"

/* Scores of detection (weir_probe_result.score). */
enum { DB_SURE = 95, DB_LIKELY = 75, DB_WEAK = 40 };

/** Where the segment behind the one at p begins in a chunk; or the chunk's end. */
const uint8_t *db_next_segment(const struct weir_chunk *chunk, const uint8_t *p);

/** Does a segment begin at p? */
bool db_at_segment(const struct weir_chunk *chunk, const uint8_t *p);

#endif
