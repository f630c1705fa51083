/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir, the program. Where things are:
 *   options.c   the command line, from one table
 *   output.c    the sinks of the run
 *   pipeline.c  inputs → batches → engines → records in order; threads
 *   queue.c     bounded queues between them
 *   summary.c   the closing summary
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "app/options.h"
#include "app/output.h"
#include "app/pipeline.h"
#include "app/report.h"
#include "app/summary.h"
#include "parser/registry.h"
#include "sink/sink.h"
#include "weir/error.h"

#define WEIR_VERSION "0.1.0"

enum { EXIT_ERROR = 1, EXIT_USAGE = 2, EXIT_DAMAGED = 3, EXIT_LOST = 4 };

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void catch_signals(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

static void print_version(void)
{
	size_t i;

	printf("weir %s\nparsers:", WEIR_VERSION);
	for (i = 0; parser_list[i] != NULL; i++) {
		printf(" %s", parser_list[i]->name);
	}
	printf("\nsinks:");
	for (i = 0; sink_list()[i] != NULL; i++) {
		printf(" %s", sink_list()[i]->name);
	}
	printf("\n");
}

/* Records of the run: to the summary and to the sinks. */
struct run {
	struct output output;
	struct summary summary;
};

static void on_record(void *context, const struct weir_record *rec)
{
	struct run *run = context;

	if (!output_is_private(&run->output, rec)) {
		summary_record(&run->summary.records, rec);
	}
	output_record(&run->output, rec);
	if (run->output.broken_pipe) {
		stop = 1;
	}
}

static bool wants(void *context, const struct weir_schema *schema, size_t field)
{
	struct run *run = context;

	return summary_wants(schema, field) || output_wants(&run->output, schema, field);
}

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void print_summary(const struct summary *summary, const struct options *options)
{
	struct strbuf text;

	strbuf_init(&text);
	if (options->summary == OPTIONS_SUMMARY_JSON) {
		summary_write_json(summary, &text);
	} else if (options->summary == OPTIONS_SUMMARY_TEXT && !options->quiet) {
		summary_write_text(summary, output_color(options, isatty(STDERR_FILENO)), &text);
	}
	if (text.len > 0) {
		(void)fwrite(text.p, 1, text.len, stderr);
	}
	strbuf_fini(&text);
}

static int run_files(struct run *run, const struct options *options)
{
	struct pipeline_options pipeline = {
		.config = &options->config,
		.inputs = options->inputs,
		.ninputs = options->ninputs,
		.nworkers = options->workers,
		.batch = options->batch,
		.record = on_record,
		.wants = wants,
		.context = run,
		.tap = run->output.tap,
		.tap_sink = run->output.tap_sink,
		.stop = &stop,
	};
	struct pipeline_result result;
	int64_t begin = monotonic_ns();
	int status = 0;
	int err = pipeline_run(&pipeline, &result);

	if (output_close(&run->output) < 0) {
		status = EXIT_ERROR;
	}
	if (err < 0) {
		fprintf(stderr, "weir: error: %s\n",
			result.message[0] != '\0' ? result.message : weir_strerror(err));
		status = EXIT_ERROR;
	} else if (result.truncated && status == 0) {
		fprintf(stderr, "weir: warning: %s\n  Everything before that was processed.\n",
			result.message);
		status = EXIT_DAMAGED;
	} else if (result.stopped && !run->output.broken_pipe) {
		fprintf(stderr,
			"weir: error: interrupted after %" PRIu64
			" packets\n  What was read until then has been "
			"processed.\n",
			result.front.packets);
		status = EXIT_ERROR;
	}
	report_fill(&run->summary, &result, &options->config, monotonic_ns() - begin);
	print_summary(&run->summary, options);
	if (status == 0 && options->strict && summary_lost(&run->summary)) {
		status = EXIT_LOST;
	}
	return status;
}

int main(int argc, char **argv)
{
	struct options *options = calloc(1, sizeof(*options));
	struct run *run = calloc(1, sizeof(*run));
	int status = EXIT_ERROR;

	if (options == NULL || run == NULL) {
		fprintf(stderr, "weir: error: out of memory\n");
	} else if (options_parse(options, argc, argv) < 0) {
		status = EXIT_USAGE;
	} else if (options->help) {
		options_help();
		status = 0;
	} else if (options->version) {
		print_version();
		status = 0;
	} else if (options->ninputs == 0) {
		options_help();
		fprintf(stderr, "weir: error: nothing to read\n  Name a capture with -r FILE; -r - "
				"reads standard input.\n");
		status = EXIT_USAGE;
	} else {
		int err;

		if (options->workers == 0) {
			long cores = sysconf(_SC_NPROCESSORS_ONLN);

			options->workers = cores < 1               ? 1
					   : cores > ENGINE_SHARDS ? ENGINE_SHARDS
								   : (unsigned)cores;
		}
		catch_signals();
		summary_init(&run->summary);
		err = output_open(&run->output, options);
		if (err < 0) {
			(void)output_close(&run->output);
			status = err == WEIR_EINVAL || err == WEIR_ENOTFOUND ? EXIT_USAGE
									     : EXIT_ERROR;
		} else {
			status = run_files(run, options);
		}
	}
	free(run);
	free(options);
	return status;
}
