/* SPDX-License-Identifier: Apache-2.0 */
/* Which request a response answers: see db.h. */
#include "db/db.h"

#include <assert.h>

static const struct weir_anomaly pending_limit = {
	"db.pending_limit", "low", NULL,
	"more requests without a response than are kept: the oldest goes without"};

static void give_up(struct db *db, struct db_exchange *ex)
{
	if (db->finish != NULL) {
		db->finish(db, ex);
	} else {
		db_finish(db, ex);
	}
}

void db_enqueue(struct db *db, struct db_exchange *ex)
{
	struct db_exchange *last = db->tail;
	uint64_t expect = ex->side[WEIR_C2S].first_ack;

	assert(!ex->queued);
	/* sent with nothing received since the one before it, which has no answer yet */
	if (last != NULL && expect != WEIR_NO_ACK && last->side[WEIR_C2S].first_ack == expect) {
		db->pipelines = true;
	}
	if (db->npending >= db->config->pending_limit) {
		db->s2c_lost = true; /* the next response may be its own */
		weir_host_anomaly(db->host, db->head->rec, &pending_limit, WEIR_C2S,
				  db->head->side[WEIR_C2S].begin);
		give_up(db, db->head);
	}
	ex->gap_at = db->c2s_lost_at;
	db->c2s_lost_at = DB_NOWHERE;
	ex->queued = true;
	ex->next = NULL;
	if (db->head == NULL) {
		db->head = ex;
	} else {
		db->tail->next = ex;
	}
	db->tail = ex;
	db->npending++;
	if (!db->ticking) {
		db->ticking = true;
		weir_host_tick(db->host, db->config->tick_ns);
	}
}

void db_moved(struct db *db, enum weir_direction dir, uint64_t pos)
{
	db->any[dir] = true;
	if (pos > db->pos[dir]) {
		db->pos[dir] = pos;
		if (dir == WEIR_C2S) {
			db->dark = false;
		}
	}
}

bool db_must_hold(struct db *db, const struct weir_mark *mark, size_t left)
{
	uint64_t c2s = db->pos[WEIR_C2S];
	int64_t limit_ns;

	if (mark->peer_ack == WEIR_NO_ACK || c2s >= mark->peer_ack || db->closed[WEIR_C2S] ||
	    db->dark) {
		return false;
	}
	limit_ns = db->any[WEIR_C2S] ? db->config->hole_age_ns : db->config->hole_age_oneway_ns;
	if (left >= DB_HOLD_LIMIT || weir_host_now(db->host) - mark->ts_ns > limit_ns) {
		db->dark = true;     /* until c2s moves again */
		db->s2c_lost = true; /* what is answered now is not known: order says nothing */
		return false;
	}
	return true;
}

/* Could a response that begins at x be its own? */
static bool is_possible(const struct db_exchange *ex, uint64_t x, uint64_t ack)
{
	const struct db_message *request = &ex->side[WEIR_C2S];

	return (request->first_ack == WEIR_NO_ACK || request->first_ack <= x) &&
	       (ack == WEIR_NO_ACK || request->begin < ack);
}

static bool is_expected(const struct db_exchange *ex, uint64_t x)
{
	return ex->side[WEIR_C2S].first_ack == x;
}

/* Nothing of s2c is lost since the oldest request: that one is answered. */
static enum db_pairing judge(const struct db *db, const struct db_exchange *ex, uint64_t x,
			     uint64_t ack)
{
	if (db->s2c_lost || ex->gap_at != DB_NOWHERE) {
		return is_expected(ex, x) && !db->pipelines ? DB_PAIRING_EXACT
							    : DB_PAIRING_UNCERTAIN;
	}
	if (is_expected(ex, x)) {
		return DB_PAIRING_EXACT;
	}
	return ack != WEIR_NO_ACK && (ex->next == NULL || ex->next->side[WEIR_C2S].begin >= ack) &&
			       db->c2s_lost_at >= ack
		       ? DB_PAIRING_EXACT
		       : DB_PAIRING_ORDER;
}

/*
 * A client that waits for each answer, and a response that begins where none was expected: its beginning is lost, or its request is. It
 * lies in the stretch of the last one that the server had.
 */
static struct db_exchange *choose_in_stretch(struct db *db, uint64_t x, uint64_t ack)
{
	struct db_exchange *found = db->head;
	struct db_exchange *ex;

	for (ex = found; ex != NULL && is_possible(ex, x, ack); ex = ex->next) {
		found = ex;
	}
	if (found->side[WEIR_S2C].begun) {
		return found;
	}
	if (!is_expected(found, x) && found->side[WEIR_C2S].first_ack != WEIR_NO_ACK) {
		/* had the server a request that we have not? */
		if ((found->next == NULL ? db->c2s_lost_at : found->next->gap_at) < ack) {
			return NULL;
		}
		db_missing(found, WEIR_S2C, x - found->side[WEIR_C2S].first_ack);
	}
	while (db->head != found) {
		give_up(db, db->head);
	}
	return found;
}

struct db_exchange *db_choose(struct db *db, uint64_t x, uint64_t ack)
{
	struct db_exchange *found = db->head;

	if (found == NULL || !is_possible(found, x, ack)) {
		return NULL;
	}
	if (found->side[WEIR_S2C].begun && !db->s2c_lost) {
		return found;
	}
	if (!db->pipelines && (db->s2c_lost || !is_expected(found, x))) {
		found = choose_in_stretch(db, x, ack);
	}
	if (found == NULL || found->side[WEIR_S2C].begun) {
		return found;
	}
	found->pairing = (uint8_t)judge(db, found, x, ack);
	if (found->pairing == DB_PAIRING_EXACT) {
		db->s2c_lost = false;
	}
	return found;
}

uint64_t db_resync(struct db *db, uint64_t from, uint64_t to, uint64_t ack)
{
	struct db_exchange *ex;
	struct db_exchange *found = NULL;

	for (ex = db->head; ex != NULL; ex = ex->next) {
		uint64_t expect = ex->side[WEIR_C2S].first_ack;

		if (expect == WEIR_NO_ACK || expect >= to || !is_possible(ex, to, ack)) {
			break;
		}
		/* the first of those that follow: of several with the same place, too */
		if (expect >= from && !ex->side[WEIR_S2C].begun) {
			found = ex;
			break;
		}
	}
	if (found == NULL) {
		return DB_NOWHERE;
	}
	while (db->head != found) {
		give_up(db, db->head);
	}
	return found->side[WEIR_C2S].first_ack;
}

void db_gap(struct db *db, enum weir_direction dir, uint64_t offset, uint64_t length)
{
	if (dir == WEIR_S2C) {
		db->s2c_lost = true;
	} else if (offset < db->c2s_lost_at) {
		db->c2s_lost_at = offset;
	}
	db_moved(db, dir, offset + length);
}

void db_close(struct db *db, enum weir_direction dir, enum weir_close how)
{
	int by;

	db->closed[dir] = true;
	db->ended[dir] = how == WEIR_CLOSE_FIN || how == WEIR_CLOSE_RST;
	db->timed_out |= how == WEIR_CLOSE_TIMEOUT;
	if (how == WEIR_CLOSE_RST && db->reset_by == 0) {
		by = weir_host_reset_by(db->host);
		db->reset_by = by < 0 ? 0 : (uint8_t)(1 + by);
	}
}
