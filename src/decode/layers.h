/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decoding: from a captured packet to the innermost IP datagram and its TCP header, as offsets and values.
 *
 * Nothing is copied: pointers go into the packet's bytes. Length is what the IP header says, never what the frame says
 * (Ethernet padding); an IPv4 total length of 0 (segmentation offload) means what was captured. Every byte is read behind
 * a bound. What cannot be decoded is told by `kind` and `reason`, never an error.
 */
#ifndef DECODE_LAYERS_H
#define DECODE_LAYERS_H

#include <stdbool.h>
#include <stdint.h>

#include "weir/packet.h"

enum layers_kind {
	LAYERS_TCP,      /* whole TCP header at hand; tcp fields valid */
	LAYERS_FRAGMENT, /* IP fragment: frag fields valid; goes to defrag */
	LAYERS_OTHER_IP, /* IP, but not TCP; addresses and protocol valid */
	LAYERS_NOT_IP,   /* ARP, LLDP, unknown ethertype ... */
	LAYERS_BAD       /* damaged or cut short below TCP: see reason */
};

enum layers_reason {
	LAYERS_OK,
	LAYERS_CUT_LINK,        /* fewer bytes captured than the link headers need */
	LAYERS_CUT_IP,          /* the same for IP headers */
	LAYERS_CUT_TCP,         /* the same for the TCP header */
	LAYERS_BAD_IP,          /* version, header length or total length contradict */
	LAYERS_BAD_IP_CHECKSUM, /* decoded all the same; checksum is BAD */
	LAYERS_BAD_TCP,         /* data offset below 5 words or beyond the datagram */
	LAYERS_TOO_DEEP,        /* more nested headers than LAYERS_MAX_DEPTH */
	LAYERS_LINKTYPE,        /* a linktype we do not decode */
	LAYERS_NREASONS
};

enum { LAYERS_MAX_DEPTH = 8 };

/* What carries the datagram inside. */
enum layers_tunnel_type {
	LAYERS_TUNNEL_IPIP, /* also 6in4, 4in6 */
	LAYERS_TUNNEL_GRE,  /* also ERSPAN, WCCP, PPTP, NVGRE */
	LAYERS_TUNNEL_ETHERIP,
	LAYERS_TUNNEL_MPLS, /* in IP or UDP */
	LAYERS_TUNNEL_VXLAN,
	LAYERS_TUNNEL_GENEVE,
	LAYERS_TUNNEL_GTP_U,
	LAYERS_TUNNEL_TEREDO,
	LAYERS_TUNNEL_NTYPES
};

/* A tunnel that a packet went through: the ends of the datagram that carries it. */
struct layers_tunnel {
	uint8_t src[16]; /* as in struct layers */
	uint8_t dst[16];
	uint16_t sport; /* host order; 0 when it is not in UDP */
	uint16_t dport;
	uint8_t type; /* enum layers_tunnel_type */
	uint8_t ip_version;
	uint8_t zero[2];
};

/* Those of one packet, outermost first. */
struct layers_tunnels {
	unsigned n;
	struct layers_tunnel at[LAYERS_MAX_DEPTH];
};

enum layers_tcp_flags {
	LAYERS_FIN = 0x01,
	LAYERS_SYN = 0x02,
	LAYERS_RST = 0x04,
	LAYERS_PSH = 0x08,
	LAYERS_ACK = 0x10,
	LAYERS_URG = 0x20
};

enum layers_checksum { LAYERS_CHECKSUM_UNKNOWN, LAYERS_CHECKSUM_GOOD, LAYERS_CHECKSUM_BAD };

struct layers {
	uint8_t kind;   /* enum layers_kind */
	uint8_t reason; /* enum layers_reason; BAD_IP_CHECKSUM also with TCP, FRAGMENT and OTHER_IP */
	uint8_t ip_version; /* 4 or 6; of the innermost datagram */
	uint8_t protocol;   /* IP protocol after extension headers */
	uint8_t has_vlan;
	uint8_t checksum; /* enum layers_checksum, of TCP and the IPv4 header: UNKNOWN when not asked for, cut by snaplen, right by chance, or not TCP */
	uint8_t ip_snapped; /* the datagram is longer than what was captured */
	uint8_t depth;      /* nested IP headers seen (1: no tunnel) */
	uint16_t vlan_id;   /* outermost tag */
	uint32_t tunnel_id; /* innermost VNI or GRE key, the same in both directions; else 0 */

	const uint8_t *ip;  /* the innermost IP header */
	uint32_t ip_caplen; /* bytes captured from there, cut to the datagram's length */
	uint32_t ip_len;    /* the datagram's length by its header */
	uint8_t src[16];    /* network order; IPv4 in the first 4 bytes, rest zero */
	uint8_t dst[16];

	/* LAYERS_FRAGMENT; of others not set */
	uint32_t frag_id;
	uint32_t frag_offset; /* bytes */
	uint8_t frag_more;
	uint32_t
		frag_header_len; /* bytes of the unfragmentable part (IP header, or IPv6 with extensions before the
				      fragment header) at ip */
	const uint8_t *frag_data;
	uint32_t frag_len;    /* bytes of data by the IP header */
	uint32_t frag_caplen; /* of those, captured */

	/* LAYERS_TCP */
	uint16_t sport; /* host order, as all below */
	uint16_t dport;
	uint32_t seq;
	uint32_t ack;
	uint16_t window; /* unscaled */
	uint8_t flags;   /* enum layers_tcp_flags, and ECE 0x40, CWR 0x80: test bits, not values */
	uint8_t header_len; /* of TCP, with options */
	const uint8_t *payload;
	uint32_t payload_len;    /* by the IP header */
	uint32_t payload_caplen; /* of those, captured: less when the snaplen cut it */
	uint16_t
		payload_sum; /* of the payload (RFC 1071), never 0, when the checksum was verified; 0: not known */

	/* options; bad option lengths end option parsing, not the segment */
	uint8_t has_ts;
	uint8_t has_mss;
	uint8_t has_wscale;
	uint8_t sack_permitted;
	uint8_t has_tfo; /* TCP Fast Open cookie option (RFC 7413) present */
	uint8_t wscale;
	uint8_t nsack;
	uint16_t mss;
	uint32_t tsval;
	uint32_t tsecr;
	uint32_t sack[8]; /* pairs of left, right edge: nsack pairs, at most 4 */
};

/**
 * Decode a packet down to TCP.
 *
 * @param packet   borrowed; ret points into its bytes
 * @param checksums verify the IPv4 header and TCP checksum (when the whole datagram was captured)
 * @param ret      all fields are set
 */
void layers_decode(const struct weir_packet *packet, bool checksums, struct layers *ret);

/** The same, and tell the tunnels on the way: ret_tunnels->n and so many elements are set. */
void layers_decode_tunnels(const struct weir_packet *packet, bool checksums, struct layers *ret,
			   struct layers_tunnels *ret_tunnels);

/**
 * Decode from an IP header on: for datagrams that defragmentation put together. `outer` gives what was known outside
 * (vlan, tunnel, depth). Tunnels are added to *tunnels; NULL: not asked for.
 */
void layers_decode_ip(const uint8_t *ip, uint32_t caplen, const struct layers *outer,
		      bool checksums, struct layers *ret, struct layers_tunnels *tunnels);

const char *layers_tunnel_name(enum layers_tunnel_type type);

/** Is this linktype decoded at all? */
bool layers_linktype_known(uint16_t linktype);

const char *layers_reason_name(enum layers_reason reason);

#endif
