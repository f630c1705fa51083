/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pcapng format: draft-ietf-opsawg-pcapng.
 *
 *   block:   type(4) length(4) body(length - 12) length(4)
 *   section: 0a0d0d0a, byte-order magic, version, then its own interface list (ids from 0)
 *
 * Read: section header (SHB), interface description (IDB), enhanced (EPB), simple (SPB) and obsolete (PB) packet blocks,
 * interface statistics (ISB, drop counters). Everything else is passed over without being held in memory. An interface's
 * index in the input is the number of interfaces described before it, over all sections, so that concatenated files keep
 * theirs apart.
 *
 * Deviations: options that make no sense end the block's options, not the file. The section length is not used: blocks follow
 * each other anyway. The comment, name resolution, secrets and custom blocks are not read yet.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "base/wire.h"
#include "capture/source.h"

enum block_type {
	BLOCK_SHB = 0x0a0d0d0a, /* the same in both byte orders */
	BLOCK_IDB = 1,
	BLOCK_PB = 2,
	BLOCK_SPB = 3,
	BLOCK_ISB = 5,
	BLOCK_EPB = 6
};

enum option_code {
	OPTION_END = 0,
	OPTION_IF_NAME = 2,
	OPTION_IF_TSRESOL = 9,
	OPTION_IF_TSOFFSET = 14,
	OPTION_EPB_DROPCOUNT = 4,
	OPTION_EPB_PACKETID = 5,
	OPTION_ISB_IFDROP = 5,
	OPTION_ISB_OSDROP = 7
};

enum {
	BLOCK_HEAD = 8,
	BLOCK_MIN = 12, /* a block without a body */
	SHB_MIN = 28,
	EPB_BYTES = 28, /* what stands before a packet's bytes */
	EPB_MIN = 32,
	/* a block that must be in memory as a whole: a packet and its options. Longer ones are damage */
	BLOCK_MAX = CAPTURE_MAX_PACKET + (1 << 16),
	NAME_MAX_KEPT = 127, /* bytes of if_name */
	TSRESOL_DEFAULT = 6  /* microseconds */
};

struct file_pcapng_interface {
	char *name; /* NULL: none */
	uint32_t snaplen;
	uint16_t linktype;
	uint8_t tsresol;     /* as in the option: bit 7 = power of 2 */
	uint64_t mul;        /* ns in a unit, when units are 1 ns or longer; else 0 */
	int64_t offset_s;    /* if_tsoffset */
	uint64_t plain_end;  /* of fewer units, ns are units times mul; 0: of none */
	uint64_t drops_isb;  /* latest interface statistics: a running total */
	uint64_t drops_told; /* sum of what packet blocks told */
};

/* A block that is at hand as a whole. */
struct block {
	uint32_t type;
	uint32_t length;
	struct wire body;
};

bool file_pcapng_sniff(struct capture *capture, const uint8_t *p, size_t len)
{
	if (len < 4 || load_le32(p) != BLOCK_SHB) {
		return false;
	}
	/* a file cut before the byte-order magic is told to be cut, anything else there is not pcapng */
	return len < CAPTURE_SNIFF || load_le32(p + 8) == 0x1a2b3c4d ||
	       load_be32(p + 8) == 0x1a2b3c4d;
}

/* ---- fields in the section's byte order ---- */

static inline uint32_t load32(const uint8_t *p, bool swapped)
{
	return swapped ? load_be32(p) : load_le32(p);
}

static inline uint16_t get_u16(struct wire *wire, bool swapped)
{
	const uint8_t *p = wire_bytes(wire, 2);

	return p == NULL ? 0 : swapped ? load_be16(p) : load_le16(p);
}

static inline uint32_t get_u32(struct wire *wire, bool swapped)
{
	const uint8_t *p = wire_bytes(wire, 4);

	return p == NULL ? 0 : load32(p, swapped);
}

static inline uint64_t load64(const uint8_t *p, bool swapped)
{
	return swapped ? load_be64(p) : load_le64(p);
}

/* The next option. false: there is none, or what is there makes no sense. */
static bool next_option(struct wire *wire, bool swapped, uint16_t *code, uint16_t *len,
			const uint8_t **value)
{
	if (wire_left(wire) < 4) {
		return false;
	}
	*code = get_u16(wire, swapped);
	*len = get_u16(wire, swapped);
	*value = wire_bytes(wire, *len);
	if (*code == OPTION_END || *value == NULL) {
		return false;
	}
	/* padding to 4 bytes; the last option may lack it */
	if (!wire_skip(wire, (4 - (*len & 3)) & 3)) {
		wire->failed = false;
		wire->at = wire->end;
	}
	return true;
}

/* ---- time ---- */

/* ns in one unit when that is a whole number, else 0. */
static uint64_t whole_ns(uint8_t tsresol)
{
	uint64_t ns = 1;
	unsigned i;

	if (tsresol == 0x80) {
		return NS_PER_S;
	}
	if (tsresol > 9) {
		return 0;
	}
	for (i = tsresol; i < 9; i++) {
		ns *= 10;
	}
	return ns;
}

/* Units of an interface since the epoch -> ns, for any value and resolution; clamped. */
static int64_t time_of(const struct file_pcapng_interface *interface, uint64_t units)
{
	__extension__ typedef __int128 wide;
	wide ns;
	unsigned i;

	if (units < interface->plain_end) {
		return (int64_t)(units * interface->mul);
	}
	if (interface->mul != 0) {
		ns = (wide)units * (wide)interface->mul;
	} else if (interface->tsresol & 0x80) {
		/* units * 10^9 < 2^94: larger shifts give 0 */
		i = interface->tsresol & 0x7f;
		ns = i < 96 ? ((wide)units * NS_PER_S) >> i : 0;
	} else {
		ns = units;
		for (i = 9; i < interface->tsresol && ns > 0; i++) {
			ns /= 10;
		}
	}
	ns += (wide)interface->offset_s * NS_PER_S;
	if (ns > CAPTURE_MAX_TS_NS) {
		return CAPTURE_MAX_TS_NS;
	}
	return ns < -CAPTURE_MAX_TS_NS ? -CAPTURE_MAX_TS_NS : (int64_t)ns;
}

/* ---- blocks that describe ---- */

static void parse_idb_options(struct file_pcapng_interface *interface, struct wire *wire,
			      bool swapped)
{
	const uint8_t *value;
	uint16_t code, len;

	while (next_option(wire, swapped, &code, &len, &value)) {
		if (code == OPTION_IF_TSRESOL && len >= 1) {
			interface->tsresol = value[0];
		} else if (code == OPTION_IF_TSOFFSET && len >= 8) {
			interface->offset_s = (int64_t)load64(value, swapped);
		} else if (code == OPTION_IF_NAME && interface->name == NULL) {
			/* no memory: the interface goes without a name */
			interface->name = strndup((const char *)value,
						  len < NAME_MAX_KEPT ? len : NAME_MAX_KEPT);
		}
	}
	interface->mul = whole_ns(interface->tsresol);
	if (interface->mul != 0 && interface->offset_s == 0) {
		interface->plain_end = (uint64_t)CAPTURE_MAX_TS_NS / interface->mul + 1;
	}
}

static void parse_idb(struct capture *capture, struct block *block)
{
	struct file_pcapng *ng = &capture->u.pcapng;
	struct file_pcapng_interface interface = {.tsresol = TSRESOL_DEFAULT};

	interface.linktype = get_u16(&block->body, ng->swapped);
	(void)wire_skip(&block->body, 2);
	interface.snaplen = get_u32(&block->body, ng->swapped);
	if (!wire_ok(&block->body)) {
		capture_damaged(capture, "%" PRIu32 " bytes are too few", block->length);
		return;
	}
	if (ng->ninterfaces == CAPTURE_MAX_INTERFACES) {
		capture_damaged(capture, "more than %d interfaces", CAPTURE_MAX_INTERFACES);
		return;
	}
	if (ng->ninterfaces == ng->capacity) {
		uint32_t capacity = ng->capacity == 0 ? 4 : ng->capacity * 2;
		void *p = realloc(ng->interfaces, capacity * sizeof(interface));

		if (p == NULL) {
			capture_fail(capture, WEIR_ENOMEM, "cannot be read on: out of memory");
			return;
		}
		ng->interfaces = p;
		ng->capacity = capacity;
	}
	parse_idb_options(&interface, &block->body, ng->swapped);
	ng->interfaces[ng->ninterfaces++] = interface;
}

/* The section's interface of this id; NULL: not described. */
static struct file_pcapng_interface *interface_of(struct file_pcapng *ng, uint32_t id)
{
	return id < ng->ninterfaces - ng->base ? &ng->interfaces[ng->base + id] : NULL;
}

static uint64_t drops_of(const struct file_pcapng_interface *interface)
{
	/* the same losses, told twice: the larger figure is the complete one */
	return interface->drops_isb > interface->drops_told ? interface->drops_isb
							    : interface->drops_told;
}

static void parse_isb(struct capture *capture, struct block *block)
{
	struct file_pcapng *ng = &capture->u.pcapng;
	struct file_pcapng_interface *interface;
	const uint8_t *value;
	uint16_t code, len;
	uint64_t drops = 0;

	interface = interface_of(ng, get_u32(&block->body, ng->swapped));
	if (!wire_skip(&block->body, 8) || interface == NULL) {
		return; /* statistics of nothing: not worth ending the file */
	}
	while (next_option(&block->body, ng->swapped, &code, &len, &value)) {
		if ((code == OPTION_ISB_IFDROP || code == OPTION_ISB_OSDROP) && len >= 8) {
			uint64_t n = load64(value, ng->swapped);

			drops = drops + n < drops ? UINT64_MAX : drops + n;
		}
	}
	capture->stats.drops -= drops_of(interface);
	interface->drops_isb = drops;
	capture->stats.drops += drops_of(interface);
}

/* ---- packets ---- */

static void add_drops(struct capture *capture, struct file_pcapng_interface *interface, uint64_t n)
{
	capture->stats.drops -= drops_of(interface);
	interface->drops_told =
		interface->drops_told + n < n ? UINT64_MAX : interface->drops_told + n;
	capture->stats.drops += drops_of(interface);
}

static void parse_epb_options(struct capture *capture, struct file_pcapng_interface *interface,
			      struct block *block)
{
	bool swapped = capture->u.pcapng.swapped;
	const uint8_t *value;
	uint16_t code, len;

	while (next_option(&block->body, swapped, &code, &len, &value)) {
		if (code == OPTION_EPB_DROPCOUNT && len >= 8) {
			add_drops(capture, interface, load64(value, swapped));
		} else if (code == OPTION_EPB_PACKETID && len >= 8 && capture->own_numbers) {
			capture->u.pcapng.number = load64(value, swapped);
		}
	}
}

static void add_packet(struct capture *capture, struct capture_batch *batch, uint32_t id,
		       const uint8_t *data, uint32_t caplen, uint32_t wirelen)
{
	struct file_pcapng *ng = &capture->u.pcapng;

	capture->stats.packets++;
	ng->number++;
	batch->packets[batch->npackets++] = (struct weir_packet){
		.data = data,
		.ts_ns = ng->last_ts_ns,
		.number = ng->number,
		.caplen = caplen,
		.wirelen = wirelen,
		.linktype = ng->interfaces[ng->base + id].linktype,
		.interface = (uint16_t)(ng->base + id),
		.input = capture->index,
		.drops = capture_new_drops(capture),
	};
}

/* EPB: id(4) time(8) captured(4) wire(4) bytes; PB: id(2) drops(2) and the same from there. */
static void parse_epb(struct capture *capture, struct capture_batch *batch, struct block *block)
{
	struct file_pcapng *ng = &capture->u.pcapng;
	struct file_pcapng_interface *interface;
	const uint8_t *p = wire_bytes(&block->body, 20);
	const uint8_t *data;
	uint32_t id, caplen, drops = 0;

	if (p == NULL) {
		capture_damaged(capture, "%" PRIu32 " bytes are too few", block->length);
		return;
	}
	id = load32(p, ng->swapped);
	if (block->type == BLOCK_PB) {
		id = ng->swapped ? load_be16(p) : load_le16(p);
		drops = ng->swapped ? load_be16(p + 2) : load_le16(p + 2);
	}
	caplen = load32(p + 12, ng->swapped);
	interface = interface_of(ng, id);
	if (interface == NULL) {
		capture_damaged(capture, "its interface %" PRIu32 " has not been described", id);
		return;
	}
	data = wire_bytes(&block->body, caplen);
	if (data == NULL || caplen > CAPTURE_MAX_PACKET) {
		capture_damaged(capture, "it claims %" PRIu32 " bytes in a block of %" PRIu32,
				caplen, block->length);
		return;
	}
	ng->last_ts_ns = time_of(interface, (uint64_t)load32(p + 4, ng->swapped) << 32 |
						    load32(p + 8, ng->swapped));
	add_packet(capture, batch, id, data, caplen, load32(p + 16, ng->swapped));
	if (drops != 0 && drops != 0xffff) { /* 0xffff: not known */
		add_drops(capture, interface, drops);
	}
	if (block->type == BLOCK_EPB && wire_left(&block->body) >= 4) {
		(void)wire_skip(&block->body, (4 - (caplen & 3)) & 3);
		parse_epb_options(capture, interface, block);
	}
	batch->packets[batch->npackets - 1].number = ng->number;
	batch->packets[batch->npackets - 1].drops += capture_new_drops(capture);
}

/* SPB: wire(4) bytes; of the section's first interface, cut by its snaplen. */
static void parse_spb(struct capture *capture, struct capture_batch *batch, struct block *block)
{
	struct file_pcapng *ng = &capture->u.pcapng;
	const struct file_pcapng_interface *interface = interface_of(ng, 0);
	uint32_t wirelen = get_u32(&block->body, ng->swapped);
	uint32_t caplen = wirelen;

	if (!wire_ok(&block->body)) {
		capture_damaged(capture, "%" PRIu32 " bytes are too few", block->length);
		return;
	}
	if (interface == NULL) {
		capture_damaged(capture, "its interface 0 has not been described");
		return;
	}
	if (interface->snaplen != 0 && caplen > interface->snaplen) {
		caplen = interface->snaplen;
	}
	if (caplen > wire_left(&block->body) || caplen > CAPTURE_MAX_PACKET) {
		capture_damaged(capture, "it claims %" PRIu32 " bytes in a block of %" PRIu32,
				caplen, block->length);
		return;
	}
	add_packet(capture, batch, 0, block->body.at, caplen, wirelen);
}

/* ---- blocks ---- */

static const char *block_name(uint32_t type)
{
	switch (type) {
	case BLOCK_SHB:
		return "a section header";
	case BLOCK_IDB:
		return "an interface description";
	case BLOCK_EPB:
	case BLOCK_PB:
	case BLOCK_SPB:
		return "packet";
	case BLOCK_ISB:
		return "interface statistics";
	default:
		return "a block";
	}
}

/* A section header sets the byte order, also of its own length: look before anything else is read. */
static bool open_section(struct capture *capture, const struct capture_span *span)
{
	struct file_pcapng *ng = &capture->u.pcapng;
	const uint8_t *p = span->at;
	uint16_t major;

	if (capture_span_left(span) < 16) {
		capture_want(capture, span, "a section header", SHB_MIN);
		return false;
	}
	ng->swapped = load_be32(p + 8) == 0x1a2b3c4d;
	major = ng->swapped ? load_be16(p + 12) : load_le16(p + 12);
	if (!ng->swapped && load_le32(p + 8) != 0x1a2b3c4d) {
		capture_damaged(capture, "its byte order is not told");
		return false;
	}
	if (major != 1) {
		capture_damaged(capture, "version %u of the pcapng format is not known", major);
		return false;
	}
	if (load32(p + 4, ng->swapped) < SHB_MIN) {
		capture_damaged(capture, "%" PRIu32 " bytes are too few",
				load32(p + 4, ng->swapped));
		return false;
	}
	ng->base = ng->ninterfaces;
	return true;
}

/* Pass over the body of a block without needing it in memory. */
static void pass_over(struct capture *capture, struct capture_span *span, uint32_t length)
{
	struct file_pcapng *ng = &capture->u.pcapng;

	capture->item.need = length;
	ng->skip = length - BLOCK_MIN;
	ng->trailer = length;
	span->at += BLOCK_HEAD;
}

/* The rest of a block that is passed over. false: more bytes are wanted, or damage */
static bool parse_passed(struct capture *capture, struct capture_span *span)
{
	struct file_pcapng *ng = &capture->u.pcapng;
	size_t left = capture_span_left(span);
	size_t n = left < ng->skip ? left : (size_t)ng->skip;

	/* capture->item still says where the block began */
	span->at += n;
	ng->skip -= n;
	if (capture_span_left(span) < 4) {
		return false;
	}
	if (load32(span->at, ng->swapped) != ng->trailer) {
		capture_damaged(capture, "its two lengths are %" PRIu32 " and %" PRIu32,
				ng->trailer, load32(span->at, ng->swapped));
		return false;
	}
	span->at += 4;
	ng->trailer = 0;
	capture->item.need = 0;
	return true;
}

static void parse_whole(struct capture *capture, struct capture_batch *batch, struct block *block)
{
	switch (block->type) {
	case BLOCK_IDB:
		parse_idb(capture, block);
		break;
	case BLOCK_ISB:
		parse_isb(capture, block);
		break;
	case BLOCK_SPB:
		parse_spb(capture, batch, block);
		break;
	default:
		parse_epb(capture, batch, block);
		break;
	}
}

/* One block that begins at span->at. false: more bytes are wanted, or damage */
static bool parse_block(struct capture *capture, struct capture_batch *batch,
			struct capture_span *span)
{
	struct file_pcapng *ng = &capture->u.pcapng;
	const uint8_t *p = span->at;
	size_t left = capture_span_left(span);
	struct block block;

	if (left < BLOCK_HEAD) {
		capture_want(capture, span, "a block", BLOCK_MIN);
		return false;
	}
	capture_want(capture, span, "a section header", 0);
	if (load_le32(p) == BLOCK_SHB && !open_section(capture, span)) {
		return false;
	}
	block.type = load32(p, ng->swapped);
	block.length = load32(p + 4, ng->swapped);
	capture->item.what = block_name(block.type);
	if (block.length < BLOCK_MIN || (block.length & 3) != 0) {
		capture_damaged(capture, "a block of %" PRIu32 " bytes cannot be", block.length);
		return false;
	}
	if (block.type != BLOCK_IDB && block.type != BLOCK_ISB && block.type != BLOCK_PB &&
	    block.type != BLOCK_SPB && block.type != BLOCK_EPB) {
		pass_over(capture, span, block.length);
		return true;
	}
	if (block.length > BLOCK_MAX) {
		capture_damaged(capture, "a block of %" PRIu32 " bytes (at most %d are possible)",
				block.length, BLOCK_MAX);
		return false;
	}
	if (left < block.length) {
		capture->item.need = block.length;
		return false;
	}
	if (load32(p + block.length - 4, ng->swapped) != block.length) {
		capture_damaged(capture, "its two lengths are %" PRIu32 " and %" PRIu32,
				block.length, load32(p + block.length - 4, ng->swapped));
		return false;
	}
	wire_init(&block.body, p + BLOCK_HEAD, block.length - BLOCK_MIN);
	parse_whole(capture, batch, &block);
	if (capture->error != 0) {
		return false;
	}
	span->at += block.length;
	return true;
}

/*
 * The hot loop: what nearly all blocks are, packets in our byte order without options, of interfaces that count whole ns.
 * It stops at the first block that is something else, or not whole.
 */
static void parse_plain(struct capture *capture, struct capture_batch *batch,
			struct capture_span *span)
{
	struct file_pcapng *ng = &capture->u.pcapng;
	const uint8_t *p = span->at;

	while (batch->npackets < batch->max_packets && (size_t)(span->end - p) >= EPB_MIN &&
	       load_le32(p) == BLOCK_EPB) {
		uint32_t length = load_le32(p + 4);
		uint32_t caplen = load_le32(p + 20);
		uint64_t units = (uint64_t)load_le32(p + 12) << 32 | load_le32(p + 16);
		const struct file_pcapng_interface *interface = interface_of(ng, load_le32(p + 8));

		if (caplen > CAPTURE_MAX_PACKET || length != EPB_MIN + ((caplen + 3) & ~3u) ||
		    (size_t)(span->end - p) < length || load_le32(p + length - 4) != length ||
		    interface == NULL || units >= interface->plain_end) {
			break;
		}
		ng->last_ts_ns = (int64_t)(units * interface->mul);
		add_packet(capture, batch, load_le32(p + 8), p + EPB_BYTES, caplen,
			   load_le32(p + 24));
		p += length;
		capture->item.need = 0;
	}
	span->at = p;
}

static void parse(struct capture *capture, struct capture_batch *batch, struct capture_span *span)
{
	struct file_pcapng *ng = &capture->u.pcapng;

	while (batch->npackets < batch->max_packets && span->at < span->end) {
		if (ng->trailer == 0 && !ng->swapped) {
			parse_plain(capture, batch, span);
			if (batch->npackets == batch->max_packets || span->at == span->end) {
				return;
			}
		}
		/* a block that is passed over may have begun in an earlier span */
		if (ng->trailer != 0) {
			if (!parse_passed(capture, span)) {
				return;
			}
			continue;
		}
		if (!parse_block(capture, batch, span)) {
			return;
		}
	}
}

static const char *interface_name(const struct capture *capture, uint16_t interface)
{
	const struct file_pcapng *ng = &capture->u.pcapng;

	return interface < ng->ninterfaces ? ng->interfaces[interface].name : NULL;
}

static void fini(struct capture *capture)
{
	struct file_pcapng *ng = &capture->u.pcapng;
	uint32_t i;

	for (i = 0; i < ng->ninterfaces; i++) {
		free(ng->interfaces[i].name);
	}
	free(ng->interfaces);
}

const struct capture_format file_pcapng_format = {
	.parse = parse,
	.interface_name = interface_name,
	.fini = fini,
};
