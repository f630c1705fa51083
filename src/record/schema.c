/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fields that every type of record begins with. The table's order is that of enum weir_common_field; the names are
 * CONTRACT.md's, which are OpenTelemetry's where it has one.
 */
#include "record/record.h"
#include "weir/error.h"

#include <string.h>

const struct weir_field record_common_fields[WEIR_NCOMMON] = {
	[WEIR_F_TS] = {"ts", WEIR_KIND_TIME, 0,
		       "capture time of the first byte of the request (of the flow, for tcp)"},
	[WEIR_F_ID] = {"id", WEIR_KIND_STR, 0,
		       "identity of the record, stable across runs and worker counts"},
	[WEIR_F_FLOW_ID] = {"flow_id", WEIR_KIND_STR, 0,
			    "identity of the flow, stable across runs and worker counts"},
	[WEIR_F_NETWORK_TYPE] = {"network.type", WEIR_KIND_STR, 0, "ipv4 or ipv6"},
	[WEIR_F_NETWORK_PROTOCOL_NAME] = {"network.protocol.name", WEIR_KIND_STR, 0,
					  "application protocol"},
	[WEIR_F_NETWORK_PROTOCOL_VERSION] = {"network.protocol.version", WEIR_KIND_STR, 0,
					     "version of the application protocol"},
	[WEIR_F_NETWORK_COMMUNITY_ID] = {"network.community_id", WEIR_KIND_STR, 0,
					 "Community ID v1 of the flow, seed 0"},
	[WEIR_F_NETWORK_VLAN_ID] = {"network.vlan.id", WEIR_KIND_U64, 0,
				    "outermost VLAN tag of the flow's first tagged packet"},
	[WEIR_F_CLIENT_ADDRESS] = {"client.address", WEIR_KIND_ADDRESS, 0,
				   "literal address of the client"},
	[WEIR_F_CLIENT_PORT] = {"client.port", WEIR_KIND_U64, 0, "TCP port of the client"},
	[WEIR_F_SERVER_ADDRESS] = {"server.address", WEIR_KIND_ADDRESS, 0,
				   "literal address of the server"},
	[WEIR_F_SERVER_PORT] = {"server.port", WEIR_KIND_U64, 0, "TCP port of the server"},
	[WEIR_F_SERVICE_NAME] = {"service.name", WEIR_KIND_STR, 0, "host or server name"},
	[WEIR_F_CAPTURE_INTERFACE] = {"capture.interface", WEIR_KIND_STR, 0,
				      "interface that captured the flow's first packet"},
	[WEIR_F_PACKET_FIRST] = {"packet.first", WEIR_KIND_U64, 0,
				 "first packet that carried it, counted from 1 in its input"},
	[WEIR_F_PACKET_LAST] = {"packet.last", WEIR_KIND_U64, 0,
				"last packet that carried it, counted from 1 in its input"},
	[WEIR_F_DURATION] = {"duration_ns", WEIR_KIND_DURATION, 0,
			     "first request byte to last response byte"},
	[WEIR_F_TIMING_SEND] = {"timing.send_ns", WEIR_KIND_DURATION, 0,
				"first to last byte of the request"},
	[WEIR_F_TIMING_WAIT] =
		{"timing.wait_ns", WEIR_KIND_DURATION, 0,
		 "last request byte to first response byte; negative: an early response"},
	[WEIR_F_TIMING_RECEIVE] = {"timing.receive_ns", WEIR_KIND_DURATION, 0,
				   "first to last byte of the response"},
	[WEIR_F_TIMING_STALL] = {"timing.stall_ns", WEIR_KIND_DURATION, 0,
				 "part of the other times during which a missing segment blocked "
				 "delivery"},
	[WEIR_F_TCP_RTT] = {"tcp.rtt_ns", WEIR_KIND_DURATION, 0,
			    "smoothed round-trip time of the flow"},
	[WEIR_F_TCP_RETRANSMITS] = {"tcp.retransmits", WEIR_KIND_U64, 0,
				    "retransmitted segments of the flow during this transaction"},
	[WEIR_F_TCP_OUT_OF_ORDER] = {"tcp.out_of_order", WEIR_KIND_U64, 0,
				     "segments out of order during this transaction"},
	[WEIR_F_TCP_GAPS] = {"tcp.gaps", WEIR_KIND_U64, 0, "gaps during this transaction"},
	[WEIR_F_COMPLETENESS] = {"completeness", WEIR_KIND_STR, 0,
				 "no_request, no_response, gap, truncated or complete"},
	[WEIR_F_MISSING_BYTES] = {"missing_bytes", WEIR_KIND_U64, WEIR_FIELD_RARE,
				  "bytes of it that were not captured"},
	[WEIR_F_FINAL] = {"final", WEIR_KIND_BOOL, WEIR_FIELD_RARE,
			  "false: an interim record of an exchange that is still open"},
	[WEIR_F_PAIRING] = {"pairing", WEIR_KIND_STR, 0,
			    "how request and response were matched: exact, order or uncertain"},
	[WEIR_F_TLS_DECRYPTED] = {"tls.decrypted", WEIR_KIND_BOOL, WEIR_FIELD_RARE,
				  "it was read from decrypted TLS"},
	[WEIR_F_ERROR_TYPE] = {"error.type", WEIR_KIND_STR, WEIR_FIELD_RARE,
			       "class of the error it ended with"},
	[WEIR_F_ANOMALIES] = {"anomalies", WEIR_KIND_STRS, 0, "codes of what was odd on the wire"},
};

const struct weir_field *weir_schema_field(const struct weir_schema *schema, size_t i)
{
	if (i < WEIR_NCOMMON) {
		return &record_common_fields[i];
	}
	i -= WEIR_NCOMMON;
	return i < schema->nfields ? &schema->fields[i] : NULL;
}

int weir_schema_find(const struct weir_schema *schema, const char *name, size_t len)
{
	const struct weir_field *field;
	size_t i;

	for (i = 0; (field = weir_schema_field(schema, i)) != NULL; i++) {
		if (strlen(field->name) == len && memcmp(field->name, name, len) == 0) {
			return (int)i;
		}
	}
	return WEIR_ENOTFOUND;
}
