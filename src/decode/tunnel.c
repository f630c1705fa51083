/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tunnels: what an IP datagram carries that carries IP again. IPIP, 6in4 and 4in6 (RFC 2003, RFC 4213, RFC 2473), GRE (RFC 2784,
 * RFC 2890, NVGRE of RFC 7637, PPTP of RFC 2637) with ERSPAN I to III and WCCP, EtherIP (RFC 3378), MPLS in IP and UDP (RFC 4023, RFC 7510),
 * VXLAN (RFC 7348) and VXLAN-GPE, Geneve (RFC 8926), GTP-U (3GPP TS 29.281), Teredo (RFC 4380).
 *
 * The innermost datagram is what layers_decode() tells about. When there is none inside, the datagram that carries the
 * tunnel is told: any UDP packet may have these ports, so what does not fit there is a guess that failed, not damage.
 *
 * tunnel_id is part of a flow's key, so it must be the same in both directions. It is the VNI of VXLAN and Geneve and the
 * GRE key. It is not GTP's TEID and PPTP's call (each direction has its own: TS 29.281 §5.1, RFC 2637 §4.1), not NVGRE's
 * FlowID (entropy) and not ERSPAN's session (it names the mirror, not the traffic): these leave it as it was.
 *
 * Not done: GRE with source routes (RFC 1701), GTPv0, L2TP, IPsec.
 */
#include <string.h>

#include "base/wire.h"
#include "decode/step.h"

enum {
	PROTOCOL_IPIP = 4,
	PROTOCOL_UDP = 17,
	PROTOCOL_IPV6 = 41,
	PROTOCOL_GRE = 47,
	PROTOCOL_ETHERIP = 97,
	PROTOCOL_MPLS = 137
};

enum {
	PORT_GTP_U = 2152,
	PORT_TEREDO = 3544,
	PORT_VXLAN = 4789,
	PORT_VXLAN_GPE = 4790,
	PORT_GENEVE = 6081,
	PORT_MPLS = 6635,
	PORT_VXLAN_LINUX = 8472 /* Linux's own before there was a standard */
};

enum {
	TYPE_IPV4 = 0x0800,
	TYPE_BRIDGED = 0x6558,
	TYPE_ERSPAN = 0x88be,
	TYPE_ERSPAN_3 = 0x22eb,
	TYPE_WCCP = 0x883e,
	TYPE_PPP = 0x880b
};

enum {
	GRE_CHECKSUM = 0x8000,
	GRE_ROUTING = 0x4000,
	GRE_KEY = 0x2000,
	GRE_SEQUENCE = 0x1000,
	GRE_ACK = 0x0080, /* version 1 only */
	GRE_VERSION = 0x0007,
	NVGRE_FIRST_SUBNET = 0x1000, /* RFC 7637 §3.2: virtual subnets below are reserved */
	GTP_EXTENSIONS_MAX = 8
};

/* The datagram as it is: nothing inside that we know. */
static enum step no_tunnel(struct cursor *cursor)
{
	return step_end(cursor, LAYERS_OTHER_IP, (enum layers_reason)cursor->ret->reason);
}

/* Inside of this datagram begins another: remember this one, and forget what does not hold for that one. */
static void enter(struct cursor *cursor, enum layers_tunnel_type type, bool is_guessed)
{
	struct layers *ret = cursor->ret;
	struct layers_tunnels *tunnels = cursor->tunnels;

	if (tunnels != NULL && tunnels->n < LAYERS_MAX_DEPTH) {
		struct layers_tunnel *tunnel = &tunnels->at[tunnels->n++];

		memset(tunnel, 0, sizeof(*tunnel));
		memcpy(tunnel->src, ret->src, sizeof(tunnel->src));
		memcpy(tunnel->dst, ret->dst, sizeof(tunnel->dst));
		tunnel->sport = cursor->sport;
		tunnel->dport = cursor->dport;
		tunnel->type = (uint8_t)type;
		tunnel->ip_version = ret->ip_version;
	}
	cursor->sport = 0;
	cursor->dport = 0;

	cursor->outer = *ret;
	cursor->outer.kind = LAYERS_OTHER_IP;
	cursor->has_outer = true;
	cursor->is_guessed = is_guessed;
	cursor->is_rerouted = false;
	ret->checksum = LAYERS_CHECKSUM_UNKNOWN;
	ret->reason = LAYERS_OK;
}

static enum step cut(struct cursor *cursor)
{
	return step_end(cursor, LAYERS_BAD, LAYERS_CUT_LINK);
}

/* Something of Ethernet's types, or one of GRE's own, behind the GRE header */
static enum step gre_payload(struct cursor *cursor, uint16_t flags, uint16_t type)
{
	const uint8_t *h;

	switch (type) {
	case TYPE_ERSPAN:
		/* type I has no header of its own and no sequence number, type II has 8 bytes */
		if ((flags & GRE_SEQUENCE) != 0 && cursor_take(cursor, 8) == NULL) {
			return cut(cursor);
		}
		return STEP_ETHERNET;
	case TYPE_ERSPAN_3:
		h = cursor_take(cursor, 12);
		/* the last bit tells of a platform's 8 bytes more */
		if (h == NULL || ((h[11] & 1) != 0 && cursor_take(cursor, 8) == NULL)) {
			return cut(cursor);
		}
		return STEP_ETHERNET;
	case TYPE_WCCP:
		/* version 2 redirects with 4 bytes before the datagram */
		if (cursor->left > 0 && cursor->at[0] >> 4 != 4 && cursor_take(cursor, 4) == NULL) {
			return cut(cursor);
		}
		return STEP_IPV4;
	case TYPE_PPP:
		return STEP_PPP;
	default:
		cursor->type = type;
		return STEP_ETHERTYPE;
	}
}

static uint32_t gre_tunnel_id(const struct cursor *cursor, uint16_t type, uint32_t key)
{
	if (type == TYPE_PPP) {
		return cursor->ret->tunnel_id; /* PPTP: the key is a length and a call */
	}
	/* NVGRE: 24 bits of virtual subnet, 8 of FlowID */
	return type == TYPE_BRIDGED && key >> 8 >= NVGRE_FIRST_SUBNET ? key >> 8 : key;
}

static enum step gre(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 4);
	uint16_t flags, type;

	if (h == NULL) {
		return no_tunnel(cursor);
	}
	flags = load_be16(h);
	type = load_be16(h + 2);
	if ((flags & GRE_VERSION) > 1 || (flags & GRE_ROUTING) != 0) {
		return no_tunnel(cursor);
	}
	enter(cursor, LAYERS_TUNNEL_GRE, false);
	if ((flags & GRE_CHECKSUM) != 0 && cursor_take(cursor, 4) == NULL) {
		return cut(cursor);
	}
	if ((flags & GRE_KEY) != 0) {
		h = cursor_take(cursor, 4);
		if (h == NULL) {
			return cut(cursor);
		}
		cursor->ret->tunnel_id = gre_tunnel_id(cursor, type, load_be32(h));
	}
	if ((flags & GRE_SEQUENCE) != 0 && cursor_take(cursor, 4) == NULL) {
		return cut(cursor);
	}
	if ((flags & GRE_VERSION) == 1 && (flags & GRE_ACK) != 0 &&
	    cursor_take(cursor, 4) == NULL) {
		return cut(cursor);
	}
	return gre_payload(cursor, flags, type);
}

/* RFC 7348 §5; for VXLAN-GPE (next protocol in the fourth byte) draft-ietf-nvo3-vxlan-gpe §3 */
static enum step vxlan(struct cursor *cursor, bool is_gpe)
{
	const uint8_t *h = cursor_take(cursor, 8);

	if (h == NULL || (h[0] & 0x08) == 0) {
		return no_tunnel(cursor);
	}
	enter(cursor, LAYERS_TUNNEL_VXLAN, true);
	cursor->ret->tunnel_id = load_be32(h + 4) >> 8;
	if (!is_gpe || (h[0] & 0x04) == 0) {
		return STEP_ETHERNET;
	}
	switch (h[3]) {
	case 1:
		return STEP_IPV4;
	case 2:
		return STEP_IPV6;
	case 3:
		return STEP_ETHERNET;
	default:
		return step_end(cursor, LAYERS_NOT_IP, LAYERS_OK);
	}
}

/* RFC 8926 §3.4 */
static enum step geneve(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 8);

	if (h == NULL || h[0] >> 6 != 0) {
		return no_tunnel(cursor);
	}
	enter(cursor, LAYERS_TUNNEL_GENEVE, true);
	if (cursor_take(cursor, (h[0] & 0x3fu) * 4) == NULL) {
		return cut(cursor);
	}
	cursor->ret->tunnel_id = load_be32(h + 4) >> 8;
	cursor->type = load_be16(h + 2);
	return STEP_ETHERTYPE;
}

/* TS 29.281 §5.1, §5.2: version 1, protocol type GTP, message 255 (a user's packet) */
static enum step gtp_u(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 8);
	unsigned next, n;

	if (h == NULL || (h[0] & 0xf0) != 0x30 || h[1] != 255) {
		return no_tunnel(cursor);
	}
	enter(cursor, LAYERS_TUNNEL_GTP_U, true);
	if ((h[0] & 0x07) == 0) {
		return STEP_IP;
	}
	/* sequence number, N-PDU number, type of the first extension header: there when one of them is */
	h = cursor_take(cursor, 4);
	if (h == NULL) {
		return cut(cursor);
	}
	next = h[3];
	for (n = 0; next != 0; n++) {
		uint32_t len;

		if (n == GTP_EXTENSIONS_MAX || cursor->left == 0 || cursor->at[0] == 0) {
			return step_end(cursor, LAYERS_BAD, LAYERS_BAD_IP);
		}
		len = cursor->at[0] * 4u;
		h = cursor_take(cursor, len);
		if (h == NULL) {
			return cut(cursor);
		}
		next = h[len - 1];
	}
	return STEP_IP;
}

/* RFC 4380 §5.1.1: an authentication and an origin indication may stand before the IPv6 datagram */
static enum step teredo(struct cursor *cursor)
{
	const uint8_t *h;

	enter(cursor, LAYERS_TUNNEL_TEREDO, true);
	if (cursor->left >= 4 && load_be16(cursor->at) == 1) {
		h = cursor->at;
		if (cursor_take(cursor, 13u + h[2] + h[3]) == NULL) {
			return cut(cursor);
		}
	}
	if (cursor->left >= 2 && load_be16(cursor->at) == 0 && cursor_take(cursor, 8) == NULL) {
		return cut(cursor);
	}
	return STEP_IPV6;
}

/*
 * Only servers have the port: clients and relays talk from the one that their NAT gives them (RFC 4380 §5.2.4). What a whole IPv6
 * datagram of the datagram's length is, from or to an address of Teredo's prefix, is no chance.
 */
static bool is_teredo(const struct cursor *cursor)
{
	static const uint8_t prefix[4] = {0x20, 0x01, 0, 0};
	const uint8_t *ip = cursor->at;

	return cursor->left >= 40 && ip[0] >> 4 == 6 && load_be16(ip + 4) + 40u == cursor->len &&
	       (memcmp(ip + 8, prefix, 4) == 0 || memcmp(ip + 24, prefix, 4) == 0);
}

static enum step udp(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 8);

	if (h == NULL) {
		return no_tunnel(cursor);
	}
	cursor->sport = load_be16(h);
	cursor->dport = load_be16(h + 2);
	switch (cursor->dport) {
	case PORT_VXLAN:
	case PORT_VXLAN_LINUX:
		return vxlan(cursor, false);
	case PORT_VXLAN_GPE:
		return vxlan(cursor, true);
	case PORT_GENEVE:
		return geneve(cursor);
	case PORT_GTP_U:
		return gtp_u(cursor);
	case PORT_MPLS:
		enter(cursor, LAYERS_TUNNEL_MPLS, true);
		return STEP_MPLS;
	case PORT_TEREDO:
		return teredo(cursor);
	default:
		break;
	}
	return cursor->sport == PORT_TEREDO || is_teredo(cursor) ? teredo(cursor)
								 : no_tunnel(cursor);
}

enum step tunnel_protocol(struct cursor *cursor)
{
	const uint8_t *h;

	switch (cursor->ret->protocol) {
	case PROTOCOL_UDP:
		return udp(cursor);
	case PROTOCOL_IPIP:
		enter(cursor, LAYERS_TUNNEL_IPIP, false);
		return STEP_IPV4;
	case PROTOCOL_IPV6:
		enter(cursor, LAYERS_TUNNEL_IPIP, false);
		return STEP_IPV6;
	case PROTOCOL_GRE:
		return gre(cursor);
	case PROTOCOL_MPLS:
		enter(cursor, LAYERS_TUNNEL_MPLS, false);
		return STEP_MPLS;
	case PROTOCOL_ETHERIP:
		h = cursor_take(cursor, 2);
		if (h == NULL || h[0] != 0x30) {
			return no_tunnel(cursor);
		}
		enter(cursor, LAYERS_TUNNEL_ETHERIP, false);
		return STEP_ETHERNET;
	default:
		return no_tunnel(cursor);
	}
}

void tunnel_settle(struct cursor *cursor)
{
	const struct layers *ret = cursor->ret;

	if (!cursor->has_outer) {
		return;
	}
	/* a guess fails when bytes that are all there do not fit; when they were cut off, it stays one */
	if (ret->kind == LAYERS_NOT_IP ||
	    (ret->kind == LAYERS_BAD && cursor->is_guessed && !cursor->outer.ip_snapped &&
	     ret->reason != LAYERS_TOO_DEEP)) {
		*cursor->ret = cursor->outer;
		if (cursor->tunnels != NULL && cursor->tunnels->n > 0) {
			cursor->tunnels->n--;
		}
	}
}
