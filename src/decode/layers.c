/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder's loop: see layers.h for what it gives, step.h for how it walks.
 *
 * What nearly every packet is, TCP over IPv4 in an untagged Ethernet frame, takes no loop: plain.h.
 */
#include "decode/layers.h"

#include <stddef.h>
#include <string.h>

#include "decode/plain.h"
#include "decode/step.h"

static enum step take_step(struct cursor *cursor, enum step step)
{
	switch (step) {
	case STEP_ETHERNET:
		return link_ethernet(cursor);
	case STEP_ETHERTYPE:
		return link_ethertype(cursor);
	case STEP_LLC:
		return link_llc(cursor);
	case STEP_MPLS:
		return link_mpls(cursor);
	case STEP_PPP:
		return link_ppp(cursor);
	case STEP_HDLC:
		return link_hdlc(cursor);
	case STEP_PPPOE:
		return link_pppoe(cursor);
	case STEP_IP:
		return ip_any(cursor);
	case STEP_IPV4:
		return ip_v4(cursor);
	case STEP_IPV6:
		return ip_v6(cursor);
	case STEP_LINK:
		return link_start(cursor, cursor->type);
	case STEP_PROTOCOL:
		return ip_protocol(cursor);
	case STEP_DONE:
	default:
		return STEP_DONE;
	}
}

static void walk(struct cursor *cursor, enum step step)
{
	unsigned n;

	for (n = 0; step != STEP_DONE; n++) {
		step = n == STEPS_MAX ? step_end(cursor, LAYERS_BAD, LAYERS_TOO_DEEP)
				      : take_step(cursor, step);
	}
	tunnel_settle(cursor);
}

static void cursor_init(struct cursor *cursor, const uint8_t *data, uint32_t caplen, uint32_t len,
			bool checksums, struct layers *ret, struct layers_tunnels *tunnels)
{
	cursor->at = data;
	cursor->left = caplen;
	cursor->len = len > caplen ? len : caplen;
	cursor->type = 0;
	cursor->sport = 0;
	cursor->dport = 0;
	cursor->checksums = checksums;
	cursor->is_rerouted = false;
	cursor->is_guessed = false;
	cursor->has_outer = false;
	cursor->ret = ret;
	cursor->tunnels = tunnels;
	/* the SACK blocks are valid up to nsack: not worth clearing for each packet */
	memset(ret, 0, offsetof(struct layers, sack));
}

static inline void decode(const struct weir_packet *packet, bool checksums, struct layers *ret,
			  struct layers_tunnels *tunnels)
{
	struct cursor cursor;

	if (plain_decode(packet, checksums, ret)) {
		return;
	}
	cursor_init(&cursor, packet->data, packet->caplen, packet->wirelen, checksums, ret,
		    tunnels);
	if (packet->vlan_present && (packet->vlan_tci & 0xfff) != 0) {
		ret->has_vlan = 1;
		ret->vlan_id = packet->vlan_tci & 0xfff;
	}
	walk(&cursor, link_start(&cursor, packet->linktype));
}

void layers_decode(const struct weir_packet *packet, bool checksums, struct layers *ret)
{
	decode(packet, checksums, ret, NULL);
}

void layers_decode_tunnels(const struct weir_packet *packet, bool checksums, struct layers *ret,
			   struct layers_tunnels *ret_tunnels)
{
	ret_tunnels->n = 0;
	decode(packet, checksums, ret, ret_tunnels);
}

void layers_decode_ip(const uint8_t *ip, uint32_t caplen, const struct layers *outer,
		      bool checksums, struct layers *ret, struct layers_tunnels *tunnels)
{
	struct cursor cursor;
	uint8_t has_vlan = outer->has_vlan;
	uint16_t vlan_id = outer->vlan_id;
	uint32_t tunnel_id = outer->tunnel_id;
	/* the datagram's own header was counted when its fragments were decoded */
	uint8_t depth = outer->depth > 0 ? outer->depth - 1 : 0;

	cursor_init(&cursor, ip, caplen, caplen, checksums, ret, tunnels); /* ret may be outer */
	ret->has_vlan = has_vlan;
	ret->vlan_id = vlan_id;
	ret->tunnel_id = tunnel_id;
	ret->depth = depth;
	walk(&cursor, STEP_IP);
}

const char *layers_reason_name(enum layers_reason reason)
{
	static const char *const names[LAYERS_NREASONS] = {
		[LAYERS_OK] = "ok",
		[LAYERS_CUT_LINK] = "cut_link",
		[LAYERS_CUT_IP] = "cut_ip",
		[LAYERS_CUT_TCP] = "cut_tcp",
		[LAYERS_BAD_IP] = "bad_ip",
		[LAYERS_BAD_IP_CHECKSUM] = "bad_ip_checksum",
		[LAYERS_BAD_TCP] = "bad_tcp",
		[LAYERS_TOO_DEEP] = "too_deep",
		[LAYERS_LINKTYPE] = "linktype",
	};

	return (unsigned)reason < LAYERS_NREASONS ? names[reason] : "unknown";
}

const char *layers_tunnel_name(enum layers_tunnel_type type)
{
	static const char *const names[LAYERS_TUNNEL_NTYPES] = {
		[LAYERS_TUNNEL_IPIP] = "ipip",       [LAYERS_TUNNEL_GRE] = "gre",
		[LAYERS_TUNNEL_ETHERIP] = "etherip", [LAYERS_TUNNEL_MPLS] = "mpls",
		[LAYERS_TUNNEL_VXLAN] = "vxlan",     [LAYERS_TUNNEL_GENEVE] = "geneve",
		[LAYERS_TUNNEL_GTP_U] = "gtp-u",     [LAYERS_TUNNEL_TEREDO] = "teredo",
	};

	return (unsigned)type < LAYERS_TUNNEL_NTYPES ? names[type] : "unknown";
}
