/* SPDX-License-Identifier: Apache-2.0 */
/* Buffered output: see out.h. */
#include "sink/out.h"

#include "weir/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OUT_VECTOR = 128 /* pieces of text written at a time */ };

int out_open(struct out *out, const char *target, bool each)
{
	memset(out, 0, sizeof(*out));
	strbuf_init(&out->buf);
	out->each = each;
	out->fd = STDOUT_FILENO;
	if (target[0] != '\0' && strcmp(target, "-") != 0) {
		out->target = strdup(target);
		if (out->target == NULL) {
			return WEIR_ENOMEM;
		}
		out->fd = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (out->fd < 0) {
			int saved = errno;

			free(out->target);
			out->target = NULL;
			errno = saved;
			return WEIR_EIO;
		}
	}
	return 0;
}

/* A terminal or pipe may be non-blocking because whoever shares it made it so: wait for room. */
static bool wait_for_room(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};

	return poll(&pfd, 1, -1) >= 0 || errno == EINTR;
}

/* A file ends with a whole record, though the disk was full in the middle of one. Not a stream that others may write to. */
static void take_back(const struct out *out, size_t n)
{
	int saved = errno;
	struct stat st;
	off_t at;

	if (out->target != NULL && n > 0 && fstat(out->fd, &st) == 0 && S_ISREG(st.st_mode)) {
		at = lseek(out->fd, 0, SEEK_CUR);
		if (at == st.st_size && at >= (off_t)n) {
			(void)!ftruncate(out->fd, at - (off_t)n);
		}
	}
	errno = saved;
}

int out_flush(struct out *out)
{
	const char *p = out->buf.p;
	size_t left = out->buf.len, all = left;

	strbuf_clear(&out->buf);
	while (left > 0) {
		ssize_t n = write(out->fd, p, left);

		if (n >= 0) {
			p += n;
			left -= (size_t)n;
		} else if (errno != EINTR && !(errno == EAGAIN && wait_for_room(out->fd))) {
			take_back(out, all - left);
			return WEIR_EIO;
		}
	}
	return 0;
}

/* Write all of it, from where it lies. *ret_written counts on, also when it fails. */
static int write_text(struct out *out, const struct iovec *text, int n, size_t *ret_written)
{
	struct iovec rest[OUT_VECTOR];
	int at = 0;

	memcpy(rest, text, (size_t)n * sizeof(*rest));
	while (at < n) {
		ssize_t got = writev(out->fd, rest + at, n - at);

		if (got < 0 && errno != EINTR && !(errno == EAGAIN && wait_for_room(out->fd))) {
			return WEIR_EIO;
		}
		*ret_written += got > 0 ? (size_t)got : 0;
		for (; at < n && got >= (ssize_t)rest[at].iov_len; at++) {
			got -= (ssize_t)rest[at].iov_len;
		}
		if (at < n && got > 0) {
			rest[at].iov_base = (char *)rest[at].iov_base + got;
			rest[at].iov_len -= (size_t)got;
		}
	}
	return 0;
}

int out_text(struct out *out, const struct iovec *text, int n)
{
	size_t all = 0, written = 0;
	int err, i;

	for (i = 0; i < n; i++) {
		all += text[i].iov_len;
	}
	if (all <= OUT_COPIED) {
		for (i = 0; i < n; i++) {
			strbuf_add(&out->buf, text[i].iov_base, text[i].iov_len);
		}
		return out_wrote(out);
	}
	err = out_flush(out);
	for (i = 0; i < n && err == 0; i += OUT_VECTOR) {
		err = write_text(out, text + i, n - i < OUT_VECTOR ? n - i : OUT_VECTOR, &written);
	}
	if (err < 0) {
		take_back(out, written);
	}
	return err;
}

int out_wrote(struct out *out)
{
	if (out->buf.failed) {
		out->buf.failed = false;
		errno = ENOMEM;
		return WEIR_ENOMEM;
	}
	return out->each || out->buf.len >= OUT_BUFFER ? out_flush(out) : 0;
}

int out_reopen(struct out *out)
{
	int err = out_flush(out);
	int fd;

	if (out->target == NULL) {
		return err;
	}
	fd = open(out->target, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (fd < 0) {
		return WEIR_EIO;
	}
	(void)close(out->fd);
	out->fd = fd;
	return err;
}

int out_close(struct out *out)
{
	int err = out_flush(out);

	if (out->target != NULL && close(out->fd) != 0) {
		err = WEIR_EIO;
	}
	free(out->target);
	out->target = NULL;
	strbuf_fini(&out->buf);
	return err;
}
