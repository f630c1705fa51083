/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for people: three significant digits at most, a unit, never more than seven characters where it can be had. */
#ifndef SINK_HUMAN_H
#define SINK_HUMAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/strbuf.h"

enum { HUMAN_LEN = 32 }; /* room for any of the texts, terminated */

/** "412 ns", "6.2 ms", "21 ms", "1.87 s", "4:07 min", "3:20 h", "12 d"; plain: us for µs. Negative times have a minus sign. */
void human_duration(int64_t ns, bool plain, char *ret_text);
/** "62 B", "4.1 kB", "38.4 kB", "1.90 GB": powers of 1,000. */
void human_size(uint64_t bytes, char *ret_text);
/** "14 802 113" */
void human_count(uint64_t n, char *ret_text);
/** "2.35 M", "412 k", "99": for rates. */
void human_rate(double n, char *ret_text);

#endif
