/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a flow is to parsers and sinks: its addresses, its id, and figures about it.
 */
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "export.h"
#include "stream.h"

#ifdef __cplusplus
extern "C" {
#endif

struct weir_endpoint {
	uint8_t address[16]; /* network order; IPv4 in the first 4 bytes */
	uint16_t port;       /* host order */
};

#define WEIR_ID_LEN                                                                                \
	26 /* Crockford base 32 (a ULID): time of the first packet in ms, then 80 bits of hash */

/*
 * A read-only view of a flow. Valid while the callback that was given it runs.
 * `client` and `server` are settled before the first byte is delivered.
 */
struct weir_flow_info {
	struct weir_endpoint client;
	struct weir_endpoint server;
	uint8_t ip_version;    /* 4 or 6 */
	uint8_t has_vlan;      /* vlan_id is valid */
	uint16_t vlan_id;      /* of the first packet that had a tag (outermost) */
	uint16_t interface;    /* of the first packet */
	uint16_t input;        /* of the first packet */
	uint32_t tunnel_id;    /* VNI, TEID, GRE key; 0 without a tunnel */
	uint64_t first_packet; /* counted from 1 over the whole run; unique to the flow */
	int64_t first_ts_ns;
	uint64_t hash; /* of tuple and first packet: stable across runs and worker counts */
};

/* Bytes of one direction, by what became of them (CONTRACT.md §5):
 * captured = delivered + duplicate + overlap + rejected[all] + pending. */
enum weir_reject {
	WEIR_REJECT_CHECKSUM,  /* "checksum": bad, and a good one was seen in that direction */
	WEIR_REJECT_NO_ACK,    /* "no_ack": no ACK flag in an established flow */
	WEIR_REJECT_PAWS,      /* "paws": older timestamp than one seen */
	WEIR_REJECT_WINDOW,    /* "window": outside the receive window */
	WEIR_REJECT_AFTER_FIN, /* "after_fin": beyond the end of the stream */
	WEIR_REJECT_RST,       /* "rst": payload of a RST segment */
	WEIR_REJECT_SYN,       /* "syn": payload of a SYN that was not taken, or a spoofed SYN */
	WEIR_REJECT_BUDGET,    /* "budget": waiting bytes given up for memory, or flow refused */
	WEIR_REJECT_CLOSED,    /* "closed": the flow had been closed or reset */
	WEIR_REJECT_NCAUSES
};

struct weir_ledger {
	uint64_t captured;
	uint64_t delivered;
	uint64_t duplicate;
	uint64_t overlap;
	uint64_t rejected[WEIR_REJECT_NCAUSES];
	uint64_t pending;
	uint64_t gap_bytes;
	uint64_t gaps;
};

WEIR_API const char *weir_gap_cause_name(enum weir_gap_cause cause);
WEIR_API const char *weir_reject_name(enum weir_reject cause);
WEIR_API const char *weir_close_name(enum weir_close how);

/**
 * Write the textual id of a flow, or of its n-th record.
 * @param flow   the flow
 * @param ts_ns  time that the id sorts by (the flow's, or the record's first byte's)
 * @param n      0 for the flow itself, 1.. for its records in order of their beginning
 * @param ret_id WEIR_ID_LEN bytes, not terminated
 */
WEIR_API void weir_flow_id(const struct weir_flow_info *flow, int64_t ts_ns, uint64_t n,
			   char *ret_id);

#ifdef __cplusplus
}
#endif
#endif
