/* SPDX-License-Identifier: Apache-2.0 */
/* Items as they go from thread to thread: see parcel.h. */
#include "engine/parcel.h"

#include <stddef.h>
#include <string.h>

/* @return its number; PARCEL_SOURCES: there are too many */
static unsigned find_source(struct parcel_base *base, const struct item *item)
{
	const struct parcel_source own = {item->interface_name, item->interface, item->input};
	unsigned i;

	for (i = 0; i < base->nsources; i++) {
		const struct parcel_source *source = &base->sources[i];

		if (source->name == own.name && source->interface == own.interface &&
		    source->input == own.input) {
			return i;
		}
	}
	if (i < PARCEL_SOURCES) {
		base->sources[base->nsources++] = own;
	}
	return i;
}

static inline bool is_of_source(const struct parcel_base *base, const struct item *item)
{
	const struct parcel_source *source = &base->sources[base->source];

	return base->nsources > 0 && source->name == item->interface_name &&
	       source->interface == item->interface && source->input == item->input;
}

/* Does the parcel say all that a shard will ask? */
static inline bool fits(const struct item *item)
{
	const struct layers *l = &item->layers;

	return l->ip_version == 4 &&
	       (l->has_vlan | l->has_mss | l->has_wscale | l->sack_permitted | l->has_tfo |
		l->nsack) == 0 &&
	       (item->tuple.tunnel_id | item->tuple.vlan_id) == 0 &&
	       l->payload_len == l->payload_caplen && l->payload_len <= UINT16_MAX &&
	       item->conflict == NULL && item->seen_ns == item->clock_ns &&
	       item->moment < PARCEL_MOMENTS;
}

bool parcel_pack(struct parcel_base *base, const struct item *item, struct parcel *ret)
{
	const struct layers *l = &item->layers;
	int64_t payload = (int64_t)((uintptr_t)l->payload - (uintptr_t)base->origin);
	uint64_t index = item->index - base->index;

	if (!fits(item) || payload != (int32_t)payload || index > UINT32_MAX) {
		return false;
	}
	if (!is_of_source(base, item)) {
		unsigned source = find_source(base, item);

		if (source == PARCEL_SOURCES) {
			return false;
		}
		base->source = source;
	}
	ret->hash = item->hash;
	ret->ts_ns = item->ts_ns;
	memcpy(&ret->address[0], item->tuple.address[0], sizeof(ret->address[0]));
	memcpy(&ret->address[1], item->tuple.address[1], sizeof(ret->address[1]));
	memcpy(ret->port, item->tuple.port, sizeof(ret->port));
	ret->seq = l->seq;
	ret->ack = l->ack;
	ret->tsval = l->tsval;
	ret->tsecr = l->tsecr;
	ret->payload = (int32_t)payload;
	ret->index = (uint32_t)index;
	ret->moment = (uint16_t)item->moment;
	ret->payload_len = (uint16_t)l->payload_len;
	ret->payload_sum = l->payload_sum;
	ret->window = l->window;
	ret->flags = l->flags;
	ret->header_len = l->header_len;
	ret->source = (uint8_t)base->source;
	ret->checksum = l->checksum & 3;
	ret->side = item->side & 1;
	ret->has_ts = l->has_ts & 1;
	ret->is_late = item->ts_ns != item->clock_ns;
	ret->is_whole = false;
	return true;
}

void parcel_pack_whole(const struct item *item, struct parcel *ret)
{
	ret->hash = item->hash;
	ret->whole = item;
	ret->is_whole = true;
}

enum { IP_PROTOCOL_TCP = 6 };

void parcel_room(struct item *room)
{
	memset(room, 0, sizeof(*room));
	room->layers.kind = LAYERS_TCP;
	room->layers.ip_version = 4;
	room->layers.protocol = IP_PROTOCOL_TCP;
	room->layers.depth = 1;
	room->tuple.ip_version = 4;
}

/* In words, as they will be loaded: narrower stores are not forwarded to wider loads. */
static inline void open_tuple(const struct parcel *parcel, struct tuple *tuple)
{
	uint64_t a = 0, b = 0, ports = 0;

	memcpy(&a, &parcel->address[0], sizeof(parcel->address[0]));
	memcpy(&b, &parcel->address[1], sizeof(parcel->address[1]));
	memcpy(&ports, parcel->port, sizeof(parcel->port));
	memcpy(tuple->address[0], &a, sizeof(a));
	memcpy(tuple->address[1], &b, sizeof(b));
	memcpy((uint8_t *)tuple + offsetof(struct tuple, port), &ports, sizeof(ports));
}

const struct item *parcel_open(const struct parcel *parcel, const struct parcel_base *base,
			       const struct item_moment *moments, struct item *room)
{
	const struct parcel_source *source;
	struct layers *l = &room->layers;

	if (parcel->is_whole) {
		return parcel->whole;
	}
	source = &base->sources[parcel->source];
	l->checksum = parcel->checksum;
	l->sport = parcel->port[parcel->side];
	l->dport = parcel->port[!parcel->side];
	l->seq = parcel->seq;
	l->ack = parcel->ack;
	l->window = parcel->window;
	l->flags = parcel->flags;
	l->header_len = parcel->header_len;
	l->payload = parcel_payload(parcel, base);
	l->payload_len = parcel->payload_len;
	l->payload_caplen = parcel->payload_len;
	l->payload_sum = parcel->payload_sum;
	l->has_ts = parcel->has_ts;
	l->tsval = parcel->tsval;
	l->tsecr = parcel->tsecr;
	open_tuple(parcel, &room->tuple);
	room->hash = parcel->hash;
	room->index = base->index + parcel->index;
	room->ts_ns = parcel->ts_ns;
	room->clock_ns = parcel->is_late ? moments[parcel->moment].clock_ns : parcel->ts_ns;
	room->seen_ns = room->clock_ns;
	room->interface_name = source->name;
	room->interface = source->interface;
	room->input = source->input;
	room->side = parcel->side;
	room->shard = (uint8_t)(parcel->hash >> 60);
	room->moment = parcel->moment;
	return room;
}
