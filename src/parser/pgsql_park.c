/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL's state in few bytes while the connection is idle (park and unpark of weir/parser.h): as it is, without its zeros, and
 * without what open() sets. Its prepared statements follow. Not parked: open exchanges.
 */
#include "parser/pgsql.h"

#include <string.h>

#include "base/pack.h"

extern const struct weir_parser parser_pgsql;

size_t pgsql_park(void *state, struct weir_host *host, void *to, size_t room)
{
	struct pg *pg = state;
	struct pg copy = *pg;
	struct pack pack;

	(void)host;
	if (!db_is_idle(&pg->db) || pg->building != NULL || pg->last != NULL ||
	    pg->orphan != NULL) {
		return 0;
	}
	db_unset(&copy.db);
	memset(&copy.statements, 0, sizeof(copy.statements));
	pack_to(&pack, to, room);
	pack_sparse(&pack, &copy, sizeof(copy));
	db_statements_pack(&pack, &pg->db, &pg->statements);
	if (pack.failed) {
		return 0;
	}
	db_statements_clear(&pg->db, &pg->statements);
	return (size_t)(pack.at - (uint8_t *)to);
}

int pgsql_unpark(void *state, struct weir_host *host, const void *from, size_t len)
{
	struct pg *pg = state, opened;
	struct pack pack;
	int err = parser_pgsql.open(state, host);

	if (err < 0) {
		return err;
	}
	opened = *pg;
	memset(pg, 0, sizeof(*pg));
	pack_from(&pack, from, len);
	pack_sparse(&pack, pg, sizeof(*pg));
	db_set_again(&pg->db, &opened.db);
	db_statements_pack(&pack, &pg->db, &pg->statements);
	assert(pack.at == pack.end);
	return 0;
}
