/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tunnels that packets went through: type and ends, told by the summary. A flow inside is known by its own addresses; these are
 * the ones outside.
 */
#ifndef ENGINE_TUNNELS_H
#define ENGINE_TUNNELS_H

#include <stdint.h>

#include "decode/layers.h"

enum { TUNNELS_MAX = 256, TUNNELS_SLOTS = 512 };

struct tunnel_seen {
	struct layers_tunnel what; /* as its first packet had it: src sent that one */
	uint64_t packets;
};

/* All 0 is empty. */
struct tunnels {
	struct tunnel_seen at[TUNNELS_MAX]; /* in the order of their first packets */
	uint16_t slots[TUNNELS_SLOTS];      /* index + 1, by hash */
	uint32_t n;
	uint64_t untold; /* packets of tunnels that there was no room for */
};

/**
 * Count a packet's tunnels. A tunnel is its type and ends, in any direction. Ports count for Teredo and GTP; elsewhere the
 * source port is entropy (RFC 7348 §5, RFC 8926 §3.3).
 */
void tunnels_note(struct tunnels *tunnels, const struct layers_tunnels *through);

/** Add what others have seen. */
void tunnels_add(struct tunnels *to, const struct tunnels *from);

#endif
