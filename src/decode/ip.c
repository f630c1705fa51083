/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv4 (RFC 791) and IPv6 with extension headers (RFC 8200, RFC 4302 for AH).
 *
 * The header's length rules: what a frame holds behind it is padding. A length of 0 (segmentation offload, IPv6 jumbograms)
 * means what was captured, or what the snaplen left of it. A length beyond the frame is believed, like a cut by the snaplen.
 *
 * A bad IPv4 header checksum does not stop decoding: it makes the segment's checksum BAD with reason BAD_IP_CHECKSUM, so
 * that the same policy decides on both (offload leaves both unset). A header checksum of 0 is offload's, not judged.
 */
#include <string.h>

#include "base/wire.h"
#include "decode/checksum.h"
#include "decode/step.h"

enum { IPV4_HEADER = 20, IPV6_HEADER = 40 };

/* Of the IP protocol numbers, those that are looked into */
enum {
	PROTOCOL_HOP_BY_HOP = 0,
	PROTOCOL_TCP = 6,
	PROTOCOL_ROUTING = 43,
	PROTOCOL_FRAGMENT = 44,
	PROTOCOL_AH = 51,
	PROTOCOL_DESTINATION = 60,
	PROTOCOL_MOBILITY = 135,
	PROTOCOL_HIP = 139,
	PROTOCOL_SHIM6 = 140
};

/* A wire length is believed for a datagram of length 0 when the snaplen cut at most this much: BIG TCP goes to 512 KiB */
enum { CUT_MAX = 512 * 1024 };

enum { FRAGMENT_MORE = 0x2000, FRAGMENT_OFFSET = 0x1fff };

static enum step ip_short(struct cursor *cursor, uint32_t n)
{
	return step_short(cursor, n, LAYERS_CUT_IP, LAYERS_BAD_IP);
}

/* The length of a datagram whose header says 0 */
static uint32_t unsaid_len(const struct cursor *cursor)
{
	return cursor->len - cursor->left <= CUT_MAX ? cursor->len : cursor->left;
}

/* Settle the lengths: the datagram at the cursor has `len` bytes. */
static void set_datagram(struct cursor *cursor, uint8_t version, uint32_t len)
{
	struct layers *ret = cursor->ret;

	cursor->len = len;
	if (cursor->left > len) {
		cursor->left = len;
	}
	ret->ip_version = version;
	ret->ip = cursor->at;
	ret->ip_len = len;
	ret->ip_caplen = cursor->left;
	ret->ip_snapped = cursor->left < len;
}

static enum step fragment(struct cursor *cursor, uint32_t header_len)
{
	struct layers *ret = cursor->ret;

	ret->frag_header_len = header_len;
	ret->frag_data = cursor->at;
	ret->frag_len = cursor->len;
	ret->frag_caplen = cursor->left;
	return step_end(cursor, LAYERS_FRAGMENT, (enum layers_reason)ret->reason);
}

/* Is a source route in force (RFC 791 §3.1)? Then the header's destination is the next stop only. */
static bool has_source_route(const uint8_t *at, const uint8_t *end)
{
	while (end - at >= 3 && at[0] != 0) {
		if (at[0] == 1) {
			at++;
			continue;
		}
		if (at[0] == 131 || at[0] == 137) {
			return at[2] <= at[1];
		}
		if (at[1] < 2 || at[1] > end - at) {
			return false;
		}
		at += at[1];
	}
	return false;
}

void ip_v4_verify(const uint8_t *ip, uint32_t header_len, struct layers *ret)
{
	if (load_be16(ip + 10) != 0 && checksum_fold(checksum_add(0, ip, header_len)) != 0xffff) {
		ret->checksum = LAYERS_CHECKSUM_BAD;
		ret->reason = LAYERS_BAD_IP_CHECKSUM;
	}
}

enum step ip_v4(struct cursor *cursor)
{
	struct layers *ret = cursor->ret;
	const uint8_t *ip = cursor->at;
	uint32_t header_len, len, flags;

	if (cursor->left < IPV4_HEADER) {
		return ip_short(cursor, IPV4_HEADER);
	}
	header_len = (uint32_t)(ip[0] & 15) * 4;
	len = load_be16(ip + 2);
	if (len == 0) {
		len = unsaid_len(cursor);
	}
	if (ip[0] >> 4 != 4 || header_len < IPV4_HEADER || len < header_len) {
		return step_end(cursor, LAYERS_BAD, LAYERS_BAD_IP);
	}
	if (cursor->left < header_len) {
		return ip_short(cursor, header_len);
	}
	if (++ret->depth > LAYERS_MAX_DEPTH) {
		return step_end(cursor, LAYERS_BAD, LAYERS_TOO_DEEP);
	}
	set_datagram(cursor, 4, len);
	ret->protocol = ip[9];
	memcpy(ret->src, ip + 12, 4);
	memset(ret->src + 4, 0, 12);
	memcpy(ret->dst, ip + 16, 4);
	memset(ret->dst + 4, 0, 12);
	if (cursor->checksums) {
		ip_v4_verify(ip, header_len, ret);
	}
	if (header_len > IPV4_HEADER) {
		cursor->is_rerouted = has_source_route(ip + IPV4_HEADER, ip + header_len);
	}
	(void)cursor_take(cursor, header_len);
	flags = load_be16(ip + 6);
	if ((flags & (FRAGMENT_MORE | FRAGMENT_OFFSET)) != 0) {
		ret->frag_id = load_be16(ip + 4);
		ret->frag_offset = (flags & FRAGMENT_OFFSET) * 8;
		ret->frag_more = (flags & FRAGMENT_MORE) != 0;
		return fragment(cursor, header_len);
	}
	return ret->protocol == PROTOCOL_TCP ? tcp_segment(cursor) : STEP_PROTOCOL;
}

/* Length of the extension header h (8 bytes are there); 0: it is none */
static uint32_t extension_len(uint8_t protocol, const uint8_t *h)
{
	switch (protocol) {
	case PROTOCOL_HOP_BY_HOP:
	case PROTOCOL_ROUTING:
	case PROTOCOL_DESTINATION:
	case PROTOCOL_MOBILITY:
	case PROTOCOL_HIP:
	case PROTOCOL_SHIM6:
		return (h[1] + 1u) * 8;
	case PROTOCOL_AH:
		return (h[1] + 2u) * 4;
	case PROTOCOL_FRAGMENT:
		return 8;
	default:
		return 0;
	}
}

static bool is_extension(uint8_t protocol)
{
	static const uint8_t any[8] = {0};

	return extension_len(protocol, any) != 0;
}

/* Walk the extension headers from the one at the cursor; ret->protocol is its number. */
static enum step walk_extensions(struct cursor *cursor)
{
	struct layers *ret = cursor->ret;
	unsigned n;

	for (n = 0; n < EXTENSIONS_MAX; n++) {
		const uint8_t *h = cursor->at;
		uint32_t len;

		if (!is_extension(ret->protocol)) {
			return STEP_PROTOCOL;
		}
		if (cursor->left < 8) {
			return ip_short(cursor, 8);
		}
		len = extension_len(ret->protocol, h);
		if (cursor_take(cursor, len) == NULL) {
			return ip_short(cursor, len);
		}
		if (ret->protocol == PROTOCOL_ROUTING && h[3] != 0) {
			/* RFC 8200 §8.1: the checksum has the final destination */
			cursor->is_rerouted = true;
		}
		/* RFC 6946: a fragment header with offset 0 and no more to come is no fragment */
		if (ret->protocol == PROTOCOL_FRAGMENT && (load_be16(h + 2) & 0xfff9) != 0) {
			ret->protocol = h[0];
			ret->frag_id = load_be32(h + 4);
			ret->frag_offset = load_be16(h + 2) & 0xfff8;
			ret->frag_more = h[3] & 1;
			return fragment(cursor, (uint32_t)(h - ret->ip));
		}
		ret->protocol = h[0];
	}
	return step_end(cursor, LAYERS_BAD, LAYERS_TOO_DEEP);
}

enum step ip_v6(struct cursor *cursor)
{
	struct layers *ret = cursor->ret;
	const uint8_t *ip = cursor->at;
	uint32_t len;

	if (cursor->left < IPV6_HEADER) {
		return ip_short(cursor, IPV6_HEADER);
	}
	if (ip[0] >> 4 != 6) {
		return step_end(cursor, LAYERS_BAD, LAYERS_BAD_IP);
	}
	if (++ret->depth > LAYERS_MAX_DEPTH) {
		return step_end(cursor, LAYERS_BAD, LAYERS_TOO_DEEP);
	}
	len = load_be16(ip + 4);
	len = len == 0 ? unsaid_len(cursor) : len + IPV6_HEADER;
	set_datagram(cursor, 6, len);
	ret->protocol = ip[6];
	memcpy(ret->src, ip + 8, 16);
	memcpy(ret->dst, ip + 24, 16);
	(void)cursor_take(cursor, IPV6_HEADER);
	if (ret->protocol == PROTOCOL_TCP) {
		return tcp_segment(cursor);
	}
	return walk_extensions(cursor);
}

enum step ip_any(struct cursor *cursor)
{
	if (cursor->left == 0) {
		return ip_short(cursor, IPV4_HEADER);
	}
	switch (cursor->at[0] >> 4) {
	case 4:
		return STEP_IPV4;
	case 6:
		return STEP_IPV6;
	default:
		return step_end(cursor, LAYERS_BAD, LAYERS_BAD_IP);
	}
}

/* RFC 4302 §2.2: AH in IPv4 (in IPv6 it is walked over as an extension header) */
static enum step authentication(struct cursor *cursor)
{
	const uint8_t *h = cursor->at;
	uint32_t len;

	if (cursor->left < 8) {
		return ip_short(cursor, 8);
	}
	len = (h[1] + 2u) * 4;
	if (cursor_take(cursor, len) == NULL) {
		return ip_short(cursor, len);
	}
	cursor->ret->protocol = h[0];
	return STEP_PROTOCOL;
}

enum step ip_protocol(struct cursor *cursor)
{
	switch (cursor->ret->protocol) {
	case PROTOCOL_TCP:
		return tcp_segment(cursor);
	case PROTOCOL_AH:
		return authentication(cursor);
	default:
		return tunnel_protocol(cursor);
	}
}
