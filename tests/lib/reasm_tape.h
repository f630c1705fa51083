/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tape: one half of reassembly with a budget of its own, and what it told as text: bytes as they are, a gap as
 * [offset+length cause], a conflict as {offset kept/lost}, the end as $. Include after cmocka.h.
 */
#ifndef REASM_TAPE_H
#define REASM_TAPE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reasm/half.h"
#include "weir/error.h"

#define MS 1000000LL

struct tape {
	char text[8192];
	size_t len;
	struct weir_mark marks[64]; /* of all chunks */
	size_t nmarks;
	size_t nchunks;
	const uint8_t *last_data; /* where the last chunk's bytes were */
	struct budget budget;
	struct reasm_pool pool;
	struct reasm_half half;
	uint32_t isn;
	int64_t now;
	uint64_t packet;
	uint64_t allocations, fail_from; /* from this one on, none succeeds; 0: all do */
	struct weir_allocator allocator;
};

__attribute__((format(printf, 2, 3))) static inline void tape_add(struct tape *t,
								  const char *format, ...)
{
	va_list args;

	va_start(args, format);
	t->len += (size_t)vsnprintf(t->text + t->len, sizeof(t->text) - t->len, format, args);
	va_end(args);
	assert_true(t->len < sizeof(t->text));
}

static inline void on_data(void *owner, struct reasm_half *half, const struct weir_chunk *chunk)
{
	struct tape *t = owner;
	size_t i;

	tape_add(t, "%.*s", (int)chunk->len, (const char *)chunk->data);
	for (i = 0; i < chunk->nmarks && t->nmarks < 64; i++) {
		t->marks[t->nmarks++] = chunk->marks[i];
	}
	t->nchunks++;
	t->last_data = chunk->data;
}

static inline void on_gap(void *owner, struct reasm_half *half, uint64_t offset, uint64_t length,
			  enum weir_gap_cause cause, const struct weir_mark *mark)
{
	tape_add(owner, "[%llu+%llu %s]", (unsigned long long)offset, (unsigned long long)length,
		 weir_gap_cause_name(cause));
}

static inline void on_overlap(void *owner, struct reasm_half *half, uint64_t offset,
			      const uint8_t *kept, const uint8_t *lost, size_t len,
			      const struct weir_mark *mark, uint64_t kept_packet)
{
	tape_add(owner, "{%llu %.*s/%.*s}", (unsigned long long)offset, (int)len,
		 (const char *)kept, (int)len, (const char *)lost);
}

static inline void on_end(void *owner, struct reasm_half *half)
{
	tape_add(owner, "$");
}

static const struct reasm_ops ops = {on_data, on_gap, on_overlap, on_end};

static inline void ignore_data(void *owner, struct reasm_half *half, const struct weir_chunk *chunk)
{
}

static inline void ignore_gap(void *owner, struct reasm_half *half, uint64_t offset,
			      uint64_t length, enum weir_gap_cause cause,
			      const struct weir_mark *mark)
{
}

static const struct reasm_ops count_ops = {ignore_data, ignore_gap, on_overlap, on_end};

static inline void *tape_alloc(void *context, size_t size)
{
	struct tape *t = context;

	t->allocations++;
	return t->fail_from != 0 && t->allocations >= t->fail_from ? NULL : malloc(size);
}

static inline void tape_free(void *context, void *ptr, size_t size)
{
	free(ptr);
}

static inline struct tape *tape_new(uint32_t seq)
{
	struct tape *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	t->allocator = (struct weir_allocator){tape_alloc, tape_free, t};
	budget_init(&t->budget, 64 << 20, &t->allocator);
	reasm_pool_init(&t->pool, &t->budget, &ops);
	reasm_half_init(&t->half, 0);
	reasm_half_start(&t->half, seq);
	t->isn = seq;
	t->now = 1000 * MS;
	return t;
}

static inline void ledger_balances(struct tape *t, struct weir_ledger *ret)
{
	uint64_t sum;
	unsigned i;

	reasm_half_ledger(&t->half, ret);
	sum = ret->delivered + ret->duplicate + ret->overlap + ret->pending;
	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		sum += ret->rejected[i];
	}
	assert_int_equal(ret->captured, sum);
}

/* Bytes at an offset; cut: how many more the segment had than was captured. @return what push() said */
static inline ssize_t push_cut(struct tape *t, int64_t at, const char *text, uint32_t cut)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len + 1); /* gone after the call: nobody may keep it */
	struct reasm_seg seg = {.data = copy,
				.len = (uint32_t)len + cut,
				.caplen = (uint32_t)len,
				.seq = t->isn + (uint32_t)at,
				.ts_ns = t->now,
				.now_ns = t->now,
				.packet = ++t->packet,
				.peer_ack = 500 + t->packet};
	struct weir_ledger ledger;
	ssize_t got;

	memcpy(copy, text, len);
	got = reasm_half_push(&t->half, &t->pool, t, &seg);
	free(copy);
	ledger_balances(t, &ledger);
	return got;
}

static inline ssize_t push(struct tape *t, int64_t at, const char *text)
{
	return push_cut(t, at, text, 0);
}

static inline void wait_ms(struct tape *t, int64_t ms)
{
	t->now += ms * MS;
}

static inline void packet_by(struct tape *t)
{
	reasm_half_poll(&t->half, &t->pool, t, t->now, true);
}

static inline void acked(struct tape *t, uint64_t offset)
{
	reasm_half_acked(&t->half, &t->pool, offset, t->now);
}

static inline int fin(struct tape *t, int64_t at)
{
	return reasm_half_fin(&t->half, &t->pool, t, t->isn + (uint32_t)at);
}

static inline void finish(struct tape *t)
{
	reasm_half_finish(&t->half, &t->pool, t, WEIR_GAP_END, t->now);
}

static inline void tape_free_all(struct tape *t)
{
	reasm_half_fini(&t->half, &t->pool);
	reasm_pool_fini(&t->pool);
	assert_int_equal(t->budget.used, 0);
	free(t);
}

/* What was told is `text`; then the tape is gone. */
static inline void told(struct tape *t, const char *text)
{
	assert_string_equal(t->text, text);
	tape_free_all(t);
}

#endif
