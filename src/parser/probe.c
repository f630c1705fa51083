/* SPDX-License-Identifier: Apache-2.0 */
/* A parser's probe() out of a score: see probe.h. */
#include "parser/probe.h"

struct weir_probe_result probe_by_score(const struct weir_probe *probe,
					int (*score)(const struct weir_probe *probe, int client),
					int enough)
{
	struct weir_probe_result result = {0, false, false};
	int swapped;

	result.score = score(probe, WEIR_C2S);
	swapped = probe->roles_certain ? 0 : score(probe, WEIR_S2C);
	if (swapped > result.score) {
		result.score = swapped;
		result.swapped = true;
	}
	result.more = result.score > 0 && result.score < enough &&
		      !(probe->closed[0] && probe->closed[1]);
	return result;
}
