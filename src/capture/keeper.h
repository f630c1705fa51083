/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --ring: packets are kept for later slices, the newest of them as far as a directory may be filled (keep_dir.h has the names).
 *
 * Idea: the thread that reads packets puts them, already as blocks of pcapng, into chunks of memory; a thread of the keeper's
 * own writes full chunks (and, twice a second, what there is) to files, and deletes the oldest file before the sum would pass
 * `max`. Chunks are few: when all are waiting for the disk, packets of a live capture are not kept and counted; reading a file,
 * the reader waits. So the disk never stalls the capture.
 *
 * Each chunk begins with the number of its first packet (epb_packetid), and so does what follows a number that is missing: numbers
 * survive any loss, and no index is needed beside the files. Interfaces have one number in all files of a run.
 *
 * A full disk: older files are given up for the newest packets; when there are none left, packets are counted as not kept until
 * there is room again. Killed, the files there are can be read up to the last whole block.
 */
#ifndef CAPTURE_KEEPER_H
#define CAPTURE_KEEPER_H

#include "capture/capture.h"

struct keeper;

struct keeper_options {
	const char *directory; /* made when it is not there */
	uint64_t max;          /* bytes of all files together, KEEPER_MIN_MAX or more */
	uint32_t snaplen;      /* told in the files */
	const char *version;   /* of weir */
	bool waits;            /* for the disk: nothing is lost (files are read) */
	/* a message for people, from the keeper's thread; may be NULL */
	void (*say)(void *context, const char *text);
	void *context;
};

#define KEEPER_MIN_MAX (UINT64_C(16) << 20)

enum {
	KEEPER_CHUNK = 512 << 10, /* bytes of memory, and of packets lost at once */
	KEEPER_CHUNKS = 64        /* at most */
};

struct keeper_stats {
	uint64_t packets; /* written */
	uint64_t bytes;   /* of the files written */
	uint64_t begun;   /* files */
	uint64_t deleted; /* files, for `max` or for a full disk */
	uint64_t held;    /* bytes of all files that are there */
	uint64_t files;   /* that are there */
	/* packets that are not kept */
	uint64_t queue_full;   /* the disk was slower than the capture */
	uint64_t write_failed; /* disk full, ... */
	uint64_t too_large;    /* for a chunk */
};

/**
 * Open the directory and lock it: one weir at a time.
 *
 * @param ret set on failure too (NULL only without memory): it has the message
 * @return 0, WEIR_EIO (errno), WEIR_ENOMEM, WEIR_EACCES (another weir has it)
 */
int keeper_open(const struct keeper_options *options, struct keeper **ret);
const char *keeper_message(const struct keeper *keeper);

/** Begin: starts the thread, so rights must have been dropped. WEIR_ENOMEM */
int keeper_start(struct keeper *keeper);

/** Keep the packets of a batch; their numbers ascend. From one thread at a time. */
void keeper_take(struct keeper *keeper, const struct capture *capture,
		 const struct capture_batch *batch);

/** Now and then, from the same thread: what has waited for half a second goes to the disk. */
void keeper_tick(struct keeper *keeper);

/** Write what there is and end the thread. */
void keeper_finish(struct keeper *keeper);
void keeper_free(struct keeper *keeper);

/** From any thread. */
void keeper_get_stats(struct keeper *keeper, struct keeper_stats *ret);

#endif
