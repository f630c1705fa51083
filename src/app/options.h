/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line and what stands in for it: one table of options (options.c) that parsing, --help, configuration files,
 * completions and the documentation's check read.
 *
 * A value holds over one of a lower level: defaults, configuration files in the order read, --set, the command line. A
 * list (inputs, outputs) that is given at a higher level replaces the whole list of a lower one.
 */
#ifndef APP_OPTIONS_H
#define APP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "app/overlap.h"
#include "weir/config.h"

enum {
	OPTIONS_MAX_INPUTS = 1024,
	OPTIONS_MAX_OUTPUTS = 16,
	OPTIONS_MAX_INTERFACES = 64,
	OPTIONS_MAX_TABLE = 96, /* options there are */
	OPTIONS_MAX_PATH = 1024,
	OPTIONS_REDACT_KEY = 4096 /* bytes, at most */
};

enum options_summary { OPTIONS_SUMMARY_TEXT, OPTIONS_SUMMARY_JSON, OPTIONS_SUMMARY_NONE };
enum options_color { OPTIONS_COLOR_AUTO, OPTIONS_COLOR_ALWAYS, OPTIONS_COLOR_NEVER };
enum options_progress {
	OPTIONS_PROGRESS_AUTO, /* a line that is rewritten, when stderr is a terminal */
	OPTIONS_PROGRESS_PLAIN,
	OPTIONS_PROGRESS_JSON,
	OPTIONS_PROGRESS_NONE
};

/* Levels below these are files. */
enum { OPTIONS_LEVEL_SET = 1000, OPTIONS_LEVEL_LINE = 1001 };

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
	bool fanout;
	bool list_linktypes; /* -L */
	/* which packets */
	char *filter;            /* owned; the trailing words, or NULL */
	const char *filter_file; /* -F */
	uint64_t max_packets;    /* 0: no limit */
	/* which records */
	const char *display_filter; /* -Y; NULL: all */
	/* reports */
	const char *by; /* a field; NULL */
	uint64_t top;   /* rows of lists; 0: the default */
	/* captured packets to files */
	const char *write;
	uint64_t write_size; /* -C, bytes */
	int64_t write_s;     /* -G */
	unsigned write_files;
	char ring[OPTIONS_MAX_PATH]; /* directory; "": none */
	uint64_t ring_max;
	const char *of_run; /* weir slice: a number or a time; NULL: the newest */
	enum options_progress progress;
	bool no_sandbox;
	unsigned workers; /* 0: one per core */
	unsigned batch;   /* packets handled at a time */
	unsigned verbose;
	int64_t ticker_ns; /* between the lines of a live capture with -v */
	struct overlap overlap;
	bool quiet;
	bool strict;
	enum options_summary summary;
	enum options_color color;
	bool ascii;
	/* what config borrows */
	const char *routes[WEIR_MAX_ROUTES];
	uint8_t redact_key[OPTIONS_REDACT_KEY + 2];
	/* what to do instead of a run */
	const char *command; /* "ifaces", "doctor", "query", "stats", "slice"; NULL: a run */
	char **words;        /* behind the command */
	size_t nwords;
	bool help;
	bool version;
	const char *completions; /* for this shell */
	/* where values come from: see options.c */
	unsigned level; /* that is being read */
	unsigned source_level, filter_level, output_level;
	unsigned routes_level;
	unsigned overlap_level, bodies_level, verbose_level, rotate_level;
	bool config_named; /* --config was given */
	char **owned;      /* texts of files and --set */
	size_t nowned;
};

struct option_def {
	const char *name;     /* without --; also the key in files */
	char letter;          /* 0: none */
	const char *argument; /* NULL: takes none (yes or no in files) */
	const char *doc;
	/* Sets it. value: NULL when there is no argument. @return NULL, or what would have been right */
	const char *(*apply)(struct options *options, const char *value);
	const char *words; /* that it takes, with blanks between; NULL: anything */
	bool line_only;    /* not in files */
};

/** A filter is given: at a higher level than the one before, it replaces that, be it words or a file. */
void options_begin_filter(struct options *options);

/** The table of options. */
const struct option_def *options_table(size_t *ret_n);

/**
 * Set one option, timeout or limit by its key, at options->level. Key and value are copied.
 * @param ret_message on failure: a text for the user, with the fix in a second line
 * @return 0, WEIR_EINVAL, WEIR_ENOTFOUND (no such key), WEIR_ENOMEM
 */
int options_set(struct options *options, const char *key, const char *value, char *ret_message,
		size_t size);

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
