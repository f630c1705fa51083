/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1 against llhttp (the parser of Node.js; Debian's node-llhttp ships its generated C): random clean conversations, in
 * random pieces, must give the same methods, targets, headers, trailers, statuses and bodies. llhttp sees each direction whole.
 */
#include <ctype.h>
#include <jansson.h>
#include <llhttp.h>

#include "mock_host.h"
#include "parser/registry.h"

enum { RUNS = 60, EXCHANGES = 40, ROOM = 1 << 20 };

static uint32_t random_state;

static unsigned chance(unsigned n)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % n;
}

/* ---- what is said ---- */

struct text {
	char bytes[ROOM];
	size_t len;
};

static void say(struct text *to, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct text *to, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	to->len += (size_t)vsnprintf(to->bytes + to->len, ROOM - to->len, format, args);
	va_end(args);
	assert(to->len < ROOM - 4096);
}

static void say_random(struct text *to, const char *from, unsigned least, unsigned most)
{
	unsigned n = least + chance(most - least + 1);

	while (n-- > 0) {
		say(to, "%c", from[chance((unsigned)strlen(from))]);
	}
}

static void say_headers(struct text *to, unsigned most)
{
	static const char visible[] =
		"abcdefghijklmnopqrstuvwxyzABCXYZ0123456789 :;,=\"'()/?@[]{}~!#$%&*+-._^`|<>\\";
	unsigned n = chance(most);

	while (n-- > 0) {
		if (chance(4) == 0) {
			say(to, "%s", chance(2) == 0 ? "Accept" : "x-REPEATED");
		} else {
			say(to, "X-");
			say_random(to, "abcXYZ019!#$%&'*+-.^_`|~", 1, 20);
		}
		say(to, ":%s", chance(4) == 0 ? "" : chance(4) == 0 ? " \t" : " ");
		if (chance(10) != 0) {
			say_random(to, visible, 0, chance(10) == 0 ? 900 : 40);
		}
		say(to, "%s\r\n", chance(8) == 0 ? "  " : "");
	}
}

static void say_chunks(struct text *to)
{
	unsigned n = chance(5);

	say(to, "Transfer-Encoding: chunked\r\n\r\n");
	while (n-- > 0) {
		unsigned size = 1 + chance(chance(4) == 0 ? 3000 : 40);

		say(to, chance(2) == 0 ? "%x" : "%04X", size);
		say(to, "%s\r\n", chance(4) == 0 ? ";a=b" : "");
		say_random(to, "body text 0123", size, size);
		say(to, "\r\n");
	}
	say(to, "0\r\n%s\r\n", chance(3) == 0 ? "X-Trailer: t\r\n" : "");
}

static void say_body(struct text *to, bool always)
{
	unsigned size = chance(chance(4) == 0 ? 5000 : 60);

	switch (chance(3)) {
	case 0:
		say_chunks(to);
		break;
	case 1:
		if (!always) {
			say(to, "\r\n");
			break;
		}
		/* fall through */
	default:
		say(to, "Content-Length: %u\r\n\r\n", size);
		say_random(to, "body text 0123", size, size);
		break;
	}
}

static const char *const methods[] = {"GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "PATCH"};

static unsigned say_request(struct text *to)
{
	unsigned method = chance(7);

	say(to, "%s /", methods[method]);
	say_random(to, "abcdefghij/.-_~?=&+0123456789", 0, chance(10) == 0 ? 2000 : 40);
	say(to, " HTTP/1.1\r\nHost: h%u.example\r\n", chance(100));
	say_headers(to, 15);
	say_body(to, false);
	return method;
}

static void say_response(struct text *to, unsigned method)
{
	static const unsigned statuses[] = {200, 201, 204, 304, 301, 404, 500};
	unsigned status = statuses[chance(7)];

	while (chance(8) == 0) {
		say(to, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n");
	}
	say(to, "HTTP/1.1 %u %s\r\n", status, chance(3) == 0 ? "" : "Some Reason");
	say_headers(to, 15);
	if (method == 3 || status == 204 || status == 304) {
		say(to, "%s\r\n",
		    method == 3 && status != 204 && chance(2) == 0 ? "Content-Length: 77\r\n" : "");
	} else {
		say_body(to, true);
	}
}

/* ---- llhttp's view ---- */

struct view {
	json_t *messages;   /* done */
	json_t *message;    /* the one being read */
	json_t *headers;    /* of its head or of its trailer */
	char *name, *value; /* of the header being read */
	char *target, *reason, *body;
	unsigned methods[EXCHANGES];
	size_t nresponses;
};

static void add(char **text, const char *at, size_t len)
{
	size_t old = *text == NULL ? 0 : strlen(*text);

	*text = realloc(*text, old + len + 1);
	memcpy(*text + old, at, len);
	(*text)[old + len] = '\0';
}

static int on_begin(llhttp_t *parser)
{
	struct view *view = parser->data;

	view->message = json_object();
	view->headers = json_object();
	return 0;
}

static int on_target(llhttp_t *parser, const char *at, size_t len)
{
	add(&((struct view *)parser->data)->target, at, len);
	return 0;
}

static int on_reason(llhttp_t *parser, const char *at, size_t len)
{
	add(&((struct view *)parser->data)->reason, at, len);
	return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
	add(&((struct view *)parser->data)->name, at, len);
	return 0;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
	add(&((struct view *)parser->data)->value, at, len);
	return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
	add(&((struct view *)parser->data)->body, at, len);
	return 0;
}

static int on_value_complete(llhttp_t *parser)
{
	struct view *view = parser->data;
	json_t *list;
	char *p;

	for (p = view->name; *p != '\0'; p++) {
		*p = (char)tolower(*p);
	}
	/* llhttp leaves white space at the end in; it is not part of the value (RFC 9112 section 5.1) */
	p = view->value == NULL ? NULL : view->value + strlen(view->value);
	while (p != NULL && p > view->value && (p[-1] == ' ' || p[-1] == '\t')) {
		*--p = '\0';
	}
	list = json_object_get(view->headers, view->name);
	if (list == NULL) {
		list = json_array();
		json_object_set_new(view->headers, view->name, list);
	}
	json_array_append_new(list, json_string(view->value == NULL ? "" : view->value));
	free(view->name);
	free(view->value);
	view->name = view->value = NULL;
	return 0;
}

static int on_headers_complete(llhttp_t *parser)
{
	struct view *view = parser->data;

	json_object_set_new(view->message, "header", view->headers);
	view->headers = json_object();
	if (parser->type == HTTP_RESPONSE && parser->status_code >= 200) {
		return view->methods[view->nresponses++] == 3; /* HEAD: no body */
	}
	return 0;
}

static int on_complete(llhttp_t *parser)
{
	struct view *view = parser->data;
	json_t *message = view->message;

	if (json_object_size(view->headers) > 0) {
		json_object_set(message, "trailer", view->headers);
	}
	json_decref(view->headers);
	if (parser->type == HTTP_REQUEST) {
		json_object_set_new(
			message, "method",
			json_string(llhttp_method_name((llhttp_method_t)parser->method)));
		json_object_set_new(message, "target", json_string(view->target));
	} else {
		json_object_set_new(message, "status_code", json_integer(parser->status_code));
		json_object_set_new(message, "reason",
				    json_string(view->reason == NULL ? "" : view->reason));
	}
	json_object_set_new(message, "body", json_string(view->body == NULL ? "" : view->body));
	json_array_append_new(view->messages, message);
	free(view->target);
	free(view->reason);
	free(view->body);
	view->target = view->reason = view->body = NULL;
	return 0;
}

static json_t *ask_llhttp(llhttp_type_t type, const struct text *text, const unsigned *asked)
{
	struct view view = {.messages = json_array()};
	llhttp_settings_t settings;
	llhttp_t parser;

	memcpy(view.methods, asked, sizeof(view.methods));
	llhttp_settings_init(&settings);
	settings.on_message_begin = on_begin;
	settings.on_url = on_target;
	settings.on_status = on_reason;
	settings.on_header_field = on_name;
	settings.on_header_value = on_value;
	settings.on_header_value_complete = on_value_complete;
	settings.on_headers_complete = on_headers_complete;
	settings.on_body = on_body;
	settings.on_message_complete = on_complete;
	llhttp_init(&parser, type, &settings);
	parser.data = &view;
	if (llhttp_execute(&parser, text->bytes, text->len) != HPE_OK) {
		(void)fprintf(stderr, "llhttp: %s\n", parser.reason);
		json_decref(view.messages);
		return NULL;
	}
	return view.messages;
}

/* ---- our view, in the same form ---- */

static json_t *side_of(json_t *record, const char *name)
{
	json_t *from = json_object_get(json_object_get(record, "http"), name);
	json_t *to = json_object();
	static const char *const same[] = {"method", "target", "status_code", "trailer"};
	json_t *content = json_object_get(json_object_get(from, "body"), "content");
	json_t *header = json_object_get(from, "header");
	json_t *reason = json_object_get(from, "reason");
	size_t i;

	for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		if (json_object_get(from, same[i]) != NULL) {
			json_object_set(to, same[i], json_object_get(from, same[i]));
		}
	}
	json_object_set_new(to, "header", header == NULL ? json_object() : json_incref(header));
	if (strcmp(name, "response") == 0) {
		json_object_set_new(to, "reason",
				    reason == NULL ? json_string("") : json_incref(reason));
	}
	json_object_set_new(to, "body", content == NULL ? json_string("") : json_incref(content));
	return to;
}

static bool same(const char *what, json_t *ours, json_t *theirs)
{
	bool equal = json_equal(ours, theirs) == 1;

	if (!equal) {
		char *a = json_dumps(ours, JSON_SORT_KEYS);
		char *b = json_dumps(theirs, JSON_SORT_KEYS);

		(void)fprintf(stderr, "%s differs\nours:   %s\nllhttp: %s\n", what, a, b);
		free(a);
		free(b);
	}
	json_decref(ours);
	return equal;
}

static void feed(struct weir_host *host, enum weir_direction dir, const struct text *text,
		 size_t *at, size_t end)
{
	while (*at < end) {
		size_t n = 1 + chance(chance(2) == 0 ? 20 : 1400);

		n = n < end - *at ? n : end - *at;
		mock_feed(host, dir, text->bytes + *at, n);
		*at += n;
	}
}

static bool run(uint32_t seed)
{
	static struct text says[2];
	unsigned asked[EXCHANGES];
	struct weir_host host;
	json_t *theirs[2];
	size_t at[2] = {0, 0};
	const char *line;
	bool good = true;
	int i, n = 0, interims = 0;

	random_state = seed;
	says[0].len = says[1].len = 0;
	mock_init(&host, parser_find("http1"));
	host.config.bodies = WEIR_BODIES_KEEP;
	mock_open(&host);
	for (i = 0; i < EXCHANGES; i++) {
		asked[i] = say_request(&says[0]);
		say_response(&says[1], asked[i]);
		feed(&host, WEIR_C2S, &says[0], &at[0], says[0].len);
		feed(&host, WEIR_S2C, &says[1], &at[1], says[1].len);
	}
	mock_end(&host);
	theirs[0] = ask_llhttp(HTTP_REQUEST, &says[0], asked);
	theirs[1] = ask_llhttp(HTTP_RESPONSE, &says[1], asked);
	good = theirs[0] != NULL && theirs[1] != NULL && strbuf_text(&host.anomalies)[0] == '\0';
	for (line = strbuf_text(&host.records); good && *line != '\0';
	     line = strchr(line, '\n') + 1, n++) {
		json_t *record = json_loadb(line, strcspn(line, "\n"), 0, NULL);
		json_t *list = json_object_get(json_object_get(record, "http"), "interim");

		interims += (int)json_array_size(list);
		good = same("request", side_of(record, "request"),
			    json_array_get(theirs[0], (size_t)n)) &&
		       same("response", side_of(record, "response"),
			    json_array_get(theirs[1], (size_t)(n + interims)));
		json_decref(record);
	}
	if (good && n != EXCHANGES) {
		(void)fprintf(stderr, "%d records\n", n);
	}
	if (strbuf_text(&host.anomalies)[0] != '\0') {
		(void)fprintf(stderr, "clean, and yet: %s", strbuf_text(&host.anomalies));
	}
	good = good && n == EXCHANGES;
	json_decref(theirs[0]);
	json_decref(theirs[1]);
	mock_fini(&host);
	return good;
}

int main(void)
{
	uint32_t seed;

	for (seed = 1; seed <= RUNS; seed++) {
		if (!run(seed * 104729)) {
			printf("seed %u: differs\n", seed);
			return 1;
		}
	}
	printf("%d conversations of %d exchanges: the same\n", RUNS, EXCHANGES);
	return 0;
}
