/* SPDX-License-Identifier: Apache-2.0 */
/* See spool.h. */
#include "sink/spool.h"

#include "weir/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void spool_file_init(struct spool_file *file)
{
	memset(file, 0, sizeof(*file));
	file->fd = -1;
}

static void unlist(struct spool *spool, struct spool_file *file)
{
	if (!file->listed) {
		return;
	}
	*(file->newer != NULL ? &file->newer->older : &spool->newest) = file->older;
	*(file->older != NULL ? &file->older->newer : &spool->oldest) = file->newer;
	file->newer = NULL;
	file->older = NULL;
	file->listed = false;
}

static void list_newest(struct spool *spool, struct spool_file *file)
{
	if (spool->newest == file) {
		return;
	}
	unlist(spool, file);
	file->older = spool->newest;
	*(spool->newest != NULL ? &spool->newest->newer : &spool->oldest) = file;
	spool->newest = file;
	file->listed = true;
}

int spool_write(int fd, const uint8_t *p, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, p, len);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno != EINTR) {
			return WEIR_EIO;
		}
	}
	return 0;
}

static int open_file(struct spool *spool, struct spool_file *file)
{
	char path[SPOOL_PATH];

	spool->path(spool->context, file, path);
	file->fd = openat(spool->dir, path,
			  O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW |
				  (file->created ? O_APPEND : O_TRUNC),
			  0666);
	if (file->fd < 0) {
		return WEIR_EIO;
	}
	file->created = true;
	spool->nopen++;
	return 0;
}

/* Write what waits and then p, which may be nothing. */
static int spill(struct spool *spool, struct spool_file *file, const uint8_t *p, size_t len)
{
	int err = file->fd >= 0 ? 0 : open_file(spool, file);

	if (err == 0) {
		err = spool_write(file->fd, file->buffer, file->buffered);
	}
	if (err == 0) {
		err = spool_write(file->fd, p, len);
	}
	file->buffered = 0;
	file->failed = file->failed || err < 0;
	return err;
}

void spool_release(struct spool *spool, struct spool_file *file)
{
	if (file->fd >= 0) {
		(void)close(file->fd);
		file->fd = -1;
		spool->nopen--;
	}
	free(file->buffer);
	spool->buffered -= file->buffer_size;
	file->buffer = NULL;
	file->buffer_size = 0;
	file->buffered = 0;
	unlist(spool, file);
}

int spool_retire(struct spool *spool, struct spool_file *file)
{
	int err = file->buffered > 0 && !file->failed ? spill(spool, file, NULL, 0) : 0;

	spool_release(spool, file);
	return err;
}

/* Make the buffer hold `need` bytes. Without memory it stays. */
static bool grow_buffer(struct spool *spool, struct spool_file *file, size_t need)
{
	size_t size = file->buffer_size == 0 ? spool->buffer_min : file->buffer_size;
	uint8_t *grown;

	while (size < need) {
		size *= 2;
	}
	if (size == file->buffer_size) {
		return true;
	}
	grown = realloc(file->buffer, size);
	if (grown == NULL) {
		return false;
	}
	spool->buffered += size - file->buffer_size;
	file->buffer = grown;
	file->buffer_size = size;
	return true;
}

int spool_put(struct spool *spool, struct spool_file *file, const uint8_t *p, size_t len)
{
	int err = 0;

	list_newest(spool, file);
	if (file->buffered + len <= spool->buffer_max &&
	    grow_buffer(spool, file, file->buffered + len)) {
		memcpy(file->buffer + file->buffered, p, len);
		file->buffered += len;
	} else {
		err = spill(spool, file, p, len);
	}
	while ((spool->nopen > SPOOL_OPEN || spool->buffered > SPOOL_BUFFERED) &&
	       spool->oldest != file) {
		int one = spool_retire(spool, spool->oldest);

		err = err < 0 ? err : one;
	}
	return err;
}

void spool_move(struct spool *spool, struct spool_file *to, struct spool_file *from)
{
	bool listed = from->listed;

	/* what waits is listed by its address */
	unlist(spool, from);
	*to = *from;
	spool_file_init(from);
	if (listed) {
		list_newest(spool, to);
	}
}

int spool_open_dir(const struct weir_sink_config *config, struct out *index, int *ret_dir)
{
	char *path = NULL;
	int dir, err;

	if (mkdir(config->target, 0777) != 0 && errno != EEXIST) {
		return WEIR_EIO;
	}
	dir = open(config->target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		return WEIR_EIO;
	}
	if (asprintf(&path, "%s/index.jsonl", config->target) < 0) {
		err = WEIR_ENOMEM;
	} else {
		err = out_open(index, path, config->live);
		free(path);
	}
	if (err < 0) {
		(void)close(dir);
		return err;
	}
	*ret_dir = dir;
	return 0;
}
