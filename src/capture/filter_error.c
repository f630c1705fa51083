/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a bad capture filter is bad. libpcap says "syntax error" and no place; so the place is looked for:
 *   1. the word that libpcap's message quotes, or a word that is no keyword where a keyword must stand;
 *   2. else the first word with which the filter cannot be gone on with: the longest beginning that compiles ends before it;
 *   3. else the end, where something is missing.
 * The suggestion is the keyword with the fewest edits, at most two.
 */
#include "capture/filter.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MAX_TOKENS = 64, WORD = 24, MAX_EDITS = 2, SNAPLEN = 262144 };

struct token {
	size_t offset;
	size_t length;
	bool is_word;
};

static const char *const keywords[] = {
	"host",      "net",     "port",      "portrange", "proto",    "protochain", "src",
	"dst",       "or",      "and",       "not",       "ether",    "ip",         "ip6",
	"arp",       "rarp",    "tcp",       "udp",       "icmp",     "icmp6",      "sctp",
	"vlan",      "mpls",    "pppoes",    "pppoed",    "geneve",   "less",       "greater",
	"broadcast", "gateway", "multicast", "inbound",   "outbound", "mask",       "len",
	"link",      "fddi",    "wlan",      "type",      "subtype",  "dir",        "ifname",
	"on",        "esp",     "ah",        "igmp",      "pim",      "vrrp",       "carp",
	"stp",       "iso",     "ra",        "ta",        "addr1",    "addr2",      "addr3",
	"addr4",     "tr",      "ppp",       "slip",      "radio",    "llc",        "tcp-syn",
	"tcp-ack",   "tcp-fin", "tcp-rst",   "tcp-push",  "tcpflags", "tcp-urg",    "icmptype",
	"icmpcode",  "decnet",  "atalk",     "aarp",      "lat",      "ipx",        "netbeui",
};

/* Behind these a name may stand that is no keyword. */
static const char *const takes_name[] = {"host",    "net",  "port", "portrange", "proto",
					 "src",     "dst",  "type", "dir",       "ifname",
					 "gateway", "mask", "on",   "protochain"};

static bool is_one_of(const char *word, const char *const *list, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcasecmp(word, list[i]) == 0) {
			return true;
		}
	}
	return false;
}

#define IS_ONE_OF(word, list) is_one_of(word, list, sizeof(list) / sizeof((list)[0]))

static size_t split(const char *text, struct token *tokens)
{
	size_t n = 0, i = 0;

	while (text[i] != '\0' && n < MAX_TOKENS) {
		size_t begin = i;

		if (isspace((unsigned char)text[i])) {
			i++;
			continue;
		}
		while (isalnum((unsigned char)text[i]) || strchr("._-:/\\", text[i]) != NULL) {
			if (text[i] == '\0') {
				break;
			}
			i++;
		}
		if (i == begin) {
			i++;
		}
		tokens[n].offset = begin;
		tokens[n].length = i - begin;
		tokens[n].is_word = isalpha((unsigned char)text[begin]) != 0;
		n++;
	}
	return n;
}

static void word_of(const char *text, const struct token *token, char *ret, size_t size)
{
	(void)snprintf(ret, size, "%.*s", (int)(token->length < size ? token->length : size - 1),
		       text + token->offset);
}

/* Edits (insert, delete, change, swap of neighbours) between two short words. */
static size_t edits(const char *a, const char *b)
{
	size_t d[WORD + 1][WORD + 1];
	size_t la = strlen(a), lb = strlen(b), i, k;

	if (la > WORD || lb > WORD) {
		return WORD;
	}
	for (i = 0; i <= la; i++) {
		for (k = 0; k <= lb; k++) {
			size_t best;

			if (i == 0 || k == 0) {
				d[i][k] = i + k;
				continue;
			}
			best = d[i - 1][k - 1] + (tolower((unsigned char)a[i - 1]) != b[k - 1]);
			best = d[i - 1][k] + 1 < best ? d[i - 1][k] + 1 : best;
			best = d[i][k - 1] + 1 < best ? d[i][k - 1] + 1 : best;
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1] &&
			    d[i - 2][k - 2] + 1 < best) {
				best = d[i - 2][k - 2] + 1;
			}
			d[i][k] = best;
		}
	}
	return d[la][lb];
}

static void suggest(const char *word, struct filter_error *error)
{
	size_t limit = strlen(word) < 4 ? 1 : MAX_EDITS;
	size_t best = limit + 1, i;

	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++) {
		size_t n = edits(word, keywords[i]);

		if (n < best) {
			best = n;
			(void)snprintf(error->suggestion, sizeof(error->suggestion), "%s",
				       keywords[i]);
		}
	}
}

static bool is_good(const char *text, size_t len)
{
	pcap_t *pcap = pcap_open_dead(DLT_EN10MB, SNAPLEN);
	char *part = strndup(text, len);
	struct bpf_program program;
	bool good;

	good = pcap != NULL && part != NULL &&
	       pcap_compile(pcap, &program, part, 0, PCAP_NETMASK_UNKNOWN) == 0;
	if (good) {
		pcap_freecode(&program);
	}
	if (pcap != NULL) {
		pcap_close(pcap);
	}
	free(part);
	return good;
}

/* Is nothing wrong but that parentheses are still open at the end? */
static bool wants_closing(const char *text)
{
	size_t open = 0, len = strlen(text), i;
	char *closed;
	bool good;

	for (i = 0; i < len; i++) {
		open += text[i] == '(';
		open -= text[i] == ')' && open > 0;
	}
	closed = open == 0 ? NULL : malloc(len + open);
	if (closed == NULL) {
		return false;
	}
	memcpy(closed, text, len);
	memset(closed + len, ')', open);
	good = is_good(closed, len + open);
	free(closed);
	return good;
}

/* Does libpcap's message quote this word? */
static bool is_quoted(const char *reason, const char *word)
{
	const char *at = strchr(reason, '\'');
	size_t len = strlen(word);

	/* a number stands without quotes: "illegal port number 999999 > 65535" */
	if (len > 1 && strspn(word, "0123456789") == len) {
		at = strstr(reason, word);
		return at != NULL && !isdigit((unsigned char)at[len]) && at > reason &&
		       at[-1] == ' ';
	}

	return at != NULL && strncmp(at + 1, word, len) == 0 && at[1 + len] == '\'';
}

/* A word that cannot be right where it stands; n when there is none. */
static size_t find_odd_word(const char *text, const struct token *tokens, size_t n,
			    const struct filter_error *error)
{
	char word[64], before[64];
	size_t i;

	for (i = 0; i < n; i++) {
		bool named;

		word_of(text, &tokens[i], word, sizeof(word));
		word_of(text, &tokens[i == 0 ? 0 : i - 1], before, sizeof(before));
		named = i > 0 && IS_ONE_OF(before, takes_name);
		if (is_quoted(error->reason, word)) {
			return i;
		}
		if (tokens[i].is_word && !named && !IS_ONE_OF(word, keywords) &&
		    strpbrk(word, ".:/") == NULL) {
			return i;
		}
	}
	return n;
}

void filter_explain(const char *text, struct filter_error *error)
{
	struct token tokens[MAX_TOKENS];
	size_t n = split(text, tokens);
	size_t at = find_odd_word(text, tokens, n, error);
	size_t i;

	if (at == n && wants_closing(text)) {
		at = n;
	} else if (at == n) {
		at = 0;
		for (i = 1; i < n; i++) {
			if (is_good(text, tokens[i].offset)) {
				at = i;
			}
		}
		/* nothing but a beginning was good, and the rest is one word that may go on: the end is missing */
		if (n > 0 && at == n - 1 && tokens[at].is_word) {
			at = n;
		}
		if (n > 0 && at == 0) {
			at = n;
		}
	} else {
		char word[64];

		word_of(text, &tokens[at], word, sizeof(word));
		if (!IS_ONE_OF(word, keywords)) {
			suggest(word, error);
		}
	}
	error->offset = at < n ? tokens[at].offset : strlen(text);
	error->length = at < n ? tokens[at].length : 0;
}
