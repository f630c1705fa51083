/* SPDX-License-Identifier: Apache-2.0 */
/* The values of --overlap: whose bytes hold when segments overlap, for all hosts or for those of a subnet. */
#ifndef APP_OVERLAP_H
#define APP_OVERLAP_H

#include <stdbool.h>

#include "weir/config.h"

#define OVERLAP_WORDS "first last bsd linux windows solaris"

enum { OVERLAP_MAX_RULES = 64 };

/* What --overlap gave so far. */
struct overlap {
	enum weir_overlap_policy policy; /* of hosts that no rule names */
	struct weir_overlap_rule rules[OVERLAP_MAX_RULES];
	size_t nrules;
};

/**
 * Take POLICY or SUBNET=POLICY, several with commas between; SUBNET is an address with or without /BITS.
 * @return NULL, or what it takes
 */
const char *overlap_add(struct overlap *overlap, const char *value);

#endif
