/* SPDX-License-Identifier: Apache-2.0 */
/* From packets to items: see front.h. */
#include "engine/front.h"

#include <string.h>

#include "decode/plain.h"
#include "weir/error.h"

enum { DEFRAG_LIMIT = 4 << 20 }; /* bytes, at most; a sixteenth of a small budget */

size_t front_memory(const struct weir_config *config)
{
	return config->memory / 16 < DEFRAG_LIMIT ? config->memory / 16 : DEFRAG_LIMIT;
}

int front_init(struct front *front, const struct weir_config *config, uint64_t seed,
	       uint64_t *input_base, size_t ninputs)
{
	size_t limit = front_memory(config);

	memset(front, 0, sizeof(*front));
	front->config = config;
	front->seed = seed;
	front->input_base = input_base;
	front->ninputs = ninputs;
	front->vlan_key = config->vlan_key;
	front->checksums = config->checksums != WEIR_CHECKSUM_NONE;
	budget_init(&front->budget, limit, config->allocator);
	return defrag_new(&front->budget, limit, config->fragment_ns, &front->defrag);
}

void front_fini(struct front *front)
{
	defrag_free(front->defrag);
	front->defrag = NULL;
}

/* Is a time so far ahead of the clock that a second packet must confirm it, and does this one not? */
static bool is_doubtful(const struct front *front, int64_t ts_ns)
{
	int64_t limit = front->config->jump_ns;
	int64_t ahead, apart;

	if (!__builtin_sub_overflow(ts_ns, front->clock_ns, &ahead) && ahead <= limit) {
		return false;
	}
	return front->jump_ns == 0 || __builtin_sub_overflow(ts_ns, front->jump_ns, &apart) ||
	       apart > limit || apart < -limit;
}

int64_t front_clock(const struct front *front, int64_t ts_ns)
{
	if (!front->clock_set) {
		return ts_ns;
	}
	return ts_ns < front->clock_ns || is_doubtful(front, ts_ns) ? front->clock_ns : ts_ns;
}

void front_tick(struct front *front, int64_t now_ns)
{
	if (!front->clock_set || now_ns > front->clock_ns) {
		front->clock_set = true;
		front->clock_ns = now_ns;
		front->jump_ns = 0;
	}
}

/*
 * The capture clock: monotone. Back is clamped. A jump forward beyond the limit is believed when a second packet confirms
 * it (is beyond the limit too, and not further away from the first than the limit); until then the clock stands.
 */
static void tick(struct front *front, int64_t ts_ns)
{
	if (!front->clock_set) {
		front->clock_set = true;
		front->clock_ns = ts_ns;
	} else if (ts_ns < front->clock_ns) {
		front->stats.clock_back++;
	} else if (is_doubtful(front, ts_ns)) {
		front->jump_ns = ts_ns;
		front->stats.clock_jumps++;
	} else {
		front->jump_ns = 0;
		front->clock_ns = ts_ns;
	}
}

static void count(struct front *front, const struct weir_packet *packet)
{
	struct front_stats *stats = &front->stats;

	stats->packets++;
	stats->bytes += packet->caplen;
	stats->wire_bytes += packet->wirelen;
	if (packet->caplen < packet->wirelen) {
		stats->snapped++;
		stats->snaplen = packet->caplen > stats->snaplen ? packet->caplen : stats->snaplen;
	}
}

static void count_kind(struct front *front, const struct layers *layers)
{
	front->stats.kinds[layers->kind]++;
	if (layers->kind == LAYERS_OTHER_IP) {
		front->stats.protocols[layers->protocol]++;
	}
	if (layers->kind == LAYERS_BAD) {
		front->stats.reasons[layers->reason]++;
	}
}

/* What conflicted, for as long as the packet's bytes live; without memory, only that something did. */
static const struct front_conflict *keep_conflict(const struct defrag_datagram *whole,
						  struct weir_arena *arena)
{
	static const struct front_conflict unknown;
	struct front_conflict *copy;

	if (whole->nconflict == 0) {
		return NULL;
	}
	copy = arena_alloc(arena, sizeof(*copy));
	if (copy == NULL) {
		return &unknown;
	}
	copy->at = whole->conflict_at;
	copy->len = whole->nconflict;
	memcpy(copy->kept, whole->kept, sizeof(copy->kept));
	memcpy(copy->lost, whole->lost, sizeof(copy->lost));
	return copy;
}

/* A fragment: 1 when it completed a datagram, which is then decoded into *layers. */
static int put_together(struct front *front, struct layers *layers, struct weir_arena *arena,
			struct item *item, struct layers_tunnels *through)
{
	struct defrag_datagram whole;
	struct layers outer = *layers;
	uint8_t *copy;

	count_kind(front, layers);
	if (defrag_push(front->defrag, layers, front->clock_ns, &whole) != 1) {
		return 0;
	}
	copy = arena_dup(arena, whole.ip, whole.len);
	if (copy == NULL) {
		return 0; /* counted by the arena */
	}
	item->conflict = keep_conflict(&whole, arena);
	layers_decode_ip(copy, whole.len, &outer, front->checksums, layers, through);
	return 1;
}

static inline void note_tunnels(struct front *front, const struct layers_tunnels *through)
{
	if (through->n > 0) {
		tunnels_note(&front->tunnels, through);
	}
}

/* Whatever is not plain. @return whether it is, or completes, a TCP segment */
static __attribute__((noinline)) bool decode_other(struct front *front,
						   const struct weir_packet *packet,
						   struct weir_arena *arena, struct item *ret)
{
	struct layers *layers = &ret->layers;
	struct layers_tunnels through;

	layers_decode_tunnels(packet, front->checksums, layers, &through);
	front->stats.ipv4 += layers->ip_version == 4;
	front->stats.ipv6 += layers->ip_version == 6;
	front->stats.tunnelled += layers->depth > 1;
	while (layers->kind == LAYERS_FRAGMENT) {
		if (!put_together(front, layers, arena, ret, &through)) {
			note_tunnels(front, &through);
			return false;
		}
	}
	note_tunnels(front, &through);
	count_kind(front, layers);
	if (layers->kind != LAYERS_TCP) {
		return false;
	}
	ret->side = (uint8_t)tuple_from_layers(layers, front->vlan_key, &ret->tuple);
	ret->hash = tuple_hash(&ret->tuple, front->seed);
	return true;
}

int front_push(struct front *front, const struct weir_packet *packet, struct weir_arena *arena,
	       struct item *ret)
{
	if (packet->number == 1 && packet->input < front->ninputs) {
		front->input_base[packet->input] = front->index;
	}
	front->index++;
	front->drops += packet->drops;
	tick(front, packet->ts_ns);
	count(front, packet);
	ret->conflict = NULL;
	if (plain_decode(packet, front->checksums, &ret->layers)) {
		front->stats.ipv4++;
		front->stats.kinds[LAYERS_TCP]++;
		ret->side = (uint8_t)tuple_from_plain(&ret->layers, front->seed, &ret->tuple,
						      &ret->hash);
	} else if (!decode_other(front, packet, arena, ret)) {
		return 0;
	}
	ret->shard = (uint8_t)(ret->hash >> 60);
	ret->index = front->index;
	ret->ts_ns = packet->ts_ns;
	ret->clock_ns = front->clock_ns;
	ret->seen_ns = front->jump_ns == packet->ts_ns ? packet->ts_ns : front->clock_ns;
	ret->interface = packet->interface;
	ret->interface_name = packet->interface_name;
	ret->input = packet->input;
	ret->drops = front->drops;
	front->drops = 0;
	return 1;
}

void front_pass_over(struct front *front, const struct weir_packet *next)
{
	uint64_t before;

	if (next->input >= front->ninputs || next->number == 0) {
		return;
	}
	if (front->nbegun <= next->input) {
		front->nbegun = (size_t)next->input + 1;
		front->input_base[next->input] = front->index;
	}
	before = front->input_base[next->input] + next->number - 1;
	if (before > front->index) {
		front->index = before;
	}
}

void front_tick_item(const struct front *front, struct item *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->shard = FRONT_NO_SHARD;
	ret->index = front->index + 1; /* before the next packet */
	ret->clock_ns = front->clock_ns;
}
