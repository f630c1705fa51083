/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Redis (RESP2, RESP3, inline commands): the parser as the engine sees it, and how its traffic is told from others'.
 *
 * Each direction is a machine of its own (enum redis_step); they meet where a reply begins (redis_exchange.c). Both begin LOST, because
 * a flow may be seen from its middle on: a command is believed where a segment begins with one, a reply where it is proved to
 * begin. Each hole is told (redis.gap); within a string of known length it is counted and nothing else is lost.
 *
 * Not done: what follows SYNC and PSYNC (the dump and the stream of commands to a replica) is passed by.
 */
#include "parser/redis.h"

#include "parser/probe.h"

#include <string.h>

static int redis_open(void *state, struct weir_host *host)
{
	struct redis *redis = state;

	db_init(&redis->db, host, &redis_schema, "redis");
	redis->side[WEIR_C2S].step = REDIS_LOST;
	redis->side[WEIR_S2C].step = REDIS_LOST;
	redis->inlines = true;
	redis->last_expect = WEIR_NO_ACK;
	return 0;
}

static void note_acks(const struct redis_cursor *cur)
{
	const struct weir_chunk *chunk = cur->chunk;
	uint64_t end = redis_offset(cur, cur->p);
	size_t i;

	for (i = 0; i < chunk->nmarks && chunk->marks[i].offset < end; i++) {
		if (chunk->marks[i].peer_ack != WEIR_NO_ACK &&
		    chunk->marks[i].peer_ack > cur->redis->s2c_ack) {
			cur->redis->s2c_ack = chunk->marks[i].peer_ack;
		}
	}
}

static enum weir_verdict redis_on_data(void *state, struct weir_host *host, enum weir_direction dir,
				       const struct weir_chunk *chunk, struct weir_consumed *ret)
{
	struct redis *redis = state;
	struct redis_cursor cur = {.redis = redis,
				   .dir = dir,
				   .side = &redis->side[dir],
				   .chunk = chunk,
				   .p = chunk->data,
				   .end = chunk->data + chunk->len};
	int verdict = REDIS_GO;

	(void)host;
	while (cur.p < cur.end && verdict == REDIS_GO) {
		verdict = dir == WEIR_C2S ? redis_command_step(&cur) : redis_reply_step(&cur);
	}
	/* replies do not wait for what might become a command */
	db_moved(&redis->db, dir, redis_offset(&cur, dir == WEIR_C2S ? cur.end : cur.p));
	if (dir == WEIR_S2C) {
		note_acks(&cur);
	}
	ret->consumed = (size_t)(cur.p - chunk->data);
	return verdict == REDIS_GO ? WEIR_PARSE_OK : (enum weir_verdict)verdict;
}

/* A hole, of which the first bytes may lie in a string of known length. @return bytes of it that do not */
static uint64_t gap_in_string(struct redis *redis, enum weir_direction dir, uint64_t length)
{
	struct redis_side *side = &redis->side[dir];
	uint64_t n = 0;

	if (side->step == REDIS_BULK) {
		n = length < side->left ? length : side->left;
		if (dir == WEIR_C2S) {
			redis_argument_gap(redis, n);
			db_missing(&redis->reading->db, dir, n);
		} else {
			redis_reply_gap(redis, n);
		}
		side->left -= n;
		if (side->left == 0) {
			side->step = REDIS_BULK_END;
			side->left = 2;
		}
	}
	return length - n;
}

static void redis_on_gap(void *state, struct weir_host *host, enum weir_direction dir,
			 uint64_t offset, uint64_t length, enum weir_gap_cause cause,
			 size_t dropped)
{
	struct redis *redis = state;
	struct redis_side *side = &redis->side[dir];
	struct redis_exchange *ex = dir == WEIR_C2S ? redis->reading : redis->answering;
	uint64_t left;

	(void)host;
	(void)cause;
	if (side->step == REDIS_STREAM) {
		return;
	}
	redis_anomaly(redis, ex != NULL || dir == WEIR_C2S ? ex : redis_oldest(redis), dir,
		      REDIS_A_GAP, offset);
	left = gap_in_string(redis, dir, length);
	if (left == 0 && length > 0) {
		db_moved(&redis->db, dir, offset + length);
		return;
	}
	if (ex != NULL) {
		db_missing(&ex->db, dir, left);
	}
	/* the command that it cuts is there; those behind it may be lost */
	if (dir == WEIR_S2C && ex != NULL) {
		redis_reply_done(redis, offset, false);
	} else if (ex != NULL) {
		redis_command_done(redis, offset, false);
	}
	db_gap(&redis->db, dir, offset - (dropped > offset ? offset : dropped), length + dropped);
	if (side->step != REDIS_STREAM) {
		side->step = REDIS_LOST;
	}
}

static void redis_on_close(void *state, struct weir_host *host, enum weir_direction dir,
			   enum weir_close how, size_t dropped)
{
	struct redis *redis = state;

	(void)host;
	(void)dropped;
	db_close(&redis->db, dir, how);
	if (dir == WEIR_C2S && redis->reading != NULL) {
		redis_command_done(redis, redis->db.pos[dir], false);
	} else if (dir == WEIR_S2C && redis->answering != NULL) {
		redis_reply_done(redis, redis->db.pos[dir], false);
	}
	redis->side[dir].step = REDIS_STREAM;
	while (redis->db.closed[WEIR_S2C] && redis_oldest(redis) != NULL) {
		redis_finish(redis, redis_oldest(redis));
	}
}

static void redis_on_tick(void *state, struct weir_host *host)
{
	struct redis *redis = state;

	(void)host;
	redis_show_open(redis);
	db_tick(&redis->db);
}

static void redis_done(void *state, struct weir_host *host)
{
	struct redis *redis = state;

	redis_on_close(state, host, WEIR_C2S, WEIR_CLOSE_END, 0);
	redis_on_close(state, host, WEIR_S2C, WEIR_CLOSE_END, 0);
	if (redis->more != NULL) {
		weir_host_free(host, redis->more,
			       (REDIS_DEPTH - REDIS_LEVELS) * sizeof(*redis->more));
	}
	db_end(&redis->db);
}

int redis_step(struct redis_cursor *cur, redis_step_fn *const steps[REDIS_STREAM])
{
	if (cur->side->step < REDIS_STREAM) {
		return steps[cur->side->step](cur);
	}
	cur->p = cur->end;
	return REDIS_GO;
}

/* ---- detection ---- */

static int score(const struct weir_probe *probe, int of_client)
{
	const uint8_t *client = probe->data[of_client], *server = probe->data[!of_client];
	size_t client_len = probe->len[of_client], server_len = probe->len[!of_client];
	bool sure = false;
	int command = client_len == 0 ? 0 : redis_like_command(client, client_len);
	int line = client_len == 0 ? 0 : redis_like_inline(client, client_len);
	int value = server_len == 0 ? 0 : redis_like_value(server, server_len, &sure);

	if (server_len > 0 && value < 0) {
		return 0;
	}
	if (client_len > 0) {
		if (command > 0) {
			return DB_SURE;
		}
		if (command == 0) {
			return client_len > 1 ? DB_WEAK : DB_WEAK / 2;
		}
		/* other protocols of lines have the same words, but no such answers */
		return line > 0 && value > 0 && sure ? DB_SURE - 1 : line >= 0 ? DB_WEAK : 0;
	}
	/* the server alone: an array of strings, as of a push or a long answer; one line says little */
	if (server_len > 0 && (redis_like_command(server, server_len) > 0 ||
			       (sure && server[0] != '+' && server[0] != '-'))) {
		return redis_like_command(server, server_len) > 0 ? DB_LIKELY : DB_WEAK;
	}
	return 0;
}

static struct weir_probe_result redis_probe(const struct weir_probe *probe)
{
	return probe_by_score(probe, score, DB_SURE - 1);
}

static const struct weir_schema *const schemas[] = {&redis_schema, NULL};
static const uint16_t ports[] = {6379, 6380, 26379, 0};

const struct weir_parser parser_redis = {
	.name = "redis",
	.doc = "Redis: RESP2, RESP3 and inline commands",
	.schemas = schemas,
	.ports = ports,
	.state_size = sizeof(struct redis),
	.probe = redis_probe,
	.open = redis_open,
	.on_data = redis_on_data,
	.on_gap = redis_on_gap,
	.on_close = redis_on_close,
	.on_tick = redis_on_tick,
	.done = redis_done,
	.park = redis_park,
	.unpark = redis_unpark,
};
