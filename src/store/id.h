/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ids of records in a store. A record's id (record/id.c) is 10 characters of the milliseconds of its ts and 16 of 80 bits: the
 * milliseconds are not stored again, `id` has the lower 64 of the 80 bits as an integer, `_id_high` the upper 16. An id of another form is
 * stored as text in `id`.
 */
#ifndef STORE_ID_H
#define STORE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STORE_ID_LEN = 26 };

/** @return false: it is not such an id, or its milliseconds are not those of ts_ns */
bool store_id_take(const void *text, size_t len, int64_t ts_ns, int64_t *ret_low,
		   int64_t *ret_high);

/** STORE_ID_LEN characters, not terminated. */
void store_id_put(char *to, int64_t ts_ns, int64_t low, int64_t high);

/** Of any such id, to look it up: records of that id have first_ns <= ts < first_ns + 1000000. */
bool store_id_split(const void *text, size_t len, int64_t *ret_first_ns, int64_t *ret_low,
		    int64_t *ret_high);

#endif
