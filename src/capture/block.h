/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocks of a pcapng file (draft-ietf-opsawg-pcapng) that are being written, in the machine's byte order. Private to what
 * writes packets: -w (writer.c) and --ring (keeper.c).
 *
 * A block without packet bytes is built in a struct block: block_begin(), what it holds, options, block_end(). Options that
 * do not fit are left out.
 */
#ifndef CAPTURE_BLOCK_H
#define CAPTURE_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "weir/packet.h"

enum {
	BLOCK_ROOM = 4096,
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_STATISTICS = 5,
	BLOCK_PACKET = 6,
	BLOCK_OPT_COMMENT = 1,
	BLOCK_PACKET_HEAD = 28,     /* bytes before the packet's */
	BLOCK_PACKET_ROOM = 32 + 3, /* of a packet's block beside its bytes, without options */
	BLOCK_PACKET_ID = 16        /* more of them: its number, in an option */
};

struct block {
	uint8_t p[BLOCK_ROOM];
	size_t len;
};

void block_begin(struct block *block, uint32_t type);
void block_put(struct block *block, const void *p, size_t n);
void block_put16(struct block *block, uint16_t value);
void block_put32(struct block *block, uint32_t value);
void block_put_option(struct block *block, uint16_t code, const void *p, size_t n);
/** An option of text, cut to 1,024 bytes; none for NULL or "". */
void block_put_text(struct block *block, uint16_t code, const char *text);
void block_put_u64(struct block *block, uint16_t code, uint64_t value);
/** A time, as options have it: high word first. */
void block_put_time(struct block *block, uint16_t code, int64_t ts_ns);
/** @return its length: block->p holds so many bytes */
size_t block_end(struct block *block);

/** The head of a section; version: of weir; comment: may be NULL. Not ended. */
void block_section(struct block *block, const char *version, const char *comment);

struct block_interface {
	uint16_t linktype;
	uint32_t snaplen;
	const char *name;   /* NULL: none */
	const char *filter; /* NULL or "": none */
};

/** An interface, times in nanoseconds. Not ended. */
void block_interface(struct block *block, const struct block_interface *interface);

/**
 * A packet's whole block to `to`, where there are BLOCK_PACKET_ROOM + caplen bytes, and BLOCK_PACKET_ID more with a number.
 *
 * @param number epb_packetid; 0: without
 * @return bytes
 */
size_t block_packet(uint8_t *to, const struct weir_packet *packet, uint32_t interface,
		    uint64_t number);

#endif
