/* SPDX-License-Identifier: Apache-2.0 */
/* base/: budgets, arenas, text, time, sequence numbers, the bounded reader. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/pack.h"
#include "base/arena.h"
#include "base/copy.h"
#include "base/seqnum.h"
#include "base/strbuf.h"
#include "base/time.h"
#include "base/wire.h"

static void budget_never_passes_its_limit(void **state)
{
	struct budget budget;
	void *a, *b;

	budget_init(&budget, 100, NULL);
	a = budget_alloc(&budget, 60);
	assert_non_null(a);
	assert_null(budget_alloc(&budget, 41));
	b = budget_alloc(&budget, 40);
	assert_non_null(b);
	assert_int_equal(budget.used, 100);
	assert_int_equal(budget.refused, 1);
	budget_free(&budget, a, 60);
	budget_free(&budget, b, 40);
	assert_int_equal(budget.used, 0);
	assert_int_equal(budget.peak, 100);
	assert_null(budget_calloc(&budget, SIZE_MAX / 2, 3));
}

static void arena_gives_aligned_memory_and_takes_it_back(void **state)
{
	struct budget budget;
	struct arena_pool pool;
	struct weir_arena arena;
	int round;

	budget_init(&budget, 1 << 20, NULL);
	arena_pool_init(&pool, &budget, 4);
	for (round = 0; round < 3; round++) {
		size_t i;

		arena_init(&arena, &pool);
		for (i = 1; i < 300; i++) {
			uint8_t *p = arena_alloc(&arena, i % 40);
			uint8_t *q = arena_dup(&arena, "xyz", 3);

			assert_non_null(p);
			assert_int_equal((uintptr_t)p & 7, 0);
			memset(p, 0xaa, i % 40);
			assert_memory_equal(q, "xyz", 3);
		}
		assert_non_null(arena_alloc(&arena, 100000));
		assert_null(arena_alloc(&arena, 2 << 20));
		assert_int_equal(arena.failed, 1);
		arena_fini(&arena);
	}
	assert_true(budget.used <= 4 * ARENA_BLOCK);
	arena_pool_fini(&pool);
	assert_int_equal(budget.used, 0);
}

static void sequence_numbers_wrap(void **state)
{
	assert_true(seq_lt(0xffffffffu, 0));
	assert_true(seq_leq(7, 7));
	assert_false(seq_lt(5, 0xfffffff0u));
	assert_int_equal(seq_diff(3, 0xfffffffeu), 5);
}

static void time_is_rfc3339_with_nanoseconds(void **state)
{
	static const struct {
		int64_t ts_ns;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000000000Z"},
		{INT64_C(1700000000123456789), "2023-11-14T22:13:20.123456789Z"},
		{INT64_C(951782400) * NS_PER_S, "2000-02-29T00:00:00.000000000Z"},
		{-1, "1969-12-31T23:59:59.999999999Z"},
		{INT64_MAX, "2262-04-11T23:47:16.854775807Z"},
		{INT64_MIN, "1677-09-21T00:12:43.145224192Z"},
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[TIME_RFC3339_LEN + 1] = {0};

		time_rfc3339(rows[i].ts_ns, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void strbuf_writes_numbers_and_hex(void **state)
{
	struct strbuf buf;

	strbuf_init(&buf);
	strbuf_i64(&buf, INT64_MIN);
	strbuf_char(&buf, ' ');
	strbuf_u64(&buf, UINT64_MAX);
	strbuf_char(&buf, ' ');
	strbuf_hex(&buf, (const uint8_t *)"\x00\xfe", 2);
	strbuf_printf(&buf, " %d", 7);
	assert_string_equal(strbuf_text(&buf), "-9223372036854775808 18446744073709551615 00fe 7");
	strbuf_fini(&buf);
}

static void wire_error_is_sticky(void **state)
{
	struct wire wire;

	wire_init(&wire, "\x01\x02\x03\x04\x05", 5);
	assert_int_equal(wire_u16(&wire), 0x0102);
	assert_int_equal(wire_u32(&wire), 0);
	assert_int_equal(wire_u8(&wire), 0);
	assert_false(wire_ok(&wire));
}

/* Each call returns what it was given when it writes, and that again when it reads. */
static void what_is_packed_is_read_again(void **state)
{
	static const uint64_t numbers[] = {
		0, 1, 127, 128, 300, UINT32_MAX, 1ull << 62, INT64_MAX, 1ull << 63, UINT64_MAX};
	uint8_t room[1024];
	struct pack pack;
	size_t i, k, len, n = sizeof(numbers) / sizeof(numbers[0]);
	int pass;

	pack_to(&pack, room, sizeof(room));
	for (pass = 0; pass < 2; pass++) {
		for (i = 0; i < n; i++) {
			uint64_t junk = pass == 0 ? numbers[i] : 0xabcd;

			assert_true(pack_u64(&pack, junk) == numbers[i]);
			for (k = 0; k < n; k++) {
				assert_true(pack_near(&pack, junk, numbers[k]) == numbers[i]);
			}
			assert_true(pack_seq(&pack, (uint32_t)junk, 0xfffffff0) ==
				    (uint32_t)numbers[i]);
			if (pass == 0) {
				assert_false(pack.failed);
			}
		}
		len = pass == 0 ? (size_t)(pack.at - room) : len;
		assert_int_equal(pack.at - room, len);
		pack_from(&pack, room, len);
	}
	/* 300 is AC 02 in LEB128; -1 is 1 in zigzag */
	pack_to(&pack, room, sizeof(room));
	(void)pack_u64(&pack, 300);
	(void)pack_time(&pack, 41, 42);
	assert_int_equal(pack.at - room, 3);
	assert_memory_equal(room, "\xac\x02\x01", 3);
	pack_to(&pack, room, 9);
	(void)pack_u64(&pack, 1); /* it might take 10 */
	assert_true(pack.failed && pack.at == room);
}

static void a_text_that_was_said_is_not_said_again(void **state)
{
	static const char *const texts[] = {"http://example.org/path",
					    "example.org",
					    "/path",
					    "",
					    "abc",
					    "abc",
					    "example.orgs"};
	static const size_t sizes[] = {24, 2, 2, 1, 4, 4, 13};
	uint8_t room[256];
	struct pack pack;
	size_t i, n = sizeof(texts) / sizeof(texts[0]);

	pack_to(&pack, room, sizeof(room));
	for (i = 0; i < n; i++) {
		uint32_t len = (uint32_t)strlen(texts[i]);
		const uint8_t *at = pack.at;
		bool odd = i % 2 == 1;

		(void)pack_text(&pack, room, (const uint8_t *)texts[i], &len, &odd);
		assert_int_equal(pack.at - at, sizes[i]);
	}
	pack_from(&pack, room, (size_t)(pack.at - room));
	for (i = 0; i < n; i++) {
		const uint8_t *p;
		uint32_t len;
		bool odd;

		p = pack_text(&pack, room, NULL, &len, &odd);
		assert_int_equal(len, strlen(texts[i]));
		assert_memory_equal(p, texts[i], len);
		assert_int_equal(odd, i % 2 == 1);
	}
	assert_ptr_equal(pack.at, pack.end);
}

static void a_sparse_struct_comes_back(void **state)
{
	static const char *const rows[] = {/* 1: zero, x: another byte */
					   "",      "1",        "x",     "11",   "1x",
					   "x1",    "xx",       "x1x",   "x11x", "1x1x1",
					   "11x11", "xx111xxx", "x11111"};
	size_t i, k;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t bytes[16] = {0}, back[16] = {0}, room[64];
		size_t len = strlen(rows[i]);
		struct pack pack;

		for (k = 0; k < len; k++) {
			bytes[k] = rows[i][k] == 'x' ? (uint8_t)(0xf0 + k) : 0;
		}
		pack_to(&pack, room, sizeof(room));
		pack_sparse(&pack, bytes, len);
		assert_false(pack.failed);
		pack_from(&pack, room, (size_t)(pack.at - room));
		pack_sparse(&pack, back, len);
		assert_ptr_equal(pack.at, pack.end);
		assert_memory_equal(back, bytes, sizeof(bytes));
	}
}

static void bytes_of_any_number_are_copied(void **state)
{
	size_t n, i;

	for (n = 0; n < 300; n++) {
		/* memory of its own, so that one byte more is found, read or written */
		uint8_t *from = malloc(n > 0 ? n : 1);
		uint8_t *to = malloc(n > 0 ? n : 1);

		for (i = 0; i < n; i++) {
			from[i] = (uint8_t)(i * 7 + n);
			to[i] = (uint8_t)~from[i];
		}
		copy_bytes(to, from, n);
		assert_memory_equal(to, from, n);
		free(from);
		free(to);
	}
	copy_bytes(NULL, NULL, 0);
}

static void what_is_peeked_at_is_taken_by_the_next_call(void **state)
{
	struct budget budget;
	struct arena_pool pool;
	struct weir_arena arena;
	uint8_t *room, *taken;

	budget_init(&budget, 1 << 20, NULL);
	arena_pool_init(&pool, &budget, 4);
	arena_init(&arena, &pool);
	room = arena_peek(&arena, 100);
	assert_non_null(room);
	assert_int_equal(arena.used, 0);
	taken = arena_bytes(&arena, 10);
	assert_ptr_equal(taken, room);
	assert_ptr_equal(arena_bytes(&arena, 1), room + 10);
	assert_int_equal(arena.used, 11);
	/* more than is left of the block: in the next one */
	room = arena_peek(&arena, ARENA_BLOCK - 100);
	assert_ptr_equal(arena_bytes(&arena, 5), room);
	arena_fini(&arena);
	arena_pool_fini(&pool);
	assert_int_equal(budget.used, 0);
}

static void an_arena_may_lie_within_its_own_block(void **state)
{
	struct budget budget;
	struct arena_pool pool;
	struct weir_arena *arena, copy;
	uint8_t *p;

	budget_init(&budget, 3 * ARENA_BLOCK, NULL);
	arena_pool_init(&pool, &budget, 4);
	arena = arena_new_within(&pool, 16, 200);
	assert_non_null(arena);
	assert_int_equal(arena->used, 200);
	p = arena_bytes(arena, 8);
	assert_ptr_equal(p, (uint8_t *)arena - 16 + 200);
	assert_non_null(arena_bytes(arena, ARENA_BLOCK - 100));
	copy = *arena;
	arena_fini(&copy);
	assert_null(arena_new_within(&pool, 16, 4 * ARENA_BLOCK));
	arena_pool_fini(&pool);
	assert_int_equal(budget.used, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_of_any_number_are_copied),
		cmocka_unit_test(what_is_peeked_at_is_taken_by_the_next_call),
		cmocka_unit_test(an_arena_may_lie_within_its_own_block),
		cmocka_unit_test(budget_never_passes_its_limit),
		cmocka_unit_test(arena_gives_aligned_memory_and_takes_it_back),
		cmocka_unit_test(sequence_numbers_wrap),
		cmocka_unit_test(time_is_rfc3339_with_nanoseconds),
		cmocka_unit_test(strbuf_writes_numbers_and_hex),
		cmocka_unit_test(wire_error_is_sticky),
		cmocka_unit_test(what_is_packed_is_read_again),
		cmocka_unit_test(a_text_that_was_said_is_not_said_again),
		cmocka_unit_test(a_sparse_struct_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
