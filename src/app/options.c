/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: see options.h. */
#include "app/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/error.h"

/* Sets one option. @return NULL, or what would have been right */
typedef const char *(*apply_fn)(struct options *options, const char *value);

struct option_def {
	const char *name;
	char letter;          /* 0: none */
	const char *argument; /* NULL: takes none */
	const char *doc;
	apply_fn apply;
};

static const char *apply_read(struct options *options, const char *value)
{
	if (options->ninputs == OPTIONS_MAX_INPUTS) {
		return "at most 1024 files";
	}
	options->inputs[options->ninputs++] = value;
	return NULL;
}

static const char *apply_output(struct options *options, const char *value)
{
	if (options->noutputs == OPTIONS_MAX_OUTPUTS) {
		return "at most 16 sinks";
	}
	options->outputs[options->noutputs++] = value;
	return NULL;
}

static const char *apply_json(struct options *options, const char *value)
{
	(void)value;
	return apply_output(options, "json:-");
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || value < min ||
	    value > max) {
		return false;
	}
	*ret = value;
	return true;
}

static const char *apply_workers(struct options *options, const char *value)
{
	uint64_t n;

	if (!parse_number(value, 1, 16, &n)) {
		return "a number from 1 to 16";
	}
	options->workers = (unsigned)n;
	return NULL;
}

static const char *apply_batch(struct options *options, const char *value)
{
	uint64_t n;

	if (!parse_number(value, 1, 65536, &n)) {
		return "a number from 1 to 65536";
	}
	options->batch = (unsigned)n;
	return NULL;
}

static const char *apply_memory(struct options *options, const char *value)
{
	static const char *const fix = "a size from 16M up, such as 512M or 2G";
	char *end;
	unsigned long long size;
	unsigned shift;

	errno = 0;
	size = strtoull(value, &end, 10);
	if (errno != 0 || end == value || value[0] == '-') {
		return fix;
	}
	switch (*end) {
	case '\0':
		shift = 0;
		break;
	case 'k':
	case 'K':
		shift = 10;
		break;
	case 'm':
	case 'M':
		shift = 20;
		break;
	case 'g':
	case 'G':
		shift = 30;
		break;
	default:
		return fix;
	}
	if ((*end != '\0' && end[1] != '\0') || size > (SIZE_MAX >> 1) >> shift ||
	    size << shift < 16 << 20) {
		return fix;
	}
	options->config.memory = (size_t)size << shift;
	return NULL;
}

/* The index of a value in a NULL-terminated list of words, or -1. */
static int word(const char *value, const char *const *words)
{
	int i;

	for (i = 0; words[i] != NULL; i++) {
		if (strcmp(value, words[i]) == 0) {
			return i;
		}
	}
	return -1;
}

static const char *apply_checksums(struct options *options, const char *value)
{
	static const char *const words[] = {"auto", "none", "all", NULL};
	int i = word(value, words);

	if (i < 0) {
		return "auto, none or all";
	}
	options->config.checksums = (enum weir_checksums)i;
	return NULL;
}

static const char *apply_bodies(struct options *options, const char *value)
{
	static const char *const words[] = {"size", "hash", "keep", NULL};
	int i = word(value, words);

	if (i < 0) {
		return "size, hash or keep";
	}
	options->config.bodies = (enum weir_bodies)i;
	return NULL;
}

static const char *apply_redact(struct options *options, const char *value)
{
	static const char *const words[] = {"default", "off", "strict", NULL};
	int i = word(value, words);

	if (i < 0) {
		return "default, off or strict";
	}
	options->config.redact = (enum weir_redact)i;
	return NULL;
}

static const char *apply_summary(struct options *options, const char *value)
{
	static const char *const words[] = {"text", "json", "none", NULL};
	int i = word(value, words);

	if (i < 0) {
		return "text, json or none";
	}
	options->summary = (enum options_summary)i;
	return NULL;
}

static const char *apply_color(struct options *options, const char *value)
{
	static const char *const words[] = {"auto", "always", "never", NULL};
	int i = word(value, words);

	if (i < 0) {
		return "auto, always or never";
	}
	options->color = (enum options_color)i;
	return NULL;
}

#define FLAG(name, statement)                                                                      \
	static const char *apply_##name(struct options *options, const char *value)                \
	{                                                                                          \
		(void)value;                                                                       \
		statement;                                                                         \
		return NULL;                                                                       \
	}

FLAG(strict, options->strict = true)
FLAG(ascii, options->ascii = true)
FLAG(quiet, options->quiet = true)
FLAG(verbose, options->verbose++)
FLAG(vlan_key, options->config.vlan_key = true)
FLAG(version, options->version = true)
FLAG(help, options->help = true)

static const struct option_def table[] = {
	{"read", 'r', "FILE", "read a capture; repeat for more, in order; - is standard input",
	 apply_read},
	{"output", 'o', "KIND[:TARGET]", "add a sink; repeat for more (default text:-)",
	 apply_output},
	{"json", 0, NULL, "the same as -o json:-", apply_json},
	{"jobs", 'j', "N", "workers (default: one per core); the output is the same whatever N is",
	 apply_workers},
	{"memory", 0, "SIZE", "hard budget for what traffic can grow (default 512M)", apply_memory},
	{"checksums", 'k', "POLICY",
	 "auto, none or all: which checksums reject a segment (default auto)", apply_checksums},
	{"bodies", 0, "WHAT", "size, hash or keep: what is done with HTTP bodies (default size)",
	 apply_bodies},
	{"redact", 0, "MODE", "default, off or strict: mask secrets before any record sink",
	 apply_redact},
	{"vlan-key", 0, NULL, "the VLAN id is part of a flow's key", apply_vlan_key},
	{"strict", 0, NULL, "exit 4 if anything was lost: drops, gaps, evictions, cut input",
	 apply_strict},
	{"summary", 0, "FORM", "text, json or none: the closing summary on stderr (default text)",
	 apply_summary},
	{"color", 0, "WHEN", "auto, always or never (default auto; NO_COLOR is honoured)",
	 apply_color},
	{"ascii", 0, NULL, "no line-drawing or other non-ASCII signs in text", apply_ascii},
	{"batch", 0, "N", "packets handled at a time (default 1024); changes no output",
	 apply_batch},
	{"quiet", 'q', NULL, "no summary", apply_quiet},
	{"verbose", 'v', NULL, "headers; twice: bodies too", apply_verbose},
	{"version", 'V', NULL, "version, parsers and sinks", apply_version},
	{"help", 'h', NULL, "this text", apply_help},
};

enum { NOPTIONS = sizeof(table) / sizeof(table[0]) };

void options_help(void)
{
	size_t i;

	printf("usage: weir -r FILE [options]\n\n"
	       "Reads captured packets, puts TCP streams back together, and tells the HTTP "
	       "transactions in them.\n\n");
	for (i = 0; i < NOPTIONS; i++) {
		const struct option_def *def = &table[i];
		char left[48];

		(void)snprintf(left, sizeof(left), "%c%c%s--%s%s%s", def->letter ? '-' : ' ',
			       def->letter ? def->letter : ' ', def->letter ? ", " : "  ",
			       def->name, def->argument != NULL ? " " : "",
			       def->argument != NULL ? def->argument : "");
		printf("  %-28s %s\n", left, def->doc);
	}
	printf("\nExit status: 0 done; 1 error; 2 usage; 3 the input was damaged or cut short; 4 "
	       "--strict and something was lost.\n"
	       "More: man weir\n");
}

static int apply(struct options *options, const struct option_def *def, const char *value)
{
	const char *fix = def->apply(options, value);

	if (fix == NULL) {
		return 0;
	}
	fprintf(stderr, "weir: error: --%s cannot be \"%s\"\n  It takes %s.\n", def->name, value,
		fix);
	return WEIR_EINVAL;
}

/* getopt's tables, made from ours. */
static void make_tables(char *letters, struct option *longs)
{
	size_t i;
	char *at = letters;

	*at++ = ':';
	for (i = 0; i < NOPTIONS; i++) {
		longs[i] = (struct option){
			table[i].name, table[i].argument != NULL ? required_argument : no_argument,
			NULL, 256 + (int)i};
		if (table[i].letter != 0) {
			*at++ = table[i].letter;
			if (table[i].argument != NULL) {
				*at++ = ':';
			}
		}
	}
	*at = '\0';
	memset(&longs[NOPTIONS], 0, sizeof(longs[NOPTIONS]));
}

static const struct option_def *find(int got)
{
	size_t i;

	if (got >= 256) {
		return &table[got - 256];
	}
	for (i = 0; i < NOPTIONS; i++) {
		if (table[i].letter == got) {
			return &table[i];
		}
	}
	return NULL;
}

int options_parse(struct options *options, int argc, char **argv)
{
	char letters[2 * NOPTIONS + 2];
	struct option longs[NOPTIONS + 1];
	int got;

	memset(options, 0, sizeof(*options));
	weir_config_init(&options->config);
	options->batch = 1024;
	make_tables(letters, longs);
	opterr = 0;
	while ((got = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct option_def *def = got == '?' || got == ':' ? NULL : find(got);

		if (def == NULL) {
			fprintf(stderr, "weir: error: %s %s\n  See: weir --help\n",
				got == ':' ? "a value is missing after" : "there is no option",
				argv[optind - 1]);
			return WEIR_EINVAL;
		}
		if (apply(options, def, optarg) < 0) {
			return WEIR_EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr,
			"weir: error: \"%s\" is not an option\n  A capture is read with -r FILE. "
			"Capture filters are not "
			"there yet. See: weir --help\n",
			argv[optind]);
		return WEIR_EINVAL;
	}
	return 0;
}
