/* SPDX-License-Identifier: Apache-2.0 */
/* Fields of type `tcp`: how a flow went, in the terms of the byte ledger (CONTRACT.md §5). */
#include "record/tcp_fields.h"

#define DIR_FIELDS(d)                                                                              \
	{"tcp." d ".packets", WEIR_KIND_U64, 0, "packets of this direction"},                      \
		{"tcp." d ".bytes", WEIR_KIND_U64, 0, "payload bytes captured"},                   \
		{"tcp." d ".delivered", WEIR_KIND_U64, 0, "payload bytes delivered in order"},     \
		{"tcp." d ".duplicate", WEIR_KIND_U64, 0,                                          \
		 "payload bytes seen before, not known to differ"},                                \
		{"tcp." d ".overlap", WEIR_KIND_U64, 0,                                            \
		 "payload bytes seen before and different: the losing copy"},                      \
		{"tcp." d ".rejected", WEIR_KIND_U64, 0,                                           \
		 "payload bytes that the endpoint would have dropped"},                            \
		{"tcp." d ".gap_bytes", WEIR_KIND_U64, 0, "bytes that were never captured"},       \
		{"tcp." d ".gaps", WEIR_KIND_U64, 0, "gaps"},                                      \
		{"tcp." d ".retransmits", WEIR_KIND_U64, 0, "retransmitted segments"},             \
		{"tcp." d ".out_of_order", WEIR_KIND_U64, 0, "segments out of order"},             \
		{"tcp." d ".duplicate_acks", WEIR_KIND_U64, 0,                                     \
		 "acknowledgements repeated while the other side's data was under way"},           \
		{"tcp." d ".zero_windows", WEIR_KIND_U64, 0, "packets that closed the window"},    \
		{"tcp." d ".rtt_ns", WEIR_KIND_DURATION, 0,                                        \
		 "from this side's data to its acknowledgement, smoothed (RFC 6298)"},             \
	{                                                                                          \
		"tcp." d ".flags", WEIR_KIND_STR, 0, "flags seen, in tcpdump's letters: SFPRUEW."  \
	}

static const struct weir_field fields[] = {
	{"tcp.state", WEIR_KIND_STR, 0,
	 "how it ended: closed, reset, timeout, evicted, reused or open"},
	{"tcp.phase", WEIR_KIND_STR, 0,
	 "how far it had come: none, syn, syn_ack, established, half_closed_c (the client has "
	 "closed), "
	 "half_closed_s, closed or reset"},
	{"tcp.handshake", WEIR_KIND_STR, 0,
	 "what was seen of the handshake: complete, syn_ack, syn or none"},
	{"tcp.handshake_ns", WEIR_KIND_DURATION, 0, "SYN to the client's first ACK"},
	DIR_FIELDS("c2s"),
	DIR_FIELDS("s2c"),
	{"tcp.gap_causes", WEIR_KIND_STRS, 0, "why holes were given up"},
	{"tcp.reject_causes", WEIR_KIND_STRS, 0, "why bytes were rejected"},
};

_Static_assert(sizeof(fields) / sizeof(fields[0]) == TCP_F_END - WEIR_NCOMMON,
	       "enum record_tcp_field names every field of the table");

const struct weir_schema record_tcp_schema = {"tcp", fields, sizeof(fields) / sizeof(fields[0])};
