/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The streams of a capture as the public engine gives them: engine_streams FILE [push] [hold] [pull]
 *
 * The mode, and a line a direction with bytes: flow id, direction, bytes, SHA-256, gaps. `hold` leaves a part of most chunks to come again,
 * `pull` takes events from a queue that is always nearly full. The lines must be the same as the sink `streams` writes.
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/capture.h"
#include "weir/weir.h"

enum { BATCH = 64 };

struct side {
	EVP_MD_CTX *digest;
	uint64_t bytes;
	uint64_t gaps;
	uint64_t gap_bytes;
	uint64_t next; /* stream offset */
	uint8_t *rest; /* what data() saw and held back */
	size_t nrest;
};

struct stream {
	uint64_t first_packet;
	struct stream *link;
	struct side side[2];
};

static struct stream *streams;
static uint32_t dice = 1;

static struct stream *find(const struct weir_flow_info *flow)
{
	struct stream *stream;

	for (stream = streams; stream != NULL; stream = stream->link) {
		if (stream->first_packet == flow->first_packet) {
			return stream;
		}
	}
	stream = calloc(1, sizeof(*stream));
	if (stream == NULL) {
		abort();
	}
	stream->first_packet = flow->first_packet;
	stream->link = streams;
	streams = stream;
	return stream;
}

static void bytes(struct side *side, uint64_t offset, const uint8_t *p, size_t len)
{
	if (side->digest == NULL) {
		side->digest = EVP_MD_CTX_new();
		EVP_DigestInit_ex(side->digest, EVP_sha256(), NULL);
	}
	if (offset != side->next) {
		fprintf(stderr, "engine_streams: a hole that is not told at %lu\n",
			(unsigned long)side->next);
		exit(1);
	}
	EVP_DigestUpdate(side->digest, p, len);
	side->bytes += len;
	side->next += len;
}

static void hole(struct side *side, const struct weir_gap *gap)
{
	if (gap->length == 0) {
		return;
	}
	side->gaps++;
	side->gap_bytes += gap->length;
	side->next = gap->offset + gap->length;
}

static void close_stream(const struct weir_flow_info *flow)
{
	struct stream **at = &streams;
	struct stream *stream;
	int dir;

	while (*at != NULL && (*at)->first_packet != flow->first_packet) {
		at = &(*at)->link;
	}
	stream = *at;
	if (stream == NULL) {
		return;
	}
	for (dir = 0; dir < 2; dir++) {
		struct side *side = &stream->side[dir];
		unsigned char digest[32];
		char id[WEIR_ID_LEN];
		int i;

		if (side->bytes > 0) {
			EVP_DigestFinal_ex(side->digest, digest, NULL);
			weir_flow_id(flow, flow->first_ts_ns, 0, id);
			printf("%.26s %s %lu ", id, dir == WEIR_C2S ? "c2s" : "s2c",
			       (unsigned long)side->bytes);
			for (i = 0; i < 32; i++) {
				printf("%02x", digest[i]);
			}
			printf(" %lu %lu\n", (unsigned long)side->gaps,
			       (unsigned long)side->gap_bytes);
		}
		EVP_MD_CTX_free(side->digest);
		free(side->rest);
	}
	*at = stream->link;
	free(stream);
}

static void on_data(void *context, struct weir_flow *flow, enum weir_direction dir,
		    const struct weir_chunk *chunk, struct weir_take *take)
{
	struct side *side = &find(weir_flow_get_info(flow))->side[dir];

	if (chunk->len < side->nrest ||
	    (side->nrest > 0 && memcmp(chunk->data, side->rest, side->nrest) != 0)) {
		fprintf(stderr, "engine_streams: what was held is not what comes again\n");
		exit(1);
	}
	if (context != NULL) {
		dice = dice * 1664525 + 1013904223;
		take->consumed = (dice >> 16) % (chunk->len + 1);
	}
	bytes(side, chunk->offset, chunk->data, take->consumed);
	side->nrest = chunk->len - take->consumed;
	side->rest = realloc(side->rest, side->nrest + 1);
	if (side->rest == NULL) {
		abort();
	}
	memcpy(side->rest, chunk->data + take->consumed, side->nrest);
}

/* Held bytes are given up: data() has seen them, so they count. */
static void drop(struct side *side, size_t dropped)
{
	if (dropped != side->nrest) {
		fprintf(stderr, "engine_streams: %zu bytes dropped, %zu were held\n", dropped,
			side->nrest);
		exit(1);
	}
	if (dropped > 0) {
		bytes(side, side->next, side->rest, dropped);
		side->nrest = 0;
	}
}

static void on_gap(void *context, struct weir_flow *flow, enum weir_direction dir,
		   const struct weir_gap *gap)
{
	struct side *side = &find(weir_flow_get_info(flow))->side[dir];

	drop(side, gap->dropped);
	hole(side, gap);
}

static void on_end(void *context, struct weir_flow *flow, enum weir_direction dir,
		   enum weir_close how, size_t dropped)
{
	drop(&find(weir_flow_get_info(flow))->side[dir], dropped);
}

static void on_closed(void *context, struct weir_flow *flow, enum weir_close how)
{
	close_stream(weir_flow_get_info(flow));
}

static void take_events(struct weir_engine *engine)
{
	const struct weir_event *event;

	while (weir_engine_next(engine, &event) == 1) {
		if (event->type == WEIR_EVENT_DATA) {
			bytes(&find(event->flow)->side[event->dir], event->chunk.offset,
			      event->chunk.data, event->chunk.len);
		} else if (event->type == WEIR_EVENT_GAP) {
			hole(&find(event->flow)->side[event->dir], &event->gap);
		} else if (event->type == WEIR_EVENT_CLOSED) {
			close_stream(event->flow);
		}
	}
}

static int run(struct weir_engine *engine, const char *name, bool pull)
{
	struct capture_batch batch;
	struct capture *capture = NULL;
	struct weir_stats stats;
	int n = capture_open_file(name, 0, &capture);
	size_t i;

	if (n < 0 || capture_batch_init(&batch, BATCH) < 0) {
		return 2; /* not a capture */
	}
	while ((n = capture_fill(capture, &batch)) > 0) {
		for (i = 0; i < batch.npackets; i++) {
			while (weir_engine_push(engine, &batch.packets[i]) == WEIR_ELIMIT) {
				take_events(engine);
			}
		}
	}
	weir_engine_finish(engine);
	if (pull) {
		take_events(engine);
	}
	weir_engine_stats(engine, &stats, sizeof(stats));
	capture_batch_fini(&batch);
	capture_close(capture);
	return stats.events_lost > 0 || stats.ledger.pending > 0;
}

static int run_mode(const char *name, const char *mode)
{
	bool pull = strcmp(mode, "pull") == 0;
	struct weir_callbacks callbacks = {.context = strcmp(mode, "hold") == 0 ? &dice : NULL,
					   .data = on_data,
					   .gap = on_gap,
					   .end = on_end,
					   .closed = on_closed};
	struct weir_engine *engine;
	int status;

	if (weir_engine_new(NULL, pull ? NULL : &callbacks, &engine) < 0) {
		return 1;
	}
	if (pull) {
		weir_engine_queue(engine,
				  1u << WEIR_EVENT_DATA | 1u << WEIR_EVENT_GAP |
					  1u << WEIR_EVENT_CLOSED,
				  1 << 20);
	}
	printf("%s\n", mode);
	status = run(engine, name, pull);
	weir_engine_free(engine);
	return status;
}

int main(int argc, char **argv)
{
	int status = 0;
	int i;

	for (i = 2; i < argc && status == 0; i++) {
		status = run_mode(argv[1], argv[i]);
	}
	return status;
}
