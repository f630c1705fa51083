/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What reassembly hands on: in-order chunks and gaps of one direction of a flow.
 *
 * Stream space: each direction has 64-bit offsets, 0 is the first byte after the SYN (or the first byte seen, when the
 * flow was picked up mid-stream). Chunks and gaps tile the space without a hole and without overlap, in ascending order.
 */
#ifndef WEIR_STREAM_H
#define WEIR_STREAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum weir_direction { WEIR_C2S = 0, WEIR_S2C = 1 };

#define WEIR_NO_ACK UINT64_MAX

/*
 * Where a run of bytes came from. The mark holds for the bytes from `offset` on, until the next mark's offset.
 */
struct weir_mark {
	uint64_t offset; /* stream offset of the first byte it holds for */
	int64_t ts_ns;   /* capture time of the segment that brought them */
	uint64_t packet; /* that segment's packet, counted from 1 over the whole run (all inputs) */
	uint64_t
		peer_ack; /* the segment's acknowledgement number as an offset in the OTHER direction's
			      stream space: what the sender of these bytes had received; WEIR_NO_ACK when unknown */
	int64_t stall_ns; /* how long, in total since the flow began, a hole had blocked delivery in this
			      direction when these bytes were delivered. Differences give the stall of a span */
};

/*
 * In-order bytes of one direction. Valid until the callback returns.
 */
struct weir_chunk {
	const uint8_t *data;
	size_t len;                    /* 1 or more */
	uint64_t offset;               /* stream offset of data[0] */
	const struct weir_mark *marks; /* ascending; marks[0].offset <= offset */
	size_t nmarks;                 /* 1 or more */
};

/** The mark that holds for a stream offset within the chunk. */
static inline const struct weir_mark *weir_chunk_mark(const struct weir_chunk *chunk,
						      uint64_t offset)
{
	size_t i = chunk->nmarks - 1;

	while (i > 0 && chunk->marks[i].offset > offset) {
		i--;
	}
	return &chunk->marks[i];
}

/* Why a hole was declared a gap. The names in records and indexes are those of weir_gap_cause_name(). */
enum weir_gap_cause {
	WEIR_GAP_ACKED, /* "acked": the peer acknowledged past it: it was sent, we did not capture it */
	WEIR_GAP_AGE,          /* "age": waited for too long */
	WEIR_GAP_LIMIT,        /* "limit": too much was waiting behind it */
	WEIR_GAP_BUDGET,       /* "budget": memory ran out */
	WEIR_GAP_END,          /* "end": FIN, RST, timeout or end of the capture */
	WEIR_GAP_SNAPLEN,      /* "snaplen": the segment was captured, but cut */
	WEIR_GAP_CAPTURE_DROP, /* "capture_drop": the capture itself reported drops at that time */
	WEIR_GAP_NCAUSES
};

/* How a direction, or the flow, came to its end. */
enum weir_close {
	WEIR_CLOSE_FIN,     /* "closed" */
	WEIR_CLOSE_RST,     /* "reset" */
	WEIR_CLOSE_TIMEOUT, /* "timeout" */
	WEIR_CLOSE_EVICTED, /* "evicted": for memory */
	WEIR_CLOSE_REUSED,  /* "reused": a new SYN took the tuple over */
	WEIR_CLOSE_END,     /* "open": still open when the capture ended */
	WEIR_CLOSE_NKINDS
};

#ifdef __cplusplus
}
#endif
#endif
