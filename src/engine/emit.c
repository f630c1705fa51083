/* SPDX-License-Identifier: Apache-2.0 */
/* Records of an engine, from the common fields to the hand that takes them: see engine.h. */
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "engine/engine.h"
#include "engine/oddity.h"
#include "record/anomaly_fields.h"
#include "record/community.h"
#include "record/record.h"
#include "record/redact.h"

void flow_info(const struct flow *flow, struct weir_flow_info *ret)
{
	uint8_t client = flow->tcp.client;
	uint64_t first[2] = {flow->first_packet, (uint64_t)flow->first_ts_ns};

	memset(ret, 0, sizeof(*ret));
	memcpy(ret->client.address, flow->tuple.address[client], 16);
	memcpy(ret->server.address, flow->tuple.address[!client], 16);
	ret->client.port = flow->tuple.port[client];
	ret->server.port = flow->tuple.port[!client];
	ret->ip_version = flow->tuple.ip_version;
	ret->has_vlan = flow->has_vlan;
	ret->vlan_id = flow->vlan_id;
	ret->interface = flow->interface;
	ret->input = flow->input;
	ret->tunnel_id = flow->tuple.tunnel_id;
	ret->first_packet = flow->first_packet;
	ret->first_ts_ns = flow->first_ts_ns;
	/* not the table's hash: that one may be seeded at random */
	ret->hash = XXH3_64bits_withSeed(first, sizeof(first),
					 XXH3_64bits(&flow->tuple, sizeof(flow->tuple)));
}

static struct engine_info *known_info(struct engine *engine, const struct flow *flow)
{
	struct engine_info *known = &engine->infos[flow->first_packet % ENGINE_INFOS];

	if (known->info.first_packet != flow->first_packet || known->client != flow->tcp.client ||
	    known->info.has_vlan != flow->has_vlan) {
		flow_info(flow, &known->info);
		known->client = flow->tcp.client;
		known->has_flow_id = false;
		known->has_community = false;
	}
	return known;
}

const struct weir_flow_info *engine_info(struct engine *engine, const struct flow *flow)
{
	return &known_info(engine, flow)->info;
}

#define BIT(field) (UINT64_C(1) << (field))

_Static_assert(WEIR_NCOMMON <= 64, "the common fields are in the first word of the sets");

static void fill_addresses(struct weir_record *rec, const struct weir_flow_info *info)
{
	static const uint64_t ours = BIT(WEIR_F_NETWORK_TYPE) | BIT(WEIR_F_CLIENT_ADDRESS) |
				     BIT(WEIR_F_SERVER_ADDRESS) | BIT(WEIR_F_CLIENT_PORT) |
				     BIT(WEIR_F_SERVER_PORT) | BIT(WEIR_F_NETWORK_VLAN_ID);
	size_t len = info->ip_version == 4 ? 4 : 16;
	struct record_filling filling = record_begin(rec);
	uint8_t *addresses;

	if ((filling.wanted[0] & ours) == 0) {
		return;
	}
	record_fill_static(&filling, WEIR_F_NETWORK_TYPE, info->ip_version == 4 ? "ipv4" : "ipv6");
	addresses = arena_bytes(rec->arena, 32);
	if (addresses != NULL) {
		memcpy(addresses, info->client.address, 16);
		memcpy(addresses + 16, info->server.address, 16);
		record_fill_bytes(&filling, WEIR_F_CLIENT_ADDRESS, addresses, len);
		record_fill_bytes(&filling, WEIR_F_SERVER_ADDRESS, addresses + 16, len);
	}
	record_fill_u64(&filling, WEIR_F_CLIENT_PORT, info->client.port);
	record_fill_u64(&filling, WEIR_F_SERVER_PORT, info->server.port);
	if (info->has_vlan) {
		record_fill_u64(&filling, WEIR_F_NETWORK_VLAN_ID, info->vlan_id);
	}
	record_end(rec, &filling);
}

static void set_community(struct engine *engine, struct weir_record *rec, struct engine_info *known)
{
	if (!known->has_community) {
		/* made when it is first wanted: the hash function behind it takes a millisecond to set up */
		if (engine->community == NULL &&
		    record_community_new(&engine->budget, &engine->community) < 0) {
			return;
		}
		if (record_community_id(engine->community, &known->info, known->community) < 0) {
			return;
		}
		known->has_community = true;
	}
	weir_record_set_bytes(rec, WEIR_F_NETWORK_COMMUNITY_ID, known->community,
			      sizeof(known->community), sizeof(known->community));
}

static void set_flow_id(struct weir_record *rec, struct engine_info *known)
{
	if (!known->has_flow_id) {
		weir_flow_id(&known->info, known->info.first_ts_ns, 0, known->flow_id);
		known->has_flow_id = true;
	}
	weir_record_set_bytes(rec, WEIR_F_FLOW_ID, known->flow_id, sizeof(known->flow_id),
			      sizeof(known->flow_id));
}

struct weir_record *engine_record(struct engine *engine, struct flow *flow,
				  const struct weir_schema *schema, int64_t ts_ns)
{
	struct engine_info *known = known_info(engine, flow);
	size_t which = engine_schema_index(engine, schema);
	struct weir_record *rec;
	char *id;

	/* a tap's own records take no number: ids are the same with and without the tap */
	if (!engine_is_of_tap(engine, schema)) {
		flow->nrecords++;
	}
	if (record_new(&flow->shard->arenas, schema, &rec) < 0) {
		engine->stats.records_no_memory++;
		return NULL;
	}
	rec->wanted = which < ENGINE_MAX_SCHEMAS ? engine->wanted[which] : NULL;
	rec->flow = &known->info;
	weir_record_set_i64(rec, WEIR_F_TS, ts_ns);
	if (weir_record_wants(rec, WEIR_F_ID)) {
		id = arena_bytes(rec->arena, WEIR_ID_LEN);
		if (id != NULL) {
			weir_flow_id(&known->info, ts_ns, flow->nrecords, id);
			record_set_own(rec, WEIR_F_ID, (const uint8_t *)id, WEIR_ID_LEN);
		}
	}
	if (weir_record_wants(rec, WEIR_F_FLOW_ID)) {
		set_flow_id(rec, known);
	}
	return rec;
}

/* Packet numbers are per input for people, and run-wide inside. */
static void localise_packet(const struct engine *engine, struct weir_record *rec, size_t field)
{
	uint64_t number;
	size_t low = 0, high = engine->options.ninputs;

	if (!weir_record_has(rec, field) || engine->options.ninputs < 2) {
		return;
	}
	number = rec->values[field].v.u64;
	while (high - low > 1) {
		size_t mid = (low + high) / 2;

		/* inputs that have not begun have base 0 */
		if ((mid == 0 || engine->options.input_base[mid] > 0) &&
		    engine->options.input_base[mid] < number) {
			low = mid;
		} else {
			high = mid;
		}
	}
	rec->values[field].v.u64 = number - engine->options.input_base[low];
}

static void redact(const struct engine *engine, struct weir_record *rec, size_t which)
{
	const struct weir_config *config = engine->options.config;
	struct redact_key key = {config->redact_key, config->redact_key_len};

	if (which < ENGINE_MAX_SCHEMAS) {
		redact_fields(rec, &engine->secret[which], config->redact, &key);
	} else {
		redact_record(rec, config->redact, &key);
	}
}

void engine_emit(struct engine *engine, struct flow *flow, struct weir_record *rec)
{
	struct engine_info *known = known_info(engine, flow);
	bool interim = weir_record_has(rec, WEIR_F_FINAL) && rec->values[WEIR_F_FINAL].v.u64 == 0;
	size_t which = engine_schema_index(engine, rec->schema);

	if (flow->ignored != FLOW_WANTED) {
		return;
	}
	rec->flow = &known->info;
	if (flow->oddities != NULL) {
		oddity_name(flow, rec);
	}
	fill_addresses(rec, &known->info);
	if (weir_record_wants(rec, WEIR_F_NETWORK_COMMUNITY_ID)) {
		set_community(engine, rec, known);
	}
	if (flow->interface_name != NULL) {
		weir_record_set_str(rec, WEIR_F_CAPTURE_INTERFACE, flow->interface_name);
	}
	localise_packet(engine, rec, WEIR_F_PACKET_FIRST);
	localise_packet(engine, rec, WEIR_F_PACKET_LAST);
	if (rec->schema == &record_anomaly_schema) {
		localise_packet(engine, rec, ANOMALY_F_PACKET);
	}
	if (which >= ENGINE_MAX_SCHEMAS ||
	    (rec->present[0] & engine->secret[which].fields[0]) != 0 ||
	    (rec->present[1] & engine->secret[which].fields[1]) != 0) {
		redact(engine, rec, which);
	}
	rec->key.packet = engine->now.packet;
	rec->key.by_packet = engine->now.by_packet;
	rec->key.deadline_ns = engine->now.deadline_ns;
	/* by a packet: all are of one shard, and their order is that of emission */
	rec->key.first_packet = engine->now.by_packet ? 0 : flow->first_packet;
	rec->key.index = flow->nemitted++;
	if (interim) {
		engine->stats.interim++;
	} else {
		engine->stats.records[which]++;
	}
	if (engine->options.record != NULL) {
		engine->options.record(engine->options.context, rec);
	}
}
