/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the process is asked by signals, of which there is one set: to stop (SIGINT, SIGTERM; a second one ends it at once), to say
 * where it stands (SIGUSR1), to open its files again (SIGHUP). A handler sets a flag and ends waiting for packets; who reads looks.
 */
#ifndef APP_SIGNALS_H
#define APP_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/** From now on. SIGPIPE is ignored. Before there are threads. */
void signals_catch(void);

/** Set when the run is to end; looked at with __atomic builtins. Lives for good. */
const volatile sig_atomic_t *signals_stop(void);
/** As by a signal, from any thread. */
void signals_ask_to_stop(void);

/** An eventfd that wakes whoever waits for packets (capture_wake_by()); -1: none */
int signals_wake_fd(void);
/** Write to it. Also from a signal handler, and from any thread. */
void signals_wake(void);

/** Was it asked for since the last call? */
bool signals_take_summary(void);
bool signals_take_reopen(void);

#endif
