/* SPDX-License-Identifier: Apache-2.0 */
/* How many records name each anomaly: among them are the limits that bit. At most SUMMARY_CODES codes; there are fewer. */
#ifndef APP_SUMMARY_CODES_H
#define APP_SUMMARY_CODES_H

#include "weir/record.h"

enum { SUMMARY_CODES = 192, SUMMARY_CODE_LEN = 48 };

struct summary_codes {
	struct summary_code {
		char code[SUMMARY_CODE_LEN];
		uint64_t n;
	} codes[SUMMARY_CODES];
	size_t n;
};

/** The codes that a record names (WEIR_F_ANOMALIES). */
void summary_codes_count(struct summary_codes *codes, const struct weir_record *rec);
void summary_codes_merge(struct summary_codes *into, const struct summary_codes *from);
/** By code: the same whatever was merged first. */
void summary_codes_sort(struct summary_codes *codes);

#endif
