/* SPDX-License-Identifier: Apache-2.0 */
/* Capture filters: see filter.h. */
#include "capture/filter.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "weir/error.h"

enum {
	MAX_LINKTYPES = 64, /* of a run; packets of further ones do not match */
	SNAPLEN = 262144
};

struct program {
	uint16_t linktype;
	bool fits;
	struct bpf_program code;
};

struct filter {
	char *text;
	struct program programs[MAX_LINKTYPES];
	size_t nprograms;
	size_t last; /* the program used last: packets of one link type come in runs */
	int unfit;   /* a link type met that it does not fit, or -1 */
};

/* Where the values of files differ from those of libpcap on Linux. */
static const struct {
	uint16_t linktype;
	int dlt;
} differing[] = {
	{100, DLT_ATM_RFC1483}, {101, DLT_RAW}, {102, DLT_SLIP_BSDOS}, {103, DLT_PPP_BSDOS},
#ifdef DLT_ATM_CLIP
	{106, DLT_ATM_CLIP},
#endif
};

int filter_dlt(uint16_t linktype)
{
	size_t i;

	for (i = 0; i < sizeof(differing) / sizeof(differing[0]); i++) {
		if (differing[i].linktype == linktype) {
			return differing[i].dlt;
		}
	}
	return linktype;
}

uint16_t filter_linktype(int dlt)
{
	size_t i;

	for (i = 0; i < sizeof(differing) / sizeof(differing[0]); i++) {
		if (differing[i].dlt == dlt) {
			return differing[i].linktype;
		}
	}
	return (uint16_t)dlt;
}

/* ---- tags ---- */

/* Words with which a filter speaks of tags and frames itself: looking through tags would change what it says. `ether` is
 * one only before `proto`: `ether host` may stand. */
static bool speaks_of_tags(const char *text)
{
	static const char *const words[] = {"vlan",   "mpls",    "pppoed",  "pppoes",
					    "geneve", "0x8100",  "0x88a8",  "33024",
					    "34984",  "inbound", "outbound"};
	char word[32], before[32] = "";
	size_t i, n;

	while (*text != '\0') {
		if (!isalnum((unsigned char)*text)) {
			text++;
			continue;
		}
		for (n = 0; isalnum((unsigned char)text[n]); n++) {
		}
		(void)snprintf(word, sizeof(word), "%.*s", n < sizeof(word) ? (int)n : 0, text);
		for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
			if (strcasecmp(word, words[i]) == 0) {
				return true;
			}
		}
		if (strcmp(word, "proto") == 0 && strcmp(before, "ether") == 0) {
			return true;
		}
		(void)snprintf(before, sizeof(before), "%s", word);
		text += n;
	}
	return false;
}

/* F as it is meant for tagged frames too. Owned by the caller; NULL without memory. */
static char *look_through_tags(const char *text)
{
	static const char untagged[] =
		"not (ether proto 0x8100 or ether proto 0x88a8 or ether proto 0x9100)";
	char *wide = NULL;

	/* a line end, so that nothing of ours is behind a # of theirs */
	if (asprintf(&wide, "(%s and (%s\n)) or (vlan and ((%s and (%s\n)) or (vlan and (%s\n))))",
		     untagged, text, untagged, text, text) < 0) {
		return NULL;
	}
	return wide;
}

int filter_compile(pcap_t *pcap, const char *text, struct bpf_program *ret)
{
	char *wide;
	int status;

	/* as it stands first: it must be good by itself ("(a) or (b" must not become good) */
	if (pcap_compile(pcap, ret, text, 1, PCAP_NETMASK_UNKNOWN) != 0) {
		return WEIR_EINVAL;
	}
	if (speaks_of_tags(text)) {
		return 0;
	}
	wide = look_through_tags(text);
	if (wide != NULL) {
		struct bpf_program program;

		/* link types without tags refuse it, and do not need it */
		status = pcap_compile(pcap, &program, wide, 1, PCAP_NETMASK_UNKNOWN);
		if (status == 0) {
			pcap_freecode(ret);
			*ret = program;
		}
		free(wide);
	}
	return 0;
}

/* ---- programs by link type ---- */

/* The program for a link type; NULL when there is no room for another. */
static struct program *program_of(struct filter *filter, uint16_t linktype, char *ret_reason,
				  size_t size)
{
	struct program *program;
	pcap_t *pcap;
	size_t i;

	for (i = 0; i < filter->nprograms; i++) {
		if (filter->programs[i].linktype == linktype) {
			filter->last = i;
			return &filter->programs[i];
		}
	}
	if (filter->nprograms == MAX_LINKTYPES) {
		return NULL;
	}
	program = &filter->programs[filter->nprograms];
	program->linktype = linktype;
	pcap = pcap_open_dead(filter_dlt(linktype), SNAPLEN);
	program->fits = pcap != NULL && filter_compile(pcap, filter->text, &program->code) == 0;
	if (!program->fits && ret_reason != NULL) {
		(void)snprintf(ret_reason, size, "%s",
			       pcap == NULL ? "out of memory" : pcap_geterr(pcap));
	}
	if (pcap != NULL) {
		pcap_close(pcap);
	}
	filter->last = filter->nprograms++;
	return program;
}

int filter_new(const char *text, struct filter **ret, struct filter_error *ret_error)
{
	/* Ethernet first: its message is the one to show. Raw IP, cooked, loopback, wireless */
	static const uint16_t usual[] = {1, 101, 113, 276, 0, 127, 105};
	struct filter *filter = calloc(1, sizeof(*filter));
	bool fits = false;
	size_t i;

	memset(ret_error, 0, sizeof(*ret_error));
	if (filter == NULL) {
		return WEIR_ENOMEM;
	}
	filter->unfit = -1;
	filter->text = strdup(text);
	if (filter->text == NULL) {
		free(filter);
		return WEIR_ENOMEM;
	}
	for (i = 0; i < sizeof(usual) / sizeof(usual[0]); i++) {
		struct program *program =
			program_of(filter, usual[i], i == 0 ? ret_error->reason : NULL,
				   sizeof(ret_error->reason));

		fits = fits || (program != NULL && program->fits);
	}
	if (!fits) {
		filter_explain(text, ret_error);
		filter_free(filter);
		return WEIR_EINVAL;
	}
	*ret = filter;
	return 0;
}

void filter_free(struct filter *filter)
{
	size_t i;

	if (filter == NULL) {
		return;
	}
	for (i = 0; i < filter->nprograms; i++) {
		if (filter->programs[i].fits) {
			pcap_freecode(&filter->programs[i].code);
		}
	}
	free(filter->text);
	free(filter);
}

bool filter_matches(struct filter *filter, const struct weir_packet *packet)
{
	struct program *program = &filter->programs[filter->last];

	if (program->linktype != packet->linktype) {
		program = program_of(filter, packet->linktype, NULL, 0);
	}
	if (program == NULL || !program->fits) {
		filter->unfit = packet->linktype;
		return false;
	}
	return bpf_filter(program->code.bf_insns, packet->data, packet->wirelen, packet->caplen) !=
	       0;
}

void filter_batch(struct filter *filter, struct capture_batch *batch)
{
	size_t kept = 0, i;
	uint32_t drops = 0;

	for (i = 0; i < batch->npackets; i++) {
		drops += batch->packets[i].drops;
		if (filter_matches(filter, &batch->packets[i])) {
			batch->packets[kept] = batch->packets[i];
			batch->packets[kept++].drops = drops;
			drops = 0;
		}
	}
	batch->npackets = kept;
}

const char *filter_unfit_linktype(const struct filter *filter)
{
	const char *name;

	if (filter->unfit < 0) {
		return NULL;
	}
	name = pcap_datalink_val_to_name(filter_dlt((uint16_t)filter->unfit));
	return name == NULL ? "an unknown link type" : name;
}
