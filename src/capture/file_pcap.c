/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pcap format: draft-ietf-opsawg-pcap, and what is found in the field beside it.
 *
 *   file:   magic(4) major(2) minor(2) zone(4) sigfigs(4) snaplen(4) fcs|reserved|linktype(4)   then records:
 *   record: seconds(4) fraction(4) captured(4) wire(4) [modified: ifindex(4) protocol(2) type(1) pad(1)]   then bytes
 *
 * Magic a1b2c3d4 counts microseconds, a1b23c4d nanoseconds, a1b2cd34 is the "modified" format of patched libpcaps with
 * 24-byte record headers. Each in either byte order. Seconds are unsigned (times until 2106). A fraction of a second or more
 * is added as it stands.
 *
 * Deviations: the fields beside the linktype are ignored, whatever they hold (libpcap refuses some). A record may be longer
 * than the file's snaplen (up to 256 KiB, libpcap's own limit, as tshark takes them).
 */
#include <inttypes.h>

#include "base/time.h"
#include "base/wire.h"
#include "capture/source.h"

enum {
	FILE_HEAD = 24,
	RECORD_HEAD = 16,
	RECORD_HEAD_MODIFIED = 24,
	USUAL_MAX_PACKET = 262144 /* libpcap's MAXIMUM_SNAPLEN */
};

#define MAGIC_US       0xa1b2c3d4u
#define MAGIC_NS       0xa1b23c4du
#define MAGIC_MODIFIED 0xa1b2cd34u

bool file_pcap_sniff(struct capture *capture, const uint8_t *p, size_t len)
{
	struct file_pcap *pcap = &capture->u.pcap;
	uint32_t magic;

	if (len < 4) {
		return false;
	}
	magic = load_le32(p);
	pcap->swapped = magic != MAGIC_US && magic != MAGIC_NS && magic != MAGIC_MODIFIED;
	if (pcap->swapped) {
		magic = load_be32(p);
	}
	if (magic != MAGIC_US && magic != MAGIC_NS && magic != MAGIC_MODIFIED) {
		return false;
	}
	pcap->record_head = magic == MAGIC_MODIFIED ? RECORD_HEAD_MODIFIED : RECORD_HEAD;
	pcap->frac_ns = magic == MAGIC_NS ? 1 : NS_PER_US;
	return true;
}

static inline uint32_t load32(const uint8_t *p, bool swapped)
{
	return swapped ? load_be32(p) : load_le32(p);
}

static bool parse_file_head(struct capture *capture, struct capture_span *span)
{
	struct file_pcap *pcap = &capture->u.pcap;
	const uint8_t *p = span->at;
	uint16_t major;
	uint32_t snaplen;

	if (capture_span_left(span) < FILE_HEAD) {
		capture_want(capture, span, "the file header", FILE_HEAD);
		return false;
	}
	major = pcap->swapped ? load_be16(p + 4) : load_le16(p + 4);
	pcap->minor = pcap->swapped ? load_be16(p + 6) : load_le16(p + 6);
	if (major != 2) {
		capture_want(capture, span, "the file header", 0);
		capture_damaged(capture, "version %u.%u of the pcap format is not known", major,
				pcap->minor);
		return false;
	}
	snaplen = load32(p + 16, pcap->swapped);
	pcap->max_bytes = snaplen > CAPTURE_MAX_PACKET ? CAPTURE_MAX_PACKET
			  : snaplen > USUAL_MAX_PACKET ? snaplen
						       : USUAL_MAX_PACKET;
	/* bits 16-27 are reserved, 28-31 tell the length of the frame check sequence, which decoding by IP length ignores */
	pcap->linktype = (uint16_t)(load32(p + 20, pcap->swapped) & 0xffff);
	pcap->has_header = true;
	span->at += FILE_HEAD;
	return true;
}

/* Before version 2.4 some writers exchanged the two lengths. */
static void order_lengths(const struct file_pcap *pcap, uint32_t *caplen, uint32_t *wirelen)
{
	if (pcap->minor < 3 || (pcap->minor == 3 && *caplen > *wirelen)) {
		uint32_t len = *caplen;

		*caplen = *wirelen;
		*wirelen = len;
	}
}

/* The hot loop; `swapped` is a constant where it is called. */
static inline void parse_records(struct capture *capture, struct capture_batch *batch,
				 struct capture_span *span, bool swapped)
{
	const struct file_pcap *pcap = &capture->u.pcap;
	const uint8_t *p = span->at;
	size_t left = capture_span_left(span);
	size_t head = pcap->record_head;
	uint64_t number = capture->stats.packets;
	struct weir_packet *packet = batch->packets + batch->npackets;
	struct weir_packet *last = batch->packets + batch->max_packets;
	uint32_t caplen = 0;
	size_t need = 0;

	while (packet < last) {
		uint32_t wirelen;

		need = left > 0 ? head : 0;
		if (left < head || left == 0) {
			break;
		}
		caplen = load32(p + 8, swapped);
		wirelen = load32(p + 12, swapped);
		if (pcap->minor < 4) {
			order_lengths(pcap, &caplen, &wirelen);
		}
		need = head + caplen;
		if (caplen > pcap->max_bytes || left < need) {
			break;
		}
		*packet = (struct weir_packet){
			.data = p + head,
			.ts_ns = (int64_t)load32(p, swapped) * NS_PER_S +
				 (int64_t)load32(p + 4, swapped) * pcap->frac_ns,
			.number = number + 1,
			.caplen = caplen,
			.wirelen = wirelen,
			.linktype = pcap->linktype,
			.input = capture->index,
		};
		number++;
		packet++;
		p += need;
		left -= need;
		need = 0;
	}
	batch->npackets = (size_t)(packet - batch->packets);
	capture->stats.packets = number;
	span->at = p;
	capture_want(capture, span, "packet", need);
	if (caplen > pcap->max_bytes) {
		capture_damaged(capture,
				"it claims %" PRIu32 " bytes (at most %" PRIu32 " are possible)",
				caplen, pcap->max_bytes);
	}
}

static void parse(struct capture *capture, struct capture_batch *batch, struct capture_span *span)
{
	if (!capture->u.pcap.has_header && !parse_file_head(capture, span)) {
		return;
	}
	if (capture->u.pcap.swapped) {
		parse_records(capture, batch, span, true);
	} else {
		parse_records(capture, batch, span, false);
	}
}

const struct capture_format file_pcap_format = {
	.parse = parse,
};
