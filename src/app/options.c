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

static const char *apply_interface(struct options *options, const char *value)
{
	if (options->ninterfaces == OPTIONS_MAX_INTERFACES) {
		return "at most 64 interfaces";
	}
	if (value[0] == '\0') {
		return "the name of an interface; see: weir ifaces";
	}
	options->interfaces[options->ninterfaces++] = value;
	return NULL;
}

static const char *apply_filter_file(struct options *options, const char *value)
{
	options->filter_file = value;
	return NULL;
}

static const char *apply_write(struct options *options, const char *value)
{
	if (value[0] == '\0') {
		return "a file name, or - for standard output";
	}
	options->write = value;
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

static const char *apply_snaplen(struct options *options, const char *value)
{
	uint64_t n;

	if (!parse_number(value, 0, 262144, &n)) {
		return "a number of bytes from 0 (whole packets) to 262144";
	}
	options->snaplen = (uint32_t)n;
	return NULL;
}

static const char *apply_buffer(struct options *options, const char *value)
{
	uint64_t n;

	if (!parse_number(value, 128, 2097151, &n)) {
		return "a number of KiB from 128 to 2097151";
	}
	options->buffer_kib = (uint32_t)n;
	return NULL;
}

static const char *apply_count(struct options *options, const char *value)
{
	if (!parse_number(value, 1, UINT64_MAX, &options->max_packets)) {
		return "a number of packets from 1 up";
	}
	return NULL;
}

/* As tcpdump: millions of bytes; with k, m or g units of 1,024. */
static const char *apply_write_size(struct options *options, const char *value)
{
	static const char *const fix =
		"a number of millions of bytes, or a size such as 512k, 100m or 1g";
	char *end;
	unsigned long long n;
	uint64_t unit = 1000000;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (errno != 0 || end == value || value[0] == '-' || n == 0) {
		return fix;
	}
	if (*end != '\0') {
		const char *units = "kmg";
		const char *at = strchr(units, *end | 0x20);

		if (at == NULL || end[1] != '\0') {
			return fix;
		}
		unit = UINT64_C(1) << 10 * (at - units + 1);
	}
	if (n > (uint64_t)INT64_MAX / unit) {
		return fix;
	}
	options->write_size = n * unit;
	return NULL;
}

static const char *apply_write_files(struct options *options, const char *value)
{
	uint64_t n;

	if (!parse_number(value, 1, 1000000, &n)) {
		return "a number of files from 1 to 1000000";
	}
	options->write_files = (unsigned)n;
	return NULL;
}

static const char *apply_write_seconds(struct options *options, const char *value)
{
	uint64_t n;

	if (!parse_number(value, 1, 1000000000, &n)) {
		return "a number of seconds from 1 up";
	}
	options->write_s = (int64_t)n;
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

static const char *apply_progress(struct options *options, const char *value)
{
	static const char *const words[] = {"auto", "plain", "json", "none", NULL};
	int i = word(value, words);

	if (i < 0) {
		return "auto, plain, json or none";
	}
	options->progress = (enum options_progress)i;
	return NULL;
}

#define FLAG(name, statement)                                                                      \
	static const char *apply_##name(struct options *options, const char *value)                \
	{                                                                                          \
		(void)value;                                                                       \
		statement;                                                                         \
		return NULL;                                                                       \
	}

FLAG(no_promiscuous, options->no_promiscuous = true)
FLAG(list_linktypes, options->list_linktypes = true)
FLAG(no_sandbox, options->no_sandbox = true)
FLAG(numeric, (void)options)
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
	{"interface", 'i', "IFACE",
	 "capture from an interface; repeat for more; any is all of them", apply_interface},
	{"snaplen", 's', "N", "bytes captured of a packet (default 0: all)", apply_snaplen},
	{"no-promiscuous", 'p', NULL, "do not put the interface into promiscuous mode",
	 apply_no_promiscuous},
	{"buffer", 'B', "KIB", "the kernel's buffer for an interface (default 32768)",
	 apply_buffer},
	{"linktypes", 'L', NULL, "list the link types of the interfaces and exit",
	 apply_list_linktypes},
	{"filter-file", 'F', "FILE", "read the capture filter from a file", apply_filter_file},
	{"count", 'c', "N", "stop after N packets", apply_count},
	{"write", 'w', "FILE", "also write the packets, as pcapng; .gz .zst .lz4 compress",
	 apply_write},
	{"write-size", 'C', "SIZE", "begin another file after so many millions of bytes",
	 apply_write_size},
	{"write-files", 'W', "N", "with -C: write over the first after N; with -G: stop then",
	 apply_write_files},
	{"write-seconds", 'G', "S",
	 "begin another file every S seconds; FILE is a strftime() format", apply_write_seconds},
	{"numeric", 'n', NULL, "for users of tcpdump: names are never looked up", apply_numeric},
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
	{"progress", 0, "FORM",
	 "auto, plain, json or none: progress on stderr (default auto: on a terminal)",
	 apply_progress},
	{"no-sandbox", 0, NULL, "keep all rights while packets are parsed (for troubleshooting)",
	 apply_no_sandbox},
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

	printf("usage: weir -r FILE [options] [filter words]\n"
	       "       weir -i IFACE [options] [filter words]\n"
	       "       weir ifaces | doctor\n\n"
	       "Reads or captures packets, puts TCP streams back together, and tells the HTTP "
	       "transactions in them.\n"
	       "The filter is one of pcap-filter(7), such as: tcp port 80. ifaces lists what can "
	       "be "
	       "captured from;\ndoctor says what is missing here, and the command that grants "
	       "it.\n\n");
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

static bool is_command(const char *text)
{
	return strcmp(text, "ifaces") == 0 || strcmp(text, "doctor") == 0;
}

/* The words behind the options are the filter. */
static int join_filter(struct options *options, int n, char **words)
{
	size_t len = 1;
	int i;

	for (i = 0; i < n; i++) {
		len += strlen(words[i]) + 1;
	}
	if (n == 0) {
		return 0;
	}
	options->filter = malloc(len);
	if (options->filter == NULL) {
		return WEIR_ENOMEM;
	}
	options->filter[0] = '\0';
	for (i = 0; i < n; i++) {
		if (i > 0) {
			strcat(options->filter, " ");
		}
		strcat(options->filter, words[i]);
	}
	return 0;
}

static bool writes_stdout(const struct options *options)
{
	size_t i;

	for (i = 0; i < options->noutputs; i++) {
		const char *colon = strchr(options->outputs[i], ':');

		/* text, json, json:-, json:,key=value; `none` writes nothing */
		if (strcmp(options->outputs[i], "none") != 0 &&
		    (colon == NULL || colon[1] == '\0' || strcmp(colon, ":-") == 0 ||
		     strncmp(colon, ":-,", 3) == 0)) {
			return true;
		}
	}
	return options->noutputs == 0;
}

/* What each option allows and together makes no sense. */
static int check(struct options *options)
{
	const char *problem = NULL;

	if (options->write != NULL && strcmp(options->write, "-") == 0) {
		if (options->noutputs == 0) {
			options->outputs[options->noutputs++] = "none";
		}
		if (writes_stdout(options)) {
			problem = "-w - and records would both go to standard output\n"
				  "  Give the records a file: -o json:FILE.";
		}
	}
	if (options->ninputs > 0 && options->ninterfaces > 0) {
		problem = "-r and -i exclude each other\n  Read files or capture, one at a time.";
	} else if (options->write == NULL &&
		   (options->write_size > 0 || options->write_s > 0 || options->write_files > 0)) {
		problem = "-C, -W and -G are about the files of -w\n  Add -w FILE.";
	} else if (options->write_files > 0 && options->write_size == 0 && options->write_s == 0) {
		problem = "-W needs -C or -G\n  -C SIZE or -G SECONDS says when a new file begins.";
	} else if (options->write != NULL && strcmp(options->write, "-") == 0 &&
		   (options->write_size > 0 || options->write_s > 0)) {
		problem = "standard output cannot be rotated\n  Give -w a file name.";
	} else if (options->filter != NULL && options->filter_file != NULL) {
		problem = "the filter is in -F or in words, not both\n  Leave one of them out.";
	}
	if (problem != NULL) {
		fprintf(stderr, "weir: error: %s\n", problem);
		return WEIR_EINVAL;
	}
	return 0;
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
	if (optind < argc && options->ninputs == 0 && options->ninterfaces == 0 &&
	    is_command(argv[optind])) {
		options->command = argv[optind];
		return 0;
	}
	return join_filter(options, argc - optind, argv + optind) < 0 ? WEIR_ENOMEM
								      : check(options);
}

void options_fini(struct options *options)
{
	free(options->filter);
	options->filter = NULL;
}
