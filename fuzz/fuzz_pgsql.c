/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: PostgreSQL with holes, in four ways of splitting; see parser_dice.h. */
#include "parser_dice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return parser_dice_in_order("pgsql", data, size);
}
