/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No input makes time super-linear: each attack is run at a size and at four times that size, with a small budget and with a large
 * one, and its cost must be about four times as much. Quadratic work would be sixteen.
 *
 * Cost is the number of instructions of this thread in user space, which no other process disturbs. Where the kernel does not count
 * them (perf_event_open() is refused), it is CPU time: the least of two runs, with a wider limit, and again when that is passed.
 *
 * The table on stdout (attack, budget, size, cost a packet) is what docs/performance shows; WEIR_LINEAR_SCALE=k makes all sizes k times
 * as large.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "flow/tuple.h"
#include "weir/weir.h"

enum { FIN = 1, SYN = 2, RST = 4, ACK = 16 };
enum { HEADERS = 14 + 20 + 20, IP = 14, TCP = 34, STEP_NS = 10000, GROWTH = 4 };

/* Four times the size may cost so many times as much, in thousandths. */
enum { MOST_INSTRUCTIONS = 5200, MOST_TIME = 8000, TRIES = 3 };

/* ---- cost ---- */

static int counter = -1;

static void counter_open(void)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.type = PERF_TYPE_HARDWARE;
	attr.size = sizeof(attr);
	attr.config = PERF_COUNT_HW_INSTRUCTIONS;
	attr.exclude_kernel = 1;
	attr.exclude_hv = 1;
	counter = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
}

static uint64_t cost_now(void)
{
	struct timespec now;
	uint64_t n = 0;

	if (counter >= 0 && read(counter, &n, sizeof(n)) == (ssize_t)sizeof(n)) {
		return n;
	}
	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- packets ---- */

struct run {
	struct weir_engine *engine;
	uint64_t packets;
	int64_t now_ns;
	uint8_t frame[2048];
};

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static void push(struct run *run, uint32_t len)
{
	struct weir_packet packet = {.data = run->frame,
				     .caplen = len,
				     .wirelen = len,
				     .linktype = 1,
				     .number = ++run->packets,
				     .ts_ns = run->now_ns += STEP_NS};

	assert_true(weir_engine_push(run->engine, &packet) >= 0);
}

static void put_ip(struct run *run, uint32_t src, uint32_t dst, uint32_t len)
{
	uint8_t *ip = run->frame + IP;

	memset(run->frame, 0, HEADERS);
	put16(run->frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, len);
	ip[8] = 64;
	ip[9] = 6;
	put32(ip + 12, src);
	put32(ip + 16, dst);
}

struct end {
	uint32_t src, dst;
	uint16_t sport, dport;
};

static void segment(struct run *run, const struct end *end, uint32_t seq, uint32_t ack,
		    uint8_t flags, uint32_t len)
{
	uint8_t *tcp = run->frame + TCP;

	put_ip(run, end->src, end->dst, 40 + len);
	put16(tcp, end->sport);
	put16(tcp + 2, end->dport);
	put32(tcp + 4, seq);
	put32(tcp + 8, ack);
	tcp[12] = 0x50;
	tcp[13] = flags;
	put16(tcp + 14, 65535);
	memset(run->frame + HEADERS, 'x', len);
	push(run, HEADERS + len);
}

static struct end other(const struct end *end)
{
	return (struct end){end->dst, end->src, end->dport, end->sport};
}

static void handshake(struct run *run, const struct end *client)
{
	struct end server = other(client);

	segment(run, client, 1000, 0, SYN, 0);
	segment(run, &server, 5000, 1001, SYN | ACK, 0);
	segment(run, client, 1001, 5001, ACK, 0);
}

static struct end client_of(uint32_t i)
{
	return (struct end){0x0a000000 + i / 50000, 0xc0a80001, (uint16_t)(1024 + i % 50000), 80};
}

/* ---- attacks: so many packets each ---- */

static void one_byte_every_second(struct run *run, uint32_t n)
{
	struct end client = client_of(1);
	uint32_t i;

	handshake(run, &client);
	for (i = 0; i < n; i++) {
		segment(run, &client, 1002 + 2 * i, 5001, ACK, 1);
	}
}

/* The same in an order that is the worst for a list, within the window of a receiver. */
static void one_byte_backwards(struct run *run, uint32_t n)
{
	enum { BLOCK = 8192 };
	struct end client = client_of(1);
	uint32_t i;

	handshake(run, &client);
	for (i = 0; i < n; i++) {
		uint32_t base = i / BLOCK * BLOCK * 2;

		segment(run, &client, 1002 + base + 2 * (BLOCK - 1 - i % BLOCK), 5001, ACK, 1);
	}
}

static void one_byte_scattered(struct run *run, uint32_t n)
{
	enum { BLOCK = 8192 };
	struct end client = client_of(1);
	uint32_t i;

	handshake(run, &client);
	for (i = 0; i < n; i++) {
		uint32_t base = i / BLOCK * BLOCK * 2;

		segment(run, &client, 1002 + base + 2 * (i * 2654435761u % BLOCK), 5001, ACK, 1);
	}
}

/* Copies that conflict: of each byte that waits, another one. */
static void overlaps(struct run *run, uint32_t n)
{
	struct end client = client_of(1);
	uint32_t i;

	handshake(run, &client);
	for (i = 0; i < n; i++) {
		uint32_t at = 1010 + i / 64 * 200 + i % 3;

		segment(run, &client, at, 5001, ACK, 190 - i % 64);
	}
}

/* What was delivered, again, cut in another way: looked for among what is remembered. */
static void delivered_again(struct run *run, uint32_t n)
{
	struct end client = client_of(1);
	uint32_t i;

	handshake(run, &client);
	segment(run, &client, 1001, 5001, ACK, 1000);
	for (i = 0; i < n; i++) {
		segment(run, &client, 1001 + i % 900, 5001, ACK, 50);
	}
}

/* SACK blocks over everything, with as many holes as may wait. */
static void acknowledgements_of_holes(struct run *run, uint32_t n)
{
	struct end client = client_of(1), server = other(&client);
	uint32_t i;

	handshake(run, &client);
	for (i = 0; i < n; i++) {
		segment(run, &client, 1002 + 2 * (i % 1000), 5001, ACK, 1);
		segment(run, &server, 5001, 1001, ACK, 0);
	}
}

static void flows_with_one_segment(struct run *run, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n / 4; i++) {
		struct end client = client_of(i);

		handshake(run, &client);
		segment(run, &client, 1011, 5001, ACK, 100);
	}
}

static void syn_flood(struct run *run, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct end client = {0x0b000000 + i * 2654435761u % 16777216u, 0xc0a80001,
				     (uint16_t)(i * 7919u), 80};

		segment(run, &client, i, 0, SYN, 0);
	}
}

/* With data (TFO), which is held; four candidates on each tuple. */
static void syn_data_flood(struct run *run, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct end client = client_of(i / 8);

		segment(run, &client, i * 100000, 0, SYN, 200);
	}
}

static void fragment(struct run *run, uint32_t src, uint32_t id, uint32_t offset, uint32_t len,
		     bool more)
{
	put_ip(run, src, 0xc0a80001, 20 + len);
	put16(run->frame + IP + 4, id);
	put16(run->frame + IP + 6, offset / 8 | (more ? 0x2000u : 0));
	memset(run->frame + TCP, 'f', len);
	push(run, TCP + len);
}

/* First fragments of datagrams that are never complete. */
static void first_fragments(struct run *run, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		fragment(run, 0x0b000000 + i / 60000, i, 0, 64, true);
	}
}

/* Eight bytes at every second place of a datagram, from its end to its beginning. */
static void tiny_fragments(struct run *run, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		fragment(run, 0x0b000000, i / 4000, 64000 - i % 4000 * 16, 8, true);
	}
}

/* One datagram after another whose pieces overlap all others. */
static void overlapping_fragments(struct run *run, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		fragment(run, 0x0b000000, i / 100, i % 100 * 8, 800, true);
	}
}

/* Tuples that fall into the same shard and the same bucket of its table: the seed of files is known. */
static void hash_collisions(struct run *run, uint32_t n)
{
	static struct end *ends;
	static uint32_t nends;
	uint32_t port, address, i;

	if (ends == NULL) {
		ends = calloc(4096, sizeof(*ends));
		assert_non_null(ends);
		for (address = 0; nends < 4096; address++) {
			for (port = 1024; port < 65536 && nends < 4096; port++) {
				struct tuple tuple = {.ip_version = 4,
						      .port = {(uint16_t)port, 80}};

				put32(tuple.address[0], 0x0a000000 + address);
				put32(tuple.address[1], 0xc0a80001);
				if ((tuple_hash(&tuple, 0) & UINT64_C(0xf0000000000003ff)) == 5) {
					ends[nends++] =
						(struct end){0x0a000000 + address, 0xc0a80001,
							     (uint16_t)port, 80};
				}
			}
		}
	}
	for (i = 0; i < n; i++) {
		segment(run, &ends[i % nends], i, 0, SYN, 0);
	}
}

/* An established flow goes on in the middle of a SYN flood: the last packets must cost no more than the first ones. */
static void clock_jumps(struct run *run, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct end client = client_of(i % 1000);

		run->now_ns += i % 2 ? INT64_C(3600000000000) : -INT64_C(3599000000000);
		segment(run, &client, 1000 + i, 5001, ACK, 10);
	}
}

/* Flows that all time out at once, and again. */
static void timeouts_at_once(struct run *run, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++) {
		struct end client = client_of(i % 4096);

		if (i % 4096 == 0) {
			run->now_ns += INT64_C(59000000000);
		}
		segment(run, &client, 1000, 5001, ACK, 10);
	}
}

/* ---- the test ---- */

static const struct attack {
	const char *name;
	void (*send)(struct run *run, uint32_t n);
	uint32_t size;
} attacks[] = {
	{"one byte, every second one", one_byte_every_second, 8000},
	{"one byte, every second one, backwards", one_byte_backwards, 16384},
	{"one byte, every second one, scattered", one_byte_scattered, 16384},
	{"overlapping copies", overlaps, 8000},
	{"delivered bytes, cut otherwise", delivered_again, 8000},
	{"acknowledgements of 1,000 holes", acknowledgements_of_holes, 8000},
	{"flows that hold one segment", flows_with_one_segment, 100000},
	{"SYN flood", syn_flood, 25000},
	{"SYNs with data", syn_data_flood, 12000},
	{"first fragments", first_fragments, 40000}, /* 4 MiB are full before */
	{"tiny fragments, backwards", tiny_fragments, 16000},
	{"overlapping fragments", overlapping_fragments, 8000},
	{"crafted hash collisions", hash_collisions, 8000},
	{"clock jumps", clock_jumps, 8000},
	{"timeouts at once", timeouts_at_once, 16384},
};

static uint64_t cost_of(const struct attack *attack, uint32_t n, size_t memory)
{
	struct weir_config config;
	struct weir_callbacks callbacks;
	struct run *run = calloc(1, sizeof(*run));
	uint64_t before, cost;

	assert_non_null(run);
	memset(&callbacks, 0, sizeof(callbacks));
	weir_config_init(&config);
	config.memory = memory;
	config.checksums = WEIR_CHECKSUM_NONE;
	run->now_ns = INT64_C(1700000000000000000);
	assert_int_equal(weir_engine_new(&config, &callbacks, &run->engine), 0);
	before = cost_now();
	attack->send(run, n);
	weir_engine_finish(run->engine);
	cost = cost_now() - before;
	weir_engine_free(run->engine);
	free(run);
	return cost;
}

static uint64_t least_cost(const struct attack *attack, uint32_t n, size_t memory)
{
	uint64_t least = UINT64_MAX;
	int i;

	for (i = 0; i < (counter >= 0 ? 1 : 2); i++) {
		uint64_t cost = cost_of(attack, n, memory);

		least = cost < least ? cost : least;
	}
	return least;
}

static void cost_is_linear(void **state)
{
	const struct attack *attack = *state;
	static const size_t budgets[] = {(size_t)16 << 20, (size_t)1 << 30};
	const char *scale = getenv("WEIR_LINEAR_SCALE");
	uint32_t n = attack->size * (uint32_t)(scale != NULL ? strtoul(scale, NULL, 10) : 1);
	size_t i;

	(void)cost_of(attack, n / 4, budgets[0]); /* warm, and what it makes once */
	for (i = 0; i < sizeof(budgets) / sizeof(budgets[0]); i++) {
		uint64_t limit = counter >= 0 ? MOST_INSTRUCTIONS : MOST_TIME;
		uint64_t small, large;
		int tries = 0;

		do {
			/* noise only ever makes it look worse, and not each time */
			small = least_cost(attack, n, budgets[i]);
			large = least_cost(attack, n * GROWTH, budgets[i]);
		} while (large * 1000 / small >= limit && ++tries < TRIES);
		printf("%-40s %5zu MiB  %7u packets: %6.0f  %7u packets: %6.0f %s a packet\n",
		       attack->name, budgets[i] >> 20, n, (double)small / n, n * GROWTH,
		       (double)large / (n * GROWTH), counter >= 0 ? "instructions" : "ns");
		fflush(stdout);
		assert_true(large * 1000 / small < limit);
	}
}

int main(void)
{
	enum { N = sizeof(attacks) / sizeof(attacks[0]) };
	struct CMUnitTest tests[N];
	size_t i;

	counter_open();
	for (i = 0; i < N; i++) {
		tests[i] = (struct CMUnitTest){attacks[i].name, cost_is_linear, NULL, NULL,
					       (void *)(uintptr_t)&attacks[i]};
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
