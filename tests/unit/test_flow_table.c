/* SPDX-License-Identifier: Apache-2.0 */
/* flow/table: against a reference map, while growing, without memory, with crafted hashes; flow/tuple: symmetry. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "flow/table.h"
#include "flow/tuple.h"
#include "weir/error.h"

enum { NENTRIES = 1 << 20 };

/* The entries: hash and key by index. present[] is the reference. */
struct entries {
	uint64_t *hash;
	uint8_t *present;
	uint64_t *ncalls;  /* of entry_equal() */
	uint64_t *nhashes; /* calls of entry_hash() */
};

static bool entry_equal(const void *context, uint32_t index, const void *key)
{
	const struct entries *entries = context;
	uint32_t wanted;

	memcpy(&wanted, key, sizeof(wanted));
	(*entries->ncalls)++;
	return index == wanted;
}

static uint64_t entry_hash(const void *context, uint32_t index)
{
	const struct entries *entries = context;

	(*entries->nhashes)++;
	return entries->hash[index];
}

/* splitmix64 */
static uint64_t random_u64(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static void entries_init(struct entries *entries, size_t n)
{
	entries->hash = calloc(n, sizeof(*entries->hash));
	entries->present = calloc(n, 1);
	entries->ncalls = calloc(1, sizeof(*entries->ncalls));
	entries->nhashes = calloc(1, sizeof(*entries->nhashes));
	assert_non_null(entries->nhashes);
	assert_non_null(entries->ncalls);
	assert_non_null(entries->hash);
	assert_non_null(entries->present);
}

static void entries_fini(struct entries *entries)
{
	free(entries->hash);
	free(entries->present);
	free(entries->ncalls);
	free(entries->nhashes);
}

static uint32_t lookup(const struct flow_table *table, const struct entries *entries, uint32_t i)
{
	return flow_table_lookup(table, entries->hash[i], &i);
}

static void million_random_operations_agree_with_reference(void **state)
{
	struct budget budget;
	struct entries entries;
	struct flow_table *table;
	uint64_t seed = 1;
	size_t count = 0;
	uint32_t n, i;

	budget_init(&budget, SIZE_MAX, NULL);
	entries_init(&entries, NENTRIES);
	assert_int_equal(flow_table_new(&budget, entry_equal, entry_hash, &entries, &table), 0);
	for (i = 0; i < NENTRIES; i++) {
		entries.hash[i] = random_u64(&seed) >> 4; /* one shard: equal top bits */
	}
	for (n = 0; n < 3 * NENTRIES; n++) {
		uint64_t choice = random_u64(&seed);

		i = (uint32_t)(choice >> 32) % NENTRIES;
		if (entries.present[i]) {
			assert_int_equal(lookup(table, &entries, i), i);
			/* first mostly grow, then mostly shrink */
			if ((choice & 7) < (n < 2 * NENTRIES ? 1 : 7)) {
				flow_table_remove(table, entries.hash[i], i);
				entries.present[i] = 0;
				count--;
			}
		} else {
			assert_int_equal(lookup(table, &entries, i), FLOW_TABLE_NONE);
			if (n < 2 * NENTRIES || (choice & 7) == 0) {
				assert_int_equal(flow_table_insert(table, entries.hash[i], i), 0);
				entries.present[i] = 1;
				count++;
			}
		}
		assert_int_equal(flow_table_count(table), count);
	}
	for (i = 0; i < NENTRIES; i++) {
		assert_int_equal(lookup(table, &entries, i),
				 entries.present[i] ? i : FLOW_TABLE_NONE);
	}
	assert_int_equal(flow_table_bytes(table), budget.used);
	flow_table_free(table);
	assert_int_equal(budget.used, 0);
	entries_fini(&entries);
}

static void full_table_is_compact_and_rarely_compares(void **state)
{
	struct budget budget;
	struct entries entries;
	struct flow_table *table;
	uint64_t seed = 2;
	unsigned nother = 0;
	uint32_t i;

	budget_init(&budget, SIZE_MAX, NULL);
	entries_init(&entries, 200000);
	assert_int_equal(flow_table_new(&budget, entry_equal, entry_hash, &entries, &table), 0);
	for (i = 0; i < 200000; i++) {
		entries.hash[i] = random_u64(&seed);
		assert_int_equal(flow_table_insert(table, entries.hash[i], i), 0);
	}
	assert_true(flow_table_bytes(table) < (size_t)200000 * 20); /* bytes an entry */
	for (i = 0; i < 200000; i++) {
		assert_int_equal(lookup(table, &entries, i), i);
		nother += flow_table_candidate(table, flow_table_prefetch(table, entries.hash[i]),
					       entries.hash[i]) != i;
	}
	/* tags keep other entries from being touched: one call each, and hardly one more */
	assert_true(*entries.ncalls < 200000 + 200);
	assert_true(nother < 200);
	flow_table_free(table);
	entries_fini(&entries);
}

/* With removals between, so that the bits that are kept move along with their entries. */
static void growth_asks_for_no_hash_up_to_65536_buckets(void **state)
{
	enum { FEW = 65536 / 2 * 9, MANY = 80000 * 9 / 2 }; /* 4.5 a bucket */
	struct budget budget;
	struct entries entries;
	struct flow_table *table;
	uint64_t seed = 7;
	uint32_t i;

	(void)state;
	budget_init(&budget, SIZE_MAX, NULL);
	entries_init(&entries, MANY);
	assert_int_equal(flow_table_new(&budget, entry_equal, entry_hash, &entries, &table), 0);
	for (i = 0; i < MANY; i++) {
		entries.hash[i] = random_u64(&seed);
		assert_int_equal(flow_table_insert(table, entries.hash[i], i), 0);
		if (i % 3 == 0) { /* comes and goes, and comes */
			flow_table_remove(table, entries.hash[i / 2], i / 2);
			assert_int_equal(flow_table_insert(table, entries.hash[i / 2], i / 2), 0);
		}
		if (i == FEW - 1) {
			assert_int_equal(*entries.nhashes, 0);
		}
	}
	assert_true(*entries.nhashes > 0);
	for (i = 0; i < MANY; i++) {
		assert_int_equal(lookup(table, &entries, i), i);
	}
	flow_table_free(table);
	entries_fini(&entries);
}

static void table_without_memory_runs_fuller_and_stays_whole(void **state)
{
	struct budget budget;
	struct entries entries;
	struct flow_table *table;
	uint64_t seed = 3;
	uint32_t n, i;
	int err = 0;

	budget_init(&budget, 100000, NULL);
	entries_init(&entries, 100000);
	assert_int_equal(flow_table_new(&budget, entry_equal, entry_hash, &entries, &table), 0);
	for (n = 0; n < 100000 && err == 0; n++) {
		entries.hash[n] = random_u64(&seed);
		err = flow_table_insert(table, entries.hash[n], n);
	}
	n--;
	assert_int_equal(err, WEIR_EBUDGET);
	assert_true(budget.used <= 100000);
	assert_true(n > 100000 / 20);
	assert_int_equal(flow_table_count(table), n);
	assert_int_equal(lookup(table, &entries, n), FLOW_TABLE_NONE);
	for (i = 0; i < n; i++) {
		assert_int_equal(lookup(table, &entries, i), i);
	}
	/* more memory: it catches up */
	budget.limit = 10000000;
	for (i = n; i < 100000; i++) {
		entries.hash[i] = random_u64(&seed);
		assert_int_equal(flow_table_insert(table, entries.hash[i], i), 0);
	}
	for (i = 0; i < 100000; i++) {
		assert_int_equal(lookup(table, &entries, i), i);
		flow_table_remove(table, entries.hash[i], i);
	}
	assert_int_equal(flow_table_count(table), 0);
	flow_table_free(table);
	assert_int_equal(budget.used, 0);
	entries_fini(&entries);
}

static void equal_hashes_are_refused_beyond_a_chain(void **state)
{
	struct budget budget;
	struct entries entries;
	struct flow_table *table;
	uint32_t i;

	budget_init(&budget, SIZE_MAX, NULL);
	entries_init(&entries, 200);
	assert_int_equal(flow_table_new(&budget, entry_equal, entry_hash, &entries, &table), 0);
	for (i = 0; i < FLOW_TABLE_CHAIN * 8; i++) {
		entries.hash[i] = 42;
		assert_int_equal(flow_table_insert(table, 42, i), 0);
	}
	assert_int_equal(flow_table_insert(table, 42, i), WEIR_ELIMIT);
	assert_int_equal(flow_table_count(table), FLOW_TABLE_CHAIN * 8);
	assert_int_equal(flow_table_insert(table, 43, 199), 0);
	for (i = 0; i < FLOW_TABLE_CHAIN * 8; i++) {
		assert_int_equal(lookup(table, &entries, i), i);
	}
	for (i = 0; i < FLOW_TABLE_CHAIN * 8; i++) {
		flow_table_remove(table, 42, i);
		assert_int_equal(lookup(table, &entries, i), FLOW_TABLE_NONE);
	}
	assert_int_equal(flow_table_count(table), 1);
	flow_table_free(table);
	assert_int_equal(budget.used, 0);
	entries_fini(&entries);
}

static void replaced_entry_has_its_new_index(void **state)
{
	struct budget budget;
	struct entries entries;
	struct flow_table *table;

	budget_init(&budget, SIZE_MAX, NULL);
	entries_init(&entries, 16);
	entries.hash[3] = entries.hash[9] = UINT64_C(0x123456789abcdef0);
	assert_int_equal(flow_table_new(&budget, entry_equal, entry_hash, &entries, &table), 0);
	assert_int_equal(flow_table_insert(table, entries.hash[3], 3), 0);
	flow_table_replace(table, entries.hash[3], 3, 9);
	assert_int_equal(lookup(table, &entries, 3), FLOW_TABLE_NONE);
	assert_int_equal(lookup(table, &entries, 9), 9);
	assert_int_equal(flow_table_count(table), 1);
	flow_table_free(table);
	entries_fini(&entries);
}

static void both_directions_have_one_tuple(void **state)
{
	struct layers there = {.ip_version = 4, .sport = 40000, .dport = 80, .tunnel_id = 7};
	struct layers back = {.ip_version = 4, .sport = 80, .dport = 40000, .tunnel_id = 7};
	struct tuple a, b;

	memcpy(there.src, "\x0a\x00\x00\x02", 4);
	memcpy(there.dst, "\x0a\x00\x00\x01", 4);
	memcpy(back.src, "\x0a\x00\x00\x01", 4);
	memcpy(back.dst, "\x0a\x00\x00\x02", 4);
	assert_int_equal(tuple_from_layers(&there, false, &a), 1);
	assert_int_equal(tuple_from_layers(&back, false, &b), 0);
	assert_true(tuple_equal(&a, &b));
	assert_int_equal(tuple_hash(&a, 5), tuple_hash(&b, 5));
	assert_int_not_equal(tuple_hash(&a, 5), tuple_hash(&a, 6));
	assert_memory_equal(a.address[0], "\x0a\x00\x00\x01", 4);
	assert_int_equal(a.port[0], 80);
	assert_int_equal(a.port[1], 40000);

	/* equal addresses: the port decides; equal ends: side 0 */
	memcpy(there.src, there.dst, 4);
	assert_int_equal(tuple_from_layers(&there, false, &a), 1);
	there.sport = 80;
	assert_int_equal(tuple_from_layers(&there, false, &a), 0);

	/* the tunnel is part of the key, the VLAN only when asked */
	back.tunnel_id = 8;
	assert_int_equal(tuple_from_layers(&back, false, &a), 0);
	assert_false(tuple_equal(&a, &b));
	back.has_vlan = 1;
	back.vlan_id = 100;
	assert_int_equal(tuple_from_layers(&back, false, &b), 0);
	assert_true(tuple_equal(&a, &b));
	assert_int_equal(tuple_from_layers(&back, true, &b), 0);
	assert_false(tuple_equal(&a, &b));
}

static void address_order_is_that_of_all_sixteen_bytes(void **state)
{
	struct layers layers = {.ip_version = 6, .sport = 1, .dport = 2};
	struct tuple tuple;

	layers.src[15] = 2;
	layers.dst[15] = 1;
	assert_int_equal(tuple_from_layers(&layers, false, &tuple), 1);
	assert_int_equal(tuple.address[0][15], 1);
	layers.dst[0] = 0x80;
	assert_int_equal(tuple_from_layers(&layers, false, &tuple), 0);
	assert_int_equal(tuple.address[0][15], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(million_random_operations_agree_with_reference),
		cmocka_unit_test(full_table_is_compact_and_rarely_compares),
		cmocka_unit_test(growth_asks_for_no_hash_up_to_65536_buckets),
		cmocka_unit_test(table_without_memory_runs_fuller_and_stays_whole),
		cmocka_unit_test(equal_hashes_are_refused_beyond_a_chain),
		cmocka_unit_test(replaced_entry_has_its_new_index),
		cmocka_unit_test(both_directions_have_one_tuple),
		cmocka_unit_test(address_order_is_that_of_all_sixteen_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
