/* SPDX-License-Identifier: Apache-2.0 */
/* Community ID v1: the identity of a flow that Zeek, Suricata and Wireshark compute in the same way. */
#ifndef RECORD_COMMUNITY_H
#define RECORD_COMMUNITY_H

#include "base/budget.h"
#include "weir/flow.h"

enum { RECORD_COMMUNITY_LEN = 30 }; /* "1:" and 28 characters of base 64 */

/* Keeps the library's handles, whose look-up costs more than the hash itself. One thread. */
struct record_community;

/** @return 0 or WEIR_ENOMEM (also when libcrypto has no SHA-1). The budget outlives it; libcrypto's handles are its own */
int record_community_new(struct budget *budget, struct record_community **ret);
void record_community_free(struct record_community *community);

/**
 * Of a TCP flow, seed 0; the tunnel does not enter.
 * @param ret_id RECORD_COMMUNITY_LEN bytes, not terminated
 * @return 0, or WEIR_ENOMEM when libcrypto failed
 */
int record_community_id(struct record_community *community, const struct weir_flow_info *flow,
			char *ret_id);

#endif
