/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IEEE 802.11 data frames, bare or behind the headers that capture drivers put before them: radiotap, PPI, Prism, AVS.
 *
 * Only what carries LLC in the clear is looked into: no protected frames, no fragments of frames. Of an A-MSDU the first
 * subframe is decoded. A checksum at the end of the frame does not matter: the IP header has the length.
 */
#include "base/wire.h"
#include "decode/step.h"

enum {
	FC_TYPE = 0x0c, /* first byte of frame control */
	FC_TYPE_DATA = 0x08,
	FC_NO_DATA = 0x40,
	FC_QOS = 0x80,
	FC_TO_DS = 0x01, /* second byte */
	FC_FROM_DS = 0x02,
	FC_MORE_FRAGMENTS = 0x04,
	FC_PROTECTED = 0x40,
	FC_ORDER = 0x80,
	QOS_AMSDU = 0x80,
	RADIOTAP_TSFT = 0x01,
	RADIOTAP_FLAGS = 0x02,
	RADIOTAP_FLAG_PAD = 0x20, /* the 802.11 header is padded to 4 bytes */
	PRISM_HEADER = 144
};

static enum step cut_link(struct cursor *cursor)
{
	return step_end(cursor, LAYERS_BAD, LAYERS_CUT_LINK);
}

static enum step not_ip(struct cursor *cursor)
{
	return step_end(cursor, LAYERS_NOT_IP, LAYERS_OK);
}

/* IEEE 802.11 §9.2 and §9.3.2: the header's length goes by its own flags */
static enum step data_frame(struct cursor *cursor, bool is_padded)
{
	const uint8_t *h = cursor->at;
	uint32_t len = 24;
	bool is_amsdu = false;

	if (cursor->left < 2) {
		return cut_link(cursor);
	}
	if ((h[0] & FC_TYPE) != FC_TYPE_DATA || (h[0] & (FC_NO_DATA | 3)) != 0 ||
	    (h[1] & (FC_PROTECTED | FC_MORE_FRAGMENTS)) != 0) {
		return not_ip(cursor);
	}
	if ((h[1] & (FC_TO_DS | FC_FROM_DS)) == (FC_TO_DS | FC_FROM_DS)) {
		len += 6; /* the fourth address */
	}
	if ((h[0] & FC_QOS) != 0) {
		if (cursor->left < len + 2) {
			return cut_link(cursor);
		}
		is_amsdu = (h[len] & QOS_AMSDU) != 0;
		len += (h[1] & FC_ORDER) != 0 ? 6 : 2; /* with the HT control field */
	}
	if (is_padded) {
		len = (len + 3) & ~3u;
	}
	if (is_amsdu) {
		len += 14; /* the first subframe's addresses and length */
	}
	if (cursor_take(cursor, len) == NULL) {
		return cut_link(cursor);
	}
	/* a later fragment of the frame has no LLC header */
	return (h[22] & 0x0f) != 0 ? not_ip(cursor) : STEP_LLC;
}

enum step wireless_dot11(struct cursor *cursor)
{
	return data_frame(cursor, false);
}

/* Does radiotap's flags field tell of padding? h: len bytes, at least 8 */
static bool radiotap_is_padded(const uint8_t *h, uint32_t len)
{
	uint32_t present = load_le32(h + 4);
	uint32_t last = present;
	uint32_t at = 8;

	while ((last >> 31) != 0 && at + 4 <= len) {
		last = load_le32(h + at);
		at += 4;
	}
	if ((present & RADIOTAP_TSFT) != 0) {
		at = ((at + 7) & ~7u) + 8;
	}
	return (present & RADIOTAP_FLAGS) != 0 && at < len && (h[at] & RADIOTAP_FLAG_PAD) != 0;
}

enum step wireless_radiotap(struct cursor *cursor)
{
	const uint8_t *h = cursor->at;
	uint32_t len;

	if (cursor->left < 8) {
		return cut_link(cursor);
	}
	len = load_le16(h + 2);
	if (len < 8 || cursor_take(cursor, len) == NULL) {
		return cut_link(cursor);
	}
	return data_frame(cursor, radiotap_is_padded(h, len));
}

/* PPI: its own length, then the linktype of what follows */
enum step wireless_ppi(struct cursor *cursor)
{
	const uint8_t *h = cursor->at;
	uint32_t len, linktype;

	if (cursor->left < 8) {
		return cut_link(cursor);
	}
	len = load_le16(h + 2);
	linktype = load_le32(h + 4);
	if (len < 8 || cursor_take(cursor, len) == NULL) {
		return cut_link(cursor);
	}
	if (linktype > UINT16_MAX) {
		return not_ip(cursor);
	}
	cursor->type = (uint16_t)linktype;
	return STEP_LINK;
}

/* Prism's header has a fixed length; drivers write AVS headers under its linktype too (they begin with a magic) */
enum step wireless_prism(struct cursor *cursor)
{
	uint32_t len = PRISM_HEADER;

	if (cursor->left < 8) {
		return cut_link(cursor);
	}
	if ((load_be32(cursor->at) & 0xfffff000) == 0x80211000) {
		len = load_be32(cursor->at + 4);
	}
	if (len < 8 || cursor_take(cursor, len) == NULL) {
		return cut_link(cursor);
	}
	return data_frame(cursor, false);
}
