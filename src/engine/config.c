/* SPDX-License-Identifier: Apache-2.0 */
/* Defaults: memory and times of REASSEMBLY.md's table, limits of PROTOCOLS.md. */
#include "weir/config.h"

#include <string.h>

#include "base/time.h"

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
	config->hole_oneway_limit = 64 << 10;
	config->jump_ns = 60 * NS_PER_S;
	config->tick_ns = 10 * NS_PER_S;
	config->head_limit = 256 << 10;
	config->header_limit = 1024;
	config->target_limit = 8 << 10;
	config->value_limit = 4 << 10;
	config->pending_limit = 512;
}
