/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TCP header and its options (RFC 9293 §3.1, RFC 7323, RFC 2018, RFC 7413).
 *
 * An option whose length is below 2 or runs beyond the header ends the parsing of options: the segment is good. A known
 * option of an unusual length is passed over, as receivers do.
 */
#include <string.h>

#include "base/wire.h"
#include "decode/checksum.h"
#include "decode/plain.h"
#include "decode/step.h"

enum { TCP_HEADER = 20, IP_PROTOCOL_TCP = 6 };

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	OPTION_WSCALE = 3,
	OPTION_SACK_PERMITTED = 4,
	OPTION_SACK = 5,
	OPTION_TS = 8,
	OPTION_TFO = 34,
	OPTION_EXPERIMENT = 254,
	TFO_MAGIC = 0xf989 /* RFC 7413 §4.1.1 over RFC 6994 */
};

enum { WSCALE_MAX = 14, SACK_MAX = 4 };

static void parse_sack(struct layers *ret, const uint8_t *data, unsigned len)
{
	unsigned i;

	for (i = 0; i < SACK_MAX && i * 8 + 8 <= len; i++) {
		ret->sack[i * 2] = load_be32(data + i * 8);
		ret->sack[i * 2 + 1] = load_be32(data + i * 8 + 4);
	}
	ret->nsack = (uint8_t)i;
}

/* RFC 7323 §2.3: a larger shift is taken as 14 */
static uint8_t scale_of(uint8_t shift)
{
	return shift > WSCALE_MAX ? WSCALE_MAX : shift;
}

/* One option; len is that of its data, without kind and length. */
static void parse_option(struct layers *ret, unsigned kind, const uint8_t *data, unsigned len)
{
	switch (kind) {
	case OPTION_MSS:
		if (len == 2) {
			ret->has_mss = 1;
			ret->mss = load_be16(data);
		}
		break;
	case OPTION_WSCALE:
		if (len == 1) {
			ret->has_wscale = 1;
			ret->wscale = scale_of(data[0]);
		}
		break;
	case OPTION_SACK_PERMITTED:
		ret->sack_permitted |= len == 0;
		break;
	case OPTION_SACK:
		parse_sack(ret, data, len);
		break;
	case OPTION_TS:
		if (len == 8) {
			ret->has_ts = 1;
			ret->tsval = load_be32(data);
			ret->tsecr = load_be32(data + 4);
		}
		break;
	case OPTION_TFO:
		ret->has_tfo = 1;
		break;
	case OPTION_EXPERIMENT:
		ret->has_tfo |= len >= 2 && load_be16(data) == TFO_MAGIC;
		break;
	default:
		break;
	}
}

/* MSS, SACK permitted, timestamps, NOP, window scale: what most systems begin with, in this order. */
static bool is_usual_syn(const uint8_t *at, const uint8_t *end)
{
	return end - at == 20 && load_be16(at) == 0x0204 && load_be32(at + 4) == 0x0402080a &&
	       load_be32(at + 16) >> 8 == 0x010303;
}

static void take_usual_syn(struct layers *ret, const uint8_t *at)
{
	ret->has_ts = 1;
	ret->has_mss = 1;
	ret->has_wscale = 1;
	ret->sack_permitted = 1;
	ret->wscale = scale_of(at[19]);
	ret->mss = load_be16(at + 2);
	ret->tsval = load_be32(at + 8);
	ret->tsecr = load_be32(at + 12);
}

void tcp_options(const uint8_t *at, const uint8_t *end, struct layers *ret)
{
	if (is_usual_syn(at, end)) {
		take_usual_syn(ret, at);
		return;
	}
	while (at < end) {
		unsigned kind = at[0];
		unsigned len;

		if (kind == OPTION_NOP) {
			at++;
			continue;
		}
		if (kind == OPTION_END || end - at < 2) {
			return;
		}
		len = at[1];
		if (len < 2 || len > (size_t)(end - at)) {
			return;
		}
		parse_option(ret, kind, at + 2, len - 2);
		at += len;
	}
}

/*
 * RFC 9293 §3.1: over the pseudo-header and the segment, all of which was captured.
 *
 * A sender that leaves the checksum to its network card puts the sum of the pseudo-header into the field (Linux's
 * CHECKSUM_PARTIAL), which is what a capture on that host, or on a veth, shows. One such segment in 65,536 is right by
 * chance. It says nothing about its direction, and believing it would turn all the others into bad ones.
 */
static enum layers_checksum verify(struct layers *ret, const uint8_t *tcp, uint32_t len)
{
	uint64_t sum = 0, payload;
	uint16_t pseudo;

	if (ret->ip_version == 4) {
		sum = checksum_add(checksum_add(sum, ret->src, 4), ret->dst, 4);
	} else {
		sum = checksum_add(checksum_add(sum, ret->src, 16), ret->dst, 16);
	}
	sum = checksum_add_u16(sum, IP_PROTOCOL_TCP);
	/* a super-segment's length has more than 16 bits */
	sum = checksum_add_u16(sum, (uint16_t)len);
	sum = checksum_add_u16(sum, (uint16_t)(len >> 16));
	pseudo = checksum_fold(sum);
	sum = checksum_add(sum, tcp, ret->header_len);
	payload = checksum_add(0, tcp + ret->header_len, len - ret->header_len);
	ret->payload_sum = checksum_fold(payload);
	ret->payload_sum = ret->payload_sum != 0 ? ret->payload_sum : 0xffff;
	if (checksum_fold(sum + payload) != 0xffff) {
		return LAYERS_CHECKSUM_BAD;
	}
	return load_le16(tcp + 16) == pseudo ? LAYERS_CHECKSUM_UNKNOWN : LAYERS_CHECKSUM_GOOD;
}

void tcp_verify(const uint8_t *tcp, uint32_t len, struct layers *ret)
{
	if (ret->checksum == LAYERS_CHECKSUM_UNKNOWN) {
		ret->checksum = (uint8_t)verify(ret, tcp, len);
	}
}

void plain_verify(const uint8_t *ip, const uint8_t *tcp, uint32_t len, struct layers *ret)
{
	ip_v4_verify(ip, PLAIN_IPV4, ret);
	tcp_verify(tcp, len, ret);
}

enum step tcp_segment(struct cursor *cursor)
{
	struct layers *ret = cursor->ret;
	const uint8_t *tcp = cursor->at;
	uint32_t header_len;

	if (cursor->left < TCP_HEADER) {
		return step_short(cursor, TCP_HEADER, LAYERS_CUT_TCP, LAYERS_BAD_TCP);
	}
	header_len = (uint32_t)(tcp[12] >> 4) * 4;
	if (header_len < TCP_HEADER) {
		return step_end(cursor, LAYERS_BAD, LAYERS_BAD_TCP);
	}
	if (cursor->left < header_len) {
		return step_short(cursor, header_len, LAYERS_CUT_TCP, LAYERS_BAD_TCP);
	}
	tcp_header(tcp, header_len, cursor->len, cursor->left, ret);
	if (cursor->checksums && cursor->left == cursor->len && !cursor->is_rerouted) {
		tcp_verify(tcp, cursor->len, ret);
	}
	return step_end(cursor, LAYERS_TCP, (enum layers_reason)ret->reason);
}
