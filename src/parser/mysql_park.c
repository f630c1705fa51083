/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MySQL's state in few bytes while the connection is idle (park and unpark of weir/parser.h): as it is, without its zeros, and
 * without what open() sets. Its prepared statements follow. Not parked: open exchanges, frames on their way.
 */
#include "parser/mysql.h"

#include <string.h>

#include "base/pack.h"

static bool is_busy(const struct mysql *my)
{
	int dir;

	for (dir = 0; dir < 2; dir++) {
		const struct my_side *side = &my->side[dir];

		if (side->coding != NULL || side->inner_len > 0 || side->holding) {
			return true;
		}
	}
	return !db_is_idle(&my->db) || my->last != NULL || my->answering != NULL;
}

static void free_inner(struct mysql *my, enum weir_direction dir)
{
	if (my->side[dir].inner != NULL) {
		weir_host_free(my->db.host, my->side[dir].inner, MY_INNER_MAX);
	}
}

extern const struct weir_parser parser_mysql;

size_t mysql_park(void *state, struct weir_host *host, void *to, size_t room)
{
	struct mysql *my = state;
	struct mysql copy = *my;
	struct pack pack;

	(void)host;
	if (is_busy(my)) {
		return 0;
	}
	db_unset(&copy.db);
	memset(&copy.statements, 0, sizeof(copy.statements));
	copy.side[WEIR_C2S].inner = NULL; /* made again when there is something in it */
	copy.side[WEIR_S2C].inner = NULL;
	memset(&copy.memory, 0, sizeof(copy.memory));
	pack_to(&pack, to, room);
	pack_sparse(&pack, &copy, sizeof(copy));
	db_statements_pack(&pack, &my->db, &my->statements);
	if (pack.failed) {
		return 0;
	}
	db_statements_clear(&my->db, &my->statements);
	free_inner(my, WEIR_C2S);
	free_inner(my, WEIR_S2C);
	return (size_t)(pack.at - (uint8_t *)to);
}

int mysql_unpark(void *state, struct weir_host *host, const void *from, size_t len)
{
	struct mysql *my = state, opened;
	struct pack pack;
	int err = parser_mysql.open(state, host);

	if (err < 0) {
		return err;
	}
	opened = *my;
	memset(my, 0, sizeof(*my));
	pack_from(&pack, from, len);
	pack_sparse(&pack, my, sizeof(*my));
	db_set_again(&my->db, &opened.db);
	db_statements_pack(&pack, &my->db, &my->statements);
	assert(pack.at == pack.end);
	return 0;
}
