/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers with units: see units.h. */
#include "app/units.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/time.h"

/* Digits, then the unit. */
static bool split(const char *text, uint64_t *ret, const char **ret_unit)
{
	char *end;

	if (!isdigit((unsigned char)text[0])) {
		return false;
	}
	errno = 0;
	*ret = strtoull(text, &end, 10);
	while (*end == ' ') {
		end++;
	}
	*ret_unit = end;
	return errno == 0;
}

bool units_size(const char *text, uint64_t *ret)
{
	static const struct {
		const char *unit;
		unsigned shift;
	} units[] = {{"", 0},   {"B", 0},    {"K", 10}, {"KiB", 10},
		     {"M", 20}, {"MiB", 20}, {"G", 30}, {"GiB", 30}};
	const char *unit;
	uint64_t n;
	size_t i;

	if (!split(text, &n, &unit)) {
		return false;
	}
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcasecmp(unit, units[i].unit) == 0) {
			if (n > UINT64_MAX >> units[i].shift) {
				return false;
			}
			*ret = n << units[i].shift;
			return true;
		}
	}
	return false;
}

bool units_duration(const char *text, int64_t *ret_ns)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = {{"ns", 1},
		     {"us", NS_PER_US},
		     {"\xc2\xb5s", NS_PER_US},
		     {"ms", NS_PER_MS},
		     {"s", NS_PER_S},
		     {"m", 60 * NS_PER_S},
		     {"min", 60 * NS_PER_S},
		     {"h", 3600 * NS_PER_S}};
	const char *unit;
	uint64_t n;
	size_t i;

	if (!split(text, &n, &unit)) {
		return false;
	}
	if (*unit == '\0' && n == 0) {
		*ret_ns = 0;
		return true;
	}
	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].unit) == 0) {
			if (n > (uint64_t)(INT64_MAX / units[i].ns)) {
				return false;
			}
			*ret_ns = (int64_t)n * units[i].ns;
			return true;
		}
	}
	return false;
}
