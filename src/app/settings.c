/* SPDX-License-Identifier: Apache-2.0 */
/* The table of timeouts and limits: see settings.h. weir.conf(5) explains each; a test compares the two. */
#include "app/settings.h"

#include <stdio.h>
#include <string.h>

#include "app/units.h"
#include "base/time.h"
#include "weir/error.h"

#define MEMBER(name) offsetof(struct weir_config, name), sizeof(((struct weir_config *)0)->name)

/* A year is longer than any capture is asked to wait; ten million intervals would be a hundred megabytes a flow. */
#define YEAR ((uint64_t)(365 * 24 * 3600) * (uint64_t)NS_PER_S)
#define GIB  (UINT64_C(1) << 30)

/* clang-format off */
static const struct setting table[] = {
	{"timeout.half-open", SETTING_DURATION, MEMBER(half_open_ns), NS_PER_MS, YEAR,
	 "a flow whose handshake is not complete"},
	{"timeout.established", SETTING_DURATION, MEMBER(established_ns), NS_PER_MS, YEAR,
	 "a flow without packets"},
	{"timeout.closing", SETTING_DURATION, MEMBER(closing_ns), NS_PER_MS, YEAR,
	 "a flow of which one end has closed"},
	{"timeout.tombstone", SETTING_DURATION, MEMBER(tombstone_ns), 0, YEAR,
	 "late packets of a closed flow are told from a new one"},
	{"timeout.reset-grace", SETTING_DURATION, MEMBER(reset_grace_ns), 0, YEAR,
	 "data after a RST is still taken"},
	{"timeout.fragment", SETTING_DURATION, MEMBER(fragment_ns), NS_PER_MS, YEAR,
	 "IP fragments wait for the rest"},
	{"hole.age", SETTING_DURATION, MEMBER(hole_age_ns), 0, YEAR,
	 "a hole that nothing acknowledges becomes a gap"},
	{"hole.age-oneway", SETTING_DURATION, MEMBER(hole_age_oneway_ns), 0, YEAR,
	 "the same when one direction is captured only"},
	{"hole.acked", SETTING_DURATION, MEMBER(hole_acked_ns), 0, YEAR,
	 "a hole that the peer acknowledged becomes a gap after this, or"},
	{"hole.acked-packets", SETTING_COUNT, MEMBER(hole_acked_packets), 1, 1000000,
	 "after so many more packets of the flow,"},
	{"hole.acked-min", SETTING_DURATION, MEMBER(hole_acked_min_ns), 0, YEAR,
	 "but not sooner than this"},
	{"hole.limit", SETTING_SIZE, MEMBER(hole_limit), 4096, GIB,
	 "bytes that wait behind holes in one direction"},
	{"hole.intervals", SETTING_COUNT, MEMBER(hole_intervals), 1, 10000000,
	 "separate pieces that wait in one direction"},
	{"hole.oneway-limit", SETTING_SIZE, MEMBER(hole_oneway_limit), 4096, GIB,
	 "hole.limit when one direction is captured only"},
	{"clock.jump", SETTING_DURATION, MEMBER(jump_ns), NS_PER_MS, YEAR,
	 "a jump of the capture clock beyond this needs a second packet to be believed"},
	{"interim", SETTING_DURATION, MEMBER(tick_ns), NS_PER_MS, YEAR,
	 "interim records of open exchanges"},
	{"limit.head", SETTING_SIZE, MEMBER(head_limit), 4096, 16 << 20,
	 "an HTTP head"},
	{"limit.headers", SETTING_COUNT, MEMBER(header_limit), 1, 100000,
	 "headers kept of a message"},
	{"limit.target", SETTING_SIZE, MEMBER(target_limit), 1, 16 << 20,
	 "kept of a request target"},
	{"limit.value", SETTING_SIZE, MEMBER(value_limit), 1, 16 << 20,
	 "kept of a header's value"},
	{"limit.flows-at-hand", SETTING_COUNT, MEMBER(flows_at_hand), 0, 100000000,
	 "flows beyond these wait in less memory, the idlest first"},
	{"limit.pending", SETTING_COUNT, MEMBER(pending_limit), 1, 1000000,
	 "requests of a flow that wait for their response"},
};
/* clang-format on */

const struct setting *settings_table(size_t *ret_n)
{
	*ret_n = sizeof(table) / sizeof(table[0]);
	return table;
}

static void store(struct weir_config *config, const struct setting *setting, uint64_t value)
{
	char *at = (char *)config + setting->offset;
	uint32_t narrow = (uint32_t)value;

	if (setting->width == sizeof(narrow)) {
		memcpy(at, &narrow, sizeof(narrow));
	} else {
		memcpy(at, &value, sizeof(value));
	}
}

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "store() writes sizes as 64 bits");

static const char *read_value(const struct setting *setting, const char *text, uint64_t *ret)
{
	int64_t ns;

	if (setting->kind == SETTING_DURATION) {
		if (!units_duration(text, &ns)) {
			return "a duration with its unit (ns us ms s m h), such as 300s or 20ms";
		}
		*ret = (uint64_t)ns;
	} else if (!units_size(text, ret) ||
		   (setting->kind == SETTING_COUNT && text[strspn(text, "0123456789")] != '\0')) {
		return setting->kind == SETTING_SIZE ? "a size in bytes, such as 64K or 1M"
						     : "a number";
	}
	if (*ret < setting->min) {
		return "more than that";
	}
	return *ret > setting->max ? "less than that" : NULL;
}

int settings_set(struct weir_config *config, const char *key, const char *value,
		 const char **ret_fix)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		if (strcmp(table[i].key, key) == 0) {
			*ret_fix = read_value(&table[i], value, &n);
			if (*ret_fix == NULL) {
				store(config, &table[i], n);
			}
			return 0;
		}
	}
	return WEIR_ENOTFOUND;
}
