/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where packets come from: capture files, standard input and network interfaces. A source fills batches; a batch owns the
 * bytes of its packets, so that it can be handed to another thread.
 *
 * Reading is read(2) into the batch's own buffer (mmap and stdio measured slower); a record cut by the buffer's end moves to
 * the next batch.
 */
#ifndef CAPTURE_CAPTURE_H
#define CAPTURE_CAPTURE_H

#include <limits.h>
#include <signal.h>
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
	int64_t clock_ns; /* live: packets up to this time have been delivered; 0: not known */
};

enum {
	CAPTURE_MAX_PACKET = 1 << 24,     /* bytes: a record that claims more is damage */
	CAPTURE_BLOCK = 1 << 19,          /* bytes read at a time */
	CAPTURE_MAX_INTERFACES = 1 << 16, /* of one input (pcapng): one more is damage */
	CAPTURE_MESSAGE = 768,            /* bytes of capture_message(), NUL included */
	CAPTURE_IDLE = INT_MAX            /* of capture_fill(), live: nothing came for a while */
};

/* Times beyond +-2^62 ns (the years 1823 and 2116) are clamped: timeouts can be added to any time without overflow. */
#define CAPTURE_MAX_TS_NS (INT64_C(1) << 62)

/** WEIR_ENOMEM. max_packets: 1 or more. */
int capture_batch_init(struct capture_batch *batch, size_t max_packets);
void capture_batch_fini(struct capture_batch *batch);

struct capture_stats {
	uint64_t packets;      /* delivered */
	uint64_t bytes;        /* of the input read so far (compressed, if it is), for progress */
	uint64_t size;         /* of the input, likewise; 0: unknown (pipe) */
	uint64_t drops;        /* told in the file (pcapng ISB, EPB drop count) */
	uint64_t kernel_drops; /* live: no room in the kernel's ring */
	uint64_t interface_drops; /* live: by the interface or its driver */
};

/**
 * Open a capture file by name; "-" is stdin. pcap (us, ns, both byte orders, modified format), pcapng; each also compressed
 * (gzip, zstd, lz4).
 *
 * @param ret set on failure too (NULL only without memory): an object that can be asked for its message and must be closed
 * @return 0, WEIR_EIO (errno), WEIR_EFORMAT (it is no capture; the message quotes its first bytes, escaped),
 *         WEIR_EUNSUPPORTED (compressed in a way that is not read), WEIR_ENOMEM. Damage is told by capture_fill()
 *
 * Waits for the first bytes when the input is a pipe.
 */
int capture_open_file(const char *path, uint16_t input, struct capture **ret);

/**
 * The two halves of capture_open_file(): the first opens the file and reads nothing, so that rights can be dropped in between;
 * the second reads the first bytes and tells the format.
 *
 * @param stop a flag that ends waiting as capture_stop() does, from before the first byte on; may be NULL
 */
int capture_new_file(const char *path, uint16_t input, const volatile sig_atomic_t *stop,
		     struct capture **ret);
int capture_begin(struct capture *capture);

/**
 * A descriptor (an eventfd) that ends waiting for packets when somebody writes to it: what waits reads it empty. The source
 * then also gives CAPTURE_IDLE for pipes, from capture_begin() as from capture_fill(): when it was woken, and when nothing came
 * for a while. fd: borrowed.
 */
void capture_wake_by(struct capture *capture, int fd);

/**
 * Packets get the numbers that the file gives them (pcapng's epb_packetid; a packet without one the number behind that before
 * it), as files of --ring do. Before the first packet is read.
 */
void capture_use_own_numbers(struct capture *capture);

struct capture_live_options {
	const char *const *interfaces; /* "any" is all of them */
	size_t ninterfaces;
	const char *filter;  /* capture filter; NULL or "": everything */
	uint32_t snaplen;    /* bytes kept of a packet; 0: all (256 KiB) */
	uint32_t buffer_kib; /* of the kernel's ring, an interface; 0: CAPTURE_LIVE_BUFFER_KIB */
	size_t queue; /* several interfaces: bytes for the packets of each that are on their way, by capture_live_queue() */
	bool promiscuous;
	/*
	 * Several captures share the packets of the same interfaces, a flow's to one of them as far as the kernel can tell
	 * (PACKET_FANOUT_HASH): they are opened one after the other with the same array, one element an interface and 0 at first. What
	 * comes is theirs from capture_share() on. NULL: this one gets all
	 */
	uint32_t *fanout;
	const volatile sig_atomic_t *stop; /* as of capture_new_file() */
};

enum { CAPTURE_LIVE_INTERFACES = 64, CAPTURE_LIVE_BUFFER_KIB = 32768, CAPTURE_GROUP = 1 << 16 };

/**
 * Memory for packets of several interfaces on their way: of each, when all together may take so many bytes. Not less than what they
 * need to work.
 */
size_t capture_live_queue(uint64_t memory, size_t ninterfaces);

/**
 * Capture from interfaces. One source reads them all, several with a thread each, in order of time (readers.h); packet.interface says which. Nanosecond stamps where the kernel has
 * them. The filter must have been found to be good (filter_new()): here a bad one is an error like others.
 *
 * @param ret as of capture_open_file()
 * @return 0, WEIR_EACCES (not permitted), WEIR_ENOTFOUND (no such interface), WEIR_EIO, WEIR_EINVAL, WEIR_ENOMEM
 */
int capture_open_live(const struct capture_live_options *options, uint16_t input,
		      struct capture **ret);
bool capture_is_live(const struct capture *capture);
/** May capture_fill() wait for packets: is it anything but a file? Before capture_begin() too. */
bool capture_may_wait(const struct capture *capture);

/** Captures that share packets are all open: begin, with what comes from now on. */
void capture_share(struct capture *const *captures, size_t n);

/* A ring that the kernel fills. */
struct capture_ring {
	const char *interface; /* lives as long as the capture */
	uint64_t size;         /* bytes */
	uint64_t packets;      /* delivered */
	uint64_t drops;        /* no room */
	uint64_t freezes;      /* times that it was full */
	const char *
		ended; /* why nothing comes of it any more, while others go on; NULL: it goes on. As long as the capture */
};

/** A live capture's rings, one an interface. From any thread. @return false: there is no i-th */
bool capture_get_ring(const struct capture *capture, size_t i, struct capture_ring *ret);

/** Bytes of a live capture's queues, of all interfaces. */
uint64_t capture_memory(const struct capture *capture);

/** As capture_open_file(), from a descriptor, which is given (closed by capture_close(), whatever is returned).
 * name: for messages, copied. */
int capture_open_fd(int fd, const char *name, uint16_t input, struct capture **ret);
void capture_close(struct capture *capture);

/**
 * Fill a batch (its earlier contents are dropped).
 * @return packets in the batch; 0 at the end of the input; WEIR_EDAMAGED: damaged or cut short — every packet before the
 *         damage has been delivered by earlier calls; WEIR_EIO; WEIR_ENOMEM
 *
 * Live: CAPTURE_IDLE when nothing came for a tenth of a second (batch->clock_ns says until when) or when it was woken, 0 when it was stopped and
 * what the kernel had has been delivered, WEIR_EIO when no interface is left.
 *
 * An error stays: further calls return it again. A packet of a pcapng simple packet block has no time of its own: it gets
 * the time of the packet before it (0 when it is the first).
 */
int capture_fill(struct capture *capture, struct capture_batch *batch);

/** Let capture_fill() return 0 soon (0.3 s at most), for good. For signal handlers and other threads. */
void capture_stop(struct capture *capture);

/**
 * What went wrong, for people: a clause that begins with the input's name and says what, where (packet and byte) and what
 * helps, e.g. "x.pcap ends inside packet 1204 at byte 98304 (needed 54 bytes, found 34)". One line, printable. Valid until
 * the source is closed; "" when nothing did.
 */
const char *capture_message(const struct capture *capture);

/** The input's name, printable. */
const char *capture_name(const struct capture *capture);

/** To be read by the thread that fills. */
const struct capture_stats *capture_stats(const struct capture *capture);

struct capture_drops {
	uint64_t kernel;
	uint64_t interface;
};

/** Drops of one interface that was captured on (live), as of the last capture_fill(); zeros for others. */
void capture_interface_drops(const struct capture *capture, uint16_t interface,
			     struct capture_drops *ret);

/** Name of an interface of the input (live, pcapng if_name; not escaped, at most 127 bytes), or NULL. */
const char *capture_interface_name(const struct capture *capture, uint16_t interface);

#endif
