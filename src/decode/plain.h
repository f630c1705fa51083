/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nearly every packet is: TCP in a whole IPv4 datagram without IP options, in an Ethernet frame without tags.
 *
 * All that is decided here the steps (step.h) would decide in the same way; it is a shorter way to the same struct layers, and
 * lies in a header because it is to be part of the loop over packets.
 */
#ifndef DECODE_PLAIN_H
#define DECODE_PLAIN_H

#include <stddef.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/wire.h"
#include "decode/layers.h"

enum {
	PLAIN_ETHERNET = 14,
	PLAIN_IPV4 = 20,
	PLAIN_TCP = 20,
	PLAIN_PROTOCOL = 6,
	PLAIN_HEAD = PLAIN_ETHERNET + PLAIN_IPV4 + PLAIN_TCP
};

/** The options of a TCP header: those between `at` and `end`; what they set is zero before. */
void tcp_options(const uint8_t *at, const uint8_t *end, struct layers *ret);
/** Verify checksums, where it is asked for: of the IPv4 header, and of a TCP segment of `len` bytes, all of it there. */
void plain_verify(const uint8_t *ip, const uint8_t *tcp, uint32_t len, struct layers *ret);

/*
 * Four bytes and twelve of zero, in one store: it is loaded again in a moment, and the processor forwards a store only to
 * loads that it covers.
 */
static inline void plain_put_address(uint8_t to[16], const uint8_t *from)
{
	uint32_t address;

	memcpy(&address, from, 4);
#ifdef __SSE2__
	_mm_storeu_si128((__m128i *)(void *)to, _mm_cvtsi32_si128((int)address));
#else
	memset(to, 0, 16);
	memcpy(to, &address, 4);
#endif
}

/**
 * The fields of a TCP header, all of which is there.
 * @param header_len with options
 * @param len        of the segment, with its header, by the IP header
 * @param left       of those, captured
 */
static inline void tcp_header(const uint8_t *tcp, uint32_t header_len, uint32_t len, uint32_t left,
			      struct layers *ret)
{
	ret->sport = load_be16(tcp);
	ret->dport = load_be16(tcp + 2);
	ret->seq = load_be32(tcp + 4);
	ret->ack = load_be32(tcp + 8);
	ret->window = load_be16(tcp + 14);
	ret->flags = tcp[13];
	ret->header_len = (uint8_t)header_len;
	ret->payload = tcp + header_len;
	ret->payload_len = len - header_len;
	ret->payload_caplen = left - header_len;
	if (header_len == 32 && load_be32(tcp + 20) == 0x0101080a) {
		/* NOP NOP timestamps: what nearly every segment has */
		ret->has_ts = 1;
		ret->tsval = load_be32(tcp + 24);
		ret->tsecr = load_be32(tcp + 28);
	} else if (header_len > PLAIN_TCP) {
		tcp_options(tcp + PLAIN_TCP, tcp + header_len, ret);
	}
}

/** @return false: it is something else, and nothing was set */
static inline bool plain_decode(const struct weir_packet *packet, bool checksums,
				struct layers *ret)
{
	const uint8_t *ip = packet->data + PLAIN_ETHERNET;
	const uint8_t *tcp = ip + PLAIN_IPV4;
	uint32_t len, header_len;

	if (packet->linktype != 1 || packet->vlan_present || packet->caplen < PLAIN_HEAD ||
	    load_be32(ip - 2) >> 8 != 0x080045 || ip[9] != PLAIN_PROTOCOL ||
	    (load_be16(ip + 6) & 0x3fff) != 0) {
		return false;
	}
	len = load_be16(ip + 2);
	header_len = (uint32_t)(tcp[12] >> 4) * 4;
	if (len > packet->caplen - PLAIN_ETHERNET || len < PLAIN_IPV4 + header_len ||
	    header_len < PLAIN_TCP) {
		return false;
	}
	/* all that belongs to TCP, side by side: what tells of fragments does not */
	ret->kind = LAYERS_TCP;
	ret->reason = LAYERS_OK;
	ret->ip_version = 4;
	ret->protocol = PLAIN_PROTOCOL;
	ret->has_vlan = 0;
	ret->checksum = LAYERS_CHECKSUM_UNKNOWN;
	ret->ip_snapped = 0;
	ret->depth = 1;
	ret->vlan_id = 0;
	ret->tunnel_id = 0;
	ret->ip = ip;
	ret->ip_caplen = len;
	ret->ip_len = len;
	plain_put_address(ret->src, ip + 12);
	plain_put_address(ret->dst, ip + 16);
	memset(&ret->payload_sum, 0,
	       offsetof(struct layers, sack) - offsetof(struct layers, payload_sum));
	tcp_header(tcp, header_len, len - PLAIN_IPV4, len - PLAIN_IPV4, ret);
	if (checksums) {
		plain_verify(ip, tcp, len - PLAIN_IPV4, ret);
	}
	return true;
}

#endif
