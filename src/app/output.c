/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks of a run: see output.h. */
#include "app/output.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/caret.h"
#include "app/fix.h"
#include "base/time.h"
#include "weir/error.h"

/* A sink that takes nothing for so long at the end of a live capture is given up. */
#define PATIENCE_NS (10 * NS_PER_S)

static void say(struct output *output, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct output *output, const char *format, ...)
{
	char text[1024];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (output->say != NULL) {
		output->say(output->context, text);
	} else {
		(void)fputs(text, stderr);
	}
}

static bool is_stdout(const struct sink_spec *spec)
{
	return spec->target[0] == '\0' || strcmp(spec->target, "-") == 0;
}

bool output_color(const struct options *options, bool tty)
{
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");

	if (options->color != OPTIONS_COLOR_AUTO) {
		return options->color == OPTIONS_COLOR_ALWAYS;
	}
	return tty && (no_color == NULL || no_color[0] == '\0') &&
	       (term == NULL || strcmp(term, "dumb") != 0);
}

static unsigned columns_of(int fd)
{
	struct winsize size;
	const char *text = getenv("COLUMNS");

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
		return size.ws_col;
	}
	return text == NULL ? 0 : (unsigned)strtoul(text, NULL, 10);
}

static int open_one(struct output *output, const struct options *options, const char *text)
{
	struct sink_spec *spec = &output->sinks[output->nsinks].spec;
	const char *message = NULL;
	struct weir_sink_config config = {0};
	int err = sink_parse(text, spec, &message);

	if (err < 0) {
		fprintf(stderr, "weir: error: -o %s: %s\n  Sinks: see weir -V.\n", text,
			message != NULL ? message : weir_strerror(err));
		return err == WEIR_ENOMEM ? err : WEIR_EINVAL;
	}
	config.target = spec->target;
	config.keys = spec->keys;
	config.values = spec->values;
	config.schemas = output->schemas;
	config.tty = is_stdout(spec) && isatty(STDOUT_FILENO);
	config.color = output_color(options, config.tty);
	config.columns = is_stdout(spec) ? columns_of(STDOUT_FILENO) : 0;
	config.verbose = options->verbose;
	config.ascii = options->ascii;
	err = spec->type->open(&config, &output->sinks[output->nsinks].sink, &message);
	if (err < 0) {
		const char *fix = err == WEIR_EIO ? fix_of_errno(errno) : "";

		fprintf(stderr, "weir: error: -o %s: %s%s%s\n%s%s%s", text,
			message != NULL ? message : weir_strerror(err), err == WEIR_EIO ? ": " : "",
			err == WEIR_EIO ? strerror(errno) : "", fix[0] != '\0' ? "  " : "", fix,
			fix[0] != '\0' ? "\n" : "");
		sink_spec_fini(spec);
		return err;
	}
	if (spec->type->tap != NULL) {
		taps_set_sink(&output->taps, spec->type->tap, output->sinks[output->nsinks].sink);
	}
	output->nsinks++;
	return 0;
}

/* The schemas are told to sinks when they are opened: find the taps' first. */
static int find_schemas(struct output *output, const struct options *options)
{
	size_t i;

	for (i = 0; i < options->noutputs; i++) {
		struct sink_spec spec;
		const char *message;

		if (sink_parse(options->outputs[i], &spec, &message) == 0) {
			bool one =
				spec.type->tap == NULL || taps_add(&output->taps, spec.type->tap);

			sink_spec_fini(&spec);
			if (!one) {
				fprintf(stderr,
					"weir: error: -o %s: only one sink of this kind in a run\n"
					"  Leave out the others.\n",
					options->outputs[i]);
				return WEIR_EINVAL;
			}
		}
	}
	(void)engine_schemas(taps_type(&output->taps), output->schemas);
	return 0;
}

static int open_query(struct output *output, const struct options *options)
{
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	struct query_error error;
	int err;

	if (options->display_filter == NULL) {
		return 0;
	}
	(void)engine_schemas(NULL, schemas); /* what taps tell about their files is not filtered */
	err = query_new(options->display_filter, schemas, &output->filter.query, &error);
	if (err == WEIR_EINVAL) {
		caret_print(&(struct caret){
			.kind = "record filter",
			.text = options->display_filter,
			.offset = error.offset,
			.length = error.length,
			.reason = error.reason,
			.suggestion = error.suggestion,
			.more = "The language is described in weir(1), RECORD FILTERS.",
		});
	} else if (err < 0) {
		fprintf(stderr, "weir: error: -Y: %s\n", weir_strerror(err));
	}
	output->filtered = err == 0;
	output->filter_text = options->display_filter;
	return err;
}

int output_filter_open(const struct output *output, struct output_filter *ret)
{
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	struct query_error error;

	memset(ret, 0, sizeof(*ret));
	if (output->filter_text == NULL) {
		return 0;
	}
	(void)engine_schemas(NULL, schemas);
	return query_new(output->filter_text, schemas, &ret->query, &error);
}

void output_filter_close(struct output_filter *filter)
{
	query_free(filter->query);
	filter->query = NULL;
}

int output_open(struct output *output, const struct options *options)
{
	size_t i;
	int err = 0;

	memset(output, 0, sizeof(*output));
	err = find_schemas(output, options);
	if (err == 0) {
		err = open_query(output, options);
	}
	for (i = 0; i < options->noutputs && err == 0; i++) {
		err = open_one(output, options, options->outputs[i]);
	}
	if (options->noutputs == 0 && err == 0) {
		err = open_one(output, options, "text:-");
	}
	return err;
}

bool output_wants(void *context, const struct weir_schema *schema, size_t field)
{
	struct output *output = context;
	size_t i;

	/* a filter counts the records that it leaves out, whatever it reads of them */
	if (output->filter.query != NULL &&
	    (field == WEIR_F_TS || query_wants(output->filter.query, schema, field))) {
		return true;
	}
	for (i = 0; i < output->nsinks; i++) {
		const struct weir_sink_type *type = output->sinks[i].spec.type;

		if (type->wants == NULL || type->wants(output->sinks[i].sink, schema, field)) {
			return true;
		}
	}
	return false;
}

/* sink_batch_options.failed */
static void on_trouble(void *context, enum sink_trouble trouble, int error)
{
	struct output_sink *sink = context;
	const struct sink_spec *spec = &sink->spec;
	const char *target = spec->target[0] == '\0' ? "-" : spec->target;
	const char *space = fix_of_errno(error)[0] == '\0' ? "" : " ";

	if (trouble == SINK_TROUBLE_REOPEN) {
		say(sink->output,
		    "weir: error: cannot reopen %s:%s: %s\n  %s%sRecords go on into the file "
		    "that is open.\n",
		    spec->type->name, target, strerror(error), fix_of_errno(error), space);
	} else if (error == EPIPE) {
		atomic_store(&sink->broken_pipe, true);
		atomic_store(&sink->output->broken_pipe, true);
	} else if (trouble == SINK_TROUBLE_PASSING) {
		say(sink->output,
		    "weir: error: cannot write to %s:%s: %s\n  %s%sRecords are counted as lost "
		    "until it works again; the capture goes on.\n",
		    spec->type->name, target, strerror(error), fix_of_errno(error), space);
	} else if (trouble == SINK_TROUBLE_OVER) {
		say(sink->output, "weir: %s:%s takes records again\n", spec->type->name, target);
	} else {
		say(sink->output,
		    "weir: error: cannot write to %s:%s: %s\n  %s%sRecords from here on are lost "
		    "to this sink.\n",
		    spec->type->name, target, strerror(error), fix_of_errno(error), space);
	}
}

static bool is_none(const struct output *output, size_t i)
{
	return strcmp(output->sinks[i].spec.type->name, "none") == 0;
}

/* sink_json_queue_full, sink_json2_queue_full ...: the second of a kind has a number. */
static void name_counters(struct output *output, size_t i)
{
	const struct weir_sink_type *type = output->sinks[i].spec.type;
	char number[12] = "";
	unsigned n = 1;
	size_t k;

	for (k = 0; k < i; k++) {
		n += output->sinks[k].spec.type == type ? 1 : 0;
	}
	if (n > 1) {
		(void)snprintf(number, sizeof(number), "%u", n);
	}
	for (k = 0; k < SINK_NLOSSES; k++) {
		(void)snprintf(output->sinks[i].counters[k], OUTPUT_NAME, "sink_%.16s%s_%s",
			       type->name, number, sink_loss_name((enum sink_loss)k));
	}
}

int output_start(struct output *output, bool live, size_t memory)
{
	size_t writing = 0, share, i;
	int err = 0;

	for (i = 0; i < output->nsinks; i++) {
		writing += is_none(output, i) ? 0 : 1;
	}
	share = writing > 0 ? memory / writing : 0;
	for (i = 0; i < output->nsinks && err == 0; i++) {
		struct output_sink *sink = &output->sinks[i];
		bool threaded = !is_none(output, i) && (live || writing > 1);
		struct sink_batch_options options = {
			.type = sink->spec.type,
			.sink = sink->sink,
			.memory = threaded ? share : 0,
			.may_lose = live,
			.failed = on_trouble,
			.context = sink,
		};

		sink->output = output;
		name_counters(output, i);
		err = sink_batch_new(&options, &sink->batch);
	}
	return err;
}

static bool ends_in(const char *name, const char *end)
{
	size_t len = strlen(name), n = strlen(end);

	return len >= n && strcmp(name + len - n, end) == 0;
}

/* Which fields of a body come with what: CONTRACT.md §3 */
static enum weir_bodies bodies_of(const char *name)
{
	static const char *const hash[] = {".sha256", ".wire_sha256", ".decoded_size",
					   ".mime_type"};
	static const char *const keep[] = {".content", ".content_encoding", ".truncated"};
	size_t i;

	for (i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
		if (ends_in(name, keep[i])) {
			return WEIR_BODIES_KEEP;
		}
	}
	for (i = 0; i < sizeof(hash) / sizeof(hash[0]); i++) {
		if (ends_in(name, hash[i])) {
			return WEIR_BODIES_HASH;
		}
	}
	return WEIR_BODIES_SIZE;
}

static enum weir_bodies most(enum weir_bodies a, enum weir_bodies b)
{
	return a > b ? a : b;
}

/* Of the terms of a list of nodes and below. */
static enum weir_bodies bodies_of_nodes(const struct query_node *node)
{
	enum weir_bodies bodies = WEIR_BODIES_SIZE;
	size_t i;

	for (; node != NULL; node = node->next) {
		for (i = 0; node->kind == QUERY_TERM && i < node->term->ntargets; i++) {
			bodies = most(bodies, bodies_of(node->term->targets[i].field));
		}
		bodies = most(bodies, bodies_of_nodes(node->child));
	}
	return bodies;
}

enum weir_bodies output_bodies(const struct output *output, enum weir_bodies bodies)
{
	if (output->filter.query == NULL) {
		return bodies;
	}
	return most(bodies, bodies_of_nodes(query_root(output->filter.query)));
}

bool output_is_private(const struct output *output, const struct weir_record *rec)
{
	return taps_own(&output->taps, rec->schema);
}

bool output_is_for(const struct output *output, const struct output_sink *sink,
		   const struct weir_record *rec)
{
	const struct weir_sink_type *type = sink->spec.type;

	if (weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0) {
		return type->interim;
	}
	return !output_is_private(output, rec) ||
	       (type->tap != NULL && type->tap->schema == rec->schema);
}

bool output_passes(const struct output *output, struct output_filter *filter,
		   const struct weir_record *rec)
{
	bool interim = weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0;
	bool pass;

	if (filter->query == NULL || output_is_private(output, rec)) {
		return true;
	}
	pass = query_match(filter->query, rec);
	filter->limited = query_limited(filter->query);
	filter->matched += pass && !interim;
	filter->left_out += !pass && !interim;
	return pass;
}

const struct output_sink *output_writer(const struct output *output)
{
	const struct output_sink *writer = NULL;
	size_t i;

	for (i = 0; i < output->nsinks; i++) {
		writer = is_none(output, i) ? writer : &output->sinks[i];
	}
	return writer;
}

int output_formatter_open(const struct output *output, struct weir_formatter **ret)
{
	const struct output_sink *writer = output_writer(output);
	const struct weir_formatter_type *type;
	size_t i;

	*ret = NULL;
	for (i = 0; i < output->nsinks; i++) {
		if (!is_none(output, i) && &output->sinks[i] != writer) {
			return WEIR_EUNSUPPORTED; /* several write, each at its own pace */
		}
	}
	if (writer == NULL) {
		return 0;
	}
	type = writer->spec.type->formatter;
	return type == NULL ? WEIR_EUNSUPPORTED : type->open(writer->sink, ret);
}

void output_text(struct output *output, const struct iovec *text, int n, uint64_t nrecords)
{
	const struct output_sink *writer = output_writer(output);

	if (writer != NULL) {
		sink_batch_text(writer->batch, text, n, nrecords);
	}
}

void output_record(struct output *output, const struct weir_record *rec)
{
	size_t i;

	if (!output_passes(output, &output->filter, rec)) {
		return;
	}
	for (i = 0; i < output->nsinks; i++) {
		if (output_is_for(output, &output->sinks[i], rec)) {
			sink_batch_record(output->sinks[i].batch, rec);
		}
	}
}

bool output_wants_health(const struct output *output)
{
	size_t i;

	for (i = 0; i < output->nsinks; i++) {
		if (output->sinks[i].spec.type->health) {
			return true;
		}
	}
	return false;
}

void output_health(struct output *output, const struct weir_record *rec)
{
	size_t i;

	for (i = 0; i < output->nsinks; i++) {
		if (output->sinks[i].spec.type->health) {
			sink_batch_record(output->sinks[i].batch, rec);
		}
	}
}

void output_flush(struct output *output)
{
	size_t i;

	for (i = 0; i < output->nsinks; i++) {
		sink_batch_settle(output->sinks[i].batch);
	}
}

void output_reopen(struct output *output)
{
	size_t i;

	for (i = 0; i < output->nsinks; i++) {
		sink_batch_reopen(output->sinks[i].batch);
	}
}

size_t output_report(struct output *output, struct summary_counter *drops)
{
	size_t peak = 0, i, k;

	for (i = 0; i < output->nsinks; i++) {
		struct output_sink *sink = &output->sinks[i];

		if (sink->batch != NULL) {
			sink_batch_get_stats(sink->batch, &sink->stats);
		}
		peak += sink->stats.memory_peak;
		/* whoever closed the pipe had enough: that is no loss */
		for (k = 0; k < SINK_NLOSSES && !atomic_load(&sink->broken_pipe); k++) {
			if (sink->stats.lost[k] > 0) {
				summary_count(drops, sink->counters[k], sink->stats.lost[k]);
			}
		}
	}
	return peak;
}

/* What was lost for good is told once more, at the end, with its number. */
static void tell_losses(struct output *output, const struct output_sink *sink)
{
	const uint64_t *lost = sink->stats.lost;

	if (lost[SINK_LOSS_FAILED] > 0) {
		say(output, "weir: error: %" PRIu64 " records were not written to %s\n",
		    lost[SINK_LOSS_FAILED], sink->spec.type->name);
	}
	if (lost[SINK_LOSS_STUCK] > 0) {
		say(output,
		    "weir: error: %s:%s took nothing for 10 s and was given up: %" PRIu64
		    " records were not written\n  Whatever reads it stands still.\n",
		    sink->spec.type->name, sink->spec.target[0] == '\0' ? "-" : sink->spec.target,
		    lost[SINK_LOSS_STUCK]);
	}
}

static void add_figure(void *context, const char *name, uint64_t n)
{
	struct output *output = context;

	summary_count(output->figures, name, n);
}

const struct summary_counter *output_figures(struct output *output)
{
	bool first = true;
	size_t i;

	for (i = 0; i < output->nsinks; i++) {
		struct output_sink *sink = &output->sinks[i];

		/* closed sinks said it when they were closed */
		if (sink->batch != NULL && sink->spec.type->figures != NULL) {
			if (first) {
				memset(output->figures, 0, sizeof(output->figures));
				first = false;
			}
			sink->spec.type->figures(sink->sink, add_figure, output);
		}
	}
	return output->figures;
}

int output_close(struct output *output)
{
	int err = 0;
	size_t i;

	(void)output_figures(output);

	for (i = 0; i < output->nsinks; i++) {
		struct output_sink *sink = &output->sinks[i];
		int closed = 0;

		if (sink->batch != NULL) {
			closed = sink_batch_close(sink->batch, PATIENCE_NS, &sink->stats);
			sink->batch = NULL;
		} else {
			/* the run did not come to its beginning */
			(void)sink->spec.type->close(sink->sink);
		}
		if (closed < 0 && !atomic_load(&sink->broken_pipe)) {
			err = WEIR_EIO;
			tell_losses(output, sink);
		}
		sink_spec_fini(&sink->spec);
	}
	output_filter_close(&output->filter);
	return err;
}
