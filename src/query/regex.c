/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Regular expressions in filters: PCRE2, on captured bytes.
 *
 * The bytes are hostile: they may not be UTF-8 (PCRE2_MATCH_INVALID_UTF: such bytes match nothing but do no harm), and they may
 * be chosen to make a backtracking matcher slow. So a comparison is bounded: it looks at QUERY_REGEX_SUBJECT bytes, and is made
 * first by a compiled form that counts backtracks from each starting place, few enough for all places together to be
 * QUERY_REGEX_STEPS; what is not decided by that is decided by a second form with a callout at every item, which counts
 * all steps together. What that does not decide either does not match, and is counted (query_limited()).
 *
 * No just-in-time compiler: the program may not have writable memory made executable when it matches.
 */
#include "query/private.h"

#ifdef HAVE_PCRE2

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
	HEAP_KIB = 4096,       /* of a match */
	STEPS_MIN = 64,        /* from one starting place */
	PATTERN_MAX = 4096,    /* bytes of an expression */
	PARENTHESES_MAX = 100, /* within each other */
};

struct query_regex {
	struct query_regex *next;
	pcre2_code *quick;
	pcre2_code *counted;
	pcre2_match_data *data;
	pcre2_match_context *context;
	uint32_t steps; /* of the counted form, so far */
};

static int count_step(pcre2_callout_block *block, void *context)
{
	struct query_regex *regex = context;

	(void)block;
	return ++regex->steps > QUERY_REGEX_STEPS ? PCRE2_ERROR_CALLOUT : 0;
}

static void free_one(struct query_regex *regex)
{
	pcre2_match_context_free(regex->context);
	pcre2_match_data_free(regex->data);
	pcre2_code_free(regex->counted);
	pcre2_code_free(regex->quick);
	free(regex);
}

void query_regex_free_all(struct query *query)
{
	while (query->regexes != NULL) {
		struct query_regex *regex = query->regexes;

		query->regexes = regex->next;
		free_one(regex);
	}
}

static pcre2_code *compile(struct query_source *source, const struct query_raw *raw,
			   uint32_t options)
{
	pcre2_compile_context *context = pcre2_compile_context_create(NULL);
	PCRE2_UCHAR message[128];
	PCRE2_SIZE offset = 0;
	pcre2_code *code;
	int error = 0;

	if (context == NULL) {
		source->no_memory = true;
		(void)query_fail(source, raw->offset, raw->length, "out of memory");
		return NULL;
	}
	(void)pcre2_set_max_pattern_length(context, PATTERN_MAX);
	(void)pcre2_set_parens_nest_limit(context, PARENTHESES_MAX);
	code = pcre2_compile((PCRE2_SPTR)raw->p, raw->len,
			     PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C |
				     options,
			     &error, &offset, context);
	pcre2_compile_context_free(context);
	if (code == NULL) {
		size_t at = raw->offset + raw->quoted + offset;

		if (pcre2_get_error_message(error, message, sizeof(message)) < 0) {
			message[0] = '\0';
		}
		at = at < raw->offset + raw->length ? at : raw->offset + raw->length;
		(void)query_fail(source, at, at < raw->offset + raw->length ? 1 : 0,
				 "not a regular expression: %s", (const char *)message);
	}
	return code;
}

bool query_regex_new(struct query_source *source, const struct query_raw *raw,
		     struct query_regex **ret)
{
	struct query_regex *regex = calloc(1, sizeof(*regex));

	if (regex == NULL) {
		return query_fail(source, raw->offset, raw->length, "out of memory");
	}
	regex->next = source->query->regexes;
	source->query->regexes = regex;
	regex->quick = compile(source, raw, 0);
	if (regex->quick == NULL) {
		return false;
	}
	regex->counted = compile(source, raw, PCRE2_AUTO_CALLOUT | PCRE2_NO_AUTO_POSSESS);
	if (regex->counted == NULL) {
		return false;
	}
	regex->data = pcre2_match_data_create(1, NULL);
	regex->context = pcre2_match_context_create(NULL);
	if (regex->data == NULL || regex->context == NULL) {
		return query_fail(source, raw->offset, raw->length, "out of memory");
	}
	(void)pcre2_set_heap_limit(regex->context, HEAP_KIB);
	(void)pcre2_set_callout(regex->context, count_step, regex);
	*ret = regex;
	return true;
}

bool query_regex_match(struct query *query, struct query_regex *regex, const uint8_t *p, size_t len)
{
	uint32_t steps;
	int got;

	if (len > QUERY_REGEX_SUBJECT) {
		len = QUERY_REGEX_SUBJECT;
		query->limited++;
	}
	steps = (uint32_t)(QUERY_REGEX_STEPS / (len + 1));
	(void)pcre2_set_match_limit(regex->context, steps > STEPS_MIN ? steps : STEPS_MIN);
	got = pcre2_match(regex->quick, (PCRE2_SPTR)p, len, 0, 0, regex->data, regex->context);
	if (got != PCRE2_ERROR_MATCHLIMIT) {
		if (got < 0 && got != PCRE2_ERROR_NOMATCH) {
			query->limited++;
		}
		return got >= 0;
	}
	regex->steps = 0;
	(void)pcre2_set_match_limit(regex->context, 4 * QUERY_REGEX_STEPS);
	got = pcre2_match(regex->counted, (PCRE2_SPTR)p, len, 0, 0, regex->data, regex->context);
	if (got < 0 && got != PCRE2_ERROR_NOMATCH) {
		query->limited++;
	}
	return got >= 0;
}

#else

struct query_regex {
	char unused;
};

void query_regex_free_all(struct query *query)
{
	(void)query;
}

bool query_regex_new(struct query_source *source, const struct query_raw *raw,
		     struct query_regex **ret)
{
	(void)ret;
	return query_fail(source, raw->offset, raw->length,
			  "this weir was built without regular expressions (PCRE2)");
}

bool query_regex_match(struct query *query, struct query_regex *regex, const uint8_t *p, size_t len)
{
	(void)query;
	(void)regex;
	(void)p;
	(void)len;
	return false;
}

#endif
