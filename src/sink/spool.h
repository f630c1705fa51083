/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many files that are written at the same time, bytes of each now and then: for sinks that have a file a flow or a body.
 *
 * Small ones, which are nearly all, cost one open and one write: bytes wait in a buffer until it is full or the file is over.
 * Files that are open and buffers that hold something are in one list by age; when there are too many of either, the oldest is
 * written out, closed and continued later by appending.
 *
 * States of a file: new (no byte), waiting (bytes in the buffer, listed), open (listed), retired (written and closed, not listed).
 */
#ifndef SINK_SPOOL_H
#define SINK_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sink/out.h"
#include "sink/sink.h"

enum {
	SPOOL_OPEN = 48,                  /* files held open */
	SPOOL_BUFFERED = 8 * 1024 * 1024, /* bytes of all buffers */
	SPOOL_PATH = 160
};

struct spool_file {
	struct spool_file *newer, *older; /* list by age */
	uint8_t *buffer;
	size_t buffered, buffer_size;
	int fd; /* -1: not open */
	bool listed;
	bool created; /* there is a file: append */
	bool failed;  /* writing failed: what follows is not written */
};

struct spool {
	int dir;           /* where the files are */
	size_t buffer_min; /* a buffer's first size and its last */
	size_t buffer_max;
	/* the name of a file, asked for when it is opened; SPOOL_PATH bytes */
	void (*path)(void *context, struct spool_file *file, char *ret_path);
	void *context;
	struct spool_file *newest, *oldest;
	size_t nopen, buffered;
};

void spool_file_init(struct spool_file *file);

/** Take bytes; the oldest others make room. @return 0, WEIR_EIO, also when that happened to another file (its `failed` says so) */
int spool_put(struct spool *spool, struct spool_file *file, const uint8_t *p, size_t len);

/** Write what waits and close. 0, WEIR_EIO */
int spool_retire(struct spool *spool, struct spool_file *file);

/** Close, and give up what waits. */
void spool_release(struct spool *spool, struct spool_file *file);

/** `from` goes on as `to`, which is new; `from` is new then. */
void spool_move(struct spool *spool, struct spool_file *to, struct spool_file *from);

/** Write all of it to a descriptor. 0, WEIR_EIO */
int spool_write(int fd, const uint8_t *p, size_t len);

/** Open a directory, which is made when it is not there (its parent must be), and the index in it. 0, WEIR_EIO, WEIR_ENOMEM */
int spool_open_dir(const struct weir_sink_config *config, struct out *index, int *ret_dir);

#endif
