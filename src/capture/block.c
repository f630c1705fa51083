/* SPDX-License-Identifier: Apache-2.0 */
/* Building blocks of pcapng: see block.h. */
#include "capture/block.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

enum {
	MAX_TEXT = 1024, /* of an option */
	TAIL = 16,       /* kept free: the last option and the length */
	OPT_END = 0,
	OPT_SHB_OS = 3,
	OPT_SHB_APPLICATION = 4,
	OPT_IF_NAME = 2,
	OPT_IF_RESOLUTION = 9,
	OPT_IF_FILTER = 11,
	OPT_PACKET_ID = 5
};

void block_put(struct block *block, const void *p, size_t n)
{
	if (n > 0 && block->len + n <= BLOCK_ROOM - TAIL) {
		memcpy(block->p + block->len, p, n);
		block->len += n;
	}
}

void block_put16(struct block *block, uint16_t value)
{
	block_put(block, &value, 2);
}

void block_put32(struct block *block, uint32_t value)
{
	block_put(block, &value, 4);
}

void block_put_option(struct block *block, uint16_t code, const void *p, size_t n)
{
	static const uint8_t zeros[4];

	if (block->len + 4 + n + 4 > BLOCK_ROOM - TAIL) {
		return;
	}
	block_put16(block, code);
	block_put16(block, (uint16_t)n);
	block_put(block, p, n);
	block_put(block, zeros, (4 - n % 4) % 4);
}

void block_put_text(struct block *block, uint16_t code, const char *text)
{
	size_t len = text == NULL ? 0 : strlen(text);

	if (len > 0) {
		block_put_option(block, code, text, len < MAX_TEXT ? len : MAX_TEXT);
	}
}

void block_put_u64(struct block *block, uint16_t code, uint64_t value)
{
	block_put_option(block, code, &value, 8);
}

void block_put_time(struct block *block, uint16_t code, int64_t ts_ns)
{
	uint32_t words[2] = {(uint32_t)((uint64_t)ts_ns >> 32), (uint32_t)ts_ns};

	block_put_option(block, code, words, 8);
}

void block_begin(struct block *block, uint32_t type)
{
	block->len = 0;
	block_put32(block, type);
	block_put32(block, 0);
}

size_t block_end(struct block *block)
{
	static const uint32_t end = OPT_END;
	uint32_t len;

	/* TAIL has been kept free for both */
	memcpy(block->p + block->len, &end, 4);
	len = (uint32_t)block->len + 8;
	memcpy(block->p + 4, &len, 4);
	memcpy(block->p + len - 4, &len, 4);
	block->len = len;
	return len;
}

void block_section(struct block *block, const char *version, const char *comment)
{
	static const uint64_t unknown_length = UINT64_MAX;
	struct utsname os;
	char text[sizeof(os.sysname) + sizeof(os.release) + 2];

	block_begin(block, BLOCK_SECTION);
	block_put32(block, 0x1a2b3c4d);
	block_put16(block, 1);
	block_put16(block, 0);
	block_put(block, &unknown_length, 8);
	if (uname(&os) == 0) {
		(void)snprintf(text, sizeof(text), "%s %s", os.sysname, os.release);
		block_put_text(block, OPT_SHB_OS, text);
	}
	(void)snprintf(text, sizeof(text), "weir %.32s", version == NULL ? "" : version);
	block_put_text(block, OPT_SHB_APPLICATION, text);
	block_put_text(block, BLOCK_OPT_COMMENT, comment);
}

void block_interface(struct block *block, const struct block_interface *interface)
{
	static const uint8_t nanoseconds = 9;
	char filter[MAX_TEXT + 1];

	block_begin(block, BLOCK_INTERFACE);
	block_put16(block, interface->linktype);
	block_put16(block, 0);
	block_put32(block, interface->snaplen);
	block_put_text(block, OPT_IF_NAME, interface->name);
	block_put_option(block, OPT_IF_RESOLUTION, &nanoseconds, 1);
	if (interface->filter != NULL && interface->filter[0] != '\0') {
		/* its first byte 0: a text in libpcap's language follows */
		filter[0] = '\0';
		(void)snprintf(filter + 1, sizeof(filter) - 1, "%s", interface->filter);
		block_put_option(block, OPT_IF_FILTER, filter, 1 + strlen(filter + 1));
	}
}

size_t block_packet(uint8_t *to, const struct weir_packet *packet, uint32_t interface,
		    uint64_t number)
{
	uint64_t ts = packet->ts_ns < 0 ? 0 : (uint64_t)packet->ts_ns;
	uint32_t padding = (4 - packet->caplen % 4) % 4;
	uint32_t len = 32 + packet->caplen + padding + (number == 0 ? 0 : BLOCK_PACKET_ID);
	uint32_t head[7] = {BLOCK_PACKET,         len,          interface,
			    (uint32_t)(ts >> 32), (uint32_t)ts, packet->caplen,
			    packet->wirelen};
	static const uint16_t id[2] = {OPT_PACKET_ID, 8};
	static const uint32_t zero = OPT_END;
	uint8_t *at = to;

	memcpy(at, head, sizeof(head));
	at += sizeof(head);
	if (packet->caplen > 0) {
		memcpy(at, packet->data, packet->caplen);
		at += packet->caplen;
	}
	memcpy(at, &zero, padding);
	at += padding;
	if (number != 0) {
		memcpy(at, id, 4);
		memcpy(at + 4, &number, 8);
		memcpy(at + 12, &zero, 4);
		at += BLOCK_PACKET_ID;
	}
	memcpy(at, &len, 4);
	return len;
}
