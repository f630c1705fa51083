/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of rollups: see sqlite.h. */
#include "store/sqlite.h"

#include "weir/error.h"

int lite_rollups(struct store_backend *backend, struct store_summing *summing)
{
	(void)backend;
	(void)summing;
	return WEIR_EUNSUPPORTED;
}
