/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers for what repeats: texts in _string, flows in _flow.
 *
 * A text is given a number when it comes a second time, so that what is different in every record (ids, queries) stays in its
 * row. What has a number is known by its 128-bit hash (keyed at random, so that nobody can make two texts that share one). Both
 * tables are of bounded size: what is forgotten is written once more under another number, which costs room and nothing else.
 */
#ifndef STORE_NAMES_H
#define STORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NAMES_MAX = 1 << 18,  /* numbers that are remembered */
	NAMES_SEEN = 1 << 16, /* texts that came once, the last of each slot */
};

struct names_entry {
	uint64_t low, high; /* hash */
	int64_t id;         /* 0: free */
};

struct names {
	uint64_t seed;
	struct names_entry *entries;
	size_t size, n;
	uint64_t *seen; /* NULL: everything gets a number at once */
	int64_t last;   /* number that was given last */
};

/* What is to be done with a text. */
struct names_result {
	int64_t id; /* its number; 0: none, it stays where it is */
	bool fresh; /* the number was given just now: the text is to be written under it */
};

/** @param twice numbers are for what came before only. @return 0 or WEIR_ENOMEM */
int names_init(struct names *names, uint64_t seed, int64_t last, bool twice);
void names_fini(struct names *names);

/** Forget all, for example because what was written has been rolled back. */
void names_forget(struct names *names, int64_t last);

struct names_result names_number(struct names *names, const void *p, size_t len);

/** Where the caller gives the numbers. @return 0: not known */
int64_t names_find(const struct names *names, const void *p, size_t len);
void names_put(struct names *names, const void *p, size_t len, int64_t id);

#endif
