/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One content coding being taken off, as a stream: gzip (several members), deflate (zlib-wrapped or raw), br, zstd. For body/, and for protocols that
 * compress by themselves.
 */
#ifndef BODY_CODING_H
#define BODY_CODING_H

#include "body/body.h"

enum coding_kind { CODING_GZIP, CODING_DEFLATE, CODING_BROTLI, CODING_ZSTD };

enum coding_status {
	CODING_MORE,  /* took what there was */
	CODING_FULL,  /* the output buffer is full: call again */
	CODING_END,   /* the coded data ended; *in points behind it */
	CODING_ERROR, /* not in this format */
	CODING_MEMORY /* memory is spent */
};

struct coding;

/** The coding of a name (x-gzip is gzip), or -1. */
int coding_find(struct weir_str name);

/** NULL when memory is spent. memory is borrowed until coding_free(). */
struct coding *coding_new(const struct body_memory *memory, enum coding_kind kind);
void coding_free(struct coding *coding);

/**
 * Decode from [*in, *in + *in_len) to out; both input variables move on.
 * @param ret_out_len bytes written
 */
enum coding_status coding_run(struct coding *coding, const uint8_t **in, size_t *in_len,
			      uint8_t *out, size_t out_size, size_t *ret_out_len);

/** deflate turned out to be without the zlib wrapper. */
bool coding_is_raw_deflate(const struct coding *coding);

/** Bytes came behind the end that are no further member. */
bool coding_has_junk(const struct coding *coding);

/** The coded data has come to its end (for gzip: of a member, and nothing of another has been seen). */
bool coding_is_at_end(const struct coding *coding);

#endif
