/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Packets from network interfaces, by libpcap (on Linux: one TPACKET_V3 ring an interface, which it maps for us).
 *
 * Idea: the rings are read without blocking and waited for with our own poll(2) and time limit. A blocking pcap_dispatch()
 * would sleep for ever on an idle link, and flows on it would never time out. The packets of a round are copied from the
 * rings into the batch, so that the ring's blocks go back to the kernel at once and the batch can go to another thread.
 *
 * One interface is read here, by the thread that fills. Several have a thread each, and what they read is merged by time (readers.h).
 *
 * Drops: PACKET_STATISTICS of each ring is read directly, and the interface's counters through descriptors opened at the
 * beginning. pcap_stats() would open files under /sys at each call, which the sandbox refuses, and then count nonsense.
 *
 * Several captures can share the packets of an interface (fanout): their rings join one group of the kernel's, which hashes addresses and
 * ports, the same for both directions, and puts fragments together for that. Until a ring has joined it gets every packet, so
 * all begin with what came when the last one had.
 *
 * `any` gives cooked packets (LINKTYPE_LINUX_SLL2), whose interface index becomes the packet's interface.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/time.h"
#include "base/wire.h"
#include "capture/clock.h"
#include "capture/filter.h"
#include "capture/live.h"
#include "capture/readers.h"

enum {
	DRAIN_MS = 150,       /* after a stop: until the last block has been handed over */
	DRAIN_MAX_MS = 60000, /* after a stop: never longer, whatever the packets' times say */
	NAP_MS = 3,           /* between two looks at a busy ring, at most */
	BUSY_PACKETS = 128,   /* at a time */
	BYTES_PER_MS = 1250000,
	WHOLE_PACKETS = 262144,
	MAX_NAMES = 1024, /* interfaces seen through `any` */
	SLL2_INDEX = 4    /* offset of the interface index in its header */
};

static const char *const interface_counters[LIVE_COUNTERS] = {"rx_missed_errors", "rx_fifo_errors"};

/* What a callback needs to put a packet into the batch. */
struct sink {
	struct capture *capture;
	struct capture_batch *batch;
	struct live_interface *interface;
	bool failed;
};

void live_fail(struct capture *capture, int error, const char *format, ...)
{
	va_list args;

	if (capture->error != 0) {
		return;
	}
	capture->error = error;
	va_start(args, format);
	(void)vsnprintf(capture->message, sizeof(capture->message), format, args);
	va_end(args);
}

/* ---- opening ---- */

static int error_of(int status)
{
	switch (status) {
	case PCAP_ERROR_PERM_DENIED:
	case PCAP_ERROR_PROMISC_PERM_DENIED:
		return WEIR_EACCES;
	case PCAP_ERROR_NO_SUCH_DEVICE:
	case PCAP_ERROR_IFACE_NOT_UP:
		return WEIR_ENOTFOUND;
	default:
		return WEIR_EIO;
	}
}

static int refuse(struct capture *capture, const char *name, pcap_t *pcap, int status)
{
	const char *detail = pcap_geterr(pcap);

	if (error_of(status) == WEIR_EACCES) {
		live_fail(capture, WEIR_EACCES, "cannot capture on %s: operation not permitted",
			  name);
	} else if (status == PCAP_ERROR_NO_SUCH_DEVICE) {
		live_fail(capture, WEIR_ENOTFOUND, "no interface \"%s\"", name);
	} else if (status == PCAP_ERROR_IFACE_NOT_UP) {
		live_fail(capture, WEIR_ENOTFOUND, "interface \"%s\" is not up", name);
	} else {
		live_fail(capture, WEIR_EIO, "cannot capture on %s: %s%s%s", name,
			  pcap_statustostr(status), detail[0] != '\0' ? ": " : "", detail);
	}
	return capture->error;
}

static uint32_t buffer_kib(const struct capture_live_options *options)
{
	return options->buffer_kib == 0 ? CAPTURE_LIVE_BUFFER_KIB : options->buffer_kib;
}

static int activate(struct capture *capture, const struct capture_live_options *options,
		    const char *name, pcap_t *pcap)
{
	uint32_t kib = buffer_kib(options);
	int status;

	if (pcap_set_snaplen(pcap, options->snaplen == 0 ? WHOLE_PACKETS : (int)options->snaplen) !=
		    0 ||
	    pcap_set_promisc(pcap, options->promiscuous && strcmp(name, "any") != 0) != 0 ||
	    pcap_set_timeout(pcap, options->ninterfaces > 1 ? LIVE_RETIRE_SHORT_MS
							    : LIVE_RETIRE_MS) != 0 ||
	    pcap_set_buffer_size(pcap, (int)(kib > INT_MAX / 1024 ? INT_MAX : kib * 1024)) != 0) {
		live_fail(capture, WEIR_EIO, "cannot capture on %s: %s", name, pcap_geterr(pcap));
		return WEIR_EIO;
	}
	(void)pcap_set_tstamp_precision(pcap, PCAP_TSTAMP_PRECISION_NANO);
	status = pcap_activate(pcap);
	return status < 0 ? refuse(capture, name, pcap, status) : 0;
}

/* Into the group of its interface; the first one has the kernel choose a number for it. */
static int join_group(struct capture *capture, const char *name, int fd, uint32_t *group)
{
	uint32_t flags = PACKET_FANOUT_HASH | PACKET_FANOUT_FLAG_DEFRAG;
	/* 0 is a number like others: what says that there is one is CAPTURE_GROUP */
	uint32_t option = *group == 0 ? (flags | PACKET_FANOUT_FLAG_UNIQUEID) << 16
				      : (*group - CAPTURE_GROUP) | flags << 16;
	socklen_t len = sizeof(option);

	if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &option, sizeof(option)) != 0 ||
	    getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &option, &len) != 0) {
		live_fail(capture, WEIR_EIO, "the packets of %s cannot be shared among rings: %s",
			  name, strerror(errno));
		return WEIR_EIO;
	}
	*group = (uint16_t)option + CAPTURE_GROUP;
	return 0;
}

static uint64_t read_counter(int fd)
{
	char text[32];
	ssize_t n = fd < 0 ? 0 : pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0) {
		return 0;
	}
	text[n] = '\0';
	return strtoull(text, NULL, 10);
}

static void open_counters(struct live_interface *interface, const char *name)
{
	char path[160];
	size_t i;

	for (i = 0; i < LIVE_COUNTERS; i++) {
		(void)snprintf(path, sizeof(path), "/sys/class/net/%.100s/statistics/%s", name,
			       interface_counters[i]);
		interface->counters[i] =
			strchr(name, '/') == NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		interface->counted[i] = read_counter(interface->counters[i]);
	}
}

static int set_filter(struct capture *capture, const char *text, const char *name, pcap_t *pcap)
{
	struct bpf_program program;
	int err;

	if (text == NULL || text[0] == '\0') {
		return 0;
	}
	err = filter_compile(pcap, text, &program);
	if (err == 0) {
		if (pcap_setfilter(pcap, &program) != 0) {
			err = WEIR_EIO;
		}
		pcap_freecode(&program);
	}
	if (err < 0) {
		live_fail(capture, err, "the capture filter cannot be used on %s: %s", name,
			  pcap_geterr(pcap));
	}
	return err;
}

static void add_name(struct live *live, unsigned ifindex, const char *text)
{
	struct live_name *name = &live->names[live->nnames];

	if (live->nnames < MAX_NAMES) {
		name->ifindex = ifindex;
		(void)snprintf(name->text, sizeof(name->text), "%s", text);
		live->nnames++;
	}
}

/* The names behind the indexes that `any` gives. Those of interfaces that come later are not asked for: packets of theirs
 * have the name "any". */
static void add_all_names(struct live *live)
{
	struct if_nameindex *all = if_nameindex();
	size_t i;

	for (i = 0; all != NULL && all[i].if_index != 0; i++) {
		add_name(live, all[i].if_index, all[i].if_name);
	}
	if (all != NULL) {
		if_freenameindex(all);
	}
}

static int open_interface(struct capture *capture, const struct capture_live_options *options,
			  const char *name)
{
	struct live *live = capture->live;
	struct live_interface *interface = &live->interfaces[live->n];
	char text[PCAP_ERRBUF_SIZE] = "";
	pcap_t *pcap = pcap_create(name, text);
	int err;

	if (pcap == NULL) {
		live_fail(capture, WEIR_EIO, "cannot capture on %s: %s", name, text);
		return WEIR_EIO;
	}
	interface->pcap = pcap;
	interface->index = (uint16_t)live->n++;
	memset(interface->counters, -1, sizeof(interface->counters));
	err = activate(capture, options, name, pcap);
	if (err < 0) {
		return err;
	}
	interface->cooked = strcmp(name, "any") == 0;
	if (interface->cooked) {
		(void)pcap_set_datalink(pcap, DLT_LINUX_SLL2);
	}
	err = set_filter(capture, options->filter, name, pcap);
	if (err < 0) {
		return err;
	}
	if (pcap_setnonblock(pcap, 1, text) < 0) {
		live_fail(capture, WEIR_EIO, "cannot capture on %s: %s", name, text);
		return WEIR_EIO;
	}
	interface->cooked = interface->cooked && pcap_datalink(pcap) == DLT_LINUX_SLL2;
	interface->linktype = filter_linktype(pcap_datalink(pcap));
	interface->micro = pcap_get_tstamp_precision(pcap) != PCAP_TSTAMP_PRECISION_NANO;
	interface->size = (uint64_t)buffer_kib(options) * 1024;
	if (options->fanout != NULL) {
		uint32_t *group = &options->fanout[interface->index];

		live->shares = *group != 0;
		err = join_group(capture, name, pcap_fileno(pcap), group);
		if (err < 0) {
			return err;
		}
	}
	/* the interface's own figures are told by one of those that share it */
	if (!live->shares) {
		open_counters(interface, name);
	}
	return 0;
}

int capture_open_live(const struct capture_live_options *options, uint16_t input,
		      struct capture **ret)
{
	struct capture *capture = capture_alloc(options->interfaces[0], input);
	bool any = false;
	size_t i;
	int err = 0;

	*ret = capture;
	if (capture == NULL) {
		return WEIR_ENOMEM;
	}
	capture->live = calloc(1, sizeof(*capture->live));
	if (capture->live != NULL) {
		capture->live->names = calloc(MAX_NAMES, sizeof(*capture->live->names));
	}
	if (capture->live == NULL || capture->live->names == NULL) {
		live_fail(capture, WEIR_ENOMEM, "cannot capture: out of memory");
		return WEIR_ENOMEM;
	}
	capture->stop_flag = options->stop;
	for (i = 0; i < options->ninterfaces && i < CAPTURE_LIVE_INTERFACES && err == 0; i++) {
		any = any || strcmp(options->interfaces[i], "any") == 0;
		add_name(capture->live, 0, options->interfaces[i]);
		err = open_interface(capture, options, options->interfaces[i]);
	}
	if (any) {
		add_all_names(capture->live);
	}
	if (err == 0 && capture->live->n > 1) {
		err = readers_new(capture, options->queue, &capture->live->readers);
		if (err < 0) {
			live_fail(capture, err, "cannot capture: out of memory");
		}
	}
	return err;
}

static void close_interface(struct live_interface *interface)
{
	size_t k;

	if (interface->pcap == NULL) {
		return;
	}
	pcap_close(interface->pcap);
	interface->pcap = NULL;
	for (k = 0; k < LIVE_COUNTERS; k++) {
		if (interface->counters[k] >= 0) {
			close(interface->counters[k]);
		}
	}
}

void live_free(struct live *live)
{
	size_t i;

	if (live == NULL) {
		return;
	}
	readers_free(live->readers);
	for (i = 0; i < live->n; i++) {
		close_interface(&live->interfaces[i]);
	}
	free(live->names);
	free(live);
}

const char *live_interface_name(const struct live *live, uint16_t interface)
{
	return interface < live->nnames ? live->names[interface].text : NULL;
}

/* ---- drops ---- */

/* Written by one thread only. */
static void add(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

static uint64_t get(const atomic_uint_fast64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

void live_measure(struct live_interface *interface)
{
	struct tpacket_stats_v3 stats = {0};
	socklen_t len = sizeof(stats);
	size_t k;

	interface->measured_ns = clock_ns(CLOCK_MONOTONIC);
	if (interface->pcap == NULL) {
		return;
	}
	/* reading it sets it to 0 */
	if (getsockopt(pcap_fileno(interface->pcap), SOL_PACKET, PACKET_STATISTICS, &stats, &len) ==
	    0) {
		add(&interface->kernel_drops, stats.tp_drops);
		add(&interface->freezes, stats.tp_freeze_q_cnt);
	}
	for (k = 0; k < LIVE_COUNTERS; k++) {
		uint64_t now = read_counter(interface->counters[k]);

		if (now > interface->counted[k]) {
			add(&interface->interface_drops, now - interface->counted[k]);
			interface->counted[k] = now;
		}
	}
}

void live_measure_now_and_then(struct live_interface *interface)
{
	if (clock_ns(CLOCK_MONOTONIC) - interface->measured_ns > NS_PER_S) {
		live_measure(interface);
	}
}

void live_add_up(struct capture *capture)
{
	struct live *live = capture->live;
	uint64_t kernel = 0, interface = 0;
	size_t i;

	for (i = 0; i < live->n; i++) {
		kernel += get(&live->interfaces[i].kernel_drops);
		interface += get(&live->interfaces[i].interface_drops);
	}
	capture->stats.kernel_drops = kernel;
	capture->stats.interface_drops = interface;
}

void capture_interface_drops(const struct capture *capture, uint16_t interface,
			     struct capture_drops *ret)
{
	memset(ret, 0, sizeof(*ret));
	if (capture->live != NULL && interface < capture->live->n) {
		ret->kernel = get(&capture->live->interfaces[interface].kernel_drops);
		ret->interface = get(&capture->live->interfaces[interface].interface_drops);
	}
}

bool capture_get_ring(const struct capture *capture, size_t i, struct capture_ring *ret)
{
	const struct live_interface *interface;

	if (capture->live == NULL || i >= capture->live->n) {
		return false;
	}
	interface = &capture->live->interfaces[i];
	*ret = (struct capture_ring){.interface = capture->live->names[i].text,
				     .size = interface->size,
				     .packets = get(&interface->packets),
				     .drops = get(&interface->kernel_drops),
				     .freezes = get(&interface->freezes),
				     .ended =
					     atomic_load(&interface->lost) ? interface->why : NULL};
	return true;
}

uint64_t capture_memory(const struct capture *capture)
{
	const struct live *live = capture->live;

	return live == NULL || live->readers == NULL ? 0 : readers_memory(live->readers);
}

void capture_share(struct capture *const *captures, size_t n)
{
	int64_t begin_ns = 0;
	size_t i, k;

	for (i = 0; i < n; i++) {
		struct live *live = captures[i]->live;

		begin_ns = clock_ns(CLOCK_REALTIME);
		for (k = 0; k < live->n; k++) {
			live_measure(&live->interfaces[k]);
			atomic_store(&live->interfaces[k].kernel_drops, 0);
			atomic_store(&live->interfaces[k].freezes, 0);
		}
	}
	/* the same moment for all: that of the last */
	for (i = 0; i < n; i++) {
		for (k = 0; k < captures[i]->live->n; k++) {
			captures[i]->live->interfaces[k].begin_ns = begin_ns;
		}
	}
}

/* ---- reading ---- */

uint16_t live_name_of(const struct live *live, const struct live_interface *interface,
		      const uint8_t *bytes, uint32_t caplen)
{
	uint32_t ifindex;
	size_t i;

	if (!interface->cooked || caplen < SLL2_INDEX + 4) {
		return interface->index;
	}
	ifindex = load_be32(bytes + SLL2_INDEX);
	for (i = live->n; i < live->nnames; i++) {
		if (live->names[i].ifindex == ifindex) {
			return (uint16_t)i;
		}
	}
	return interface->index;
}

bool live_make_room(struct capture_batch *batch, size_t n)
{
	uintptr_t before = (uintptr_t)batch->buf;
	size_t i;

	if (batch->used + n <= batch->size) {
		return true;
	}
	if (capture_reserve(&batch->buf, &batch->size, batch->used + n) < 0) {
		return false;
	}
	for (i = 0; i < batch->npackets; i++) {
		batch->packets[i].data = batch->buf + ((uintptr_t)batch->packets[i].data - before);
	}
	return true;
}

static void on_packet(u_char *context, const struct pcap_pkthdr *head, const u_char *bytes)
{
	struct sink *sink = (struct sink *)context;
	struct live_interface *interface = sink->interface;
	struct capture_batch *batch = sink->batch;
	struct weir_packet *packet = &batch->packets[batch->npackets];
	int64_t ts_ns = live_time(interface, head);

	if (ts_ns <= interface->begin_ns) {
		return;
	}
	if (batch->npackets == batch->max_packets || !live_make_room(batch, head->caplen)) {
		sink->failed = true;
		pcap_breakloop(interface->pcap);
		return;
	}
	memcpy(batch->buf + batch->used, bytes, head->caplen);
	*packet = (struct weir_packet){
		.data = batch->buf + batch->used,
		.ts_ns = ts_ns,
		.caplen = head->caplen,
		.wirelen = head->len,
		.linktype = interface->linktype,
		.interface = live_name_of(sink->capture->live, interface, bytes, head->caplen),
		.input = sink->capture->index,
		.drops = capture_new_drops(sink->capture),
	};
	interface->past = interface->until_ns != 0 && packet->ts_ns > interface->until_ns;
	batch->used += head->caplen;
	batch->npackets++;
	add(&interface->packets, 1);
	if (batch->used >= CAPTURE_BLOCK) {
		pcap_breakloop(interface->pcap);
	}
}

static void measure(struct capture *capture, struct live_interface *interface)
{
	live_measure(interface);
	live_add_up(capture);
}

static void measure_now_and_then(struct capture *capture, struct live_interface *interface)
{
	live_measure_now_and_then(interface);
	live_add_up(capture);
}

/* What the ring holds, as far as the batch has room. */
static void drain(struct capture *capture, struct live_interface *interface,
		  struct capture_batch *batch)
{
	struct sink sink = {.capture = capture, .batch = batch, .interface = interface};
	int n;

	if (interface->past) {
		return;
	}
	n = pcap_dispatch(interface->pcap, (int)batch->max_packets, on_packet, (u_char *)&sink);
	if (n == PCAP_ERROR) {
		/* it went away: unplugged, a namespace deleted */
		measure(capture, interface);
		live_fail(capture, WEIR_EIO, "capturing on %s has ended: %s",
			  capture->live->names[interface->index].text,
			  pcap_geterr(interface->pcap));
		close_interface(interface);
	} else if (sink.failed) {
		add(&interface->kernel_drops, 1); /* out of memory for one packet */
	}
}

void live_number(struct capture *capture, struct capture_batch *batch)
{
	size_t i;

	for (i = 0; i < batch->npackets; i++) {
		batch->packets[i].number = ++capture->stats.packets;
	}
	capture->stats.bytes += batch->used;
}

bool live_is_drained(struct live_interface *interface)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);

	if (interface->stopped_ns == 0) {
		interface->stopped_ns = now;
		interface->until_ns = clock_ns(CLOCK_REALTIME);
	}
	return interface->past || now - interface->stopped_ns > DRAIN_MS * NS_PER_MS;
}

bool live_drains_too_long(const struct live_interface *interface)
{
	return interface->stopped_ns != 0 &&
	       clock_ns(CLOCK_MONOTONIC) - interface->stopped_ns > DRAIN_MAX_MS * NS_PER_MS;
}

/*
 * Where packets come one after the other, every block of the ring would wake the thread, a thousand times a second: after a round
 * with packets it sleeps first, as long as 10 Gbit/s need for an eighth of the ring at most, and then takes what there is.
 */
static int nap_of(const struct live_interface *interface, size_t npackets)
{
	uint64_t ms = interface->size / 8 / BYTES_PER_MS;

	if (npackets < BUSY_PACKETS) {
		return 0;
	}
	return ms < NAP_MS ? (int)ms : NAP_MS;
}

/* @param fd a ring, or -1. @return was it ended by who wants this thread, or by a signal? */
static bool wait_for(struct capture *capture, int fd, int ms)
{
	struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
				{.fd = capture->wake_fd, .events = POLLIN}};
	bool woken = poll(fds, 2, ms) < 0 || fds[1].revents != 0;

	if (woken) {
		capture_take_wake(capture);
	}
	return woken;
}

/* The only interface. */
static int fill_one(struct capture *capture, struct capture_batch *batch)
{
	struct live_interface *interface = &capture->live->interfaces[0];
	int nap_ms = capture->live->nap_ms;
	bool waited = false;

	for (;;) {
		int64_t before = clock_ns(CLOCK_REALTIME);
		bool stopped = capture_is_stopped(capture);
		bool drained = stopped && live_is_drained(interface);

		if (capture->error == 0 && !live_drains_too_long(interface)) {
			drain(capture, interface, batch);
		}
		if (batch->npackets > 0) {
			live_number(capture, batch);
			measure_now_and_then(capture, interface);
			capture->live->nap_ms = nap_of(interface, batch->npackets);
			return (int)batch->npackets;
		}
		if (capture->error != 0 || drained) {
			measure(capture, interface);
			return capture->error;
		}
		if (waited) {
			batch->clock_ns = before - LIVE_LAG_NS;
			measure_now_and_then(capture, interface);
			return CAPTURE_IDLE;
		}
		if (nap_ms > 0 && !stopped) {
			waited = wait_for(capture, -1, nap_ms);
			capture->live->nap_ms = nap_ms = 0;
		} else {
			(void)wait_for(capture, pcap_get_selectable_fd(interface->pcap),
				       stopped ? LIVE_RETIRE_MS : LIVE_POLL_MS);
			waited = true;
		}
	}
}

int live_begin(struct capture *capture)
{
	struct live *live = capture->live;
	int err = live->readers == NULL ? 0 : readers_start(live->readers);

	if (err < 0) {
		live_fail(capture, err, "cannot capture: a thread cannot be started");
	}
	return err;
}

int live_fill(struct capture *capture, struct capture_batch *batch)
{
	assert(capture->live->n > 0);
	return capture->live->readers == NULL ? fill_one(capture, batch)
					      : readers_fill(capture->live->readers, batch);
}
