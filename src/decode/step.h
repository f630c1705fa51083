/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to decode/: the cursor that walks down a packet, one header a step.
 *
 * layers_decode() is a loop over `enum step`: each step function looks at one header at the cursor, moves behind it and
 * says what comes next. STEP_DONE: ret->kind and ret->reason are settled. Files: link.c (what carries IP), wireless.c,
 * ip.c, tcp.c, tunnel.c (what IP carries that carries IP again).
 */
#ifndef DECODE_STEP_H
#define DECODE_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "decode/layers.h"

enum step {
	STEP_DONE,
	STEP_ETHERNET,
	STEP_ETHERTYPE, /* cursor->type tells what is at the cursor */
	STEP_LLC,
	STEP_MPLS,
	STEP_PPP,  /* at the protocol field, or at address and control before it */
	STEP_HDLC, /* Cisco HDLC */
	STEP_PPPOE,
	STEP_LINK, /* cursor->type is a linktype */
	STEP_IP,   /* IPv4 or IPv6, by the version nibble */
	STEP_IPV4,
	STEP_IPV6,
	STEP_PROTOCOL /* ret->protocol tells what is at the cursor */
};

enum {
	STEPS_MAX = 48, /* headers of a packet, labels and tags included; beyond: LAYERS_TOO_DEEP */
	EXTENSIONS_MAX = 16 /* IPv6 extension headers of a datagram */
};

struct cursor {
	const uint8_t *at;
	uint32_t left; /* bytes captured from `at`, within the innermost length known */
	uint32_t len;  /* bytes there by the innermost header, or on the wire: left <= len */
	uint16_t type;
	uint16_t sport; /* of UDP that may carry a tunnel */
	uint16_t dport;
	bool checksums; /* verify */
	bool is_rerouted; /* the destination in the IP header is not the last: the TCP checksum has another */
	bool is_guessed; /* inside a tunnel that is known by a UDP port only */
	bool has_outer;
	struct layers *ret;
	struct layers_tunnels *tunnels; /* NULL: not asked for */
	struct layers outer; /* with has_outer: the datagram that carries the innermost tunnel */
};

/** The next n bytes, moved past; NULL when fewer were captured. */
static inline const uint8_t *cursor_take(struct cursor *cursor, uint32_t n)
{
	const uint8_t *p = cursor->at;

	if (cursor->left < n) {
		return NULL;
	}
	cursor->at += n;
	cursor->left -= n;
	cursor->len -= n;
	return p;
}

static inline enum step step_end(struct cursor *cursor, enum layers_kind kind,
				 enum layers_reason reason)
{
	cursor->ret->kind = (uint8_t)kind;
	cursor->ret->reason = (uint8_t)reason;
	return STEP_DONE;
}

/** Fewer than n bytes at the cursor: cut by the capture, or contradicting the length that an outer header told? */
static inline enum step step_short(struct cursor *cursor, uint32_t n, enum layers_reason cut,
				   enum layers_reason bad)
{
	return step_end(cursor, LAYERS_BAD, cursor->len >= n ? cut : bad);
}

/** Where a linktype begins; STEP_DONE with LAYERS_LINKTYPE when it is not known. */
enum step link_start(struct cursor *cursor, uint16_t linktype);
enum step link_ethernet(struct cursor *cursor);
enum step link_ethertype(struct cursor *cursor);
enum step link_llc(struct cursor *cursor);
enum step link_mpls(struct cursor *cursor);
enum step link_ppp(struct cursor *cursor);
enum step link_hdlc(struct cursor *cursor);
enum step link_pppoe(struct cursor *cursor);

enum step ip_any(struct cursor *cursor);
enum step ip_v4(struct cursor *cursor);
enum step ip_v6(struct cursor *cursor);
enum step ip_protocol(struct cursor *cursor);

/** Verify the header's checksum: what is found out goes to ret->checksum and ret->reason. */
void ip_v4_verify(const uint8_t *ip, uint32_t header_len, struct layers *ret);

enum step tcp_segment(struct cursor *cursor);
/** Verify the checksum of a segment of `len` bytes, all of it there: ret->checksum, if it is not known yet. */
void tcp_verify(const uint8_t *tcp, uint32_t len, struct layers *ret);

enum step wireless_dot11(struct cursor *cursor);
enum step wireless_radiotap(struct cursor *cursor);
enum step wireless_ppi(struct cursor *cursor);
enum step wireless_prism(struct cursor *cursor);

/** What an IP protocol other than TCP carries: a tunnel, or the end. */
enum step tunnel_protocol(struct cursor *cursor);
/** After the walk: when there is no datagram inside of a tunnel, tell of the one that carries it. */
void tunnel_settle(struct cursor *cursor);

#endif
