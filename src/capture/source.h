/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to capture/: the two seams of reading a file. Below, `struct capture_input` gives bytes (a descriptor, and a
 * `struct capture_codec` when they are compressed); above, `struct capture_format` cuts them into packets. capture.c drives
 * both.
 */
#ifndef CAPTURE_SOURCE_H
#define CAPTURE_SOURCE_H

#include <stdatomic.h>
#include <sys/types.h>

#include "capture/capture.h"
#include "weir/error.h"

struct capture_codec;

/* Bytes to be taken, or room to be filled. */
struct capture_window {
	uint8_t *at;
	size_t left;
};

/* Where bytes come from, in order: a descriptor, and what decompresses what it gives. */
struct capture_input {
	int fd;
	bool keep;    /* stdin: not ours to close */
	bool regular; /* a file: read(2) does not wait */
	bool chosen;  /* the first bytes are there, and the codec is known */
	bool ended;   /* read(2) gave 0 bytes */
	/* bytes as read from fd: the first ones, by which formats are told; with a codec all of them */
	uint8_t *raw;
	size_t raw_at;
	size_t raw_len;
	const struct capture_codec *codec; /* NULL: not compressed */
	void *state;                       /* of the codec */
	bool inside;  /* a frame of compressed data is open: the input may not end */
	bool pending; /* the codec may have output without more input */
	bool failed;  /* the codec met damage */
};

/* A way of compression (decompress.c). */
struct capture_codec {
	const char *name; /* also of the tool that undoes it */
	uint8_t magic[4];
	uint8_t magic_len;
	int (*open)(void **ret_state); /* WEIR_ENOMEM. NULL: known, but not read by this build */
	/*
	 * Move *in and *out on, by what was taken and made.
	 * @return 1: a frame ends here, another may follow; 0: inside a frame; WEIR_EDAMAGED
	 */
	int (*decode)(void *state, struct capture_window *in, struct capture_window *out);
	void (*close)(void *state);
};

extern const struct capture_codec capture_codecs[]; /* ends with one without name */

/* Consecutive bytes of the input, handed to a format: it moves `at` past what it is done with. */
struct capture_span {
	const uint8_t *at;
	const uint8_t *end;
	const uint8_t *base; /* at when the span began */
	uint64_t offset;     /* of base in the input */
};

/*
 * What the format is in the middle of, when it stopped for lack of bytes. need == 0: at a boundary, where an input may end.
 * offset + need - (end of the bytes so far) is what is missing.
 */
struct capture_item {
	const char *what; /* "packet", "the file header", ...; a packet is told with its number */
	uint64_t offset;  /* where it begins */
	uint64_t need;    /* bytes in all, as far as is known */
};

struct capture_format {
	/*
	 * Take whole records from the span until it is used up or the batch is full; set capture->item. Damage: call
	 * capture_damaged(). Packets point into the span.
	 */
	void (*parse)(struct capture *capture, struct capture_batch *batch,
		      struct capture_span *span);
	const char *(*interface_name)(const struct capture *capture, uint16_t interface);
	void (*fini)(struct capture *capture);
};

struct file_pcap {
	bool has_header;
	bool swapped;        /* the file's byte order is not ours */
	uint8_t record_head; /* bytes: 16, modified 24 */
	uint16_t linktype;
	uint16_t minor;     /* of the version; before 2.4 the lengths may be exchanged */
	uint32_t frac_ns;   /* ns in a unit of the fraction: 1000 or 1 */
	uint32_t max_bytes; /* a record that claims more is damage */
};

struct file_pcapng_interface; /* file_pcapng.c */

struct file_pcapng {
	bool swapped;
	uint32_t base;        /* index of the section's first interface */
	uint32_t ninterfaces; /* of the input so far */
	uint32_t capacity;
	struct file_pcapng_interface *interfaces;
	uint64_t skip;    /* bytes left of a block that is passed over */
	uint32_t trailer; /* then the block's length must be repeated; 0: not inside such a block */
	int64_t last_ts_ns;
	uint64_t number; /* of the last packet */
};

struct live; /* live.c */

struct capture {
	const struct capture_format *format; /* NULL: opening failed, or live */
	struct live *live;                   /* NULL: a file */
	struct capture_input input;
	char *name; /* printable */
	uint16_t index;
	atomic_bool stop;
	const volatile sig_atomic_t *stop_flag; /* the caller's, as good as stop; may be NULL */
	bool ended;                             /* the input has given all */
	int wake_fd;                            /* ends waiting when readable; below 0: none */
	bool own_numbers; /* packets have the numbers that the file gives them */
	bool idle; /* a pipe: nothing came for a while, or it was woken. Whoever tells clears it */
	int error; /* below 0: stays */
	uint64_t offset; /* in the input (decompressed), of the next byte to parse */
	uint64_t end;    /* in the input (decompressed), of the bytes read so far */
	struct capture_item item;
	/* bytes read but not parsed: a cut record, or what did not fit into the batch */
	uint8_t *carry;
	size_t carry_at;
	size_t carry_len;
	size_t carry_size;
	struct capture_stats stats;
	uint64_t drops_given; /* of stats, told with packets */
	union {
		struct file_pcap pcap;
		struct file_pcapng pcapng;
	} u;
	char message[CAPTURE_MESSAGE];
};

extern const struct capture_format file_pcap_format;
extern const struct capture_format file_pcapng_format;

enum { CAPTURE_SNIFF = 12 }; /* bytes that tell the formats apart */

/**
 * Take the descriptor and its first bytes, and choose the codec. The error is set on failure.
 * @return 0, CAPTURE_IDLE (call again), WEIR_EIO, WEIR_ENOMEM, WEIR_EUNSUPPORTED
 */
int capture_input_open(struct capture *capture, int fd);
void capture_input_close(struct capture_input *input);

/**
 * Read up to n bytes, decompressed.
 * @return bytes; 0 at the end (capture->ended), when stopped, or when idle (capture->idle); WEIR_EIO (errno), WEIR_EDAMAGED (of compressed data: all before
 *         the damage has been given), both with the message set
 */
ssize_t capture_input_read(struct capture *capture, uint8_t *p, size_t n);

/** The first bytes (len of them, CAPTURE_SNIFF unless the input is shorter) are of that format; sets up capture->u. */
bool file_pcap_sniff(struct capture *capture, const uint8_t *p, size_t len);
bool file_pcapng_sniff(struct capture *capture, const uint8_t *p, size_t len);

/** A source without an input yet; NULL without memory. name is escaped. */
struct capture *capture_alloc(const char *name, uint16_t input);

/** Make room for n bytes in a growing buffer whose contents count. WEIR_ENOMEM: unchanged */
int capture_reserve(uint8_t **buf, size_t *size, size_t n);

/** capture_begin(), capture_fill(), capture_close() and capture_interface_name() of interfaces. */
int live_begin(struct capture *capture);
int live_fill(struct capture *capture, struct capture_batch *batch);
void live_free(struct live *live);
const char *live_interface_name(const struct live *live, uint16_t interface);

static inline bool capture_is_stopped(struct capture *capture)
{
	return atomic_load_explicit(&capture->stop, memory_order_relaxed) ||
	       (capture->stop_flag != NULL &&
		__atomic_load_n(capture->stop_flag, __ATOMIC_RELAXED) != 0);
}

/** Somebody wants the waiting thread: take that back, he has it. */
void capture_take_wake(const struct capture *capture);

/** Where the span stands in the input. */
static inline uint64_t capture_span_offset(const struct capture_span *span)
{
	return span->offset + (uint64_t)(span->at - span->base);
}

static inline size_t capture_span_left(const struct capture_span *span)
{
	return (size_t)(span->end - span->at);
}

/** The item at span->at is `what`; need as in struct capture_item. */
static inline void capture_want(struct capture *capture, const struct capture_span *span,
				const char *what, uint64_t need)
{
	capture->item.what = what;
	capture->item.offset = capture_span_offset(span);
	capture->item.need = need;
}

/** Set the error and the message: the input's name, a space, the text. The first error stays. */
void capture_fail(struct capture *capture, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** capture->item is damaged: "... is damaged in <what> at byte N: <text>". */
void capture_damaged(struct capture *capture, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** The input ended where capture->item wants more. */
void capture_ends_inside(struct capture *capture);

/** Write a file's name: printable ASCII and UTF-8 as they are, the rest as \xNN; always terminated, cut to fit (size >= 5). */
void capture_escape_name(char *ret, size_t size, const char *name);

/** Write bytes as printable ASCII, others and `"` and `\` as \xNN; always terminated, cut to fit (size >= 5). */
void capture_escape(char *ret, size_t size, const uint8_t *p, size_t len);

/** Drops that no packet has told yet: for the next one. */
static inline uint32_t capture_new_drops(struct capture *capture)
{
	const struct capture_stats *stats = &capture->stats;
	uint64_t now = stats->drops + stats->kernel_drops + stats->interface_drops;
	uint64_t n = now > capture->drops_given ? now - capture->drops_given : 0;

	capture->drops_given += n;
	return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

#endif
