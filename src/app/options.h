/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: one table of options (options.c) that parsing, --help and the documentation's check read.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "weir/config.h"

enum { OPTIONS_MAX_INPUTS = 1024, OPTIONS_MAX_OUTPUTS = 16, OPTIONS_MAX_INTERFACES = 64 };

enum options_summary { OPTIONS_SUMMARY_TEXT, OPTIONS_SUMMARY_JSON, OPTIONS_SUMMARY_NONE };
enum options_color { OPTIONS_COLOR_AUTO, OPTIONS_COLOR_ALWAYS, OPTIONS_COLOR_NEVER };
enum options_progress {
	OPTIONS_PROGRESS_AUTO, /* a line that is rewritten, when stderr is a terminal */
	OPTIONS_PROGRESS_PLAIN,
	OPTIONS_PROGRESS_JSON,
	OPTIONS_PROGRESS_NONE
};

struct options {
	struct weir_config config;
	const char *inputs[OPTIONS_MAX_INPUTS];
	size_t ninputs;
	const char *outputs[OPTIONS_MAX_OUTPUTS]; /* as written after -o */
	size_t noutputs;
	/* live capture */
	const char *interfaces[OPTIONS_MAX_INTERFACES];
	size_t ninterfaces;
	uint32_t snaplen;    /* 0: whole packets */
	uint32_t buffer_kib; /* 0: the default */
	bool no_promiscuous;
	bool list_linktypes; /* -L */
	/* which packets */
	char *filter;            /* owned; the trailing words, or NULL */
	const char *filter_file; /* -F */
	uint64_t max_packets;    /* 0: no limit */
	/* captured packets to files */
	const char *write;
	uint64_t write_size; /* -C, bytes */
	int64_t write_s;     /* -G */
	unsigned write_files;
	enum options_progress progress;
	bool no_sandbox;
	unsigned workers; /* 0: one per core */
	unsigned batch;   /* packets handled at a time */
	unsigned verbose;
	bool quiet;
	bool strict;
	enum options_summary summary;
	enum options_color color;
	bool ascii;
	/* what to do instead of a run */
	const char *command; /* "ifaces", "doctor"; NULL: a run */
	bool help;
	bool version;
};

/**
 * Read the command line.
 * @return 0, or WEIR_EINVAL: a message was printed (`weir: error: ...`, with the fix)
 */
int options_parse(struct options *options, int argc, char **argv);

/** Release what options_parse() made. */
void options_fini(struct options *options);

/** The help text, from the table, to stdout. */
void options_help(void);

#endif
