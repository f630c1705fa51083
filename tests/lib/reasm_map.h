/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The byte map of tests/lib/reasm_model.h: what reassembly does to one cell a byte of stream space, with no structure to get
 * wrong. It may use half.h only.
 */
#ifndef REASM_MAP_H
#define REASM_MAP_H

#include <string.h>

#include "reasm/half.h"

#define RM_N    2048 /* cells */
#define RM_NONE INT64_MAX

enum rm_state { RM_MISSING, RM_WAITS, RM_CUT, RM_DELIVERED, RM_GAP };

struct rm_cell {
	uint8_t state;
	uint8_t value;
	uint8_t cause;   /* of the gap */
	uint64_t packet; /* that brought the byte */
	/* of a missing byte */
	int64_t born_ns;
	int64_t acked_ns;
	uint64_t acked_packets;
};

struct rm_model {
	struct rm_cell cell[RM_N];
	uint64_t next, fin, acked, ahead, packets, captured;
	uint64_t touched; /* no cell from here on was ever anything but missing */
	bool fin_known, ended;
	struct weir_ledger ledger;
	int64_t stall_ns, stall_from_ns;
	const struct reasm_pool *pool; /* limits */
	bool oneway;
	bool hold; /* deliver what was acknowledged only */
	uint8_t policy;
	bool dropped; /* the capture told of drops, last at this time */
	int64_t dropped_ns;
};

static inline bool rm_is_ahead(const struct rm_cell *cell)
{
	return cell->state == RM_WAITS || cell->state == RM_CUT;
}

/* One beyond the highest cell that something is known of. */
static inline uint64_t rm_top(const struct rm_model *m)
{
	uint64_t p = m->touched > m->next ? m->touched : m->next;

	while (p > m->next && !rm_is_ahead(&m->cell[p - 1])) {
		p--;
	}
	return p;
}

static inline uint64_t rm_seen(const struct rm_model *m)
{
	return m->fin_known ? m->fin + 1 : rm_top(m);
}

/* Where the hole at `next` ends; next: there is none. */
static inline uint64_t rm_hole_end(const struct rm_model *m, uint64_t from)
{
	uint64_t top = rm_top(m), p = from;

	top = m->fin_known && m->fin > top ? m->fin : top;
	while (p < top && m->cell[p].state == RM_MISSING) {
		p++;
	}
	return p;
}

static inline void rm_stall(struct rm_model *m, int64_t now)
{
	if (m->stall_from_ns != RM_NONE && now > m->stall_from_ns) {
		m->stall_ns += now - m->stall_from_ns;
		m->stall_from_ns = now;
	}
}

static inline void rm_gap(struct rm_model *m, uint64_t until, enum weir_gap_cause cause)
{
	for (; m->next < until; m->next++) {
		m->cell[m->next].state = RM_GAP;
		m->cell[m->next].cause = (uint8_t)cause;
		m->ledger.gap_bytes++;
	}
}

/* Bytes without content that belong to no others go when all of them may. */
static inline bool rm_may_go(const struct rm_model *m, uint64_t began)
{
	uint64_t end = m->next;

	if (!m->hold) {
		return true;
	}
	if (m->cell[m->next].state == RM_WAITS) {
		return m->next < m->acked;
	}
	while (end < RM_N && m->cell[end].state == RM_CUT) {
		end++;
	}
	return m->next > began || end <= m->acked;
}

static inline void rm_one(struct rm_model *m)
{
	if (m->cell[m->next].state == RM_CUT) {
		rm_gap(m, m->next + 1, WEIR_GAP_SNAPLEN);
	} else {
		m->cell[m->next++].state = RM_DELIVERED;
		m->ledger.delivered++;
		m->ledger.pending--;
	}
}

static inline void rm_advance(struct rm_model *m)
{
	uint64_t began = m->next;
	bool cut = false;

	while (m->next < RM_N && rm_is_ahead(&m->cell[m->next])) {
		if (m->cell[m->next].state == RM_WAITS) {
			began = cut ? m->next : began;
			cut = false;
		} else if (!cut) {
			cut = true;
			if (!rm_may_go(m, began)) {
				break;
			}
		}
		if (!cut && !rm_may_go(m, began)) {
			break;
		}
		rm_one(m);
	}
	if (rm_top(m) == m->next || (m->next < RM_N && rm_is_ahead(&m->cell[m->next]))) {
		m->stall_from_ns = RM_NONE;
	}
	m->ended = m->ended || (m->fin_known && m->next == m->fin);
}

/* After anything that may have let bytes go: delivery is blocked by a hole, not by an acknowledgement that is missing. */
static inline void rm_release(struct rm_model *m, bool all, int64_t now)
{
	rm_stall(m, now);
	while (all && m->next < RM_N && rm_is_ahead(&m->cell[m->next])) {
		rm_one(m);
	}
	rm_advance(m);
	if (rm_top(m) > m->next && m->cell[m->next].state == RM_MISSING &&
	    m->stall_from_ns == RM_NONE) {
		m->stall_from_ns = now;
	}
}

static inline bool rm_waits(const struct rm_model *m)
{
	return !m->ended && (rm_top(m) > m->next || (m->fin_known && m->fin > m->next));
}

static inline void rm_declare(struct rm_model *m, enum weir_gap_cause cause, int64_t now)
{
	if (rm_hole_end(m, m->next) == m->next) {
		rm_release(m, true, now);
		return;
	}
	if ((cause == WEIR_GAP_ACKED || cause == WEIR_GAP_AGE || cause == WEIR_GAP_END) &&
	    m->dropped && m->cell[m->next].born_ns != RM_NONE &&
	    m->dropped_ns >= m->cell[m->next].born_ns - 1000000000) {
		cause = WEIR_GAP_CAPTURE_DROP;
	}
	rm_stall(m, now);
	rm_gap(m, rm_hole_end(m, m->next), cause);
	rm_advance(m);
}

/* Births and evidence of all holes. */
static inline void rm_date(struct rm_model *m, int64_t now, bool fin_too)
{
	uint64_t top = rm_top(m), p, end;

	if (m->ahead > m->acked && m->ahead <= rm_seen(m)) {
		m->acked = m->ahead;
	}
	end = m->fin_known && m->fin > top ? m->fin : top;
	for (p = m->next; p < (fin_too ? end : top); p++) {
		if (m->cell[p].state == RM_MISSING && m->cell[p].born_ns == RM_NONE) {
			m->cell[p].born_ns = now;
		}
	}
	for (p = m->next; p < end; p++) {
		uint64_t hole_end = rm_hole_end(m, p);

		for (; p < hole_end; p++) {
			if (m->acked >= hole_end && m->cell[p].acked_ns == RM_NONE) {
				m->cell[p].acked_ns = now;
				m->cell[p].acked_packets = m->packets + 1;
			}
		}
	}
}

static inline bool rm_full(const struct rm_model *m)
{
	uint64_t p, runs = 0;

	for (p = m->next; p < m->touched; p++) {
		enum rm_state before = p > m->next ? m->cell[p - 1].state : RM_MISSING;

		runs += (m->cell[p].state == RM_WAITS && before != RM_WAITS) ||
			(m->cell[p].state == RM_CUT && before != RM_WAITS && before != RM_CUT);
	}
	return m->ledger.pending > (m->oneway ? m->pool->oneway_limit : m->pool->limit) ||
	       runs > m->pool->intervals;
}

static inline void rm_push_byte(struct rm_model *m, int64_t p, uint8_t value, uint64_t packet)
{
	struct rm_cell *cell = p >= 0 ? &m->cell[p] : NULL;

	m->captured++;
	if (cell == NULL) {
		m->ledger.rejected[WEIR_REJECT_WINDOW]++;
	} else if (m->fin_known && (uint64_t)p >= m->fin) {
		m->ledger.rejected[WEIR_REJECT_AFTER_FIN]++;
	} else if ((uint64_t)p < m->next) {
		m->ledger.duplicate++;
	} else if (m->ended) {
		m->ledger.rejected[WEIR_REJECT_CLOSED]++;
	} else if (cell->state != RM_WAITS) {
		m->ledger.pending++;
		cell->state = RM_WAITS;
		cell->value = value;
		cell->packet = packet;
	}
}

/* Novak & Sturges, by what each begins and ends with: is it the newer one's byte that counts? */
static inline bool rm_newer_wins(uint8_t policy, uint64_t old_lo, uint64_t old_hi, uint64_t new_lo,
				 uint64_t new_hi)
{
	bool before = new_lo < old_lo, same = new_lo == old_lo;

	switch (policy) {
	case WEIR_OVERLAP_LAST:
		return true;
	case WEIR_OVERLAP_LINUX:
		return before || (same && new_hi > old_hi);
	case WEIR_OVERLAP_BSD:
	case WEIR_OVERLAP_WINDOWS:
		return before;
	case WEIR_OVERLAP_SOLARIS:
		return !(old_hi > new_hi || (old_lo < new_lo && old_hi >= new_hi));
	default:
		return false;
	}
}

/* Where a segment meets what waits: one older segment, as far as it holds cells side by side, at a time. */
static inline void rm_meet(struct rm_model *m, uint64_t lo, uint64_t hi, const uint8_t *data,
			   uint64_t packet)
{
	uint64_t p = m->next > lo ? m->next : lo, i;

	while (p < hi) {
		uint64_t from = p, end = p, to;
		bool differs = false, wins;

		if (m->cell[p].state != RM_WAITS || m->cell[p].packet == packet) {
			p++;
			continue;
		}
		while (from > m->next && m->cell[from - 1].state == RM_WAITS &&
		       m->cell[from - 1].packet == m->cell[p].packet) {
			from--;
		}
		while (end < RM_N && m->cell[end].state == RM_WAITS &&
		       m->cell[end].packet == m->cell[p].packet) {
			end++;
		}
		to = end < hi ? end : hi;
		wins = rm_newer_wins(m->policy, from, end, lo, hi);
		for (i = p; i < to; i++) {
			differs = differs || m->cell[i].value != data[i - lo];
			m->ledger.overlap += m->cell[i].value != data[i - lo];
			m->ledger.duplicate += m->cell[i].value == data[i - lo];
		}
		for (i = p; i < to && differs && wins; i++) {
			m->cell[i].value = data[i - lo];
			m->cell[i].packet = packet;
		}
		p = to;
	}
}

/* `at`: cell of data[0], may be negative. */
static inline void rm_push(struct rm_model *m, int64_t at, const struct reasm_seg *seg)
{
	int64_t hi = at + seg->len, lo = at < 0 ? 0 : at;
	int64_t data_hi = at + seg->caplen, from;
	uint32_t i;

	m->touched = hi > (int64_t)m->touched ? (uint64_t)hi : m->touched;
	hi = m->fin_known && hi > (int64_t)m->fin ? (int64_t)m->fin : hi;
	hi = m->ended && hi > (int64_t)m->next ? (int64_t)m->next : hi;
	from = m->hold && lo < (int64_t)m->next ? (int64_t)m->next : lo;
	data_hi = data_hi > hi ? hi : data_hi;
	if (from < data_hi) {
		rm_meet(m, (uint64_t)from, (uint64_t)data_hi, seg->data + (from - at), seg->packet);
	}
	for (i = 0; i < seg->caplen; i++) {
		rm_push_byte(m, at + i, seg->data[i], seg->packet);
	}
	for (; i < seg->len; i++) {
		int64_t p = at + i;

		if (p >= (int64_t)m->next && p < hi && m->cell[p].state == RM_MISSING) {
			m->cell[p].state = RM_CUT;
		}
	}
	if (m->hold && hi > from) {
		if (m->stall_from_ns == RM_NONE && m->cell[m->next].state == RM_MISSING) {
			m->stall_from_ns = seg->now_ns;
		}
		rm_date(m, seg->now_ns, false);
	} else if (!m->hold && hi > lo && lo > (int64_t)m->next) {
		if (m->stall_from_ns == RM_NONE) {
			m->stall_from_ns = seg->now_ns;
		}
		rm_date(m, seg->now_ns, false);
	} else if (!m->hold && lo <= (int64_t)m->next && hi > (int64_t)m->next) {
		rm_stall(m, seg->now_ns);
		rm_advance(m);
	}
	if (m->hold && rm_waits(m)) {
		rm_release(m, false, seg->now_ns);
	}
	while (rm_full(m)) {
		rm_declare(m, WEIR_GAP_LIMIT, seg->now_ns);
	}
}

static inline int rm_fin(struct rm_model *m, int64_t at)
{
	uint64_t p;

	if (m->fin_known) {
		return (int64_t)m->fin == at;
	}
	if (m->ended || at < (int64_t)m->next) {
		return 0;
	}
	m->fin_known = true;
	m->fin = (uint64_t)at;
	for (p = m->fin; p < m->touched; p++) {
		if (m->cell[p].state == RM_WAITS) {
			m->ledger.pending--;
			m->ledger.rejected[WEIR_REJECT_AFTER_FIN]++;
		}
		m->cell[p].state = RM_MISSING;
	}
	rm_advance(m);
	return 1;
}

static inline void rm_acked(struct rm_model *m, uint64_t at, int64_t now)
{
	uint64_t seen = rm_seen(m);

	if (at <= m->next || m->ended) {
		return;
	}
	if (at <= seen) {
		m->acked = at > m->acked ? at : m->acked;
		rm_date(m, now, false);
		return;
	}
	seen = m->ahead > seen ? m->ahead : seen;
	if (at > seen && at - seen <= REASM_ACK_WINDOW) {
		m->ahead = at;
	}
}

/* Holes within [lo, hi) are the capture's: of those before the first 16 intervals that begin behind lo. */
static inline void rm_sacked(struct rm_model *m, uint64_t lo, uint64_t hi, int64_t now)
{
	uint64_t p = m->next, top = rm_top(m), i;
	unsigned n = 0;

	if (hi > rm_seen(m) || lo >= hi) {
		return;
	}
	while (p < top) {
		uint64_t hole = p, begin = rm_hole_end(m, p);

		n += begin > lo && begin <= hi;
		for (i = hole; i < begin && hole >= lo && begin <= hi && n <= 16; i++) {
			if (m->cell[i].acked_ns == RM_NONE) {
				m->cell[i].acked_ns = now;
				m->cell[i].acked_packets = m->packets + 1;
			}
		}
		/* an interval: bytes, and what is cut behind them */
		for (p = begin; p < top && m->cell[p].state == RM_WAITS; p++) {
		}
		for (; p < top && m->cell[p].state == RM_CUT; p++) {
		}
	}
}

static inline int64_t rm_age(const struct rm_model *m)
{
	return m->oneway ? m->pool->oneway_age_ns : m->pool->age_ns;
}

static inline void rm_poll(struct rm_model *m, int64_t now, bool packet)
{
	rm_date(m, now, true);
	if (m->hold) {
		rm_release(m, false, now);
		if (!rm_waits(m)) {
			return;
		}
	}
	m->packets += packet;
	while (rm_hole_end(m, m->next) > m->next) {
		const struct rm_cell *hole = &m->cell[m->next];

		if (hole->acked_ns != RM_NONE &&
		    (now - hole->acked_ns >= m->pool->acked_ns ||
		     (m->packets - hole->acked_packets + 1 > m->pool->acked_packets &&
		      now - hole->acked_ns >= m->pool->acked_min_ns))) {
			rm_declare(m, WEIR_GAP_ACKED, now);
		} else if (now - hole->born_ns > rm_age(m)) {
			rm_declare(m, WEIR_GAP_AGE, now);
		} else {
			return;
		}
	}
}

static inline void rm_finish(struct rm_model *m, enum weir_gap_cause cause, int64_t now)
{
	while (rm_waits(m)) {
		rm_declare(m, cause, now);
	}
	if (!m->fin_known && !m->ended && m->ahead > m->next + 1) {
		/* beyond the map when the acknowledgement is: only counted */
		m->ledger.gap_bytes += m->ahead > RM_N ? m->ahead - RM_N : 0;
		rm_gap(m, m->ahead > RM_N ? RM_N : m->ahead, cause);
		m->next = m->ahead;
	}
	m->ended = true;
}

#endif
