/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files, read by inih.
 *
 * A key is an option's long name, or one of the table of timeouts and limits (settings.c). Sections are optional: in
 * [timeout] the key `established` is `timeout.established` if there is such a key, else the section only groups.
 *
 * What differs from plain inih, by way of the reader that it calls for lines: blanks before a key mean nothing (inih would
 * take the line for the continuation of the value before it), and a line may be longer than the library's buffer.
 */
#include "app/config.h"

#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app/settings.h"
#include "weir/error.h"

enum { MAX_LINE = 64 * 1024, KEY_MAX = 64 };

struct reading {
	struct options *options;
	const char *path;
	FILE *file;
	int line; /* the one that inih has now */
	char *text;
	size_t size;
	char *value; /* of a line that is too long for inih's buffer: in `text`; else NULL */
	int err;
	int err_line;
	char message[512];
};

static int fail(struct reading *reading, int err)
{
	reading->err = err;
	reading->err_line = reading->line;
	return 0; /* inih's word for an error */
}

static bool is_key(const char *key)
{
	const struct option_def *options;
	const struct setting *settings;
	size_t i, n;

	options = options_table(&n);
	for (i = 0; i < n; i++) {
		if (strcmp(options[i].name, key) == 0) {
			return true;
		}
	}
	settings = settings_table(&n);
	for (i = 0; i < n; i++) {
		if (strcmp(settings[i].key, key) == 0) {
			return true;
		}
	}
	return false;
}

static int on_key(void *context, const char *section, const char *name, const char *value)
{
	struct reading *reading = context;
	char key[2 * KEY_MAX];
	int err;

	if (reading->err < 0) {
		return 0; /* inih goes on after an error; the first is told */
	}
	(void)snprintf(key, sizeof(key), "%.63s.%.63s", section, name);
	err = options_set(reading->options, section[0] != '\0' && is_key(key) ? key : name,
			  reading->value != NULL ? reading->value : value, reading->message,
			  sizeof(reading->message));
	return err < 0 ? fail(reading, err) : 1;
}

/* Take the value out of a long line: what is left for inih is a short one that it can name the key of. */
static bool shorten(struct reading *reading, char *line, char *to, size_t size)
{
	char *sign = strpbrk(line, "=:");
	char *comment;
	size_t len;

	if (sign == NULL || (size_t)(sign - line) + 3 > size) {
		return false;
	}
	(void)snprintf(to, size, "%.*s=+", (int)(sign - line), line);
	reading->value = sign + 1 + strspn(sign + 1, " \t");
	comment = reading->value;
	while ((comment = strchr(comment, ';')) != NULL &&
	       (comment == reading->value || strchr(" \t", comment[-1]) == NULL)) {
		comment++;
	}
	if (comment != NULL) {
		*comment = '\0';
	}
	len = strlen(reading->value);
	while (len > 0 && strchr(" \t", reading->value[len - 1]) != NULL) {
		reading->value[--len] = '\0';
	}
	return true;
}

/* inih's fgets(). */
static char *next_line(char *to, int size, void *context)
{
	struct reading *reading = context;
	ssize_t len;
	char *line;

	reading->value = NULL;
	len = getline(&reading->text, &reading->size, reading->file);
	if (len < 0 || reading->err < 0) {
		return NULL;
	}
	reading->line++;
	line = reading->text;
	if (reading->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0) {
		line += 3; /* byte order mark */
	}
	line += strspn(line, " \t");
	line[strcspn(line, "\r\n")] = '\0';
	if (line[0] == '#' || line[0] == ';') {
		line[0] = '\0';
	}
	if (strlen(line) < (size_t)size) {
		strcpy(to, line);
		return to;
	}
	if (len > MAX_LINE || !shorten(reading, line, to, (size_t)size)) {
		(void)snprintf(reading->message, sizeof(reading->message), "the line is too long");
		(void)fail(reading, WEIR_EINVAL);
		return NULL;
	}
	return to;
}

static int read_file(struct reading *reading)
{
	int line = ini_parse_stream(next_line, reading, on_key, reading);

	if (reading->err == 0 && ferror(reading->file)) {
		fprintf(stderr, "weir: error: cannot read %s: %s\n", reading->path,
			strerror(errno));
		return WEIR_EIO;
	}
	if (reading->err == 0 && line > 0) {
		reading->err = WEIR_EINVAL;
		reading->err_line = line;
		(void)snprintf(reading->message, sizeof(reading->message),
			       "this line is not understood\n  A line is KEY = VALUE, [SECTION] or "
			       "a comment after #.");
	} else if (reading->err == 0 && line < 0) {
		reading->err = WEIR_ENOMEM;
		(void)snprintf(reading->message, sizeof(reading->message), "out of memory");
	}
	if (reading->err < 0) {
		fprintf(stderr, "weir: error: %s:%d: %s\n", reading->path, reading->err_line,
			reading->message);
	}
	return reading->err;
}

int config_load(struct options *options, const char *path, bool must)
{
	struct reading reading = {.options = options, .path = path};
	int err;

	if (options->level + 1 >= OPTIONS_LEVEL_SET) {
		fprintf(stderr, "weir: error: too many configuration files\n");
		return WEIR_EINVAL;
	}
	options->level++;
	reading.file = fopen(path, "re");
	if (reading.file == NULL) {
		if (!must && (errno == ENOENT || errno == ENOTDIR)) {
			return 0;
		}
		if (!must && errno == EACCES) {
			fprintf(stderr, "weir: warning: cannot read %s: %s\n", path,
				strerror(errno));
			return 0;
		}
		fprintf(stderr,
			"weir: error: cannot read %s: %s\n  --config=none goes without "
			"configuration files.\n",
			path, strerror(errno));
		return WEIR_EIO;
	}
	err = read_file(&reading);
	free(reading.text);
	(void)fclose(reading.file);
	return err;
}

/* Under another user's name the environment may still name the first one's home: that file is not ours to read. */
static bool is_ours(const char *home)
{
	struct stat info;

	return stat(home, &info) == 0 && info.st_uid == geteuid();
}

int config_load_defaults(struct options *options)
{
	const char *home = getenv("XDG_CONFIG_HOME");
	const char *below = "";
	char path[4096];
	int err = config_load(options, "/etc/weir/weir.conf", false);

	if (home == NULL || home[0] != '/') { /* the specification: relative paths are ignored */
		home = getenv("HOME");
		below = "/.config";
	}
	if (err < 0 || home == NULL || home[0] != '/' || !is_ours(home)) {
		return err;
	}
	if ((size_t)snprintf(path, sizeof(path), "%s%s/weir/weir.conf", home, below) >=
	    sizeof(path)) {
		return 0;
	}
	return config_load(options, path, false);
}
