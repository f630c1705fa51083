/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masking: any bytes in headers, URLs, bodies and statements. Nothing is read beyond them (exact allocations, ASan), and
 * masking what was masked changes nothing.
 *
 * Input: a byte that says the field, for headers a byte of the name's length, then the text.
 */
#include "record/record.h"
#include "record/redact.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { F_HEADERS = WEIR_NCOMMON, F_URL, F_BODY, F_STATEMENT };

static const struct weir_field fields[] = {
	{"f.headers", WEIR_KIND_HEADERS, WEIR_FIELD_SECRET_HEADERS, ""},
	{"f.url", WEIR_KIND_STR, WEIR_FIELD_URL, ""},
	{"f.body", WEIR_KIND_STR, WEIR_FIELD_BODY, ""},
	{"f.statement", WEIR_KIND_STR, WEIR_FIELD_STATEMENT, ""},
};
static const struct weir_schema schema = {"f", fields, 4};

/* Mask a text of a field in memory of exactly its size; its length afterwards. */
static size_t mask_text(struct arena_pool *pool, size_t field, enum weir_redact mode,
			const uint8_t *p, size_t len, uint8_t **ret)
{
	uint8_t *exact = malloc(len > 0 ? len : 1);
	struct weir_record *rec;
	size_t n = 0;

	*ret = malloc(1);
	if (exact == NULL || *ret == NULL || record_new(pool, &schema, &rec) < 0) {
		abort();
	}
	if (len > 0) {
		memcpy(exact, p, len);
	}
	weir_record_set_static(rec, field, "");
	rec->values[field].v.bytes = exact;
	rec->values[field].len = (uint32_t)len;
	rec->values[field].full_len = (uint32_t)len;
	redact_record(rec, mode, NULL);
	if (weir_record_has(rec, field)) {
		n = rec->values[field].len;
		free(*ret);
		*ret = malloc(n > 0 ? n : 1);
		memcpy(*ret, rec->values[field].v.bytes, n);
	}
	record_free(rec);
	free(exact);
	return n;
}

static void fuzz_text(struct arena_pool *pool, size_t field, const uint8_t *p, size_t len)
{
	enum weir_redact mode = field == F_STATEMENT ? WEIR_REDACT_STRICT : WEIR_REDACT_DEFAULT;
	uint8_t *once, *twice;
	size_t n = mask_text(pool, field, mode, p, len, &once);
	size_t m = mask_text(pool, field, mode, once, n, &twice);

	if (field == F_URL && (n != m || memcmp(once, twice, n) != 0)) {
		abort();
	}
	free(once);
	free(twice);
}

static void fuzz_header(struct arena_pool *pool, const uint8_t *p, size_t len)
{
	size_t name = len > 0 ? p[0] % len : 0;
	struct weir_record *rec;
	int i;

	if (len == 0) {
		return;
	}
	p++;
	len--;
	if (record_new(pool, &schema, &rec) < 0) {
		abort();
	}
	for (i = 0; i < 3; i++) {
		weir_record_add_header(rec, F_HEADERS, p, name, p + name, len - name, 64);
	}
	redact_record(rec, WEIR_REDACT_DEFAULT, NULL);
	redact_record(rec, WEIR_REDACT_DEFAULT, NULL);
	record_free(rec);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct budget budget;
	struct arena_pool pool;

	if (size == 0) {
		return 0;
	}
	budget_init(&budget, 64 << 20, NULL);
	arena_pool_init(&pool, &budget, 4);
	if (data[0] % 4 == 0) {
		fuzz_header(&pool, data + 1, size - 1);
	} else {
		fuzz_text(&pool, F_HEADERS + data[0] % 4u, data + 1, size - 1);
	}
	arena_pool_fini(&pool);
	if (budget.used != 0) {
		abort();
	}
	return 0;
}
