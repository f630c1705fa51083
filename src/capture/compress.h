/* SPDX-License-Identifier: Apache-2.0 */
/* A file being written, compressed by its suffix or not. Private to the packet writer. */
#ifndef CAPTURE_COMPRESS_H
#define CAPTURE_COMPRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct compress_codec;

struct compress {
	const struct compress_codec *codec; /* NULL: bytes as they are */
	void *state;
	int fd;
	uint8_t *out; /* COMPRESS_OUT bytes, of the codec */
	bool ours;    /* fd is to be closed */
};

enum { COMPRESS_OUT = 1 << 17 };

/** Length of the compression suffix at the end of a name: 0 when it has none. */
size_t compress_suffix(const char *name);

/** Can a name with this suffix be written by this build? */
bool compress_can_write(const char *name);

/** Begin. fd is given (closed by compress_close() when `ours`). name decides. WEIR_ENOMEM, WEIR_EUNSUPPORTED */
int compress_open(struct compress *compress, int fd, bool ours, const char *name);
/** 0, WEIR_EIO (errno) */
int compress_write(struct compress *compress, const void *p, size_t n);
/** Finish the compressed data, close. 0 or WEIR_EIO */
int compress_close(struct compress *compress);

#endif
