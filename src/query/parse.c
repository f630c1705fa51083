/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammar of filters (query.h, docs/query.md): recursive descent over the text itself.
 *
 * A name is what is made of letters, digits, `_`, `.` and `-`, begins with a letter, and has an operator behind it; anything
 * else is text to look for. Around operators but those that begin with a colon there may be blanks, as in tshark. A value that
 * is not quoted ends at a blank, and at a parenthesis that was not opened in it.
 */
#include "query/private.h"

#include "weir/error.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool query_fail(struct query_source *source, size_t offset, size_t length, const char *format, ...)
{
	va_list args;

	if (source->failed) {
		return false;
	}
	source->failed = true;
	source->error->offset = offset;
	source->error->length = length;
	va_start(args, format);
	(void)vsnprintf(source->error->reason, sizeof(source->error->reason), format, args);
	va_end(args);
	return false;
}

void *query_alloc(struct query_source *source, size_t size)
{
	void *p = arena_alloc(&source->query->arena, size);

	if (p == NULL) {
		source->no_memory = true;
		(void)query_fail(source, 0, source->len, "the filter is too large");
	} else if (size > 0) {
		memset(p, 0, size);
	}
	return p;
}

/* ---- characters ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '-';
}

static char peek(const struct query_source *source, size_t ahead)
{
	return source->at + ahead < source->len ? source->text[source->at + ahead] : '\0';
}

static void skip_blanks(struct query_source *source)
{
	while (is_blank(peek(source, 0))) {
		source->at++;
	}
}

/* A word that joins or negates, in any case; it ends where a name does. */
static bool take_word(struct query_source *source, const char *word)
{
	size_t n = strlen(word), i;

	for (i = 0; i < n; i++) {
		if ((peek(source, i) | 0x20) != word[i]) {
			return false;
		}
	}
	if (peek(source, n) != '\0' &&
	    (is_name(peek(source, n)) || strchr(":=<>!~", peek(source, n)) != NULL)) {
		return false;
	}
	source->at += n;
	return true;
}

static bool take_sign(struct query_source *source, const char *sign)
{
	size_t n = strlen(sign);

	if (source->len - source->at < n || memcmp(source->text + source->at, sign, n) != 0) {
		return false;
	}
	source->at += n;
	return true;
}

static struct query_node *new_node(struct query_source *source, enum query_node_kind kind,
				   size_t offset)
{
	struct query_node *node = query_alloc(source, sizeof(*node));

	if (node != NULL) {
		node->kind = kind;
		node->offset = offset;
	}
	return node;
}

/* ---- operators ---- */

struct op_sign {
	const char *sign;
	enum query_op op;
	bool blanks; /* there may be blanks before it */
};

/* Longer ones first. */
static const struct op_sign signs[] = {
	{":>=", QUERY_GE, false},  {":<=", QUERY_LE, false}, {":!=", QUERY_NE, false},
	{":>", QUERY_GT, false},   {":<", QUERY_LT, false},  {":~", QUERY_MATCH, false},
	{":=", QUERY_EQ, false},   {":", QUERY_EQ, false},   {"==", QUERY_EQ, true},
	{"=~", QUERY_MATCH, true}, {"!=", QUERY_NE, true},   {"!~", QUERY_NOT_MATCH, true},
	{">=", QUERY_GE, true},    {"<=", QUERY_LE, true},   {">", QUERY_GT, true},
	{"<", QUERY_LT, true},     {"=", QUERY_EQ, true},
};

/* The operator behind a name, and what is blank around it. */
static const struct op_sign *take_op(struct query_source *source)
{
	size_t start = source->at, i;

	skip_blanks(source);
	for (i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
		if ((signs[i].blanks || source->at == start) && take_sign(source, signs[i].sign)) {
			if (signs[i].blanks) {
				skip_blanks(source);
			}
			return &signs[i];
		}
	}
	source->at = start;
	return NULL;
}

/* ---- values ---- */

/* A quoted text: \" and \\ are " and \; other backslashes stay (of a regular expression). */
static bool take_quoted(struct query_source *source, struct query_raw *ret)
{
	size_t start = source->at++;
	char *to = query_alloc(source, source->len - start);
	size_t n = 0;

	if (to == NULL) {
		return false;
	}
	while (source->at < source->len && source->text[source->at] != '"') {
		if (source->text[source->at] == '\\' &&
		    (peek(source, 1) == '"' || peek(source, 1) == '\\')) {
			source->at++;
		}
		to[n++] = source->text[source->at++];
	}
	if (source->at == source->len) {
		return query_fail(source, start, 1, "this quote is not closed");
	}
	source->at++;
	*ret = (struct query_raw){to, n, true, start, source->at - start};
	return true;
}

/* A bare value up to a blank, a parenthesis that was not opened in it, and with `list` a comma. */
static bool take_bare(struct query_source *source, bool list, struct query_raw *ret)
{
	size_t start = source->at;
	unsigned open = 0;

	for (; source->at < source->len; source->at++) {
		char c = source->text[source->at];

		if (is_blank(c) || (c == ')' && open == 0) || (list && c == ',')) {
			break;
		}
		if (c == '\\' && !list && source->at + 1 < source->len) {
			source->at++; /* a regular expression's: what it escapes is no parenthesis */
			continue;
		}
		open += c == '(';
		open -= c == ')';
	}
	*ret = (struct query_raw){source->text + start, source->at - start, false, start,
				  source->at - start};
	if (ret->len == 0) {
		return query_fail(source, start, 0, "a value is missing here");
	}
	return true;
}

static bool take_value(struct query_source *source, bool list, struct query_raw *ret)
{
	return peek(source, 0) == '"' ? take_quoted(source, ret) : take_bare(source, list, ret);
}

static bool add_value(struct query_source *source, struct query_term *term,
		      const struct query_raw *raw)
{
	if ((term->nvalues & (term->nvalues + 1)) == 0) { /* full: grow to 2^n - 1 */
		struct query_value *grown =
			query_alloc(source, (2 * term->nvalues + 1) * sizeof(*grown));

		if (grown == NULL) {
			return false;
		}
		if (term->nvalues > 0) {
			memcpy(grown, term->values, term->nvalues * sizeof(*grown));
		}
		term->values = grown;
	}
	if (!query_read_value(source, term, raw, &term->values[term->nvalues])) {
		return false;
	}
	term->nvalues++;
	return true;
}

static const char *op_name(enum query_op op)
{
	static const char *const names[] = {":", "!=", "<", "<=", ">", ">=", ":~", "!~"};

	return names[op];
}

static bool is_order(enum query_op op)
{
	return op == QUERY_LT || op == QUERY_LE || op == QUERY_GT || op == QUERY_GE;
}

/* One value, or several with commas between. */
static bool take_values(struct query_source *source, struct query_term *term)
{
	bool regex = term->op == QUERY_MATCH || term->op == QUERY_NOT_MATCH;
	struct query_raw raw = {0};

	do {
		if (!take_value(source, !regex, &raw) || !add_value(source, term, &raw)) {
			return false;
		}
		if (term->nvalues == QUERY_VALUES_MAX) {
			return query_fail(source, source->at, 0, "more than %d values",
					  QUERY_VALUES_MAX);
		}
	} while (!regex && take_sign(source, ","));
	if (is_order(term->op) && term->nvalues > 1) {
		return query_fail(source, raw.offset, raw.length, "%s takes one value",
				  op_name(term->op));
	}
	return true;
}

/* What the kind of the fields cannot do. */
static bool check_op(struct query_source *source, const struct query_term *term, size_t offset,
		     size_t length, size_t name_len)
{
	enum weir_kind kind = term->targets[0].kind;
	bool ordered = kind == WEIR_KIND_U64 || kind == WEIR_KIND_DURATION ||
		       kind == WEIR_KIND_TIME || kind == WEIR_KIND_U64S;
	bool regex = term->op == QUERY_MATCH || term->op == QUERY_NOT_MATCH;
	const char *name = source->text + offset;

	if (is_order(term->op) && !ordered) {
		return query_fail(source, offset, length, "%.*s is text: it takes : != and :~",
				  (int)name_len, name);
	}
	if (regex && (ordered || kind == WEIR_KIND_BOOL)) {
		return query_fail(
			source, offset, length, "%.*s is %s: there is no regular expression for it",
			(int)name_len, name, kind == WEIR_KIND_BOOL ? "true or false" : "a number");
	}
	return true;
}

/* ---- terms ---- */

/* Length of a name that begins here; 0: none. */
static size_t name_len(const struct query_source *source)
{
	size_t n = 0;

	if (!isalpha((unsigned char)peek(source, 0))) {
		return 0;
	}
	while (is_name(peek(source, n))) {
		n++;
	}
	return n;
}

static struct query_node *read_text(struct query_source *source)
{
	struct query_node *node = new_node(source, QUERY_TEXT, source->at);
	struct query_raw raw = {0};
	uint8_t *low;
	size_t i;

	if (node == NULL || !take_value(source, false, &raw)) {
		return NULL;
	}
	low = query_alloc(source, raw.len + 1);
	if (low == NULL) {
		return NULL;
	}
	for (i = 0; i < raw.len; i++) {
		low[i] = (uint8_t)(raw.p[i] >= 'A' && raw.p[i] <= 'Z' ? raw.p[i] | 0x20 : raw.p[i]);
	}
	node->text.p = low;
	node->text.len = (uint32_t)raw.len;
	node->length = raw.length;
	source->query->has_text = true;
	return node;
}

static struct query_node *read_term(struct query_source *source, size_t offset, size_t len,
				    const struct op_sign *sign, size_t op_end)
{
	struct query_node *node = new_node(source, QUERY_TERM, offset);
	struct query_term *term = query_alloc(source, sizeof(*term));

	if (node == NULL || term == NULL) {
		return NULL;
	}
	node->term = term;
	term->op = sign->op;
	source->name = offset;
	source->name_len = len;
	if (!query_resolve(source, offset, len, term) ||
	    !check_op(source, term, offset, op_end - offset, len) || !take_values(source, term)) {
		return NULL;
	}
	node->length = source->at - offset;
	return node;
}

static struct query_node *read_any(struct query_source *source);

static struct query_node *read_group(struct query_source *source)
{
	size_t start = source->at++;
	struct query_node *node;

	node = read_any(source);
	if (node == NULL) {
		return NULL;
	}
	skip_blanks(source);
	if (!take_sign(source, ")")) {
		(void)query_fail(source, start, 1, "this parenthesis is not closed");
		return NULL;
	}
	return node;
}

static struct query_node *read_primary(struct query_source *source)
{
	const struct op_sign *sign;
	size_t start = source->at;
	size_t len = name_len(source);

	if (peek(source, 0) == '(') {
		return read_group(source);
	}
	if (source->at == source->len || peek(source, 0) == ')') {
		(void)query_fail(source, start, source->at == source->len ? 0 : 1,
				 source->at == source->len
					 ? "something is missing here"
					 : "nothing was opened for this to close");
		return NULL;
	}
	if (len > 0) {
		source->at += len;
		sign = take_op(source);
		if (sign != NULL) {
			return read_term(source, start, len, sign, source->at);
		}
		source->at = start;
	} else if (strchr(":=<>~,", peek(source, 0)) != NULL) {
		(void)query_fail(source, start, 1, "a field's name is missing before this");
		return NULL;
	}
	return read_text(source);
}

static struct query_node *negate(struct query_source *source, struct query_node *child,
				 size_t offset)
{
	struct query_node *node = child == NULL ? NULL : new_node(source, QUERY_NOT, offset);

	if (node != NULL) {
		node->child = child;
		node->length = source->at - offset;
	}
	return node;
}

static struct query_node *read_one(struct query_source *source)
{
	struct query_node *node;
	size_t start;

	skip_blanks(source);
	start = source->at;
	if (source->depth == QUERY_DEPTH_MAX) {
		(void)query_fail(source, start, 1, "more than %d parentheses within each other",
				 QUERY_DEPTH_MAX);
		return NULL;
	}
	source->depth++;
	if ((peek(source, 0) == '-' && !is_blank(peek(source, 1)) && peek(source, 1) != '\0' &&
	     take_sign(source, "-")) ||
	    take_word(source, "not") || (peek(source, 1) != '~' && take_sign(source, "!"))) {
		node = negate(source, read_one(source), start);
	} else {
		node = read_primary(source);
	}
	source->depth--;
	return node;
}

/* ---- lists ---- */

static bool at_or(struct query_source *source)
{
	size_t start = source->at;
	bool is = take_sign(source, "||") || take_word(source, "or");

	source->at = start;
	return is;
}

/* Is there more of what belongs together? */
static bool more_of_all(struct query_source *source)
{
	skip_blanks(source);
	if (source->at == source->len || peek(source, 0) == ')' || at_or(source)) {
		return false;
	}
	if (take_sign(source, "&&") || take_word(source, "and")) {
		skip_blanks(source);
	}
	return true;
}

static bool more_of_any(struct query_source *source)
{
	skip_blanks(source);
	return take_sign(source, "||") || take_word(source, "or");
}

/* One thing, or several in a node of their own. */
static struct query_node *read_list(struct query_source *source, enum query_node_kind kind,
				    struct query_node *(*read)(struct query_source *source),
				    bool (*more)(struct query_source *source))
{
	struct query_node *first = read(source);
	struct query_node *last = first, *node;

	while (last != NULL && more(source)) {
		last->next = read(source);
		last = last->next;
	}
	if (last == NULL || first->next == NULL) {
		return last;
	}
	node = new_node(source, kind, first->offset);
	if (node != NULL) {
		node->child = first;
		node->length = source->at - first->offset;
	}
	return node;
}

static struct query_node *read_all(struct query_source *source)
{
	return read_list(source, QUERY_AND, read_one, more_of_all);
}

static struct query_node *read_any(struct query_source *source)
{
	return read_list(source, QUERY_OR, read_all, more_of_any);
}

/* ---- fields of the schemas ---- */

/* Where each schema has the fields of each term. */
static bool bind_term(struct query_source *source, struct query_term *term)
{
	const struct query *query = source->query;
	int16_t *index =
		query_alloc(source, query->nschemas * QUERY_TARGETS_MAX * sizeof(*index) + 1);
	size_t i, k;

	if (index == NULL) {
		return false;
	}
	for (i = 0; i < query->nschemas; i++) {
		for (k = 0; k < QUERY_TARGETS_MAX; k++) {
			int at = k < term->ntargets
					 ? weir_schema_find(query->schemas[i],
							    term->targets[k].field,
							    strlen(term->targets[k].field))
					 : -1;

			index[i * QUERY_TARGETS_MAX + k] = (int16_t)(at < 0 ? -1 : at);
		}
	}
	term->index = index;
	return true;
}

static bool bind(struct query_source *source, struct query_node *node)
{
	for (; node != NULL; node = node->next) {
		if (node->kind == QUERY_TERM && !bind_term(source, node->term)) {
			return false;
		}
		if (!bind(source, node->child)) { /* no deeper than QUERY_DEPTH_MAX lists */
			return false;
		}
	}
	return true;
}

/* ---- life ---- */

static struct query *make(const struct weir_schema *const *schemas)
{
	struct query *query = calloc(1, sizeof(*query));

	if (query == NULL) {
		return NULL;
	}
	budget_init(&query->budget, QUERY_MEMORY, NULL);
	arena_pool_init(&query->pool, &query->budget, 0);
	arena_init(&query->arena, &query->pool);
	strbuf_init(&query->low);
	while (schemas[query->nschemas] != NULL && query->nschemas < QUERY_SCHEMAS_MAX) {
		query->schemas[query->nschemas] = schemas[query->nschemas];
		query->nschemas++;
	}
	return query;
}

void query_free(struct query *query)
{
	if (query == NULL) {
		return;
	}
	query_regex_free_all(query);
	strbuf_fini(&query->low);
	arena_fini(&query->arena);
	arena_pool_fini(&query->pool);
	assert(query->budget.used == 0);
	free(query);
}

static bool read_all_of_it(struct query_source *source)
{
	skip_blanks(source);
	if (source->at == source->len) {
		return true;
	}
	source->query->root = read_any(source);
	if (source->query->root == NULL) {
		return false;
	}
	skip_blanks(source);
	if (source->at < source->len) {
		return query_fail(source, source->at, 1, "nothing was opened for this to close");
	}
	return bind(source, source->query->root);
}

int query_new(const char *text, const struct weir_schema *const *schemas, struct query **ret,
	      struct query_error *ret_error)
{
	struct query_source source = {.text = text, .len = strlen(text), .error = ret_error};
	bool good;

	memset(ret_error, 0, sizeof(*ret_error));
	source.query = make(schemas);
	if (source.query == NULL) {
		return WEIR_ENOMEM;
	}
	if (source.len > QUERY_TEXT_MAX) {
		good = query_fail(&source, QUERY_TEXT_MAX, 0, "a filter has at most %d bytes",
				  QUERY_TEXT_MAX);
	} else {
		good = read_all_of_it(&source);
	}
	if (!good) {
		bool spent = source.no_memory && source.query->budget.failed > 0;

		assert(source.failed);
		query_free(source.query);
		return spent ? WEIR_ENOMEM : WEIR_EINVAL;
	}
	*ret = source.query;
	return 0;
}

const struct query_node *query_root(const struct query *query)
{
	return query->root;
}
