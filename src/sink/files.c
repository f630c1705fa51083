/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sink `files:DIR`: message bodies as files, decoded, and an index.
 *
 * A file's name is the SHA-256 of what is in it, so equal bodies are one file, and nothing captured gets into a name. A body
 * that is not whole (bytes missing, cut short, not decoded to its end, beyond a limit, or a part of a resource: 206) has
 * the suffix .partial: no file pretends to be more than it is. The index (index.jsonl) has a line a body: file, names, where from,
 * and what is missing. The name that the message gave is in the index only, made harmless (files_name.h).
 *
 * Bytes come through the tap, on the workers' threads, as they are decoded; they go to a hidden file (.NUMBER.part), which is
 * renamed when the body is over: a run that dies leaves no file with a digest's name that is not that. A body with
 * content codings has a second one with its bytes as they came, for when what was named as its coding is not.
 *
 * Small bodies, which are nearly all, are written at once when they are over. Limits: bytes of a body (limit=), of all bodies
 * (total=), open files and buffered bytes of a tap; the oldest of those that wait is written out.
 */
#include "base/strbuf.h"
#include "sink/files_name.h"
#include "sink/json_build.h"
#include "sink/lookup.h"
#include "sink/out.h"
#include "sink/sink.h"
#include "sink/spool.h"
#include "weir/error.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	PIECE_BUFFER = 64 * 1024, /* bytes that wait, of a body */
	PIECE_BUFFER_MIN = 1024,  /* the buffer's first size */
	BODY_GAPS = 1024,         /* gaps listed a body; further ones are counted */
	PATH_LEN = 96,
};

#define LIMIT_DEFAULT (UINT64_C(64) << 20)
#define TOTAL_DEFAULT (UINT64_C(8) << 30)

/* ---- the record of a body ---- */

enum {
	F_FILE = WEIR_NCOMMON,
	F_OF,
	F_DIRECTION,
	F_NAME,
	F_URL,
	F_STATUS,
	F_TYPE,
	F_SNIFFED,
	F_BYTES,
	F_SHA256,
	F_COMPLETE,
	F_REASON,
	F_RANGE,
	F_GAP_OFFSETS,
	F_GAP_LENGTHS,
	F_GAPS_OMITTED,
};

static const struct weir_field file_fields[] = {
	{"file", WEIR_KIND_STR, 0, "name of the file in the directory; absent: none was written"},
	{"http.id", WEIR_KIND_STR, 0, "id of the transaction's record"},
	{"direction", WEIR_KIND_STR, 0, "c2s: body of a request; s2c: of a response"},
	{"name", WEIR_KIND_STR, WEIR_FIELD_URL, "name that the message gives, made harmless"},
	{"url", WEIR_KIND_STR, WEIR_FIELD_URL, "normalised URL"},
	{"status_code", WEIR_KIND_U64, 0, "of the response"},
	{"content_type", WEIR_KIND_STR, 0, "Content-Type, as it was sent"},
	{"mime_type", WEIR_KIND_STR, 0, "type by content"},
	{"bytes", WEIR_KIND_U64, 0, "size of the file"},
	{"sha256", WEIR_KIND_HEX, 0, "of the file"},
	{"complete", WEIR_KIND_BOOL, 0, "it is the whole body"},
	{"reason", WEIR_KIND_STR, 0, "why it is not"},
	{"content_range", WEIR_KIND_STR, 0, "which part of a resource it is"},
	{"gap.offsets", WEIR_KIND_U64S, 0, "where bytes are missing, missing ones counted in"},
	{"gap.lengths", WEIR_KIND_U64S, 0, "how many; of coded bytes when the body is coded"},
	{"gap.omitted", WEIR_KIND_U64, 0, "gaps beyond the limit of the list"},
};

static const struct weir_schema file_schema = {"file", file_fields,
					       sizeof(file_fields) / sizeof(file_fields[0])};

/* ---- state ---- */

/* Bytes on their way into a file. See spool.h for its states; the file is a hidden one. */
struct piece {
	struct spool_file file; /* failed: writing failed, or no memory */
	uint64_t bytes;         /* taken, cut ones not counted */
	uint64_t number;        /* of the hidden file */
	EVP_MD_CTX *digest;
	bool cut;  /* a limit was reached: what follows is dropped */
	bool kept; /* the file has got its name */
};

struct file_body {
	struct piece decoded;
	struct piece wire; /* with content codings */
	uint64_t missing;  /* bytes, so far */
	uint64_t *gaps;    /* offset, length pairs */
	size_t ngaps, gaps_size;
	uint64_t gaps_omitted;
};

struct weir_tap {
	struct files_sink *sink;
	EVP_MD *md;
	struct spool spool;
};

struct files_sink {
	struct out index;
	struct lookup lookup;
	int dir;
	uint64_t limit, total;
	atomic_uint_fast64_t next;  /* number of a hidden file */
	atomic_uint_fast64_t taken; /* bytes in files and waiting for it */
	/* figures */
	atomic_uint_fast64_t bodies, partial, duplicates, cut, failed, given_up;
};

static struct files_sink *self(struct weir_sink *sink)
{
	return (struct files_sink *)sink;
}

/* ---- pieces ---- */

static void hidden_path(const struct piece *piece, char *ret)
{
	(void)snprintf(ret, PATH_LEN, ".%llu.part", (unsigned long long)piece->number);
}

static void path_of(void *context, struct spool_file *file, char *ret_path)
{
	struct weir_tap *tap = context;
	struct piece *piece = (struct piece *)((char *)file - offsetof(struct piece, file));

	if (!file->created) {
		piece->number = atomic_fetch_add(&tap->sink->next, 1);
	}
	hidden_path(piece, ret_path);
}

/* Room that the limits leave for `len` more bytes. */
static size_t room(struct weir_tap *tap, struct piece *piece, size_t len)
{
	struct files_sink *files = tap->sink;
	uint64_t taken = atomic_load(&files->taken);
	uint64_t left = files->limit - piece->bytes;

	/* other workers may take as much at the same time: a piece each beyond the limit */
	left = taken >= files->total         ? 0
	       : files->total - taken < left ? files->total - taken
					     : left;
	if (len > left) {
		piece->cut = true;
		len = (size_t)left;
	}
	return len;
}

static int take(struct weir_tap *tap, struct piece *piece, const uint8_t *p, size_t len)
{
	if (piece->file.failed || piece->cut) {
		return 0;
	}
	if (piece->digest == NULL) {
		piece->digest = EVP_MD_CTX_new();
		if (piece->digest == NULL ||
		    EVP_DigestInit_ex2(piece->digest, tap->md, NULL) != 1) {
			piece->file.failed = true;
			return WEIR_ENOMEM;
		}
	}
	len = room(tap, piece, len);
	if (len == 0) {
		return 0;
	}
	atomic_fetch_add(&tap->sink->taken, len);
	(void)EVP_DigestUpdate(piece->digest, p, len);
	piece->bytes += len;
	return spool_put(&tap->spool, &piece->file, p, len);
}

/* The bytes are not wanted after all. */
static void drop(struct weir_tap *tap, struct piece *piece)
{
	char path[PATH_LEN];

	spool_release(&tap->spool, &piece->file);
	if (!piece->kept) {
		atomic_fetch_sub(&tap->sink->taken, piece->bytes);
	}
	if (piece->file.created) {
		hidden_path(piece, path);
		(void)unlinkat(tap->sink->dir, path, 0);
	}
	EVP_MD_CTX_free(piece->digest);
	memset(piece, 0, sizeof(*piece));
	spool_file_init(&piece->file);
}

/* ---- the tap ---- */

static void *tap_body_open(struct weir_tap *tap, const struct weir_flow_info *flow)
{
	struct file_body *body = calloc(1, sizeof(*body));

	(void)tap;
	(void)flow;
	if (body != NULL) {
		spool_file_init(&body->decoded.file);
		spool_file_init(&body->wire.file);
	}
	return body;
}

static int tap_body_data(struct weir_tap *tap, void *opaque, bool wire, const uint8_t *p,
			 size_t len)
{
	struct file_body *body = opaque;

	return take(tap, wire ? &body->wire : &body->decoded, p, len);
}

static void tap_body_raw(struct weir_tap *tap, void *opaque)
{
	struct file_body *body = opaque;
	struct piece *wire = &body->wire;

	drop(tap, &body->decoded);
	body->decoded = *wire;
	spool_move(&tap->spool, &body->decoded.file, &wire->file);
	memset(wire, 0, sizeof(*wire));
	spool_file_init(&wire->file);
}

static void tap_body_gap(struct weir_tap *tap, void *opaque, uint64_t length)
{
	struct file_body *body = opaque;

	(void)tap;
	if (body->ngaps == BODY_GAPS) {
		body->gaps_omitted++;
		return;
	}
	if (body->ngaps == body->gaps_size) {
		size_t size = body->gaps_size == 0 ? 4 : 2 * body->gaps_size;
		uint64_t *grown = realloc(body->gaps, 2 * size * sizeof(*grown));

		if (grown == NULL) {
			body->gaps_omitted++;
			return;
		}
		body->gaps = grown;
		body->gaps_size = size;
	}
	body->gaps[2 * body->ngaps] = body->decoded.bytes + body->missing;
	body->gaps[2 * body->ngaps + 1] = length;
	body->ngaps++;
	body->missing += length;
}

/* ---- the end of a body ---- */

static const struct weir_header *header_of(const struct files_sink *files,
					   const struct weir_record *message,
					   enum weir_direction dir, const char *name)
{
	return lookup_header(&files->lookup, message,
			     dir == WEIR_C2S ? LOOK_REQUEST_HEADER : LOOK_RESPONSE_HEADER, name);
}

/* Give the hidden file the name of its content. */
static int name_file(struct weir_tap *tap, struct piece *piece, const char *name)
{
	bool known = faccessat(tap->sink->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	char path[PATH_LEN];

	if (known && !piece->file.created) {
		atomic_fetch_add(&tap->sink->duplicates, 1);
		return 0; /* nothing of it was written yet */
	}
	if (spool_retire(&tap->spool, &piece->file) < 0 || piece->file.failed) {
		return WEIR_EIO;
	}
	hidden_path(piece, path);
	if (known) {
		atomic_fetch_add(&tap->sink->duplicates, 1);
		piece->file.created = false;
		return unlinkat(tap->sink->dir, path, 0) == 0 ? 0 : WEIR_EIO;
	}
	if (renameat(tap->sink->dir, path, tap->sink->dir, name) != 0) {
		return WEIR_EIO;
	}
	piece->file.created = false;
	piece->kept = true;
	return 0;
}

static void put_header(struct weir_record *rec, size_t field, const struct weir_header *header)
{
	if (header != NULL) {
		weir_record_set_bytes(rec, field, header->value.p, header->value.len, 4096);
	}
}

static void put_value(struct weir_record *rec, size_t field, const struct weir_value *value)
{
	if (value != NULL) {
		weir_record_set_bytes(rec, field, value->v.bytes, value->len, SIZE_MAX);
	}
}

static void put_name(const struct files_sink *files, const struct weir_record *message,
		     enum weir_direction dir, struct weir_record *rec)
{
	const struct weir_header *header = header_of(files, message, dir, "content-disposition");
	const struct weir_value *path = lookup_value(&files->lookup, message, LOOK_PATH);
	struct weir_str last = {NULL, 0};
	struct strbuf name;

	if (path != NULL) {
		last = (struct weir_str){path->v.bytes, path->len};
	}
	strbuf_init(&name);
	files_name(header == NULL ? NULL : &header->value, path == NULL ? NULL : &last, &name);
	if (name.len > 0) {
		weir_record_set_bytes(rec, F_NAME, name.p, name.len, SIZE_MAX);
	}
	strbuf_fini(&name);
}

static void put_gaps(const struct file_body *body, struct weir_record *rec)
{
	size_t i;

	for (i = 0; i < body->ngaps; i++) {
		weir_record_add_u64(rec, F_GAP_OFFSETS, body->gaps[2 * i]);
		weir_record_add_u64(rec, F_GAP_LENGTHS, body->gaps[2 * i + 1]);
	}
	if (body->gaps_omitted > 0) {
		weir_record_set_u64(rec, F_GAPS_OMITTED, body->gaps_omitted);
	}
}

/* Why it is not the whole body; NULL: it is. */
static const char *why_partial(const struct file_body *body, bool whole, bool range)
{
	if (body->decoded.file.failed) {
		return "not written";
	}
	if (body->ngaps > 0 || body->gaps_omitted > 0) {
		return "gap";
	}
	if (body->decoded.cut) {
		return "limit";
	}
	return !whole ? "truncated" : range ? "range" : NULL;
}

static void describe(const struct files_sink *files, const struct file_body *body,
		     enum weir_direction dir, const struct weir_record *message,
		     struct weir_record *rec)
{
	const struct weir_value *status = lookup_value(&files->lookup, message, LOOK_STATUS);
	const struct weir_value *mime = lookup_value(
		&files->lookup, message, dir == WEIR_C2S ? LOOK_REQUEST_MIME : LOOK_RESPONSE_MIME);

	put_value(rec, F_OF, lookup_common(message, WEIR_F_ID));
	weir_record_set_static(rec, F_DIRECTION, dir == WEIR_C2S ? "c2s" : "s2c");
	put_name(files, message, dir, rec);
	put_value(rec, F_URL, lookup_value(&files->lookup, message, LOOK_URL));
	if (dir == WEIR_S2C && status != NULL) {
		weir_record_set_u64(rec, F_STATUS, status->v.u64);
	}
	put_header(rec, F_TYPE, header_of(files, message, dir, "content-type"));
	put_value(rec, F_SNIFFED, mime);
	weir_record_set_u64(rec, F_BYTES, body->decoded.bytes);
	put_gaps(body, rec);
}

/* Name the file and tell it. */
static int keep_file(struct weir_tap *tap, struct piece *piece, bool partial,
		     struct weir_record *rec)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	unsigned len = 0, i;
	char name[PATH_LEN];

	if (piece->file.failed || EVP_DigestFinal_ex(piece->digest, digest, &len) != 1) {
		return WEIR_EIO;
	}
	for (i = 0; i < len && i < 32; i++) { /* SHA-256 */
		(void)snprintf(name + 2 * (size_t)i, 3, "%02x", digest[i]);
	}
	(void)snprintf(name + 2 * (size_t)i, 16, "%s", partial ? ".partial" : "");
	if (name_file(tap, piece, name) < 0) {
		return WEIR_EIO;
	}
	weir_record_set_str(rec, F_FILE, name);
	weir_record_set_bytes(rec, F_SHA256, digest, len, sizeof(digest));
	return 0;
}

/* The file and the record; false: there is nothing to tell. */
static bool finish(struct weir_tap *tap, struct file_body *body, enum weir_direction dir,
		   bool whole, const struct weir_record *message, struct weir_record *rec)
{
	struct files_sink *files = tap->sink;
	struct piece *piece = &body->decoded;
	bool part = dir == WEIR_S2C && lookup_u64(&files->lookup, message, LOOK_STATUS, 0) == 206;
	const char *reason = why_partial(body, whole, part);

	if (piece->bytes == 0 && !piece->file.failed && !piece->cut && body->ngaps == 0) {
		return false; /* there is no body */
	}
	if (piece->bytes > 0 && keep_file(tap, piece, reason != NULL, rec) < 0) {
		piece->file.failed = true;
		reason = "not written";
	}
	atomic_fetch_add(&files->bodies, 1);
	atomic_fetch_add(&files->cut, piece->cut ? 1 : 0);
	atomic_fetch_add(&files->failed, piece->file.failed ? 1 : 0);
	atomic_fetch_add(&files->partial, reason == NULL ? 0 : 1);
	describe(files, body, dir, message, rec);
	weir_record_set_bool(rec, F_COMPLETE, reason == NULL);
	if (reason != NULL) {
		weir_record_set_static(rec, F_REASON, reason);
	}
	if (part) {
		put_header(rec, F_RANGE, header_of(files, message, dir, "content-range"));
	}
	return true;
}

static bool tap_body_end(struct weir_tap *tap, void *opaque, enum weir_direction dir, bool whole,
			 const struct weir_record *message, struct weir_record *rec)
{
	struct file_body *body = opaque;
	bool told = false;

	if (message != NULL) {
		told = finish(tap, body, dir, whole, message, rec);
	} else if (body->decoded.bytes > 0) {
		atomic_fetch_add(&tap->sink->given_up, 1);
	}
	drop(tap, &body->decoded);
	drop(tap, &body->wire);
	free(body->gaps);
	free(body);
	return told;
}

/* Streams are not what this one is about. */
static int tap_data(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		    enum weir_direction dir, const struct weir_chunk *chunk)
{
	return 0;
}

static int tap_gap(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		   enum weir_direction dir, uint64_t offset, uint64_t length,
		   enum weir_gap_cause cause)
{
	return 0;
}

static bool tap_end(struct weir_tap *tap, void **state, const struct weir_flow_info *flow,
		    enum weir_direction dir, struct weir_record *rec)
{
	return false;
}

static void tap_done(struct weir_tap *tap, void **state)
{
}

static int tap_open(struct weir_sink *sink, struct weir_tap **ret)
{
	struct weir_tap *tap = calloc(1, sizeof(*tap));

	if (tap == NULL) {
		return WEIR_ENOMEM;
	}
	tap->sink = self(sink);
	tap->spool = (struct spool){.dir = tap->sink->dir,
				    .buffer_min = PIECE_BUFFER_MIN,
				    .buffer_max = PIECE_BUFFER,
				    .path = path_of,
				    .context = tap};
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
	assert(tap->spool.newest == NULL && tap->spool.nopen == 0); /* every body was ended */
	EVP_MD_free(tap->md);
	free(tap);
}

/* ---- the sink ---- */

/* A size: bytes, or with K, M, G (powers of 1,024). false: it is none, or 0 */
static bool read_size(const char *text, uint64_t *ret)
{
	static const char units[] = "kmg";
	char *end;
	unsigned long long n;
	unsigned shift = 0;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || end == text || text[0] == '-' || n == 0) {
		return false;
	}
	if (*end != '\0') {
		const char *unit = strchr(units, *end | 0x20);

		if (unit == NULL || end[1] != '\0') {
			return false;
		}
		shift = 10 * (unsigned)(unit - units + 1);
	}
	if (n > (UINT64_MAX >> 1) >> shift) {
		return false;
	}
	*ret = (uint64_t)n << shift;
	return true;
}

static const char *read_options(struct files_sink *files, const struct weir_sink_config *config)
{
	static const char *const known[] = {"limit", "total", NULL};
	const char *limit = sink_option(config, "limit");
	const char *total = sink_option(config, "total");

	files->limit = LIMIT_DEFAULT;
	files->total = TOTAL_DEFAULT;
	if (config->target[0] == '\0' || strcmp(config->target, "-") == 0) {
		return "files needs a directory: -o files:DIR";
	}
	if (sink_unknown_option(config, known) != NULL) {
		return "unknown option of sink files; it has limit= and total=";
	}
	if ((limit != NULL && !read_size(limit, &files->limit)) ||
	    (total != NULL && !read_size(total, &files->total))) {
		return "limit= and total= of files are sizes, such as 64M";
	}
	return NULL;
}

static int files_open(const struct weir_sink_config *config, struct weir_sink **ret,
		      const char **ret_message)
{
	struct files_sink *files = calloc(1, sizeof(*files));
	int err;

	if (files == NULL) {
		*ret_message = "out of memory";
		return WEIR_ENOMEM;
	}
	*ret_message = read_options(files, config);
	if (*ret_message != NULL) {
		free(files);
		return WEIR_EINVAL;
	}
	err = spool_open_dir(config, &files->index, &files->dir);
	if (err < 0) {
		free(files);
		*ret_message = "cannot make or write to the directory";
		return err;
	}
	lookup_init(&files->lookup, config->schemas);
	*ret = (struct weir_sink *)files;
	return 0;
}

static bool files_wants(struct weir_sink *sink, const struct weir_schema *schema, size_t field)
{
	static const char *const names[] = {"http.request.header",
					    "http.response.header",
					    "url.path",
					    "url.full",
					    "http.response.status_code",
					    "http.request.mime_type",
					    "http.response.mime_type"};
	size_t i;

	if (schema == &file_schema || field == WEIR_F_ID || field == WEIR_F_TS) {
		return true;
	}
	for (i = 0; field >= WEIR_NCOMMON && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(weir_schema_field(schema, field)->name, names[i]) == 0) {
			return true;
		}
	}
	return false;
}

static void put_index_gaps(struct json_build *build, const struct weir_record *rec)
{
	const struct weir_value *offsets = &rec->values[F_GAP_OFFSETS];
	const struct weir_value *lengths = &rec->values[F_GAP_LENGTHS];
	uint32_t n = 0, i;

	if (weir_record_has(rec, F_GAP_OFFSETS) && weir_record_has(rec, F_GAP_LENGTHS) &&
	    offsets->len == lengths->len) {
		n = offsets->len;
	}
	json_build_key(build, "gaps");
	json_build_open(build, '[');
	for (i = 0; i < n; i++) {
		json_build_open(build, '{');
		json_build_key(build, "offset");
		json_build_u64(build, offsets->v.u64s[i]);
		json_build_key(build, "length");
		json_build_u64(build, lengths->v.u64s[i]);
		json_build_close(build, '}');
	}
	json_build_close(build, ']');
}

static int files_record(struct weir_sink *sink, const struct weir_record *rec)
{
	static const struct {
		const char *key;
		size_t field;
	} rows[] = {
		{"file", F_FILE},
		{"id", F_OF},
		{"flow_id", WEIR_F_FLOW_ID},
		{"ts", WEIR_F_TS},
		{"direction", F_DIRECTION},
		{"name", F_NAME},
		{"url", F_URL},
		{"status_code", F_STATUS},
		{"content_type", F_TYPE},
		{"mime_type", F_SNIFFED},
		{"bytes", F_BYTES},
		{"sha256", F_SHA256},
		{"complete", F_COMPLETE},
		{"reason", F_REASON},
		{"content_range", F_RANGE},
		{"gaps_omitted", F_GAPS_OMITTED},
	};
	struct files_sink *files = self(sink);
	struct json_build build;
	size_t i;

	if (rec->schema != &file_schema) {
		return 0;
	}
	json_build_init(&build, &files->index.buf, false);
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (weir_record_has(rec, rows[i].field)) {
			json_build_key(&build, rows[i].key);
			json_build_value(&build,
					 weir_schema_field(rec->schema, rows[i].field)->kind,
					 &rec->values[rows[i].field]);
		}
	}
	put_index_gaps(&build, rec);
	json_build_end(&build);
	strbuf_char(&files->index.buf, '\n');
	return out_wrote(&files->index);
}

static int files_flush(struct weir_sink *sink)
{
	return out_flush(&self(sink)->index);
}

static int files_reopen(struct weir_sink *sink)
{
	return out_reopen(&self(sink)->index);
}

static void files_figures(struct weir_sink *sink,
			  void (*add)(void *context, const char *name, uint64_t n), void *context)
{
	struct files_sink *files = self(sink);

	add(context, "files_bodies", atomic_load(&files->bodies));
	add(context, "files_partial", atomic_load(&files->partial));
	add(context, "files_duplicates", atomic_load(&files->duplicates));
	add(context, "files_cut", atomic_load(&files->cut));
	add(context, "files_not_written", atomic_load(&files->failed));
	add(context, "files_given_up", atomic_load(&files->given_up));
}

static int files_close(struct weir_sink *sink)
{
	struct files_sink *files = self(sink);
	int err = out_close(&files->index);

	(void)close(files->dir);
	free(files);
	return err;
}

static const struct weir_tap_type files_tap = {
	.schema = &file_schema,
	.open = tap_open,
	.close = tap_close,
	.data = tap_data,
	.gap = tap_gap,
	.end = tap_end,
	.done = tap_done,
	.body_open = tap_body_open,
	.body_data = tap_body_data,
	.body_raw = tap_body_raw,
	.body_gap = tap_body_gap,
	.body_end = tap_body_end,
};

const struct weir_sink_type sink_files = {
	.name = "files",
	.doc = "message bodies as files named by their digest, with an index",
	.open = files_open,
	.wants = files_wants,
	.record = files_record,
	.flush = files_flush,
	.reopen = files_reopen,
	.close = files_close,
	.figures = files_figures,
	.tap = &files_tap,
};
