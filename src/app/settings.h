/* SPDX-License-Identifier: Apache-2.0 */
/* Timeouts and limits that have a key in files and with --set but no option of their own. */
#ifndef APP_SETTINGS_H
#define APP_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "weir/config.h"

enum setting_kind { SETTING_DURATION, SETTING_SIZE, SETTING_COUNT };

struct setting {
	const char *key;
	enum setting_kind kind;
	size_t offset; /* in struct weir_config */
	size_t width;  /* of that member, bytes */
	uint64_t min, max;
	const char *doc;
};

/** The table. */
const struct setting *settings_table(size_t *ret_n);

/**
 * Set one from text.
 * @param ret_fix NULL, or what would have been right
 * @return 0 (also with *ret_fix), or WEIR_ENOTFOUND
 */
int settings_set(struct weir_config *config, const char *key, const char *value,
		 const char **ret_fix);

#endif
