/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capture filters (pcap-filter(7)): which packets are looked at. The language and its compiler are libpcap's; here are what
 * weir adds to it:
 *   - a filter is compiled for each link type that turns up, as one pcapng file may have several;
 *   - it looks through VLAN tags: `tcp port 80` matches a tagged frame too, with one tag or two. Written out, F becomes
 *       (not TAGGED and (F)) or (vlan and ((not TAGGED and (F)) or (vlan and (F))))
 *     where each `vlan` moves what follows it behind a tag. That holds for `not F` as well: an untagged look at a tagged
 *     frame never decides. A filter that speaks of tags itself (vlan, mpls, pppoes, ether proto ...) means what it says and
 *     is left alone;
 *   - what is wrong with a bad one is pointed at.
 */
#ifndef CAPTURE_FILTER_H
#define CAPTURE_FILTER_H

#include <pcap/pcap.h>

#include "capture/capture.h"

struct filter;

/* What is wrong with a filter: [offset, offset + length) of its text, length 0: at that place something is missing. */
struct filter_error {
	size_t offset;
	size_t length;
	char suggestion[64]; /* a word that was perhaps meant, or "" */
	char reason[256];    /* libpcap's own words */
};

/**
 * Check a filter and compile it for the usual link types: after this, names of hosts and services are not looked up again.
 *
 * @param text      copied; not ""
 * @param ret_error filled in for WEIR_EINVAL
 * @return 0, WEIR_EINVAL (good for no link type), WEIR_ENOMEM
 */
int filter_new(const char *text, struct filter **ret, struct filter_error *ret_error);
void filter_free(struct filter *filter);

/** Does the packet match? One whose link type the filter cannot be compiled for (`ether host` on raw IP) does not. */
bool filter_matches(struct filter *filter, const struct weir_packet *packet);

/** Take the packets that do not match out of the batch. */
void filter_batch(struct filter *filter, struct capture_batch *batch);

/** A link type that packets had and the filter could not be compiled for: its name, or NULL. */
const char *filter_unfit_linktype(const struct filter *filter);

/** Compile for an open handle, looking through tags. WEIR_EINVAL: pcap_geterr() says why. To be freed with pcap_freecode(). */
int filter_compile(pcap_t *pcap, const char *text, struct bpf_program *ret);

/** LINKTYPE_ (files) of a DLT_ (libpcap on this system), and back: a few differ. */
uint16_t filter_linktype(int dlt);
int filter_dlt(uint16_t linktype);

/** Find the place and a suggestion for a filter that libpcap refused (filter_error.c). reason is set already. */
void filter_explain(const char *text, struct filter_error *error);

#endif
