/* SPDX-License-Identifier: Apache-2.0 */
/* Flags that signals set: see signals.h. They are looked at without a lock, by whichever thread reads: nothing but what is atomic. */
#include "app/signals.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

static volatile sig_atomic_t stop; /* by __atomic builtins: others have a pointer to it */
static volatile sig_atomic_t wake =
	-1; /* an eventfd: ends waiting for packets. Set before there are threads */
static atomic_bool asked_summary;
static atomic_bool asked_reopen;

_Static_assert(ATOMIC_BOOL_LOCK_FREE == 2, "signal handlers set them");

void signals_wake(void)
{
	static const uint64_t one = 1;
	int saved = errno;

	if (wake >= 0 && write(wake, &one, sizeof(one)) < 0) {
		/* it is readable already, then */
	}
	errno = saved;
}

static void on_signal(int number)
{
	if (number == SIGUSR1) {
		atomic_store(&asked_summary, true);
	} else if (number == SIGHUP) {
		atomic_store(&asked_reopen, true);
	} else {
		__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	}
	signals_wake();
}

void signals_catch(void)
{
	struct sigaction action;

	wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	action.sa_flags = SA_RESTART; /* a FIFO may be waited for when it is opened */
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	/* the second one finds the default action, and ends the process at once */
	action.sa_flags = (int)SA_RESETHAND;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	action.sa_flags = 0;
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
}

const volatile sig_atomic_t *signals_stop(void)
{
	return &stop;
}

void signals_ask_to_stop(void)
{
	if (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
		signals_wake();
	}
}

int signals_wake_fd(void)
{
	return wake;
}

bool signals_take_summary(void)
{
	return atomic_exchange(&asked_summary, false);
}

bool signals_take_reopen(void)
{
	return atomic_exchange(&asked_reopen, false);
}
