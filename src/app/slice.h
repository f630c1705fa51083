/* SPDX-License-Identifier: Apache-2.0 */
/*
 * weir slice DIR|FILE FIRST[-LAST] -w FILE: packets by their numbers, as records have them (packet.first, packet.last), out of
 * what --ring keeps or out of a capture file. Packets as they were captured: nothing is masked.
 */
#ifndef APP_SLICE_H
#define APP_SLICE_H

#include "app/options.h"

/** options->words: where from, the numbers, words of a filter. @return exit status */
int slice_run(const struct options *options);

/** --run: a number (*ret_run; *ret_begin_ns is 0), or a time in RFC 3339. false: neither */
bool slice_read_run(const char *text, uint32_t *ret_run, int64_t *ret_begin_ns);

#endif
