/* SPDX-License-Identifier: Apache-2.0 */
/* Times as text. The civil calendar is computed from the day number (proleptic Gregorian), without libc's locale. */
#include "base/time.h"

static void put(char *to, uint64_t value, int digits)
{
	while (digits-- > 0) {
		to[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

void time_rfc3339(int64_t ts_ns, char *ret_text)
{
	int64_t sec = ts_ns / NS_PER_S;
	int64_t ns = ts_ns % NS_PER_S;
	int64_t days, rest, era, doe, yoe, doy, mp, year, month, day;

	if (ns < 0) {
		ns += NS_PER_S;
		sec--;
	}
	days = sec / 86400;
	rest = sec % 86400;
	if (rest < 0) {
		rest += 86400;
		days--;
	}
	/* days since 0000-03-01, in 400-year eras of 146,097 days; int64 ns spans the years 1677 to 2262 */
	days += 719468;
	era = days / 146097;
	doe = days % 146097;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153;
	day = doy - (153 * mp + 2) / 5 + 1;
	month = mp < 10 ? mp + 3 : mp - 9;
	year = yoe + era * 400 + (month <= 2);

	put(ret_text, (uint64_t)year, 4);
	ret_text[4] = '-';
	put(ret_text + 5, (uint64_t)month, 2);
	ret_text[7] = '-';
	put(ret_text + 8, (uint64_t)day, 2);
	ret_text[10] = 'T';
	put(ret_text + 11, (uint64_t)rest / 3600, 2);
	ret_text[13] = ':';
	put(ret_text + 14, (uint64_t)rest / 60 % 60, 2);
	ret_text[16] = ':';
	put(ret_text + 17, (uint64_t)rest % 60, 2);
	ret_text[19] = '.';
	put(ret_text + 20, (uint64_t)ns, 9);
	ret_text[29] = 'Z';
}
