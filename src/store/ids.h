/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ascending numbers of records in few bytes: the first is told beside them (a column), each other one as its distance from the one before,
 * in base 128, lowest first, the top bit set when more follows. An empty blob is the first alone.
 */
#ifndef STORE_IDS_H
#define STORE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IDS_MAX = 10 }; /* bytes of one */

/** Put the distance from one to the next; `to` has room for IDS_MAX bytes. @return bytes */
size_t ids_put(uint8_t *to, uint64_t distance);

/* for (ids_begin(&ids, first, p, len); ids_next(&ids);) ... ids.id */
struct ids {
	const uint8_t *p, *end;
	int64_t id;
	bool begun;
};

void ids_begin(struct ids *ids, int64_t first, const void *p, size_t len);
/** false: no more (or the blob is damaged) */
bool ids_next(struct ids *ids);

#endif
