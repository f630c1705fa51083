/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run, from opening to the summary. The order is what matters:
 *   the filter is compiled, inputs and interfaces are opened, then outputs; rights are dropped (privs.h); only then is the
 *   first byte of an input looked at.
 *
 * Signals: SIGINT and SIGTERM end the run with what was captured (a second one at once); SIGUSR1 asks for the summary so far;
 * SIGHUP reopens the outputs.
 */
#ifndef APP_RUN_H
#define APP_RUN_H

#include "app/options.h"

/** @return exit status */
int run(const struct options *options);

#endif
