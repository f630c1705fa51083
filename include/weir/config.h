/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine can be told. weir_config_init() gives the defaults; the option table of the program names the same
 * things for users.
 */
#ifndef WEIR_CONFIG_H
#define WEIR_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "export.h"

#ifdef __cplusplus
extern "C" {
#endif

enum weir_checksums { WEIR_CHECKSUM_AUTO, WEIR_CHECKSUM_NONE, WEIR_CHECKSUM_ALL };
enum weir_bodies { WEIR_BODIES_SIZE, WEIR_BODIES_HASH, WEIR_BODIES_KEEP };
enum weir_redact { WEIR_REDACT_DEFAULT, WEIR_REDACT_OFF, WEIR_REDACT_STRICT };
enum { WEIR_MAX_ROUTES = 256 };
/*
 * Whose bytes hold when two segments that wait claim the same ones (Novak & Sturges, "Target-Based TCP Stream Reassembly"): the
 * first or the last copy, or what the receiver's operating system does.
 */
enum weir_overlap_policy {
	WEIR_OVERLAP_FIRST,
	WEIR_OVERLAP_LAST,
	WEIR_OVERLAP_BSD,     /* the first, unless the later segment begins before it */
	WEIR_OVERLAP_LINUX,   /* as BSD; the later one too when it begins with it and is longer */
	WEIR_OVERLAP_WINDOWS, /* as BSD */
	WEIR_OVERLAP_SOLARIS  /* the last, if it ends with the first or behind it */
};

/* The policy for data that hosts of a subnet receive; the longest prefix holds. */
struct weir_overlap_rule {
	uint8_t address[16]; /* network order; IPv4 in the first 4 bytes */
	uint8_t ip_version;  /* 4 or 6 */
	uint8_t prefix;      /* bits: 0..32 or 0..128 */
	uint8_t policy;      /* enum weir_overlap_policy */
};

/* When bytes are delivered: as soon as they are contiguous, or not before the receiver acknowledged them. */
enum weir_deliver { WEIR_DELIVER_CONTIGUOUS, WEIR_DELIVER_ACKED };

struct weir_allocator {
	void *(*alloc)(void *context, size_t size);          /* NULL: no memory */
	void (*free)(void *context, void *ptr, size_t size); /* size as allocated */
	void *context;
};

struct weir_config {
	size_t memory; /* bytes, for all traffic-driven state */
	enum weir_checksums checksums;
	enum weir_bodies bodies;
	enum weir_redact redact;
	size_t body_limit; /* bytes of a body kept, with WEIR_BODIES_KEEP */
	/* times, ns of the capture clock */
	int64_t half_open_ns;   /* 30 s */
	int64_t established_ns; /* 300 s */
	int64_t closing_ns;     /* 60 s */
	int64_t tombstone_ns;   /* 3 s */
	int64_t reset_grace_ns; /* 100 ms after a RST: late and in-flight data is still taken */
	int64_t fragment_ns;    /* 30 s */
	int64_t hole_age_ns; /* 2 s: a hole that nothing acknowledges; what comes just then is in time */
	int64_t hole_age_oneway_ns;  /* 200 ms: the same when only one direction is captured */
	int64_t hole_acked_ns;       /* 20 ms after the peer acknowledged past it ... */
	uint32_t hole_acked_packets; /* ... or this many (3) more packets of the flow */
	int64_t hole_acked_min_ns; /* 1 ms: ... but not sooner than this: captures reorder short flows as a whole */
	size_t hole_limit;        /* 1 MiB waiting in one direction */
	uint32_t hole_intervals;  /* 1,024 intervals waiting in one direction */
	size_t hole_oneway_limit; /* 64 KiB waiting, one-way */
	int64_t jump_ns;          /* 60 s: a jump forward beyond this needs a second packet */
	int64_t tick_ns;          /* 10 s: interim records of open exchanges */
	bool random_hash;         /* live: flow hash seeded at random; files: fixed */
	/* limits of parsers */
	size_t head_limit;      /* 256 KiB: an HTTP head */
	uint32_t header_limit;  /* 1,024 headers kept */
	size_t target_limit;    /* 8 KiB of the request target kept */
	size_t value_limit;     /* 4 KiB of a header value kept */
	uint32_t pending_limit; /* 512 requests without a response */
	const char *parsers;    /* NULL: all; else a comma-separated list of names */
	bool vlan_key;          /* the VLAN id is part of a flow's key */
	enum weir_deliver deliver;
	enum weir_overlap_policy overlap;              /* of hosts that no rule names */
	const struct weir_overlap_rule *overlap_rules; /* borrowed: lives as long as the engine */
	size_t noverlap_rules;
	const struct weir_allocator *allocator; /* borrowed; NULL: libc's */
	uint64_t
		hash_seed; /* of the flow hash: something random where peers might attack the table; the same bytes come out */
	const uint8_t *redact_key; /* borrowed; NULL: masks have no fingerprint */
	size_t redact_key_len;     /* bytes */
	const char *const *
		routes; /* borrowed; rules for http.route, see http/route.h; the first that fits holds */
	size_t nroutes; /* at most WEIR_MAX_ROUTES */
	uint32_t
		flows_at_hand; /* 65,536; of a quarter of memory used on, a sixteenth of them: the idlest flows beyond wait in less. 0: each does, after each packet */
};

/** Fill in the defaults (512 MiB, policies and times of REASSEMBLY.md, limits of PROTOCOLS.md). */
WEIR_API void weir_config_init(struct weir_config *config);

#ifdef __cplusplus
}
#endif
#endif
