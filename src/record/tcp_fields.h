/* SPDX-License-Identifier: Apache-2.0 */
/* The record types that the engine itself makes: `tcp`, one per flow when it ends, and `anomaly`. */
#ifndef RECORD_TCP_FIELDS_H
#define RECORD_TCP_FIELDS_H

#include "weir/record.h"

/* Figures of one direction, in this order for c2s and then for s2c. */
enum record_tcp_dir_field {
	TCP_DIR_PACKETS,
	TCP_DIR_BYTES, /* captured payload: delivered + duplicate + overlap + rejected */
	TCP_DIR_DELIVERED,
	TCP_DIR_DUPLICATE,
	TCP_DIR_OVERLAP,
	TCP_DIR_REJECTED,
	TCP_DIR_GAP_BYTES,
	TCP_DIR_GAPS,
	TCP_DIR_RETRANSMITS,
	TCP_DIR_OUT_OF_ORDER,
	TCP_DIR_DUPLICATE_ACKS,
	TCP_DIR_ZERO_WINDOWS,
	TCP_DIR_RTT,
	TCP_DIR_FLAGS,
	TCP_NDIR_FIELDS
};

enum record_tcp_field {
	TCP_F_STATE = WEIR_NCOMMON,
	TCP_F_PHASE,
	TCP_F_HANDSHAKE,
	TCP_F_HANDSHAKE_NS,
	TCP_F_C2S, /* TCP_F_C2S + enum record_tcp_dir_field */
	TCP_F_S2C = TCP_F_C2S + TCP_NDIR_FIELDS,
	TCP_F_GAP_CAUSES = TCP_F_S2C + TCP_NDIR_FIELDS,
	TCP_F_REJECT_CAUSES,
	TCP_F_END
};

/** Index of a direction's figure. */
static inline size_t record_tcp_field(enum weir_direction dir, enum record_tcp_dir_field figure)
{
	return (dir == WEIR_C2S ? TCP_F_C2S : TCP_F_S2C) + (size_t)figure;
}

extern const struct weir_schema record_tcp_schema;

#endif
