/* SPDX-License-Identifier: Apache-2.0 */
/* capture/: what --ring does when the disk does not keep up, and the names of its files. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "capture/keep_dir.h"
#include "capture/keeper.h"
#include "read_capture.h"

enum { SIZE = 60000, PER_CHUNK = 8 /* 524,288 / (60,000 + 32 and a number) */ };

static void remove_all(const char *folder)
{
	DIR *dir = opendir(folder);
	const struct dirent *entry;
	char path[512];

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		(void)snprintf(path, sizeof(path), "%.200s/%.255s", folder, entry->d_name);
		(void)unlink(path);
	}
	closedir(dir);
	(void)rmdir(folder);
}

/* A source to be named by packets; nothing is read from it. */
static struct capture *open_source(void)
{
	static const uint8_t head[24] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0,
					 0,    0,    0,    0,    0, 0, 4, 0, 1, 0, 0, 0};
	struct capture *capture;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	assert_int_equal(write(ends[1], head, sizeof(head)), sizeof(head));
	close(ends[1]);
	assert_int_equal(capture_open_fd(ends[0], "source", 0, &capture), 0);
	return capture;
}

static void take(struct keeper *keeper, const struct capture *capture, uint64_t number)
{
	static uint8_t bytes[SIZE];
	struct weir_packet packet = {
		.data = bytes, .number = number, .caplen = SIZE, .wirelen = SIZE, .linktype = 1};
	struct capture_batch batch = {.packets = &packet, .npackets = 1, .max_packets = 1};

	keeper_take(keeper, capture, &batch);
}

/* The writing thread is not running: chunks fill up, and what does not fit is counted, packet by packet, without waiting. */
static void disk_that_stands_still_stalls_nothing(void **state)
{
	char folder[] = "/tmp/weir-keeper.XXXXXX";
	struct keeper_options options = {.directory = mkdtemp(folder), .max = UINT64_C(64) << 20};
	struct capture *capture = open_source();
	struct keeper_stats stats;
	struct keeper *keeper;
	uint64_t fit = (uint64_t)KEEPER_CHUNKS * PER_CHUNK, number;

	(void)state;
	assert_int_equal(keeper_open(&options, &keeper), 0);
	for (number = 1; number <= fit + 100; number++) {
		take(keeper, capture, number);
	}
	keeper_get_stats(keeper, &stats);
	assert_int_equal(stats.queue_full, 100);
	assert_int_equal(stats.packets, 0);
	/* the disk comes back: what was taken is written, and later packets are kept again */
	assert_int_equal(keeper_start(keeper), 0);
	while (stats.packets < fit) {
		usleep(1000);
		keeper_get_stats(keeper, &stats);
	}
	take(keeper, capture, 1000);
	keeper_finish(keeper);
	keeper_get_stats(keeper, &stats);
	assert_int_equal(stats.packets, fit + 1);
	assert_int_equal(stats.queue_full, 100);
	assert_int_equal(stats.write_failed + stats.too_large, 0);
	assert_true(stats.held > SIZE * fit && stats.held <= options.max);
	keeper_free(keeper);
	capture_close(capture);
	remove_all(folder);
}

/* Numbers of what was kept are right behind the packets that were not. */
static void numbers_survive_a_loss(void **state)
{
	char folder[] = "/tmp/weir-keeper.XXXXXX", path[512];
	struct keeper_options options = {.directory = mkdtemp(folder), .max = UINT64_C(64) << 20};
	struct capture *capture = open_source(), *again;
	uint64_t fit = (uint64_t)KEEPER_CHUNKS * PER_CHUNK, number, seen = 0;
	struct capture_batch batch;
	struct keeper_stats stats = {.packets = 0};
	struct keeper *keeper;
	struct keep_dir ring;
	int fd, got;
	size_t i, k;

	(void)state;
	assert_int_equal(keeper_open(&options, &keeper), 0);
	for (number = 1; number <= fit + 5; number++) {
		take(keeper, capture, number);
	}
	assert_int_equal(keeper_start(keeper), 0);
	while (stats.packets < fit) {
		usleep(1000);
		keeper_get_stats(keeper, &stats);
	}
	take(keeper, capture, fit + 6);
	take(keeper, capture, fit + 7);
	take(keeper, capture, fit + 9);
	keeper_free(keeper);
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	assert_int_equal(keep_dir_list(fd, &ring), 0);
	assert_int_equal(capture_batch_init(&batch, 64), 0);
	for (i = 0; i < ring.n; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", folder, ring.files[i].name);
		assert_int_equal(capture_open_file(path, 0, &again), 0);
		capture_use_own_numbers(again);
		while ((got = capture_fill(again, &batch)) > 0) {
			for (k = 0; k < batch.npackets; k++) {
				static const uint64_t last[] = {6, 7, 9};
				uint64_t want = seen < fit ? seen + 1 : fit + last[seen - fit];

				assert_int_equal(batch.packets[k].number, want);
				seen++;
			}
		}
		assert_int_equal(got, 0);
		capture_close(again);
	}
	assert_int_equal(seen, fit + 3);
	capture_batch_fini(&batch);
	keep_dir_fini(&ring);
	close(fd);
	capture_close(capture);
	remove_all(folder);
}

static void names_say_when_which_run_and_packet(void **state)
{
	static const char name[] = "ring-20261123T022301.000000007Z-r000002-p000000001204.pcapng";
	static const char *const others[] = {
		"ring-20261123T022301.000000007Z-r000002-p000000001204.pcapng.gz",
		"ring-20261323T022301.000000007Z-r000002-p000000001204.pcapng",
		"ring-20261123T022301.000000007Z-r2-p1204.pcapng",
		"ring-20261123T022301.7Z-r000002-p000000001204.pcapng",
		"Ring-20261123T022301.000000007Z-r000002-p000000001204.pcapng",
		"../g-20261123T022301.000000007Z-r000002-p000000001204.pcapng",
		"ring-",
		""};
	struct keep_file file;
	size_t i;

	(void)state;
	assert_true(keep_file_parse(name, &file));
	/* date -d 2026-11-23T02:23:01Z +%s */
	assert_int_equal(file.begin_ns, INT64_C(1795400581000000007));
	assert_int_equal(file.run, 2);
	assert_int_equal(file.first, 1204);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		assert_false(keep_file_parse(others[i], &file));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(disk_that_stands_still_stalls_nothing),
		cmocka_unit_test(numbers_survive_a_loss),
		cmocka_unit_test(names_say_when_which_run_and_packet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
