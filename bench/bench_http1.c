/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 alone, next to llhttp on the same bytes: nanoseconds a transaction. Not in the suite; bench/http1.py runs it, also below
 * valgrind for instructions, and writes docs/performance.md.
 *
 *	ninja -C build bench_http1 && build/bench_http1 WHO SHAPE TRANSACTIONS
 *
 * WHO    weir       the parser, pairing, timings and a record of which nobody reads anything
 *        weir-all   the same with every field of the record: URL taken apart, all headers kept
 *        llhttp     callbacks that count the bytes of each span and the messages; no pairing, no URL
 *        llhttp-all callbacks that also keep every URL and header
 * SHAPE  browser    a browser's request; a response of 1 KiB with a length, its head and body in two segments
 *        chunked    the same in four chunks
 *        plain      a request and a response of one line and one header each
 *
 * Segments lie where they are, whole, as a capture without loss has them; acknowledgements are as on the wire.
 */
#include <llhttp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/budget.h"
#include "parser/registry.h"
#include "record/record.h"
#include "weir/parser.h"

#define REQUEST                                                                                    \
	"GET /api/v1/items/4711?page=2&q=w15838 HTTP/1.1\r\n"                                      \
	"Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"                                             \
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"   \
	"Cookie: sid=0123456789abcdef0123456789abcdef; theme=dark; lang=en\r\n"                    \
	"Referer: http://api.example.test/index.html\r\nHost: api.example.test\r\n"                \
	"Accept: application/json, text/plain, */*\r\n\r\n"
#define HEAD                                                                                       \
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 22 Nov 2026 17:07:59 GMT\r\n"       \
	"Content-Type: application/json\r\n"                                                       \
	"Last-Modified: Sun, 22 Nov 2026 17:07:57 GMT\r\nConnection: keep-alive\r\n"               \
	"ETag: \"6b03216d-400\"\r\nAccept-Ranges: bytes\r\n"
#define X32   "0123456789abcdef0123456789abcdef"
#define X256  X32 X32 X32 X32 X32 X32 X32 X32
#define CHUNK "100\r\n" X256 "\r\n"

struct shape {
	const char *name;
	const char *segments[4]; /* the first is the client's */
};

static const struct shape shapes[] = {
	{"browser", {REQUEST, HEAD "Content-Length: 1024\r\n\r\n", X256 X256 X256 X256}},
	{"chunked",
	 {REQUEST, HEAD "Transfer-Encoding: chunked\r\n\r\n", CHUNK CHUNK CHUNK CHUNK "0\r\n\r\n"}},
	{"plain",
	 {"GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
	  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}},
};

/* ---- what the parser asks of an engine, and nothing more ---- */

struct weir_host {
	struct weir_config config;
	struct weir_flow_info flow;
	struct budget budget;
	struct arena_pool pool;
	uint64_t next[2];
	uint64_t skip[2];
	uint64_t packet;
	int64_t now_ns;
	const uint64_t *wanted;
	uint64_t records;
	uint64_t bytes;
};

#include "host_basics.h"

void weir_host_figures(const struct weir_host *host, struct weir_tcp_figures *ret)
{
	memset(ret, 0, sizeof(*ret));
}

uint64_t weir_host_skip_left(const struct weir_host *host, enum weir_direction dir)
{
	return host->skip[dir];
}

int weir_host_reset_by(const struct weir_host *host)
{
	return -1;
}

bool weir_host_body(struct weir_host *host, struct weir_body_out *ret)
{
	return false;
}

struct weir_record *weir_host_record(struct weir_host *host, const struct weir_schema *schema,
				     int64_t ts_ns)
{
	struct weir_record *rec;

	if (record_new(&host->pool, schema, &rec) < 0) {
		abort();
	}
	rec->wanted = host->wanted;
	rec->flow = &host->flow;
	weir_record_set_i64(rec, WEIR_F_TS, ts_ns);
	return rec;
}

void weir_host_emit(struct weir_host *host, struct weir_record *rec)
{
	host->records++;
	host->bytes += rec->arena->used;
	record_free(rec);
}

void weir_host_emit_interim(struct weir_host *host, struct weir_record *rec)
{
}

size_t weir_host_pack_record(const struct weir_host *host, const struct weir_record *rec, void *to,
			     size_t room)
{
	return 0; /* nothing is parked */
}

struct weir_record *weir_host_unpack_record(struct weir_host *host,
					    const struct weir_schema *schema, const void *from,
					    size_t len, size_t *ret_used)
{
	return NULL;
}

bool weir_host_wants(const struct weir_host *host, const struct weir_schema *schema, size_t field)
{
	return host->wanted == NULL;
}

void weir_host_anomaly(struct weir_host *host, struct weir_record *rec,
		       const struct weir_anomaly *what, enum weir_direction dir, uint64_t offset)
{
	(void)fprintf(stderr, "bench_http1: %s\n", what->code);
	abort();
}

void weir_host_tick(struct weir_host *host, int64_t delay_ns)
{
}

static void feed(struct weir_host *host, const struct weir_parser *parser, void *state,
		 enum weir_direction dir, const char *text, size_t len)
{
	struct weir_mark mark = {.offset = host->next[dir],
				 .ts_ns = host->now_ns,
				 .packet = ++host->packet,
				 .peer_ack = host->next[!dir]};
	struct weir_chunk chunk = {(const uint8_t *)text, len, host->next[dir], &mark, 1};

	host->now_ns += 1000;
	host->next[dir] += len;
	while (chunk.len > 0) {
		struct weir_consumed got = {0};
		size_t n = chunk.len < host->skip[dir] ? chunk.len : (size_t)host->skip[dir];

		if (n > 0) {
			host->skip[dir] -= n;
			if (host->skip[dir] == 0) {
				parser->skipped(state, host, dir, &mark);
			}
		} else if (parser->on_data(state, host, dir, &chunk, &got) == WEIR_PARSE_SKIP) {
			host->skip[dir] = got.skip;
		}
		n += got.consumed;
		chunk.data += n;
		chunk.offset += n;
		chunk.len -= n;
	}
}

static void run_weir(const struct shape *shape, long times, bool all)
{
	static const uint64_t nothing[2];
	const struct weir_parser *parser = parser_find("http1");
	static struct weir_host host;
	size_t len[4] = {0};
	void *state = calloc(1, parser->state_size);
	int i;

	weir_config_init(&host.config);
	host.config.tick_ns = 0;
	host.wanted = all ? NULL : nothing;
	budget_init(&host.budget, 64 << 20, NULL);
	arena_pool_init(&host.pool, &host.budget, 64);
	(void)parser->open(state, &host);
	for (i = 0; i < 4 && shape->segments[i] != NULL; i++) {
		len[i] = strlen(shape->segments[i]);
	}
	while (times-- > 0) {
		for (i = 0; i < 4 && shape->segments[i] != NULL; i++) {
			feed(&host, parser, state, i == 0 ? WEIR_C2S : WEIR_S2C, shape->segments[i],
			     len[i]);
		}
	}
	parser->done(state, &host);
	printf("%llu records, %llu bytes", (unsigned long long)host.records,
	       (unsigned long long)host.bytes);
	arena_pool_fini(&host.pool);
	free(state);
}

/* ---- llhttp ---- */

static struct {
	uint64_t messages, bytes;
	bool keeps;
	size_t nkept;
	char kept[65536];
} seen;

static int on_span(llhttp_t *parser, const char *at, size_t len)
{
	seen.bytes += len;
	if (seen.keeps && seen.nkept + len <= sizeof(seen.kept)) {
		memcpy(seen.kept + seen.nkept, at, len);
		seen.nkept += len;
	}
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	seen.bytes += len;
	return 0;
}

static int on_complete(llhttp_t *parser)
{
	seen.messages++;
	seen.nkept = 0;
	return 0;
}

static void run_llhttp(const struct shape *shape, long times, bool all)
{
	llhttp_settings_t settings;
	llhttp_t parser[2];
	size_t len[4] = {0};
	int i;

	llhttp_settings_init(&settings);
	settings.on_url = on_span;
	settings.on_status = on_span;
	settings.on_header_field = on_span;
	settings.on_header_value = on_span;
	settings.on_body = on_body;
	settings.on_message_complete = on_complete;
	seen.keeps = all;
	llhttp_init(&parser[0], HTTP_REQUEST, &settings);
	llhttp_init(&parser[1], HTTP_RESPONSE, &settings);
	for (i = 0; i < 4 && shape->segments[i] != NULL; i++) {
		len[i] = strlen(shape->segments[i]);
	}
	while (times-- > 0) {
		for (i = 0; i < 4 && shape->segments[i] != NULL; i++) {
			if (llhttp_execute(&parser[i > 0], shape->segments[i], len[i]) != HPE_OK) {
				abort();
			}
		}
	}
	printf("%llu messages, %llu bytes", (unsigned long long)seen.messages,
	       (unsigned long long)seen.bytes);
}

int main(int argc, char **argv)
{
	struct timespec begin, end;
	size_t i;
	long n;

	for (i = 0; argc == 4 && i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		if (strcmp(argv[2], shapes[i].name) != 0) {
			continue;
		}
		n = atol(argv[3]);
		(void)clock_gettime(CLOCK_MONOTONIC, &begin);
		if (strncmp(argv[1], "weir", 4) == 0) {
			run_weir(&shapes[i], n, strcmp(argv[1], "weir-all") == 0);
		} else {
			run_llhttp(&shapes[i], n, strcmp(argv[1], "llhttp-all") == 0);
		}
		(void)clock_gettime(CLOCK_MONOTONIC, &end);
		printf(", %.1f ns\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 +
				       (double)(end.tv_nsec - begin.tv_nsec)) /
					      (double)n);
		return 0;
	}
	(void)fprintf(stderr, "usage: bench_http1 weir|weir-all|llhttp|llhttp-all "
			      "browser|chunked|plain TRANSACTIONS\n");
	return 2;
}
