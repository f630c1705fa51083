/* SPDX-License-Identifier: Apache-2.0 */
/* What a store keeps in few bytes: histograms, lists of numbers, ids. Numbers were worked out by hand, the id by Python. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/hist.h"
#include "store/id.h"
#include "store/ids.h"

static void buckets_are_a_32nd_of_a_power_of_two(void **state)
{
	unsigned i;

	(void)state;
	assert_int_equal(hist_bucket(-5), 0);
	assert_int_equal(hist_bucket(0), 0);
	assert_int_equal(hist_bucket(63), 63);
	assert_int_equal(hist_bucket(64), 64);
	assert_int_equal(hist_bucket(65), 64);
	assert_int_equal(hist_bucket(66), 65);
	/* 1,000,000 = 61.03 * 2^14 */
	assert_int_equal(hist_bucket(1000000), 14 * 32 + 61);
	assert_int_equal(hist_low(14 * 32 + 61), 999424);
	assert_int_equal(hist_high(14 * 32 + 61), 1015808);
	assert_int_equal(hist_bucket(INT64_MAX), HIST_BUCKETS - 1);
	for (i = 0; i < HIST_BUCKETS; i++) {
		int64_t low = hist_low(i), high = hist_high(i), middle = hist_middle(i);

		assert_int_equal(hist_bucket(low), i);
		assert_int_equal(hist_bucket(high - 1), i);
		assert_true(i + 1 == HIST_BUCKETS || hist_bucket(high) == i + 1);
		/* at most 1/64 off, at either end */
		assert_true(middle - low <= low / 64 && high - 1 - middle <= low / 64);
	}
}

static void blobs_of_histograms_add_up(void **state)
{
	static const uint8_t want[] = {5, 1, 0xf8, 3, 2}; /* 504 = 3 * 128 + 0x78 */
	static struct hist hist;
	struct strbuf blob;

	(void)state;
	strbuf_init(&blob);
	hist_add(&hist, 509, 2);
	hist_add(&hist, 5, 1);
	hist_put_blob(&hist, &blob);
	assert_int_equal(blob.len, sizeof(want));
	assert_memory_equal(blob.p, want, sizeof(want));
	hist_add_blob(&hist, blob.p, blob.len);
	assert_int_equal(hist.n, 6);
	assert_int_equal(hist.buckets[5], 2);
	assert_int_equal(hist.buckets[509], 4);
	assert_int_equal(hist_percentile(&hist, 33), 5);
	assert_int_equal(hist_percentile(&hist, 34), 1007616);
	/* cut off, and beyond the last bucket: what can be read counts */
	hist_clear(&hist);
	hist_add_blob(&hist, want, 4);
	assert_int_equal(hist.n, 1);
	hist_add_blob(&hist, "\xff\xff\xff\xff\x01\x07", 6);
	assert_int_equal(hist.n, 1);
	hist_clear(&hist);
	assert_int_equal(hist_percentile(&hist, 50), 0);
	strbuf_fini(&blob);
}

static void numbers_ascend_by_their_distances(void **state)
{
	uint8_t blob[3 * IDS_MAX];
	size_t n = ids_put(blob, 1);
	struct ids ids;

	(void)state;
	n += ids_put(blob + n, 300);
	n += ids_put(blob + n, 127);
	assert_int_equal(n, 4);
	assert_memory_equal(blob, "\x01\xac\x02\x7f", 4);
	ids_begin(&ids, 1000, blob, n);
	assert_true(ids_next(&ids));
	assert_int_equal(ids.id, 1000);
	assert_true(ids_next(&ids));
	assert_int_equal(ids.id, 1001);
	assert_true(ids_next(&ids));
	assert_int_equal(ids.id, 1301);
	assert_true(ids_next(&ids));
	assert_int_equal(ids.id, 1428);
	assert_false(ids_next(&ids));
	ids_begin(&ids, 7, NULL, 0);
	assert_true(ids_next(&ids));
	assert_false(ids_next(&ids));
	ids_begin(&ids, 7, "\x80\x80", 2);
	assert_true(ids_next(&ids));
	assert_false(ids_next(&ids));
}

static void ids_come_back_letter_by_letter(void **state)
{
	static const char id[] = "01M823N6M27Z11VR3QGWNFQ2G4";
	char text[STORE_ID_LEN + 1] = "";
	int64_t first, low, high;

	(void)state;
	assert_true(store_id_split(id, 26, &first, &low, &high));
	assert_true(first == INT64_C(1795367279234) * 1000000);
	assert_true(high == INT64_C(16322));
	assert_true((uint64_t)low == UINT64_C(2152852044308515332));
	assert_true(store_id_take(id, 26, INT64_C(1795367279234558000), &low, &high));
	store_id_put(text, INT64_C(1795367279234558000), low, high);
	assert_string_equal(text, id);
	/* of another millisecond, of another form */
	assert_false(store_id_take(id, 26, INT64_C(1795367279235000000), &low, &high));
	assert_false(store_id_take(id, 25, INT64_C(1795367279234558000), &low, &high));
	assert_false(store_id_split("01M823N6M27Z11VR3QGWNFQ2GU", 26, &first, &low, &high));
	assert_false(store_id_split("01m823N6M27Z11VR3QGWNFQ2G4", 26, &first, &low, &high));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets_are_a_32nd_of_a_power_of_two),
		cmocka_unit_test(blobs_of_histograms_add_up),
		cmocka_unit_test(numbers_ascend_by_their_distances),
		cmocka_unit_test(ids_come_back_letter_by_letter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
