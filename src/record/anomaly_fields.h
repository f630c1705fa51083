/* SPDX-License-Identifier: Apache-2.0 */
/* The record type `anomaly`: something odd on the wire, with the flow it was seen in. */
#ifndef RECORD_ANOMALY_FIELDS_H
#define RECORD_ANOMALY_FIELDS_H

#include "weir/record.h"

enum record_anomaly_field {
	ANOMALY_F_CODE = WEIR_NCOMMON,
	ANOMALY_F_SEVERITY,
	ANOMALY_F_DIRECTION,
	ANOMALY_F_OFFSET,
	ANOMALY_F_PACKET,
	ANOMALY_F_EVIDENCE,
	ANOMALY_F_KEPT,
	ANOMALY_F_END
};

extern const struct weir_schema record_anomaly_schema;

#endif
