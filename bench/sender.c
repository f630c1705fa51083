/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends a capture (pcap, Ethernet) from an interface over and over, as fast as it goes or at a rate:
 *
 *	sender IFACE FILE [--seconds S] [--packets N] [--rate PPS] [--drop PERMILLE] [--reorder PERMILLE] [--same] [--first ROUND]
 *
 * Each round has flows of its own: IPv4 addresses of both ends are changed by the round's number (checksums with them), unless
 * --same. Of every thousand frames --drop are left out and --reorder come up to seven places late. Frames go to a hardware address
 * that nobody has, so that no host answers them. At the end one JSON object: what was sent, and what was not.
 *
 * Frames longer than a link's usual 1,514 bytes (merged by offloading) are left out. Frames are sent from where they were read to: sendmmsg(2) of 64 at a time, past the queueing discipline. One thread: its ceiling
 * is what one sender can do.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, LATE = 7, SECONDS = 2, ROUNDS = 1 << 16, SHORTEST = 34, LONGEST = 1514 };

struct frame {
	uint8_t *p;
	uint32_t len;
};

struct sender {
	int fd;
	uint8_t *bytes; /* of the frames */
	struct frame *frames;
	size_t nframes;
	double seconds, rate;
	uint64_t packets; /* at most; 0: no limit */
	unsigned drop, reorder;
	int same;
	uint64_t first; /* round */
	uint64_t sent, dropped, reordered, rounds, busy;
	uint64_t dice;
	struct timespec began;
};

static volatile sig_atomic_t stop;

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static int die(const char *what)
{
	fprintf(stderr, "sender: %s: %s\n", what, strerror(errno));
	return 1;
}

static unsigned roll(struct sender *sender, unsigned n)
{
	sender->dice = sender->dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((sender->dice >> 33) % n);
}

static double since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

/* ---- the capture ---- */

static uint32_t get32(const uint8_t *p, int swapped)
{
	uint32_t value;

	memcpy(&value, p, 4);
	return swapped ? __builtin_bswap32(value) : value;
}

/* All of it in memory, once: frames stay where they are. */
static int load(struct sender *sender, const char *path)
{
	FILE *file = fopen(path, "rb");
	struct stat st;
	uint8_t *p;
	size_t at = 24, room = 0;
	int swapped;

	if (file == NULL || fstat(fileno(file), &st) != 0) {
		return die(path);
	}
	p = malloc((size_t)st.st_size + 1);
	sender->bytes = p;
	if (p == NULL || fread(p, 1, (size_t)st.st_size, file) != (size_t)st.st_size) {
		return die(path);
	}
	fclose(file);
	swapped = st.st_size >= 24 && (p[0] == 0xa1);
	while (at + 16 <= (size_t)st.st_size) {
		uint32_t len = get32(p + at + 8, swapped);

		if (len > (size_t)st.st_size - at - 16) {
			break;
		}
		if (sender->nframes == room) {
			room = room == 0 ? 4096 : room * 2;
			sender->frames = realloc(sender->frames, room * sizeof(*sender->frames));
		}
		if (len >= SHORTEST && len <= LONGEST) {
			memcpy(p + at + 16, "\x02\0\0\0\0\x63", 6);
			sender->frames[sender->nframes++] = (struct frame){p + at + 16, len};
		}
		at += 16 + len;
	}
	errno = EINVAL;
	return sender->nframes == 0 ? die(path) : 0;
}

/* ---- addresses ---- */

/* RFC 1624: a 16-bit word under a checksum changes. */
static void fix(uint8_t *checksum, uint16_t before, uint16_t after)
{
	uint32_t sum = (uint16_t) ~(checksum[0] << 8 | checksum[1]);

	sum += (uint16_t)~before;
	sum += after;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	checksum[0] = (uint8_t)(sum >> 8);
	checksum[1] = (uint8_t)sum;
}

/* The second and third byte of an address change by the round. */
static void move_address(uint8_t *address, uint8_t *ip_checksum, uint8_t *l4_checksum,
			 uint16_t change)
{
	size_t i;

	for (i = 0; i < 4; i += 2) {
		uint16_t before = (uint16_t)(address[i] << 8 | address[i + 1]);

		address[i] ^= i == 0 ? 0 : (uint8_t)change;
		address[i + 1] ^= i == 0 ? (uint8_t)(change >> 8) : 0;
		fix(ip_checksum, before, (uint16_t)(address[i] << 8 | address[i + 1]));
		if (l4_checksum != NULL) {
			fix(l4_checksum, before, (uint16_t)(address[i] << 8 | address[i + 1]));
		}
	}
}

/* From the addresses of one round to those of another. */
static void move_frame(struct frame *frame, uint16_t change)
{
	uint8_t *ip = frame->p + 14;
	size_t head = (size_t)(ip[0] & 15) * 4;
	uint8_t *l4 = NULL;

	if (frame->p[12] != 8 || frame->p[13] != 0 || ip[0] >> 4 != 4) {
		return;
	}
	if (ip[9] == 6 && frame->len >= 14 + head + 20) {
		l4 = ip + head + 16;
	}
	move_address(ip + 12, ip + 10, l4, change);
	move_address(ip + 16, ip + 10, l4, change);
}

/* ---- sending ---- */

static int is_over(const struct sender *sender)
{
	return stop || (sender->packets > 0 && sender->sent >= sender->packets) ||
	       (sender->seconds > 0 && since(&sender->began) >= sender->seconds);
}

static int send_all(struct sender *sender, struct mmsghdr *messages, unsigned n)
{
	unsigned done = 0;

	while (done < n) {
		int got = sendmmsg(sender->fd, messages + done, n - done, 0);

		if (got < 0 && (errno == ENOBUFS || errno == EAGAIN || errno == EINTR)) {
			sender->busy++;
			sched_yield();
			if (stop) {
				break;
			}
			continue;
		}
		if (got < 0) {
			return die("sendmmsg");
		}
		done += (unsigned)got;
	}
	sender->sent += done;
	return 0;
}

/* Not faster than the rate. */
static void pace(const struct sender *sender)
{
	double ahead;

	if (sender->rate <= 0) {
		return;
	}
	ahead = (double)sender->sent / sender->rate - since(&sender->began);
	if (ahead > 0.0005) {
		usleep((useconds_t)(ahead * 1e6));
	}
}

/* One frame of the batch comes later than it would have. */
static void shuffle(struct sender *sender, struct iovec *parts, unsigned n)
{
	unsigned i;

	for (i = 0; sender->reorder > 0 && i + 1 < n; i++) {
		if (roll(sender, 1000) < sender->reorder) {
			unsigned to = i + 1 + roll(sender, LATE);
			struct iovec late = parts[i];

			to = to < n ? to : n - 1;
			memmove(parts + i, parts + i + 1, (to - i) * sizeof(*parts));
			parts[to] = late;
			sender->reordered++;
		}
	}
}

static int play(struct sender *sender, uint16_t change)
{
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	size_t at = 0;
	unsigned i;

	memset(messages, 0, sizeof(messages));
	while (at < sender->nframes && !is_over(sender)) {
		unsigned n = 0;

		while (n < BATCH && at < sender->nframes &&
		       (sender->packets == 0 || sender->sent + n < sender->packets)) {
			struct frame *frame = &sender->frames[at++];

			if (change != 0) {
				move_frame(frame, change);
			}
			if (sender->drop > 0 && roll(sender, 1000) < sender->drop) {
				sender->dropped++;
				continue;
			}
			parts[n++] = (struct iovec){frame->p, frame->len};
		}
		shuffle(sender, parts, n);
		for (i = 0; i < n; i++) {
			messages[i].msg_hdr.msg_iov = &parts[i];
			messages[i].msg_hdr.msg_iovlen = 1;
		}
		if (send_all(sender, messages, n) != 0) {
			return 1;
		}
		pace(sender);
	}
	return 0;
}

static int open_socket(struct sender *sender, const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_ifindex = (int)if_nametoindex(name)};
	int on = 1;

	sender->fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (sender->fd < 0 || address.sll_ifindex == 0 ||
	    bind(sender->fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		return die(name);
	}
	(void)setsockopt(sender->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	return 0;
}

static int read_words(struct sender *sender, int argc, char **argv)
{
	int i;

	for (i = 3; i < argc; i++) {
		double value = i + 1 < argc ? strtod(argv[i + 1], NULL) : 0;

		if (strcmp(argv[i], "--same") == 0) {
			sender->same = 1;
			continue;
		}
		if (strcmp(argv[i], "--seconds") == 0) {
			sender->seconds = value;
		} else if (strcmp(argv[i], "--packets") == 0) {
			sender->packets = (uint64_t)value;
		} else if (strcmp(argv[i], "--rate") == 0) {
			sender->rate = value;
		} else if (strcmp(argv[i], "--first") == 0) {
			sender->first = (uint64_t)value;
		} else if (strcmp(argv[i], "--drop") == 0) {
			sender->drop = (unsigned)value;
		} else if (strcmp(argv[i], "--reorder") == 0) {
			sender->reorder = (unsigned)value;
		} else {
			return -1;
		}
		i++;
	}
	return argc < 3 ? -1 : 0;
}

int main(int argc, char **argv)
{
	struct sender sender = {.dice = 1};
	int err;

	if (read_words(&sender, argc, argv) != 0) {
		fprintf(stderr, "usage: sender IFACE FILE [--seconds S] [--packets N] [--rate PPS] "
				"[--drop PERMILLE] [--reorder PERMILLE] [--same] "
				"[--first ROUND]\n");
		return 2;
	}
	if (sender.seconds <= 0 && sender.packets == 0) {
		sender.seconds = SECONDS;
	}
	if (open_socket(&sender, argv[1]) != 0 || load(&sender, argv[2]) != 0) {
		return 1;
	}
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	clock_gettime(CLOCK_MONOTONIC, &sender.began);
	for (err = 0; err == 0 && !is_over(&sender); sender.rounds++) {
		uint64_t round = sender.first + sender.rounds, before = round - 1;

		before = sender.rounds == 0 ? 0 : before;
		err = play(&sender, sender.same ? 0 : (uint16_t)(round % ROUNDS ^ before % ROUNDS));
	}
	printf("{\"sent\":%llu,\"dropped\":%llu,\"reordered\":%llu,\"rounds\":%llu,\"busy\":%llu,"
	       "\"seconds\":%.3f}\n",
	       (unsigned long long)sender.sent, (unsigned long long)sender.dropped,
	       (unsigned long long)sender.reordered, (unsigned long long)sender.rounds,
	       (unsigned long long)sender.busy, since(&sender.began));
	free(sender.frames);
	free(sender.bytes);
	return err;
}
