/* SPDX-License-Identifier: Apache-2.0 */
/* Keeping packets for later: see keeper.h. */
#include "capture/keeper.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "capture/clock.h"
#include "capture/block.h"
#include "capture/keep_dir.h"
#include "capture/source.h"

enum {
	MAX_INTERFACES = 1 << 10,
	INTERFACES_ROOM = 64 << 10, /* bytes of their blocks */
	FILES = 64,                 /* about so many make up `max` */
	MIN_FILE = 2 << 20
};

#define MAX_FILE  (UINT64_C(256) << 20)
#define WAIT_NS   (NS_PER_S / 2)  /* packets are in memory for so long, at most */
#define SILENT_NS (10 * NS_PER_S) /* between two complaints */

/* Packets on their way to a file. */
struct chunk {
	struct chunk *next;
	size_t used;
	uint32_t npackets;
	uint32_t ninterfaces; /* that were known when it was handed over */
	uint64_t first;       /* number of the first packet */
	uint64_t last;
	int64_t begun_ns; /* monotonic */
	uint8_t bytes[KEEPER_CHUNK];
};

struct interface {
	const struct capture *capture;
	uint16_t number; /* in its input */
	uint16_t linktype;
	size_t end; /* of its block, among the blocks */
};

struct keeper {
	struct keeper_options options;
	char directory[512]; /* printable */
	char message[CAPTURE_MESSAGE];
	int fd;
	/* the reading thread's */
	struct chunk *chunk; /* being filled */
	size_t last;         /* the interface of the packet before */
	/* both threads', under the lock */
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct chunk *free;
	struct chunk *head; /* waiting to be written, the oldest first */
	struct chunk *tail;
	size_t nchunks; /* that there are */
	bool ended;
	struct keeper_stats stats;
	struct interface interfaces[MAX_INTERFACES]; /* never change once they are there */
	size_t ninterfaces;
	uint8_t blocks[INTERFACES_ROOM]; /* of the interfaces, one behind the other */
	/* the writing thread's (before the start and after the end: anybody's) */
	pthread_t thread;
	bool running;
	struct keep_dir files; /* the last one is open when `file` is */
	size_t oldest;         /* of those that are still there */
	int file;              /* being written; -1: none */
	uint64_t held;         /* bytes of all files that are there */
	size_t told;           /* bytes of `blocks` that are in the file */
	uint32_t run;
	int64_t begin_ns; /* of the newest name */
	bool failing;
	int64_t complained_ns;
};

static void say(const struct keeper *keeper, const char *text)
{
	if (keeper->options.say != NULL) {
		keeper->options.say(keeper->options.context, text);
	}
}

/* ---- files: the writing thread ---- */

static uint64_t file_limit(const struct keeper *keeper)
{
	uint64_t size = keeper->options.max / FILES;

	return size < MIN_FILE ? MIN_FILE : size < MAX_FILE ? size : MAX_FILE;
}

static struct keep_file *open_file(struct keeper *keeper)
{
	assert(keeper->file >= 0 && keeper->files.n > keeper->oldest);
	return &keeper->files.files[keeper->files.n - 1];
}

static void close_file(struct keeper *keeper)
{
	if (keeper->file >= 0) {
		close(keeper->file);
	}
	keeper->file = -1;
}

/* Give up the oldest file that is not being written. false: there is none, or it cannot be deleted */
static bool delete_oldest(struct keeper *keeper)
{
	const struct keep_file *file;

	if (keeper->oldest + (keeper->file >= 0 ? 1 : 0) >= keeper->files.n) {
		errno = ENOSPC;
		return false;
	}
	file = &keeper->files.files[keeper->oldest];
	/* somebody else may have deleted it: it is gone, as wanted */
	if (unlinkat(keeper->fd, file->name, 0) != 0 && errno != ENOENT) {
		return false;
	}
	keeper->held -= file->size;
	keeper->oldest++;
	pthread_mutex_lock(&keeper->lock);
	keeper->stats.deleted++;
	pthread_mutex_unlock(&keeper->lock);
	/* the list's beginning is used again now and then */
	if (keeper->oldest > FILES) {
		keeper->files.n -= keeper->oldest;
		memmove(keeper->files.files, keeper->files.files + keeper->oldest,
			keeper->files.n * sizeof(*keeper->files.files));
		keeper->oldest = 0;
	}
	return true;
}

static bool make_room(struct keeper *keeper, uint64_t n)
{
	while (keeper->held + n > keeper->options.max) {
		if (!delete_oldest(keeper)) {
			return false;
		}
	}
	return true;
}

/* All of it or nothing: what was written in part is taken back. */
static bool write_whole(struct keeper *keeper, const uint8_t *p, size_t n)
{
	struct keep_file *file = open_file(keeper);
	size_t done = 0;
	int saved;

	while (done < n) {
		ssize_t got = write(keeper->file, p + done, n - done);

		if (got > 0) {
			done += (size_t)got;
		} else if (got == 0 || errno != EINTR) {
			saved = got == 0 ? ENOSPC : errno;
			if (done > 0 && (ftruncate(keeper->file, (off_t)file->size) != 0 ||
					 lseek(keeper->file, (off_t)file->size, SEEK_SET) < 0)) {
				/* it ends inside a block, so it ends here */
				file->size += done;
				keeper->held += done;
				close_file(keeper);
			}
			errno = saved;
			return false;
		}
	}
	file->size += n;
	keeper->held += n;
	return true;
}

static bool begin_file(struct keeper *keeper, const struct chunk *chunk)
{
	struct keep_file file = {.run = keeper->run, .first = chunk->first};
	int64_t now = clock_ns(CLOCK_REALTIME);
	struct block block;
	char comment[96];

	/* names ascend whatever the clock does */
	keeper->begin_ns = now > keeper->begin_ns ? now : keeper->begin_ns + 1;
	file.begin_ns = keeper->begin_ns;
	keep_file_name(&file);
	keeper->file = openat(keeper->fd, file.name,
			      O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (keeper->file < 0) {
		return false;
	}
	if (keep_dir_add(&keeper->files, &file) < 0) {
		close_file(keeper);
		(void)unlinkat(keeper->fd, file.name, 0);
		errno = ENOMEM;
		return false;
	}
	keeper->told = 0;
	(void)snprintf(comment, sizeof(comment), "kept by weir: run %u, from packet %llu",
		       (unsigned)file.run, (unsigned long long)file.first);
	block_section(&block, keeper->options.version, comment);
	if (!write_whole(keeper, block.p, block_end(&block))) {
		int saved = errno;

		/* a file without its beginning is none */
		keeper->held -= keeper->files.files[--keeper->files.n].size;
		close_file(keeper);
		(void)unlinkat(keeper->fd, file.name, 0);
		errno = saved;
		return false;
	}
	pthread_mutex_lock(&keeper->lock);
	keeper->stats.begun++;
	pthread_mutex_unlock(&keeper->lock);
	return true;
}

/* One attempt: the file that it belongs into, the interfaces that it needs, the chunk. */
static bool try_chunk(struct keeper *keeper, const struct chunk *chunk)
{
	size_t described =
		chunk->ninterfaces == 0 ? 0 : keeper->interfaces[chunk->ninterfaces - 1].end;
	size_t told;

	if (keeper->file >= 0 && open_file(keeper)->size + chunk->used > file_limit(keeper)) {
		close_file(keeper);
	}
	if (!make_room(keeper, BLOCK_ROOM + described + chunk->used)) {
		return false;
	}
	if (keeper->file < 0 && !begin_file(keeper, chunk)) {
		return false;
	}
	told = keeper->told;
	if (told < described) {
		if (!write_whole(keeper, keeper->blocks + told, described - told)) {
			return false;
		}
		keeper->told = described;
	}
	return write_whole(keeper, chunk->bytes, chunk->used);
}

static void complain(struct keeper *keeper, int error)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);
	char text[1024];

	if (!keeper->failing &&
	    (keeper->complained_ns == 0 || now - keeper->complained_ns > SILENT_NS)) {
		keeper->complained_ns = now;
		(void)snprintf(
			text, sizeof(text),
			"weir: error: packets cannot be kept in %s: %s\n  Those that are not "
			"kept are counted; it is tried again.\n",
			keeper->directory, strerror(error));
		say(keeper, text);
	}
}

static void write_chunk(struct keeper *keeper, const struct chunk *chunk)
{
	bool done = try_chunk(keeper, chunk);
	int error = errno;

	/* a full disk: the newest packets are worth more than the oldest */
	while (!done && (error == ENOSPC || error == EDQUOT) && delete_oldest(keeper)) {
		done = try_chunk(keeper, chunk);
		error = errno;
	}
	if (!done) {
		complain(keeper, error);
	}
	keeper->failing = !done;
	pthread_mutex_lock(&keeper->lock);
	if (done) {
		keeper->stats.packets += chunk->npackets;
		keeper->stats.bytes += chunk->used;
	} else {
		keeper->stats.write_failed += chunk->npackets;
	}
	keeper->stats.held = keeper->held;
	keeper->stats.files = keeper->files.n - keeper->oldest;
	pthread_mutex_unlock(&keeper->lock);
}

static void *keeper_main(void *context)
{
	struct keeper *keeper = context;

	pthread_mutex_lock(&keeper->lock);
	for (;;) {
		struct chunk *chunk = keeper->head;

		if (chunk == NULL && keeper->ended) {
			break;
		}
		if (chunk == NULL) {
			pthread_cond_wait(&keeper->moved, &keeper->lock);
			continue;
		}
		keeper->head = chunk->next;
		pthread_mutex_unlock(&keeper->lock);
		write_chunk(keeper, chunk);
		pthread_mutex_lock(&keeper->lock);
		chunk->next = keeper->free;
		keeper->free = chunk;
		pthread_cond_signal(&keeper->moved);
	}
	pthread_mutex_unlock(&keeper->lock);
	close_file(keeper);
	return NULL;
}

/* ---- chunks: the reading thread ---- */

static void hand_over(struct keeper *keeper)
{
	struct chunk *chunk = keeper->chunk;

	keeper->chunk = NULL;
	chunk->next = NULL;
	pthread_mutex_lock(&keeper->lock);
	chunk->ninterfaces = (uint32_t)keeper->ninterfaces;
	if (keeper->head == NULL) {
		keeper->head = chunk;
	} else {
		keeper->tail->next = chunk;
	}
	keeper->tail = chunk;
	pthread_cond_signal(&keeper->moved);
	pthread_mutex_unlock(&keeper->lock);
}

static struct chunk *get_chunk(struct keeper *keeper)
{
	struct chunk *chunk;

	pthread_mutex_lock(&keeper->lock);
	while (keeper->free == NULL && keeper->nchunks == KEEPER_CHUNKS && keeper->options.waits) {
		pthread_cond_wait(&keeper->moved, &keeper->lock);
	}
	chunk = keeper->free;
	if (chunk != NULL) {
		keeper->free = chunk->next;
	} else if (keeper->nchunks < KEEPER_CHUNKS) {
		chunk = malloc(sizeof(*chunk));
		keeper->nchunks += chunk != NULL ? 1 : 0;
	}
	pthread_mutex_unlock(&keeper->lock);
	if (chunk != NULL) {
		chunk->used = 0;
		chunk->npackets = 0;
		chunk->begun_ns = clock_ns(CLOCK_MONOTONIC);
	}
	return chunk;
}

static bool is_of(const struct interface *interface, const struct capture *capture,
		  const struct weir_packet *packet)
{
	return interface->capture == capture && interface->number == packet->interface &&
	       interface->linktype == packet->linktype;
}

/* Number of the packet's interface, which is described when it is new. Where there is no room for more, any of the same link type
 * stands in. @return below 0: none */
static int find_interface(struct keeper *keeper, const struct capture *capture,
			  const struct weir_packet *packet)
{
	size_t end = keeper->ninterfaces == 0 ? 0 : keeper->interfaces[keeper->ninterfaces - 1].end;
	const struct block_interface about = {
		.linktype = packet->linktype,
		.snaplen = keeper->options.snaplen,
		.name = capture_interface_name(capture, packet->interface),
	};
	struct block block;
	int other = -1;
	size_t i, len;

	for (i = 0; i < keeper->ninterfaces; i++) {
		if (is_of(&keeper->interfaces[i], capture, packet)) {
			return (int)i;
		}
		other = keeper->interfaces[i].linktype == packet->linktype ? (int)i : other;
	}
	block_interface(&block, &about);
	len = block_end(&block);
	if (keeper->ninterfaces == MAX_INTERFACES || end + len > INTERFACES_ROOM) {
		return other;
	}
	pthread_mutex_lock(&keeper->lock);
	memcpy(keeper->blocks + end, block.p, len);
	keeper->interfaces[i] = (struct interface){.capture = capture,
						   .number = packet->interface,
						   .linktype = packet->linktype,
						   .end = end + len};
	keeper->ninterfaces++;
	pthread_mutex_unlock(&keeper->lock);
	return (int)i;
}

static void take(struct keeper *keeper, const struct capture *capture,
		 const struct weir_packet *packet)
{
	size_t n = BLOCK_PACKET_ROOM + BLOCK_PACKET_ID + (size_t)packet->caplen;
	struct chunk *chunk = keeper->chunk;
	uint64_t *lost = NULL;
	int interface;

	if (chunk != NULL && chunk->used + n > KEEPER_CHUNK) {
		hand_over(keeper);
		chunk = NULL;
	}
	if (n > KEEPER_CHUNK) {
		lost = &keeper->stats.too_large;
	} else if (chunk == NULL) {
		chunk = keeper->chunk = get_chunk(keeper);
		lost = chunk == NULL ? &keeper->stats.queue_full : NULL;
	}
	if (lost == NULL) {
		interface =
			keeper->last < keeper->ninterfaces &&
					is_of(&keeper->interfaces[keeper->last], capture, packet)
				? (int)keeper->last
				: find_interface(keeper, capture, packet);
		lost = interface < 0 ? &keeper->stats.too_large : NULL;
	}
	if (lost != NULL) {
		pthread_mutex_lock(&keeper->lock);
		(*lost)++;
		pthread_mutex_unlock(&keeper->lock);
		return;
	}
	keeper->last = (size_t)interface;
	if (chunk->npackets == 0) {
		chunk->first = packet->number;
		chunk->last = packet->number - 2; /* not the one before */
	}
	chunk->used += block_packet(chunk->bytes + chunk->used, packet, (uint32_t)interface,
				    packet->number == chunk->last + 1 ? 0 : packet->number);
	chunk->last = packet->number;
	chunk->npackets++;
}

void keeper_take(struct keeper *keeper, const struct capture *capture,
		 const struct capture_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->npackets; i++) {
		take(keeper, capture, &batch->packets[i]);
	}
	keeper_tick(keeper);
}

void keeper_tick(struct keeper *keeper)
{
	if (keeper->chunk != NULL && keeper->chunk->npackets > 0 &&
	    clock_ns(CLOCK_MONOTONIC) - keeper->chunk->begun_ns > WAIT_NS) {
		hand_over(keeper);
	}
}

/* ---- life ---- */

static int fail(struct keeper *keeper, int err, const char *text)
{
	int saved = errno;

	(void)snprintf(keeper->message, sizeof(keeper->message), "packets cannot be kept in %s: %s",
		       keeper->directory, text != NULL ? text : strerror(saved));
	errno = saved;
	return err;
}

/* What an earlier run left counts, and goes first. */
static int find_files(struct keeper *keeper)
{
	int err = keep_dir_list(keeper->fd, &keeper->files);
	size_t i;

	for (i = 0; i < keeper->files.n; i++) {
		const struct keep_file *file = &keeper->files.files[i];

		keeper->held += file->size;
		keeper->run = file->run > keeper->run ? file->run : keeper->run;
		keeper->begin_ns = file->begin_ns;
	}
	keeper->run++;
	keeper->stats.held = keeper->held;
	keeper->stats.files = keeper->files.n;
	return err;
}

int keeper_open(const struct keeper_options *options, struct keeper **ret)
{
	struct keeper *keeper = calloc(1, sizeof(*keeper));
	int err;

	*ret = keeper;
	if (keeper == NULL) {
		return WEIR_ENOMEM;
	}
	keeper->options = *options;
	keeper->file = -1;
	pthread_mutex_init(&keeper->lock, NULL);
	pthread_cond_init(&keeper->moved, NULL);
	capture_escape_name(keeper->directory, sizeof(keeper->directory), options->directory);
	(void)mkdir(options->directory, 0700); /* that it is there is tried next */
	keeper->fd = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (keeper->fd < 0) {
		return fail(keeper, WEIR_EIO, NULL);
	}
	if (faccessat(keeper->fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
		return fail(keeper, WEIR_EIO, NULL);
	}
	if (flock(keeper->fd, LOCK_EX | LOCK_NB) != 0) {
		return errno == EWOULDBLOCK ? fail(keeper, WEIR_EACCES, "another weir does it")
					    : fail(keeper, WEIR_EIO, NULL);
	}
	err = find_files(keeper);
	return err < 0 ? fail(keeper, err, err == WEIR_ENOMEM ? "out of memory" : NULL) : 0;
}

const char *keeper_message(const struct keeper *keeper)
{
	return keeper == NULL ? "out of memory" : keeper->message;
}

int keeper_start(struct keeper *keeper)
{
	sigset_t all, before;
	int err;

	/* signals are for the thread that waits for packets */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&keeper->thread, NULL, keeper_main, keeper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	keeper->running = err == 0;
	return err == 0 ? 0 : WEIR_ENOMEM;
}

void keeper_finish(struct keeper *keeper)
{
	if (!keeper->running) {
		return;
	}
	if (keeper->chunk != NULL && keeper->chunk->npackets > 0) {
		hand_over(keeper);
	}
	pthread_mutex_lock(&keeper->lock);
	keeper->ended = true;
	pthread_cond_signal(&keeper->moved);
	pthread_mutex_unlock(&keeper->lock);
	pthread_join(keeper->thread, NULL);
	keeper->running = false;
}

void keeper_free(struct keeper *keeper)
{
	struct chunk *chunk;

	if (keeper == NULL) {
		return;
	}
	keeper_finish(keeper);
	free(keeper->chunk);
	while ((chunk = keeper->free) != NULL) {
		keeper->free = chunk->next;
		free(chunk);
	}
	keep_dir_fini(&keeper->files);
	if (keeper->fd >= 0) {
		close(keeper->fd);
	}
	pthread_cond_destroy(&keeper->moved);
	pthread_mutex_destroy(&keeper->lock);
	free(keeper);
}

void keeper_get_stats(struct keeper *keeper, struct keeper_stats *ret)
{
	pthread_mutex_lock(&keeper->lock);
	*ret = keeper->stats;
	pthread_mutex_unlock(&keeper->lock);
}
