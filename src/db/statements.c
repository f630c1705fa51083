/* SPDX-License-Identifier: Apache-2.0 */
/* Prepared statements of a flow: see statements.h. */
#include "db/statements.h"

#include <string.h>

static const struct weir_anomaly statements_limit = {
	"db.statements_limit", "info", NULL,
	"more prepared statements, or longer ones, than are kept: the one used least recently is "
	"forgotten, and its executions have no "
	"text"};

static void forget(struct db *db, struct db_statements *all, struct db_text **at)
{
	struct db_text *text = *at;

	*at = text->next;
	all->n--;
	all->bytes -= text->len;
	weir_host_free(db->host, text, sizeof(*text) + text->len);
}

static struct db_text **find(struct db_statements *all, const void *key, size_t key_len)
{
	struct db_text **at = &all->newest;

	key_len = key_len < DB_KEY_MAX ? key_len : DB_KEY_MAX;
	while (*at != NULL &&
	       ((*at)->key_len != key_len || memcmp((*at)->key, key, key_len) != 0)) {
		at = &(*at)->next;
	}
	return at;
}

void db_statements_remove(struct db *db, struct db_statements *all, const void *key, size_t key_len)
{
	struct db_text **at = find(all, key, key_len);

	if (*at != NULL) {
		forget(db, all, at);
	}
}

struct db_text *db_statements_put(struct db *db, struct db_statements *all, const void *key,
				  size_t key_len, const uint8_t *p, size_t len, uint64_t full_len)
{
	struct db_text *text;

	len = len < db->config->target_limit ? len : db->config->target_limit;
	db_statements_remove(db, all, key, key_len);
	while (all->n >= DB_STATEMENTS_MAX ||
	       (all->n > 0 && all->bytes + len > DB_STATEMENTS_BYTES)) {
		struct db_text **oldest = &all->newest;

		while ((*oldest)->next != NULL) {
			oldest = &(*oldest)->next;
		}
		weir_host_anomaly(db->host, NULL, &statements_limit, WEIR_C2S, db->pos[WEIR_C2S]);
		forget(db, all, oldest);
	}
	text = weir_host_alloc(db->host, sizeof(*text) + len);
	if (text == NULL) {
		return NULL;
	}
	memset(text, 0, sizeof(*text));
	text->key_len = (uint16_t)(key_len < DB_KEY_MAX ? key_len : DB_KEY_MAX);
	memcpy(text->key, key, text->key_len);
	text->full_len = full_len;
	text->len = (uint32_t)len;
	if (len > 0) {
		memcpy(text->text, p, len);
	}
	text->next = all->newest;
	all->newest = text;
	all->n++;
	all->bytes += len;
	return text;
}

struct db_text *db_statements_get(struct db_statements *all, const void *key, size_t key_len)
{
	struct db_text **at = find(all, key, key_len);
	struct db_text *text = *at;

	if (text != NULL) {
		*at = text->next;
		text->next = all->newest;
		all->newest = text;
	}
	return text;
}

void db_statements_clear(struct db *db, struct db_statements *all)
{
	while (all->newest != NULL) {
		forget(db, all, &all->newest);
	}
}
