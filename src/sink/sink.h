/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks there are, and what a user writes to have one: KIND[:TARGET][,key=value...] */
#ifndef SINK_SINK_H
#define SINK_SINK_H

#include "weir/sink.h"

/** By name, or NULL. */
const struct weir_sink_type *sink_find(const char *name);

/** All of them, in order of sinks.def; NULL-terminated. */
const struct weir_sink_type *const *sink_list(void);

enum { SINK_MAX_OPTIONS = 32 };

/* What was written, taken apart. Strings live as long as the spec. */
struct sink_spec {
	const struct weir_sink_type *type;
	const char *target;                       /* "" when none was given */
	const char *keys[SINK_MAX_OPTIONS + 1];   /* NULL-terminated */
	const char *values[SINK_MAX_OPTIONS + 1]; /* of the same length */
	char *text;                               /* owned */
};

/**
 * Take a specification apart. A comma begins an option only when `key=` follows it, so that file names and URLs may
 * hold commas.
 *
 * @param ret_message on WEIR_EINVAL or WEIR_ENOTFOUND (no such kind): a static text that says why
 * @return 0, WEIR_EINVAL, WEIR_ENOTFOUND, WEIR_ENOMEM
 */
int sink_parse(const char *text, struct sink_spec *ret, const char **ret_message);
void sink_spec_fini(struct sink_spec *spec);

/** The value of an option, or NULL. */
const char *sink_option(const struct weir_sink_config *config, const char *key);

/** The first option whose key is not in the NULL-terminated list, or NULL: for messages of open(). */
const char *sink_unknown_option(const struct weir_sink_config *config, const char *const *known);

#endif
