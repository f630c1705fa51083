/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks of a run: see output.h. */
#include "app/output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

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

int output_open(struct output *output, const struct options *options)
{
	size_t i;
	int err = 0;

	memset(output, 0, sizeof(*output));
	find_schemas(output, options);
	for (i = 0; i < options->noutputs && err == 0; i++) {
		err = open_one(output, options, options->outputs[i]);
	}
	if (options->noutputs == 0) {
		err = open_one(output, options, "text:-");
	}
	return err;
}

bool output_wants(void *context, const struct weir_schema *schema, size_t field)
{
	struct output *output = context;
	size_t i;

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

void output_record(struct output *output, const struct weir_record *rec)
{
	size_t i;

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
	return err;
}
