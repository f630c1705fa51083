/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzz target: what is told of bodies by their Content-Type: parts of forms, events, character sets. The same whole and byte by byte, and
 * no memory is left. Input: Content-Type up to a NUL, then the body.
 */
#include "base/budget.h"
#include "body/body.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
	struct budget budget;
	struct body *body;
	struct body_result result;
};

static void *alloc(void *context, size_t size)
{
	return budget_alloc(context, size);
}

static void release(void *context, void *p, size_t size)
{
	budget_free(context, p, size);
}

static void run(struct outcome *out, struct weir_str type, const uint8_t *p, size_t len,
		size_t step)
{
	struct body_memory memory = {alloc, release, &out->budget};
	size_t i;

	budget_init(&out->budget, 1 << 20, NULL);
	out->body = body_new(&memory, 16);
	body_set_type(out->body, type, true);
	for (i = 0; i < len; i += step) {
		/* an exact copy, so that a read beyond it is caught */
		size_t n = len - i < step ? len - i : step;
		uint8_t *piece = malloc(n);

		memcpy(piece, p + i, n);
		body_feed(out->body, piece, n);
		free(piece);
	}
	body_finish(out->body, true, &out->result);
}

static void must(bool holds)
{
	if (!holds) {
		abort();
	}
}

static void same_text(struct weir_str a, struct weir_str b)
{
	must(a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0));
}

static void compare(const struct outcome *a, const struct outcome *b)
{
	struct body_part one, other;
	size_t i = 0;

	must(a->result.nparts == b->result.nparts && a->result.events == b->result.events);
	must((a->result.charset == NULL) == (b->result.charset == NULL));
	must(a->result.charset == NULL || strcmp(a->result.charset, b->result.charset) == 0);
	for (; body_part(a->body, i, &one); i++) {
		must(body_part(b->body, i, &other));
		same_text(one.name, other.name);
		same_text(one.filename, other.filename);
		same_text(one.mime, other.mime);
		must(one.size == other.size);
	}
	must(!body_part(b->body, i, &other) && i <= a->result.nparts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
	struct outcome whole, bytes;
	struct weir_str type;
	size_t len;

	if (nul == NULL || size > 8192) {
		return 0;
	}
	type = (struct weir_str){data, (uint32_t)(nul - data)};
	len = size - type.len - 1;
	run(&whole, type, nul + 1, len, len > 0 ? len : 1);
	run(&bytes, type, nul + 1, len, 1);
	compare(&whole, &bytes);
	body_free(whole.body);
	body_free(bytes.body);
	must(whole.budget.used == 0 && bytes.budget.used == 0);
	return 0;
}
