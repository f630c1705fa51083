/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration files: weir.conf(5). */
#ifndef APP_CONFIG_H
#define APP_CONFIG_H

#include "app/options.h"

/**
 * Read a file as the next level. @param must false: it need not be there
 * @return 0, or WEIR_EINVAL, WEIR_EIO, WEIR_ENOMEM: a message was printed, with file and line
 */
int config_load(struct options *options, const char *path, bool must);

/** /etc/weir/weir.conf, then $XDG_CONFIG_HOME/weir/weir.conf (~/.config when that is not set), where they are. */
int config_load_defaults(struct options *options);

#endif
