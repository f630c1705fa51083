/* SPDX-License-Identifier: Apache-2.0 */
/* The network interfaces: see ifaces.h. Their names come from the kernel and may hold anything but '/' and blanks. */
#include "app/ifaces.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <pcap/pcap.h>

#include "app/privs.h"

enum { MAX_ADDRESSES = 8 };

/* Bytes beyond printable ASCII as "?". */
static void put_name(struct strbuf *out, const char *name)
{
	for (; *name != '\0'; name++) {
		strbuf_char(out, *name > 0x20 && *name < 0x7f ? *name : '?');
	}
}

static bool put_address(struct strbuf *out, const struct sockaddr *address)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (address == NULL) {
		return false;
	}
	if (address->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;

		(void)inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
	} else if (address->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;

		(void)inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
	}
	strbuf_str(out, text);
	return text[0] != '\0';
}

/* What packets can be captured from with this libpcap, but are no network interfaces. */
static bool is_other(const pcap_if_t *device)
{
	return strncmp(device->name, "nflog", 5) == 0 || strncmp(device->name, "nfqueue", 7) == 0 ||
	       strncmp(device->name, "usbmon", 6) == 0 || strncmp(device->name, "dbus", 4) == 0 ||
	       strncmp(device->name, "bluetooth", 9) == 0;
}

static bool is_up(const pcap_if_t *device)
{
	return (device->flags & PCAP_IF_UP) != 0 && (device->flags & PCAP_IF_RUNNING) != 0;
}

void ifaces_up(struct strbuf *out)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_if_t *all = NULL, *device;
	bool any = false;

	if (pcap_findalldevs(&all, text) != 0) {
		return;
	}
	for (device = all; device != NULL; device = device->next) {
		const pcap_addr_t *address = device->addresses;
		size_t before;

		if (is_other(device) || !is_up(device) || strcmp(device->name, "any") == 0) {
			continue;
		}
		strbuf_str(out, any ? ", " : "");
		any = true;
		put_name(out, device->name);
		while (address != NULL &&
		       (address->addr == NULL || (address->addr->sa_family != AF_INET &&
						  address->addr->sa_family != AF_INET6))) {
			address = address->next;
		}
		before = out->len;
		if (address != NULL && (device->flags & PCAP_IF_LOOPBACK) == 0) {
			strbuf_str(out, " (");
			if (put_address(out, address->addr)) {
				strbuf_char(out, ')');
			} else {
				out->len = before;
			}
		}
	}
	pcap_freealldevs(all);
}

static const char *state_of(const pcap_if_t *device)
{
	if (strcmp(device->name, "any") == 0) {
		return "all of them";
	}
	if ((device->flags & PCAP_IF_UP) == 0) {
		return "down";
	}
	if ((device->flags & PCAP_IF_RUNNING) == 0) {
		return "up, no link";
	}
	return (device->flags & PCAP_IF_LOOPBACK) != 0 ? "up, loopback" : "up";
}

/* Its link type: opening it tells, for those that may. */
static const char *linktype_of(const char *name)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(name, text);
	const char *linktype = NULL;

	if (pcap != NULL && pcap_activate(pcap) >= 0) {
		linktype = pcap_datalink_val_to_name(pcap_datalink(pcap));
	}
	if (pcap != NULL) {
		pcap_close(pcap);
	}
	return linktype == NULL ? "-" : linktype;
}

int ifaces_print(FILE *out)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_if_t *all = NULL, *device;
	bool may = privs_can_capture();
	struct strbuf line;

	if (pcap_findalldevs(&all, text) != 0) {
		fprintf(stderr, "weir: error: cannot list the interfaces: %s\n", text);
		return 1;
	}
	fprintf(out, "%-16s %-13s %-12s %s\n", "NAME", "STATE", "LINK TYPE", "ADDRESSES");
	strbuf_init(&line);
	for (device = all; device != NULL; device = device->next) {
		const pcap_addr_t *address;
		size_t n = 0;

		if (is_other(device)) {
			continue;
		}
		strbuf_clear(&line);
		put_name(&line, device->name);
		fprintf(out, "%-16s %-13s %-12s ", strbuf_text(&line), state_of(device),
			may && (device->flags & PCAP_IF_UP) != 0 ? linktype_of(device->name) : "-");
		strbuf_clear(&line);
		for (address = device->addresses; address != NULL && n < MAX_ADDRESSES;
		     address = address->next) {
			size_t before = line.len;

			strbuf_str(&line, n > 0 ? ", " : "");
			if (put_address(&line, address->addr)) {
				n++;
			} else {
				line.len = before;
			}
		}
		fprintf(out, "%s\n", strbuf_text(&line));
	}
	strbuf_fini(&line);
	pcap_freealldevs(all);
	fprintf(out, may ? "\nCapture with: weir -i NAME\n"
			 : "\nThis user may not capture. What to do: weir doctor\n");
	return 0;
}

int ifaces_print_linktypes(FILE *out, const char *name)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_create(name, text);
	int *list = NULL;
	int n = -1, i;

	if (pcap != NULL && pcap_activate(pcap) >= 0) {
		n = pcap_list_datalinks(pcap, &list);
	}
	if (n < 0) {
		fprintf(stderr,
			"weir: error: cannot ask %s for its link types: %s\n  See: weir doctor\n",
			name, pcap == NULL ? text : pcap_geterr(pcap));
	}
	for (i = 0; i < n; i++) {
		const char *short_name = pcap_datalink_val_to_name(list[i]);
		const char *long_name = pcap_datalink_val_to_description(list[i]);

		fprintf(out, "%s  %s (%s)\n", name, short_name != NULL ? short_name : "?",
			long_name != NULL ? long_name : "not known");
	}
	if (list != NULL) {
		pcap_free_datalinks(list);
	}
	if (pcap != NULL) {
		pcap_close(pcap);
	}
	return n < 0 ? 1 : 0;
}
