/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tree as a condition: see sql.h.
 *
 * Each node is said *wide* (true of more) or *narrow* (true of less) where it cannot be said exactly; a negation turns one into the
 * other. So the whole is never narrower than the filter. Truth in SQL has a third value, NULL, which is taken for false wherever it
 * would not stay so: below a negation.
 */
#include "query/private.h"
#include "query/sql.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "record/record.h"
#include "weir/error.h"

/* What a piece of the condition is: a constant, or what was written. */
enum piece { NEVER, ALWAYS, WRITTEN };

struct saying {
	struct query *query;
	const struct weir_schema *schema;
	size_t index; /* of the schema, in the query */
	const struct query_names *names;
	bool inexact;
	bool texts;
	bool wide; /* the term that is being said */
};

/* ---- literals ---- */

static void put_bytes(struct strbuf *out, const uint8_t *p, size_t len)
{
	strbuf_str(out, "x'");
	strbuf_hex(out, p, len);
	strbuf_char(out, '\'');
}

static void put_text(struct strbuf *out, const uint8_t *p, size_t len)
{
	size_t i;

	for (i = 0; i < len && p[i] >= ' ' && p[i] < 0x7f && p[i] != '\''; i++) {
	}
	if (i == len) {
		strbuf_char(out, '\'');
		strbuf_add(out, p, len);
		strbuf_char(out, '\'');
		return;
	}
	strbuf_str(out, "CAST(");
	put_bytes(out, p, len);
	strbuf_str(out, " AS TEXT)");
}

/* The least text beyond all that begin with this one: false, there is none. */
static bool put_after(struct strbuf *out, const struct weir_str *text)
{
	struct strbuf copy;
	uint32_t len = text->len;

	while (len > 0 && text->p[len - 1] == 0xff) {
		len--;
	}
	if (len == 0) {
		return false;
	}
	strbuf_init(&copy);
	strbuf_add(&copy, text->p, len);
	if (!copy.failed) {
		copy.p[len - 1] = (char)(text->p[len - 1] + 1);
		put_text(out, (const uint8_t *)copy.p, len);
	}
	out->failed |= copy.failed;
	strbuf_fini(&copy);
	return true;
}

/* ---- values: each appends a condition on the expression `x` ---- */

static enum piece say_number(struct strbuf *out, enum query_op op, const struct query_value *value,
			     const char *x)
{
	/* Numbers beyond 2^63 - 1 are texts there, and greater than any number; here they are 2^63 - 1. */
	switch (op) {
	case QUERY_LT:
		strbuf_printf(out, "%s<%lld", x, (long long)value->low);
		return WRITTEN;
	case QUERY_LE:
		if (value->high == INT64_MAX) {
			strbuf_printf(out, "%s NOT NULL", x);
		} else {
			strbuf_printf(out, "%s<=%lld", x, (long long)value->high);
		}
		return WRITTEN;
	case QUERY_GT:
		if (value->high == INT64_MAX) {
			return NEVER;
		}
		strbuf_printf(out, "%s>%lld", x, (long long)value->high);
		return WRITTEN;
	case QUERY_GE:
		strbuf_printf(out, "%s>=%lld", x, (long long)value->low);
		return WRITTEN;
	case QUERY_EQ:
	case QUERY_NE:
		if (value->high == INT64_MAX) {
			strbuf_printf(out, "%s>=%lld", x, (long long)value->low);
		} else if (value->low == value->high) {
			strbuf_printf(out, "%s=%lld", x, (long long)value->low);
		} else {
			strbuf_printf(out, "%s BETWEEN %lld AND %lld", x, (long long)value->low,
				      (long long)value->high);
		}
		return WRITTEN;
	case QUERY_MATCH:
	case QUERY_NOT_MATCH:
		break;
	}
	return NEVER;
}

/* false: SQL cannot say it */
static bool say_text(struct strbuf *out, const struct query_value *value, const char *x)
{
	const struct weir_str *text = &value->text;

	switch (value->kind) {
	case QUERY_EXACT:
		strbuf_printf(out, "%s=", x);
		put_text(out, text->p, text->len);
		return true;
	case QUERY_PREFIX:
		strbuf_printf(out, "(%s>=", x);
		put_text(out, text->p, text->len);
		strbuf_printf(out, " AND %s<", x);
		if (!put_after(out, text)) {
			return false;
		}
		strbuf_char(out, ')');
		return true;
	case QUERY_SUFFIX:
		/* of bytes: functions of texts end at a NUL */
		strbuf_printf(out, "substr(CAST(%s AS BLOB),-%u)=", x, text->len);
		put_bytes(out, text->p, text->len);
		return text->len > 0;
	case QUERY_CONTAINS:
		strbuf_printf(out, "instr(CAST(%s AS BLOB),", x);
		put_bytes(out, text->p, text->len);
		strbuf_str(out, ")>0");
		return text->len > 0;
	case QUERY_PRESENT:
	case QUERY_RANGE:
	case QUERY_GLOB:
	case QUERY_NETWORK:
	case QUERY_REGEX:
		break;
	}
	return false;
}

/* A whole address, or a network of IPv4 that ends at a dot. IPv6 that has IPv4 in it is written in more than one way. */
static bool say_address(struct strbuf *out, const struct query_value *value, const char *x)
{
	static const uint8_t zeros[8] = {0};
	char text[INET6_ADDRSTRLEN];

	if (value->kind != QUERY_NETWORK) {
		return false;
	}
	if (value->bits == 8u * value->address_len &&
	    (value->address_len == 4 || memcmp(value->address, zeros, sizeof(zeros)) != 0) &&
	    inet_ntop(value->address_len == 4 ? AF_INET : AF_INET6, value->address, text,
		      sizeof(text)) != NULL) {
		strbuf_printf(out, "%s='%s'", x, text);
		return true;
	}
	if (value->address_len == 4 && value->bits % 8 == 0 && value->bits > 0 &&
	    value->bits < 32) {
		char prefix[INET_ADDRSTRLEN] = "";
		size_t n = 0;
		unsigned i;

		for (i = 0; i < value->bits / 8u; i++) {
			n += (size_t)snprintf(prefix + n, sizeof(prefix) - n, "%u.",
					      value->address[i]);
		}
		/* '/' comes after '.' */
		strbuf_printf(out, "(%s>='%s' AND %s<'%.*s/')", x, prefix, x, (int)n - 1, prefix);
		return true;
	}
	return false;
}

/* A whole text or its beginning, and nothing in it that escaping changes or makes. */
static bool is_same_escaped(const struct query_value *value, bool wide)
{
	uint32_t i;

	/* another part may come out of the escaping: that lets through more, which is fine where more may be let through */
	if (value->kind != QUERY_EXACT && value->kind != QUERY_PREFIX &&
	    !(wide && (value->kind == QUERY_SUFFIX || value->kind == QUERY_CONTAINS))) {
		return false;
	}
	for (i = 0; i < value->text.len; i++) {
		if (value->text.p[i] == '\\' || value->text.p[i] >= 0x80) {
			return false;
		}
	}
	return true;
}

static enum piece say_value(struct saying *saying, struct strbuf *out,
			    const struct query_term *term, enum weir_kind kind,
			    const struct query_value *value, const char *x, bool *ret_unsaid)
{
	bool said = false;

	if (value->kind == QUERY_PRESENT && term->header.len == 0) {
		strbuf_printf(out, "%s NOT NULL", x);
		return WRITTEN;
	}
	switch (kind) {
	case WEIR_KIND_BOOL:
	case WEIR_KIND_U64:
	case WEIR_KIND_DURATION:
	case WEIR_KIND_TIME:
		return value->kind == QUERY_RANGE ? say_number(out, term->op, value, x) : NEVER;
	case WEIR_KIND_STR:
		saying->texts = true;
		saying->inexact |= saying->names->escaped &&
				   (value->kind == QUERY_SUFFIX || value->kind == QUERY_CONTAINS);
		said = (!saying->names->escaped || is_same_escaped(value, saying->wide)) &&
		       say_text(out, value, x);
		break;
	case WEIR_KIND_HEX:
		said = say_text(out, value, x);
		break;
	case WEIR_KIND_ADDRESS:
		said = say_address(out, value, x);
		break;
	case WEIR_KIND_STRS:
	case WEIR_KIND_U64S:
	case WEIR_KIND_HEADERS:
		break;
	}
	*ret_unsaid = *ret_unsaid || !said;
	return WRITTEN;
}

/* ---- terms ---- */

/* One of the values holds for the target. */
static enum piece say_target(struct saying *saying, struct strbuf *out,
			     const struct query_term *term, enum weir_kind kind, const char *x,
			     bool *ret_unsaid)
{
	size_t written = 0, i;

	for (i = 0; i < term->nvalues && !*ret_unsaid; i++) {
		size_t at;

		strbuf_str(out, written > 0 ? " OR " : "");
		at = out->len;
		if (say_value(saying, out, term, kind, &term->values[i], x, ret_unsaid) == NEVER) {
			out->len = at - (written > 0 ? 4 : 0);
			continue;
		}
		written++;
	}
	return written > 0 ? WRITTEN : NEVER;
}

static enum piece say_unsaid(struct saying *saying, bool wide)
{
	saying->inexact = true;
	return wide ? ALWAYS : NEVER;
}

/* What is asked of a type's own fields: `yes` is true when a value is met, `there` when one of the fields is. */
struct said_term {
	struct strbuf yes, there;
	bool always, unsaid;
	bool is_there; /* for certain */
};

static void say_targets(struct saying *saying, const struct query_term *term,
			struct said_term *said)
{
	size_t i;

	for (i = 0; i < term->ntargets && !said->unsaid; i++) {
		int field = term->index[saying->index * QUERY_TARGETS_MAX + i];
		struct strbuf x;
		size_t at;

		if (strcmp(term->targets[i].field, "type") == 0) {
			const char *type = saying->schema->type;

			said->is_there = true;
			said->always |= query_any_text(saying->query, term, (const uint8_t *)type,
						       strlen(type));
			continue;
		}
		if (field < 0) {
			continue;
		}
		if (saying->names->can != NULL &&
		    !saying->names->can(saying->names->context, saying->schema, (size_t)field)) {
			said->is_there = true; /* for all that is known */
			said->unsaid = true;
			continue;
		}
		strbuf_init(&x);
		saying->names->put(saying->names->context, &x, saying->schema, (size_t)field);
		strbuf_str(&said->there, said->there.len > 0 ? " OR " : "");
		strbuf_printf(&said->there, "%s NOT NULL", strbuf_text(&x));
		strbuf_str(&said->yes, said->yes.len > 0 ? " OR " : "");
		at = said->yes.len;
		if (say_target(saying, &said->yes, term, record_kind(saying->schema, (size_t)field),
			       strbuf_text(&x), &said->unsaid) == NEVER) {
			said->yes.len = at - (at > 0 ? 4 : 0);
		}
		said->yes.failed |= x.failed;
		strbuf_fini(&x);
	}
}

static enum piece say_term(struct saying *saying, struct strbuf *out, const struct query_term *term,
			   bool wide)
{
	bool denies = term->op == QUERY_NE || term->op == QUERY_NOT_MATCH;
	struct said_term said = {.always = false};
	enum piece piece = NEVER;

	saying->wide = wide && !denies;
	strbuf_init(&said.yes);
	strbuf_init(&said.there);
	say_targets(saying, term, &said);
	if (!said.is_there && said.there.len == 0) {
		piece = NEVER; /* the type has none of the fields */
	} else if (said.always) {
		piece = denies ? NEVER : ALWAYS;
	} else if (said.unsaid) {
		piece = say_unsaid(saying, wide);
	} else if (!denies && said.yes.len > 0) {
		strbuf_printf(out, "(%s)", strbuf_text(&said.yes));
		piece = WRITTEN;
	} else if (denies && said.is_there && said.yes.len == 0) {
		piece = ALWAYS;
	} else if (denies) {
		strbuf_char(out, '(');
		strbuf_printf(out, said.is_there ? "1" : "(%s)", strbuf_text(&said.there));
		if (said.yes.len > 0) {
			strbuf_printf(out, " AND (%s) IS NOT TRUE", strbuf_text(&said.yes));
		}
		strbuf_char(out, ')');
		piece = WRITTEN;
	}
	out->failed |= said.yes.failed || said.there.failed;
	strbuf_fini(&said.yes);
	strbuf_fini(&said.there);
	return piece;
}

/* ---- the tree ---- */

static enum piece say_node(struct saying *saying, struct strbuf *out, const struct query_node *node,
			   bool wide);

/* AND: one that never holds decides; OR: one that always does. */
static enum piece say_children(struct saying *saying, struct strbuf *out,
			       const struct query_node *node, bool wide)
{
	enum piece decides = node->kind == QUERY_AND ? NEVER : ALWAYS;
	const char *joint = node->kind == QUERY_AND ? " AND " : " OR ";
	const struct query_node *child;
	size_t start = out->len, written = 0;

	strbuf_char(out, '(');
	for (child = node->child; child != NULL; child = child->next) {
		size_t at = out->len;
		enum piece piece;

		strbuf_str(out, written > 0 ? joint : "");
		piece = say_node(saying, out, child, wide);
		if (piece == decides) {
			out->len = start;
			return decides;
		}
		if (piece == WRITTEN) {
			written++;
		} else {
			out->len = at;
		}
	}
	strbuf_char(out, ')');
	if (written == 0) {
		out->len = start;
		return decides == NEVER ? ALWAYS : NEVER;
	}
	return WRITTEN;
}

static enum piece say_node(struct saying *saying, struct strbuf *out, const struct query_node *node,
			   bool wide)
{
	size_t start = out->len;
	enum piece piece;

	switch (node->kind) {
	case QUERY_AND:
	case QUERY_OR:
		return say_children(saying, out, node, wide);
	case QUERY_NOT:
		strbuf_char(out, '(');
		piece = say_node(saying, out, node->child, !wide);
		if (piece != WRITTEN) {
			out->len = start;
			return piece == NEVER ? ALWAYS : NEVER;
		}
		strbuf_str(out, " IS NOT TRUE)");
		return WRITTEN;
	case QUERY_TERM:
		return say_term(saying, out, node->term, wide);
	case QUERY_TEXT:
		break;
	}
	return say_unsaid(saying, wide);
}

int query_say_sql(struct query *query, const struct weir_schema *schema,
		  const struct query_names *names, struct strbuf *out, bool *ret_texts)
{
	struct saying saying = {.query = query, .schema = schema, .names = names};
	size_t start = out->len;
	enum piece piece = ALWAYS;

	while (saying.index < query->nschemas && query->schemas[saying.index] != schema) {
		saying.index++;
	}
	if (query->root != NULL) {
		piece = saying.index < query->nschemas
				? say_node(&saying, out, query->root, true)
				: NEVER; /* query_match() knows it not either */
	}
	*ret_texts = saying.texts;
	if (out->failed) {
		out->len = start;
		return WEIR_ENOMEM;
	}
	if (piece == WRITTEN) {
		return saying.inexact ? QUERY_SAID_WIDER : QUERY_SAID_EXACT;
	}
	if (piece == ALWAYS && saying.inexact) {
		strbuf_char(out, '1');
		return QUERY_SAID_WIDER;
	}
	return piece == ALWAYS ? QUERY_SAID_ALL : QUERY_SAID_NONE;
}
