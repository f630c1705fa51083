/* SPDX-License-Identifier: Apache-2.0 */
/* What a run reads and writes packets with, opened: see run_state.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/caret.h"
#include "app/doctor.h"
#include "app/fix.h"
#include "app/ifaces.h"
#include "app/rings.h"
#include "app/run_state.h"
#include "app/signals.h"
#include "weir/engine.h"
#include "weir/error.h"

enum { FILTER_MAX = 1 << 16 /* bytes of a filter in a file */ };

void run_print_fix(int error)
{
	const char *fix = fix_of_errno(error);

	if (fix[0] != '\0') {
		fprintf(stderr, "  %s\n", fix);
	}
}

static int read_filter_file(struct run *run, const char *path)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 0;

	run->filter_text = malloc(FILTER_MAX + 1);
	if (run->filter_text == NULL) {
		return WEIR_ENOMEM;
	}
	while (fd >= 0 && len < FILTER_MAX &&
	       (n = read(fd, run->filter_text + len, FILTER_MAX - len)) > 0) {
		len += (size_t)n;
	}
	if (fd < 0 || n < 0) {
		int error = errno;

		fprintf(stderr, "weir: error: cannot read the filter from %s: %s\n", path,
			strerror(error));
		run_print_fix(error);
	}
	if (fd > STDIN_FILENO) {
		close(fd);
	}
	run->filter_text[len] = '\0';
	return fd < 0 || n < 0 ? WEIR_EIO : 0;
}

int run_open_filter(struct run *run)
{
	const struct options *options = run->options;
	struct filter_error error;
	int err = 0;

	if (options->filter_file != NULL) {
		err = read_filter_file(run, options->filter_file);
	} else if (options->filter != NULL) {
		run->filter_text = strdup(options->filter);
		err = run->filter_text == NULL ? WEIR_ENOMEM : 0;
	}
	if (err < 0 || run->filter_text == NULL ||
	    run->filter_text[strspn(run->filter_text, " \t\r\n")] == '\0') {
		return err < 0 ? EXIT_ERROR : 0;
	}
	err = filter_new(run->filter_text, &run->filter, &error);
	if (err == WEIR_EINVAL) {
		caret_print(&(struct caret){
			.kind = "capture filter",
			.text = run->filter_text,
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

static void refused(const struct capture *capture, const char *name, int err)
{
	struct strbuf up;

	fprintf(stderr, "weir: error: %s", capture_message(capture));
	if (err == WEIR_EACCES) {
		fputc('\n', stderr);
		doctor_explain(stderr, name);
		return;
	}
	if (err == WEIR_ENOTFOUND) {
		strbuf_init(&up);
		ifaces_up(&up);
		if (up.len > 0) {
			fprintf(stderr, ". Up: %s.", strbuf_text(&up));
		}
		strbuf_fini(&up);
		fprintf(stderr, "\n  Try: weir ifaces");
	}
	fputc('\n', stderr);
}

/* One capture of all interfaces; with --fanout one for each worker. */
static int open_live(struct run *run)
{
	const struct options *options = run->options;
	uint32_t groups[CAPTURE_LIVE_INTERFACES] = {0};
	bool shared = options->fanout && options->workers > 1;
	struct capture_live_options live = {
		.interfaces = options->interfaces,
		.ninterfaces = options->ninterfaces,
		.filter = run->filter == NULL ? NULL : run->filter_text,
		.snaplen = options->snaplen,
		.buffer_kib = options->buffer_kib,
		.queue = rings_queue(options),
		.promiscuous = !options->no_promiscuous,
		.fanout = shared ? groups : NULL,
		.stop = signals_stop(),
	};
	size_t i;

	run->live = true;
	for (i = 0; i < (shared ? options->workers : 1); i++) {
		int err = capture_open_live(&live, 0, &run->inputs[i]);

		run->ninputs++;
		if (err < 0) {
			refused(run->inputs[i], options->interfaces[0], err);
			return EXIT_ERROR;
		}
		capture_wake_by(run->inputs[i], signals_wake_fd());
	}
	if (shared) {
		capture_share(run->inputs, run->ninputs);
	}
	return 0;
}

int run_open_inputs(struct run *run)
{
	const struct options *options = run->options;
	size_t i;

	if (options->ninterfaces > 0) {
		return open_live(run);
	}
	privs_allow_files(options->ninputs);
	for (i = 0; i < options->ninputs; i++) {
		int err = capture_new_file(options->inputs[i], (uint16_t)i, signals_stop(),
					   &run->inputs[i]);

		if (err < 0) {
			int error = errno;

			fprintf(stderr, "weir: error: %s\n", capture_message(run->inputs[i]));
			run_print_fix(err == WEIR_EIO ? error : 0);
			capture_close(run->inputs[i]);
			return EXIT_ERROR;
		}
		capture_wake_by(run->inputs[i], signals_wake_fd());
		run->ninputs++;
	}
	return 0;
}

int run_open_writer(struct run *run)
{
	const struct options *options = run->options;
	struct writer_options writer = {
		.path = options->write,
		.size_limit = options->write_size,
		.files = options->write_files,
		.seconds = options->write_s,
		.snaplen = options->snaplen,
		.version = weir_version(),
		.filter = run->filter == NULL ? NULL : run->filter_text,
		.comment = run->live ? "captured by weir: packets as they came, nothing masked"
				     : "selected by weir from other captures; nothing masked",
	};

	if (options->write == NULL) {
		return 0;
	}
	if (writer_open(&writer, &run->writer) < 0) {
		fprintf(stderr, "weir: error: %s\n", writer_message(run->writer));
		run_print_fix(writer_errno(run->writer));
		return EXIT_ERROR;
	}
	return 0;
}

/* --ring */
int run_open_keeper(struct run *run)
{
	const struct options *options = run->options;
	struct keeper_options keeper = {
		.directory = options->ring,
		.max = options->ring_max,
		.snaplen = options->snaplen,
		.version = weir_version(),
		.waits = !run->live,
		.say = run_say,
		.context = run,
	};
	int err;

	if (options->ring[0] == '\0') {
		return 0;
	}
	err = keeper_open(&keeper, &run->keeper);
	if (err < 0) {
		int error = errno;

		fprintf(stderr, "weir: error: %s\n", keeper_message(run->keeper));
		run_print_fix(err == WEIR_EIO ? error : 0);
		return EXIT_ERROR;
	}
	return 0;
}
