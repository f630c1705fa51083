/* SPDX-License-Identifier: Apache-2.0 */
/* http/scan.h: sound lines, judged the same by every way of classifying, wherever the bytes lie in a block. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "http/scan.h"

enum { MAX = 16 };

/* The same by the letter of scan.h, a byte at a time. */
static size_t by_the_letter(const uint8_t *p, size_t len, struct http_line *lines, size_t max)
{
	size_t begin = 0, n = 0;

	while (n < max) {
		size_t at = begin, colon = SIZE_MAX;

		while (at < len && p[at] >= 0x20 && p[at] <= 0x7e) {
			if (colon == SIZE_MAX && (p[at] == ':' || p[at] == ' ')) {
				colon = at;
			}
			at++;
		}
		if (colon == SIZE_MAX || colon == begin || p[colon] != ':' || len - at < 4 ||
		    memcmp(p + at, "\r\n", 2) != 0 || p[at + 2] == ' ' || p[at + 2] == '\t') {
			break;
		}
		lines[n++] = (struct http_line){(uint32_t)begin, (uint32_t)colon, (uint32_t)at};
		begin = at + 2;
	}
	return n;
}

static void check(const uint8_t *p, size_t len, size_t max)
{
	/* memory of its own, so that reading beyond it is found */
	uint8_t *copy = malloc(len + 1);
	struct http_line want[MAX], got[MAX];
	size_t n = by_the_letter(p, len, want, max);
	int with;

	memcpy(copy, p, len);
	copy = realloc(copy, len > 0 ? len : 1);
	for (with = 0; with < HTTP_SCAN_NWITH; with++) {
		size_t m = http_scan_lines_with((enum http_scan_with)with, copy, len, got, max);

		if (m == SIZE_MAX) {
			continue; /* not on this processor */
		}
		assert_int_equal(m, n);
		assert_memory_equal(got, want, n * sizeof(got[0]));
	}
	assert_int_equal(http_scan_lines(copy, len, got, max), n);
	assert_memory_equal(got, want, n * sizeof(got[0]));
	free(copy);
}

static void lines_of_a_head_are_found(void **state)
{
	static const char head[] = "Host: a.example\r\nAccept: */*\r\nX:\r\n\r\nGET / HTTP/1.1\r\n";
	struct http_line lines[MAX];

	assert_int_equal(http_scan_lines((const uint8_t *)head, sizeof(head) - 1, lines, MAX), 3);
	assert_int_equal(lines[0].begin, 0);
	assert_int_equal(lines[0].colon, 4);
	assert_int_equal(lines[0].eol, 15);
	assert_int_equal(lines[1].begin, 17);
	assert_int_equal(lines[1].colon, 23);
	assert_int_equal(lines[1].eol, 28);
	assert_int_equal(lines[2].begin, 30);
	assert_int_equal(lines[2].colon, 31);
	assert_int_equal(lines[2].eol, 32);
}

static void what_is_not_sound_is_left(void **state)
{
	static const char *const left[] = {
		"Host: a\r\n",
		"Host: a\r\n\r",         /* the byte behind it decides whether it is folded */
		"Host: a\r\n b\r\n\r\n", /* folded */
		"Host: a\r\n\tb\r\n\r\n",
		"Host: a\nB: c\r\n\r\n", /* no CR */
		"Host: a\rb\r\n\r\n",    /* CR alone */
		"Host : a\r\n\r\n",      /* space before the colon */
		" Host: a\r\n\r\n",      /* begins with a space */
		": a\r\n\r\n",           /* no name */
		"Host a\r\n\r\n",        /* no colon */
		"Hosta\r\n\r\n",
		"Host: a\tb\r\n\r\n",  /* tab */
		"Host: a\x80\r\n\r\n", /* 8 bit */
		"Host: a\x7f\r\n\r\n",
		"\r\n",
		"",
	};
	struct http_line lines[MAX];
	size_t i;

	for (i = 0; i < sizeof(left) / sizeof(left[0]); i++) {
		assert_int_equal(
			http_scan_lines((const uint8_t *)left[i], strlen(left[i]), lines, MAX), 0);
		check((const uint8_t *)left[i], strlen(left[i]), MAX);
	}
}

/* Line ends at every place of a block, and behind blocks of 64. */
static void every_place_in_a_block_is_the_same(void **state)
{
	uint8_t text[300];
	size_t first, second, n;

	for (first = 1; first < 70; first++) {
		for (second = 1; second < 70; second += 3) {
			memset(text, 'v', sizeof(text));
			memcpy(text + first, ":\r\n", 3);
			memcpy(text + first + 3 + second, ": x\r\nC:", 7);
			for (n = first + second; n < first + second + 80; n += 7) {
				check(text, n, MAX);
			}
			memcpy(text + first + second + 60, "\r\n\r\n", 4);
			check(text, sizeof(text), MAX);
			check(text, sizeof(text), 1);
		}
	}
}

static void random_bytes_are_judged_the_same(void **state)
{
	static const char some[] = "aaaaaaaab: :\r\n\r\n\t\x01\x80\x7f";
	uint8_t text[200];
	unsigned seed = 7;
	size_t i, n;
	int round;

	for (round = 0; round < 20000; round++) {
		n = 0;
		while (n < sizeof(text) - 24) {
			seed = seed * 1103515245 + 12345;
			if ((seed >> 16) % 5 != 0) {
				size_t k = (seed >> 20) % 20;

				memset(text + n, 'x', k + 4);
				text[n + 1 + k / 4] = ':';
				memcpy(text + n + k + 2, "\r\n", 2);
				n += k + 4;
				continue;
			}
			text[n++] = (uint8_t)some[(seed >> 18) % (sizeof(some) - 1)];
		}
		i = (seed >> 8) % n;
		check(text, i, 1 + round % MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_a_head_are_found),
		cmocka_unit_test(what_is_not_sound_is_left),
		cmocka_unit_test(every_place_in_a_block_is_the_same),
		cmocka_unit_test(random_bytes_are_judged_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
