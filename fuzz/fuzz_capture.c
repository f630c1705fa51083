/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Readers of capture files, from an in-memory file. The first byte of the input chooses the batch size (so that carrying
 * records over is met too); the rest is the file. What a batch of one gives must be what any other batch gives.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/capture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct sum {
	uint64_t packets;
	uint64_t hash;
	int error;
};

static uint64_t mix(uint64_t hash, uint64_t value)
{
	return (hash ^ value) * UINT64_C(0x100000001b3);
}

static void add_packet(struct sum *sum, const struct weir_packet *packet)
{
	uint32_t i;

	sum->packets++;
	if (packet->number != sum->packets || packet->caplen > CAPTURE_MAX_PACKET ||
	    packet->ts_ns > CAPTURE_MAX_TS_NS || packet->ts_ns < -CAPTURE_MAX_TS_NS) {
		abort();
	}
	sum->hash = mix(sum->hash, (uint64_t)packet->ts_ns);
	sum->hash = mix(sum->hash, (uint64_t)packet->linktype << 32 | packet->wirelen);
	sum->hash = mix(sum->hash, (uint64_t)packet->interface << 32 | packet->caplen);
	for (i = 0; i < packet->caplen; i++) {
		sum->hash = mix(sum->hash, packet->data[i]);
	}
}

static struct sum read_all(const uint8_t *data, size_t size, size_t batch_size)
{
	struct sum sum = {0};
	struct capture_batch batch;
	struct capture *capture = NULL;
	int fd = memfd_create("fuzz", 0);
	int n;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET) != 0 ||
	    capture_batch_init(&batch, batch_size) < 0) {
		abort();
	}
	n = capture_open_fd(fd, "fuzz", 0, &capture);
	while (n == 0 && (n = capture_fill(capture, &batch)) > 0) {
		int i;

		for (i = 0; i < n; i++) {
			add_packet(&sum, &batch.packets[i]);
		}
		n = 0;
	}
	sum.error = n;
	if ((n < 0) != (capture_message(capture)[0] != '\0')) {
		abort();
	}
	capture_close(capture);
	capture_batch_fini(&batch);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sum one, many;

	if (size < 1) {
		return 0;
	}
	one = read_all(data + 1, size - 1, 1);
	many = read_all(data + 1, size - 1, 1 + data[0]);
	if (one.packets != many.packets || one.hash != many.hash || one.error != many.error) {
		abort();
	}
	return 0;
}
