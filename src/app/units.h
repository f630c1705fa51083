/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with units, as users write them: sizes (64K) and durations (300s). Whole numbers, one unit. */
#ifndef APP_UNITS_H
#define APP_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/** "65536", "64K", "64KiB"; K M G are powers of 1,024, lower case or upper. false: it is no size. */
bool units_size(const char *text, uint64_t *ret);

/** "300s", "20ms"; units ns us ms s m h; without one only "0". false: it is no duration, or too long for int64_t. */
bool units_duration(const char *text, int64_t *ret_ns);

#endif
