/* SPDX-License-Identifier: Apache-2.0 */
/* What shells complete, made from the table of options. */
#ifndef APP_COMPLETIONS_H
#define APP_COMPLETIONS_H

#include "base/strbuf.h"

/** Append the script for "bash", "zsh" or "fish". */
void completions_write(const char *shell, struct strbuf *out);

#endif
