/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parser/tls: records of TLS in, one record of ours out; whole, byte by byte and in random pieces (shuffle.h), and with a hole at every
 * position. The hellos are written out by RFC 8446 §4.1 and RFC 5246 §7.4; the certificate is openssl's, and what is expected of it is
 * what `openssl x509 -nameopt RFC2253 -fingerprint -sha256` prints; fingerprints are md5sum's and sha256sum's of the strings beside them.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "talk.h"

/*
 * CLIENT_13: TLS_AES_128_GCM_SHA256 and TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, a.example, x25519 and secp256r1, ALPN h2 and
 * http/1.1, versions 1.3 and 1.2, GREASE in each list. SERVER_13: TLS_AES_128_GCM_SHA256, x25519. CLIENT_12, SERVER_12 ...: a handshake of
 * 1.2 with TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, secp256r1, http/1.1; SERVER_FLIGHT_12 is the server's part of it in records of 100
 * bytes. CLIENT_2 is SSL 2.0's hello for 1.0. RETRY_13: a HelloRetryRequest.
 */
/* clang-format off */
#define CLIENT_13 \
	"\x16\x03\x01\x00\x8d\x01\x00\x00\x89\x03\x03\x72\x72\x72\x72\x72\x72\x72\x72\x72" \
	"\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72" \
	"\x72\x72\x72\x00\x00\x06\x0a\x0a\x13\x01\xc0\x2f\x01\x00\x00\x5a\x00\x00\x00\x0e" \
	"\x00\x0c\x00\x00\x09\x61\x2e\x65\x78\x61\x6d\x70\x6c\x65\x1a\x1a\x00\x00\x00\x0a" \
	"\x00\x08\x00\x06\x2a\x2a\x00\x1d\x00\x17\x00\x0b\x00\x02\x01\x00\x00\x0d\x00\x06" \
	"\x00\x04\x04\x03\x08\x04\x00\x10\x00\x0e\x00\x0c\x02\x68\x32\x08\x68\x74\x74\x70" \
	"\x2f\x31\x2e\x31\x00\x2b\x00\x07\x06\x3a\x3a\x03\x04\x03\x03\x00\x33\x00\x07\x00" \
	"\x05\x00\x1d\x00\x01\x6b"
#define SERVER_13 \
	"\x16\x03\x03\x00\x3b\x02\x00\x00\x37\x03\x03\x73\x73\x73\x73\x73\x73\x73\x73\x73" \
	"\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73" \
	"\x73\x73\x73\x00\x13\x01\x00\x00\x0f\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x05\x00" \
	"\x1d\x00\x01\x6b"
#define CLIENT_12 \
	"\x16\x03\x01\x00\x58\x01\x00\x00\x54\x03\x03\x72\x72\x72\x72\x72\x72\x72\x72\x72" \
	"\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72\x72" \
	"\x72\x72\x72\x00\x00\x02\xc0\x2b\x01\x00\x00\x29\x00\x00\x00\x0e\x00\x0c\x00\x00" \
	"\x09\x61\x2e\x65\x78\x61\x6d\x70\x6c\x65\x00\x0a\x00\x04\x00\x02\x00\x17\x00\x10" \
	"\x00\x0b\x00\x09\x08\x68\x74\x74\x70\x2f\x31\x2e\x31"
#define SERVER_12 \
	"\x16\x03\x03\x00\x3b\x02\x00\x00\x37\x03\x03\x73\x73\x73\x73\x73\x73\x73\x73\x73" \
	"\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73" \
	"\x73\x73\x73\x00\xc0\x2b\x00\x00\x0f\x00\x10\x00\x0b\x00\x09\x08\x68\x74\x74\x70" \
	"\x2f\x31\x2e\x31"
#define CERTIFICATE_12 \
	"\x16\x03\x03\x01\xd5\x0b\x00\x01\xd1\x00\x01\xce\x00\x01\xcb\x30\x82\x01\xc7\x30" \
	"\x82\x01\x6c\xa0\x03\x02\x01\x02\x02\x02\x12\x34\x30\x0a\x06\x08\x2a\x86\x48\xce" \
	"\x3d\x04\x03\x02\x30\x35\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02\x4e\x4f\x31" \
	"\x12\x30\x10\x06\x03\x55\x04\x0a\x0c\x09\x45\x78\x2c\x20\x41\x6d\x70\x6c\x65\x31" \
	"\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09\x61\x2e\x65\x78\x61\x6d\x70\x6c\x65\x30" \
	"\x1e\x17\x0d\x32\x36\x31\x31\x32\x32\x32\x33\x34\x32\x35\x35\x5a\x17\x0d\x32\x36" \
	"\x31\x32\x30\x32\x32\x33\x34\x32\x35\x35\x5a\x30\x35\x31\x0b\x30\x09\x06\x03\x55" \
	"\x04\x06\x13\x02\x4e\x4f\x31\x12\x30\x10\x06\x03\x55\x04\x0a\x0c\x09\x45\x78\x2c" \
	"\x20\x41\x6d\x70\x6c\x65\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09\x61\x2e\x65" \
	"\x78\x61\x6d\x70\x6c\x65\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06" \
	"\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04\xc9\x8b\xa5\xe8\x2d\x30\xe1" \
	"\xe5\x97\x8c\xf5\x7a\xca\xe7\xc7\xad\x9f\xef\x80\xc8\xfa\x84\x93\x5b\xbc\x6b\x43" \
	"\xd6\x50\x58\xd5\xfa\x14\x97\x0c\xb8\xfe\x25\xaf\xc0\x56\xbd\x1b\x37\x72\xf8\x7b" \
	"\x4b\x67\xa9\x61\x90\xe6\x52\xc8\x85\x11\xc3\x3c\x09\xfe\xe6\x4e\x3c\xa3\x6c\x30" \
	"\x6a\x30\x1d\x06\x03\x55\x1d\x0e\x04\x16\x04\x14\x27\x82\x67\x14\x54\x7c\xec\x6b" \
	"\x60\x07\x0a\xb6\xa5\xec\xf5\x82\x7f\x5e\x0b\xf2\x30\x1f\x06\x03\x55\x1d\x23\x04" \
	"\x18\x30\x16\x80\x14\x27\x82\x67\x14\x54\x7c\xec\x6b\x60\x07\x0a\xb6\xa5\xec\xf5" \
	"\x82\x7f\x5e\x0b\xf2\x30\x1a\x06\x03\x55\x1d\x11\x04\x13\x30\x11\x82\x09\x61\x2e" \
	"\x65\x78\x61\x6d\x70\x6c\x65\x87\x04\xc0\x00\x02\x01\x30\x0c\x06\x03\x55\x1d\x13" \
	"\x01\x01\xff\x04\x02\x30\x00\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x03" \
	"\x49\x00\x30\x46\x02\x21\x00\xcc\x13\x47\xe6\xa6\xaa\x78\x78\xdd\xe1\xc6\x71\xec" \
	"\xe3\x2c\x6e\x6c\x1b\x7e\x41\x3e\x1d\xd6\x7e\x95\xd3\xb0\xce\x39\x25\xef\x2e\x02" \
	"\x21\x00\xae\x3d\x51\x26\x90\xcd\x67\x52\xd7\xf7\x60\xe0\x15\x82\x7e\xc6\x4f\x55" \
	"\xc1\x6f\x1d\xc1\x2f\x96\x09\x92\x5a\xcd\x25\x91\x58\x7e"
#define KEY_EXCHANGE_12 \
	"\x16\x03\x03\x00\x0f\x0c\x00\x00\x0b\x03\x00\x17\x04\x70\x70\x70\x70\x73\x69\x67"
#define DONE_12 \
	"\x16\x03\x03\x00\x04\x0e\x00\x00\x00"
#define CLIENT_KEY_12 \
	"\x16\x03\x03\x00\x09\x10\x00\x00\x05\x04\x70\x70\x70\x70"
#define SERVER_FLIGHT_12 \
	"\x16\x03\x03\x00\x64\x02\x00\x00\x37\x03\x03\x73\x73\x73\x73\x73\x73\x73\x73\x73" \
	"\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73\x73" \
	"\x73\x73\x73\x00\xc0\x2b\x00\x00\x0f\x00\x10\x00\x0b\x00\x09\x08\x68\x74\x74\x70" \
	"\x2f\x31\x2e\x31\x0b\x00\x01\xd1\x00\x01\xce\x00\x01\xcb\x30\x82\x01\xc7\x30\x82" \
	"\x01\x6c\xa0\x03\x02\x01\x02\x02\x02\x12\x34\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d" \
	"\x04\x03\x02\x30\x35\x16\x03\x03\x00\x64\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13" \
	"\x02\x4e\x4f\x31\x12\x30\x10\x06\x03\x55\x04\x0a\x0c\x09\x45\x78\x2c\x20\x41\x6d" \
	"\x70\x6c\x65\x31\x12\x30\x10\x06\x03\x55\x04\x03\x0c\x09\x61\x2e\x65\x78\x61\x6d" \
	"\x70\x6c\x65\x30\x1e\x17\x0d\x32\x36\x31\x31\x32\x32\x32\x33\x34\x32\x35\x35\x5a" \
	"\x17\x0d\x32\x36\x31\x32\x30\x32\x32\x33\x34\x32\x35\x35\x5a\x30\x35\x31\x0b\x30" \
	"\x09\x06\x03\x55\x04\x06\x13\x02\x4e\x4f\x16\x03\x03\x00\x64\x31\x12\x30\x10\x06" \
	"\x03\x55\x04\x0a\x0c\x09\x45\x78\x2c\x20\x41\x6d\x70\x6c\x65\x31\x12\x30\x10\x06" \
	"\x03\x55\x04\x03\x0c\x09\x61\x2e\x65\x78\x61\x6d\x70\x6c\x65\x30\x59\x30\x13\x06" \
	"\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42" \
	"\x00\x04\xc9\x8b\xa5\xe8\x2d\x30\xe1\xe5\x97\x8c\xf5\x7a\xca\xe7\xc7\xad\x9f\xef" \
	"\x80\xc8\xfa\x84\x93\x5b\xbc\x6b\x43\xd6\x50\x58\xd5\xfa\x14\x16\x03\x03\x00\x64" \
	"\x97\x0c\xb8\xfe\x25\xaf\xc0\x56\xbd\x1b\x37\x72\xf8\x7b\x4b\x67\xa9\x61\x90\xe6" \
	"\x52\xc8\x85\x11\xc3\x3c\x09\xfe\xe6\x4e\x3c\xa3\x6c\x30\x6a\x30\x1d\x06\x03\x55" \
	"\x1d\x0e\x04\x16\x04\x14\x27\x82\x67\x14\x54\x7c\xec\x6b\x60\x07\x0a\xb6\xa5\xec" \
	"\xf5\x82\x7f\x5e\x0b\xf2\x30\x1f\x06\x03\x55\x1d\x23\x04\x18\x30\x16\x80\x14\x27" \
	"\x82\x67\x14\x54\x7c\xec\x6b\x60\x07\x0a\xb6\xa5\xec\xf5\x82\x7f\x5e\x0b\xf2\x30" \
	"\x16\x03\x03\x00\x64\x1a\x06\x03\x55\x1d\x11\x04\x13\x30\x11\x82\x09\x61\x2e\x65" \
	"\x78\x61\x6d\x70\x6c\x65\x87\x04\xc0\x00\x02\x01\x30\x0c\x06\x03\x55\x1d\x13\x01" \
	"\x01\xff\x04\x02\x30\x00\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\x03\x49" \
	"\x00\x30\x46\x02\x21\x00\xcc\x13\x47\xe6\xa6\xaa\x78\x78\xdd\xe1\xc6\x71\xec\xe3" \
	"\x2c\x6e\x6c\x1b\x7e\x41\x3e\x1d\xd6\x7e\x95\xd3\xb0\xce\x39\x25\xef\x2e\x02\x21" \
	"\x00\xae\x3d\x51\x26\x16\x03\x03\x00\x2f\x90\xcd\x67\x52\xd7\xf7\x60\xe0\x15\x82" \
	"\x7e\xc6\x4f\x55\xc1\x6f\x1d\xc1\x2f\x96\x09\x92\x5a\xcd\x25\x91\x58\x7e\x0c\x00" \
	"\x00\x0b\x03\x00\x17\x04\x70\x70\x70\x70\x73\x69\x67\x0e\x00\x00\x00"
#define CLIENT_2 \
	"\x80\x1f\x01\x03\x01\x00\x06\x00\x00\x00\x10\x01\x00\x80\x00\x00\x2f\x63\x63\x63" \
	"\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63\x63"
#define RETRY_13 \
	"\x16\x03\x03\x00\x38\x02\x00\x00\x34\x03\x03\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe" \
	"\x1d\x8c\x02\x1e\x65\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8" \
	"\xa8\x33\x9c\x00\x13\x01\x00\x00\x0c\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x02\x00" \
	"\x17"
/* clang-format on */
#define CCS              "\x14\x03\x03\x00\x01\x01"
#define FINISHED         "\x16\x03\x03\x00\x10\x00\x00\x00\x00\x00\x00\x00\x01xxxxxxxx" /* encrypted */
#define DATA_20          "\x17\x03\x03\x00\x14xxxxxxxxxxxxxxxxxxxx"
#define DATA_4           "\x17\x03\x03\x00\x04yyyy"
#define ALERT(how, what) "\x15\x03\x03\x00\x02" how what

static void check(const struct shuffle_event *events, const char *const *texts,
		  const char *anomalies)
{
	talk_check("tls", NULL, events, 1, texts, anomalies);
}

static void a_handshake_of_1_3(void **state)
{
	(void)state;
	/* JA3 of 771,4865-49199,0-10-11-13-16-43-51,29-23,0; JA4 of t13d0207h2, 1301,c02f and 000a,000b,000d,002b,0033_0403,0804; JA3S of
	 * 771,4865,43-51. Each segment takes 1 ms in the mock's time */
	check(EVENTS(C(CLIENT_13), S(SERVER_13 CCS DATA_20), {'w', NULL, 7}, C(CCS DATA_20 DATA_4),
		     S(DATA_20 DATA_20)),
	      TEXTS("\"client\":{\"server_name\":\"a.example\"",
		    "\"supported_versions\":[\"1.3\",\"1.2\"]",
		    "\"supported_protocols\":[\"h2\",\"http/1.1\"]",
		    "\"supported_ciphers\":[\"TLS_AES_128_GCM_SHA256\",\"TLS_ECDHE_RSA_WITH_AES_"
		    "128_GCM_SHA256\"]",
		    "\"ja3\":\"f35d08c46026a7c8edfab6e19cef8620\"",
		    "\"ja4\":\"t13d0207h2_c1929292aa6b_078775ef5e04\"",
		    "\"ja3s\":\"f4febc55ea12b31ae17cfb7e614afda8\"",
		    "\"cipher\":\"TLS_AES_128_GCM_SHA256\"", "\"curve\":\"x25519\"",
		    "\"established\":true", "\"resumed\":false", "\"version_protocol\":\"tls\"",
		    "\"service\":{\"name\":\"a.example\"}", "\"completeness\":\"complete\"",
		    "\"c2s\":{\"bytes\":24}", "\"s2c\":{\"bytes\":60}", "!next_protocol",
		    "!anomalies", "!error", "\"handshake_ns\":"),
	      "");
}

static void a_handshake_of_1_2_shows_the_certificate(void **state)
{
	static const char *const texts[] = {
		"},\"version\":\"1.2\",\"next",
		"\"cipher\":\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\",\"curve\":\"secp256r1\"",
		"\"next_protocol\":\"http/1.1\"",
		"\"established\":true",
		"\"resumed\":false",
		"\"subject\":\"CN=a.example,O=Ex\\\\, Ample,C=NO\"",
		"\"issuer\":\"CN=a.example,O=Ex\\\\, Ample,C=NO\"",
		"\"not_before\":\"2026-11-22T23:42:55.000000000Z\"",
		"\"not_after\":\"2026-12-02T23:42:55.000000000Z\"",
		"\"serial_number\":\"1234\"",
		"\"alternative_names\":[\"a.example\",\"192.0.2.1\"]",
		"\"hash\":{\"sha256\":"
		"\"2093ba06a53f4e8bc869fc7825541fca54f18bbfdd564c8049f0f2f0c329f75d\"}",
		"\"certificate_chain\":{\"sha256\":["
		"\"2093ba06a53f4e8bc869fc7825541fca54f18bbfdd564c8049f0f2f0c329f75d\"]}",
		"\"ja3\":\"7b0a0fb6a5f56d76d3eecb5288869794\"",     /* 771,49195,0-10-16,23, */
		"\"ja3s\":\"73c5401bc2544038f608637524b63c6a\"",    /* 771,49195,16 */
		"\"ja4\":\"t12d0103h1_648b5c445417_a8f3e973773c\"", /* c02b; 000a */
		"\"completeness\":\"complete\"",
		NULL};

	(void)state;
	check(EVENTS(C(CLIENT_12), S(SERVER_12 CERTIFICATE_12 KEY_EXCHANGE_12 DONE_12),
		     C(CLIENT_KEY_12 CCS FINISHED), S(CCS FINISHED), C(DATA_20)),
	      texts, "");
	/* the same, the server's messages over several records each */
	check(EVENTS(C(CLIENT_12), S(SERVER_FLIGHT_12), C(CLIENT_KEY_12 CCS FINISHED),
		     S(CCS FINISHED), C(DATA_20)),
	      texts, "");
}

static void a_session_that_is_gone_on_with(void **state)
{
	(void)state;
	check(EVENTS(C(CLIENT_12), S(SERVER_12 CCS FINISHED), C(CCS FINISHED), C(DATA_20)),
	      TEXTS("\"resumed\":true", "\"established\":true", "!subject"), "");
}

static void a_refusal_is_an_error(void **state)
{
	(void)state;
	check(EVENTS(C(CLIENT_12), S(ALERT("\x02", "\x28")), {'f', NULL, 0}),
	      TEXTS("\"alerts\":[\"s2c fatal handshake_failure\"]",
		    "\"error\":{\"type\":\"handshake_failure\"}", "\"completeness\":\"complete\"",
		    "\"established\":false", "!\"cipher\":"),
	      "");
	check(EVENTS(C(CLIENT_12), {'r', NULL, 0}, {'R', NULL, 0}),
	      TEXTS("\"error\":{\"type\":\"server_reset\"}", "\"completeness\":\"no_response\""),
	      "");
}

static void another_hello_is_asked_for(void **state)
{
	(void)state;
	check(EVENTS(C(CLIENT_13), S(RETRY_13 CCS), C(CCS CLIENT_13), S(SERVER_13 DATA_20),
		     C(DATA_20)),
	      TEXTS("\"hello_retry\":true", "\"curve\":\"x25519\"", "\"established\":true",
		    "\"supported_versions\":[\"1.3\",\"1.2\"]",
		    "},\"version\":\"1.3\",\"handshake_ns"),
	      "");
}

static void early_data_is_no_handshake(void **state)
{
	(void)state;
	/* RFC 8446 appendix D.4: a client that sends early data sends its ChangeCipherSpec behind its hello */
	check(EVENTS(C(CLIENT_13 CCS DATA_20), S(SERVER_13 CCS DATA_20)),
	      TEXTS("\"established\":false", "\"completeness\":\"truncated\"",
		    "\"c2s\":{\"bytes\":20}"),
	      "");
}

static void data_without_a_handshake(void **state)
{
	(void)state;
	check(EVENTS(C(DATA_20 DATA_20), S(DATA_4)),
	      TEXTS("\"completeness\":\"no_request\"", "!\"version\"", "!established",
		    "\"c2s\":{\"bytes\":40}"),
	      "tls.midstream\n");
}

static void a_hole_in_data_is_counted_and_no_more(void **state)
{
	(void)state;
	check(EVENTS(C(CLIENT_13), S(SERVER_13 CCS DATA_20), C(CCS DATA_20),
		     S("\x17\x03\x03\x00\x14xxxx"), {'s', NULL, 10}, S("xxxxxx" DATA_4)),
	      TEXTS("\"completeness\":\"gap\"", "\"missing_bytes\":10", "\"s2c\":{\"bytes\":44}",
		    "\"established\":true"),
	      "tls.gap\n");
}

static void behind_a_hole_records_are_found_again(void **state)
{
	(void)state;
	/* in the middle of a segment: two records that follow each other */
	check(EVENTS(C(CLIENT_13), S(SERVER_13 DATA_20), {'s', NULL, 30}, S("xx" DATA_20 DATA_4)),
	      TEXTS("\"missing_bytes\":30", "\"s2c\":{\"bytes\":44}"), "tls.gap\n");
	/* where a segment begins: one */
	check(EVENTS(C(CLIENT_13), S(SERVER_13 DATA_20), {'s', NULL, 30}, S(DATA_20)),
	      TEXTS("\"s2c\":{\"bytes\":40}"), "tls.gap\n");
}

static void what_is_odd_is_named(void **state)
{
	(void)state;
	check(EVENTS(C("\x16\x03\x01\x00\x00")), TEXTS("\"completeness\":\"no_request\""),
	      "tls.record_empty\n");
	check(EVENTS(C(ALERT("\x01", "\x00") "zzz")),
	      TEXTS("\"alerts\":[\"c2s warning close_notify\"]"), "tls.data_after_close\n");
	check(EVENTS(C(CLIENT_13 "zzzzz" DATA_4 DATA_4)), TEXTS("\"c2s\":{\"bytes\":8}"),
	      "tls.record_invalid\n");
	/* 16 MiB of a hello are not waited for; what comes behind it is taken */
	check(EVENTS(C("\x16\x03\x01\x00\x06\x01\xff\xff\xff\x03\x03" DATA_4)),
	      TEXTS("\"anomalies\":[\"tls.hs_too_large\",\"tls.midstream\"]"),
	      "tls.hs_too_large\ntls.midstream\n");
}

/* An extension that is longer than the hello: what was said before it holds, and there is no fingerprint. */
static void a_malformed_hello_keeps_what_it_said(void **state)
{
	(void)state;
	check(EVENTS(C("\x16\x03\x01\x00\x34\x01\x00\x00\x30\x03\x03"
		       "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x02\x13\x01\x01\x00\x00\xff\x00"
		       "\x00\x00\x01x")),
	      TEXTS("\"supported_ciphers\":[\"TLS_AES_128_GCM_SHA256\"]", "!ja3", "!ja4"),
	      "tls.hs_malformed\n");
}

/* GREASE is in no fingerprint: JA3 of 771,4865,,, and JA4 of t12i010000 */
static void grease_leaves_no_print(void **state)
{
	(void)state;
	check(EVENTS(C("\x16\x03\x01\x00\x35\x01\x00\x00\x31\x03\x03"
		       "rrrrrrrrrrrrrrrrrrrrrrrrrrrrrrrr\x00\x00\x04\x0a\x0a\x13\x01\x01\x00\x00"
		       "\x04\x1a\x1a\x00\x00")),
	      TEXTS("\"ja3\":\"ea1e247991e541e39bf918cb7cfa5139\"",
		    "\"ja4\":\"t12i010000_0f2cb44170f4_000000000000\""),
	      "tls.no_sni\n");
}

static void the_hello_of_ssl_2(void **state)
{
	(void)state;
	check(EVENTS(C(CLIENT_2), S(SERVER_12)),
	      TEXTS("\"supported_versions\":[\"1.0\"]",
		    "\"supported_ciphers\":[\"TLS_RSA_WITH_AES_128_CBC_SHA\"]",
		    "},\"version\":\"1.2\",\"next", "\"completeness\":\"truncated\""),
	      "");
}

/* ---- a hole at every position ---- */

static void check_hole(const struct shuffle_event *events, size_t hole, size_t from, size_t missing)
{
	struct weir_host host;
	const char *records;

	mock_init(&host, parser_find("tls"));
	mock_open(&host);
	talk_with_hole(&host, events, hole, from, missing);
	records = strbuf_text(&host.records);
	assert_int_equal(host.nrecords, 1);
	assert_null(strstr(records, "\"complete\""));
	talk_said(records, "\"server_name\":", "\"a.example\"");
	talk_said(records, "\"subject\":", "\"CN=a.example,O=Ex\\\\, Ample,C=NO\"");
	talk_said(records, "\"not_after\":", "\"2026-12-02T23:42:55.000000000Z\"");
	talk_said(records, "\"cipher\":", "\"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\"");
	talk_said(records, "\"curve\":", "\"secp256r1\"");
	talk_said(records, "\"next_protocol\":", "\"http/1.1\"");
	talk_said(records, "\"ja3\":", "\"7b0a0fb6a5f56d76d3eecb5288869794\"");
	talk_said(records, "\"resumed\":", "false");
	assert_null(strstr(records, "alerts"));
	if (strstr(records, "\"established\":") != NULL) {
		/* what is not touched by the hole is there */
		assert_true(hole == 0 || strstr(records, "a.example") != NULL);
	}
	mock_fini(&host);
}

static void a_hole_at_every_position_invents_nothing(void **state)
{
	const struct shuffle_event *events =
		EVENTS(C(CLIENT_12), S(SERVER_12 CERTIFICATE_12 KEY_EXCHANGE_12 DONE_12),
		       C(CLIENT_KEY_12 CCS FINISHED), S(CCS FINISHED), C(DATA_20), S(DATA_20));

	(void)state;
	talk_holes(events, check_hole);
}

/* A long session is told while it goes on, and not while it is silent. */
static void interim_records_follow_the_bytes(void **state)
{
	struct weir_host host;

	(void)state;
	mock_init(&host, parser_find("tls"));
	mock_open(&host);
	mock_feed(&host, WEIR_C2S, CLIENT_13, sizeof(CLIENT_13) - 1);
	mock_feed(&host, WEIR_S2C, SERVER_13, sizeof(SERVER_13) - 1);
	mock_wait(&host, INT64_C(60000000000));
	assert_int_equal(talk_count(strbuf_text(&host.interims), "\"server_name\":\"a.example\""),
			 1);
	mock_feed(&host, WEIR_S2C, DATA_20, sizeof(DATA_20) - 1);
	mock_wait(&host, INT64_C(60000000000));
	assert_int_equal(talk_count(strbuf_text(&host.interims), "\"server_name\":\"a.example\""),
			 2);
	mock_end(&host);
	assert_int_equal(host.nrecords, 1);
	mock_fini(&host);
}

/* ---- detection ---- */

static void detection(void **state)
{
	static const struct talk_probe cases[] = {
		{SIDE(CLIENT_13), SIDE(""), 90, 100, false},
		{SIDE(CLIENT_2), SIDE(""), 90, 100, false},
		{SIDE(""), SIDE(SERVER_12), 90, 100, false},
		{SIDE(SERVER_12), SIDE(CLIENT_12), 90, 100, true},
		{SIDE(SERVER_12), SIDE(""), 90, 100, true},
		{SIDE("\x16\x03"), SIDE(""), 1, 59, false},
		{SIDE(DATA_20), SIDE(""), 60, 89, false},
		{SIDE(DATA_20 DATA_4), SIDE(""), 90, 100, false},
		{SIDE(DATA_20 "GET / HTTP/1.1"), SIDE(""), 0, 0, false},
		{SIDE(DATA_20), SIDE("HTTP/1.1 200 OK"), 0, 0, false},
		{SIDE("GET / HTTP/1.1\r\n"), SIDE(""), 0, 0, false},
		{SIDE("\x16\x03\x01\xff\xff"), SIDE(""), 0, 0, false},
		{SIDE("\x80\x2e\x01\x00\x02"), SIDE(""), 0, 0, false},
	};

	(void)state;
	talk_detect("tls", cases, sizeof(cases) / sizeof(cases[0]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_handshake_of_1_3),
		cmocka_unit_test(a_handshake_of_1_2_shows_the_certificate),
		cmocka_unit_test(a_session_that_is_gone_on_with),
		cmocka_unit_test(a_refusal_is_an_error),
		cmocka_unit_test(another_hello_is_asked_for),
		cmocka_unit_test(early_data_is_no_handshake),
		cmocka_unit_test(data_without_a_handshake),
		cmocka_unit_test(a_hole_in_data_is_counted_and_no_more),
		cmocka_unit_test(behind_a_hole_records_are_found_again),
		cmocka_unit_test(what_is_odd_is_named),
		cmocka_unit_test(a_malformed_hello_keeps_what_it_said),
		cmocka_unit_test(grease_leaves_no_print),
		cmocka_unit_test(the_hello_of_ssl_2),
		cmocka_unit_test(a_hole_at_every_position_invents_nothing),
		cmocka_unit_test(interim_records_follow_the_bytes),
		cmocka_unit_test(detection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
