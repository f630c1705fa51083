/* SPDX-License-Identifier: Apache-2.0 */
/* SYNs that stand for flows: see lone_syn.h. */
#include "engine/lone_syn.h"

#include <string.h>

#include "engine/engine.h"
#include "engine/shard.h"

unsigned lone_place(struct shard *shard, const struct lone_place *place)
{
	unsigned i;

	for (i = 0; i < shard->nplaces; i++) {
		const struct lone_place *known = &shard->places[i];

		if (known->interface == place->interface && known->input == place->input &&
		    known->interface_name == place->interface_name) {
			return i;
		}
	}
	if (i < LONE_PLACES) {
		shard->places[i] = *place;
		shard->nplaces++;
	}
	return i;
}

/* All that is kept of it is all there is to it. */
static bool is_lone(const struct item *item)
{
	const struct layers *l = &item->layers;

	return l->flags == LAYERS_SYN && l->payload_len == 0 && l->ip_version == 4 &&
	       tuple_is_short(&item->tuple) && !l->has_vlan && l->wscale <= 14 && !l->has_tfo &&
	       l->nsack == 0 && l->ack == 0 && l->tsecr == 0 && item->conflict == NULL &&
	       item->ts_ns == item->clock_ns && item->seen_ns == item->clock_ns &&
	       (l->checksum == LAYERS_CHECKSUM_GOOD || l->checksum == LAYERS_CHECKSUM_UNKNOWN) &&
	       item->index >> 48 == 0;
}

bool lone_syn_keep(struct shard *shard, const struct item *item)
{
	const struct lone_place from = {item->interface_name, item->interface, item->input};
	const struct layers *l = &item->layers;
	struct lone_syn *syn;
	unsigned place;
	uint32_t number;

	if (!is_lone(item) || (place = lone_place(shard, &from)) == LONE_PLACES) {
		return false;
	}
	number = slots_take(&shard->slots, PARK_SYNS, sizeof(*syn));
	if (number == SLOT_NONE) {
		return false;
	}
	if (flow_table_insert(shard->table, item->hash, SHARD_PARKED | number) < 0) {
		slots_give(&shard->slots, number);
		return false;
	}
	syn = (struct lone_syn *)(void *)slots_at(&shard->slots, number);
	memset(syn, 0, sizeof(*syn));
	syn->packet = item->index & ((UINT64_C(1) << 48) - 1);
	syn->place = place & (LONE_PLACES - 1);
	syn->wscale = l->wscale & 15;
	syn->has_wscale = l->has_wscale & 1;
	syn->has_ts = l->has_ts & 1;
	syn->has_mss = l->has_mss & 1;
	syn->side = item->side & 1;
	syn->good = l->checksum == LAYERS_CHECKSUM_GOOD;
	syn->sack = l->sack_permitted & 1;
	syn->ts_ns = item->ts_ns;
	tuple_to_short(&item->tuple, &syn->key);
	syn->seq = l->seq;
	syn->tsval = l->tsval;
	syn->window = l->window;
	syn->mss = l->mss;
	shard_enlist_syn(shard, SHARD_PARKED | number);
	return true;
}

void lone_syn_item(const struct shard *shard, const struct lone_syn *syn, struct item *ret)
{
	const struct lone_place *place = &shard->places[syn->place];
	struct layers *l = &ret->layers;

	memset(ret, 0, sizeof(*ret));
	tuple_from_short(&syn->key, &ret->tuple);
	l->kind = LAYERS_TCP;
	l->ip_version = 4;
	l->protocol = 6;
	l->checksum = syn->good ? LAYERS_CHECKSUM_GOOD : LAYERS_CHECKSUM_UNKNOWN;
	memcpy(l->src, ret->tuple.address[syn->side], sizeof(l->src));
	memcpy(l->dst, ret->tuple.address[!syn->side], sizeof(l->dst));
	l->sport = ret->tuple.port[syn->side];
	l->dport = ret->tuple.port[!syn->side];
	l->seq = syn->seq;
	l->flags = LAYERS_SYN;
	l->window = syn->window;
	l->has_ts = syn->has_ts;
	l->tsval = syn->tsval;
	l->has_mss = syn->has_mss;
	l->mss = syn->mss;
	l->has_wscale = syn->has_wscale;
	l->wscale = syn->wscale;
	l->sack_permitted = syn->sack;
	ret->hash = tuple_hash(&ret->tuple, shard->engine->options.seed);
	ret->index = syn->packet;
	ret->ts_ns = syn->ts_ns;
	ret->clock_ns = syn->ts_ns;
	ret->seen_ns = syn->ts_ns;
	ret->interface_name = place->interface_name;
	ret->interface = place->interface;
	ret->input = place->input;
	ret->side = syn->side;
	ret->shard = (uint8_t)shard->number;
}
