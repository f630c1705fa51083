/* SPDX-License-Identifier: Apache-2.0 */
/* What the parsers of databases share when the state of an idle connection waits in few bytes: see db.h and statements.h. */
#include <string.h>

#include "base/pack.h"
#include "db/statements.h"

void db_unset(struct db *db)
{
	/* `system` is a constant, and not always that of open() */
	db->host = NULL;
	db->config = NULL;
	db->schema = NULL;
	db->finish = NULL;
}

void db_set_again(struct db *db, const struct db *opened)
{
	db->host = opened->host;
	db->config = opened->config;
	db->schema = opened->schema;
	db->finish = opened->finish;
}

static void write_statements(struct pack *pack, const struct db_statements *all)
{
	const struct db_text *text;

	(void)pack_u64(pack, all->n);
	for (text = all->newest; text != NULL && !pack->failed; text = text->next) {
		struct db_text head = *text;

		head.next = NULL;
		pack_sparse(pack, &head, sizeof(head));
		pack_bytes(pack, (void *)(uintptr_t)text->text, text->len);
	}
}

void db_statements_pack(struct pack *pack, struct db *db, struct db_statements *all)
{
	struct db_text **last = &all->newest;
	uint64_t n;

	if (!pack->reading) {
		write_statements(pack, all);
		return;
	}
	for (n = pack_u64(pack, 0); n > 0; n--) {
		struct db_text head = {0}, *text;

		pack_sparse(pack, &head, sizeof(head));
		text = weir_host_alloc(db->host, sizeof(*text) + head.len);
		if (text == NULL) {
			pack->at += head.len;
			continue;
		}
		*text = head;
		pack_bytes(pack, text->text, head.len);
		*last = text;
		last = &text->next;
		all->n++;
		all->bytes += head.len;
	}
}
