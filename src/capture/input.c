/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of an input: read(2), and decompression where the first bytes ask for it.
 *
 * Uncompressed, read(2) goes straight to the caller's buffer. A pipe is waited for in slices, so that capture_stop() is
 * obeyed. Compressed data may consist of several frames or members behind each other (as `cat a.gz b.gz` makes); anything
 * else behind a frame is damage.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/source.h"

enum {
	RAW_SIZE = 1 << 17, /* bytes of compressed data read at a time */
	RAW_SNIFF = 4,      /* bytes that tell codecs apart */
	POLL_MS = 200       /* how often a waiting read looks at capture->stop */
};

void capture_take_wake(const struct capture *capture)
{
	uint64_t n;

	while (capture->wake_fd >= 0 && read(capture->wake_fd, &n, sizeof(n)) > 0) {
	}
}

/* @return false: stopped, or (capture->idle) there is something else to do */
static bool wait_readable(struct capture *capture)
{
	struct pollfd fds[] = {{.fd = capture->input.fd, .events = POLLIN},
			       {.fd = capture->wake_fd, .events = POLLIN}};

	while (!capture_is_stopped(capture) && !capture->idle) {
		int n = poll(fds, 2, POLL_MS);
		bool failed = n < 0 && errno != EINTR;

		if (failed || (n > 0 && fds[0].revents != 0)) {
			return true; /* read(2) will tell what is wrong */
		}
		capture_take_wake(capture);
		capture->idle = capture->wake_fd >= 0;
	}
	return false;
}

/* Up to n bytes as they are. @return bytes; 0 at the end, when stopped or idle; WEIR_EIO */
static ssize_t read_raw(struct capture *capture, uint8_t *p, size_t n)
{
	struct capture_input *input = &capture->input;
	ssize_t got;

	do {
		if (capture_is_stopped(capture) || (!input->regular && !wait_readable(capture))) {
			return 0;
		}
		got = read(input->fd, p, n);
	} while (got < 0 && (errno == EINTR || errno == EAGAIN));
	if (got < 0) {
		int error = errno;

		capture_fail(capture, WEIR_EIO, "cannot be read: %s", strerror(error));
		errno = error;
		return WEIR_EIO;
	}
	input->ended = got == 0;
	capture->stats.bytes += (uint64_t)got;
	return got;
}

static int choose_codec(struct capture *capture)
{
	struct capture_input *input = &capture->input;
	const struct capture_codec *codec;

	for (codec = capture_codecs; codec->name != NULL; codec++) {
		if (input->raw_len >= codec->magic_len &&
		    memcmp(input->raw, codec->magic, codec->magic_len) == 0) {
			break;
		}
	}
	if (codec->name == NULL) {
		return 0;
	}
	if (codec->open == NULL) {
		capture_fail(
			capture, WEIR_EUNSUPPORTED,
			"is compressed with %s, which is not read. Try: %s -dc FILE | weir -r -",
			codec->name, codec->name);
		return WEIR_EUNSUPPORTED;
	}
	if (codec->open(&input->state) < 0) {
		capture_fail(capture, WEIR_ENOMEM, "cannot be decompressed: out of memory");
		return WEIR_ENOMEM;
	}
	input->codec = codec;
	return 0;
}

/* When the first bytes are there. */
static int choose(struct capture *capture)
{
	struct capture_input *input = &capture->input;

	while (input->raw_len < RAW_SNIFF) {
		ssize_t n =
			read_raw(capture, input->raw + input->raw_len, RAW_SNIFF - input->raw_len);

		if (n < 0) {
			return (int)n;
		}
		if (n == 0 && capture->idle) {
			return CAPTURE_IDLE;
		}
		if (n == 0) {
			break;
		}
		input->raw_len += (size_t)n;
	}
	input->chosen = true;
	return choose_codec(capture);
}

int capture_input_open(struct capture *capture, int fd)
{
	struct capture_input *input = &capture->input;
	struct stat st;

	if (input->chosen) {
		return 0;
	}
	if (input->raw != NULL) {
		return choose(capture);
	}
	input->fd = fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		input->regular = true;
		capture->stats.size = (uint64_t)st.st_size;
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	}
	input->raw = malloc(RAW_SIZE);
	if (input->raw == NULL) {
		capture_fail(capture, WEIR_ENOMEM, "cannot be read: out of memory");
		return WEIR_ENOMEM;
	}
	return choose(capture);
}

void capture_input_close(struct capture_input *input)
{
	if (input->codec != NULL) {
		input->codec->close(input->state);
	}
	if (input->fd >= 0 && !input->keep) {
		close(input->fd);
	}
	free(input->raw);
}

static ssize_t read_plain(struct capture *capture, uint8_t *p, size_t n)
{
	struct capture_input *input = &capture->input;

	if (input->raw_len > 0) {
		n = n < input->raw_len ? n : input->raw_len;
		memcpy(p, input->raw + input->raw_at, n);
		input->raw_at += n;
		input->raw_len -= n;
		return (ssize_t)n;
	}
	return read_raw(capture, p, n);
}

/* The compressed data cannot be gone on with. */
static ssize_t refuse_compressed(struct capture *capture, const char *how)
{
	capture_fail(capture, WEIR_EDAMAGED,
		     "%s its %s data at byte %" PRIu64 ", after packet %" PRIu64, how,
		     capture->input.codec->name, capture->stats.bytes - capture->input.raw_len,
		     capture->stats.packets);
	return WEIR_EDAMAGED;
}

static ssize_t read_compressed(struct capture *capture, uint8_t *p, size_t n)
{
	struct capture_input *input = &capture->input;
	struct capture_window out = {.at = p, .left = n};

	while (out.left == n) {
		struct capture_window in = {.at = input->raw + input->raw_at,
					    .left = input->raw_len};
		int status;

		if (input->failed) {
			return refuse_compressed(capture, "is damaged in");
		}
		if (in.left == 0 && !input->pending) {
			ssize_t got = read_raw(capture, input->raw, RAW_SIZE);

			if (got < 0 || (got == 0 && !input->ended)) {
				return got;
			}
			if (got == 0) {
				return input->inside ? refuse_compressed(capture, "ends inside")
						     : 0;
			}
			input->raw_at = 0;
			input->raw_len = (size_t)got;
			continue;
		}
		status = input->codec->decode(input->state, &in, &out);
		input->raw_at += input->raw_len - in.left;
		input->raw_len = in.left;
		input->failed = status < 0;
		input->inside = status == 0;
		input->pending = input->inside && out.left == 0;
		if (input->failed && out.left < n) {
			break; /* what was made before the damage is given first */
		}
	}
	return (ssize_t)(n - out.left);
}

ssize_t capture_input_read(struct capture *capture, uint8_t *p, size_t n)
{
	ssize_t got = capture->input.codec == NULL ? read_plain(capture, p, n)
						   : read_compressed(capture, p, n);

	if (got > 0) {
		capture->end += (uint64_t)got;
	} else if (got == 0) {
		capture->ended = capture->input.ended;
	}
	return got;
}
