/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's rings, as a run tells of them: see rings.h. */
#include "app/rings.h"

#include <string.h>

#include "app/options.h"
#include "app/summary.h"
#include "base/strbuf.h"
#include "sink/escape.h"

_Static_assert(CAPTURE_LIVE_INTERFACES <= 64, "a bit each");

static size_t count(const struct options *options)
{
	size_t rings = options->fanout && options->workers > 1 ? options->workers : 1;

	return options->ninterfaces < 2 ? 0 : options->ninterfaces * rings;
}

size_t rings_queue(const struct options *options)
{
	size_t n = count(options);

	return n == 0 ? 0 : capture_live_queue(options->config.memory / 8, n);
}

uint64_t rings_memory(const struct options *options)
{
	return (uint64_t)count(options) * rings_queue(options);
}

void rings_fill(struct capture *const *inputs, size_t ninputs, struct summary *summary)
{
	size_t i, k;

	summary->nrings = 0;
	for (k = 0; k < ninputs; k++) {
		for (i = 0; summary->nrings < SUMMARY_RINGS &&
			    capture_get_ring(inputs[k], i, &summary->rings[summary->nrings]);
		     i++) {
			summary->nrings++;
		}
	}
}

void rings_tell(struct capture *const *inputs, size_t ninputs, uint64_t *told, struct strbuf *out)
{
	struct capture_ring ring;
	size_t i, k;

	for (k = 0; k < ninputs; k++) {
		for (i = 0; capture_get_ring(inputs[k], i, &ring); i++) {
			if (ring.ended == NULL || (*told >> i & 1) != 0) {
				continue;
			}
			*told |= UINT64_C(1) << i;
			strbuf_str(out, "weir: warning: capturing on ");
			(void)escape_text(out, ring.interface, strlen(ring.interface));
			strbuf_str(out, " has ended: ");
			strbuf_str(out, ring.ended);
			strbuf_str(out, "\n  The other interfaces are captured on.\n");
		}
	}
}
