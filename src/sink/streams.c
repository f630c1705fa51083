/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink `streams:DIR`: the delivered bytes of every direction as a file, and an index (CONTRACT.md §4).
 *
 * The bytes come through the tap, on the workers' threads; the index comes as records, in the records' order. A file is
 * named by addresses and ports only, never by anything captured, so there is nothing to sanitise.
 *
 * How many files are written at the same time is spool.h's.
 *
 * The number of a reused tuple needs a memory of all tuples, which traffic can grow: it is bounded, and beyond the bound
 * the number is the first that no file has yet.
 *
 * States of a direction (struct stream): empty (no byte yet: no file), live, ended (its record was made).
 */
#include "base/strbuf.h"
#include "sink/json_record.h"
#include "sink/out.h"
#include "sink/sink.h"
#include "sink/spool.h"
#include "weir/error.h"

#include <arpa/inet.h>
#include <assert.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

enum {
	STREAM_BUFFER = 16 * 1024, /* bytes a direction waits for, at most */
	STREAM_BUFFER_MIN = 512,   /* the buffer's first size */
	TAP_TUPLES = 1 << 20,      /* tuples whose reuse is counted, a power of two */
	STREAM_GAPS = 65536,       /* gaps listed a direction; further ones are counted */
	NAME_MAX_LEN = 128,
};

/* ---- the record of a file ---- */

enum {
	F_FILE = WEIR_NCOMMON,
	F_DIRECTION,
	F_BYTES,
	F_SHA256,
	F_GAP_OFFSETS,
	F_GAP_LENGTHS,
	F_GAP_CAUSES,
	F_GAPS_OMITTED,
};

static const struct weir_field stream_fields[] = {
	{"file", WEIR_KIND_STR, 0, "name of the file in the directory"},
	{"direction", WEIR_KIND_STR, 0, "c2s or s2c"},
	{"bytes", WEIR_KIND_U64, 0, "bytes delivered: the size of the file"},
	{"sha256", WEIR_KIND_HEX, 0, "of the file"},
	{"gap.offsets", WEIR_KIND_U64S, 0, "where gaps begin, in stream space"},
	{"gap.lengths", WEIR_KIND_U64S, 0, "bytes of each gap"},
	{"gap.causes", WEIR_KIND_STRS, 0, "why each was given up"},
	{"gap.omitted", WEIR_KIND_U64, 0, "gaps beyond the limit of the list"},
};

static const struct weir_schema stream_schema = {"stream", stream_fields,
						 sizeof(stream_fields) / sizeof(stream_fields[0])};

/* ---- state ---- */

struct gap {
	uint64_t offset;
	uint64_t length;
	enum weir_gap_cause cause;
};

struct stream_flow;

struct stream {
	struct spool_file file;
	struct stream_flow *flow;
	EVP_MD_CTX *sha256; /* NULL: empty */
	uint64_t bytes;
	struct gap *gaps;
	size_t ngaps, gaps_size;
	uint64_t gaps_omitted;
	bool ended;
};

struct stream_flow {
	struct stream dirs[2];
	char name[NAME_MAX_LEN]; /* without .c2s, .s2c */
};

struct tuple_count {
	uint64_t hash; /* 0: free */
	uint32_t next; /* number of the next flow */
};

struct weir_tap {
	struct stream_sink *sink;
	EVP_MD *md;
	struct spool spool;
	struct tuple_count *tuples;
	size_t tuples_size; /* a power of two */
	size_t ntuples;
};

struct stream_sink {
	struct out index;
	int dir;
};

static struct stream_sink *self(struct weir_sink *sink)
{
	return (struct stream_sink *)sink;
}

/* ---- numbers of reused tuples ---- */

static int grow_tuples(struct weir_tap *tap)
{
	size_t size = tap->tuples_size == 0 ? 256 : 2 * tap->tuples_size;
	struct tuple_count *grown = calloc(size, sizeof(*grown));
	size_t i;

	if (grown == NULL) {
		return WEIR_ENOMEM;
	}
	for (i = 0; i < tap->tuples_size; i++) {
		size_t at = tap->tuples[i].hash & (size - 1);

		if (tap->tuples[i].hash == 0) {
			continue;
		}
		while (grown[at].hash != 0) {
			at = (at + 1) & (size - 1);
		}
		grown[at] = tap->tuples[i];
	}
	free(tap->tuples);
	tap->tuples = grown;
	tap->tuples_size = size;
	return 0;
}

/* How often the tuple of this name was there before, or -1 when that is not remembered. */
static int64_t count_tuple(struct weir_tap *tap, const char *name, size_t len)
{
	uint64_t hash = XXH3_64bits(name, len) | 1;
	size_t at;

	if (4 * (tap->ntuples + 1) > 3 * tap->tuples_size) {
		if (tap->tuples_size < TAP_TUPLES && grow_tuples(tap) < 0 &&
		    tap->tuples_size == 0) {
			return -1;
		}
	}
	at = hash & (tap->tuples_size - 1);
	while (tap->tuples[at].hash != 0 && tap->tuples[at].hash != hash) {
		at = (at + 1) & (tap->tuples_size - 1);
	}
	if (tap->tuples[at].hash == 0) {
		if (8 * (tap->ntuples + 1) > 7 * tap->tuples_size) {
			return -1; /* the table has all it will ever have */
		}
		tap->tuples[at].hash = hash;
		tap->ntuples++;
	}
	return tap->tuples[at].next++;
}

/* Does either direction's file exist? */
static bool name_is_taken(const struct weir_tap *tap, const char *name)
{
	char path[NAME_MAX_LEN + 8];
	bool taken;

	(void)snprintf(path, sizeof(path), "%s.c2s", name);
	taken = faccessat(tap->sink->dir, path, F_OK, 0) == 0;
	(void)snprintf(path, sizeof(path), "%s.s2c", name);
	return taken || faccessat(tap->sink->dir, path, F_OK, 0) == 0;
}

static void put_endpoint(char *to, size_t size, const struct weir_endpoint *end, uint8_t ip_version)
{
	char address[INET6_ADDRSTRLEN] = "";
	char *at;

	(void)inet_ntop(ip_version == 6 ? AF_INET6 : AF_INET, end->address, address,
			sizeof(address));
	for (at = address; *at != '\0'; at++) {
		*at = *at == ':' ? '.' : *at;
	}
	(void)snprintf(to, size, "%s_%u", address, end->port);
}

static void name_flow(struct weir_tap *tap, struct stream_flow *state,
		      const struct weir_flow_info *flow)
{
	char client[64], server[64];
	int len;
	int64_t n;

	put_endpoint(client, sizeof(client), &flow->client, flow->ip_version);
	put_endpoint(server, sizeof(server), &flow->server, flow->ip_version);
	len = snprintf(state->name, sizeof(state->name), "%.50s-%.50s-", client, server);
	assert(len > 0 && len < 110);
	n = count_tuple(tap, state->name, (size_t)len);
	if (n >= 0) {
		(void)snprintf(state->name + len, sizeof(state->name) - (size_t)len, "%u",
			       (uint32_t)n);
		return;
	}
	do {
		n++;
		(void)snprintf(state->name + len, sizeof(state->name) - (size_t)len, "%u",
			       (uint32_t)n);
	} while (name_is_taken(tap, state->name) && n < TAP_TUPLES);
}

/* ---- files ---- */

static struct stream *stream_of(struct spool_file *file)
{
	return (struct stream *)((char *)file - offsetof(struct stream, file));
}

static void path_of(void *context, struct spool_file *file, char *ret_path)
{
	struct stream *stream = stream_of(file);
	bool s2c = stream == &stream->flow->dirs[WEIR_S2C];

	(void)context;
	(void)snprintf(ret_path, SPOOL_PATH, "%s.%s", stream->flow->name, s2c ? "s2c" : "c2s");
}

/* ---- the tap ---- */

static struct stream_flow *flow_state(struct weir_tap *tap, void **state,
				      const struct weir_flow_info *flow)
{
	struct stream_flow *mine = *state;
	int dir;

	if (mine == NULL) {
		mine = calloc(1, sizeof(*mine));
		if (mine == NULL) {
			return NULL;
		}
		for (dir = 0; dir < 2; dir++) {
			mine->dirs[dir].flow = mine;
			spool_file_init(&mine->dirs[dir].file);
		}
		*state = mine;
	}
	if (mine->name[0] == '\0') {
		name_flow(tap, mine, flow);
	}
	return mine;
}

static int tap_data(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		    enum weir_direction dir, const struct weir_chunk *chunk)
{
	struct stream_flow *mine = flow_state(tap, state, flow);
	struct stream *stream;

	if (mine == NULL) {
		return WEIR_ENOMEM;
	}
	stream = &mine->dirs[dir];
	if (stream->file.failed) {
		return 0; /* told when it failed */
	}
	if (stream->sha256 == NULL) {
		stream->sha256 = EVP_MD_CTX_new();
		if (stream->sha256 == NULL ||
		    EVP_DigestInit_ex2(stream->sha256, tap->md, NULL) != 1) {
			stream->file.failed = true;
			return WEIR_ENOMEM;
		}
	}
	(void)EVP_DigestUpdate(stream->sha256, chunk->data, chunk->len);
	stream->bytes += chunk->len;
	return spool_put(&tap->spool, &stream->file, chunk->data, chunk->len);
}

static int tap_gap(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		   enum weir_direction dir, uint64_t offset, uint64_t length,
		   enum weir_gap_cause cause)
{
	struct stream_flow *mine = flow_state(tap, state, flow);
	struct stream *stream;

	if (mine == NULL) {
		return WEIR_ENOMEM;
	}
	stream = &mine->dirs[dir];
	if (stream->ngaps == STREAM_GAPS) {
		stream->gaps_omitted++;
		return 0;
	}
	if (stream->ngaps == stream->gaps_size) {
		size_t size = stream->gaps_size == 0 ? 4 : 2 * stream->gaps_size;
		struct gap *grown = realloc(stream->gaps, size * sizeof(*grown));

		if (grown == NULL) {
			stream->gaps_omitted++;
			return WEIR_ENOMEM;
		}
		stream->gaps = grown;
		stream->gaps_size = size;
	}
	stream->gaps[stream->ngaps++] = (struct gap){offset, length, cause};
	return 0;
}

static void fill_record(const struct stream *stream, const struct weir_flow_info *flow,
			enum weir_direction dir, struct weir_record *rec)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char text[NAME_MAX_LEN + 8];
	unsigned digest_len = 0;
	size_t i;

	weir_flow_id(flow, flow->first_ts_ns, 0, text);
	weir_record_set_bytes(rec, WEIR_F_FLOW_ID, text, WEIR_ID_LEN, WEIR_ID_LEN);
	(void)snprintf(text, sizeof(text), "%s.%s", stream->flow->name,
		       dir == WEIR_C2S ? "c2s" : "s2c");
	weir_record_set_str(rec, F_FILE, text);
	weir_record_set_static(rec, F_DIRECTION, dir == WEIR_C2S ? "c2s" : "s2c");
	weir_record_set_u64(rec, F_BYTES, stream->bytes);
	if (EVP_DigestFinal_ex(stream->sha256, digest, &digest_len) == 1) {
		weir_record_set_bytes(rec, F_SHA256, digest, digest_len, sizeof(digest));
	}
	for (i = 0; i < stream->ngaps; i++) {
		const char *cause = weir_gap_cause_name(stream->gaps[i].cause);

		weir_record_add_u64(rec, F_GAP_OFFSETS, stream->gaps[i].offset);
		weir_record_add_u64(rec, F_GAP_LENGTHS, stream->gaps[i].length);
		weir_record_add_str(rec, F_GAP_CAUSES, cause, strlen(cause));
	}
	if (stream->gaps_omitted > 0) {
		weir_record_set_u64(rec, F_GAPS_OMITTED, stream->gaps_omitted);
	}
}

static bool tap_end(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		    enum weir_direction dir, struct weir_record *rec)
{
	struct stream_flow *mine = *state;
	struct stream *stream;

	if (mine == NULL || mine->dirs[dir].ended) {
		return false;
	}
	stream = &mine->dirs[dir];
	stream->ended = true;
	if (spool_retire(&tap->spool, &stream->file) < 0) {
		stream->file.failed = true;
	}
	if (stream->bytes == 0 || stream->file.failed) {
		return false;
	}
	fill_record(stream, flow, dir, rec);
	return true;
}

static void tap_done(struct weir_tap *tap, void **state)
{
	struct stream_flow *mine = *state;
	int dir;

	if (mine == NULL) {
		return;
	}
	for (dir = 0; dir < 2; dir++) {
		struct stream *stream = &mine->dirs[dir];

		(void)spool_retire(&tap->spool, &stream->file);
		EVP_MD_CTX_free(stream->sha256);
		free(stream->gaps);
	}
	free(mine);
	*state = NULL;
}

static int tap_open(struct weir_sink *sink, struct weir_tap **ret)
{
	struct weir_tap *tap = calloc(1, sizeof(*tap));

	if (tap == NULL) {
		return WEIR_ENOMEM;
	}
	tap->sink = self(sink);
	tap->spool = (struct spool){.dir = tap->sink->dir,
				    .buffer_min = STREAM_BUFFER_MIN,
				    .buffer_max = STREAM_BUFFER,
				    .path = path_of};
	tap->md = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (tap->md == NULL) {
		free(tap);
		return WEIR_EUNSUPPORTED;
	}
	*ret = tap;
	return 0;
}

static void tap_close(struct weir_tap *tap)
{
	if (tap == NULL) {
		return;
	}
	assert(tap->spool.newest == NULL); /* every flow was done */
	EVP_MD_free(tap->md);
	free(tap->tuples);
	free(tap);
}

/* ---- the sink ---- */

static int streams_open(const struct weir_sink_config *config, struct weir_sink **ret,
			const char **ret_message)
{
	static const char *const known[] = {NULL};
	struct stream_sink *streams;
	int err;

	if (config->target[0] == '\0' || strcmp(config->target, "-") == 0) {
		*ret_message = "streams needs a directory: -o streams:DIR";
		return WEIR_EINVAL;
	}
	if (sink_unknown_option(config, known) != NULL) {
		*ret_message = "streams has no options";
		return WEIR_EINVAL;
	}
	streams = calloc(1, sizeof(*streams));
	if (streams == NULL) {
		*ret_message = "out of memory";
		return WEIR_ENOMEM;
	}
	err = spool_open_dir(config, &streams->index, &streams->dir);
	if (err < 0) {
		free(streams);
		*ret_message = "cannot make or write to the directory";
		return err;
	}
	*ret = (struct weir_sink *)streams;
	return 0;
}

static bool streams_wants(struct weir_sink *sink, const struct weir_schema *schema, size_t field)
{
	return schema == &stream_schema;
}

static void put_gaps(struct strbuf *buf, const struct weir_record *rec)
{
	const struct weir_value *offsets = &rec->values[F_GAP_OFFSETS];
	const struct weir_value *lengths = &rec->values[F_GAP_LENGTHS];
	const struct weir_value *causes = &rec->values[F_GAP_CAUSES];
	uint32_t n = 0, i;

	if (weir_record_has(rec, F_GAP_OFFSETS) && weir_record_has(rec, F_GAP_LENGTHS) &&
	    weir_record_has(rec, F_GAP_CAUSES) && offsets->len == lengths->len &&
	    offsets->len == causes->len) {
		n = offsets->len;
	}
	strbuf_str(buf, ",\"gaps\":[");
	for (i = 0; i < n; i++) {
		strbuf_str(buf, i == 0 ? "{\"offset\":" : ",{\"offset\":");
		strbuf_u64(buf, offsets->v.u64s[i]);
		strbuf_str(buf, ",\"length\":");
		strbuf_u64(buf, lengths->v.u64s[i]);
		strbuf_str(buf, ",\"cause\":");
		(void)json_write_string(buf, causes->v.strs[i].p, causes->v.strs[i].len);
		strbuf_char(buf, '}');
	}
	strbuf_char(buf, ']');
	if (weir_record_has(rec, F_GAPS_OMITTED)) {
		strbuf_str(buf, ",\"gaps_omitted\":");
		strbuf_u64(buf, rec->values[F_GAPS_OMITTED].v.u64);
	}
}

static void put_text(struct strbuf *buf, const char *key, const struct weir_record *rec,
		     size_t field)
{
	strbuf_str(buf, key);
	if (weir_record_has(rec, field)) {
		(void)json_write_string(buf, rec->values[field].v.bytes, rec->values[field].len);
	} else {
		strbuf_str(buf, "null");
	}
}

static int streams_record(struct weir_sink *sink, const struct weir_record *rec)
{
	struct strbuf *buf = &self(sink)->index.buf;

	if (rec->schema != &stream_schema) {
		return 0;
	}
	put_text(buf, "{\"file\":", rec, F_FILE);
	put_text(buf, ",\"flow_id\":", rec, WEIR_F_FLOW_ID);
	put_text(buf, ",\"direction\":", rec, F_DIRECTION);
	strbuf_str(buf, ",\"bytes\":");
	strbuf_u64(buf, weir_record_has(rec, F_BYTES) ? rec->values[F_BYTES].v.u64 : 0);
	strbuf_str(buf, ",\"sha256\":\"");
	if (weir_record_has(rec, F_SHA256)) {
		strbuf_hex(buf, rec->values[F_SHA256].v.bytes, rec->values[F_SHA256].len);
	}
	strbuf_char(buf, '"');
	put_gaps(buf, rec);
	strbuf_str(buf, "}\n");
	return out_wrote(&self(sink)->index);
}

static int streams_flush(struct weir_sink *sink)
{
	return out_flush(&self(sink)->index);
}

static int streams_reopen(struct weir_sink *sink)
{
	return out_reopen(&self(sink)->index);
}

static int streams_close(struct weir_sink *sink)
{
	struct stream_sink *streams = self(sink);
	int err = out_close(&streams->index);

	(void)close(streams->dir);
	free(streams);
	return err;
}

static const struct weir_tap_type streams_tap = {
	.schema = &stream_schema,
	.open = tap_open,
	.close = tap_close,
	.data = tap_data,
	.gap = tap_gap,
	.end = tap_end,
	.done = tap_done,
};

const struct weir_sink_type sink_streams = {
	.name = "streams",
	.doc = "the reassembled bytes of every direction as files in a directory, with an index",
	.open = streams_open,
	.wants = streams_wants,
	.record = streams_record,
	.flush = streams_flush,
	.reopen = streams_reopen,
	.close = streams_close,
	.tap = &streams_tap,
};
