/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The compressed protocol (MySQL internals, "Compression"): length(3), sequence(1), length before compression(3; 0: it is not compressed),
 * and that many bytes, zlib or zstd, one stream a frame. Packets lie in the frames as in a stream: a frame may hold many, a packet may need
 * many. What is decompressed is looked at piece by piece; only an unfinished packet's first bytes are kept.
 */
#include "parser/mysql.h"

#include <assert.h>
#include <string.h>

enum { FRAME_HEAD = 7, PIECE = 4096 };

static const struct weir_anomaly broken = {
	"mysql.compression_error", "medium", "MySQL internals, Compression",
	"a compressed frame that does not decompress to what it says"};

static void *coding_alloc(void *context, size_t size)
{
	return weir_host_alloc(context, size);
}

static void coding_release(void *context, void *p, size_t size)
{
	weir_host_free(context, p, size);
}

void my_frames_reset(struct mysql *my, enum weir_direction dir)
{
	struct my_side *side = &my->side[dir];

	coding_free(side->coding);
	side->coding = NULL;
	if (side->inner != NULL) {
		weir_host_free(my->db.host, side->inner, MY_INNER_MAX);
	}
	side->inner = NULL;
	side->inner_len = 0;
	side->inner_skip = 0;
	side->frame_left = 0;
}

/* ---- packets within ---- */

/* The first n bytes of what is kept are done with. */
static void drop_inner(struct my_side *side, size_t n)
{
	memmove(side->inner, side->inner + n, side->inner_len - n);
	side->inner_len -= n;
}

/* Packets in [p, p + len), which follow what is kept. false: lost, or no memory */
static bool take_inner(struct my_cursor *outer, const uint8_t *p, size_t len)
{
	struct mysql *my = outer->my;
	struct my_side *side = outer->side;

	if (side->inner == NULL) {
		side->inner = weir_host_alloc(my->db.host, MY_INNER_MAX);
		if (side->inner == NULL) {
			return false;
		}
	}
	while (len > 0 || (side->inner_len > 0 && side->inner_skip > 0)) {
		size_t n =
			len < MY_INNER_MAX - side->inner_len ? len : MY_INNER_MAX - side->inner_len;
		struct my_cursor in = {
			.my = my, .dir = outer->dir, .side = side, .frame_mark = outer->frame_mark};
		int got = MY_GO;

		if (side->inner_skip > 0) {
			n = len < side->inner_skip ? len : (size_t)side->inner_skip;
			p += n;
			len -= n;
			side->inner_skip -= n;
			if (side->inner_skip == 0) {
				my_packet_end(my, in.dir, side->frame_end, in.frame_mark);
			}
			continue;
		}
		memcpy(side->inner + side->inner_len, p, n);
		side->inner_len += n;
		p += n;
		len -= n;
		in.p = side->inner;
		in.end = side->inner + side->inner_len;
		while (in.p < in.end && got == MY_GO && side->step == MY_PACKETS) {
			got = my_take_packet(&in);
		}
		if (side->step != MY_PACKETS || side->inner == NULL) {
			return false;
		}
		drop_inner(side, (size_t)(in.p - side->inner));
		side->inner_skip = got == WEIR_PARSE_SKIP ? in.skip : 0;
		assert(side->inner_skip == 0 || side->inner_len == 0);
	}
	return true;
}

/* ---- frames ---- */

static int begin_frame(struct my_cursor *cur)
{
	struct my_side *side = cur->side;
	const uint8_t *p = cur->p;
	uint64_t offset = cur->chunk->offset + (uint64_t)(p - cur->chunk->data);

	side->begin = offset;
	side->end = 0;
	if (cur->end - p < FRAME_HEAD) {
		return WEIR_PARSE_NEED;
	}
	side->frame_left = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	side->frame_out = p[4] | (uint32_t)p[5] << 8 | (uint32_t)p[6] << 16;
	side->frame_begin = offset;
	side->frame_end = offset + FRAME_HEAD + side->frame_left;
	side->frame_mark = *weir_chunk_mark(cur->chunk, offset);
	if (side->frame_out > 0 && side->frame_left > 0) {
		/* borrowed for as long as the coding lives */
		cur->my->memory =
			(struct body_memory){coding_alloc, coding_release, cur->my->db.host};
		side->coding =
			coding_new(&cur->my->memory, cur->my->zstd ? CODING_ZSTD : CODING_DEFLATE);
		if (side->coding == NULL) {
			my_lose(cur->my, cur->dir);
			return MY_GO;
		}
	}
	cur->p += FRAME_HEAD;
	return MY_GO;
}

/* Compressed bytes [p, p + len) of the frame. */
static bool decompress(struct my_cursor *cur, const uint8_t *p, size_t len)
{
	struct my_side *side = cur->side;
	uint8_t out[PIECE];
	enum coding_status status;

	do {
		size_t n = 0;

		status = coding_run(side->coding, &p, &len, out, sizeof(out), &n);
		if (n > side->frame_out) {
			n = (size_t)side->frame_out;
			status = CODING_ERROR;
		}
		/* also what came before an error: whoever feeds bytes one by one has had it */
		side->frame_out -= n;
		if (n > 0 && !take_inner(cur, out, n)) {
			return false;
		}
		if (status == CODING_ERROR || status == CODING_MEMORY) {
			weir_host_anomaly(cur->my->db.host, NULL, &broken, cur->dir,
					  side->frame_begin);
			return false;
		}
	} while (status == CODING_FULL || (status == CODING_MORE && len > 0));
	return true;
}

/* Bytes of the frame's payload, up to the end of their segment: each segment's have its mark. */
static int take_payload(struct my_cursor *cur)
{
	struct my_side *side = cur->side;
	uint64_t offset = cur->chunk->offset + (uint64_t)(cur->p - cur->chunk->data);
	size_t n = (size_t)(cur->end - cur->p);
	const uint8_t *p = cur->p;
	size_t i;
	bool well;

	for (i = 0; i < cur->chunk->nmarks; i++) {
		uint64_t at = cur->chunk->marks[i].offset;

		if (at > offset && at - offset < n) {
			n = (size_t)(at - offset);
			break;
		}
	}
	n = n < side->frame_left ? n : (size_t)side->frame_left;
	cur->p += n;
	side->frame_left -= n;
	cur->frame_mark = weir_chunk_mark(cur->chunk, offset);
	well = side->coding != NULL ? decompress(cur, p, n) : take_inner(cur, p, n);
	if (!well && side->step == MY_PACKETS) {
		my_lose(cur->my, cur->dir);
	} else if (side->frame_left == 0) {
		coding_free(side->coding);
		side->coding = NULL;
	}
	return MY_GO;
}

int my_take_frames(struct my_cursor *cur)
{
	return cur->side->frame_left == 0 ? begin_frame(cur) : take_payload(cur);
}
