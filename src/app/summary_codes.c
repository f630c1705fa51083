/* SPDX-License-Identifier: Apache-2.0 */
/* See summary_codes.h. */
#include "app/summary_codes.h"

#include <stdlib.h>
#include <string.h>

static void add(struct summary_codes *codes, const char *code, size_t len, uint64_t n)
{
	size_t i;

	len = len < SUMMARY_CODE_LEN ? len : SUMMARY_CODE_LEN - 1;
	for (i = 0; i < codes->n; i++) {
		if (strncmp(codes->codes[i].code, code, len) == 0 &&
		    codes->codes[i].code[len] == '\0') {
			codes->codes[i].n += n;
			return;
		}
	}
	if (codes->n < SUMMARY_CODES) {
		memcpy(codes->codes[codes->n].code, code, len);
		codes->codes[codes->n].code[len] = '\0';
		codes->codes[codes->n++].n = n;
	}
}

void summary_codes_count(struct summary_codes *codes, const struct weir_record *rec)
{
	const struct weir_value *list = &rec->values[WEIR_F_ANOMALIES];
	uint32_t i;

	for (i = 0; weir_record_has(rec, WEIR_F_ANOMALIES) && i < list->len; i++) {
		add(codes, (const char *)list->v.strs[i].p, list->v.strs[i].len, 1);
	}
}

void summary_codes_merge(struct summary_codes *into, const struct summary_codes *from)
{
	size_t i;

	for (i = 0; i < from->n; i++) {
		add(into, from->codes[i].code, strlen(from->codes[i].code), from->codes[i].n);
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct summary_code *)a)->code,
		      ((const struct summary_code *)b)->code);
}

void summary_codes_sort(struct summary_codes *codes)
{
	qsort(codes->codes, codes->n, sizeof(codes->codes[0]), compare);
}
