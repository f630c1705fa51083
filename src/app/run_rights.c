/* SPDX-License-Identifier: Apache-2.0 */
/* Which rights a run still needs once everything is open, and giving up the others: see run_state.h and privs.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/run_state.h"

static void need_directory(struct run *run, char *directory)
{
	if (directory != NULL && run->ndirectories < PRIVS_MAX_PATHS) {
		run->directories[run->ndirectories++] = directory;
		privs_need_directory(&run->needs, directory);
	} else {
		free(directory);
	}
}

/* The directory of a file, as far as it is fixed: a strftime() format may stand in a directory's name too. */
static char *directory_of(const char *path)
{
	size_t len = strcspn(path, "%");

	while (len > 0 && path[len - 1] != '/') {
		len--;
	}
	return len == 0 ? strdup(".") : strndup(path, len == 1 ? 1 : len - 1);
}

static bool is_one_of(const char *name, const char *const *list)
{
	while (*list != NULL && strcmp(*list, name) != 0) {
		list++;
	}
	return *list != NULL;
}

/* What the outputs will still need: later files of theirs, servers. */
static void find_needs(struct run *run)
{
	static const char *const directories[] = {"streams", "files", NULL};
	static const char *const servers[] = {"clickhouse", "elasticsearch", "kafka", "otlp", NULL};
	size_t i;

	for (i = 0; i < run->output.nsinks; i++) {
		const struct sink_spec *spec = &run->output.sinks[i].spec;

		if (is_one_of(spec->type->name, servers)) {
			run->needs.network = true;
		} else if (is_one_of(spec->type->name, directories)) {
			need_directory(run, strdup(spec->target));
		} else if (spec->target[0] != '\0' && strcmp(spec->target, "-") != 0) {
			need_directory(run, directory_of(spec->target));
			privs_need_file(&run->needs, spec->target);
		}
	}
	if (run->options->write != NULL && strcmp(run->options->write, "-") != 0) {
		need_directory(run, directory_of(run->options->write));
		privs_need_file(&run->needs, writer_path(run->writer));
	}
	if (run->keeper != NULL) {
		need_directory(run, strdup(run->options->ring));
	}
}

/* Will anything be hashed? */
static bool needs_digests(struct run *run)
{
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	size_t i;

	if (run->options->config.bodies != WEIR_BODIES_SIZE ||
	    taps_type(&run->output.taps) != NULL) {
		return true;
	}
	(void)engine_schemas(NULL, schemas);
	for (i = 0; schemas[i] != NULL; i++) {
		if (run_wants(run, schemas[i], WEIR_F_NETWORK_COMMUNITY_ID)) {
			return true;
		}
	}
	return false;
}

int run_drop_rights(struct run *run)
{
	struct privs_status status;

	if (run->options->no_sandbox) {
		return 0;
	}
	find_needs(run);
	run->needs.digests = needs_digests(run);
	if (privs_drop(&run->needs, &status) < 0) {
		fprintf(stderr,
			"weir: error: rights could not be dropped: %s\n  Packets are not parsed "
			"with "
			"more rights than needed. --no-sandbox does it all the same.\n",
			status.message);
		return EXIT_ERROR;
	}
	return 0;
}
