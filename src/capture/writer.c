/* SPDX-License-Identifier: Apache-2.0 */
/* Writing pcapng (draft-ietf-opsawg-pcapng), in the machine's byte order: see writer.h. */
#include "capture/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/time.h"
#include "capture/block.h"
#include "capture/compress.h"
#include "capture/source.h"

enum {
	BUFFER = 1 << 20, /* bytes written at a time */
	MAX_INTERFACES =
		1
		<< 12, /* of a file; packets of further ones are written as of the first with their link type */
	MAX_PATH = 4096,
	/* options */
	OPT_ISB_START = 2,
	OPT_ISB_END = 3,
	OPT_ISB_RECEIVED = 4,
	OPT_ISB_DROPPED = 5,
	OPT_ISB_OS_DROPPED = 7
};

/* An interface of the file: of an input, and with one link type. */
struct interface {
	const struct capture *capture;
	uint16_t number; /* in its input */
	uint16_t linktype;
	uint64_t packets;
	/* drops told before this file began */
	struct capture_drops before;
	uint64_t file_drops_before;
};

struct writer {
	struct writer_options options;
	struct compress file;
	bool is_open;
	char path[MAX_PATH]; /* of the open file */
	uint8_t *buf;        /* BUFFER, then room for one more block */
	size_t used;
	uint64_t in_file;  /* bytes, before compression */
	unsigned nfile;    /* number of the file within its series */
	unsigned begun;    /* files so far */
	unsigned nseries;  /* -G: how many times a series was begun */
	int64_t series_ns; /* -G: the packet time that the series began with */
	int64_t first_ns;  /* of the file */
	int64_t last_ns;
	struct interface *interfaces;
	size_t ninterfaces;
	size_t room;
	size_t last; /* the interface of the packet before */
	uint64_t packets;
	uint64_t bytes;
	int error;
	int error_number;
	char message[CAPTURE_MESSAGE];
};

static int fail(struct writer *writer, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int fail(struct writer *writer, int error, const char *format, ...)
{
	va_list args;

	if (writer->error == 0) {
		writer->error = error;
		va_start(args, format);
		(void)vsnprintf(writer->message, sizeof(writer->message), format, args);
		va_end(args);
	}
	return writer->error;
}

static int fail_path(struct writer *writer, const char *what)
{
	char name[256];
	int saved = errno;

	capture_escape_name(name, sizeof(name), writer->path);
	if (writer->error == 0) {
		writer->error_number = saved;
	}
	return fail(writer, WEIR_EIO, "%s %s: %s", what, name, strerror(saved));
}

/* ---- blocks ---- */

static int write_out(struct writer *writer)
{
	if (writer->used > 0 && compress_write(&writer->file, writer->buf, writer->used) < 0) {
		writer->used = 0;
		return fail_path(writer, "cannot write packets to");
	}
	writer->used = 0;
	return 0;
}

static int put_block(struct writer *writer, struct block *block)
{
	size_t len = block_end(block);

	if (writer->used + len > BUFFER && write_out(writer) < 0) {
		return writer->error;
	}
	memcpy(writer->buf + writer->used, block->p, len);
	writer->used += len;
	writer->in_file += len;
	return 0;
}

static int put_section(struct writer *writer)
{
	struct block block;

	block_section(&block, writer->options.version, writer->options.comment);
	return put_block(writer, &block);
}

static int put_interface(struct writer *writer, const struct interface *interface)
{
	struct block block;
	const struct block_interface about = {
		.linktype = interface->linktype,
		.snaplen = writer->options.snaplen,
		.name = capture_interface_name(interface->capture, interface->number),
		.filter = writer->options.filter,
	};

	block_interface(&block, &about);
	return put_block(writer, &block);
}

static void drops_of(const struct interface *interface, struct capture_drops *ret,
		     uint64_t *in_file)
{
	capture_interface_drops(interface->capture, interface->number, ret);
	ret->kernel -= interface->before.kernel;
	ret->interface -= interface->before.interface;
	*in_file = capture_stats(interface->capture)->drops - interface->file_drops_before;
}

/* An interface statistics block: what was dropped at it while this file was written. */
static int put_statistics(struct writer *writer, size_t which)
{
	const struct interface *interface = &writer->interfaces[which];
	struct block block;
	struct capture_drops drops;
	uint64_t told;
	bool first = true;
	size_t i;

	drops_of(interface, &drops, &told);
	/* what an input told is of all its interfaces: it stands at the first */
	for (i = 0; i < which; i++) {
		first = first && writer->interfaces[i].capture != interface->capture;
	}
	block_begin(&block, BLOCK_STATISTICS);
	block_put32(&block, (uint32_t)which);
	block_put32(&block, (uint32_t)((uint64_t)writer->last_ns >> 32));
	block_put32(&block, (uint32_t)writer->last_ns);
	block_put_time(&block, OPT_ISB_START, writer->first_ns);
	block_put_time(&block, OPT_ISB_END, writer->last_ns);
	block_put_u64(&block, OPT_ISB_RECEIVED, interface->packets);
	block_put_u64(&block, OPT_ISB_DROPPED, drops.interface);
	block_put_u64(&block, OPT_ISB_OS_DROPPED, drops.kernel + (first ? told : 0));
	if (first && told > 0) {
		block_put_text(
			&block, BLOCK_OPT_COMMENT,
			"drops as told by the capture that was read, for all its interfaces");
	}
	return put_block(writer, &block);
}

/* ---- files ---- */

/* The name of the next file, as tcpdump's: a number behind the name when there are several. */
static void make_path(struct writer *writer, int64_t ts_ns)
{
	const struct writer_options *options = &writer->options;
	char name[MAX_PATH / 2];
	size_t suffix, len;
	int width = 0;
	unsigned n;

	(void)snprintf(name, sizeof(name), "%s", options->path);
	if (options->seconds > 0) {
		time_t s = (time_t)(ts_ns / NS_PER_S);
		struct tm tm;

		/* as tcpdump: local time */
		if (localtime_r(&s, &tm) == NULL ||
		    strftime(name, sizeof(name), options->path, &tm) == 0) {
			(void)snprintf(name, sizeof(name), "%s", options->path);
		}
	}
	suffix = compress_suffix(name);
	len = strlen(name) - suffix;
	if (options->size_limit == 0 || (writer->nfile == 0 && options->files == 0)) {
		(void)snprintf(writer->path, sizeof(writer->path), "%s", name);
		return;
	}
	for (n = options->files == 0 ? 0 : options->files - 1; n > 0; n /= 10) {
		width++;
	}
	(void)snprintf(writer->path, sizeof(writer->path), "%.*s%0*u%s", (int)len, name, width,
		       writer->nfile, name + len);
}

static int begin_file(struct writer *writer, int64_t ts_ns, int flags)
{
	bool is_stdout = strcmp(writer->options.path, "-") == 0;
	int fd = STDOUT_FILENO;
	int err;

	make_path(writer, ts_ns);
	if (!is_stdout) {
		fd = open(writer->path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0666);
		if (fd < 0) {
			return fail_path(writer, "cannot open for writing");
		}
	}
	err = compress_open(&writer->file, fd, !is_stdout, writer->path);
	if (err < 0) {
		return fail(writer, err, "cannot compress %s", writer->options.path);
	}
	writer->is_open = true;
	writer->begun++;
	writer->in_file = 0;
	writer->used = 0;
	writer->ninterfaces = 0;
	writer->last = 0;
	writer->first_ns = ts_ns;
	writer->last_ns = ts_ns;
	return put_section(writer);
}

static int end_file(struct writer *writer)
{
	size_t i;

	if (!writer->is_open) {
		return writer->error;
	}
	for (i = 0; i < writer->ninterfaces && writer->error == 0; i++) {
		(void)put_statistics(writer, i);
	}
	if (writer->error == 0) {
		(void)write_out(writer);
	}
	writer->is_open = false;
	if (compress_close(&writer->file) < 0 && writer->error == 0) {
		(void)fail_path(writer, "cannot write packets to");
	}
	return writer->error;
}

/* Is it time for another file? @return 1: no more files may be written */
static int rotate(struct writer *writer, int64_t ts_ns)
{
	const struct writer_options *options = &writer->options;

	if (options->seconds > 0) {
		int64_t span = options->seconds * NS_PER_S;

		if (!writer->is_open && writer->nseries == 0) {
			writer->nseries = 1;
			writer->series_ns = ts_ns;
			return begin_file(writer, ts_ns, O_TRUNC);
		}
		if (ts_ns - writer->series_ns >= span) {
			/* tcpdump: with -W alone the run ends after so many files */
			if (options->size_limit == 0 && options->files > 0 &&
			    writer->nseries >= options->files) {
				return 1;
			}
			writer->nseries++;
			writer->nfile = 0;
			writer->series_ns += (ts_ns - writer->series_ns) / span * span;
			return end_file(writer) < 0 ? writer->error
						    : begin_file(writer, ts_ns, O_TRUNC);
		}
	}
	if (options->size_limit > 0 && writer->in_file > options->size_limit) {
		writer->nfile++;
		if (options->files > 0 && options->seconds == 0) {
			writer->nfile %= options->files;
		}
		return end_file(writer) < 0 ? writer->error : begin_file(writer, ts_ns, O_TRUNC);
	}
	return 0;
}

int writer_open(const struct writer_options *options, struct writer **ret)
{
	struct writer *writer = calloc(1, sizeof(*writer));

	*ret = writer;
	if (writer == NULL) {
		return WEIR_ENOMEM;
	}
	writer->options = *options;
	writer->file.fd = -1;
	writer->buf = malloc(BUFFER);
	if (writer->buf == NULL) {
		return fail(writer, WEIR_ENOMEM, "out of memory");
	}
	if (!compress_can_write(options->path)) {
		return fail(writer, WEIR_EUNSUPPORTED, "this build cannot compress %s",
			    options->path + strlen(options->path) - compress_suffix(options->path));
	}
	if (options->seconds > 0) {
		tzset(); /* reads the time zone's file now: later there may be no right to */
		return 0;
	}
	return begin_file(writer, 0, O_TRUNC);
}

void writer_free(struct writer *writer)
{
	if (writer == NULL) {
		return;
	}
	if (writer->is_open) {
		(void)end_file(writer);
	}
	free(writer->interfaces);
	free(writer->buf);
	free(writer);
}

/* ---- packets ---- */

static int add_interface(struct writer *writer, const struct capture *capture,
			 const struct weir_packet *packet)
{
	struct interface *interface;

	if (writer->ninterfaces == writer->room) {
		size_t room = writer->room == 0 ? 8 : writer->room * 2;
		struct interface *grown =
			realloc(writer->interfaces, room * sizeof(*writer->interfaces));

		if (grown == NULL) {
			return fail(writer, WEIR_ENOMEM, "out of memory");
		}
		writer->interfaces = grown;
		writer->room = room;
	}
	interface = &writer->interfaces[writer->ninterfaces];
	*interface = (struct interface){.capture = capture,
					.number = packet->interface,
					.linktype = packet->linktype,
					.file_drops_before = 0};
	if (writer->begun > 1) {
		capture_interface_drops(capture, packet->interface, &interface->before);
		interface->file_drops_before = capture_stats(capture)->drops;
	}
	writer->last = writer->ninterfaces++;
	return put_interface(writer, interface);
}

static bool is_of(const struct writer *writer, const struct interface *interface,
		  const struct capture *capture, const struct weir_packet *packet)
{
	return (interface->capture == capture || writer->options.one_input) &&
	       interface->number == packet->interface && interface->linktype == packet->linktype;
}

static int find_interface(struct writer *writer, const struct capture *capture,
			  const struct weir_packet *packet)
{
	size_t i;

	if (writer->last < writer->ninterfaces &&
	    is_of(writer, &writer->interfaces[writer->last], capture, packet)) {
		return 0;
	}
	for (i = 0; i < writer->ninterfaces; i++) {
		if (is_of(writer, &writer->interfaces[i], capture, packet)) {
			writer->last = i;
			return 0;
		}
	}
	for (i = 0; writer->ninterfaces == MAX_INTERFACES && i < writer->ninterfaces; i++) {
		if (writer->interfaces[i].linktype == packet->linktype) {
			writer->last = i;
			return 0;
		}
	}
	return add_interface(writer, capture, packet);
}

/* Bytes into the buffer, or past it when they are more than it holds. */
static int put_bytes(struct writer *writer, const void *p, size_t n)
{
	if (writer->used + n > BUFFER && write_out(writer) < 0) {
		return writer->error;
	}
	if (n > BUFFER) {
		return compress_write(&writer->file, p, n) < 0
			       ? fail_path(writer, "cannot write packets to")
			       : 0;
	}
	if (n > 0) {
		memcpy(writer->buf + writer->used, p, n);
		writer->used += n;
	}
	return 0;
}

int writer_packet(struct writer *writer, const struct capture *capture,
		  const struct weir_packet *packet)
{
	static const uint8_t zeros[4];
	uint64_t ts = packet->ts_ns < 0 ? 0 : (uint64_t)packet->ts_ns;
	uint32_t padding = (4 - packet->caplen % 4) % 4;
	uint32_t len = 32 + packet->caplen + padding;
	uint32_t head[7];
	int got;

	if (writer->error != 0) {
		return writer->error;
	}
	got = rotate(writer, packet->ts_ns);
	if (got != 0) {
		return got < 0 ? got : 0;
	}
	if (find_interface(writer, capture, packet) < 0) {
		return writer->error;
	}
	head[0] = BLOCK_PACKET;
	head[1] = len;
	head[2] = (uint32_t)writer->last;
	head[3] = (uint32_t)(ts >> 32);
	head[4] = (uint32_t)ts;
	head[5] = packet->caplen;
	head[6] = packet->wirelen;
	if (put_bytes(writer, head, sizeof(head)) < 0 ||
	    put_bytes(writer, packet->data, packet->caplen) < 0 ||
	    put_bytes(writer, zeros, padding) < 0 || put_bytes(writer, &len, 4) < 0) {
		return writer->error;
	}
	writer->first_ns = writer->interfaces[writer->last].packets == 0 && writer->first_ns == 0
				   ? packet->ts_ns
				   : writer->first_ns;
	writer->last_ns = packet->ts_ns > writer->last_ns ? packet->ts_ns : writer->last_ns;
	writer->interfaces[writer->last].packets++;
	writer->in_file += len;
	writer->packets++;
	writer->bytes += packet->caplen;
	return 1;
}

int writer_flush(struct writer *writer)
{
	if (writer->error != 0 || !writer->is_open) {
		return writer->error;
	}
	return write_out(writer);
}

int writer_reopen(struct writer *writer)
{
	if (!writer->is_open || strcmp(writer->options.path, "-") == 0) {
		return 0;
	}
	return end_file(writer) < 0 ? writer->error : begin_file(writer, writer->last_ns, O_APPEND);
}

int writer_finish(struct writer *writer)
{
	return end_file(writer);
}

const char *writer_path(const struct writer *writer)
{
	return writer->path;
}

int writer_errno(const struct writer *writer)
{
	return writer == NULL ? 0 : writer->error_number;
}

const char *writer_message(const struct writer *writer)
{
	return writer == NULL ? "out of memory" : writer->message;
}

uint64_t writer_packets(const struct writer *writer)
{
	return writer->packets;
}

uint64_t writer_bytes(const struct writer *writer)
{
	return writer->bytes;
}
