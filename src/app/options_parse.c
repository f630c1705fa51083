/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the command line, --set and lines of files by the table of options: see options.h. */
#include "app/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/config.h"
#include "app/rings.h"
#include "app/settings.h"
#include "app/units.h"
#include "base/time.h"
#include "weir/error.h"

/* How often a line says where a live capture stands (-v). */
#define TICKER_NS     (60 * NS_PER_S)
#define TICKER_MIN_NS (100 * NS_PER_MS)

/* What a ring's flows have, at least. */
enum { FANOUT_MEMORY = 16 << 20 };

void options_help(void)
{
	size_t noptions, i;
	const struct option_def *table = options_table(&noptions);

	printf("usage: weir -r FILE [options] [filter words]\n"
	       "       weir -i IFACE [options] [filter words]\n"
	       "       weir stats REPORT,... FILE...\n"
	       "       weir query STORE SQL\n"
	       "       weir slice DIR|FILE FIRST[-LAST] -w FILE [filter words]\n"
	       "       weir ifaces | doctor\n\n"
	       "Reads or captures packets, puts TCP streams back together, and tells the "
	       "transactions\nin them: HTTP, TLS, MySQL, PostgreSQL, Redis, DNS over TCP, SMTP.\n"
	       "The filter is one of pcap-filter(7), such as: tcp port 80. ifaces lists what can "
	       "be "
	       "captured from;\ndoctor says what is missing here, and the command that grants "
	       "it.\n\n");
	for (i = 0; i < noptions; i++) {
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

/* A copy that lives as long as the options. */
static char *keep(struct options *options, const char *text)
{
	char **grown = reallocarray(options->owned, options->nowned + 1, sizeof(*grown));
	char *copy = strdup(text);

	if (grown != NULL) {
		options->owned = grown;
	}
	if (grown == NULL || copy == NULL) {
		free(copy);
		return NULL;
	}
	options->owned[options->nowned++] = copy;
	return copy;
}

static const struct option_def *find_name(const char *name)
{
	size_t noptions, i;
	const struct option_def *table = options_table(&noptions);

	for (i = 0; i < noptions; i++) {
		if (strcmp(table[i].name, name) == 0) {
			return &table[i];
		}
	}
	return NULL;
}

static const char *set_filter(struct options *options, const char *value)
{
	options_begin_filter(options);
	free(options->filter);
	options->filter = strdup(value);
	return options->filter == NULL ? "less memory than there is" : NULL;
}

static const char *set_ticker(struct options *options, const char *value)
{
	return units_duration(value, &options->ticker_ns) && options->ticker_ns >= TICKER_MIN_NS
		       ? NULL
		       : "a duration with its unit, from 100ms up";
}

int options_set(struct options *options, const char *key, const char *value, char *ret_message,
		size_t size)
{
	const struct option_def *def = find_name(key);
	char *copy = keep(options, value);
	const char *fix;

	if (copy == NULL) {
		(void)snprintf(ret_message, size, "out of memory");
		return WEIR_ENOMEM;
	}
	if (def != NULL && def->line_only) {
		(void)snprintf(ret_message, size,
			       "--%s is for the command line only\n  Leave it out here.", key);
		return WEIR_EINVAL;
	}
	if (strcmp(key, "filter") == 0) {
		fix = set_filter(options, copy);
	} else if (strcmp(key, "ticker") == 0) {
		fix = set_ticker(options, copy);
	} else if (def != NULL) {
		fix = def->apply(options, copy);
	} else {
		int err = settings_set(&options->config, key, copy, &fix);

		if (err == WEIR_ENOTFOUND) {
			(void)snprintf(ret_message, size,
				       "there is no option \"%.64s\"\n  See: man weir.conf", key);
			return err;
		}
	}
	if (fix != NULL) {
		(void)snprintf(ret_message, size, "%s cannot be \"%.256s\"\n  It takes %s.", key,
			       copy, fix);
		return WEIR_EINVAL;
	}
	return 0;
}

/* getopt's tables, made from ours. */
static void make_tables(char *letters, struct option *longs)
{
	size_t noptions, i;
	const struct option_def *table = options_table(&noptions);
	char *at = letters;

	*at++ = ':';
	for (i = 0; i < noptions; i++) {
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
	memset(&longs[noptions], 0, sizeof(longs[noptions]));
}

static const struct option_def *find(int got)
{
	size_t noptions, i;
	const struct option_def *table = options_table(&noptions);

	if (got >= 256) {
		return &table[got - 256];
	}
	for (i = 0; i < noptions; i++) {
		if (table[i].letter == got) {
			return &table[i];
		}
	}
	return NULL;
}

static bool is_command(const char *text)
{
	static const char *const commands[] = {"ifaces", "doctor", "query", "stats", "slice"};
	size_t i;

	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(text, commands[i]) == 0) {
			return true;
		}
	}
	return false;
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
	options_begin_filter(options);
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

/* How many sinks write to standard output. */
static size_t stdout_sinks(const struct options *options)
{
	size_t n = options->noutputs == 0 ? 1 : 0, i;

	for (i = 0; i < options->noutputs; i++) {
		const char *colon = strchr(options->outputs[i], ':');

		/* text, json, json:-, json:,key=value; `none` writes nothing */
		if (strcmp(options->outputs[i], "none") != 0 &&
		    (colon == NULL || colon[1] == '\0' || strcmp(colon, ":-") == 0 ||
		     strncmp(colon, ":-,", 3) == 0)) {
			n++;
		}
	}
	return n;
}

/* An interface whose packets would come twice. NULL: none */
static const char *twice(const struct options *options)
{
	size_t i, k;

	for (i = 0; i < options->ninterfaces; i++) {
		if (options->ninterfaces > 1 && strcmp(options->interfaces[i], "any") == 0) {
			return "-i any covers the other interfaces: their packets would come "
			       "twice\n"
			       "  Leave one or the other out.";
		}
		for (k = 0; k < i; k++) {
			if (strcmp(options->interfaces[i], options->interfaces[k]) == 0) {
				return "an interface is named twice: its packets would come twice\n"
				       "  Leave one -i out.";
			}
		}
	}
	return NULL;
}

/* Is there a sink of this kind? */
static bool has_sink(const struct options *options, const char *kind)
{
	size_t i;

	for (i = 0; i < options->noutputs; i++) {
		size_t len = strcspn(options->outputs[i], ":,");

		if (len == strlen(kind) && memcmp(options->outputs[i], kind, len) == 0) {
			return true;
		}
	}
	return false;
}

/* What each option allows and together makes no sense. */
static int check(struct options *options)
{
	const char *problem = twice(options);

	if (options->write != NULL && strcmp(options->write, "-") == 0) {
		if (options->noutputs == 0) {
			options->outputs[options->noutputs++] = "none";
		}
		if (stdout_sinks(options) > 0) {
			problem = "-w - and records would both go to standard output\n"
				  "  Give the records a file: -o json:FILE.";
		}
	}
	if (problem == NULL && stdout_sinks(options) > 1) {
		problem = "two sinks would write to standard output at once\n"
			  "  Give one of them a file: -o json:FILE.";
	}
	if (options->ninputs > 0 && options->ninterfaces > 0) {
		problem = "-r and -i exclude each other\n  Read files or capture, one at a time.";
	} else if (options->write == NULL && options->rotate_level == OPTIONS_LEVEL_LINE &&
		   (options->write_size > 0 || options->write_s > 0 || options->write_files > 0)) {
		problem = "-C, -W and -G are about the files of -w\n  Add -w FILE.";
	} else if (options->write_files > 0 && options->write_size == 0 && options->write_s == 0) {
		problem = "-W needs -C or -G\n  -C SIZE or -G SECONDS says when a new file begins.";
	} else if (options->write != NULL && strcmp(options->write, "-") == 0 &&
		   (options->write_size > 0 || options->write_s > 0)) {
		problem = "standard output cannot be rotated\n  Give -w a file name.";
	} else if (options->ring[0] != '\0' && options->ninputs > 1) {
		problem = "--ring keeps the packets of one input: numbers begin again with each\n"
			  "  Read one file, or leave --ring out: files can be sliced themselves.";
	} else if (options->fanout && options->workers > 0 &&
		   options->config.memory / options->workers < FANOUT_MEMORY) {
		problem = "--fanout divides --memory among the rings: 16M each is the least\n"
			  "  Give it more memory, or fewer rings (-j).";
	} else if (rings_memory(options) > options->config.memory / 4) {
		problem = "so many interfaces need more memory: 4M each is the least, with "
			  "--fanout for each "
			  "worker\n"
			  "  Give it more with --memory, or capture on `any`.";
	} else if (has_sink(options, "files") && options->config.bodies == WEIR_BODIES_SIZE) {
		problem = "files writes bodies, which --bodies=size does not look at\n"
			  "  Leave --bodies out, or say hash or keep.";
	} else if (options->filter != NULL && options->filter_file != NULL) {
		problem = "the filter is in -F or in words, not both\n  Leave one of them out.";
	}
	if (problem != NULL) {
		fprintf(stderr, "weir: error: %s\n", problem);
		return WEIR_EINVAL;
	}
	return 0;
}

/* One walk over the command line: what each option is, in order. */
static int walk(struct options *options, int argc, char **argv,
		int (*visit)(struct options *options, const struct option_def *def,
			     const char *value))
{
	char letters[2 * OPTIONS_MAX_TABLE + 2];
	struct option longs[OPTIONS_MAX_TABLE + 1];
	int got;

	make_tables(letters, longs);
	opterr = 0;
	optind = 0; /* glibc: from the start */
	while ((got = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		const struct option_def *def = got == '?' || got == ':' ? NULL : find(got);

		if (def == NULL) {
			fprintf(stderr, "weir: error: %s %s\n  See: weir --help\n",
				got == ':' ? "a value is missing after" : "there is no option",
				argv[optind - 1]);
			return WEIR_EINVAL;
		}
		if (visit(options, def, optarg) < 0) {
			return WEIR_EINVAL;
		}
	}
	return 0;
}

/* The first walk: files named by --config, each a level of its own. */
static int visit_config(struct options *options, const struct option_def *def, const char *value)
{
	if (strcmp(def->name, "config") != 0) {
		return 0;
	}
	options->config_named = true;
	return strcmp(value, "none") == 0 ? 0 : config_load(options, value, true);
}

/* The second one: --set. */
static int visit_set(struct options *options, const struct option_def *def, const char *value)
{
	char message[512], key[64];
	const char *sign;

	if (strcmp(def->name, "set") != 0) {
		return 0;
	}
	sign = strchr(value, '=');
	if (sign == NULL || sign == value || (size_t)(sign - value) >= sizeof(key)) {
		fprintf(stderr,
			"weir: error: --set %s\n  It takes KEY=VALUE, such as hole.age=5s.\n",
			value);
		return WEIR_EINVAL;
	}
	memcpy(key, value, (size_t)(sign - value));
	key[sign - value] = '\0';
	if (options_set(options, key, sign + 1, message, sizeof(message)) < 0) {
		fprintf(stderr, "weir: error: --set: %s\n", message);
		return WEIR_EINVAL;
	}
	return 0;
}

/* Files, then --set, then the command line: what comes later holds. */
static int read_levels(struct options *options, int argc, char **argv)
{
	int err = walk(options, argc, argv, visit_config);

	if (err == 0 && !options->config_named) {
		err = config_load_defaults(options);
	}
	options->level = OPTIONS_LEVEL_SET;
	if (err == 0) {
		err = walk(options, argc, argv, visit_set);
	}
	options->level = OPTIONS_LEVEL_LINE;
	return err < 0 ? err : walk(options, argc, argv, apply);
}

int options_parse(struct options *options, int argc, char **argv)
{
	int err;

	memset(options, 0, sizeof(*options));
	weir_config_init(&options->config);
	options->batch = 1024;
	options->ticker_ns = TICKER_NS;
	err = read_levels(options, argc, argv);
	if (err < 0) {
		return err;
	}
	if (options->verbose >= 2 && options->bodies_level < options->verbose_level) {
		options->config.bodies = WEIR_BODIES_KEEP; /* to be shown */
	}
	if ((has_sink(options, "files") || has_sink(options, "har") ||
	     has_sink(options, "sqlite")) &&
	    options->bodies_level < options->output_level) {
		options->config.bodies = WEIR_BODIES_KEEP; /* to be written */
	}
	if (optind < argc && options->source_level != OPTIONS_LEVEL_LINE &&
	    is_command(argv[optind])) {
		options->command = argv[optind];
		options->words = argv + optind + 1;
		options->nwords = (size_t)(argc - optind - 1);
		return 0;
	}
	return join_filter(options, argc - optind, argv + optind) < 0 ? WEIR_ENOMEM
								      : check(options);
}

void options_fini(struct options *options)
{
	free(options->filter);
	options->filter = NULL;
	while (options->nowned > 0) {
		free(options->owned[--options->nowned]);
	}
	free(options->owned);
	options->owned = NULL;
}
