/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reassembly against the byte map: the input's bytes are the dice of tests/lib/reasm_model.h, so that a mutation is another
 * segment, time step, acknowledgement or setting. The first byte makes an allocation fail (0: none).
 */
#include "reasm_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

void rm_fail(const struct rm_case *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "packet %llu: ", (unsigned long long)c->model.packets);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rm_dice dice;

	if (size < 2) {
		return 0;
	}
	dice = (struct rm_dice){.bytes = data + 1, .len = size - 1};
	(void)rm_run(&dice, 400, data[0]);
	return 0;
}
