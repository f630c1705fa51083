/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to capture/: an interface that is captured on. live.c opens it, counts what it lost, and reads it where it is the only one;
 * readers.c reads several, each on a thread of its own.
 */
#ifndef CAPTURE_LIVE_H
#define CAPTURE_LIVE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <pcap/pcap.h>

#include "base/time.h"
#include "capture/source.h"

struct readers;

enum {
	LIVE_RETIRE_MS = 50, /* a block of the ring that is not full is handed over after this */
	LIVE_RETIRE_SHORT_MS = 10, /* the same where packets wait for those of other interfaces */
	LIVE_POLL_MS = 100, /* of waiting for packets at a time: timers run at least this often */
	LIVE_COUNTERS = 2,
	LIVE_NAME = 128 /* bytes of an interface's name, NUL included */
};

/* How far behind the clock a packet may be that has not been delivered yet. */
#define LIVE_LAG_NS NS_PER_S

/* Used by the thread that reads it, but for what is atomic. */
struct live_interface {
	pcap_t *pcap; /* NULL: gone */
	uint16_t index;
	uint16_t linktype;
	bool cooked;                 /* `any`: its packets name their interface */
	bool micro;                  /* times come in microseconds */
	int counters[LIVE_COUNTERS]; /* descriptors, or -1 */
	uint64_t counted[LIVE_COUNTERS];
	uint64_t size;       /* of its ring */
	int64_t measured_ns; /* when the drops were last read */
	int64_t begin_ns;    /* packets up to then are not wanted: some came to several captures */
	int64_t stopped_ns;  /* when the stop was noticed (monotonic); 0: not yet */
	int64_t until_ns;    /* then: the time up to which packets are wanted */
	bool past;           /* all that was captured before that has been read */
	/* any thread reads them */
	atomic_uint_fast64_t packets; /* delivered */
	atomic_uint_fast64_t freezes;
	atomic_uint_fast64_t kernel_drops;
	atomic_uint_fast64_t interface_drops;
	atomic_bool lost;        /* it went away, while others are there */
	char why[LIVE_NAME * 3]; /* then; written before */
};

/* A name that packets refer to by index: those captured on first, then what `any` covers. */
struct live_name {
	unsigned ifindex;
	char text[LIVE_NAME];
};

struct live {
	struct live_interface interfaces[CAPTURE_LIVE_INTERFACES];
	size_t n;
	struct live_name *names;
	size_t nnames;
	bool shares;             /* one of several captures, and not the first */
	int nap_ms;              /* one interface: to sleep before the next wait */
	struct readers *readers; /* NULL: there is one interface */
};

/** As capture_fail(), the whole text the caller's. */
void live_fail(struct capture *capture, int error, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** Packets of a batch have their bytes in it: room for n more. @return false: no memory */
bool live_make_room(struct capture_batch *batch, size_t n);

/** The time of a packet as the ring gives it. */
static inline int64_t live_time(const struct live_interface *interface,
				const struct pcap_pkthdr *head)
{
	int64_t fraction = interface->micro ? NS_PER_US : 1;

	return (int64_t)head->ts.tv_sec * NS_PER_S + head->ts.tv_usec * fraction;
}

/** The index of the name of the interface that a packet came through. */
uint16_t live_name_of(const struct live *live, const struct live_interface *interface,
		      const uint8_t *bytes, uint32_t caplen);

/** Read what the kernel has counted. By the thread that reads the interface; the second, no more than once a second. */
void live_measure(struct live_interface *interface);
void live_measure_now_and_then(struct live_interface *interface);

/** All of the interfaces' counts into the capture's. By the thread that fills. */
void live_add_up(struct capture *capture);

/** After a stop, with nothing in the ring: was the last block that the kernel was filling handed over? To be asked before looking. */
bool live_is_drained(struct live_interface *interface);

/** After a stop: it has been long enough, whatever the packets' times say. */
bool live_drains_too_long(const struct live_interface *interface);

/** The batch is filled: number its packets. */
void live_number(struct capture *capture, struct capture_batch *batch);

#endif
