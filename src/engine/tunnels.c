/* SPDX-License-Identifier: Apache-2.0 */
/* Tunnels seen: see tunnels.h. A table of fixed size: what does not fit is counted. */
#include "engine/tunnels.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The same for both directions, and for all source ports that are entropy. */
static struct layers_tunnel key_of(const struct layers_tunnel *tunnel)
{
	struct layers_tunnel key = *tunnel;
	int order;

	if (tunnel->type != LAYERS_TUNNEL_TEREDO && tunnel->type != LAYERS_TUNNEL_GTP_U) {
		key.sport = 0;
		key.dport = 0;
	}
	order = memcmp(key.src, key.dst, sizeof(key.src));
	if (order > 0 || (order == 0 && key.sport > key.dport)) {
		uint16_t port = key.sport;

		memcpy(key.src, tunnel->dst, sizeof(key.src));
		memcpy(key.dst, tunnel->src, sizeof(key.dst));
		key.sport = key.dport;
		key.dport = port;
	}
	return key;
}

/* The slot of a tunnel, or the free one where it would be: there is always one. */
static uint16_t *slot_of(struct tunnels *tunnels, const struct layers_tunnel *key)
{
	uint32_t i = (uint32_t)XXH3_64bits(key, sizeof(*key));

	for (;; i++) {
		uint16_t *slot = &tunnels->slots[i % TUNNELS_SLOTS];
		struct layers_tunnel other;

		if (*slot == 0) {
			return slot;
		}
		other = key_of(&tunnels->at[*slot - 1].what);
		if (memcmp(&other, key, sizeof(other)) == 0) {
			return slot;
		}
	}
}

static void note(struct tunnels *tunnels, const struct layers_tunnel *tunnel, uint64_t npackets)
{
	struct layers_tunnel key = key_of(tunnel);
	uint16_t *slot = slot_of(tunnels, &key);

	if (*slot == 0) {
		if (tunnels->n == TUNNELS_MAX) {
			tunnels->untold += npackets;
			return;
		}
		tunnels->at[tunnels->n].what = *tunnel;
		*slot = (uint16_t)++tunnels->n;
	}
	tunnels->at[*slot - 1].packets += npackets;
}

void tunnels_note(struct tunnels *tunnels, const struct layers_tunnels *through)
{
	unsigned i;

	for (i = 0; i < through->n; i++) {
		note(tunnels, &through->at[i], 1);
	}
}

void tunnels_add(struct tunnels *to, const struct tunnels *from)
{
	uint32_t i;

	for (i = 0; i < from->n; i++) {
		note(to, &from->at[i].what, from->at[i].packets);
	}
	to->untold += from->untold;
}
