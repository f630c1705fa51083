/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where packets come from: capture files and standard input (live sources later). A source fills batches; a batch owns the
 * bytes of its packets, so that it can be handed to another thread.
 *
 * Reading is read(2) into the batch's own buffer (mmap and stdio measured slower); a record cut by the buffer's end moves to
 * the next batch.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "weir/packet.h"

struct capture; /* an open source */

struct capture_batch {
	struct weir_packet *packets; /* capacity max_packets */
	size_t npackets;
	size_t max_packets;
	uint8_t *buf; /* grows when one packet is larger than it (up to CAPTURE_MAX_PACKET) */
	size_t size;
	size_t used;
};

enum {
	CAPTURE_MAX_PACKET = 1 << 28, /* bytes: a record that claims more is damage */
	CAPTURE_BLOCK = 1 << 19       /* bytes read at a time */
};

/** WEIR_ENOMEM. max_packets: 1 or more. */
int capture_batch_init(struct capture_batch *batch, size_t max_packets);
void capture_batch_fini(struct capture_batch *batch);

struct capture_stats {
	uint64_t packets; /* delivered */
	uint64_t bytes;   /* of the input read so far, for progress */
	uint64_t size;    /* of the input; 0: unknown (pipe) */
	uint64_t drops;   /* told by the kernel or in the file (pcapng ISB, EPB drop count) */
};

/**
 * Open a capture file by name; "-" is stdin. pcap (us, ns, both byte orders, modified format), pcapng.
 * @return 0, WEIR_EIO (errno), WEIR_EFORMAT (it is no capture; the message quotes its first bytes, escaped), WEIR_ENOMEM
 */
int capture_open_file(const char *path, uint16_t input, struct capture **ret);
void capture_close(struct capture *capture);

/**
 * Fill a batch (its earlier contents are dropped).
 * @return packets in the batch; 0 at the end of the input; WEIR_EDAMAGED: damaged or cut short — every packet before the
 *         damage has been delivered by earlier calls; WEIR_EIO; WEIR_ENOMEM
 */
int capture_fill(struct capture *capture, struct capture_batch *batch);

/** What went wrong, for people: what, where (packet and byte), e.g. "ends inside packet 1204 at byte 98304 (needed 54
 * bytes, found 34)". Valid until the source is closed; "" when nothing did. */
const char *capture_message(const struct capture *capture);

const struct capture_stats *capture_stats(const struct capture *capture);

/** Name of an interface of the input (pcapng if_name), or NULL. */
const char *capture_interface_name(const struct capture *capture, uint16_t interface);

#endif
