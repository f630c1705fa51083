/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One captured packet: what a capture source hands to the engine.
 */
#ifndef WEIR_PACKET_H
#define WEIR_PACKET_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct weir_packet {
	const uint8_t *data; /* first byte of the link header; may be NULL when caplen is 0 */
	int64_t ts_ns;       /* capture time, ns since the epoch; may go backwards */
	uint64_t number;     /* from 1, per input */
	uint32_t caplen;     /* bytes at data */
	uint32_t wirelen;    /* bytes on the wire; may be smaller than caplen in damaged files */
	uint16_t linktype;   /* LINKTYPE_ value as in pcap files (0 is NULL/loopback) */
	uint16_t interface;  /* index of the interface within the input, from 0 */
	uint16_t input;      /* index of the input (file or interface list), from 0 */
	uint16_t vlan_tci;   /* tag stripped by the kernel, with vlan_present; else 0 */
	uint8_t vlan_present;
	const char *interface_name; /* NULL: unknown; must live until the engine is done */
	uint32_t
		drops; /* packets that the capture says it lost since the packet before, as far as it says */
};

#ifdef __cplusplus
}
#endif
#endif
