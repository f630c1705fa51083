/* SPDX-License-Identifier: Apache-2.0 */
/*
 * defrag/ against a map of bytes. The input is a list of fragments, 6 bytes each: which of 4 datagrams (2 IPv4, 2 IPv6),
 * offset in units of 8, length, a seed of the bytes, flags (last fragment; odd length; time passes). The reference keeps
 * each datagram as an array of bytes with first-copy-wins; what defrag_push() puts together must equal it.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "decode/layers.h"
#include "defrag/defrag.h"

enum { NDATAGRAMS = 4, DATA_MAX = 256 * 8 + 256, OP = 6 };

struct reference {
	uint8_t byte[DATA_MAX];
	uint8_t present[DATA_MAX];
	bool used;
};

static void check(bool holds)
{
	if (!holds) {
		abort();
	}
}

/* A packet of one fragment at `packet`; its length is returned. */
static uint32_t make_fragment(uint8_t *packet, unsigned which, uint32_t offset, bool more,
			      const uint8_t *data, uint32_t len)
{
	uint32_t header = which < 2 ? 20 : 48;

	memset(packet, 0, header);
	if (which < 2) {
		packet[0] = 0x45;
		packet[2] = (uint8_t)((20 + len) >> 8);
		packet[3] = (uint8_t)(20 + len);
		packet[5] = (uint8_t)which;
		packet[6] = (uint8_t)((more ? 0x20 : 0) | offset >> 11);
		packet[7] = (uint8_t)(offset >> 3);
		packet[9] = 6;
	} else {
		packet[0] = 0x60;
		packet[4] = (uint8_t)((8 + len) >> 8);
		packet[5] = (uint8_t)(8 + len);
		packet[6] = 44;
		packet[40] = 6;
		packet[42] = (uint8_t)(offset >> 8);
		packet[43] = (uint8_t)((offset & 0xf8) | more);
		packet[47] = (uint8_t)which;
	}
	memcpy(packet + header, data, len);
	return header + len;
}

static void take_in(struct reference *ref, uint32_t offset, const uint8_t *data, uint32_t len)
{
	uint32_t i;

	ref->used = true;
	for (i = 0; i < len; i++) {
		if (!ref->present[offset + i]) {
			ref->present[offset + i] = 1;
			ref->byte[offset + i] = data[i];
		}
	}
}

static void run_op(struct defrag *defrag, struct reference *refs, const uint8_t *op, int64_t now)
{
	uint8_t packet[48 + 512];
	uint8_t data[512];
	struct defrag_datagram datagram;
	struct layers layers;
	unsigned which = op[0] % NDATAGRAMS;
	uint32_t offset = op[1] * 8u;
	uint32_t len = (op[5] & 2) != 0 ? op[2] : (op[2] & 0xf8u);
	bool more = (op[5] & 1) == 0;
	uint64_t fragments = defrag_stats(defrag)->fragments;
	uint64_t overlaps = defrag_stats(defrag)->overlaps;
	struct weir_packet p = {.data = packet, .linktype = 101};
	uint32_t i;

	for (i = 0; i < len; i++) {
		data[i] = (uint8_t)(op[3] + (offset + i) * 7);
	}
	p.caplen = p.wirelen = make_fragment(packet, which, offset, more, data, len);
	layers_decode(&p, false, &layers);
	if (layers.kind != LAYERS_FRAGMENT) {
		return;
	}
	if (defrag_push(defrag, &layers, now, &datagram) == 0) {
		if (defrag_stats(defrag)->overlaps > overlaps) {
			memset(&refs[which], 0, sizeof(refs[which])); /* dropped */
		} else if (defrag_stats(defrag)->fragments > fragments) {
			take_in(&refs[which], offset, data, len);
		}
		return;
	}
	take_in(&refs[which], offset, data, len);
	check(datagram.len > layers.frag_header_len);
	for (i = layers.frag_header_len; i < datagram.len; i++) {
		check(refs[which].present[i - layers.frag_header_len]);
		check(refs[which].byte[i - layers.frag_header_len] == datagram.ip[i]);
	}
	memset(&refs[which], 0, sizeof(refs[which]));
	layers_decode_ip(datagram.ip, datagram.len, &layers, false, &layers, NULL);
	check(layers.kind != LAYERS_FRAGMENT && layers.ip_caplen == datagram.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reference refs[NDATAGRAMS];
	struct budget budget;
	struct defrag *defrag;
	int64_t now = 0;
	uint64_t timeouts = 0;
	size_t i;

	memset(refs, 0, sizeof(refs));
	budget_init(&budget, 1 << 20, NULL);
	check(defrag_new(&budget, 1 << 20, NS_PER_S, &defrag) == 0);
	for (i = 0; i + OP <= size && i < (size_t)OP * 4096; i += OP) {
		if ((data[i + 5] & 0xf0) == 0xf0) {
			/* time passes: all that waited is given up */
			now += 2 * NS_PER_S;
			defrag_expire(defrag, now);
			check(defrag_stats(defrag)->waiting == 0);
			timeouts = defrag_stats(defrag)->timeouts;
			memset(refs, 0, sizeof(refs));
		}
		run_op(defrag, refs, data + i, now);
		now += DEFRAG_REPEAT_NS /
		       50; /* so that repeats and new datagrams of an id both come */
		if (defrag_stats(defrag)->timeouts != timeouts) {
			break; /* the reference does not keep time */
		}
	}
	check(defrag_stats(defrag)->evicted == 0);
	defrag_free(defrag);
	check(budget.used == 0);
	return 0;
}
