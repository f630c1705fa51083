/* SPDX-License-Identifier: Apache-2.0 */
/* The table of options, and how each value is read: see options.h. */
#include "app/options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/settings.h"
#include "app/slice.h"
#include "app/units.h"
#include "capture/keeper.h"
#include "http/route.h"
#include "parser/registry.h"
#include "weir/error.h"

/*
 * Where a value comes from decides which one holds: the level that is being read (options->level) only rises. A list that is
 * given at a higher level replaces that of a lower one. @return was the group's value from a lower level (or none)?
 */
static bool is_first_of_level(const struct options *options, unsigned *level)
{
	bool first = *level != options->level;

	*level = options->level;
	return first;
}

/* Files and interfaces are one thing here: where packets come from. */
static void begin_source(struct options *options)
{
	if (is_first_of_level(options, &options->source_level)) {
		options->ninputs = 0;
		options->ninterfaces = 0;
	}
}

/* The same for the filter, in words and in a file. */
void options_begin_filter(struct options *options)
{
	if (is_first_of_level(options, &options->filter_level)) {
		free(options->filter);
		options->filter = NULL;
		options->filter_file = NULL;
	}
}

static const char *apply_read(struct options *options, const char *value)
{
	begin_source(options);
	if (options->ninputs == OPTIONS_MAX_INPUTS) {
		return "at most 1024 files";
	}
	options->inputs[options->ninputs++] = value;
	return NULL;
}

static const char *apply_interface(struct options *options, const char *value)
{
	begin_source(options);
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
	options_begin_filter(options);
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
	if (is_first_of_level(options, &options->output_level)) {
		options->noutputs = 0;
	}
	if (options->noutputs == OPTIONS_MAX_OUTPUTS) {
		return "at most 16 sinks";
	}
	options->outputs[options->noutputs++] = value;
	return NULL;
}

/* yes or no; a bare option of the command line (NULL) is yes. */
static const char *parse_flag(const char *value, bool *ret)
{
	static const char *const yes[] = {"yes", "true", "on", "1", NULL};
	static const char *const no[] = {"no", "false", "off", "0", NULL};
	size_t i;

	for (i = 0; value != NULL && yes[i] != NULL; i++) {
		if (strcmp(value, yes[i]) == 0) {
			value = NULL;
			break;
		}
		if (strcmp(value, no[i]) == 0) {
			*ret = false;
			return NULL;
		}
	}
	if (value != NULL) {
		return "yes or no";
	}
	*ret = true;
	return NULL;
}

static const char *apply_json(struct options *options, const char *value)
{
	bool on;
	const char *fix = parse_flag(value, &on);

	return fix == NULL && on ? apply_output(options, "json:-") : fix;
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
	uint64_t size;

	if (!units_size(value, &size) || size < 16 << 20 || size > SIZE_MAX >> 1) {
		return "a size from 16M up, such as 512M or 2G";
	}
	options->config.memory = (size_t)size;
	return NULL;
}

static const char *apply_body_limit(struct options *options, const char *value)
{
	uint64_t size;

	if (!units_size(value, &size) || size > 1 << 30) {
		return "a size up to 1G, such as 64K";
	}
	options->config.body_limit = (size_t)size;
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

static const char *apply_display_filter(struct options *options, const char *value)
{
	options->display_filter = value; /* read when the records' fields are known */
	return NULL;
}

static const char *apply_by(struct options *options, const char *value)
{
	options->by = value; /* read when the records' fields are known */
	return NULL;
}

static const char *apply_top(struct options *options, const char *value)
{
	return parse_number(value, 1, 1000, &options->top) ? NULL : "a number from 1 to 1000";
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
	options->rotate_level = options->level;
	return NULL;
}

static const char *apply_write_files(struct options *options, const char *value)
{
	uint64_t n;

	if (!parse_number(value, 1, 1000000, &n)) {
		return "a number of files from 1 to 1000000";
	}
	options->write_files = (unsigned)n;
	options->rotate_level = options->level;
	return NULL;
}

static const char *apply_write_seconds(struct options *options, const char *value)
{
	uint64_t n;

	if (!parse_number(value, 1, 1000000000, &n)) {
		return "a number of seconds from 1 up";
	}
	options->write_s = (int64_t)n;
	options->rotate_level = options->level;
	return NULL;
}

/* DIR,max=SIZE */
static const char *apply_ring(struct options *options, const char *value)
{
	static const char *const fix =
		"a directory and how far it may be filled, from 16M up: /var/lib/weir/ring,max=20G";
	const char *comma = strrchr(value, ',');
	uint64_t max;
	size_t len;

	if (comma == NULL || strncmp(comma, ",max=", 5) != 0 || !units_size(comma + 5, &max) ||
	    max < KEEPER_MIN_MAX) {
		return fix;
	}
	len = (size_t)(comma - value);
	if (len == 0 || len >= sizeof(options->ring)) {
		return fix;
	}
	memcpy(options->ring, value, len);
	options->ring[len] = '\0';
	options->ring_max = max;
	return NULL;
}

static const char *apply_of_run(struct options *options, const char *value)
{
	int64_t begin_ns;
	uint32_t run;

	options->of_run = value;
	return slice_read_run(value, &run, &begin_ns)
		       ? NULL
		       : "the number of a run, or a time within it, such as 2026-11-23T02:23:01Z";
}

/* What options take; also what completion offers. In the order of their enums. */
#define CHECKSUM_WORDS "auto none all"
#define BODIES_WORDS   "size hash keep"
#define REDACT_WORDS   "default off strict"
#define SUMMARY_WORDS  "text json none"
#define COLOR_WORDS    "auto always never"
#define PROGRESS_WORDS "auto plain json none"
#define SHELL_WORDS    "bash zsh fish"
#define DELIVER_WORDS  "contiguous acked"
#define VLAN_WORDS     "ignore key"

/* The index of a value in a list of words with blanks between, or -1. */
static int word(const char *value, const char *words)
{
	size_t len = strlen(value);
	int i;

	for (i = 0; *words != '\0'; i++) {
		size_t n = strcspn(words, " ");

		if (n == len && memcmp(words, value, n) == 0) {
			return i;
		}
		words += n + (words[n] != '\0');
	}
	return -1;
}

static const char *apply_checksums(struct options *options, const char *value)
{
	int i = word(value, CHECKSUM_WORDS);

	if (i < 0) {
		return "auto, none or all";
	}
	options->config.checksums = (enum weir_checksums)i;
	return NULL;
}

static const char *apply_overlap(struct options *options, const char *value)
{
	const char *fix;

	if (is_first_of_level(options, &options->overlap_level)) {
		memset(&options->overlap, 0, sizeof(options->overlap));
	}
	fix = overlap_add(&options->overlap, value);
	options->config.overlap = options->overlap.policy;
	options->config.overlap_rules = options->overlap.rules;
	options->config.noverlap_rules = options->overlap.nrules;
	return fix;
}

static const char *apply_deliver(struct options *options, const char *value)
{
	int i = word(value, DELIVER_WORDS);

	if (i < 0) {
		return "contiguous or acked";
	}
	options->config.deliver = (enum weir_deliver)i;
	return NULL;
}

static const char *apply_vlan(struct options *options, const char *value)
{
	int i = word(value, VLAN_WORDS);

	if (i < 0) {
		return "ignore or key";
	}
	options->config.vlan_key = i == 1;
	return NULL;
}

static const char *apply_bodies(struct options *options, const char *value)
{
	int i = word(value, BODIES_WORDS);

	if (i < 0) {
		return "size, hash or keep";
	}
	options->bodies_level = options->level;
	options->config.bodies = (enum weir_bodies)i;
	return NULL;
}

static const char *apply_redact(struct options *options, const char *value)
{
	int i = word(value, REDACT_WORDS);

	if (i < 0) {
		return "default, off or strict";
	}
	options->config.redact = (enum weir_redact)i;
	return NULL;
}

/* A key of HMAC: what a file holds but for the line end behind it. Read here, before rights are dropped. */
static const char *apply_redact_key(struct options *options, const char *value)
{
	static const char *const fix = "a file that can be read, of 16 to 4096 bytes";
	int fd = open(value, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	if (fd >= 0) {
		n = read(fd, options->redact_key, sizeof(options->redact_key));
		close(fd);
	}
	if (n > 0 && options->redact_key[n - 1] == '\n') {
		n--;
	}
	if (n < 16 || n == sizeof(options->redact_key)) {
		return fix;
	}
	options->config.redact_key = options->redact_key;
	options->config.redact_key_len = (size_t)n;
	return NULL;
}

static const char *apply_route(struct options *options, const char *value)
{
	const char *fix = http_route_check(value);

	if (is_first_of_level(options, &options->routes_level)) {
		options->config.nroutes = 0;
	}
	if (fix == NULL && options->config.nroutes == WEIR_MAX_ROUTES) {
		fix = "at most 256 templates";
	}
	if (fix == NULL) {
		options->routes[options->config.nroutes++] = value;
		options->config.routes = options->routes;
	}
	return fix;
}

static const char *apply_summary(struct options *options, const char *value)
{
	int i = word(value, SUMMARY_WORDS);

	if (i < 0) {
		return "text, json or none";
	}
	options->summary = (enum options_summary)i;
	return NULL;
}

static const char *apply_color(struct options *options, const char *value)
{
	int i = word(value, COLOR_WORDS);

	if (i < 0) {
		return "auto, always or never";
	}
	options->color = (enum options_color)i;
	return NULL;
}

static const char *apply_progress(struct options *options, const char *value)
{
	int i = word(value, PROGRESS_WORDS);

	if (i < 0) {
		return "auto, plain, json or none";
	}
	options->progress = (enum options_progress)i;
	return NULL;
}

static const char *apply_verbose(struct options *options, const char *value)
{
	uint64_t n;

	if (is_first_of_level(options, &options->verbose_level)) {
		options->verbose = 0;
	}
	if (value == NULL) {
		options->verbose++;
		return NULL;
	}
	if (!parse_number(value, 0, 2, &n)) {
		return "0, 1 (headers) or 2 (bodies too)";
	}
	options->verbose = (unsigned)n;
	return NULL;
}

/* Both have been seen to before anything else: see options_parse(). */
static const char *apply_nothing(struct options *options, const char *value)
{
	(void)options;
	(void)value;
	return NULL;
}

static const char *apply_numeric(struct options *options, const char *value)
{
	bool on; /* names are never looked up */

	(void)options;
	return parse_flag(value, &on);
}

static const char *apply_parsers(struct options *options, const char *value)
{
	const char *at = value;

	do {
		char name[32];
		size_t n = strcspn(at, ",");

		(void)snprintf(name, sizeof(name), "%.*s", n > 31 ? 31 : (int)n, at);
		if (parser_find(name) == NULL) {
			return "names of weir -V, separated by commas";
		}
		at += n + (at[n] != '\0');
	} while (*at != '\0');
	options->config.parsers = value;
	return NULL;
}

static const char *apply_completions(struct options *options, const char *value)
{
	if (word(value, SHELL_WORDS) < 0) {
		return "bash, zsh or fish";
	}
	options->completions = value;
	return NULL;
}

#define FLAG(name, target)                                                                         \
	static const char *apply_##name(struct options *options, const char *value)                \
	{                                                                                          \
		return parse_flag(value, &(target));                                               \
	}

FLAG(no_promiscuous, options->no_promiscuous)
FLAG(fanout, options->fanout)
FLAG(list_linktypes, options->list_linktypes)
FLAG(no_sandbox, options->no_sandbox)
FLAG(strict, options->strict)
FLAG(ascii, options->ascii)
FLAG(quiet, options->quiet)
FLAG(version, options->version)
FLAG(help, options->help)

static const struct option_def table[] = {
	{"read", 'r', "FILE", "read a capture; repeat for more, in order; - is standard input",
	 .apply = apply_read},
	{"interface", 'i', "IFACE",
	 "capture from an interface; repeat for more; any is all of them",
	 .apply = apply_interface},
	{"snaplen", 's', "N", "bytes captured of a packet (default 0: all)",
	 .apply = apply_snaplen},
	{"no-promiscuous", 'p', NULL, "do not put the interface into promiscuous mode",
	 .apply = apply_no_promiscuous},
	{"buffer", 'B', "KIB", "the kernel's buffer for an interface (default 32768)",
	 .apply = apply_buffer},
	{"fanout", 0, NULL,
	 "a ring of the kernel's for each worker (-j), the flows divided among them",
	 .apply = apply_fanout},
	{"linktypes", 'L', NULL, "list the link types of the interfaces and exit",
	 .apply = apply_list_linktypes, .line_only = true},
	{"filter-file", 'F', "FILE", "read the capture filter from a file",
	 .apply = apply_filter_file},
	{"display-filter", 'Y', "EXPR",
	 "only records that match, such as: status>=500 host:~^api dur>100ms",
	 .apply = apply_display_filter},
	{"by", 0, "FIELD",
	 "weir stats: groups by service, endpoint, server, client ... or any field",
	 .apply = apply_by},
	{"top", 0, "N", "weir stats: rows of a list (20)", .apply = apply_top},
	{"count", 'c', "N", "stop after N packets", .apply = apply_count},
	{"write", 'w', "FILE", "also write the packets, as pcapng; .gz .zst .lz4 compress",
	 .apply = apply_write},
	{"write-size", 'C', "SIZE", "begin another file after so many millions of bytes",
	 .apply = apply_write_size},
	{"write-files", 'W', "N", "with -C: write over the first after N; with -G: stop then",
	 .apply = apply_write_files},
	{"write-seconds", 'G', "S",
	 "begin another file every S seconds; FILE is a strftime() format",
	 .apply = apply_write_seconds},
	{"ring", 0, "DIR,max=SIZE",
	 "keep the newest packets in DIR, for weir slice; the oldest go beyond SIZE",
	 .apply = apply_ring},
	{"run", 0, "N|TIME",
	 "weir slice: the start of weir whose packet numbers are meant (default: the newest)",
	 .apply = apply_of_run, .line_only = true},
	{"numeric", 'n', NULL, "for users of tcpdump: names are never looked up",
	 .apply = apply_numeric},
	{"output", 'o', "KIND[:TARGET]", "add a sink; repeat for more (default text:-)",
	 .apply = apply_output},
	{"json", 0, NULL, "the same as -o json:-", .apply = apply_json},
	{"jobs", 'j', "N", "workers (default: one per core); the output is the same whatever N is",
	 .apply = apply_workers},
	{"memory", 0, "SIZE", "hard budget for what traffic can grow (default 512M)",
	 .apply = apply_memory},
	{"checksums", 'k', "POLICY",
	 "auto, none or all: which checksums reject a segment (default auto)",
	 .apply = apply_checksums, .words = CHECKSUM_WORDS},
	{"bodies", 0, "WHAT",
	 "size, hash or keep: what is done with bodies and rows (default size)",
	 .apply = apply_bodies, .words = BODIES_WORDS},
	{"body-limit", 0, "SIZE", "bytes kept of a body (default 64K)", .apply = apply_body_limit},
	{"redact", 0, "MODE", "default, off or strict: mask secrets before any record sink",
	 .apply = apply_redact, .words = REDACT_WORDS},
	{"redact-key", 0, "FILE",
	 "give masks a fingerprint keyed by this file, so that equal secrets can be told",
	 .apply = apply_redact_key},
	{"route", 0, "TEMPLATE",
	 "http.route of paths that fit, such as /users/{id}; repeat for more, the first holds",
	 .apply = apply_route},
	{"vlan", 0, "WHAT", "ignore, or key: the VLAN id is part of a flow's key (default ignore)",
	 .apply = apply_vlan, .words = VLAN_WORDS},
	{"overlap", 0, "[NET=]POLICY",
	 "whose bytes hold: first, last, bsd, linux, windows, solaris (default first)",
	 .apply = apply_overlap, .words = OVERLAP_WORDS},
	{"deliver", 0, "WHEN", "contiguous, or acked: not before they were acknowledged",
	 .apply = apply_deliver, .words = DELIVER_WORDS},
	{"strict", 0, NULL, "exit 4 if anything was lost: drops, gaps, evictions, cut input",
	 .apply = apply_strict},
	{"summary", 0, "FORM", "text, json or none: the closing summary on stderr (default text)",
	 .apply = apply_summary, .words = SUMMARY_WORDS},
	{"progress", 0, "FORM",
	 "auto, plain, json or none: progress on stderr (default auto: on a terminal)",
	 .apply = apply_progress, .words = PROGRESS_WORDS},
	{"no-sandbox", 0, NULL, "keep all rights while packets are parsed (for troubleshooting)",
	 .apply = apply_no_sandbox},
	{"color", 0, "WHEN", "auto, always or never (default auto; NO_COLOR is honoured)",
	 .apply = apply_color, .words = COLOR_WORDS},
	{"ascii", 0, NULL, "no line-drawing or other non-ASCII signs in text",
	 .apply = apply_ascii},
	{"batch", 0, "N", "packets handled at a time (default 1024); changes no output",
	 .apply = apply_batch},
	{"parsers", 0, "NAME,...", "only these parsers (default: all; see -V)",
	 .apply = apply_parsers},
	{"config", 0, "FILE",
	 "read options from a file instead of weir.conf; repeatable; none: no file",
	 .apply = apply_nothing, .line_only = true},
	{"set", 0, "KEY=VALUE", "set an option, a timeout or a limit: see weir.conf(5)",
	 .apply = apply_nothing, .line_only = true},
	{"completions", 0, "SHELL", "print the completions of bash, zsh or fish",
	 .apply = apply_completions, .words = SHELL_WORDS, .line_only = true},
	{"quiet", 'q', NULL, "no summary", .apply = apply_quiet},
	{"verbose", 'v', NULL, "headers; twice: bodies too", .apply = apply_verbose},
	{"version", 'V', NULL, "version, parsers and sinks", .apply = apply_version,
	 .line_only = true},
	{"help", 'h', NULL, "this text", .apply = apply_help, .line_only = true},
};

enum { NOPTIONS = sizeof(table) / sizeof(table[0]) };

_Static_assert((size_t)NOPTIONS <= OPTIONS_MAX_TABLE, "getopt's tables have room for them");

const struct option_def *options_table(size_t *ret_n)
{
	*ret_n = NOPTIONS;
	return table;
}
