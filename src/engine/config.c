/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults: memory and times of REASSEMBLY.md's table, limits of PROTOCOLS.md. And what depends on a flow's addresses. */
#include "weir/config.h"

#include <string.h>

#include "base/time.h"
#include "engine/engine.h"

void weir_config_init(struct weir_config *config)
{
	memset(config, 0, sizeof(*config));
	config->memory = (size_t)512 << 20;
	config->checksums = WEIR_CHECKSUM_AUTO;
	config->bodies = WEIR_BODIES_SIZE;
	config->redact = WEIR_REDACT_DEFAULT;
	config->body_limit = 64 << 10;
	config->half_open_ns = 30 * NS_PER_S;
	config->established_ns = 300 * NS_PER_S;
	config->closing_ns = 60 * NS_PER_S;
	config->reset_grace_ns = 100 * NS_PER_MS;
	config->tombstone_ns = 3 * NS_PER_S;
	config->fragment_ns = 30 * NS_PER_S;
	config->hole_age_ns = 2 * NS_PER_S;
	config->hole_age_oneway_ns = 200 * NS_PER_MS;
	config->hole_acked_ns = 20 * NS_PER_MS;
	config->hole_acked_packets = 3;
	config->hole_acked_min_ns = NS_PER_MS;
	config->hole_limit = 1 << 20;
	config->hole_intervals = 1024;
	config->flows_at_hand = 65536;
	config->hole_oneway_limit = 64 << 10;
	config->jump_ns = 60 * NS_PER_S;
	config->tick_ns = 10 * NS_PER_S;
	config->head_limit = 256 << 10;
	config->header_limit = 1024;
	config->target_limit = 8 << 10;
	config->value_limit = 4 << 10;
	config->pending_limit = 512;
}

bool engine_policies_are_valid(const struct weir_config *config)
{
	size_t i;

	if (config->overlap > WEIR_OVERLAP_SOLARIS || config->deliver > WEIR_DELIVER_ACKED ||
	    (config->noverlap_rules > 0 && config->overlap_rules == NULL)) {
		return false;
	}
	for (i = 0; i < config->noverlap_rules; i++) {
		const struct weir_overlap_rule *rule = &config->overlap_rules[i];

		if (rule->policy > WEIR_OVERLAP_SOLARIS ||
		    !(rule->ip_version == 4 ? rule->prefix <= 32
					    : rule->ip_version == 6 && rule->prefix <= 128)) {
			return false;
		}
	}
	return true;
}

static bool is_in_subnet(const uint8_t *address, const struct weir_overlap_rule *rule)
{
	unsigned whole = rule->prefix / 8, rest = rule->prefix % 8;

	return memcmp(address, rule->address, whole) == 0 &&
	       (rest == 0 || (address[whole] ^ rule->address[whole]) >> (8 - rest) == 0);
}

/* The policy of the host that receives. */
static enum weir_overlap_policy overlap_of(const struct weir_config *config, const uint8_t *address,
					   uint8_t ip_version)
{
	enum weir_overlap_policy policy = config->overlap;
	int longest = -1;
	size_t i;

	for (i = 0; i < config->noverlap_rules; i++) {
		const struct weir_overlap_rule *rule = &config->overlap_rules[i];

		if (rule->ip_version == ip_version && rule->prefix >= longest &&
		    is_in_subnet(address, rule)) {
			longest = rule->prefix;
			policy = (enum weir_overlap_policy)rule->policy;
		}
	}
	return policy;
}

void engine_apply_policies(const struct weir_config *config, struct flow *flow)
{
	int side;

	for (side = 0; side < 2; side++) {
		flow->half[side].hold = config->deliver == WEIR_DELIVER_ACKED;
		flow->half[side].policy = (uint8_t)overlap_of(config, flow->tuple.address[!side],
							      flow->tuple.ip_version);
	}
}
