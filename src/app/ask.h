/* SPDX-License-Identifier: Apache-2.0 */
/* weir query STORE SQL: one question in SQL, read-only, also while the store is being written. */
#ifndef APP_ASK_H
#define APP_ASK_H

#include "app/options.h"

/** options->words: the store and the question. @return exit status */
int ask_run(const struct options *options);

/** Why a store could not be opened, on stderr: the problem in its own words, and errno for WEIR_EIO. */
void ask_complain(const char *path, const char *problem, int err);

#endif
