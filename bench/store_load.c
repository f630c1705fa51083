/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_load SINK TRANSACTIONS [PER_SECOND [headers]]: synthetic HTTP transactions into a sink, e.g. sqlite:/tmp/s.db 10000000 10000
 *
 * 20 services of 3 servers each with 25 endpoints, 5,000 clients, connections of 20 transactions (and their tcp records), paths with
 * numbers, a third with a query, 2 % of statuses 4xx, 0.5 % 5xx, 0.1 % without a response, log-normal durations. Always the same
 * records. `headers`: six each way, as small.pcap has. What is told is the sink's time alone; making records is not counted.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>

#include "base/time.h"
#include "engine/engine.h"
#include "record/record.h"
#include "sink/sink.h"

enum {
	SERVICES = 20,
	SERVERS = 3,
	ENDPOINTS = 25,
	CLIENTS = 5000,
	CONNECTIONS = 2000, /* open at a time */
	PER_CONNECTION = 20,
	BATCH = 1024,
	NFIELDS = 40
};

/* of fields, by name */
static const char *const names[] = {
	"network.protocol.name",
	"network.protocol.version",
	"http.request.method",
	"http.request.target",
	"url.full",
	"url.scheme",
	"url.domain",
	"url.path",
	"url.query",
	"http.route",
	"user_agent.original",
	"http.request.header",
	"http.response.header",
	"http.request.framing",
	"http.request.body.size",
	"http.request.size",
	"http.response.status_code",
	"http.response.reason",
	"http.response.framing",
	"http.response.body.size",
	"http.response.size",
	NULL,
};

enum {
	F_PROTOCOL,
	F_VERSION,
	F_METHOD,
	F_TARGET,
	F_FULL,
	F_SCHEME,
	F_DOMAIN,
	F_PATH,
	F_QUERY,
	F_ROUTE,
	F_AGENT,
	F_REQUEST_HEADER,
	F_RESPONSE_HEADER,
	F_REQUEST_FRAMING,
	F_REQUEST_BODY,
	F_REQUEST_SIZE,
	F_STATUS,
	F_REASON,
	F_RESPONSE_FRAMING,
	F_RESPONSE_BODY,
	F_RESPONSE_SIZE,
};

struct connection {
	struct weir_flow_info flow;
	char id[32];
	char community[32];
	uint8_t client[4], server[4];
	unsigned port, service, left, n;
	int64_t began_ns, rtt_ns;
};

static const struct weir_schema *http, *tcp;
static size_t fields[NFIELDS];
static struct connection connections[CONNECTIONS];
static uint64_t dice = 88172645463325252;
static uint64_t packet = 1;
static bool headers;

static uint64_t roll(uint64_t n)
{
	dice ^= dice << 13;
	dice ^= dice >> 7;
	dice ^= dice << 17;
	return dice % n;
}

/* About normal, of variance 1 */
static double normal(void)
{
	double sum = 0;
	int i;

	for (i = 0; i < 12; i++) {
		sum += (double)roll(1 << 20) / (1 << 20);
	}
	return sum - 6;
}

static void text(struct weir_record *rec, size_t field, const char *value)
{
	weir_record_set_str(rec, field, value);
}

static void set_flow(struct weir_record *rec, struct connection *c, int64_t ts)
{
	char id[32] = "";

	rec->flow = &c->flow;
	weir_flow_id(&c->flow, ts, ++c->n, id);
	weir_record_set_i64(rec, WEIR_F_TS, ts);
	weir_record_set_bytes(rec, WEIR_F_ID, id, 26, 26);
	weir_record_set_bytes(rec, WEIR_F_FLOW_ID, c->id, 26, 26);
	weir_record_set_static(rec, WEIR_F_NETWORK_TYPE, "ipv4");
	weir_record_set_str(rec, WEIR_F_NETWORK_COMMUNITY_ID, c->community);
	weir_record_set_bytes(rec, WEIR_F_CLIENT_ADDRESS, c->client, 4, 4);
	weir_record_set_u64(rec, WEIR_F_CLIENT_PORT, c->port);
	weir_record_set_bytes(rec, WEIR_F_SERVER_ADDRESS, c->server, 4, 4);
	weir_record_set_u64(rec, WEIR_F_SERVER_PORT, 8080);
	weir_record_set_u64(rec, WEIR_F_PACKET_FIRST, packet);
}

static void open_connection(struct connection *c, int64_t ts)
{
	static uint64_t n;
	uint64_t client = roll(CLIENTS);

	n++;
	memset(c, 0, sizeof(*c));
	c->flow.hash = n * UINT64_C(0x9e3779b97f4a7c15);
	weir_flow_id(&c->flow, ts, 0, c->id);
	c->id[26] = '\0';
	(void)snprintf(c->community, sizeof(c->community), "1:%08x%016" PRIx64 "abc=", (unsigned)n,
		       c->flow.hash);
	c->service = (unsigned)roll(SERVICES);
	memcpy(c->client, (uint8_t[]){10, 1, (uint8_t)(client >> 8), (uint8_t)client}, 4);
	memcpy(c->server, (uint8_t[]){10, 2, (uint8_t)c->service, (uint8_t)(1 + roll(SERVERS))}, 4);
	c->port = 32768 + (unsigned)(n % 28000);
	c->left = PER_CONNECTION;
	c->began_ns = ts;
	c->rtt_ns = (int64_t)(200000 + roll(100000));
}

static void add_header(struct weir_record *rec, size_t field, const char *name, const char *value)
{
	weir_record_add_header(rec, field, name, strlen(name), value, strlen(value), 8192);
}

static void set_headers(struct weir_record *rec, const char *host, const char *size, int64_t ts)
{
	char date[40];
	time_t s = (time_t)(ts / NS_PER_S);
	struct tm tm;

	(void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&s, &tm));
	add_header(rec, fields[F_REQUEST_HEADER], "host", host);
	add_header(rec, fields[F_REQUEST_HEADER], "accept", "application/json");
	add_header(rec, fields[F_REQUEST_HEADER], "accept-encoding", "gzip, deflate, br");
	add_header(rec, fields[F_REQUEST_HEADER], "connection", "keep-alive");
	add_header(rec, fields[F_RESPONSE_HEADER], "server", "nginx/1.22.1");
	add_header(rec, fields[F_RESPONSE_HEADER], "date", date);
	add_header(rec, fields[F_RESPONSE_HEADER], "content-type", "application/json");
	add_header(rec, fields[F_RESPONSE_HEADER], "content-length", size);
}

static void set_request(struct weir_record *rec, const struct connection *c, unsigned endpoint,
			int64_t ts)
{
	static const char *const methods[] = {"GET", "GET", "GET", "POST", "PUT"};
	char host[32], path[64], route[64], query[32], full[192];
	bool with_query = roll(3) == 0;
	uint64_t item = roll(50) == 0 ? roll(1000000) : roll(2000);

	(void)snprintf(host, sizeof(host), "svc%02u.example.test", c->service);
	(void)snprintf(route, sizeof(route), "/api/v1/res%02u/{id}", endpoint);
	(void)snprintf(path, sizeof(path), "/api/v1/res%02u/%" PRIu64, endpoint, item);
	(void)snprintf(query, sizeof(query), "page=%u&q=w%u", (unsigned)roll(20),
		       (unsigned)roll(50000));
	text(rec, fields[F_METHOD], methods[endpoint % 5]);
	weir_record_set_static(rec, fields[F_SCHEME], "http");
	text(rec, fields[F_DOMAIN], host);
	text(rec, WEIR_F_SERVICE_NAME, host);
	text(rec, fields[F_PATH], path);
	text(rec, fields[F_ROUTE], route);
	(void)snprintf(full, sizeof(full), "http://%s%s%s%s", host, path, with_query ? "?" : "",
		       with_query ? query : "");
	text(rec, fields[F_FULL], full);
	text(rec, fields[F_TARGET], full + 7 + strlen(host));
	if (with_query) {
		text(rec, fields[F_QUERY], query);
	}
	(void)snprintf(full, sizeof(full), "client/%u (Linux x86_64)",
		       (unsigned)(c->client[3] % 40));
	text(rec, fields[F_AGENT], full);
	weir_record_set_static(rec, fields[F_REQUEST_FRAMING],
			       endpoint % 5 > 2 ? "length" : "none");
	weir_record_set_u64(rec, fields[F_REQUEST_BODY], endpoint % 5 > 2 ? 100 + roll(400) : 0);
	weir_record_set_u64(rec, fields[F_REQUEST_SIZE], 300 + roll(400));
	if (headers) {
		set_headers(rec, host, "512", ts);
	}
}

static void set_response(struct weir_record *rec, const struct connection *c, unsigned endpoint)
{
	uint64_t luck = roll(1000);
	int64_t send = (int64_t)roll(1000) < 700 ? 0 : (int64_t)roll(300000);
	int64_t wait = (int64_t)(exp(normal()) * 2e6 * (1 + endpoint % 7) * (1 + c->service % 3));
	int64_t receive = (int64_t)roll(500000);

	weir_record_set_i64(rec, WEIR_F_TIMING_SEND, send);
	weir_record_set_static(rec, WEIR_F_PAIRING, "exact");
	if (luck == 0) {
		weir_record_set_static(rec, WEIR_F_COMPLETENESS, "no_response");
		return;
	}
	weir_record_set_static(rec, WEIR_F_COMPLETENESS, "complete");
	weir_record_set_i64(rec, WEIR_F_TIMING_WAIT, wait);
	weir_record_set_i64(rec, WEIR_F_TIMING_RECEIVE, receive);
	weir_record_set_i64(rec, WEIR_F_DURATION, send + wait + receive);
	weir_record_set_i64(rec, WEIR_F_TIMING_STALL, 0);
	weir_record_set_u64(rec, fields[F_STATUS],
			    luck < 6            ? 503
			    : luck < 26         ? 404
			    : endpoint % 5 == 3 ? 201
						: 200);
	weir_record_set_static(rec, fields[F_REASON],
			       luck < 6    ? "Service Unavailable"
			       : luck < 26 ? "Not Found"
					   : "OK");
	weir_record_set_static(rec, fields[F_RESPONSE_FRAMING], "length");
	weir_record_set_u64(rec, fields[F_RESPONSE_BODY], 200 + roll(20000));
	weir_record_set_u64(rec, fields[F_RESPONSE_SIZE], 500 + roll(20000));
}

static void make_http(struct weir_record *rec, struct connection *c, int64_t ts)
{
	/* some endpoints are asked for much more often than others */
	unsigned endpoint = (unsigned)(roll(ENDPOINTS) * roll(ENDPOINTS) / ENDPOINTS);

	set_flow(rec, c, ts);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST, packet + 2 + roll(6));
	packet += 4;
	weir_record_set_static(rec, fields[F_PROTOCOL], "http");
	weir_record_set_static(rec, fields[F_VERSION], "1.1");
	weir_record_set_i64(rec, WEIR_F_TCP_RTT, c->rtt_ns);
	weir_record_set_u64(rec, WEIR_F_TCP_RETRANSMITS, roll(200) == 0);
	weir_record_set_u64(rec, WEIR_F_TCP_OUT_OF_ORDER, 0);
	weir_record_set_u64(rec, WEIR_F_TCP_GAPS, 0);
	set_request(rec, c, endpoint, ts);
	set_response(rec, c, endpoint);
}

static void set_named(struct weir_record *rec, const char *name, uint64_t value)
{
	int i = weir_schema_find(rec->schema, name, strlen(name));

	if (i >= 0) {
		weir_record_set_u64(rec, (size_t)i, value);
	}
}

static void make_tcp(struct weir_record *rec, struct connection *c, int64_t ts)
{
	int i;

	set_flow(rec, c, c->began_ns);
	weir_record_set_u64(rec, WEIR_F_PACKET_LAST, packet);
	weir_record_set_i64(rec, WEIR_F_DURATION, ts - c->began_ns);
	i = weir_schema_find(tcp, "tcp.state", 9);
	weir_record_set_static(rec, (size_t)i, "closed");
	i = weir_schema_find(tcp, "tcp.handshake_ns", 16);
	weir_record_set_i64(rec, (size_t)i, c->rtt_ns);
	set_named(rec, "tcp.c2s.packets", 2 * PER_CONNECTION);
	set_named(rec, "tcp.s2c.packets", 8 * PER_CONNECTION);
	set_named(rec, "tcp.c2s.bytes", 500 * PER_CONNECTION);
	set_named(rec, "tcp.s2c.bytes", 10000 * PER_CONNECTION);
}

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * NS_PER_S + now.tv_nsec;
}

static int find_schemas(const struct weir_schema **schemas)
{
	size_t i;

	(void)engine_schemas(NULL, schemas);
	for (i = 0; schemas[i] != NULL; i++) {
		http = strcmp(schemas[i]->type, "http") == 0 ? schemas[i] : http;
		tcp = strcmp(schemas[i]->type, "tcp") == 0 ? schemas[i] : tcp;
	}
	for (i = 0; http != NULL && names[i] != NULL; i++) {
		int field = weir_schema_find(http, names[i], strlen(names[i]));

		if (field < 0) {
			(void)fprintf(stderr, "no field %s\n", names[i]);
			return -1;
		}
		fields[i] = (size_t)field;
	}
	return http == NULL || tcp == NULL ? -1 : 0;
}

static struct weir_sink *open_sink(const char *words, const struct weir_schema *const *schemas,
				   struct sink_spec *spec)
{
	struct weir_sink_config config = {.schemas = schemas};
	const char *message = NULL;
	struct weir_sink *sink = NULL;

	if (sink_parse(words, spec, &message) < 0) {
		(void)fprintf(stderr, "%s\n", message);
		return NULL;
	}
	config.target = spec->target;
	config.keys = spec->keys;
	config.values = spec->values;
	if (spec->type->open(&config, &sink, &message) < 0) {
		(void)fprintf(stderr, "%s\n", message);
		return NULL;
	}
	return sink;
}

struct load {
	const struct weir_sink_type *type;
	struct weir_sink *sink;
	int64_t wall_ns, cpu_ns;
	uint64_t records;
	unsigned unconfirmed;
};

static int give(struct load *load, struct weir_record **batch, size_t n)
{
	int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	unsigned confirm = load->type->confirm == 0 ? 256 : load->type->confirm;
	int err = 0;
	size_t i;

	for (i = 0; i < n && err == 0; i++) {
		err = load->type->record(load->sink, batch[i]);
		if (++load->unconfirmed >= confirm && err == 0) {
			err = load->type->flush(load->sink);
			load->unconfirmed = 0;
		}
	}
	load->records += n;
	load->wall_ns += clock_ns(CLOCK_MONOTONIC) - wall;
	load->cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	for (i = 0; i < n; i++) {
		record_free(batch[i]);
	}
	return err;
}

static int run(struct load *load, uint64_t transactions, uint64_t rate)
{
	struct weir_record *batch[BATCH + 1];
	struct budget budget;
	struct arena_pool pool;
	uint64_t i;
	size_t n = 0;
	int err = 0;

	budget_init(&budget, (size_t)1 << 28, NULL);
	arena_pool_init(&pool, &budget, 4 * BATCH);
	for (i = 0; i < transactions && err == 0; i++) {
		int64_t ts = INT64_C(1767225600) * NS_PER_S +
			     (int64_t)(i * (uint64_t)NS_PER_S / rate) +
			     (int64_t)roll((uint64_t)NS_PER_S / rate);
		struct connection *c = &connections[roll(CONNECTIONS)];

		if (c->left == 0) {
			if (c->n > 0 && record_new(&pool, tcp, &batch[n]) == 0) {
				make_tcp(batch[n++], c, ts);
			}
			open_connection(c, ts);
		}
		c->left--;
		if (record_new(&pool, http, &batch[n]) < 0) {
			return -1;
		}
		make_http(batch[n++], c, ts);
		if (n >= BATCH) {
			err = give(load, batch, n);
			n = 0;
		}
	}
	if (err == 0) {
		err = give(load, batch, n);
	}
	arena_pool_fini(&pool);
	return err;
}

int main(int argc, char **argv)
{
	const struct weir_schema *schemas[ENGINE_MAX_SCHEMAS + 1];
	uint64_t transactions = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
	uint64_t rate = argc > 3 ? strtoull(argv[3], NULL, 10) : 10000;
	struct load load = {0};
	struct sink_spec spec;
	struct rusage usage;
	struct stat st;
	int64_t wall, cpu;
	int err;

	if (transactions == 0 || rate == 0 || find_schemas(schemas) < 0) {
		(void)fprintf(stderr, "store_load SINK TRANSACTIONS [PER_SECOND [headers]]\n");
		return 2;
	}
	headers = argc > 4 && strcmp(argv[4], "headers") == 0;
	load.sink = open_sink(argv[1], schemas, &spec);
	if (load.sink == NULL) {
		return 1;
	}
	load.type = spec.type;
	err = run(&load, transactions, rate);
	wall = clock_ns(CLOCK_MONOTONIC);
	cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID);
	err = load.type->close(load.sink) < 0 ? -1 : err;
	load.wall_ns += clock_ns(CLOCK_MONOTONIC) - wall;
	load.cpu_ns += clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
	(void)getrusage(RUSAGE_SELF, &usage);
	(void)printf("%" PRIu64 " transactions, %" PRIu64 " records: %.2f s (%.2f CPU): "
		     "%.0f transactions/s (%.0f a CPU second)",
		     transactions, load.records, (double)load.wall_ns / 1e9,
		     (double)load.cpu_ns / 1e9, (double)transactions / ((double)load.wall_ns / 1e9),
		     (double)transactions / ((double)load.cpu_ns / 1e9));
	if (stat(spec.target, &st) == 0) {
		(void)printf(", %.1f B a transaction", (double)st.st_size / (double)transactions);
	}
	(void)printf(", peak %ld MB%s\n", usage.ru_maxrss / 1024, err < 0 ? ", FAILED" : "");
	sink_spec_fini(&spec);
	return err < 0;
}
