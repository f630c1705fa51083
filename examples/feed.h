/* SPDX-License-Identifier: Apache-2.0 */
/* Push the packets of a capture file, or of an interface, into an engine. Shared by the examples: the library does no I/O. */
#define _DEFAULT_SOURCE /* libpcap's headers want BSD's names of types */
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <weir/weir.h>

/* 0, or 1 having said why not. The engine is finished and freed. */
static int feed(struct weir_engine *engine, const char *name)
{
	char message[PCAP_ERRBUF_SIZE] = "which file or interface?";
	pcap_t *pcap = name == NULL ? NULL : pcap_open_offline(name, message);
	struct weir_packet packet;
	struct pcap_pkthdr *head;
	int got = 0;

	if (pcap == NULL && name != NULL &&
	    (pcap = pcap_open_live(name, 65535, 1, 100, message)) == NULL) {
		fprintf(stderr, "%s: %s\n", name, message);
	}
	memset(&packet, 0, sizeof(packet));
	while (pcap != NULL && (got = pcap_next_ex(pcap, &head, &packet.data)) >= 0) {
		if (got == 0) { /* nothing came for 100 ms: timers run all the same */
			weir_engine_tick(engine, (int64_t)time(NULL) * 1000000000);
			continue;
		}
		packet.linktype = (uint16_t)pcap_datalink(pcap);
		packet.ts_ns =
			(int64_t)head->ts.tv_sec * 1000000000 + (int64_t)head->ts.tv_usec * 1000;
		packet.caplen = head->caplen;
		packet.wirelen = head->len;
		weir_engine_push(engine, &packet);
	}
	weir_engine_finish(engine);
	weir_engine_free(engine);
	if (pcap != NULL) {
		pcap_close(pcap);
	}
	return pcap == NULL;
}
