/* SPDX-License-Identifier: Apache-2.0 */
/* The table of sinks, generated from sinks.def, and the taking apart of -o arguments. */
#include "sink/sink.h"

#include "weir/error.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define SINK(x) extern const struct weir_sink_type sink_##x;
#include "sink/sinks.def"
#undef SINK

static const struct weir_sink_type *const sinks[] = {
#define SINK(x) &sink_##x,
#include "sink/sinks.def"
#undef SINK
	NULL,
};

const struct weir_sink_type *const *sink_list(void)
{
	return sinks;
}

const struct weir_sink_type *sink_find(const char *name)
{
	size_t i;

	for (i = 0; sinks[i] != NULL; i++) {
		if (strcmp(sinks[i]->name, name) == 0) {
			return sinks[i];
		}
	}
	return NULL;
}

/* Does `key=` begin here? Its length without the sign, or 0. */
static size_t key_len(const char *text)
{
	size_t n = 0;

	while (islower((unsigned char)text[n]) || text[n] == '_' || text[n] == '-' ||
	       (n > 0 && isdigit((unsigned char)text[n]))) {
		n++;
	}
	return text[n] == '=' ? n : 0;
}

/* The next comma that an option follows; NULL: none. */
static char *next_option(char *text)
{
	char *comma = strchr(text, ',');

	while (comma != NULL && key_len(comma + 1) == 0) {
		comma = strchr(comma + 1, ',');
	}
	return comma;
}

int sink_parse(const char *text, struct sink_spec *ret, const char **ret_message)
{
	struct sink_spec spec = {.target = ""};
	char *at, *comma, *colon;
	size_t n = 0;

	spec.text = strdup(text);
	if (spec.text == NULL) {
		return WEIR_ENOMEM;
	}
	comma = next_option(spec.text);
	if (comma != NULL) {
		*comma = '\0';
	}
	colon = strchr(spec.text, ':');
	if (colon != NULL) {
		*colon = '\0';
		spec.target = colon + 1;
	}
	spec.type = sink_find(spec.text);
	if (spec.type == NULL) {
		free(spec.text);
		*ret_message = "no such sink";
		return WEIR_ENOTFOUND;
	}
	while (comma != NULL) {
		if (n == SINK_MAX_OPTIONS) {
			free(spec.text);
			*ret_message = "too many options";
			return WEIR_EINVAL;
		}
		at = comma + 1;
		comma = next_option(at);
		if (comma != NULL) {
			*comma = '\0';
		}
		spec.keys[n] = at;
		at += key_len(at);
		*at = '\0';
		spec.values[n] = at + 1;
		n++;
	}
	*ret = spec;
	return 0;
}

void sink_spec_fini(struct sink_spec *spec)
{
	free(spec->text);
	memset(spec, 0, sizeof(*spec));
}

const char *sink_option(const struct weir_sink_config *config, const char *key)
{
	size_t i;

	for (i = 0; config->keys != NULL && config->keys[i] != NULL; i++) {
		if (strcmp(config->keys[i], key) == 0) {
			return config->values[i];
		}
	}
	return NULL;
}

const char *sink_unknown_option(const struct weir_sink_config *config, const char *const *known)
{
	size_t i, k;

	for (i = 0; config->keys != NULL && config->keys[i] != NULL; i++) {
		for (k = 0; known[k] != NULL && strcmp(known[k], config->keys[i]) != 0; k++) {
		}
		if (known[k] == NULL) {
			return config->keys[i];
		}
	}
	return NULL;
}
