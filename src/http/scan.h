/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the lines of a head, many bytes at a time.
 *
 * Nearly every header line there is looks like "name: value" CR LF, nothing but printable ASCII in it. http_scan_lines()
 * takes as many such lines as follow one another and leaves the first that is not: folded, odd, unfinished, the empty one.
 * Those are for code that looks closely, so what is here decides nothing but where that begins.
 *
 * The bytes are classified 64 at a time, with AVX2 where the processor has it, else with SSE2, else with plain C; all give
 * the same (a test compares them).
 */
#ifndef HTTP_SCAN_H
#define HTTP_SCAN_H

#include <stddef.h>
#include <stdint.h>

struct http_line {
	uint32_t begin; /* offsets from where the scan began */
	uint32_t colon; /* the first; behind `begin`, and no space before it */
	uint32_t
		eol; /* of its CR: CR LF and one more byte that is neither space nor tab are there */
};

enum http_scan_with { HTTP_SCAN_PLAIN, HTTP_SCAN_SSE2, HTTP_SCAN_AVX2, HTTP_SCAN_NWITH };

/**
 * The sound lines at p.
 *
 * @param len   bytes at p, less than 4 GiB
 * @param lines room for `max` of them
 * @return      how many there are; the bytes behind the last one's CR LF were not judged
 */
size_t http_scan_lines(const uint8_t *p, size_t len, struct http_line *lines, size_t max);

/** The same, by one way of classifying, for tests. SIZE_MAX: this processor or build has it not. */
size_t http_scan_lines_with(enum http_scan_with with, const uint8_t *p, size_t len,
			    struct http_line *lines, size_t max);

#endif
