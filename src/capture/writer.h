/* SPDX-License-Identifier: Apache-2.0 */
/*
 * -w: captured packets to pcapng files, as they were captured: bytes, nanoseconds, lengths, order, interface. Compressed by
 * the file name's suffix (.gz, .zst, .lz4). Rotation as tcpdump's -C, -W and -G.
 *
 * A file is one section: SHB (who wrote it, the filter as a comment), an IDB when an interface is first seen, EPBs, and at the
 * end an ISB an interface with what was received and dropped. Each file of a rotation stands by itself.
 *
 * Deviations from tcpdump: -G looks at the packets' clock, so that a file read with -r rotates as the capture would have; a
 * number goes before a compression suffix (x.pcapng.gz, x.pcapng1.gz), because the suffix says how to read it.
 */
#ifndef CAPTURE_WRITER_H
#define CAPTURE_WRITER_H

#include "capture/capture.h"

struct writer;

struct writer_options {
	const char *path; /* "-": stdout; with seconds: a strftime() format */
	uint64_t
		size_limit; /* -C: bytes (before compression) after which a new file begins; 0: none */
	unsigned files;     /* -W; 0: no limit */
	int64_t seconds;    /* -G; 0: none */
	uint32_t snaplen;    /* told in the IDBs; 0: no limit */
	const char *version; /* of weir */
	const char *comment; /* of the section; NULL: none */
	const char *filter;  /* told in the IDBs; NULL: none */
	bool one_input; /* captures are parts of one: interfaces have the same numbers in all */
};

/** @param ret set on failure too (NULL only without memory). The first file is opened at once, except with -G (its name is
 * the first packet's time). @return 0, WEIR_EIO, WEIR_EUNSUPPORTED (suffix of a library that is not built in), WEIR_ENOMEM;
 * writer_message() says why */
int writer_open(const struct writer_options *options, struct writer **ret);

/**
 * Write one packet. @return 1: written; 0: the last file is full (-G with -W): no more is written, the run can end;
 * WEIR_EIO, WEIR_ENOMEM: said by writer_message(), and nothing more is written
 */
int writer_packet(struct writer *writer, const struct capture *capture,
		  const struct weir_packet *packet);

/** Push out what is buffered (not in the middle of compressed data). */
int writer_flush(struct writer *writer);
/** SIGHUP: close, and begin a new section at the end of the file of that name. */
int writer_reopen(struct writer *writer);
/** End the file with the drops of its interfaces. The captures must still be open. 0 or an error as of writer_packet() */
int writer_finish(struct writer *writer);
void writer_free(struct writer *writer);

const char *writer_message(const struct writer *writer);

/** The file that is open. */
const char *writer_path(const struct writer *writer);

/** The errno behind it; 0: none. */
int writer_errno(const struct writer *writer);
uint64_t writer_packets(const struct writer *writer);
uint64_t writer_bytes(const struct writer *writer);

#endif
