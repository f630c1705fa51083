/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that read an interface each, and their merge: see readers.h.
 *
 * A reader and the merge share the queue, and three flags of the reader: `busy` while it takes packets from its ring, `hungry` while it waits
 * for room, `ended`. Who waits says so before it looks for the last time, and who gives looks for that after it gave, with a
 * fence between in both: so no wake-up is missed. They wait in poll(2), on a descriptor each.
 */
#include "capture/readers.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/time.h"
#include "capture/clock.h"
#include "capture/queue.h"

enum {
	/*
	 * Bytes that one turn of reading may bring: a block of the ring, which libpcap makes as large as the largest packet, and does not
	 * leave before its end
	 */
	TURN_BYTES = 1 << 18,
	QUEUE_MIN = 4 * TURN_BYTES,
	QUEUE_MAX = 8 << 20, /* three eighths of it are 25 ms of 120 MB a second */
	TURN_PACKETS = 1024, /* before others hear of them */
	IDLE_MS =
		500 /* of waiting at a time: drops are counted, and is the interface still there? */
};

struct reader {
	struct queue queue;
	_Alignas(128) struct readers *readers;
	struct live_interface *interface;
	pthread_t thread;
	bool running;
	int wake_fd;
	uint64_t told; /* drops, with packets */
	atomic_bool busy;
	atomic_bool hungry;
	atomic_bool ended;
	/* of the merge */
	_Alignas(128) const struct queue_packet *head; /* NULL: none */
	int64_t upto_ns;                               /* packets up to then have been here */
};

struct readers {
	struct capture *capture;
	struct reader *all;
	size_t n;
	size_t size; /* of a queue */
	int wake_fd; /* of the merge */
	bool started;
	bool held;      /* packets wait for those of others */
	int64_t due_ns; /* then: the time of the first of them */
	atomic_bool waiting;
	atomic_bool stop; /* finish with what the kernel has */
	atomic_bool quit; /* nobody wants more */
};

static void wake(int fd)
{
	static const uint64_t one = 1;

	if (write(fd, &one, sizeof(one)) < 0) {
		/* it is readable already, then */
	}
}

static void take_wake(int fd)
{
	uint64_t n;

	while (read(fd, &n, sizeof(n)) > 0) {
	}
}

/* ---- a reader's thread ---- */

static void wake_merge(struct readers *readers)
{
	if (atomic_exchange(&readers->waiting, false)) {
		wake(readers->wake_fd);
	}
}

/* The kernel's and the interface's, since the last packet. */
static uint32_t new_drops(struct reader *reader)
{
	struct live_interface *interface = reader->interface;
	uint64_t now = atomic_load_explicit(&interface->kernel_drops, memory_order_relaxed) +
		       atomic_load_explicit(&interface->interface_drops, memory_order_relaxed);
	uint64_t n = now - reader->told;

	n = n < UINT32_MAX ? n : UINT32_MAX;
	reader->told += n;
	return (uint32_t)n;
}

static void on_packet(u_char *context, const struct pcap_pkthdr *head, const u_char *bytes)
{
	struct reader *reader = (struct reader *)context;
	struct live_interface *interface = reader->interface;
	struct queue_packet packet = {
		.ts_ns = live_time(interface, head), .caplen = head->caplen, .wirelen = head->len};

	if (packet.ts_ns <= interface->begin_ns) {
		return;
	}
	packet.interface =
		live_name_of(reader->readers->capture->live, interface, bytes, head->caplen);
	packet.drops = new_drops(reader);
	interface->past = interface->until_ns != 0 && packet.ts_ns > interface->until_ns;
	if (!queue_put(&reader->queue, &packet, bytes)) {
		/* does not happen: there was room for a whole block */
		atomic_fetch_add(&interface->kernel_drops, 1);
	}
	if (!queue_has_room(&reader->queue, TURN_BYTES)) {
		pcap_breakloop(interface->pcap);
	}
}

static bool is_pressed(const struct readers *readers, const struct reader *reader)
{
	return queue_fill(&reader->queue) > readers->size / 8 * 3;
}

static void publish(struct reader *reader)
{
	struct readers *readers = reader->readers;
	bool first = queue_publish(&reader->queue);

	if (atomic_load(&readers->waiting) && (first || is_pressed(readers, reader))) {
		wake_merge(readers);
	}
}

/* For packets, or for anything else that wakes it. */
static void wait_for_packets(struct reader *reader, int ms)
{
	struct pollfd fds[2] = {
		{.fd = pcap_get_selectable_fd(reader->interface->pcap), .events = POLLIN},
		{.fd = reader->wake_fd, .events = POLLIN}};

	(void)poll(fds, 2, ms);
	take_wake(reader->wake_fd);
}

static void wait_for_room(struct reader *reader)
{
	struct pollfd fd = {.fd = reader->wake_fd, .events = POLLIN};

	atomic_store(&reader->hungry, true);
	atomic_thread_fence(memory_order_seq_cst);
	if (!queue_has_room(&reader->queue, TURN_BYTES)) {
		(void)poll(&fd, 1, IDLE_MS);
	}
	atomic_store(&reader->hungry, false);
	take_wake(reader->wake_fd);
}

/* It went away: unplugged, a namespace deleted. */
static void lose(struct reader *reader)
{
	struct live_interface *interface = reader->interface;

	(void)snprintf(interface->why, sizeof(interface->why), "%.300s",
		       pcap_geterr(interface->pcap));
	atomic_store(&interface->lost, true);
}

/* What the ring holds, as far as there is room. @return false: nothing more comes */
static bool read_once(struct reader *reader)
{
	struct live_interface *interface = reader->interface;
	bool stopped = atomic_load(&reader->readers->stop);
	bool drained = stopped && live_is_drained(interface);
	uint64_t before = reader->queue.put;
	int n;

	if (interface->past || live_drains_too_long(interface)) {
		return false;
	}
	if (!queue_has_room(&reader->queue, TURN_BYTES)) {
		wait_for_room(reader);
		return true;
	}
	atomic_store(&reader->busy, true);
	n = pcap_dispatch(interface->pcap, TURN_PACKETS, on_packet, (u_char *)reader);
	publish(reader);
	atomic_store(&reader->busy, false);
	live_measure_now_and_then(interface);
	if (n == PCAP_ERROR) {
		lose(reader);
		return false;
	}
	if (reader->queue.put != before) {
		return true;
	}
	if (!drained) {
		wait_for_packets(reader, stopped ? LIVE_RETIRE_SHORT_MS : IDLE_MS);
	}
	return !drained;
}

static void *reader_main(void *context)
{
	struct reader *reader = context;

	while (!atomic_load(&reader->readers->quit) && read_once(reader)) {
	}
	live_measure(reader->interface);
	atomic_store(&reader->ended, true);
	wake_merge(reader->readers);
	return NULL;
}

/* ---- life ---- */

size_t capture_live_queue(uint64_t memory, size_t ninterfaces)
{
	size_t size = QUEUE_MAX;

	while (size > QUEUE_MIN && size * ninterfaces > memory) {
		size /= 2;
	}
	return size;
}

int readers_new(struct capture *capture, size_t size, struct readers **ret)
{
	struct readers *readers = calloc(1, sizeof(*readers));
	size_t i, n = capture->live->n;
	int err = 0;

	*ret = readers;
	if (readers == NULL) {
		return WEIR_ENOMEM;
	}
	assert(size >= QUEUE_MIN);
	readers->capture = capture;
	readers->size = size;
	readers->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	readers->all = aligned_alloc(_Alignof(struct reader), n * sizeof(*readers->all));
	if (readers->all == NULL || readers->wake_fd < 0) {
		return WEIR_ENOMEM;
	}
	memset(readers->all, 0, n * sizeof(*readers->all));
	for (i = 0; i < n && err == 0; i++) {
		struct reader *reader = &readers->all[i];

		readers->n++;
		reader->readers = readers;
		reader->interface = &capture->live->interfaces[i];
		reader->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		err = reader->wake_fd < 0 ? WEIR_ENOMEM : queue_init(&reader->queue, size);
	}
	return err;
}

int readers_start(struct readers *readers)
{
	sigset_t all, before;
	size_t i;
	int err = 0;

	if (readers->started) {
		return 0;
	}
	readers->started = true;
	/* signals are for the thread that waits for the readers */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (i = 0; i < readers->n && err == 0; i++) {
		struct reader *reader = &readers->all[i];

		err = pthread_create(&reader->thread, NULL, reader_main, reader);
		reader->running = err == 0;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return err == 0 ? 0 : WEIR_ENOMEM;
}

static void wake_all(struct readers *readers)
{
	size_t i;

	for (i = 0; i < readers->n; i++) {
		wake(readers->all[i].wake_fd);
	}
}

uint64_t readers_memory(const struct readers *readers)
{
	return (uint64_t)readers->n * readers->size;
}

void readers_free(struct readers *readers)
{
	size_t i;

	if (readers == NULL) {
		return;
	}
	atomic_store(&readers->quit, true);
	wake_all(readers);
	for (i = 0; i < readers->n; i++) {
		struct reader *reader = &readers->all[i];

		if (reader->running) {
			pthread_join(reader->thread, NULL);
		}
		queue_fini(&reader->queue);
		if (reader->wake_fd >= 0) {
			close(reader->wake_fd);
		}
	}
	if (readers->wake_fd >= 0) {
		close(readers->wake_fd);
	}
	free(readers->all);
	free(readers);
}

/* ---- the merge ---- */

/* The first packets that there are now. */
static void look(struct readers *readers)
{
	size_t i;

	for (i = 0; i < readers->n; i++) {
		readers->all[i].head = queue_peek(&readers->all[i].queue);
	}
}

/*
 * How far those without packets are known. A ring that has nothing to read now, whose reader is not taking any: all that is older than a
 * block may become has been here.
 */
static void look_at_quiet(struct readers *readers, int64_t now_ns)
{
	struct pollfd fds[CAPTURE_LIVE_INTERFACES];
	int64_t step = READERS_STEP_MS * NS_PER_MS;
	int64_t upto_ns = (now_ns - READERS_HOLD_MS * NS_PER_MS) / step * step;
	size_t i;

	for (i = 0; i < readers->n; i++) {
		struct reader *reader = &readers->all[i];
		bool asked = reader->head == NULL && !atomic_load(&reader->ended);

		fds[i].fd = asked ? pcap_get_selectable_fd(reader->interface->pcap) : -1;
		fds[i].events = POLLIN;
		fds[i].revents = 0;
	}
	(void)poll(fds, readers->n, 0);
	for (i = 0; i < readers->n; i++) {
		struct reader *reader = &readers->all[i];
		bool ended = atomic_load(&reader->ended);
		bool quiet = (fds[i].revents & POLLIN) == 0 && !atomic_load(&reader->busy);

		if (reader->head != NULL) {
			continue;
		}
		/* what it took before it was quiet was published before */
		reader->head = queue_peek(&reader->queue);
		if (ended) {
			reader->upto_ns = INT64_MAX;
		} else if (quiet && upto_ns > reader->upto_ns) {
			reader->upto_ns = upto_ns;
		}
	}
}

/* Whose packet is next, and up to which time are his the next ones? NULL: nobody's, or that is not known yet */
static struct reader *next_reader(struct readers *readers, int64_t now_ns, bool pressed,
				  int64_t *ret_bound_ns)
{
	struct reader *first = NULL;
	int64_t bound_ns = INT64_MAX;
	size_t i;

	for (i = 0; i < readers->n; i++) {
		struct reader *reader = &readers->all[i];

		if (reader->head == NULL) {
			continue;
		}
		if (reader->head->ts_ns > now_ns + LIVE_LAG_NS) {
			*ret_bound_ns = reader->head->ts_ns;
			return reader;
		}
		if (first == NULL || reader->head->ts_ns < first->head->ts_ns) {
			first = reader;
		}
	}
	for (i = 0; first != NULL && i < readers->n; i++) {
		const struct reader *reader = &readers->all[i];
		int64_t upto_ns = reader->head != NULL ? reader->head->ts_ns
				  : pressed            ? INT64_MAX
						       : reader->upto_ns;

		if (reader != first && upto_ns < bound_ns) {
			bound_ns = upto_ns;
		}
	}
	readers->held = first != NULL && first->head->ts_ns > bound_ns;
	if (readers->held) {
		readers->due_ns = first->head->ts_ns;
		return NULL;
	}
	*ret_bound_ns = bound_ns;
	return first;
}

static bool is_full(const struct capture_batch *batch)
{
	return batch->npackets == batch->max_packets || batch->used >= CAPTURE_BLOCK;
}

static bool append(const struct reader *reader, struct capture_batch *batch)
{
	const struct queue_packet *from = reader->head;

	if (!live_make_room(batch, from->caplen)) {
		return false;
	}
	memcpy(batch->buf + batch->used, from->bytes, from->caplen);
	batch->packets[batch->npackets++] = (struct weir_packet){
		.data = batch->buf + batch->used,
		.ts_ns = from->ts_ns,
		.caplen = from->caplen,
		.wirelen = from->wirelen,
		.linktype = reader->interface->linktype,
		.interface = from->interface,
		.input = reader->readers->capture->index,
		.drops = from->drops,
	};
	batch->used += from->caplen;
	return true;
}

/* A reader's packets up to that time, as far as the batch has room. */
static void take(struct reader *reader, int64_t bound_ns, struct capture_batch *batch)
{
	size_t before = batch->npackets;
	uint64_t n;

	while (reader->head != NULL && reader->head->ts_ns <= bound_ns && !is_full(batch)) {
		if (!append(reader, batch)) {
			live_fail(reader->readers->capture, WEIR_ENOMEM,
				  "packets cannot be read on: out of memory");
			break;
		}
		if (reader->head->ts_ns > reader->upto_ns) {
			reader->upto_ns = reader->head->ts_ns;
		}
		queue_pop(&reader->queue, reader->head);
		reader->head = queue_peek(&reader->queue);
	}
	n = batch->npackets - before;
	/* written by this thread only */
	n += atomic_load_explicit(&reader->interface->packets, memory_order_relaxed);
	atomic_store_explicit(&reader->interface->packets, n, memory_order_relaxed);
	queue_give_back(&reader->queue);
	if (atomic_load(&reader->hungry) &&
	    queue_fill(&reader->queue) <= reader->readers->size / 4) {
		atomic_store(&reader->hungry, false);
		wake(reader->wake_fd);
	}
}

/* What can be delivered now, as far as the batch has room. */
static void merge(struct readers *readers, struct capture_batch *batch, int64_t now_ns)
{
	bool pressed = false, looked = false;
	size_t i;

	for (i = 0; i < readers->n; i++) {
		pressed = pressed || is_pressed(readers, &readers->all[i]);
	}
	look(readers);
	while (!is_full(batch) && readers->capture->error == 0) {
		int64_t bound_ns = 0;
		struct reader *reader = next_reader(readers, now_ns, pressed, &bound_ns);

		if (reader != NULL) {
			take(reader, bound_ns, batch);
		} else if (readers->held && !looked) {
			look_at_quiet(readers, now_ns);
			looked = true;
		} else {
			break;
		}
	}
}

/* Until there is something new, or time is over. @return is it over, or does anybody want this thread? */
static bool wait_for_readers(struct readers *readers, int64_t until_ns)
{
	struct pollfd fds[2] = {{.fd = readers->wake_fd, .events = POLLIN},
				{.fd = readers->capture->wake_fd, .events = POLLIN}};
	int64_t wait_ns = until_ns - clock_ns(CLOCK_MONOTONIC);
	int n;

	if (readers->held) {
		int64_t due_ns =
			readers->due_ns + READERS_HOLD_MS * NS_PER_MS - clock_ns(CLOCK_REALTIME);

		wait_ns = due_ns < wait_ns ? due_ns : wait_ns;
	}
	wait_ns = wait_ns > 0 ? wait_ns : 0;
	n = poll(fds, 2, (int)(wait_ns / NS_PER_MS) + READERS_STEP_MS);
	take_wake(readers->wake_fd);
	capture_take_wake(readers->capture);
	/* a signal: whoever asked for something gets it now */
	return n < 0 || fds[1].revents != 0 || clock_ns(CLOCK_MONOTONIC) >= until_ns;
}

static void obey_stop(struct readers *readers)
{
	if (capture_is_stopped(readers->capture) && !atomic_load(&readers->stop)) {
		atomic_store(&readers->stop, true);
		wake_all(readers);
	}
}

static bool have_ended(struct readers *readers)
{
	size_t i;

	for (i = 0; i < readers->n && atomic_load(&readers->all[i].ended); i++) {
	}
	return i == readers->n;
}

/* Nothing comes any more: because it was stopped, or because all have gone. */
static int end(struct readers *readers)
{
	struct capture *capture = readers->capture;
	const struct live_interface *interface = readers->all[readers->n - 1].interface;

	if (!atomic_load(&readers->stop) && capture->error == 0) {
		live_fail(capture, WEIR_EIO, "capturing has ended on all %zu interfaces; on %s: %s",
			  readers->n, capture->live->names[interface->index].text, interface->why);
	}
	return capture->error;
}

int readers_fill(struct readers *readers, struct capture_batch *batch)
{
	struct capture *capture = readers->capture;
	int64_t until_ns = 0;
	bool waited = false, ended = false;

	for (;;) {
		int64_t now_ns = clock_ns(CLOCK_REALTIME);

		obey_stop(readers);
		ended = have_ended(readers);
		merge(readers, batch, now_ns);
		if (batch->npackets > 0 || capture->error != 0 || ended || waited) {
			batch->clock_ns = batch->npackets == 0 ? now_ns - LIVE_LAG_NS : 0;
			break;
		}
		if (!atomic_load(&readers->waiting)) {
			/* those who give after this wake us: look once more */
			atomic_store(&readers->waiting, true);
			atomic_thread_fence(memory_order_seq_cst);
			continue;
		}
		until_ns = until_ns != 0 ? until_ns
					 : clock_ns(CLOCK_MONOTONIC) + LIVE_POLL_MS * NS_PER_MS;
		waited = wait_for_readers(readers, until_ns);
		atomic_store(&readers->waiting, false);
	}
	atomic_store_explicit(&readers->waiting, false, memory_order_relaxed);
	live_add_up(capture);
	if (batch->npackets > 0) {
		live_number(capture, batch);
		return (int)batch->npackets;
	}
	return ended || capture->error != 0 ? end(readers) : CAPTURE_IDLE;
}
