/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers for what repeats: see names.h. Open addressing, never more than half full. */
#include "store/names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "weir/error.h"

enum { FIRST_SIZE = 1024, HUGE_PAGE = 2 << 20 };

/* Looked at all over the place: large pages halve what a look costs. Refused, it works all the same. */
static struct names_entry *new_entries(size_t size)
{
	size_t bytes = size * sizeof(struct names_entry);
	struct names_entry *entries = calloc(size, sizeof(*entries));
	uintptr_t at = ((uintptr_t)entries + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);

	if (entries != NULL && at + HUGE_PAGE <= (uintptr_t)entries + bytes) {
		(void)madvise((void *)at,
			      ((uintptr_t)entries + bytes - at) & ~(uintptr_t)(HUGE_PAGE - 1),
			      MADV_HUGEPAGE);
	}
	return entries;
}

int names_init(struct names *names, uint64_t seed, int64_t last, bool twice)
{
	memset(names, 0, sizeof(*names));
	names->seed = seed;
	names->last = last;
	names->size = FIRST_SIZE;
	names->entries = new_entries(names->size);
	if (twice) {
		names->seen = calloc(NAMES_SEEN, sizeof(*names->seen));
	}
	if (names->entries == NULL || (twice && names->seen == NULL)) {
		names_fini(names);
		return WEIR_ENOMEM;
	}
	return 0;
}

void names_fini(struct names *names)
{
	free(names->entries);
	free(names->seen);
	names->entries = NULL;
	names->seen = NULL;
}

void names_forget(struct names *names, int64_t last)
{
	memset(names->entries, 0, names->size * sizeof(*names->entries));
	names->n = 0;
	names->last = last;
}

/* Its entry, or the free one where it would be. */
static struct names_entry *slot_of(struct names_entry *entries, size_t size, uint64_t low,
				   uint64_t high)
{
	size_t i = low & (size - 1);

	while (entries[i].id != 0 && (entries[i].low != low || entries[i].high != high)) {
		i = (i + 1) & (size - 1);
	}
	return &entries[i];
}

/* Room for one more: grown, or begun anew at the limit (and without memory). */
static void make_room(struct names *names)
{
	struct names_entry *grown;
	size_t i;

	if (names->n < names->size / 2) {
		return;
	}
	grown = names->n < NAMES_MAX ? new_entries(2 * names->size) : NULL;
	if (grown == NULL) {
		names_forget(names, names->last);
		return;
	}
	for (i = 0; i < names->size; i++) {
		const struct names_entry *entry = &names->entries[i];

		if (entry->id != 0) {
			*slot_of(grown, 2 * names->size, entry->low, entry->high) = *entry;
		}
	}
	free(names->entries);
	names->entries = grown;
	names->size *= 2;
}

struct names_result names_number(struct names *names, const void *p, size_t len)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(p, len, names->seed);
	struct names_entry *entry;

	entry = slot_of(names->entries, names->size, hash.low64, hash.high64);
	if (entry->id != 0) {
		return (struct names_result){entry->id, false};
	}
	if (names->seen != NULL && names->seen[hash.low64 % NAMES_SEEN] != hash.high64) {
		names->seen[hash.low64 % NAMES_SEEN] = hash.high64;
		return (struct names_result){0, false};
	}
	make_room(names);
	entry = slot_of(names->entries, names->size, hash.low64, hash.high64);
	*entry = (struct names_entry){hash.low64, hash.high64, ++names->last};
	names->n++;
	return (struct names_result){entry->id, true};
}

int64_t names_find(const struct names *names, const void *p, size_t len)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(p, len, names->seed);

	return slot_of(names->entries, names->size, hash.low64, hash.high64)->id;
}

void names_put(struct names *names, const void *p, size_t len, int64_t id)
{
	XXH128_hash_t hash = XXH3_128bits_withSeed(p, len, names->seed);
	struct names_entry *entry;

	make_room(names);
	entry = slot_of(names->entries, names->size, hash.low64, hash.high64);
	names->n += entry->id == 0 ? 1 : 0;
	*entry = (struct names_entry){hash.low64, hash.high64, id};
}
