/* SPDX-License-Identifier: Apache-2.0 */
/* One run: see run.h. */
#include "app/run.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "app/fanout.h"
#include "app/report.h"
#include "app/rings.h"
#include "app/run_state.h"
#include "app/signals.h"
#include "base/time.h"
#include "record/tcp_fields.h"
#include "sink/human.h"
#include "weir/engine.h"
#include "weir/error.h"

/* ---- what the pipeline calls ---- */

static int64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* `weir ... | head`: whoever reads has enough. */
static void obey_broken_pipe(struct run *run)
{
	if (atomic_load_explicit(&run->output.broken_pipe, memory_order_relaxed)) {
		signals_ask_to_stop();
	}
}

static void on_record(void *context, const struct weir_record *rec)
{
	struct run *run = context;

	if (!output_is_private(&run->output, rec)) {
		summary_record(&run->summary.records, rec);
		if (strcmp(rec->schema->type, "http") == 0) {
			atomic_fetch_add_explicit(&run->transactions, 1, memory_order_relaxed);
		}
	}
	if (weir_record_has(rec, WEIR_F_TS) &&
	    rec->values[WEIR_F_TS].v.i64 > run->health.newest_ns) {
		run->health.newest_ns = rec->values[WEIR_F_TS].v.i64;
	}
	output_record(&run->output, rec);
	obey_broken_pipe(run);
}

/* Of what the desks let through. */
static void on_text(void *context, const struct iovec *text, int n, uint64_t nrecords)
{
	struct run *run = context;

	output_text(&run->output, text, n, nrecords);
	obey_broken_pipe(run);
}

bool run_wants(void *context, const struct weir_schema *schema, size_t field)
{
	struct run *run = context;

	return summary_wants(schema, field) || output_wants(&run->output, schema, field);
}

/* The summary wants to know which have anomalies: those are made. */
static bool reads_tcp(void *context)
{
	struct run *run = context;
	size_t field;

	for (field = 0; field < WEIR_NCOMMON + record_tcp_schema.nfields; field++) {
		if (output_wants(&run->output, &record_tcp_schema, field)) {
			return true;
		}
	}
	return false;
}

static void on_progress(void *context, const struct pipeline_progress *progress)
{
	struct run *run = context;

	if (run->progress.form == OPTIONS_PROGRESS_NONE) {
		return;
	}
	pthread_mutex_lock(&run->terminal);
	progress_update(&run->progress, progress,
			atomic_load_explicit(&run->transactions, memory_order_relaxed) +
				desks_transactions(&run->desks),
			monotonic_ns());
	pthread_mutex_unlock(&run->terminal);
}

/* A message of a sink, perhaps from its thread. */
void run_say(void *context, const char *text)
{
	struct run *run = context;

	pthread_mutex_lock(&run->terminal);
	progress_clear(&run->progress);
	(void)fputs(text, stderr);
	pthread_mutex_unlock(&run->terminal);
}

/* Interfaces that went away while others are there. */
static void tell_of_rings(struct run *run)
{
	struct strbuf text;

	strbuf_init(&text);
	rings_tell(run->inputs, run->ninputs, &run->told, &text);
	if (text.len > 0) {
		run_say(run, strbuf_text(&text));
	}
	strbuf_fini(&text);
}

/* Of who reads. The packet writer is its own, and is reopened here. */
static bool wants_figures(void *context)
{
	struct run *run = context;

	if (signals_take_summary()) {
		atomic_store(&run->show_summary, true);
	}
	if (signals_take_reopen()) {
		atomic_store(&run->reopen, true);
		if (run->writer != NULL) {
			(void)writer_reopen(run->writer);
		}
	}
	if (run->live && run->options->verbose > 0 && !run->options->quiet) {
		int64_t now = monotonic_ns();

		if (now - run->ticker_ns >= run->options->ticker_ns) {
			run->ticker_ns = now;
			atomic_store(&run->show_ticker, true);
		}
	}
	if (run->live && monotonic_ns() - run->health_ns >= HEALTH_NS &&
	    output_wants_health(&run->output)) {
		run->health_ns = monotonic_ns();
		atomic_store(&run->show_health, true);
	}
	if (run->options->ninterfaces > 1 && !run->options->quiet) {
		tell_of_rings(run);
	}
	return atomic_load(&run->show_summary) || atomic_load(&run->show_ticker) ||
	       atomic_load(&run->reopen) || atomic_load(&run->show_health);
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

/* What records told, here or at the desks, and what -Y let through so far. */
static void fill_records(const struct run *run, struct summary *summary)
{
	struct output_filter filter = run->output.filter;

	desks_gather(&run->desks, &summary->records, &filter);
	summary->filter.used = run->output.filtered;
	summary->filter.matched = filter.matched;
	summary->filter.left_out = filter.left_out;
	summary->filter.limited = filter.limited;
}

static void fill_summary(struct run *run, struct summary *summary,
			 const struct pipeline_result *result)
{
	fill_records(run, summary);
	report_fill(summary, result, &run->options->config, monotonic_ns() - run->begin_ns);
	memcpy(summary->sinks, output_figures(&run->output), sizeof(summary->sinks));
	summary->memory_peak += output_report(&run->output, summary->drops);
	if (run->keeper != NULL) {
		keeper_get_stats(run->keeper, &summary->ring);
		report_ring(summary);
	}
	rings_fill(run->inputs, run->ninputs, summary);
}

/* Figures that can mislead are told before they are shown. Those who read JSON have them as counters. */
static void print_warnings(const struct pipeline_result *result, const struct options *options)
{
	struct strbuf text;

	if (options->quiet || options->summary != OPTIONS_SUMMARY_TEXT) {
		return;
	}
	strbuf_init(&text);
	report_warnings(result, &text);
	(void)fputs(strbuf_text(&text), stderr);
	strbuf_fini(&text);
}

static void print_ticker(struct run *run, const struct pipeline_result *so_far)
{
	struct strbuf text;

	strbuf_init(&text);
	report_ticker(so_far, &run->ticked, &text);
	fprintf(stderr, "weir: %s\n", strbuf_text(&text));
	strbuf_fini(&text);
	run->ticked = so_far->engine;
}

/* To stores: how the capture is doing. */
static void give_health(struct run *run, const struct pipeline_result *so_far)
{
	struct summary *now = malloc(sizeof(*now));
	struct timespec wall;

	if (now == NULL) {
		return;
	}
	clock_gettime(CLOCK_REALTIME, &wall);
	*now = run->summary;
	fill_summary(run, now, so_far);
	health_give(&run->health, now,
		    run->live ? wall.tv_sec * NS_PER_S + wall.tv_nsec : run->health.newest_ns,
		    &run->output);
	free(now);
}

/* On the thread that records come on: sinks and the records' figures are not being changed now. */
static void on_figures(void *context, const struct pipeline_result *so_far)
{
	struct run *run = context;

	/* before the terminal is locked: a sink that has something to say waits for that with its own lock held */
	if (atomic_exchange(&run->reopen, false)) {
		output_reopen(&run->output);
	}
	if (atomic_exchange(&run->show_health, false)) {
		give_health(run, so_far);
	}
	pthread_mutex_lock(&run->terminal);
	progress_clear(&run->progress);
	if (atomic_exchange(&run->show_ticker, false)) {
		print_ticker(run, so_far);
	}
	if (atomic_exchange(&run->show_summary, false)) {
		struct summary *now = malloc(sizeof(*now));

		if (now != NULL) {
			*now = run->summary;
			fill_summary(run, now, so_far);
			print_summary(now, run->options);
			free(now);
		}
	}
	pthread_mutex_unlock(&run->terminal);
}

static void on_settled(void *context)
{
	struct run *run = context;

	output_flush(&run->output);
	obey_broken_pipe(run);
}

/* ---- the run ---- */

static uint64_t size_of_inputs(const struct run *run)
{
	struct stat st;
	uint64_t size = 0;
	size_t i;

	for (i = 0; i < run->options->ninputs; i++) {
		if (strcmp(run->options->inputs[i], "-") == 0 ||
		    stat(run->options->inputs[i], &st) != 0 || !S_ISREG(st.st_mode)) {
			return 0;
		}
		size += (uint64_t)st.st_size;
	}
	return size;
}

static void start_progress(struct run *run)
{
	const char *term = getenv("TERM");
	bool tty = isatty(STDERR_FILENO) && (term == NULL || strcmp(term, "dumb") != 0);
	size_t i;

	/* records on the same terminal are progress enough */
	for (i = 0; i < run->output.nsinks && isatty(STDOUT_FILENO); i++) {
		const struct sink_spec *spec = &run->output.sinks[i].spec;

		if (strcmp(spec->type->name, "none") != 0 &&
		    (spec->target[0] == '\0' || strcmp(spec->target, "-") == 0)) {
			tty = false;
		}
	}
	progress_init(&run->progress, run->options, tty, size_of_inputs(run));
}

static int status_of(struct run *run, const struct pipeline_result *result, int err)
{
	if (err < 0) {
		fprintf(stderr, "weir: error: %s\n",
			result->message[0] != '\0' ? result->message : weir_strerror(err));
		run_print_fix(writer_errno(run->writer));
		return EXIT_ERROR;
	}
	if (result->truncated) {
		fprintf(stderr,
			"weir: warning: %s\n  Everything before that was processed. The exit "
			"status is 3.\n",
			result->message);
		return EXIT_DAMAGED;
	}
	if (result->stopped && !run->live && !atomic_load(&run->output.broken_pipe)) {
		fprintf(stderr,
			"weir: error: interrupted after %" PRIu64
			" packets\n  What was read until then has been processed.\n",
			result->front.packets);
		return EXIT_ERROR;
	}
	return 0;
}

/* Sinks of raw bytes cannot mask, and say so. */
static void print_raw_sinks(const struct options *options)
{
	static const char *const kinds[] = {"streams:", "files:"};
	size_t i, k;

	for (i = 0; i < options->noutputs; i++) {
		for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
			if (strncmp(options->outputs[i], kinds[k], strlen(kinds[k])) == 0) {
				fprintf(stderr,
					"written      raw bytes to %s: nothing is masked in them\n",
					options->outputs[i]);
			}
		}
	}
}

static void print_ring(const struct run *run)
{
	const struct keeper_stats *ring = &run->summary.ring;
	char count[HUMAN_LEN], size[HUMAN_LEN];

	human_count(ring->packets, count);
	human_size(ring->held, size);
	fprintf(stderr,
		"kept         %s packets in %s, where %" PRIu64
		" files hold %s (older files deleted: %" PRIu64 "); nothing is masked\n",
		count, run->options->ring, ring->files, size, ring->deleted);
}

/* Remarks that belong to the summary for people. */
static void print_remarks(const struct run *run)
{
	const struct options *options = run->options;
	char count[HUMAN_LEN], size[HUMAN_LEN];
	const char *unfit = run->filter == NULL ? NULL : filter_unfit_linktype(run->filter);

	if (unfit != NULL) {
		fprintf(stderr,
			"weir: warning: the capture filter does not fit packets of link type %s: "
			"none of "
			"them matched\n",
			unfit);
	}
	if (options->quiet || options->summary != OPTIONS_SUMMARY_TEXT) {
		return;
	}
	if (options->config.redact != WEIR_REDACT_OFF) {
		print_raw_sinks(options);
	}
	if (run->keeper != NULL) {
		print_ring(run);
	}
	if (run->writer == NULL || writer_errno(run->writer) != 0) {
		return;
	}
	human_count(writer_packets(run->writer), count);
	human_size(writer_bytes(run->writer), size);
	fprintf(stderr,
		"written      %s packets (%s) to %s, as they were captured: nothing is masked\n",
		count, size, strcmp(options->write, "-") == 0 ? "standard output" : options->write);
}

/* The pipeline has ended: outputs are closed, and what came of the run is said. @return exit status */
static int close_and_tell(struct run *run, const struct pipeline_result *result, int err)
{
	const struct options *options = run->options;
	int closed, status;

	progress_clear(&run->progress);
	give_health(run, result);
	closed = output_close(&run->output);
	status = status_of(run, result, err);
	if (closed < 0) {
		status = EXIT_ERROR;
	}
	fill_summary(run, &run->summary, result);
	print_warnings(result, options);
	print_summary(&run->summary, options);
	print_remarks(run);
	if (status == 0 && options->strict && summary_lost(&run->summary)) {
		status = EXIT_LOST;
	}
	return status;
}

static int run_pipeline(struct run *run)
{
	const struct options *options = run->options;
	struct weir_config config = options->config;
	struct pipeline_options pipeline = {
		.config = &config,
		.inputs = run->inputs,
		.ninputs = run->ninputs,
		.nworkers = options->workers,
		.batch = options->batch,
		.max_packets = options->max_packets,
		.filter = run->filter,
		.writer = run->writer,
		.keeper = run->keeper,
		.record = on_record,
		.wants = run_wants,
		.reads_tcp = reads_tcp,
		.context = run,
		.desks = run->desks.n == 0 ? NULL : run->desks.contexts,
		.prepare = desk_prepare,
		.note = desk_note,
		.text = on_text,
		.tap = taps_type(&run->output.taps),
		.tap_sink = taps_sink(&run->output.taps),
		.stop = signals_stop(),
		.progress = on_progress,
		.wants_figures = wants_figures,
		.figures = on_figures,
		.settled = on_settled,
		.wake = signals_wake,
	};
	struct pipeline_result result;
	int err;

	config.random_hash = run->live;
	config.memory -= rings_memory(options);
	config.bodies = output_bodies(&run->output, config.bodies);
	run->begin_ns = monotonic_ns();
	run->ticker_ns = run->begin_ns;
	run->health_ns = run->begin_ns;
	health_init(&run->health);
	run->output.say = run_say;
	run->output.context = run;
	if ((run->keeper != NULL && keeper_start(run->keeper) < 0) ||
	    output_start(&run->output, run->live, pipeline_sink_memory(&config)) < 0) {
		fprintf(stderr, "weir: error: out of memory\n");
		(void)output_close(&run->output);
		return EXIT_ERROR;
	}
	err = run->live && run->ninputs > 1 ? fanout_run(&pipeline, &result)
					    : pipeline_run(&pipeline, &result);
	return close_and_tell(run, &result, err);
}

static void clean_up(struct run *run)
{
	size_t i;

	desks_close(&run->desks);
	keeper_free(run->keeper);
	writer_free(run->writer);
	filter_free(run->filter);
	for (i = 0; i < run->ninputs; i++) {
		capture_close(run->inputs[i]);
	}
	for (i = 0; i < run->ndirectories; i++) {
		free(run->directories[i]);
	}
	free(run->filter_text);
	pthread_mutex_destroy(&run->terminal);
}

int run(const struct options *options)
{
	struct run *run = calloc(1, sizeof(*run));
	int status, err;

	if (run == NULL) {
		fprintf(stderr, "weir: error: out of memory\n");
		return EXIT_ERROR;
	}
	run->options = options;
	pthread_mutex_init(&run->terminal, NULL);
	signals_catch();
	summary_init(&run->summary);
	status = run_open_filter(run);
	if (status == 0) {
		status = run_open_inputs(run);
	}
	if (status == 0) {
		err = output_open(&run->output, options);
		status = err == 0                                      ? 0
			 : err == WEIR_EINVAL || err == WEIR_ENOTFOUND ? EXIT_USAGE
								       : EXIT_ERROR;
	}
	if (status == 0) {
		status = run_open_writer(run);
	}
	if (status == 0) {
		status = run_open_keeper(run);
	}
	if (status == 0) {
		err = run->live ? 0 : desks_open(&run->desks, options->workers, &run->output);
		status = err < 0 && err != WEIR_EUNSUPPORTED ? EXIT_ERROR : 0;
	}
	if (status == 0) {
		start_progress(run);
		status = run_drop_rights(run);
	}
	if (status == 0) {
		status = run_pipeline(run);
	} else {
		(void)output_close(&run->output);
	}
	clean_up(run);
	free(run);
	return status;
}
