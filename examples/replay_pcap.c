/* SPDX-License-Identifier: Apache-2.0 */
/* replay_pcap FILE: pull events instead of being called back; every ten seconds of the capture old flows are flushed. */
#define _DEFAULT_SOURCE /* libpcap's headers want BSD's names of types */
#include <pcap/pcap.h>
#include <stdio.h>
#include <weir/weir.h>

static unsigned long counts[WEIR_EVENT_NTYPES];

static void take_events(struct weir_engine *engine)
{
	const struct weir_event *event;

	while (weir_engine_next(engine, &event) == 1) {
		counts[event->type]++;
	}
}

int main(int argc, char **argv)
{
	char message[PCAP_ERRBUF_SIZE] = "which file?";
	pcap_t *pcap = argc < 2 ? NULL : pcap_open_offline(argv[1], message);
	int64_t flushed_ns = 0;
	struct weir_engine *engine;
	static struct weir_packet packet;
	struct pcap_pkthdr *head;
	struct weir_stats stats;

	if (pcap == NULL || weir_engine_new(NULL, NULL, &engine) < 0) {
		fprintf(stderr, "replay_pcap: %s\n", message);
		return 1;
	}
	weir_engine_queue(engine, WEIR_EVENTS_ALL, 0);
	packet.linktype = (uint16_t)pcap_datalink(pcap);
	while (pcap_next_ex(pcap, &head, &packet.data) == 1) {
		packet.ts_ns =
			(int64_t)head->ts.tv_sec * 1000000000 + (int64_t)head->ts.tv_usec * 1000;
		packet.caplen = head->caplen;
		packet.wirelen = head->len;
		while (weir_engine_push(engine, &packet) == WEIR_ELIMIT) {
			take_events(engine); /* the queue is full: the packet was not taken */
		}
		if (packet.ts_ns - flushed_ns > INT64_C(10000000000)) {
			flushed_ns = packet.ts_ns;
			weir_engine_flush_older(engine, flushed_ns - INT64_C(60000000000), NULL);
		}
	}
	weir_engine_finish(engine);
	take_events(engine);
	weir_engine_stats(engine, &stats, sizeof(stats));
	printf("%lu packets, %lu flows, %lu chunks, %lu gaps, %lu records, %lu bytes\n",
	       (unsigned long)stats.packets, counts[WEIR_EVENT_CLOSED], counts[WEIR_EVENT_DATA],
	       counts[WEIR_EVENT_GAP], counts[WEIR_EVENT_RECORD],
	       (unsigned long)stats.ledger.delivered);
	weir_engine_free(engine);
	pcap_close(pcap);
	return 0;
}
