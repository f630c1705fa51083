/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The short way of judging a segment (tcp_state_in_order) beside the general one (tcp_state_segment): two ends talk at random, with
 * copies, holes, wrong numbers, options and flags between, and whenever the short way takes a segment, the general one must say
 * and leave the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/seqnum.h"
#include "flow/tcp_state.h"

enum { ROUNDS = 20000, SEGMENTS = 40 };

static uint64_t random_u64(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static uint32_t below(uint64_t *seed, uint32_t n)
{
	return (uint32_t)(random_u64(seed) % n);
}

/* Both ends as they stand, and what reassembly would know of them. */
struct talk {
	struct tcp_state state;
	struct tcp_view view;
	bool ended[2];
	uint32_t sent[2]; /* next number of each */
	bool fin_sent[2];
	unsigned short_way; /* segments that it took */
	unsigned fins;
	unsigned handshakes;
};

static void make_segment(struct talk *talk, uint64_t *seed, uint8_t side, struct layers *l)
{
	uint32_t odd = below(seed, 100);

	memset(l, 0, sizeof(*l));
	l->flags = LAYERS_ACK;
	l->seq = talk->sent[side];
	l->ack = talk->sent[!side];
	l->window = (uint16_t)(below(seed, 8) == 0 ? below(seed, 3) : below(seed, 65536));
	l->has_ts = below(seed, 4) > 0;
	l->tsval = 1000 + below(seed, 6) - 2 * (below(seed, 30) == 0);
	l->checksum = below(seed, 20) == 0 ? LAYERS_CHECKSUM_BAD
					   : (uint8_t)below(seed, LAYERS_CHECKSUM_BAD);
	if (below(seed, 3) == 0 && !talk->fin_sent[side]) {
		l->payload_len = 1 + below(seed, 3000);
		l->payload_caplen = l->payload_len;
		l->flags |= below(seed, 2) ? LAYERS_PSH : 0;
	}
	if (below(seed, 12) == 0) {
		l->flags |= LAYERS_FIN;
	}
	if (odd < 4) {
		l->seq += below(seed, 5) - 2;
	} else if (odd < 6) {
		l->seq += below(seed, 3) == 0 ? 1u << 31 : 100000 * below(seed, 40);
	} else if (odd < 8) {
		l->ack += below(seed, 2000) - 1000;
	} else if (odd < 9) {
		l->flags = (uint8_t)below(seed, 256);
	} else if (odd < 10) {
		l->flags ^= 0x40;
	}
}

/* What reassembly makes of it when it is taken and next, as far as a verdict depends on it. */
static void carry_out(struct talk *talk, const struct layers *l, uint8_t side,
		      const struct tcp_verdict *v)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (v->start[i] && (!talk->view.started[i] || v->restart)) {
			talk->view.started[i] = true;
			talk->view.next[i] = v->start_seq[i];
			talk->sent[i] = v->start_seq[i];
		}
	}
	if (v->take && l->seq == talk->view.next[side] && !talk->ended[side]) {
		talk->view.next[side] += l->payload_len;
		talk->sent[side] = talk->view.next[side] + talk->fin_sent[side];
	}
	if (v->fin && v->fin_seq == talk->view.next[side] && !talk->ended[side]) {
		talk->ended[side] = true;
		talk->fin_sent[side] = true;
		talk->sent[side] = v->fin_seq + 1;
	}
}

static void expect_the_same(struct talk *talk, const struct layers *l, uint8_t side, int64_t ts_ns,
			    enum weir_checksums checksums)
{
	const struct tcp_here here = {.next = talk->view.next[side],
				      .ended = talk->ended[side],
				      .lossy = talk->view.lossy[side],
				      .ts_ns = ts_ns,
				      .checksums = checksums};
	bool both = talk->view.started[0] && talk->view.started[1];
	struct tcp_state before, after;
	struct tcp_verdict v;
	bool taken;

	memcpy(&before, &talk->state, sizeof(before));
	taken = both && tcp_state_in_order(&talk->state, l, side, &here);
	memcpy(&after, &talk->state, sizeof(after));
	memcpy(&talk->state, &before, sizeof(before));
	tcp_state_segment(&talk->state, l, side, ts_ns, 7, checksums, &talk->view, &v);
	if (taken) {
		assert_memory_equal(&after, &talk->state, sizeof(after));
		assert_true(v.take && v.use_ack);
		assert_int_equal(v.fin, (l->flags & LAYERS_FIN) != 0);
		assert_true(!v.fin || v.fin_seq == l->seq + l->payload_len);
		assert_false(v.start[0] || v.start[1] || v.restart || v.new_flow || v.hold_syn);
		assert_false(v.drop_candidates || v.reset || v.rst_out_of_window || v.doubtful ||
			     v.offloaded);
		assert_int_equal(v.take_syn_data, -1);
		talk->short_way++;
		talk->fins += v.fin;
		talk->handshakes += before.phase == TCP_SYN_ACK;
	} else if (both) {
		/* a good checksum may be known earlier, nothing else is changed */
		after.side[side].checksum_good = before.side[side].checksum_good;
		assert_memory_equal(&after, &before, sizeof(after));
	}
	carry_out(talk, l, side, &v);
}

/* SYN and SYN/ACK, of which one may be missing. */
static void shake_hands(struct talk *talk, uint64_t *seed, enum weir_checksums checksums)
{
	struct layers l;
	uint32_t which = below(seed, 10);

	tcp_state_init(&talk->state, 0, 40000, 80);
	talk->sent[0] = (uint32_t)random_u64(seed);
	talk->sent[1] = (uint32_t)random_u64(seed);
	memset(&l, 0, sizeof(l));
	l.flags = LAYERS_SYN;
	l.seq = talk->sent[0]++;
	l.has_wscale = below(seed, 2) == 0;
	l.wscale = (uint8_t)below(seed, 15);
	l.has_ts = 1;
	l.tsval = 998;
	if (which != 0) {
		expect_the_same(talk, &l, 0, 1, checksums);
	}
	l.flags |= LAYERS_ACK;
	l.ack = l.seq + 1;
	l.seq = talk->sent[1]++;
	l.window = 1000;
	if (which != 1) {
		expect_the_same(talk, &l, 1, 2, checksums);
	}
	if (which == 2) {
		l.seq += 50000; /* from another server */
		expect_the_same(talk, &l, 1, 3, checksums);
	}
}

static void short_way_agrees_with_the_general_one(void **state)
{
	static const enum weir_checksums policies[] = {WEIR_CHECKSUM_NONE, WEIR_CHECKSUM_AUTO,
						       WEIR_CHECKSUM_ALL};
	unsigned short_way = 0, fins = 0, handshakes = 0;
	uint64_t seed = 11;
	int round, n;

	for (round = 0; round < ROUNDS; round++) {
		enum weir_checksums checksums = policies[round % 3];
		struct talk talk;

		memset(&talk, 0, sizeof(talk));
		shake_hands(&talk, &seed, checksums);
		for (n = 0; n < SEGMENTS; n++) {
			uint8_t side = (uint8_t)below(&seed, 2);
			struct layers l;

			talk.view.lossy[side] |= below(&seed, 60) == 0;
			make_segment(&talk, &seed, side, &l);
			expect_the_same(&talk, &l, side, 10 + n, checksums);
		}
		short_way += talk.short_way;
		fins += talk.fins;
		handshakes += talk.handshakes;
	}
	/* what is compared must be there: of 800,000 segments, and 20,000 handshakes */
	assert_true(short_way > ROUNDS * 5);
	assert_true(fins > ROUNDS / 2);
	assert_true(handshakes > ROUNDS / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(short_way_agrees_with_the_general_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
