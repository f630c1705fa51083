/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reference for reassembly: a byte map (reasm_map.h), one cell a byte of stream space. Each call of the engine is made here too, and the two are compared after it: what was delivered, which gaps with which cause, every
 * figure of the ledger, the stall, the deadline. A case is driven by dice (struct rm_dice): numbers from a generator (the
 * property test) or from a fuzzer's bytes, so that both explore the same operations.
 *
 * Independent of the engine on purpose: it may use half.h only. A disagreement calls rm_fail(), which the user defines.
 */
#ifndef REASM_MODEL_H
#define REASM_MODEL_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "reasm_map.h"
#include "weir/error.h"

/* The engine under test, and what it told. */
struct rm_case {
	struct rm_model model;
	struct budget budget;
	struct reasm_pool pool;
	struct reasm_half half;
	struct rm_cell told[RM_N];
	uint64_t base; /* stream offset of cell 0 */
	uint64_t told_next, told_gaps, conflicts;
	uint64_t compared; /* bytes before this were compared: neither side changes them any more */
	bool told_end, differing, in_order_only;
	bool weak; /* memory was refused where the engine forgets instead: only invariants are compared */
	uint64_t allocations; /* so far */
	uint64_t fail_at;     /* the allocation that fails; 0: none */
	struct weir_allocator allocator;
	uint8_t lost[RM_N][4]; /* copies of each byte that were sent: to check evidence */
	uint8_t nlost[RM_N];
};

void rm_fail(const struct rm_case *c, const char *format, ...)
	__attribute__((format(printf, 2, 3), noreturn));

/* WEIR_MODEL_TRACE=1 prints each operation: for looking into one failing seed. */
#define RM_TRACE(...)                                                                              \
	do {                                                                                       \
		if (getenv("WEIR_MODEL_TRACE") != NULL) {                                          \
			fprintf(stderr, __VA_ARGS__);                                              \
		}                                                                                  \
	} while (0)

#define RM_CHECK(c, condition, ...)                                                                \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			rm_fail(c, __VA_ARGS__);                                                   \
		}                                                                                  \
	} while (0)

/* What the engine calls */

static inline void rm_on_data(void *owner, struct reasm_half *half, const struct weir_chunk *chunk)
{
	struct rm_case *c = owner;
	size_t i;

	RM_CHECK(c, chunk->len > 0 && chunk->nmarks > 0, "empty chunk");
	RM_CHECK(c, chunk->offset == c->base + c->told_next, "chunk at %llu, expected %llu",
		 (unsigned long long)(chunk->offset - c->base), (unsigned long long)c->told_next);
	RM_CHECK(c, chunk->marks[0].offset <= chunk->offset, "first mark is late");
	for (i = 0; i < chunk->nmarks; i++) {
		RM_CHECK(c, i == 0 || chunk->marks[i].offset > chunk->marks[i - 1].offset, "marks");
		RM_CHECK(c, chunk->marks[i].offset < chunk->offset + chunk->len, "mark beyond");
		RM_CHECK(c, chunk->marks[i].stall_ns == half->stall_ns, "stall of a mark");
	}
	for (i = 0; i < chunk->len; i++) {
		struct rm_cell *cell = &c->told[c->told_next++];

		cell->state = RM_DELIVERED;
		cell->value = chunk->data[i];
		cell->packet = weir_chunk_mark(chunk, chunk->offset + i)->packet;
	}
	RM_CHECK(c, half->next == chunk->offset + chunk->len, "next is not right in data()");
}

static inline void rm_on_gap(void *owner, struct reasm_half *half, uint64_t offset, uint64_t length,
			     enum weir_gap_cause cause, const struct weir_mark *mark)
{
	struct rm_case *c = owner;

	RM_CHECK(c, length > 0 && offset == c->base + c->told_next, "gap at %llu, expected %llu",
		 (unsigned long long)(offset - c->base), (unsigned long long)c->told_next);
	RM_CHECK(c, mark == NULL || cause == WEIR_GAP_SNAPLEN || mark->offset == offset + length,
		 "mark of the segment after the gap");
	c->told_gaps++;
	for (; length > 0; length--, c->told_next++) {
		if (c->told_next < RM_N) {
			c->told[c->told_next].state = RM_GAP;
			c->told[c->told_next].cause = (uint8_t)cause;
		}
	}
}

static inline bool rm_was_sent(const struct rm_case *c, uint64_t p, uint8_t value)
{
	unsigned i;

	for (i = 0; i < c->nlost[p]; i++) {
		if (c->lost[p][i] == value) {
			return true;
		}
	}
	return c->nlost[p] == 4; /* more copies than we remember */
}

static inline void rm_on_overlap(void *owner, struct reasm_half *half, uint64_t offset,
				 const uint8_t *kept, const uint8_t *lost, size_t len,
				 const struct weir_mark *mark, uint64_t kept_packet)
{
	struct rm_case *c = owner;
	size_t i;

	RM_CHECK(c, kept_packet <= mark->packet, "kept of a packet to come");
	RM_CHECK(c, c->differing, "conflict told, but all copies are equal");
	RM_CHECK(c, len >= 1 && len <= 64, "evidence of %zu bytes", len);
	RM_CHECK(c, c->pool.ring != NULL || kept[0] != lost[0], "evidence begins with equal bytes");
	for (i = 0; i < len; i++) {
		uint64_t p = offset - c->base + i;

		RM_CHECK(c, rm_was_sent(c, p, kept[i]) && rm_was_sent(c, p, lost[i]),
			 "evidence that was never sent");
	}
	c->conflicts++;
}

static inline void rm_on_end(void *owner, struct reasm_half *half)
{
	struct rm_case *c = owner;

	RM_CHECK(c, !c->told_end, "end told twice");
	RM_CHECK(c, half->fin_known && half->next == half->fin, "end before the end");
	c->told_end = true;
}

static const struct reasm_ops rm_ops = {rm_on_data, rm_on_gap, rm_on_overlap, rm_on_end};

static inline void *rm_alloc(void *context, size_t size)
{
	struct rm_case *c = context;

	c->allocations++;
	return c->allocations == c->fail_at ? NULL : malloc(size);
}

static inline void rm_free(void *context, void *ptr, size_t size)
{
	memset(ptr, 0xdd, size); /* a use after this shows without a sanitizer too */
	free(ptr);
}

/* Comparison after each operation */

static inline uint64_t rm_ledger_sum(const struct weir_ledger *l)
{
	uint64_t sum = l->delivered + l->duplicate + l->overlap + l->pending;
	unsigned i;

	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		sum += l->rejected[i];
	}
	return sum;
}

static inline void rm_compare_figures(const struct rm_case *c)
{
	const struct rm_model *m = &c->model;
	struct weir_ledger l;
	unsigned i;

	reasm_half_ledger(&c->half, &l);
	l.delivered -= c->base;
	RM_CHECK(c, l.captured == rm_ledger_sum(&l), "the ledger does not balance: %llu, %llu",
		 (unsigned long long)l.captured, (unsigned long long)rm_ledger_sum(&l));
#define RM_SAME(name, a, b)                                                                        \
	RM_CHECK(c, (a) == (b), name ": engine %lld, model %lld", (long long)(a), (long long)(b))
	RM_SAME("captured", l.captured, m->captured);
	RM_SAME("delivered", l.delivered, m->ledger.delivered);
	if (c->pool.ring == NULL) {
		RM_SAME("duplicate", l.duplicate, m->ledger.duplicate);
		RM_SAME("overlap", l.overlap, m->ledger.overlap);
	}
	/* the ring knows more of the same bytes */
	RM_SAME("covered", l.duplicate + l.overlap, m->ledger.duplicate + m->ledger.overlap);
	RM_CHECK(c, l.overlap >= m->ledger.overlap, "overlap");
	RM_CHECK(c, (l.overlap > 0) == (c->conflicts > 0), "overlap bytes without an event");
	RM_SAME("pending", l.pending, m->ledger.pending);
	for (i = 0; i < WEIR_REJECT_NCAUSES; i++) {
		RM_CHECK(c, l.rejected[i] == m->ledger.rejected[i], "rejected[%s]: %llu, %llu",
			 weir_reject_name(i), (unsigned long long)l.rejected[i],
			 (unsigned long long)m->ledger.rejected[i]);
	}
	RM_SAME("gap bytes", l.gap_bytes, m->ledger.gap_bytes);
	RM_SAME("gaps", l.gaps, c->told_gaps);
}

static inline void rm_compare_times(const struct rm_case *c)
{
	const struct rm_model *m = &c->model;
	const struct rm_cell *hole = m->next < RM_N ? &m->cell[m->next] : NULL;
	int64_t deadline = RM_NONE, oldest = RM_NONE;

	if (!m->ended && hole != NULL && rm_hole_end(m, m->next) > m->next) {
		oldest = hole->born_ns;
		deadline = oldest == RM_NONE ? RM_NONE : oldest + rm_age(m) + 1;
		if (hole->acked_ns != RM_NONE && hole->acked_ns + m->pool->acked_ns < deadline) {
			deadline = hole->acked_ns + m->pool->acked_ns;
		}
		RM_CHECK(c, reasm_half_waits(&c->half), "a hole, but it does not wait");
	} else {
		RM_CHECK(c, m->hold || !reasm_half_waits(&c->half), "waits, but there is no hole");
	}
	RM_CHECK(c, rm_waits(m) == reasm_half_waits(&c->half), "waits");
	RM_SAME("stall", c->half.stall_ns, m->stall_ns);
	RM_SAME("oldest", reasm_half_oldest(&c->half), oldest);
	RM_SAME("deadline", reasm_half_deadline(&c->half, &c->pool), deadline);
}

/* What holds whatever was refused. */
static inline void rm_compare_weak(struct rm_case *c)
{
	struct weir_ledger l;
	uint64_t p;

	reasm_half_ledger(&c->half, &l);
	RM_CHECK(c, l.captured + c->base == rm_ledger_sum(&l), "the ledger does not balance");
	RM_SAME("told", c->told_next, c->half.next - c->base);
	RM_SAME("gaps", l.gaps, c->told_gaps);
	for (p = c->compared; p < c->told_next && p < RM_N; p++) {
		RM_CHECK(c, c->told[p].state == RM_GAP || rm_was_sent(c, p, c->told[p].value),
			 "byte %llu was never sent", (unsigned long long)p);
	}
	RM_CHECK(c, c->budget.used <= c->budget.limit, "budget exceeded");
	RM_CHECK(c, c->budget.used == c->pool.charged, "charged %zu, used %zu", c->pool.charged,
		 c->budget.used);
}

/* Without memory a late byte is only counted as refused, and two intervals stay two. */
static inline void rm_see_refusals(struct rm_case *c)
{
	c->weak = c->weak || c->half.refused > 0 ||
		  ((c->pool.intervals < 100 || c->model.policy != WEIR_OVERLAP_FIRST) &&
		   c->budget.refused + c->budget.failed > 0);
}

static inline void rm_compare(struct rm_case *c)
{
	const struct rm_model *m = &c->model;
	uint64_t p;

	rm_see_refusals(c);
	rm_compare_weak(c);
	if (c->weak) {
		c->compared = c->told_next;
		return;
	}
	RM_SAME("next", c->half.next - c->base, m->next);
	RM_SAME("told", c->told_next, m->next);
	RM_SAME("ended", c->half.ended, m->ended);
	RM_SAME("end told", c->told_end, m->fin_known && m->next == m->fin);
	rm_compare_figures(c);
	rm_compare_times(c);
	for (p = c->compared; p < m->next && p < RM_N; p++) {
		const struct rm_cell *a = &c->told[p], *b = &m->cell[p];

		RM_CHECK(c, a->state == b->state, "byte %llu: state %d, model %d",
			 (unsigned long long)p, a->state, b->state);
		if (b->state == RM_GAP) {
			RM_CHECK(c, a->cause == b->cause, "byte %llu: gap %s, model %s",
				 (unsigned long long)p, weir_gap_cause_name(a->cause),
				 weir_gap_cause_name(b->cause));
		} else {
			RM_CHECK(c, a->value == b->value, "byte %llu: 0x%02x, model 0x%02x",
				 (unsigned long long)p, a->value, b->value);
			RM_CHECK(c, a->packet == b->packet, "byte %llu: of packet %llu, model %llu",
				 (unsigned long long)p, (unsigned long long)a->packet,
				 (unsigned long long)b->packet);
		}
	}
	c->compared = m->next;
	RM_CHECK(c, !c->in_order_only || c->allocations == 0, "an allocation in order");
}

/* Dice and the case that they drive */

struct rm_dice {
	const uint8_t *bytes; /* NULL: from the generator */
	size_t len;
	uint64_t state;
};

/* 0 .. n-1; a fuzzer's bytes are 0 when they end */
static inline uint32_t rm_roll(struct rm_dice *dice, uint32_t n)
{
	uint32_t value = 0;

	if (dice->bytes == NULL) {
		uint64_t z = (dice->state += 0x9e3779b97f4a7c15ull); /* splitmix64 */

		z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
		z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
		return (uint32_t)(((z ^ (z >> 31)) >> 32) % n);
	}
	for (uint32_t limit = 1; limit < n && dice->len > 0; limit <<= 8) {
		value = value << 8 | *dice->bytes++;
		dice->len--;
		if (limit >= 1u << 24) {
			break;
		}
	}
	return value % n;
}

/* What a case may contain, and what was sent in it. */
struct rm_plan {
	uint32_t start; /* sequence number of cell 0 */
	uint32_t isn_room;
	bool conflicts, snaplen, loss, reorder, crowd;
	bool again;   /* many retransmissions */
	bool parks;   /* the half is packed and unpacked now and then */
	uint64_t snd; /* cell the sender is at */
	int64_t now;
	uint64_t packet;
	struct {
		uint32_t at, len;
	} sent[8]; /* for exact retransmissions */
	unsigned nsent;
	uint8_t stream[RM_N];
	uint64_t
		parked; /* state of the dice for parking, which are none of the case's: a seed means what it did without */
};

static inline uint32_t rm_seq(const struct rm_plan *plan, int64_t at)
{
	return plan->start + (uint32_t)at;
}

static inline void rm_note_copies(struct rm_case *c, int64_t at, const uint8_t *data, uint32_t len)
{
	uint32_t i;

	for (i = 0; i < len; i++) {
		if (at + i >= 0 &&
		    !(c->nlost[at + i] > 0 && rm_was_sent(c, (uint64_t)(at + i), data[i]))) {
			c->differing = c->differing || c->nlost[at + i] > 0;
			if (c->nlost[at + i] < 4) {
				c->lost[at + i][c->nlost[at + i]++] = data[i];
			}
		}
	}
}

/* A segment into both; when there is no memory for it, room is made as an engine would. */
static inline void rm_do_push(struct rm_case *c, struct rm_plan *plan, struct rm_dice *dice,
			      int64_t at, uint32_t len)
{
	uint8_t *data = malloc(len); /* exact size, gone after the call */
	struct reasm_seg seg = {.data = data, .len = len, .caplen = len, .seq = rm_seq(plan, at)};
	ssize_t got;
	uint32_t i;

	seg.now_ns = seg.ts_ns = plan->now;
	seg.packet = ++plan->packet;
	seg.peer_ack = WEIR_NO_ACK;
	if (plan->snaplen && rm_roll(dice, 3) == 0) {
		seg.caplen = rm_roll(dice, len + 1);
	}
	for (i = 0; i < len; i++) {
		data[i] = at + i >= 0 ? plan->stream[at + i] : 0;
	}
	if (plan->conflicts && rm_roll(dice, plan->again ? 2 : 4) == 0) {
		data[rm_roll(dice, len)] ^= (uint8_t)(1 + rm_roll(dice, 255));
	}
	for (i = 0; seg.caplen == len && i < len; i++) {
		seg.sum = (uint16_t)(seg.sum + data[i] * (i + 1)); /* any sum: 0 is "not known" */
	}
	rm_note_copies(c, at, data, seg.caplen);
	RM_TRACE("%lld push %lld+%u (%u) next %llu\n", (long long)plan->now / 1000000,
		 (long long)at, len, seg.caplen, (unsigned long long)c->model.next);
	c->in_order_only = c->in_order_only && at == (int64_t)c->model.next && seg.caplen == len &&
			   !c->model.fin_known;
	while ((got = reasm_half_push(&c->half, &c->pool, c, &seg)) == WEIR_EBUDGET) {
		rm_compare(c); /* nothing was counted */
		if (!reasm_half_waits(&c->half)) {
			reasm_half_reject(&c->half, &c->pool, seg.caplen, WEIR_REJECT_BUDGET);
			c->model.captured += seg.caplen;
			c->model.ledger.rejected[WEIR_REJECT_BUDGET] += seg.caplen;
			free(data);
			return;
		}
		(void)reasm_half_give_up(&c->half, &c->pool, c, WEIR_GAP_BUDGET, plan->now);
		rm_declare(&c->model, WEIR_GAP_BUDGET, plan->now);
		rm_compare(c);
	}
	RM_CHECK(c, got >= 0, "push: %zd", got);
	rm_see_refusals(c);
	i = (uint32_t)c->model.ledger.delivered;
	rm_push(&c->model, at, &seg);
	RM_CHECK(c, c->weak || got == (ssize_t)(c->model.ledger.delivered - i), "push returned %zd",
		 got);
	free(data);
}

/* A retransmission of an earlier segment: exact, or one that begins or ends with it, within it or beyond. */
static inline void rm_reshape(const struct rm_plan *plan, struct rm_dice *dice, int64_t *at,
			      uint32_t *len)
{
	uint32_t by = rm_roll(dice, *len < 12 ? *len : 12);

	switch (rm_roll(dice, plan->reorder ? 6 : 1)) {
	case 1: /* ends with it */
		*at += by;
		*len -= by;
		break;
	case 2: /* begins with it */
		*len -= by;
		break;
	case 3: /* begins before it */
		by = (int64_t)by > *at ? 0 : by;
		*at -= by;
		*len += by;
		break;
	case 4: /* ends behind it */
		*len += by;
		break;
	default:
		break;
	}
}

static inline void rm_op_push(struct rm_case *c, struct rm_plan *plan, struct rm_dice *dice)
{
	uint32_t len = 1 + rm_roll(dice, rm_roll(dice, 8) == 0 ? 120 : 12),
		 kind = rm_roll(dice, plan->again ? 5 : 10);
	int64_t at = (int64_t)plan->snd;

	if (kind == 0 && plan->nsent > 0) {
		uint32_t i = rm_roll(dice, plan->nsent < 8 ? plan->nsent : 8);

		at = plan->sent[i].at;
		len = plan->sent[i].len;
		rm_reshape(plan, dice, &at, &len);
	} else if (kind <= 2 && plan->reorder) {
		at = (int64_t)plan->snd + (int64_t)rm_roll(dice, 120) - 80;
	} else if (kind == 3 && plan->loss) {
		plan->snd += len;
		return;
	}
	if (at + len >= RM_N - 200 || (at < 0 && c->base > 0)) {
		return;
	}
	rm_do_push(c, plan, dice, at, len);
	if (at >= 0) {
		plan->sent[plan->nsent % 8].at = (uint32_t)at;
		plan->sent[plan->nsent++ % 8].len = len;
	}
	plan->snd = at + len > (int64_t)plan->snd ? (uint64_t)(at + len) : plan->snd;
}

/* So many intervals that they are searched by a tree: single bytes, every second or third, in any order. */
static inline void rm_op_crowd(struct rm_case *c, struct rm_plan *plan, struct rm_dice *dice)
{
	uint32_t n = 40 + rm_roll(dice, 100), step = 2 + rm_roll(dice, 2), order = rm_roll(dice, 3),
		 i;
	int64_t at = (int64_t)plan->snd + rm_roll(dice, 3);

	if (at + (int64_t)n * step >= RM_N - 200) {
		return;
	}
	for (i = 0; i < n; i++) {
		uint32_t k = order == 0 ? i : order == 1 ? n - 1 - i : i * 7919 % n;

		rm_do_push(c, plan, dice, at + (int64_t)k * step, 1);
		rm_compare(c);
	}
	plan->snd = (uint64_t)at + n * step;
}

static inline void rm_op_fin(struct rm_case *c, struct rm_plan *plan, struct rm_dice *dice)
{
	int64_t at = (int64_t)plan->snd;
	int got;

	if (rm_roll(dice, 4) == 0) {
		at += (int64_t)rm_roll(dice, 60) - 30;
	}
	if (at < 0) {
		return;
	}
	c->in_order_only = false;
	RM_TRACE("%lld fin %lld\n", (long long)plan->now / 1000000, (long long)at);
	got = reasm_half_fin(&c->half, &c->pool, c, rm_seq(plan, at));
	c->weak = c->weak || (c->half.fin_known && c->half.fin > c->half.next && !c->half.queue);
	if (!c->weak) {
		RM_SAME("fin", got, rm_fin(&c->model, at));
	}
}

static inline void rm_op_ack(struct rm_case *c, struct rm_plan *plan, struct rm_dice *dice)
{
	static const uint32_t far[] = {1, 2, 30, REASM_ACK_WINDOW, REASM_ACK_WINDOW + 2, 1u << 30};
	uint64_t at = plan->snd;

	switch (rm_roll(dice, 4)) {
	case 0:
		at = rm_roll(dice, (uint32_t)plan->snd + 1);
		break;
	case 1:
		at += far[rm_roll(dice, sizeof(far) / sizeof(far[0]))];
		break;
	default:
		break;
	}
	if (at > rm_seen(&c->model)) {
		c->in_order_only = false;
	}
	RM_TRACE("%lld ack %llu\n", (long long)plan->now / 1000000, (unsigned long long)at);
	reasm_half_acked(&c->half, &c->pool, c->base + at, plan->now);
	c->weak = c->weak || (at > rm_seen(&c->model) && c->half.cold == NULL && !c->half.ended);
	rm_acked(&c->model, at, plan->now);
}

static inline void rm_op_sack(struct rm_case *c, struct rm_plan *plan, struct rm_dice *dice)
{
	uint64_t lo = rm_roll(dice, (uint32_t)plan->snd + 1);
	uint64_t hi = rm_roll(dice, 2) ? plan->snd : lo + rm_roll(dice, 60);

	RM_TRACE("%lld sack %llu-%llu\n", (long long)plan->now / 1000000, (unsigned long long)lo,
		 (unsigned long long)hi);
	reasm_half_sacked(&c->half, c->base + lo, c->base + hi, plan->now);
	rm_sacked(&c->model, lo, hi, plan->now);
}

/* To bytes and back, into other memory. Where memory is refused then, something was given up. */
static inline void rm_park(struct rm_case *c, struct rm_plan *plan)
{
	uint64_t refused = c->budget.refused + c->budget.failed;
	struct rm_dice dice = {.state = plan->parked};
	uint8_t room[REASM_PACK_MAX], *bytes;
	struct pack pack;
	int64_t base_ns = plan->now - (int64_t)rm_roll(&dice, 3) * 700000000;
	size_t len;

	plan->parked = dice.state;
	if (!plan->parks || rm_roll(&dice, 3) == 0 || !reasm_half_is_packable(&c->half)) {
		return;
	}
	pack_to(&pack, room, sizeof(room));
	reasm_half_pack(&pack, &c->half, &c->pool, base_ns);
	RM_CHECK(c, !pack.failed, "a half that is packable does not fit");
	rm_compare(c);
	len = (size_t)(pack.at - room);
	bytes = malloc(len); /* exact size */
	memcpy(bytes, room, len);
	reasm_half_packed(&c->half, &c->pool);
	memset(&c->half, 0xa5, sizeof(c->half));
	pack_from(&pack, bytes, len);
	reasm_half_pack(&pack, &c->half, &c->pool, base_ns);
	RM_CHECK(c, pack.at == pack.end && !pack.failed, "packed bytes are left");
	free(bytes);
	c->weak = c->weak || c->budget.refused + c->budget.failed > refused;
	rm_compare(c);
}

static inline void rm_op(struct rm_case *c, struct rm_plan *plan, struct rm_dice *dice)
{
	static const int64_t step_ms[] = {0, 0, 1, 1, 5, 19, 20, 21, 199, 200, 1000, 2000, 2001};
	uint32_t kind = rm_roll(dice, 35);
	bool packet = true;

	plan->now += step_ms[rm_roll(dice, sizeof(step_ms) / sizeof(step_ms[0]))] * 1000000;
	if (kind < 20) {
		rm_op_push(c, plan, dice);
	} else if (kind < 26) {
		rm_op_ack(c, plan, dice);
	} else if (kind == 26) {
		rm_op_fin(c, plan, dice);
	} else if (kind == 27 && reasm_half_waits(&c->half)) {
		RM_TRACE("%lld give up\n", (long long)plan->now / 1000000);
		(void)reasm_half_give_up(&c->half, &c->pool, c, WEIR_GAP_BUDGET, plan->now);
		rm_declare(&c->model, WEIR_GAP_BUDGET, plan->now);
	} else if (kind == 28) {
		reasm_half_reject(&c->half, &c->pool, 7, WEIR_REJECT_CHECKSUM);
		c->model.captured += 7;
		c->model.ledger.rejected[WEIR_REJECT_CHECKSUM] += 7;
		c->in_order_only = false;
	} else if (kind == 29 && plan->crowd) {
		rm_op_crowd(c, plan, dice);
	} else if (kind == 34) {
		c->model.dropped = true;
		c->model.dropped_ns = plan->now;
		RM_TRACE("%lld drops\n", (long long)plan->now / 1000000);
	} else if (kind >= 32) {
		rm_op_sack(c, plan, dice);
	} else {
		packet = false;
	}
	rm_compare(c);
	rm_park(c, plan);
	if (reasm_half_waits(&c->half)) {
		reasm_half_poll(&c->half, &c->pool, c, plan->now, packet);
		rm_poll(&c->model, plan->now, packet);
		rm_compare(c);
	}
	rm_park(c, plan);
}

static inline void rm_setup(struct rm_case *c, struct rm_plan *plan, struct rm_dice *dice)
{
	static const uint32_t starts[] = {0, 1, 0xffffffff, 0xfffffffe, 0xffffff80, 0x7fffffc0};
	static const uint64_t bases[] = {0, 0, 0, 1ull << 31, (1ull << 32) - 30, 1ull << 40};
	uint32_t i, word = 0;

	plan->start = rm_roll(dice, 2) ? rm_roll(dice, UINT32_MAX)
				       : starts[rm_roll(dice, sizeof(starts) / sizeof(starts[0]))];
	c->base = bases[rm_roll(dice, sizeof(bases) / sizeof(bases[0]))];
	plan->conflicts = rm_roll(dice, 3) == 0;
	plan->snaplen = rm_roll(dice, 5) == 0;
	plan->loss = rm_roll(dice, 4) != 0;
	plan->reorder = rm_roll(dice, 6) != 0;
	plan->crowd = rm_roll(dice, 16) == 0;
	plan->again = rm_roll(dice, 4) == 0;
	for (i = 0; i < RM_N; i++) {
		word = word * 1664525u + 1013904223u;
		plan->stream[i] = (uint8_t)(word >> 24);
	}
	for (i = 0; i < RM_N; i++) {
		c->model.cell[i].born_ns = c->model.cell[i].acked_ns = RM_NONE;
	}
	plan->parked = dice->bytes != NULL ? dice->len : dice->state;
	plan->parks = plan->parked % 3 != 0;
	plan->now = 1000000000;
	c->allocator = (struct weir_allocator){rm_alloc, rm_free, c};
	budget_init(&c->budget, rm_roll(dice, 8) == 0 ? 600 + rm_roll(dice, 3000) : 1 << 20,
		    &c->allocator);
	reasm_pool_init(&c->pool, &c->budget, &rm_ops);
	if (rm_roll(dice, 6) == 0) {
		c->pool.limit = 1 + rm_roll(dice, 200);
		c->pool.intervals = 1 + rm_roll(dice, 10);
	}
	c->model.policy = rm_roll(dice, 2) == 0 ? (uint8_t)rm_roll(dice, 6) : WEIR_OVERLAP_FIRST;
	c->pool.acked_min_ns = rm_roll(dice, 2) * 1000000;
	c->in_order_only = true;
	if (rm_roll(dice, 4) == 0 && reasm_pool_ring(&c->pool, 16, rm_roll(dice, 2) == 0) == 0) {
		c->in_order_only = false;
	}
}

static inline struct rm_case *rm_case_new(struct rm_plan *plan, struct rm_dice *dice)
{
	struct rm_case *c = calloc(1, sizeof(*c));

	memset(plan, 0, sizeof(*plan));
	rm_setup(c, plan, dice);
	c->model.pool = &c->pool;
	c->model.stall_from_ns = RM_NONE;
	reasm_half_init(&c->half, 0);
	c->half.oneway = c->model.oneway = rm_roll(dice, 5) == 0;
	c->half.policy = c->model.policy;
	c->model.dropped_ns = INT64_MIN;
	c->pool.dropped_ns = &c->model.dropped_ns;
	c->half.hold = rm_roll(dice, 4) == 0;
	c->model.hold = c->half.hold && !c->half.oneway;
	c->in_order_only = c->in_order_only && !c->half.hold;
	reasm_half_start(&c->half, plan->start);
	c->half.next = c->base; /* as if that much had been delivered: a stream beyond 4 GiB */
	return c;
}

static inline void rm_case_end(struct rm_case *c, struct rm_plan *plan, struct rm_dice *dice)
{
	struct weir_ledger ledger;

	if (rm_roll(dice, 4) == 0) {
		reasm_half_drop(&c->half, &c->pool);
		reasm_half_ledger(&c->half, &ledger);
		RM_CHECK(c, ledger.captured + c->base == rm_ledger_sum(&ledger),
			 "ledger after drop");
		RM_CHECK(c, ledger.pending == 0, "pending after drop");
	} else {
		reasm_half_finish(&c->half, &c->pool, c, WEIR_GAP_END, plan->now);
		rm_finish(&c->model, WEIR_GAP_END, plan->now);
		rm_compare(c);
		RM_CHECK(c, !c->half.fin_known || c->half.next == c->half.fin || c->pool.untold > 0,
			 "the hole before FIN was not told");
		RM_CHECK(c, c->weak || c->model.ledger.pending == 0, "pending after finish");
		c->in_order_only = false;
		rm_do_push(c, plan, dice, (int64_t)(plan->snd > 4 ? plan->snd - 4 : 0), 8);
		rm_compare(c);
	}
	reasm_half_fini(&c->half, &c->pool);
	reasm_pool_fini(&c->pool);
	RM_CHECK(c, c->budget.used == 0, "%zu bytes left", c->budget.used);
}

/* One case. fail_at: the allocation that fails (0: none). @return allocations made */
static inline uint64_t rm_run(struct rm_dice *dice, unsigned nops, uint64_t fail_at)
{
	struct rm_plan plan;
	struct rm_case *c = rm_case_new(&plan, dice);
	uint64_t allocations;
	unsigned i;

	c->fail_at = fail_at;
	for (i = 0; i < nops && (dice->bytes == NULL || dice->len > 0); i++) {
		rm_op(c, &plan, dice);
	}
	rm_case_end(c, &plan, dice);
	allocations = c->allocations;
	free(c);
	return allocations;
}

#endif
