/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: one table of options (options.c) that parsing, --help and the documentation's check read.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/config.h"

enum { OPTIONS_MAX_INPUTS = 1024, OPTIONS_MAX_OUTPUTS = 16 };

enum options_summary { OPTIONS_SUMMARY_TEXT, OPTIONS_SUMMARY_JSON, OPTIONS_SUMMARY_NONE };
enum options_color { OPTIONS_COLOR_AUTO, OPTIONS_COLOR_ALWAYS, OPTIONS_COLOR_NEVER };

struct options {
	struct weir_config config;
	const char *inputs[OPTIONS_MAX_INPUTS];
	size_t ninputs;
	const char *outputs[OPTIONS_MAX_OUTPUTS]; /* as written after -o */
	size_t noutputs;
	unsigned workers; /* 0: one per core */
	unsigned batch;   /* packets handled at a time */
	unsigned verbose;
	bool quiet;
	bool strict;
	enum options_summary summary;
	enum options_color color;
	bool ascii;
	/* what to do instead of a run */
	bool help;
	bool version;
};

/**
 * Read the command line.
 * @return 0, or WEIR_EINVAL: a message was printed (`weir: error: ...`, with the fix)
 */
int options_parse(struct options *options, int argc, char **argv);

/** The help text, from the table, to stdout. */
void options_help(void);

#endif
