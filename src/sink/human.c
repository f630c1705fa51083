/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for people: see human.h. */
#include "sink/human.h"

#include "base/time.h"

#include <stdio.h>

static void duration_below_minute(uint64_t ns, bool plain, char *to)
{
	double us = (double)ns / 1e3;
	double ms = (double)ns / 1e6;

	/* the borders are where the rounded text would need one digit more */
	if (ns < 1000) {
		(void)snprintf(to, HUMAN_LEN, "%u ns", (unsigned)ns);
	} else if (us < 999.5) {
		(void)snprintf(to, HUMAN_LEN, us < 9.95 ? "%.1f %s" : "%.0f %s", us,
			       plain ? "us" : "\xc2\xb5s");
	} else if (ms < 999.5) {
		(void)snprintf(to, HUMAN_LEN, ms < 9.95 ? "%.1f ms" : "%.0f ms", ms);
	} else {
		(void)snprintf(to, HUMAN_LEN, ms < 9995 ? "%.2f s" : "%.1f s", ms / 1e3);
	}
}

void human_duration(int64_t ns, bool plain, char *ret_text)
{
	uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
	uint64_t s = left / NS_PER_S;

	if (ns < 0) {
		*ret_text++ = '-';
	}
	if (left < UINT64_C(59950000000)) {
		duration_below_minute(left, plain, ret_text);
		return;
	}
	s += left % NS_PER_S >= NS_PER_S / 2;
	if (s < 3600) {
		(void)snprintf(ret_text, HUMAN_LEN - 1, "%u:%02u min", (unsigned)(s / 60),
			       (unsigned)(s % 60));
	} else if (s < 100 * 3600) {
		(void)snprintf(ret_text, HUMAN_LEN - 1, "%u:%02u h", (unsigned)(s / 3600),
			       (unsigned)(s / 60 % 60));
	} else {
		(void)snprintf(ret_text, HUMAN_LEN - 1, "%u d", (unsigned)(s / 86400));
	}
}

void human_size(uint64_t bytes, char *ret_text)
{
	static const char *const units[] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double n = (double)bytes / 1e3;
	unsigned unit = 0;

	if (bytes < 1000) {
		(void)snprintf(ret_text, HUMAN_LEN, "%u B", (unsigned)bytes);
		return;
	}
	while (n >= 999.5 && unit < 5) {
		n /= 1e3;
		unit++;
	}
	(void)snprintf(ret_text, HUMAN_LEN,
		       unit >= 2 && n < 9.995 ? "%.2f %s"
		       : n < 99.95            ? "%.1f %s"
					      : "%.0f %s",
		       n, units[unit]);
}

void human_count(uint64_t n, char *ret_text)
{
	char digits[21];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)n);
	int i;

	for (i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0) {
			*ret_text++ = ' ';
		}
		*ret_text++ = digits[i];
	}
	*ret_text = '\0';
}

void human_rate(double n, char *ret_text)
{
	static const char *const units[] = {" ", " k", " M", " G", " T"};
	unsigned unit = 0;

	while (n >= 999.5 && unit < 4) {
		n /= 1e3;
		unit++;
	}
	(void)snprintf(ret_text, HUMAN_LEN,
		       unit == 0   ? "%.0f%s"
		       : n < 9.995 ? "%.2f%s"
		       : n < 99.95 ? "%.1f%s"
				   : "%.0f%s",
		       n, units[unit]);
}
