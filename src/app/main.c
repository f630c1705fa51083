/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir, the program. Where things are:
 *   options.c   the command line, from one table; config.c configuration files; settings.c timeouts and limits, units.c
 *               their units; completions.c what shells complete
 *   run.c       a run: opening, dropping rights, the end; signals.c: what it is asked meanwhile
 *   privs.c     dropping rights; syscalls.c: the system calls that are left
 *   output.c    the sinks of the run; fix.c: what helps when a file cannot be written
 *   pipeline.c  inputs → batches → engines → records in order; threads
 *   report.c    figures of a run, for summary.c (the closing summary) and the line a minute
 *   progress.c  how far the run is
 *   doctor.c, ifaces.c  what can be captured here
 *   slice.c     packets of a ring (--ring) or a file, by their numbers
 *   ask.c       questions to a store in SQL; rows.c prints what they answer; stats.c: reports
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/ask.h"
#include "app/completions.h"
#include "app/doctor.h"
#include "app/exit_status.h"
#include "app/ifaces.h"
#include "app/options.h"
#include "app/privs.h"
#include "app/run.h"
#include "app/slice.h"
#include "app/stats.h"
#include "capture/compress.h"
#include "engine/front.h"
#include "parser/registry.h"
#include "sink/sink.h"
#include "weir/engine.h"

static void print_version(void)
{
	size_t i;

	printf("weir %s\nparsers:", weir_version());
	for (i = 0; parser_list[i] != NULL; i++) {
		printf(" %s", parser_list[i]->name);
	}
	printf("\nsinks:");
	for (i = 0; sink_list()[i] != NULL; i++) {
		printf(" %s", sink_list()[i]->name);
	}
	printf("\nsandbox:%s\ncompressed files: gz zst%s\n", privs_features(),
	       compress_can_write(".lz4") ? " lz4" : "");
}

static unsigned default_workers(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores < 1 ? 1 : cores > ENGINE_SHARDS ? ENGINE_SHARDS : (unsigned)cores;
}

/* Nothing was said about where packets come from. */
static int nothing_to_read(const struct options *options)
{
	struct strbuf up;

	if (options->filter != NULL) {
		fprintf(stderr,
			"weir: error: \"%s\" is not an option\n  A capture is read with -r FILE. "
			"See: weir --help\n",
			options->filter);
		return EXIT_USAGE;
	}
	options_help();
	strbuf_init(&up);
	ifaces_up(&up);
	fprintf(stderr,
		"\nweir: error: nothing to read\n  Name a capture with -r FILE (- is standard "
		"input), "
		"or an interface with -i.\n  Up: %s. This user may %scapture.\n",
		up.len > 0 ? strbuf_text(&up) : "none",
		privs_can_capture() ? "" : "not (see: weir doctor) ");
	strbuf_fini(&up);
	return EXIT_USAGE;
}

static int list_linktypes(const struct options *options)
{
	int status = EXIT_USAGE;
	size_t i;

	if (options->ninterfaces == 0) {
		fprintf(stderr, "weir: error: -L is about interfaces\n  Name one with -i.\n");
	}
	for (i = 0; i < options->ninterfaces; i++) {
		status = ifaces_print_linktypes(stdout, options->interfaces[i]);
	}
	return status;
}

static int print_completions(const char *shell)
{
	struct strbuf text;
	bool failed;

	strbuf_init(&text);
	completions_write(shell, &text);
	failed = text.failed || fwrite(text.p, 1, text.len, stdout) != text.len ||
		 fflush(stdout) != 0;
	strbuf_fini(&text);
	return failed ? EXIT_ERROR : 0;
}

static int command(struct options *options)
{
	if (strcmp(options->command, "doctor") == 0) {
		return doctor_run(stdout);
	}
	if (strcmp(options->command, "query") == 0) {
		return ask_run(options);
	}
	if (strcmp(options->command, "stats") == 0) {
		if (options->workers == 0) {
			options->workers = default_workers();
		}
		return stats_run(options);
	}
	if (strcmp(options->command, "slice") == 0) {
		return slice_run(options);
	}
	return ifaces_print(stdout);
}

/* What the command line asks for. @return exit status */
static int act(struct options *options)
{
	if (options->help) {
		options_help();
		return 0;
	}
	if (options->version) {
		print_version();
		return 0;
	}
	if (options->completions != NULL) {
		return print_completions(options->completions);
	}
	if (options->command != NULL) {
		return command(options);
	}
	if (options->list_linktypes) {
		return list_linktypes(options);
	}
	if (options->ninputs == 0 && options->ninterfaces == 0) {
		return nothing_to_read(options);
	}
	if (options->workers == 0) {
		options->workers = default_workers();
	}
	return run(options);
}

int main(int argc, char **argv)
{
	struct options *options = calloc(1, sizeof(*options));
	int status = EXIT_USAGE;

	if (options == NULL) {
		fprintf(stderr, "weir: error: out of memory\n");
		return EXIT_ERROR;
	}
	if (options_parse(options, argc, argv) == 0) {
		status = act(options);
	}
	options_fini(options);
	free(options);
	return status;
}
