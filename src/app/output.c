/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks of a run: see output.h. */
#include "app/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "app/caret.h"
#include "weir/error.h"

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
		fprintf(stderr, "weir: error: -o %s: %s%s%s\n", text,
			message != NULL ? message : weir_strerror(err), err == WEIR_EIO ? ": " : "",
			err == WEIR_EIO ? strerror(errno) : "");
		sink_spec_fini(spec);
		return err;
	}
	if (spec->type->tap != NULL) {
		if (output->tap != NULL) {
			fprintf(stderr, "weir: error: -o %s: only one sink of raw bytes in a run\n",
				text);
			output->nsinks++;
			return WEIR_EINVAL;
		}
		output->tap = spec->type->tap;
		output->tap_sink = output->sinks[output->nsinks].sink;
	}
	output->nsinks++;
	return 0;
}

/* The schemas are told to sinks when they are opened: find the tap's first. */
static void find_schemas(struct output *output, const struct options *options)
{
	const struct weir_tap_type *tap = NULL;
	size_t i;

	for (i = 0; i < options->noutputs; i++) {
		struct sink_spec spec;
		const char *message;

		if (sink_parse(options->outputs[i], &spec, &message) == 0) {
			tap = spec.type->tap != NULL ? spec.type->tap : tap;
			sink_spec_fini(&spec);
		}
	}
	(void)engine_schemas(tap, output->schemas);
}

static int open_query(struct output *output, const struct options *options)
{
	struct query_error error;
	int err;

	if (options->display_filter == NULL) {
		return 0;
	}
	err = query_new(options->display_filter, output->schemas, &output->filter, &error);
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
	return err;
}

int output_open(struct output *output, const struct options *options)
{
	size_t i;
	int err = 0;

	memset(output, 0, sizeof(*output));
	find_schemas(output, options);
	err = open_query(output, options);
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

	if (output->filter != NULL && query_wants(output->filter, schema, field)) {
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

static void failed(struct output *output, size_t i)
{
	const struct sink_spec *spec = &output->sinks[i].spec;

	if (errno == EPIPE) {
		output->broken_pipe = true;
	} else if (!output->sinks[i].failed) {
		fprintf(stderr,
			"weir: error: cannot write to %s:%s: %s\n  Records from here on are lost "
			"to this sink.\n",
			spec->type->name, spec->target[0] == '\0' ? "-" : spec->target,
			strerror(errno));
	}
	output->sinks[i].failed = true;
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
	if (output->filter == NULL) {
		return bodies;
	}
	return most(bodies, bodies_of_nodes(query_root(output->filter)));
}

bool output_is_private(const struct output *output, const struct weir_record *rec)
{
	return output->tap != NULL && rec->schema == output->tap->schema;
}

/* Is it for this sink? */
static bool receives(const struct output *output, size_t i, const struct weir_record *rec)
{
	if (weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0) {
		return output->sinks[i].spec.type->interim;
	}
	return !output_is_private(output, rec) || output->sinks[i].sink == output->tap_sink;
}

/* Does the filter let it through? What raw sinks say about their files is not asked about. */
static bool passes(struct output *output, const struct weir_record *rec)
{
	bool interim = weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0;
	bool pass;

	if (output->filter == NULL || output_is_private(output, rec)) {
		return true;
	}
	pass = query_match(output->filter, rec);
	output->limited = query_limited(output->filter);
	output->matched += pass && !interim;
	output->left_out += !pass && !interim;
	return pass;
}

void output_record(struct output *output, const struct weir_record *rec)
{
	size_t i;

	if (!passes(output, rec)) {
		return;
	}
	for (i = 0; i < output->nsinks; i++) {
		if (!receives(output, i, rec)) {
			continue;
		}
		if (output->sinks[i].failed) {
			output->sinks[i].lost++;
		} else if (output->sinks[i].spec.type->record(output->sinks[i].sink, rec) < 0) {
			output->sinks[i].lost++;
			failed(output, i);
		}
	}
}

void output_flush(struct output *output)
{
	size_t i;

	for (i = 0; i < output->nsinks; i++) {
		const struct weir_sink_type *type = output->sinks[i].spec.type;

		if (!output->sinks[i].failed && type->flush != NULL &&
		    type->flush(output->sinks[i].sink) < 0) {
			failed(output, i);
		}
	}
}

void output_reopen(struct output *output)
{
	size_t i;

	for (i = 0; i < output->nsinks; i++) {
		const struct sink_spec *spec = &output->sinks[i].spec;

		if (spec->type->reopen != NULL && spec->type->reopen(output->sinks[i].sink) < 0) {
			fprintf(stderr,
				"weir: error: cannot reopen %s:%s: %s\n  Records go on into the "
				"file "
				"that is open.\n",
				spec->type->name, spec->target, strerror(errno));
		}
	}
}

int output_close(struct output *output)
{
	int err = 0;
	size_t i;

	for (i = 0; i < output->nsinks; i++) {
		if (output->sinks[i].spec.type->close(output->sinks[i].sink) < 0) {
			failed(output, i);
		}
		if (output->sinks[i].failed && !output->broken_pipe) {
			err = WEIR_EIO;
			if (output->sinks[i].lost > 0) {
				fprintf(stderr,
					"weir: error: %llu records were not written to %s\n",
					(unsigned long long)output->sinks[i].lost,
					output->sinks[i].spec.type->name);
			}
		}
		sink_spec_fini(&output->sinks[i].spec);
	}
	output->nsinks = 0;
	query_free(output->filter);
	output->filter = NULL;
	return err;
}
