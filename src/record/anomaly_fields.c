/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of type `anomaly`. */
#include "record/anomaly_fields.h"

static const struct weir_field fields[] = {
	{"anomaly.code", WEIR_KIND_STR, 0, "what it is, e.g. http.cl_te_both"},
	{"anomaly.severity", WEIR_KIND_STR, 0, "info, low, medium or high"},
	{"anomaly.direction", WEIR_KIND_STR, 0, "c2s or s2c"},
	{"anomaly.offset", WEIR_KIND_U64, 0, "offset in that direction's stream"},
	{"anomaly.packet", WEIR_KIND_U64, 0, "packet that showed it, counted from 1 in its input"},
	{"anomaly.evidence", WEIR_KIND_STR, WEIR_FIELD_EVIDENCE,
	 "the bytes in question (of two copies, the one that lost), or a note"},
	{"anomaly.kept", WEIR_KIND_STR, WEIR_FIELD_EVIDENCE,
	 "of two copies that differ, the one that is in the stream"},
};

_Static_assert(sizeof(fields) / sizeof(fields[0]) == ANOMALY_F_END - WEIR_NCOMMON,
	       "enum record_anomaly_field names every field of the table");

const struct weir_schema record_anomaly_schema = {"anomaly", fields,
						  sizeof(fields) / sizeof(fields[0])};
