/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of the system, for what waits: nothing that is told of packets comes from here. */
#ifndef CAPTURE_CLOCK_H
#define CAPTURE_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "base/time.h"

/** Nanoseconds of a clock: CLOCK_MONOTONIC for intervals, CLOCK_REALTIME for what is compared with packets' times. */
static inline int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * NS_PER_S + now.tv_nsec;
}

#endif
