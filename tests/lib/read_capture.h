/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of capture/: reads all of a file that is at hand as bytes, and compares its packets with a literal list. */
#ifndef TESTS_READ_CAPTURE_H
#define TESTS_READ_CAPTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "capture/capture.h"
#include "weir/error.h"

struct seen {
	int64_t ts_ns;
	uint32_t caplen;
	uint32_t wirelen;
	uint16_t linktype;
	uint16_t interface;
	const char *bytes;
};

struct result {
	int error; /* of opening, or the last of capture_fill() */
	size_t n;
	struct weir_packet packets[64];
	uint8_t bytes[64][16];
	char message[CAPTURE_MESSAGE];
	struct capture_stats stats;
	char name[128]; /* of interface 0 */
};

static inline int memory_file(const void *p, size_t len)
{
	int fd = memfd_create("capture", 0);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static inline void keep(struct result *result, const struct capture_batch *batch, size_t capacity)
{
	size_t i;

	assert_true(batch->npackets <= batch->max_packets);
	for (i = 0; i < batch->npackets && result->n < capacity; i++) {
		const struct weir_packet *packet = &batch->packets[i];
		size_t n = packet->caplen < 16 ? packet->caplen : 16;

		/* the bytes are the batch's own */
		assert_true(packet->caplen == 0 ||
			    (packet->data >= batch->buf &&
			     packet->data + packet->caplen <= batch->buf + batch->used));
		if (n > 0) {
			memcpy(result->bytes[result->n], packet->data, n);
		}
		result->packets[result->n++] = *packet;
	}
}

static inline void read_fd(struct result *result, int fd, size_t batch_size)
{
	struct capture *capture;
	struct capture_batch batch;
	const char *name;

	memset(result, 0, sizeof(*result));
	assert_int_equal(capture_batch_init(&batch, batch_size), 0);
	result->error = capture_open_fd(fd, "a.pcap", 3, &capture);
	/* damage is told when the packets before it have been given: the exit code differs */
	assert_int_not_equal(result->error, WEIR_EDAMAGED);
	while (result->error == 0) {
		int n = capture_fill(capture, &batch);

		if (n <= 0) {
			result->error = n;
			assert_int_equal(batch.npackets, 0);
			/* an end is an end, an error stays */
			assert_int_equal(capture_fill(capture, &batch), n);
			break;
		}
		assert_int_equal(n, batch.npackets);
		keep(result, &batch, 64);
	}
	strcpy(result->message, capture_message(capture));
	assert_int_equal(result->error < 0, result->message[0] != '\0');
	result->stats = *capture_stats(capture);
	name = capture_interface_name(capture, 0);
	strcpy(result->name, name == NULL ? "(none)" : name);
	assert_null(capture_interface_name(capture, 60000));
	capture_close(capture);
	capture_batch_fini(&batch);
}

static inline void read_bytes(struct result *result, const void *p, size_t len, size_t batch_size)
{
	read_fd(result, memory_file(p, len), batch_size);
}

static inline void check(const struct result *result, const struct seen *seen, size_t n)
{
	size_t i;

	assert_int_equal(result->n, n);
	assert_int_equal(result->stats.packets, n);
	for (i = 0; i < n; i++) {
		const struct weir_packet *packet = &result->packets[i];

		assert_int_equal(packet->number, i + 1);
		assert_int_equal(packet->input, 3);
		assert_true(packet->ts_ns == seen[i].ts_ns);
		assert_int_equal(packet->caplen, seen[i].caplen);
		assert_int_equal(packet->wirelen, seen[i].wirelen);
		assert_int_equal(packet->linktype, seen[i].linktype);
		assert_int_equal(packet->interface, seen[i].interface);
		assert_int_equal(packet->vlan_present, 0);
		assert_memory_equal(result->bytes[i], seen[i].bytes, seen[i].caplen);
	}
}

#endif
