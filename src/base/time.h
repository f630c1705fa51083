/* SPDX-License-Identifier: Apache-2.0 */
/* Times: int64_t nanoseconds since the epoch, UTC. No clock is read here. */
#ifndef BASE_TIME_H
#define BASE_TIME_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

enum { TIME_RFC3339_LEN = 30 }; /* 2026-11-22T14:17:29.702000000Z */

/** Write RFC 3339 with nanoseconds, UTC; TIME_RFC3339_LEN bytes, not terminated. Any int64_t is a valid time. */
void time_rfc3339(int64_t ts_ns, char *ret_text);

#endif
