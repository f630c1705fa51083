/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir slice: see slice.h.
 *
 * The files of a ring that can have packets of the range are opened together, before rights are dropped; each is then read from
 * its beginning, as a file is at most 256 MiB. A file that goes meanwhile (the ring is being written) is still open, and whole.
 */
#define _XOPEN_SOURCE 700 /* strptime */
#define _DEFAULT_SOURCE
#include "app/slice.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/caret.h"
#include "app/exit_status.h"
#include "app/fix.h"
#include "app/privs.h"
#include "base/strbuf.h"
#include "base/time.h"
#include "capture/capture.h"
#include "capture/filter.h"
#include "capture/keep_dir.h"
#include "capture/writer.h"
#include "weir/engine.h"
#include "weir/error.h"

enum { BATCH = 1024 };

struct slice {
	const struct options *options;
	const char *source;
	uint64_t first;
	uint64_t last;
	struct strbuf filter_text;
	struct filter *filter;
	struct keep_dir ring;
	uint32_t run;              /* of the ring; 0: a file */
	struct capture **captures; /* in order */
	size_t ncaptures;
	struct writer *writer;
	uint64_t seen;    /* packets of the range */
	uint64_t written; /* that matched */
	uint64_t lowest;  /* numbers that there are */
	uint64_t highest;
	bool damaged;
};

static bool read_number(const char **at, uint64_t *ret)
{
	char *end;

	errno = 0;
	if (**at < '0' || **at > '9') {
		return false;
	}
	*ret = strtoull(*at, &end, 10);
	*at = end;
	return errno == 0;
}

bool slice_read_run(const char *text, uint32_t *ret_run, int64_t *ret_begin_ns)
{
	struct tm tm = {.tm_isdst = 0};
	const char *at = text;
	int64_t ns = 0, digit = NS_PER_S / 10;
	uint64_t n;

	*ret_begin_ns = 0;
	if (read_number(&at, &n) && *at == '\0') {
		*ret_run = (uint32_t)n;
		return n > 0 && n <= UINT32_MAX;
	}
	at = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (at == NULL) {
		return false;
	}
	if (*at == '.') {
		for (at++; *at >= '0' && *at <= '9'; at++) {
			ns += (*at - '0') * digit;
			digit /= 10;
		}
	}
	*ret_begin_ns = (int64_t)timegm(&tm) * NS_PER_S + ns;
	return strcmp(at, "Z") == 0 && *ret_begin_ns > 0;
}

/* "1204", "1204-1333" */
static bool read_range(const char *text, uint64_t *ret_first, uint64_t *ret_last)
{
	const char *at = text;

	if (!read_number(&at, ret_first)) {
		return false;
	}
	*ret_last = *ret_first;
	if (*at == '-') {
		at++;
		if (!read_number(&at, ret_last)) {
			return false;
		}
	}
	return *at == '\0' && *ret_first > 0 && *ret_first <= *ret_last;
}

static int usage(const char *problem)
{
	fprintf(stderr,
		"weir: error: slice %s\n  weir slice DIR|FILE FIRST[-LAST] -w FILE [filter words]: "
		"DIR is that of --ring, the numbers are a record's packet.first and packet.last.\n",
		problem);
	return EXIT_USAGE;
}

static int refuse(const char *text, int error)
{
	const char *fix = fix_of_errno(error);

	fprintf(stderr, "weir: error: %s\n%s%s%s", text, fix[0] != '\0' ? "  " : "", fix,
		fix[0] != '\0' ? "\n" : "");
	return EXIT_ERROR;
}

/* ---- what to read ---- */

static int open_filter(struct slice *slice)
{
	const struct options *options = slice->options;
	struct filter_error error;
	const char *text;
	size_t i;
	int err;

	for (i = 2; i < options->nwords; i++) {
		strbuf_str(&slice->filter_text, i == 2 ? "" : " ");
		strbuf_str(&slice->filter_text, options->words[i]);
	}
	if (options->nwords == 2 || slice->filter_text.failed) {
		return options->nwords == 2 ? 0 : EXIT_ERROR;
	}
	text = strbuf_text(&slice->filter_text);
	err = filter_new(text, &slice->filter, &error);
	if (err == WEIR_EINVAL) {
		caret_print(&(struct caret){
			.kind = "capture filter",
			.text = text,
			.offset = error.offset,
			.length = error.length,
			.reason = error.reason,
			.suggestion = error.suggestion,
			.more = "The language is described in pcap-filter(7).",
		});
		return EXIT_USAGE;
	}
	return err < 0 ? EXIT_ERROR : 0;
}

static int add_capture(struct slice *slice, const char *path, bool own_numbers)
{
	struct capture **grown =
		reallocarray(slice->captures, slice->ncaptures + 1, sizeof(*slice->captures));
	struct capture *capture;
	int err;

	if (grown == NULL) {
		return WEIR_ENOMEM;
	}
	slice->captures = grown;
	err = capture_new_file(path, 0, NULL, &capture);
	if (err < 0) {
		int error = errno;

		/* the ring goes on while it is read: its oldest file may be gone by now */
		if (!own_numbers || error != ENOENT) {
			(void)refuse(capture_message(capture), error);
		} else {
			err = 0;
		}
		capture_close(capture);
		return err;
	}
	if (own_numbers) {
		capture_use_own_numbers(capture);
	}
	slice->captures[slice->ncaptures++] = capture;
	return 0;
}

/* Which run of the ring. @return 0: there is none */
static uint32_t choose_run(const struct slice *slice)
{
	const struct keep_dir *ring = &slice->ring;
	uint32_t wanted = ring->n == 0 ? 0 : ring->files[ring->n - 1].run, found = 0;
	int64_t begin_ns = 0;
	size_t i;

	if (slice->options->of_run != NULL) {
		(void)slice_read_run(slice->options->of_run, &wanted, &begin_ns);
	}
	for (i = 0; i < ring->n; i++) {
		const struct keep_file *file = &ring->files[i];

		/* by time: the run that was going on, and its file may have been begun a little later than its first packet came */
		if (begin_ns == 0 ? file->run == wanted
				  : file->begin_ns <= begin_ns + NS_PER_S || found == 0) {
			found = file->run;
		}
	}
	return found;
}

static int open_ring(struct slice *slice)
{
	const struct keep_file *file = NULL;
	char path[4096];
	int fd = open(slice->source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err = fd < 0 ? WEIR_EIO : keep_dir_list(fd, &slice->ring);
	size_t i;

	if (fd >= 0) {
		close(fd);
	}
	if (err < 0) {
		return refuse("the ring cannot be listed", errno);
	}
	slice->run = choose_run(slice);
	if (slice->run == 0) {
		fprintf(stderr, "weir: error: %s has no packets%s\n  They are kept with --ring.\n",
			slice->source, slice->options->of_run != NULL ? " of that run" : "");
		return EXIT_ERROR;
	}
	privs_allow_files(slice->ring.n);
	for (i = 0; i < slice->ring.n && err == 0; i++) {
		file = &slice->ring.files[i];
		if (file->run != slice->run) {
			continue;
		}
		slice->lowest = slice->lowest == 0 ? file->first : slice->lowest;
		/* one file before the range too: it ends where the next begins */
		if (file->first > slice->last ||
		    (i + 1 < slice->ring.n && slice->ring.files[i + 1].run == slice->run &&
		     slice->ring.files[i + 1].first <= slice->first)) {
			continue;
		}
		(void)snprintf(path, sizeof(path), "%s/%s", slice->source, file->name);
		err = add_capture(slice, path, true);
	}
	return err < 0 ? EXIT_ERROR : 0;
}

static int open_source(struct slice *slice)
{
	struct stat st;

	if (stat(slice->source, &st) == 0 && S_ISDIR(st.st_mode)) {
		return open_ring(slice);
	}
	return add_capture(slice, slice->source, false) < 0 ? EXIT_ERROR : 0;
}

static int open_writer(struct slice *slice)
{
	const struct writer_options writer = {
		.path = slice->options->write,
		.version = weir_version(),
		.comment = "a slice by packet numbers, made by weir; nothing masked",
		.filter = slice->filter == NULL ? NULL : strbuf_text(&slice->filter_text),
		.one_input = true,
	};

	return writer_open(&writer, &slice->writer) < 0
		       ? refuse(writer_message(slice->writer), writer_errno(slice->writer))
		       : 0;
}

/* What is read may be hostile, as in any run. */
static int drop_rights(const struct slice *slice)
{
	struct privs_needs needs = {.ndirectories = 0};
	struct privs_status status;

	if (slice->options->no_sandbox) {
		return 0;
	}
	if (strcmp(slice->options->write, "-") != 0) {
		privs_need_file(&needs, slice->options->write);
	}
	return privs_drop(&needs, &status) < 0 ? refuse(status.message, 0) : 0;
}

/* ---- reading ---- */

static int take_batch(struct slice *slice, const struct capture *capture,
		      const struct capture_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->npackets; i++) {
		const struct weir_packet *packet = &batch->packets[i];

		slice->lowest = slice->lowest == 0 ? packet->number : slice->lowest;
		slice->highest = packet->number > slice->highest ? packet->number : slice->highest;
		if (packet->number < slice->first || packet->number > slice->last) {
			continue;
		}
		slice->seen++;
		if (slice->filter != NULL && !filter_matches(slice->filter, packet)) {
			continue;
		}
		if (writer_packet(slice->writer, capture, packet) < 0) {
			return refuse(writer_message(slice->writer), writer_errno(slice->writer));
		}
		slice->written++;
	}
	return 0;
}

static int read_capture(struct slice *slice, struct capture *capture, struct capture_batch *batch)
{
	int got = capture_begin(capture);
	int status = 0;

	while (got == CAPTURE_IDLE) {
		got = capture_begin(capture);
	}
	while (got >= 0 && status == 0 && slice->highest < slice->last) {
		got = capture_fill(capture, batch);
		if (got == 0) {
			break;
		}
		if (got > 0 && got != CAPTURE_IDLE) {
			status = take_batch(slice, capture, batch);
		}
	}
	if (got == WEIR_EDAMAGED) {
		/* weir was killed while it wrote, or is writing: what follows, if anything, is in the next file */
		fprintf(stderr, "weir: warning: %s\n", capture_message(capture));
		slice->damaged = true;
	} else if (got < 0) {
		status = refuse(capture_message(capture), 0);
	}
	return status;
}

static int tell(const struct slice *slice)
{
	uint64_t wanted = slice->last - slice->first + 1;

	if (slice->seen == 0) {
		fprintf(stderr,
			"weir: error: packets %" PRIu64 " to %" PRIu64 " are not kept in %s%s\n  ",
			slice->first, slice->last, slice->source,
			slice->highest == 0 && slice->lowest > 1 ? " any more" : "");
		if (slice->lowest > slice->last) {
			fprintf(stderr, "The oldest one is %" PRIu64 ".\n", slice->lowest);
		} else {
			fprintf(stderr, "The newest one is %" PRIu64 ".\n", slice->highest);
		}
		return EXIT_ERROR;
	}
	if (!slice->options->quiet) {
		fprintf(stderr,
			"weir: %" PRIu64
			" packets to %s, as they were captured: nothing is masked\n",
			slice->written,
			strcmp(slice->options->write, "-") == 0 ? "standard output"
								: slice->options->write);
	}
	if (slice->seen < wanted) {
		fprintf(stderr,
			"weir: warning: %" PRIu64 " of the %" PRIu64 " packets are not there%s\n",
			wanted - slice->seen, wanted,
			slice->run == 0 ? ""
					: ": not kept, not kept any more, or not matched by the "
					  "filter then");
	}
	return slice->damaged && slice->highest < slice->last ? EXIT_DAMAGED : 0;
}

static int copy(struct slice *slice)
{
	struct capture_batch batch;
	int status = capture_batch_init(&batch, BATCH) < 0 ? EXIT_ERROR : 0;
	size_t i;

	for (i = 0; i < slice->ncaptures && status == 0; i++) {
		status = read_capture(slice, slice->captures[i], &batch);
	}
	if (status == 0 && writer_finish(slice->writer) < 0) {
		status = refuse(writer_message(slice->writer), writer_errno(slice->writer));
	}
	capture_batch_fini(&batch);
	return status == 0 ? tell(slice) : status;
}

static void clean_up(struct slice *slice)
{
	size_t i;

	writer_free(slice->writer);
	for (i = 0; i < slice->ncaptures; i++) {
		capture_close(slice->captures[i]);
	}
	free(slice->captures);
	keep_dir_fini(&slice->ring);
	filter_free(slice->filter);
	strbuf_fini(&slice->filter_text);
}

int slice_run(const struct options *options)
{
	struct slice slice = {.options = options};
	int status;

	if (options->nwords < 2) {
		return usage("takes a place and numbers of packets");
	}
	if (options->write == NULL) {
		return usage("writes a file: -w is missing");
	}
	if (!read_range(options->words[1], &slice.first, &slice.last)) {
		return usage("takes numbers such as 1204 or 1204-1333");
	}
	strbuf_init(&slice.filter_text);
	slice.source = options->words[0];
	status = open_filter(&slice);
	if (status == 0) {
		status = open_source(&slice);
	}
	if (status == 0) {
		status = open_writer(&slice);
	}
	if (status == 0) {
		status = drop_rights(&slice);
	}
	if (status == 0) {
		status = copy(&slice);
	}
	clean_up(&slice);
	return status;
}
