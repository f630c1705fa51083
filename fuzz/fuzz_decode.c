/* SPDX-License-Identifier: Apache-2.0 */
/*
 * decode/ on any bytes. Input: linktype (2 bytes, little endian), what the snaplen cut (1 byte), then the packet. All that
 * the decoder says must lie within the packet, and lengths must agree.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "decode/layers.h"

static void check(bool holds)
{
	if (!holds) {
		abort();
	}
}

/* [p, p + n) lies in [begin, begin + size) */
static bool is_within(const uint8_t *p, uint32_t n, const uint8_t *begin, uint32_t size)
{
	return p >= begin && p <= begin + size && n <= (uint32_t)(begin + size - p);
}

static void check_layers(const struct layers *l, const uint8_t *data, uint32_t size)
{
	check(l->kind <= LAYERS_BAD && l->reason < LAYERS_NREASONS);
	check(strcmp(layers_reason_name((enum layers_reason)l->reason), "unknown") != 0);
	check(l->has_vlan <= 1 && l->vlan_id <= 4095 && l->depth <= LAYERS_MAX_DEPTH + 1);
	if (l->kind == LAYERS_NOT_IP || l->kind == LAYERS_BAD) {
		check(l->kind == LAYERS_NOT_IP || l->reason != LAYERS_OK);
		return;
	}
	check(l->depth >= 1 && l->depth <= LAYERS_MAX_DEPTH);
	check(l->ip_version == 4 || l->ip_version == 6);
	check(is_within(l->ip, l->ip_caplen, data, size));
	check(l->ip_caplen >= 20 && l->ip_caplen <= l->ip_len);
	check(l->ip_snapped == (l->ip_caplen < l->ip_len));
	check(l->ip[0] >> 4 == l->ip_version);
	if (l->kind == LAYERS_FRAGMENT) {
		check(is_within(l->frag_data, l->frag_caplen, l->ip, l->ip_caplen));
		check(l->frag_caplen <= l->frag_len && l->frag_offset % 8 == 0);
		check(l->frag_header_len >= 20 && l->frag_header_len <= l->ip_caplen);
		check(l->frag_offset != 0 || l->frag_more);
	}
	if (l->kind == LAYERS_TCP) {
		check(l->protocol == 6 && l->header_len >= 20 && l->header_len <= 60);
		check(is_within(l->payload, l->payload_caplen, l->ip, l->ip_caplen));
		check(is_within(l->payload - l->header_len, l->header_len, l->ip, l->ip_caplen));
		check(l->payload_caplen <= l->payload_len && l->nsack <= 4 && l->wscale <= 14);
		check((uint64_t)(l->payload - l->ip) + l->payload_len == l->ip_len);
		check(!l->ip_snapped || l->checksum == LAYERS_CHECKSUM_UNKNOWN ||
		      l->reason == LAYERS_BAD_IP_CHECKSUM);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct weir_packet packet = {0};
	struct layers layers, quick, again;
	uint8_t *copy;

	if (size < 3 || size > 70000) {
		return 0;
	}
	packet.linktype = (uint16_t)(data[0] | data[1] << 8);
	packet.caplen = (uint32_t)(size - 3);
	packet.wirelen = packet.caplen + data[2];
	packet.data = copy = malloc(size); /* its own block: a read beyond is caught */
	check(copy != NULL);
	memcpy(copy, data + 3, size - 3);
	layers_decode(&packet, true, &layers);
	check_layers(&layers, copy, packet.caplen);
	check(layers.kind == LAYERS_BAD || layers_linktype_known(packet.linktype));
	layers_decode(&packet, false, &quick);
	check_layers(&quick, copy, packet.caplen);
	check(quick.kind == layers.kind && quick.checksum == LAYERS_CHECKSUM_UNKNOWN);
	if (layers.kind == LAYERS_TCP) {
		/* from its IP header on, the datagram is the same */
		layers_decode_ip(layers.ip, layers.ip_caplen, &layers, false, &again, NULL);
		check_layers(&again, layers.ip, layers.ip_caplen);
		check(again.depth == layers.depth && again.tunnel_id == layers.tunnel_id);
	}
	free(copy);
	return 0;
}
