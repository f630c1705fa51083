/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redis's state in few bytes while the connection is idle (park and unpark of weir/parser.h): as it is, without its zeros, and
 * without what open() sets. Not parked: open exchanges, and values nested beyond REDIS_LEVELS.
 */
#include "parser/redis.h"

#include <string.h>

#include "base/pack.h"

extern const struct weir_parser parser_redis;

size_t redis_park(void *state, struct weir_host *host, void *to, size_t room)
{
	struct redis *redis = state;
	struct redis copy = *redis;
	struct pack pack;

	(void)host;
	if (!db_is_idle(&redis->db) || redis->reading != NULL || redis->answering != NULL ||
	    redis->more != NULL) {
		return 0;
	}
	db_unset(&copy.db);
	pack_to(&pack, to, room);
	pack_sparse(&pack, &copy, sizeof(copy));
	if (pack.failed) {
		return 0;
	}
	return (size_t)(pack.at - (uint8_t *)to);
}

int redis_unpark(void *state, struct weir_host *host, const void *from, size_t len)
{
	struct redis *redis = state, opened;
	struct pack pack;
	int err = parser_redis.open(state, host);

	if (err < 0) {
		return err;
	}
	opened = *redis;
	memset(redis, 0, sizeof(*redis));
	pack_from(&pack, from, len);
	pack_sparse(&pack, redis, sizeof(*redis));
	db_set_again(&redis->db, &opened.db);
	assert(pack.at == pack.end);
	return 0;
}
