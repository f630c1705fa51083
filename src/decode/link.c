/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Link headers: what stands before IP. Linktypes are those of pcap files (LINKTYPE_ values).
 *
 * Ethernet with any number of tags and labels (bounded by STEPS_MAX), LLC/SNAP, PPP and PPPoE, Cisco HDLC, the cooked headers
 * of Linux, BSD's loopback. No length of a link header is believed: the IP header has the length.
 */
#include "base/wire.h"
#include "decode/step.h"

enum {
	LINKTYPE_NULL = 0,
	LINKTYPE_ETHERNET = 1,
	LINKTYPE_ARCNET_BSD = 7,
	LINKTYPE_PPP = 9,
	LINKTYPE_FDDI = 10,
	DLT_RAW = 12, /* as written by some instead of LINKTYPE_RAW, with OpenBSD's 14 */
	DLT_RAW_OPENBSD = 14,
	LINKTYPE_PPP_HDLC = 50,
	LINKTYPE_PPP_ETHER = 51,
	LINKTYPE_ATM_RFC1483 = 100,
	LINKTYPE_RAW = 101,
	LINKTYPE_C_HDLC = 104,
	LINKTYPE_IEEE802_11 = 105,
	LINKTYPE_LOOP = 108,
	LINKTYPE_ENC = 109,
	LINKTYPE_LINUX_SLL = 113,
	LINKTYPE_PRISM = 119,
	LINKTYPE_RADIOTAP = 127,
	LINKTYPE_ARCNET_LINUX = 129,
	LINKTYPE_APPLE_IP_OVER_IEEE1394 = 138,
	LINKTYPE_AVS = 163,
	LINKTYPE_PPI = 192,
	LINKTYPE_IPV4 = 228,
	LINKTYPE_IPV6 = 229,
	LINKTYPE_NFLOG = 239,
	LINKTYPE_LINUX_SLL2 = 276
};

enum {
	TYPE_LENGTH_MAX = 1500, /* up to here the field is IEEE 802.3's length */
	TYPE_IPV4 = 0x0800,
	TYPE_IPV6 = 0x86dd,
	TYPE_VLAN = 0x8100,
	TYPE_QINQ = 0x88a8,
	TYPE_QINQ_OLD = 0x9100,
	TYPE_QINQ_OLDER = 0x9200,
	TYPE_FABRICPATH = 0x8903,
	TYPE_VNTAG = 0x8926,
	TYPE_ETAG = 0x893f,
	TYPE_PBB = 0x88e7,
	TYPE_MPLS = 0x8847,
	TYPE_MPLS_UPSTREAM = 0x8848,
	TYPE_PPPOE_SESSION = 0x8864,
	TYPE_BRIDGED = 0x6558, /* transparent Ethernet bridging */
	TYPE_SLL_LLC = 0x0004  /* cooked headers: an LLC frame follows */
};

static enum step not_ip(struct cursor *cursor)
{
	return step_end(cursor, LAYERS_NOT_IP, LAYERS_OK);
}

static enum step cut_link(struct cursor *cursor)
{
	return step_end(cursor, LAYERS_BAD, LAYERS_CUT_LINK);
}

enum step link_ethernet(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 14);

	if (h == NULL) {
		return cut_link(cursor);
	}
	cursor->type = load_be16(h + 12);
	return cursor->type <= TYPE_LENGTH_MAX ? STEP_LLC : STEP_ETHERTYPE;
}

static enum step vlan_tag(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 4);
	uint16_t id;

	if (h == NULL) {
		return cut_link(cursor);
	}
	id = load_be16(h) & 0xfff;
	/* IEEE 802.1Q: identifier 0 is a priority without a VLAN */
	if (id != 0 && !cursor->ret->has_vlan) {
		cursor->ret->has_vlan = 1;
		cursor->ret->vlan_id = id;
	}
	cursor->type = load_be16(h + 2);
	return cursor->type <= TYPE_LENGTH_MAX ? STEP_LLC : STEP_ETHERTYPE;
}

/* A tag of n bytes that says nothing to us, then the type: VN-tag (4), E-tag of IEEE 802.1BR (6) */
static enum step other_tag(struct cursor *cursor, uint32_t n)
{
	const uint8_t *h = cursor_take(cursor, n + 2);

	if (h == NULL) {
		return cut_link(cursor);
	}
	cursor->type = load_be16(h + n);
	return STEP_ETHERTYPE;
}

enum step link_ethertype(struct cursor *cursor)
{
	switch (cursor->type) {
	case TYPE_IPV4:
		return STEP_IPV4;
	case TYPE_IPV6:
		return STEP_IPV6;
	case TYPE_VLAN:
	case TYPE_QINQ:
	case TYPE_QINQ_OLD:
	case TYPE_QINQ_OLDER:
		return vlan_tag(cursor);
	case TYPE_VNTAG:
		return other_tag(cursor, 4);
	case TYPE_ETAG:
		return other_tag(cursor, 6);
	case TYPE_FABRICPATH: /* tag and TTL, then the frame as it came in */
		return cursor_take(cursor, 2) == NULL ? cut_link(cursor) : STEP_ETHERNET;
	case TYPE_PBB: /* IEEE 802.1ah: service tag, then the customer's frame */
		return cursor_take(cursor, 4) == NULL ? cut_link(cursor) : STEP_ETHERNET;
	case TYPE_MPLS:
	case TYPE_MPLS_UPSTREAM:
		return STEP_MPLS;
	case TYPE_PPPOE_SESSION:
		return STEP_PPPOE;
	case TYPE_BRIDGED:
		return STEP_ETHERNET;
	default:
		return not_ip(cursor);
	}
}

/* IEEE 802.2, and SNAP (RFC 1042) */
enum step link_llc(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 3);

	if (h == NULL) {
		return cut_link(cursor);
	}
	if (h[0] == 0x06 && h[1] == 0x06 && h[2] == 0x03) {
		return STEP_IPV4;
	}
	if (h[0] != 0xaa || h[1] != 0xaa || h[2] != 0x03) {
		return not_ip(cursor);
	}
	h = cursor_take(cursor, 5);
	if (h == NULL) {
		return cut_link(cursor);
	}
	/* 00-00-00 encapsulates Ethernet, 00-00-F8 does over bridges (IEEE 802.1H) */
	if (h[0] != 0 || h[1] != 0 || (h[2] != 0 && h[2] != 0xf8)) {
		return not_ip(cursor);
	}
	cursor->type = load_be16(h + 3);
	return STEP_ETHERTYPE;
}

/* RFC 3032: one label. Behind the last there is no type: IP shows in its first nibble, and 0 is the control word of an
 * Ethernet pseudowire (RFC 4448). */
enum step link_mpls(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 4);

	if (h == NULL) {
		return cut_link(cursor);
	}
	if ((h[2] & 1) == 0) {
		return STEP_MPLS;
	}
	if (cursor->left == 0) {
		return cut_link(cursor);
	}
	switch (cursor->at[0] >> 4) {
	case 4:
		return STEP_IPV4;
	case 6:
		return STEP_IPV6;
	case 0:
		return cursor_take(cursor, 4) == NULL ? cut_link(cursor) : STEP_ETHERNET;
	default:
		return not_ip(cursor);
	}
}

/* RFC 1661, RFC 1662: address and control may be there, the protocol may be compressed to one byte (it is odd) */
enum step link_ppp(struct cursor *cursor)
{
	uint16_t protocol;

	if (cursor->left >= 2 && cursor->at[0] == 0xff && cursor->at[1] == 0x03) {
		(void)cursor_take(cursor, 2);
	}
	if (cursor->left == 0 || (cursor->left == 1 && cursor->at[0] == 0xff)) {
		return cut_link(cursor); /* the second: an address without its control */
	}
	protocol = cursor->at[0];
	if ((protocol & 1) == 0) {
		if (cursor->left < 2) {
			return cut_link(cursor);
		}
		protocol = load_be16(cursor->at);
		(void)cursor_take(cursor, 1);
	}
	(void)cursor_take(cursor, 1);
	switch (protocol) {
	case 0x0021:
		return STEP_IPV4;
	case 0x0057:
		return STEP_IPV6;
	case 0x0281:
	case 0x0283:
		return STEP_MPLS;
	default:
		return not_ip(cursor);
	}
}

/* RFC 1547 §4.3.1: address, control, Ethernet type */
enum step link_hdlc(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 4);

	if (h == NULL) {
		return cut_link(cursor);
	}
	cursor->type = load_be16(h + 2);
	return STEP_ETHERTYPE;
}

/* RFC 2516 §4: version and type 1, code 0 (session data), session, length; then PPP without address and control */
enum step link_pppoe(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 6);

	if (h == NULL) {
		return cut_link(cursor);
	}
	return h[0] == 0x11 && h[1] == 0 ? STEP_PPP : not_ip(cursor);
}

/* PPP with HDLC-like framing: address 0xff, or Cisco's */
static enum step ppp_hdlc(struct cursor *cursor)
{
	if (cursor->left == 0) {
		return cut_link(cursor);
	}
	return cursor->at[0] == 0x0f || cursor->at[0] == 0x8f ? STEP_HDLC : STEP_PPP;
}

/* The address family in the byte order of the machine that captured (NULL), or in network order (LOOP). Families of IPv6
 * differ between systems; the version nibble behind says more. */
static enum step loopback(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 4);
	uint32_t family;

	if (h == NULL) {
		return cut_link(cursor);
	}
	family = load_le32(h);
	if (family > 0xffff) {
		family = load_be32(h);
	}
	switch (family) {
	case 2:
		return STEP_IPV4;
	case 10: /* Linux */
	case 23: /* Windows */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		return STEP_IPV6;
	default:
		return not_ip(cursor);
	}
}

/* Types of cooked headers: those of Ethernet, and a few of Linux below them */
static enum step cooked(struct cursor *cursor)
{
	return cursor->type == TYPE_SLL_LLC ? STEP_LLC : STEP_ETHERTYPE;
}

static enum step linux_sll(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 16);

	if (h == NULL) {
		return cut_link(cursor);
	}
	cursor->type = load_be16(h + 14);
	return cooked(cursor);
}

static enum step linux_sll2(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 20);

	if (h == NULL) {
		return cut_link(cursor);
	}
	cursor->type = load_be16(h);
	return cooked(cursor);
}

/*
 * Netfilter's log: family, version, resource; then attributes of length and type, both in the byte order of the machine
 * that captured, padded to 4 bytes. Attribute 9 is the datagram.
 */
static enum step nflog(struct cursor *cursor)
{
	enum { PAYLOAD = 9, ATTRIBUTES_MAX = 32 };
	bool is_swapped;
	unsigned n;

	if (cursor_take(cursor, 4) == NULL || cursor->left < 4) {
		return cut_link(cursor);
	}
	is_swapped = load_le16(cursor->at) > cursor->len && load_be16(cursor->at) <= cursor->len;
	for (n = 0; n < ATTRIBUTES_MAX && cursor->left >= 4; n++) {
		const uint8_t *h = cursor->at;
		uint32_t len = is_swapped ? load_be16(h) : load_le16(h);
		unsigned type = is_swapped ? load_be16(h + 2) : load_le16(h + 2);

		if (len < 4) {
			return not_ip(cursor);
		}
		if ((type & 0x7fff) == PAYLOAD) {
			(void)cursor_take(cursor, 4);
			return STEP_IP;
		}
		if (cursor_take(cursor, (len + 3) & ~3u) == NULL) {
			return cut_link(cursor);
		}
	}
	return cursor->len > 0 ? cut_link(cursor) : not_ip(cursor);
}

/*
 * ARCNET, with Linux's two bytes of offset or as the BSDs write it. RFC 1051's protocols have one byte of header; RFC 1201's have
 * a split flag and a sequence number more. Packets that are split are not put together.
 */
static enum step arcnet(struct cursor *cursor, uint32_t addresses_len)
{
	const uint8_t *h = cursor_take(cursor, addresses_len + 1);
	unsigned protocol;

	if (h == NULL) {
		return cut_link(cursor);
	}
	protocol = h[addresses_len];
	if (protocol == 240) {
		return STEP_IPV4;
	}
	if (protocol != 212 && protocol != 196) {
		return not_ip(cursor);
	}
	h = cursor_take(cursor, 3);
	if (h != NULL && h[0] == 0xff) {
		h = cursor_take(cursor,
				4); /* exception packet: the flag comes again, behind the type */
		h = h == NULL ? NULL : h + 1;
	}
	if (h == NULL) {
		return cut_link(cursor);
	}
	if (h[0] != 0) {
		return not_ip(cursor);
	}
	return protocol == 212 ? STEP_IPV4 : STEP_IPV6;
}

/* A header of n bytes that says nothing to us */
static enum step skip_then(struct cursor *cursor, uint32_t n, enum step next)
{
	return cursor_take(cursor, n) == NULL ? cut_link(cursor) : next;
}

/* Apple's IP over IEEE 1394: two addresses of 8 bytes, then the type */
static enum step firewire(struct cursor *cursor)
{
	const uint8_t *h = cursor_take(cursor, 18);

	if (h == NULL) {
		return cut_link(cursor);
	}
	cursor->type = load_be16(h + 16);
	return STEP_ETHERTYPE;
}

/* Those that are rarely seen */
static enum step start_rare(struct cursor *cursor, uint16_t linktype)
{
	switch (linktype) {
	case LINKTYPE_IEEE802_11:
		return wireless_dot11(cursor);
	case LINKTYPE_RADIOTAP:
		return wireless_radiotap(cursor);
	case LINKTYPE_PPI:
		return wireless_ppi(cursor);
	case LINKTYPE_PRISM:
	case LINKTYPE_AVS:
		return wireless_prism(cursor);
	case LINKTYPE_NFLOG:
		return nflog(cursor);
	case LINKTYPE_ARCNET_BSD:
		return arcnet(cursor, 2);
	case LINKTYPE_ARCNET_LINUX:
		return arcnet(cursor, 4);
	case LINKTYPE_FDDI:
		return skip_then(cursor, 13, STEP_LLC);
	case LINKTYPE_ATM_RFC1483:
		return STEP_LLC;
	case LINKTYPE_ENC: /* OpenBSD's IPsec: family, SPI, flags */
		return skip_then(cursor, 12, STEP_IP);
	case LINKTYPE_APPLE_IP_OVER_IEEE1394:
		return firewire(cursor);
	default:
		return step_end(cursor, LAYERS_BAD, LAYERS_LINKTYPE);
	}
}

enum step link_start(struct cursor *cursor, uint16_t linktype)
{
	switch (linktype) {
	case LINKTYPE_ETHERNET:
		return STEP_ETHERNET;
	case LINKTYPE_NULL:
	case LINKTYPE_LOOP:
		return loopback(cursor);
	case DLT_RAW:
	case DLT_RAW_OPENBSD:
	case LINKTYPE_RAW:
		return STEP_IP;
	case LINKTYPE_IPV4:
		return STEP_IPV4;
	case LINKTYPE_IPV6:
		return STEP_IPV6;
	case LINKTYPE_PPP:
		return STEP_PPP;
	case LINKTYPE_PPP_HDLC:
		return ppp_hdlc(cursor);
	case LINKTYPE_PPP_ETHER:
		return STEP_PPPOE;
	case LINKTYPE_C_HDLC:
		return STEP_HDLC;
	case LINKTYPE_LINUX_SLL:
		return linux_sll(cursor);
	case LINKTYPE_LINUX_SLL2:
		return linux_sll2(cursor);
	default:
		return start_rare(cursor, linktype);
	}
}

bool layers_linktype_known(uint16_t linktype)
{
	struct layers layers = {0};
	struct cursor cursor = {.ret = &layers};

	/* an empty packet of a known linktype is cut, one of an unknown linktype is told as that */
	(void)link_start(&cursor, linktype);
	return layers.reason != LAYERS_LINKTYPE;
}
