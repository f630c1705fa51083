/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: HTTP/1 with holes, in four ways of splitting; see parser_dice.h. */
#include "parser_dice.h"

#include "http1_state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	mock_check = http1_state_check;
	return parser_dice("http1", data, size);
}
