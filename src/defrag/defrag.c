/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Defragmentation: see defrag.h.
 *
 * A datagram is a list of pieces in order of offset that never overlap: IPv4 keeps only the bytes of a fragment that are new
 * (the first copy wins), IPv6 drops the datagram instead and remembers its key until it would have timed out (RFC 5722 §3:
 * also the fragments that come later are discarded). Datagrams hang in a hash of fixed size and in a list by age, so that
 * time and memory take the oldest first.
 *
 * What is put together is copied once, into a buffer that belongs to the table. The IPv4 header is that of the fragment with
 * offset 0, its length, fragment fields and checksum corrected (a checksum of 0 stays 0: it was never set).
 *
 * Deviations: RFC 791 §3.2's timer is not refreshed by TTL, it is a constant from the first fragment on. RFC 8200's rule
 * that the first fragment must hold the whole header chain (RFC 7112) is left to the decoder of the datagram.
 *
 * Limits, all counted: DATAGRAM_MAX bytes and PIECES_MAX pieces a datagram (invalid), CHAIN_MAX datagrams of one hash
 * (evicted), the table's byte limit (evicted), age (timeouts).
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "defrag/defrag.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "base/wire.h"
#include "decode/checksum.h"
#include "weir/error.h"

enum {
	HEADS = 1024,
	CHAIN_MAX = 32,
	PIECES_MAX = 2048, /* 65,535 bytes at an MTU of 68 are 1,366 */
	DATAGRAM_MAX = 65535,
	HEADER_MAX = 2048, /* of an unfragmentable part: 40 bytes, and a few extension headers */
	IPV6_HEADER = 40,
	PROTOCOL_AH = 51
};

struct key {
	uint8_t address[2][16];
	uint32_t id;
	uint32_t tunnel_id;
	uint8_t ip_version;
	uint8_t protocol; /* IPv4 only (RFC 8200 §4.5: addresses and identification) */
	uint8_t zero[2];
};

static_assert(sizeof(struct key) == 44, "no hidden padding: keys are compared as bytes");

struct piece {
	struct piece *next;
	struct piece *prev;
	uint32_t offset;
	uint32_t len;
	uint8_t data[];
};

/*
 * A datagram.
 *   PARTS    has pieces, and a header once the fragment with offset 0 came; since_ns: of its first fragment
 *   DROPPED  (IPv6, after an overlap) remembers its key only, until it would have timed out
 *   DONE     (completed) remembers its key only, for DEFRAG_REPEAT_NS from since_ns, the time of its completion
 * PARTS and DROPPED are in the list `open`, by age; DONE in the list `done`.
 */
enum datagram_state { PARTS, DROPPED, DONE };

struct datagram {
	struct datagram *chain; /* next of the same hash, newest first */
	struct datagram *older;
	struct datagram *newer;
	struct piece *first;
	struct piece *last;
	uint8_t *header;
	uint32_t header_len;
	uint32_t next_at; /* IPv6: where in the header the number of the next one stands */
	uint32_t end;     /* length of all data; 0: not known yet */
	uint32_t have;    /* bytes in pieces */
	uint32_t npieces;
	uint32_t nfragments; /* taken in */
	uint32_t head;       /* of the hash */
	uint8_t protocol;    /* of the fragment with offset 0 */
	uint8_t state;       /* enum datagram_state */
	uint8_t nconflict;   /* the first conflict: see struct defrag_datagram */
	uint8_t kept[DEFRAG_EVIDENCE];
	uint8_t lost[DEFRAG_EVIDENCE];
	uint32_t conflict_at;
	int64_t since_ns;
	struct key key;
};

/* Datagrams by age. */
struct datagrams {
	struct datagram *oldest;
	struct datagram *newest;
};

struct defrag {
	struct budget *budget;
	size_t limit;
	size_t used; /* bytes charged, this struct included */
	int64_t timeout_ns;
	struct datagrams open;
	struct datagrams done;
	uint8_t *out;
	size_t out_size;
	struct defrag_stats stats;
	struct datagram *heads[HEADS];
};

/* ---- memory ---- */

static void give_back(struct defrag *defrag, void *ptr, size_t size)
{
	if (ptr != NULL) {
		budget_free(defrag->budget, ptr, size);
		defrag->used -= size;
	}
}

static void drop_data(struct defrag *defrag, struct datagram *datagram)
{
	struct piece *piece = datagram->first;

	while (piece != NULL) {
		struct piece *next = piece->next;

		give_back(defrag, piece, sizeof(*piece) + piece->len);
		piece = next;
	}
	give_back(defrag, datagram->header, datagram->header_len);
	datagram->header = NULL;
	datagram->first = datagram->last = NULL;
	datagram->npieces = 0;
	datagram->have = 0;
	defrag->stats.waiting -= datagram->nfragments;
	datagram->nfragments = 0;
}

static struct datagrams *list_of(struct defrag *defrag, const struct datagram *datagram)
{
	return datagram->state == DONE ? &defrag->done : &defrag->open;
}

static void list_add(struct datagrams *list, struct datagram *datagram)
{
	datagram->newer = NULL;
	datagram->older = list->newest;
	*(list->newest != NULL ? &list->newest->newer : &list->oldest) = datagram;
	list->newest = datagram;
}

static void list_remove(struct datagrams *list, struct datagram *datagram)
{
	*(datagram->older != NULL ? &datagram->older->newer : &list->oldest) = datagram->newer;
	*(datagram->newer != NULL ? &datagram->newer->older : &list->newest) = datagram->older;
}

static void datagram_free(struct defrag *defrag, struct datagram *datagram)
{
	struct datagram **at = &defrag->heads[datagram->head];

	while (*at != datagram) {
		at = &(*at)->chain;
	}
	*at = datagram->chain;
	list_remove(list_of(defrag, datagram), datagram);
	drop_data(defrag, datagram);
	give_back(defrag, datagram, sizeof(*datagram));
}

/* Completed: keep the key for a while. */
static void datagram_finish(struct defrag *defrag, struct datagram *datagram, int64_t now_ns)
{
	drop_data(defrag, datagram);
	list_remove(&defrag->open, datagram);
	datagram->state = DONE;
	datagram->since_ns = now_ns;
	list_add(&defrag->done, datagram);
}

static void evict(struct defrag *defrag, struct datagram *datagram)
{
	defrag->stats.evicted += datagram->state == PARTS;
	datagram_free(defrag, datagram);
}

/* What goes first when memory is short: what is done, then the oldest that waits, but not `keep`. */
static struct datagram *find_victim(const struct defrag *defrag, const struct datagram *keep)
{
	struct datagram *victim = defrag->done.oldest;

	if (victim == NULL) {
		victim = defrag->open.oldest;
		if (victim != NULL && victim == keep) {
			victim = victim->newer;
		}
	}
	return victim;
}

/* Memory within the limit; the oldest datagrams but `keep` make room. NULL: there is none. */
static void *take_memory(struct defrag *defrag, size_t size, const struct datagram *keep)
{
	for (;;) {
		struct datagram *victim;
		void *ptr = NULL;

		if (defrag->used + size <= defrag->limit) {
			ptr = budget_alloc(defrag->budget, size);
		}
		if (ptr != NULL) {
			defrag->used += size;
			return ptr;
		}
		victim = find_victim(defrag, keep);
		if (victim == NULL) {
			return NULL;
		}
		evict(defrag, victim);
	}
}

int defrag_new(struct budget *budget, size_t limit, int64_t timeout_ns, struct defrag **ret)
{
	struct defrag *defrag = budget_calloc(budget, 1, sizeof(*defrag));

	if (defrag == NULL) {
		return budget_has(budget, sizeof(*defrag)) ? WEIR_ENOMEM : WEIR_EBUDGET;
	}
	defrag->budget = budget;
	defrag->limit = limit;
	defrag->used = sizeof(*defrag);
	defrag->timeout_ns = timeout_ns;
	*ret = defrag;
	return 0;
}

void defrag_free(struct defrag *defrag)
{
	if (defrag == NULL) {
		return;
	}
	while (defrag->open.oldest != NULL) {
		datagram_free(defrag, defrag->open.oldest);
	}
	while (defrag->done.oldest != NULL) {
		datagram_free(defrag, defrag->done.oldest);
	}
	give_back(defrag, defrag->out, defrag->out_size);
	assert(defrag->used == sizeof(*defrag));
	budget_free(defrag->budget, defrag, sizeof(*defrag));
}

/* ---- datagrams ---- */

static void make_key(const struct layers *layers, struct key *ret)
{
	memset(ret, 0, sizeof(*ret));
	memcpy(ret->address[0], layers->src, 16);
	memcpy(ret->address[1], layers->dst, 16);
	ret->id = layers->frag_id;
	ret->tunnel_id = layers->tunnel_id;
	ret->ip_version = layers->ip_version;
	ret->protocol = layers->ip_version == 4 ? layers->protocol : 0;
}

static struct datagram *datagram_new(struct defrag *defrag, const struct key *key, uint32_t head,
				     int64_t now_ns)
{
	struct datagram *datagram = take_memory(defrag, sizeof(*datagram), NULL);

	if (datagram == NULL) {
		return NULL;
	}
	memset(datagram, 0, sizeof(*datagram));
	datagram->key = *key;
	datagram->head = head;
	datagram->since_ns = now_ns;
	datagram->chain = defrag->heads[head];
	defrag->heads[head] = datagram;
	list_add(&defrag->open, datagram);
	return datagram;
}

/* The datagram a fragment belongs to, new if need be. NULL: no memory. */
static struct datagram *find_or_make(struct defrag *defrag, const struct layers *layers,
				     int64_t now_ns)
{
	struct datagram *datagram, *last = NULL;
	struct key key;
	uint32_t head;
	unsigned n = 0;

	make_key(layers, &key);
	head = (uint32_t)XXH3_64bits(&key, sizeof(key)) % HEADS;
	for (datagram = defrag->heads[head]; datagram != NULL; datagram = datagram->chain) {
		if (memcmp(&datagram->key, &key, sizeof(key)) == 0) {
			return datagram;
		}
		last = datagram;
		n++;
	}
	if (n >= CHAIN_MAX) {
		evict(defrag, last); /* the oldest of this hash */
	}
	datagram = datagram_new(defrag, &key, head, now_ns);
	if (datagram == NULL) {
		defrag->stats.evicted++;
	}
	return datagram;
}

/* ---- pieces ---- */

static uint32_t piece_end(const struct piece *piece)
{
	return piece->offset + piece->len;
}

/* The last piece that begins at or before an offset; NULL: none. Fragments mostly come in order: from the end. */
static struct piece *piece_before(const struct datagram *datagram, uint32_t offset)
{
	struct piece *piece = datagram->last;

	if (datagram->first != NULL && datagram->first->offset > offset) {
		return NULL; /* also reverse order is quick */
	}
	while (piece != NULL && piece->offset > offset) {
		piece = piece->prev;
	}
	return piece;
}

static int add_piece(struct defrag *defrag, struct datagram *datagram, struct piece *before,
		     uint32_t offset, const uint8_t *data, uint32_t len)
{
	struct piece *piece;

	if (datagram->npieces >= PIECES_MAX) {
		return WEIR_ELIMIT;
	}
	piece = take_memory(defrag, sizeof(*piece) + len, datagram);
	if (piece == NULL) {
		return WEIR_EBUDGET;
	}
	piece->offset = offset;
	piece->len = len;
	memcpy(piece->data, data, len);
	piece->prev = before;
	piece->next = before != NULL ? before->next : datagram->first;
	*(before != NULL ? &before->next : &datagram->first) = piece;
	*(piece->next != NULL ? &piece->next->prev : &datagram->last) = piece;
	datagram->npieces++;
	datagram->have += len;
	return 0;
}

/* a: what is there, b: what came later, both at this offset of the payload */
static void count_conflicts(struct defrag *defrag, struct datagram *datagram, uint32_t offset,
			    const uint8_t *a, const uint8_t *b, uint32_t len)
{
	uint32_t first = len, i;

	if (memcmp(a, b, len) == 0) {
		return;
	}
	for (i = 0; i < len; i++) {
		defrag->stats.conflicts += a[i] != b[i];
		first = i < first && a[i] != b[i] ? i : first;
	}
	if (datagram->nconflict == 0) {
		i = len - first < DEFRAG_EVIDENCE ? len - first : DEFRAG_EVIDENCE;
		memcpy(datagram->kept, a + first, i);
		memcpy(datagram->lost, b + first, i);
		datagram->nconflict = (uint8_t)i;
		datagram->conflict_at = offset + first;
	}
}

/* IPv4: what is there stays, what is new is added. */
static int merge_first_wins(struct defrag *defrag, struct datagram *datagram, uint32_t offset,
			    const uint8_t *data, uint32_t len)
{
	struct piece *piece = piece_before(datagram, offset);
	uint32_t end = offset + len;
	uint32_t at = offset;

	while (at < end) {
		struct piece *next = piece != NULL ? piece->next : datagram->first;
		uint32_t stop = end;
		int err;

		if (piece != NULL && piece_end(piece) > at) {
			if (piece_end(piece) < stop) {
				stop = piece_end(piece);
			}
			count_conflicts(defrag, datagram, at, piece->data + (at - piece->offset),
					data + (at - offset), stop - at);
			at = stop;
			continue;
		}
		if (next != NULL && next->offset == at) {
			piece = next;
			continue;
		}
		if (next != NULL && next->offset < stop) {
			stop = next->offset;
		}
		err = add_piece(defrag, datagram, piece, at, data + (at - offset), stop - at);
		if (err < 0) {
			return err;
		}
		piece = piece != NULL ? piece->next : datagram->first;
		at = stop;
	}
	return 0;
}

/* IPv6: an exact repeat changes nothing, any other overlap drops the datagram (RFC 5722 §3, RFC 8200 §4.5). */
static int merge_no_overlap(struct defrag *defrag, struct datagram *datagram, uint32_t offset,
			    const uint8_t *data, uint32_t len)
{
	struct piece *piece = piece_before(datagram, offset);
	const struct piece *next = piece != NULL ? piece->next : datagram->first;

	if (piece != NULL && piece->offset == offset && piece->len == len &&
	    memcmp(piece->data, data, len) == 0) {
		return 0;
	}
	if ((piece != NULL && piece_end(piece) > offset) ||
	    (next != NULL && next->offset < offset + len)) {
		defrag->stats.overlaps++;
		drop_data(defrag, datagram);
		datagram->state = DROPPED;
		return 0;
	}
	return add_piece(defrag, datagram, piece, offset, data, len);
}

/* ---- fragments ---- */

/* What is wrong with a fragment whatever else came */
static bool is_refused(const struct layers *layers)
{
	/* the bytes that the length field of the datagram counts besides the data */
	uint32_t overhead = layers->ip_version == 4 ? layers->frag_header_len
						    : layers->frag_header_len - IPV6_HEADER;

	return layers->frag_len == 0 || layers->frag_caplen < layers->frag_len ||
	       (layers->frag_more && layers->frag_len % 8 != 0) ||
	       layers->frag_len > DATAGRAM_MAX || layers->frag_header_len > HEADER_MAX ||
	       layers->frag_offset + layers->frag_len + overhead > DATAGRAM_MAX ||
	       layers->reason == LAYERS_BAD_IP_CHECKSUM;
}

/* Does its end contradict what came before? Sets the end by the last fragment. */
static bool is_end_wrong(struct datagram *datagram, const struct layers *layers)
{
	uint32_t end = layers->frag_offset + layers->frag_len;

	if (datagram->end != 0) {
		return layers->frag_more ? end > datagram->end : end != datagram->end;
	}
	if (layers->frag_more) {
		return false;
	}
	if (datagram->last != NULL && piece_end(datagram->last) > end) {
		return true;
	}
	datagram->end = end;
	return false;
}

/* IPv6: the byte that numbers the header behind the unfragmentable part. 0: the chain does not end where it should. */
static uint32_t find_next_at(const uint8_t *ip, uint32_t header_len)
{
	uint32_t next_at = 6;
	uint32_t at = IPV6_HEADER;

	while (at + 2 <= header_len) {
		uint32_t len =
			ip[next_at] == PROTOCOL_AH ? (ip[at + 1] + 2u) * 4 : (ip[at + 1] + 1u) * 8;

		next_at = at;
		at += len;
	}
	return at == header_len ? next_at : 0;
}

static int keep_header(struct defrag *defrag, struct datagram *datagram,
		       const struct layers *layers)
{
	uint32_t len = layers->frag_header_len;

	if (layers->ip_version == 6) {
		datagram->next_at = find_next_at(layers->ip, len);
		if (datagram->next_at == 0) {
			return WEIR_ELIMIT;
		}
	}
	datagram->header = take_memory(defrag, len, datagram);
	if (datagram->header == NULL) {
		return WEIR_EBUDGET;
	}
	memcpy(datagram->header, layers->ip, len);
	datagram->header_len = len;
	datagram->protocol = layers->protocol;
	return 0;
}

static void store_be16(uint8_t *p, uint32_t value)
{
	p[0] = (uint8_t)(value >> 8);
	p[1] = (uint8_t)value;
}

static void correct_header(const struct datagram *datagram, uint8_t *ip, uint32_t len)
{
	if (datagram->key.ip_version == 6) {
		store_be16(ip + 4, len - IPV6_HEADER);
		ip[datagram->next_at] = datagram->protocol;
		return;
	}
	store_be16(ip + 2, len);
	store_be16(ip + 6, 0);
	if (load_be16(ip + 10) != 0) {
		uint16_t sum;

		store_be16(ip + 10, 0);
		sum = (uint16_t)~checksum_fold(checksum_add(0, ip, datagram->header_len));
		memcpy(ip + 10, &sum, sizeof(sum)); /* summed in the order of memory */
	}
}

/* All is there: copy it together. */
static int assemble(struct defrag *defrag, struct datagram *datagram, struct defrag_datagram *ret)
{
	uint32_t len = datagram->header_len + datagram->end;
	const struct piece *piece;

	if (len > defrag->out_size) {
		uint8_t *out;

		give_back(defrag, defrag->out, defrag->out_size);
		defrag->out_size = 0;
		defrag->out = NULL;
		out = take_memory(defrag, len, datagram);
		if (out == NULL) {
			return WEIR_EBUDGET;
		}
		defrag->out = out;
		defrag->out_size = len;
	}
	memcpy(defrag->out, datagram->header, datagram->header_len);
	for (piece = datagram->first; piece != NULL; piece = piece->next) {
		assert(piece_end(piece) <= datagram->end);
		memcpy(defrag->out + datagram->header_len + piece->offset, piece->data, piece->len);
	}
	correct_header(datagram, defrag->out, len);
	ret->ip = defrag->out;
	ret->len = len;
	ret->nconflict = datagram->nconflict;
	ret->conflict_at = datagram->conflict_at;
	memcpy(ret->kept, datagram->kept, sizeof(ret->kept));
	memcpy(ret->lost, datagram->lost, sizeof(ret->lost));
	return 0;
}

/* Take the fragment into its datagram. Below 0: the datagram must be given up. */
static int take_fragment(struct defrag *defrag, struct datagram *datagram,
			 const struct layers *layers)
{
	int err = 0;

	datagram->nfragments++;
	defrag->stats.waiting++;
	defrag->stats.fragments++;
	if (layers->frag_offset == 0 && datagram->header == NULL) {
		err = keep_header(defrag, datagram, layers);
	}
	if (err < 0) {
		return err;
	}
	if (layers->ip_version == 4) {
		return merge_first_wins(defrag, datagram, layers->frag_offset, layers->frag_data,
					layers->frag_len);
	}
	return merge_no_overlap(defrag, datagram, layers->frag_offset, layers->frag_data,
				layers->frag_len);
}

int defrag_push(struct defrag *defrag, const struct layers *layers, int64_t now_ns,
		struct defrag_datagram *ret)
{
	struct datagram *datagram;
	int err;

	assert(layers->kind == LAYERS_FRAGMENT);
	defrag_expire(defrag, now_ns);
	if (is_refused(layers)) {
		defrag->stats.invalid++;
		return 0;
	}
	datagram = find_or_make(defrag, layers, now_ns);
	if (datagram == NULL) {
		return 0;
	}
	if (datagram->state == DONE) {
		defrag->stats.duplicates++;
		return 0;
	}
	if (datagram->state == DROPPED || is_end_wrong(datagram, layers)) {
		defrag->stats.invalid++;
		return 0;
	}
	err = take_fragment(defrag, datagram, layers);
	if (err == 0 && datagram->header != NULL && datagram->end != 0 &&
	    datagram->have == datagram->end) {
		err = assemble(defrag, datagram, ret);
		if (err == 0) {
			defrag->stats.datagrams++;
			datagram_finish(defrag, datagram, now_ns);
			return 1;
		}
	}
	if (err == WEIR_ELIMIT) {
		defrag->stats.invalid++;
		datagram_free(defrag, datagram);
	} else if (err < 0) {
		evict(defrag, datagram);
	}
	return 0;
}

/* Unsigned: times of hostile captures may be anywhere. */
static bool is_older(const struct datagram *datagram, int64_t now_ns, int64_t age_ns)
{
	return now_ns >= datagram->since_ns &&
	       (uint64_t)now_ns - (uint64_t)datagram->since_ns >= (uint64_t)age_ns;
}

void defrag_expire(struct defrag *defrag, int64_t now_ns)
{
	struct datagram *datagram = defrag->done.oldest;

	while (datagram != NULL && is_older(datagram, now_ns, DEFRAG_REPEAT_NS)) {
		datagram_free(defrag, datagram);
		datagram = defrag->done.oldest;
	}
	datagram = defrag->open.oldest;
	while (datagram != NULL && is_older(datagram, now_ns, defrag->timeout_ns)) {
		defrag->stats.timeouts += datagram->state == PARTS;
		datagram_free(defrag, datagram);
		datagram = defrag->open.oldest;
	}
}

const struct defrag_stats *defrag_stats(const struct defrag *defrag)
{
	return &defrag->stats;
}
