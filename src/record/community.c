/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Community ID v1 (github.com/corelight/community-id-spec): "1:" base64(SHA-1(seed, address, address, protocol, 0, port,
 * port)), everything in network order, the smaller (address, port) first.
 */
#include "record/community.h"

#include "weir/error.h"

#include <openssl/evp.h>
#include <string.h>

struct record_community {
	struct budget *budget;
	EVP_MD *sha1;
	EVP_MD_CTX *ctx;
};

int record_community_new(struct budget *budget, struct record_community **ret)
{
	struct record_community *community = budget_calloc(budget, 1, sizeof(*community));

	if (community == NULL) {
		return WEIR_ENOMEM;
	}
	community->budget = budget;
	community->sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
	community->ctx = EVP_MD_CTX_new();
	if (community->sha1 == NULL || community->ctx == NULL) {
		record_community_free(community);
		return WEIR_ENOMEM;
	}
	*ret = community;
	return 0;
}

void record_community_free(struct record_community *community)
{
	if (community == NULL) {
		return;
	}
	EVP_MD_CTX_free(community->ctx);
	EVP_MD_free(community->sha1);
	budget_free(community->budget, community, sizeof(*community));
}

static void put_port(uint8_t *to, uint16_t port)
{
	to[0] = (uint8_t)(port >> 8);
	to[1] = (uint8_t)port;
}

/*
 *  0      2          2+n        2+2n      2+2n+1  2+2n+2   2+2n+4   2+2n+6
 *  | seed | address | address | protocol |   0   |  port  |  port  |        n = 4 or 16
 */
int record_community_id(struct record_community *community, const struct weir_flow_info *flow,
			char *ret_id)
{
	const struct weir_endpoint *low = &flow->client, *high = &flow->server;
	size_t n = flow->ip_version == 6 ? 16 : 4;
	int order = memcmp(low->address, high->address, n);
	uint8_t text[40] = {0};
	uint8_t digest[EVP_MAX_MD_SIZE];
	uint8_t base64[32]; /* 28 and the terminator */
	uint8_t *at = text + 2;

	if (order > 0 || (order == 0 && low->port > high->port)) {
		low = &flow->server;
		high = &flow->client;
	}
	memcpy(at, low->address, n);
	memcpy(at + n, high->address, n);
	at += 2 * n;
	*at++ = 6; /* TCP */
	*at++ = 0;
	put_port(at, low->port);
	put_port(at + 2, high->port);
	at += 4;
	if (EVP_DigestInit_ex2(community->ctx, community->sha1, NULL) != 1 ||
	    EVP_DigestUpdate(community->ctx, text, (size_t)(at - text)) != 1 ||
	    EVP_DigestFinal_ex(community->ctx, digest, NULL) != 1) {
		return WEIR_ENOMEM;
	}
	(void)EVP_EncodeBlock(base64, digest, 20);
	memcpy(ret_id, "1:", 2);
	memcpy(ret_id + 2, base64, 28);
	return 0;
}
