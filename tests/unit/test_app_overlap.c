/* SPDX-License-Identifier: Apache-2.0 */
/* --overlap: policies for all hosts and for subnets, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "app/overlap.h"

static void policies_are_read_for_all_and_for_subnets(void **state)
{
	struct overlap o = {.nrules = 0};
	static const uint8_t ten[16] = {10}, doc[16] = {0x20, 1, 0xd, 0xb8};

	assert_null(overlap_add(&o, "linux"));
	assert_int_equal(o.policy, WEIR_OVERLAP_LINUX);
	assert_null(overlap_add(&o, "10.0.0.0/8=windows,2001:db8::/33=solaris,bsd,10.1.2.3=last"));
	assert_int_equal(o.policy, WEIR_OVERLAP_BSD);
	assert_int_equal(o.nrules, 3);
	assert_int_equal(o.rules[0].ip_version, 4);
	assert_int_equal(o.rules[0].prefix, 8);
	assert_int_equal(o.rules[0].policy, WEIR_OVERLAP_WINDOWS);
	assert_memory_equal(o.rules[0].address, ten, 16);
	assert_int_equal(o.rules[1].ip_version, 6);
	assert_int_equal(o.rules[1].prefix, 33);
	assert_int_equal(o.rules[1].policy, WEIR_OVERLAP_SOLARIS);
	assert_memory_equal(o.rules[1].address, doc, 16);
	assert_int_equal(o.rules[2].prefix, 32);
	assert_int_equal(o.rules[2].policy, WEIR_OVERLAP_LAST);
}

static void other_values_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"second",
		"10.0.0.0/8",
		"10.0.0.0/8=",
		"=linux",
		"10/8=bsd",
		"10.0.0.1/8=bsd",
		"10.0.0.0/33=bsd",
		"10.0.0.0/-1=bsd",
		"10.0.0.0/ 8=bsd",
		"first,,",
		"10.0.0.0/8x=bsd",
		"::/129=bsd",
		"10.0.0.0/=bsd",
		"linux ",
		"fe80::1%lo=bsd",
		"10.0.0.0/8=bsd=first",
		"1234:1234:1234:1234:1234:1234:1234:1234:1234:1234:1=bsd"};
	struct overlap o = {.nrules = 0};
	char many[OVERLAP_MAX_RULES * 12 + 32] = "";
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_non_null(overlap_add(&o, bad[i]));
	}
	o.nrules = 0;
	for (i = 0; i < OVERLAP_MAX_RULES; i++) {
		strcat(many, i == 0 ? "::1=bsd" : ",::1=bsd");
	}
	assert_null(overlap_add(&o, many));
	assert_string_equal(overlap_add(&o, "::1=bsd"), "at most 64 subnets");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(policies_are_read_for_all_and_for_subnets),
		cmocka_unit_test(other_values_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
