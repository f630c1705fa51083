/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The driver of capture files: opens an input, tells its format by the first bytes, and fills batches.
 *
 * Bytes are read behind what is left of a cut record, into the batch's own buffer, and parsed there. What did not become a
 * packet of this batch - a cut record, or records beyond the batch's capacity - is copied to `carry`. The next call first takes
 * whole records from the carry (only their bytes are copied), so that small batches do not copy a block over and over.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/source.h"

enum {
	BATCH_BUF = CAPTURE_BLOCK + (1 << 16), /* a block behind a cut record of usual size */
	MIN_READ = 1 << 16                     /* bytes asked for at least */
};

int capture_batch_init(struct capture_batch *batch, size_t max_packets)
{
	*batch = (struct capture_batch){.max_packets = max_packets};
	if (max_packets == 0) {
		return WEIR_EINVAL;
	}
	batch->packets = calloc(max_packets, sizeof(*batch->packets));
	batch->buf = malloc(BATCH_BUF);
	if (batch->packets == NULL || batch->buf == NULL) {
		capture_batch_fini(batch);
		return WEIR_ENOMEM;
	}
	batch->size = BATCH_BUF;
	return 0;
}

void capture_batch_fini(struct capture_batch *batch)
{
	free(batch->packets);
	free(batch->buf);
	*batch = (struct capture_batch){.packets = NULL};
}

int capture_reserve(uint8_t **buf, size_t *size, size_t n)
{
	size_t grown = *size;
	uint8_t *p;

	if (n <= *size) {
		return 0;
	}
	while (grown < n) {
		grown = grown == 0 ? MIN_READ : grown * 2;
	}
	p = realloc(*buf, grown);
	if (p == NULL) {
		return WEIR_ENOMEM;
	}
	*buf = p;
	*size = grown;
	return 0;
}

/* ---- opening ---- */

static void refuse_format(struct capture *capture, const uint8_t *p, size_t len)
{
	const char *inside = capture->input.codec == NULL ? "" : "decompressed it ";
	char text[64];

	if (len == 0) {
		capture_fail(capture, WEIR_EFORMAT,
			     "is empty: not even the header of a capture file is there");
		return;
	}
	capture_escape(text, sizeof(text), p, len < 8 ? len : 8);
	capture_fail(
		capture, WEIR_EFORMAT,
		"is not a capture file (%sstarts with \"%s\"). Supported: pcap (\xc2\xb5s and ns, "
		"either byte order, modified) and pcapng, also compressed",
		inside, text);
}

/* Read the first bytes into the carry and choose the format. */
static int sniff(struct capture *capture)
{
	if (capture_reserve(&capture->carry, &capture->carry_size, CAPTURE_SNIFF) < 0) {
		capture_fail(capture, WEIR_ENOMEM, "cannot be read: out of memory");
		return WEIR_ENOMEM;
	}
	while (capture->carry_len < CAPTURE_SNIFF) {
		ssize_t n = capture_input_read(capture, capture->carry + capture->carry_len,
					       CAPTURE_SNIFF - capture->carry_len);

		if (n < 0) {
			return (int)n;
		}
		if (n == 0 && capture->idle) {
			return CAPTURE_IDLE;
		}
		if (n == 0) {
			break;
		}
		capture->carry_len += (size_t)n;
	}
	if (capture->carry_len < CAPTURE_SNIFF && !capture->ended) {
		return 0; /* stopped while waiting: no input at all */
	}
	if (file_pcap_sniff(capture, capture->carry, capture->carry_len)) {
		capture->format = &file_pcap_format;
	} else if (file_pcapng_sniff(capture, capture->carry, capture->carry_len)) {
		capture->format = &file_pcapng_format;
	} else {
		refuse_format(capture, capture->carry, capture->carry_len);
	}
	return capture->error;
}

struct capture *capture_alloc(const char *name, uint16_t input)
{
	struct capture *capture = calloc(1, sizeof(*capture));
	char text[256];

	if (capture == NULL) {
		return NULL;
	}
	capture_escape_name(text, sizeof(text), name);
	capture->name = strdup(text);
	if (capture->name == NULL) {
		free(capture);
		return NULL;
	}
	capture->index = input;
	capture->input.fd = -1;
	capture->wake_fd = -1;
	return capture;
}

void capture_wake_by(struct capture *capture, int fd)
{
	capture->wake_fd = fd;
}

void capture_use_own_numbers(struct capture *capture)
{
	capture->own_numbers = true;
}

int capture_begin(struct capture *capture)
{
	int error = capture->error;

	if (error != 0 || capture->format != NULL) {
		return error;
	}
	if (capture->live != NULL) {
		return live_begin(capture);
	}
	capture->idle = false;
	error = capture_input_open(capture, capture->input.fd);

	if (error == 0) {
		error = sniff(capture);
	}
	/* compressed data cut before its first packet is an input like any other that is cut: capture_fill() tells */
	return error == WEIR_EDAMAGED ? 0 : error;
}

int capture_open_fd(int fd, const char *name, uint16_t input, struct capture **ret)
{
	*ret = capture_alloc(name, input);
	if (*ret == NULL) {
		close(fd);
		return WEIR_ENOMEM;
	}
	(*ret)->input.fd = fd;
	return capture_begin(*ret);
}

int capture_new_file(const char *path, uint16_t input, const volatile sig_atomic_t *stop,
		     struct capture **ret)
{
	bool is_stdin = strcmp(path, "-") == 0;
	struct capture *capture = capture_alloc(is_stdin ? "standard input" : path, input);
	int fd = STDIN_FILENO;

	*ret = capture;
	if (capture == NULL) {
		return WEIR_ENOMEM;
	}
	capture->stop_flag = stop;
	capture->input.keep = is_stdin;
	if (!is_stdin) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0) {
		int error = errno;

		capture_fail(capture, WEIR_EIO, "cannot be opened: %s", strerror(error));
		errno = error;
		return WEIR_EIO;
	}
	capture->input.fd = fd;
	return 0;
}

int capture_open_file(const char *path, uint16_t input, struct capture **ret)
{
	int err = capture_new_file(path, input, NULL, ret);

	return err < 0 ? err : capture_begin(*ret);
}

void capture_close(struct capture *capture)
{
	if (capture == NULL) {
		return;
	}
	if (capture->format != NULL && capture->format->fini != NULL) {
		capture->format->fini(capture);
	}
	live_free(capture->live);
	capture_input_close(&capture->input);
	free(capture->carry);
	free(capture->name);
	free(capture);
}

/* ---- filling ---- */

/* Parse len bytes at p, the next of the input. @return bytes that are done with */
static size_t parse_bytes(struct capture *capture, struct capture_batch *batch, const uint8_t *p,
			  size_t len)
{
	struct capture_span span = {.at = p, .end = p + len, .base = p, .offset = capture->offset};

	capture->format->parse(capture, batch, &span);
	capture->offset = capture_span_offset(&span);
	return (size_t)(span.at - p);
}

/* Whole records of the carry become the batch; or, when there is none, the carry moves into it. */
static int take_carry(struct capture *capture, struct capture_batch *batch)
{
	uint8_t *p = capture->carry + capture->carry_at;
	size_t used, i;

	used = parse_bytes(capture, batch, p, capture->carry_len);
	if (batch->npackets == 0) {
		p += used;
		capture->carry_at += used;
		capture->carry_len -= used;
		used = capture->carry_len;
	}
	if (capture_reserve(&batch->buf, &batch->size, used) < 0) {
		batch->npackets = 0;
		capture_fail(capture, WEIR_ENOMEM, "cannot be read on: out of memory");
		return WEIR_ENOMEM;
	}
	memcpy(batch->buf, p, used);
	batch->used = used;
	for (i = 0; i < batch->npackets; i++) {
		batch->packets[i].data = batch->buf + (batch->packets[i].data - p);
	}
	capture->carry_at += used;
	capture->carry_len -= used;
	return 0;
}

/* Bytes to read: a little less than fills the batch, for packets that are left over are copied. */
static size_t read_size(const struct capture *capture, const struct capture_batch *batch)
{
	uint64_t want;

	if (capture->stats.packets == 0) {
		return CAPTURE_BLOCK;
	}
	want = capture->offset / capture->stats.packets * batch->max_packets / 16 * 15;
	return want < MIN_READ ? MIN_READ : want < CAPTURE_BLOCK ? want : CAPTURE_BLOCK;
}

/* Read once behind the batch's bytes and parse. */
static int read_and_parse(struct capture *capture, struct capture_batch *batch)
{
	size_t want = read_size(capture, batch);
	size_t used;
	ssize_t n;

	/* doubles as the bytes come in: a record that only claims to be large costs nothing */
	if (batch->used == batch->size &&
	    capture_reserve(&batch->buf, &batch->size, batch->size + 1) < 0) {
		capture_fail(capture, WEIR_ENOMEM, "cannot be read on: out of memory");
		return WEIR_ENOMEM;
	}
	if (want > batch->size - batch->used) {
		want = batch->size - batch->used;
	}
	n = capture_input_read(capture, batch->buf + batch->used, want);
	if (n <= 0) {
		return (int)n;
	}
	batch->used += (size_t)n;
	used = parse_bytes(capture, batch, batch->buf, batch->used);
	if (batch->npackets == 0) {
		if (used > 0) {
			memmove(batch->buf, batch->buf + used, batch->used - used);
		}
		batch->used -= used;
		return 0;
	}
	capture->carry_at = 0;
	capture->carry_len = batch->used - used;
	if (capture_reserve(&capture->carry, &capture->carry_size, capture->carry_len) < 0) {
		batch->npackets = 0;
		capture_fail(capture, WEIR_ENOMEM, "cannot be read on: out of memory");
		return WEIR_ENOMEM;
	}
	if (capture->carry_len > 0) {
		memcpy(capture->carry, batch->buf + used, capture->carry_len);
	}
	batch->used = used;
	return 0;
}

/* The bytes of a record that is not complete are kept for the next call. */
static int tell_idle(struct capture *capture, struct capture_batch *batch)
{
	if (batch->used > 0) {
		if (capture_reserve(&capture->carry, &capture->carry_size, batch->used) < 0) {
			capture_fail(capture, WEIR_ENOMEM, "cannot be read on: out of memory");
			return WEIR_ENOMEM;
		}
		memcpy(capture->carry, batch->buf, batch->used);
		capture->carry_at = 0;
		capture->carry_len = batch->used;
		batch->used = 0;
	}
	return CAPTURE_IDLE;
}

int capture_fill(struct capture *capture, struct capture_batch *batch)
{
	batch->npackets = 0;
	batch->used = 0;
	batch->clock_ns = 0;
	capture->idle = false;
	if (capture->live != NULL) {
		return live_fill(capture, batch);
	}
	if (capture->error != 0 || capture->format == NULL) {
		return capture->error;
	}
	if (capture->carry_len > 0 && !capture_is_stopped(capture)) {
		(void)take_carry(capture, batch);
	}
	while (batch->npackets == 0 && capture->error == 0) {
		if (capture_is_stopped(capture)) {
			return 0;
		}
		if (capture->ended) {
			if (capture->item.need > 0) {
				capture_ends_inside(capture);
			}
			break;
		}
		(void)read_and_parse(capture, batch);
		if (capture->idle && batch->npackets == 0 && capture->error == 0) {
			return tell_idle(capture, batch);
		}
	}
	return batch->npackets > 0 ? (int)batch->npackets : capture->error;
}

void capture_stop(struct capture *capture)
{
	atomic_store_explicit(&capture->stop, true, memory_order_relaxed);
}

const char *capture_message(const struct capture *capture)
{
	return capture == NULL ? "out of memory" : capture->message;
}

const char *capture_name(const struct capture *capture)
{
	return capture->name;
}

const struct capture_stats *capture_stats(const struct capture *capture)
{
	return &capture->stats;
}

bool capture_is_live(const struct capture *capture)
{
	return capture->live != NULL;
}

bool capture_may_wait(const struct capture *capture)
{
	struct stat st;

	return capture->live != NULL || fstat(capture->input.fd, &st) != 0 || !S_ISREG(st.st_mode);
}

const char *capture_interface_name(const struct capture *capture, uint16_t interface)
{
	if (capture->live != NULL) {
		return live_interface_name(capture->live, interface);
	}
	if (capture->format == NULL || capture->format->interface_name == NULL) {
		return NULL;
	}
	return capture->format->interface_name(capture, interface);
}
