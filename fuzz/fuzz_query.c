/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters of records: whatever the text is, it is refused with a place that is in it, or gives the same answer twice and the
 * opposite when it is negated; and whatever the values of the record are.
 *
 * Input: the filter up to a NUL; then pieces of the record: a byte that says the field, a byte of length, and its bytes.
 */
#include "query/query.h"
#include "record/tcp_fields.h"
#include "sample_record.h"
#include "weir/error.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_piece(struct weir_record *rec, uint8_t what, const uint8_t *p, size_t len)
{
	size_t half = len > 0 ? p[0] % (len + 1) : 0;

	switch (what % 8) {
	case 0:
		weir_record_set_bytes(rec, S_PATH, p, len, SIZE_MAX);
		break;
	case 1:
		weir_record_set_bytes(rec, S_DOMAIN, p, len, half);
		break;
	case 2:
		weir_record_set_bytes(rec, S_REQUEST_BODY, p, len, SIZE_MAX);
		break;
	case 3:
		weir_record_add_str(rec, WEIR_F_ANOMALIES, p, len);
		break;
	case 4:
		weir_record_set_u64(rec, S_STATUS, len * UINT64_C(0x1123456789abcdef));
		break;
	case 5:
		weir_record_set_bytes(rec, S_SHA256, p, len, SIZE_MAX);
		break;
	case 6:
		weir_record_set_bytes(rec, WEIR_F_CLIENT_ADDRESS, p, len, 16);
		break;
	default:
		weir_record_add_header(rec, S_REQUEST_HEADER, p, half, p + half, len - half, 100);
		break;
	}
}

static void fill(struct weir_record *rec, const uint8_t *data, const uint8_t *end)
{
	sample_fill(rec);
	while (end - data >= 2) {
		size_t len = data[1] < end - data - 2 ? data[1] : (size_t)(end - data - 2);

		add_piece(rec, data[0], data + 2, len);
		data += 2 + len;
	}
}

/* A node lies within its text, and its children within it. */
static void check_nodes(const struct query_node *node, size_t begin, size_t end)
{
	for (; node != NULL; node = node->next) {
		if (node->offset < begin || node->length > end - node->offset) {
			abort();
		}
		check_nodes(node->child, node->offset, node->offset + node->length);
	}
}

static bool answer(const char *text, const struct weir_record *rec, bool *ret_good)
{
	static const struct weir_schema *const schemas[] = {&record_tcp_schema, &sample_schema,
							    NULL};
	struct query_error error;
	struct query *query;
	bool is;

	*ret_good = query_new(text, schemas, &query, &error) == 0;
	if (!*ret_good) {
		if (error.offset + error.length > strlen(text) || error.reason[0] == '\0') {
			abort();
		}
		return false;
	}
	check_nodes(query_root(query), 0, strlen(text));
	is = query_match(query, rec);
	if (query_match(query, rec) != is) {
		abort();
	}
	query_free(query);
	return is;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
	size_t len = nul == NULL ? size : (size_t)(nul - data);
	char *text = malloc(len + 4);
	struct sample sample;
	bool good, good_not, is, is_not;

	if (text == NULL) {
		return 0;
	}
	sample_init(&sample, &sample_schema);
	fill(sample.rec, nul == NULL ? data + size : nul + 1, data + size);
	memcpy(text, data, len);
	text[len] = '\0';
	is = answer(text, sample.rec, &good);
	text[0] = '-';
	text[1] = '(';
	memcpy(text + 2, data, len);
	text[len + 2] = ')';
	text[len + 3] = '\0';
	is_not = answer(text, sample.rec, &good_not);
	if (good && good_not && is == is_not) {
		abort();
	}
	free(text);
	sample_fini(&sample);
	return 0;
}
