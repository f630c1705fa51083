/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is in a message (RFC 5322, MIME: RFC 2045, 2046, 2183, 2231): sender, recipients, subject and id of its head, and of each file in
 * it name, size, type and, with --bodies=hash, SHA-256 of what it decodes to. Nothing of the text is kept.
 *
 * Lines come one by one. A part's head ends with an empty line; its body ends where a line is "--" and the boundary of a multipart that it
 * is in. A file is a part that has a name or says `attachment`.
 *
 * Lenient: base64 whose padding comes within it begins anew behind it; what is no hexadecimal behind a "=" is taken as it is.
 */
#include "parser/smtp.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum encoding { AS_IS, BASE64, QUOTED };

struct boundary {
	uint8_t len;
	char text[SMTP_BOUNDARY_MAX];
};

/* What the head of a part says. */
struct part {
	char type[SMTP_BOUNDARY_MAX]; /* media type, lower case */
	char name[256];
	bool attached;
	uint8_t encoding; /* enum encoding */
	size_t name_len;
};

struct smtp_mail {
	struct weir_host *host;
	struct weir_record *rec;
	struct boundary boundaries[SMTP_DEPTH_MAX];
	size_t depth;
	struct part part;
	bool in_head, top; /* in the head of a part; of the message itself */
	bool skipping;     /* behind a hole, up to the next line */
	char header[SMTP_HEADER_MAX];
	size_t header_len;
	/* the file that is being read */
	bool file;
	bool gap;           /* in the part, its head included */
	EVP_MD_CTX *digest; /* NULL: nobody wants it, or bytes are missing */
	uint64_t size;
	uint32_t bits; /* of base64: that wait for more */
	unsigned nbits;
	char line_end[2]; /* the one before a boundary is the boundary's: it waits */
	unsigned line_end_len;
	uint64_t files;
};

/* ---- headers ---- */

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\t')) {
		p++;
	}
	return p;
}

/*
 * The next parameter of a header's value, "; name=value": quotes are taken off.
 * @return behind it; NULL: there is none
 */
static const char *next_parameter(const char *p, const char *end, struct weir_str *name,
				  char *value, size_t *value_len)
{
	p = memchr(p, ';', (size_t)(end - p));
	if (p == NULL) {
		return NULL;
	}
	p = skip_blanks(p + 1, end);
	name->p = (const uint8_t *)p;
	while (p < end && *p != '=' && *p != ';') {
		p++;
	}
	name->len = (uint32_t)(p - (const char *)name->p);
	*value_len = 0;
	if (p == end || *p == ';') {
		return p;
	}
	p = skip_blanks(p + 1, end);
	if (p < end && *p == '"') {
		for (p++; p < end && *p != '"'; p++) {
			p += *p == '\\' && p + 1 < end;
			value[*value_len] = *p;
			*value_len += *value_len < SMTP_HEADER_MAX - 1;
		}
		return p < end ? p + 1 : p;
	}
	while (p < end && *p != ';' && *p != ' ' && *p != '\t') {
		value[*value_len] = *p++;
		*value_len += *value_len < SMTP_HEADER_MAX - 1;
	}
	return p;
}

static bool is(const struct weir_str *name, const char *text)
{
	return name->len == strlen(text) &&
	       strncasecmp((const char *)name->p, text, name->len) == 0;
}

/* RFC 2231: name*=charset'language'percent-encoded, name*0=..., name*1*=... */
static bool is_continued(const struct weir_str *name, const char *text)
{
	size_t len = strlen(text);

	return name->len > len && strncasecmp((const char *)name->p, text, len) == 0 &&
	       name->p[len] == '*';
}

static int hex_of(int c)
{
	return c >= '0' && c <= '9'                 ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

static void add_to_name(struct part *part, char c)
{
	if (part->name_len < sizeof(part->name)) {
		part->name[part->name_len++] = c;
	}
}

static void take_name(struct part *part, const struct weir_str *name, const char *value, size_t len)
{
	bool encoded = name->p[name->len - 1] == '*';
	size_t i = 0;

	if (encoded && memchr(name->p, '*', name->len) == name->p + name->len - 1) {
		/* the first or only piece begins with the character set and the language */
		const char *quote = memchr(value, '\'', len);

		quote = quote == NULL ? NULL
				      : memchr(quote + 1, '\'', len - (size_t)(quote + 1 - value));
		i = quote == NULL ? 0 : (size_t)(quote + 1 - value);
	}
	for (; i < len; i++) {
		if (encoded && value[i] == '%' && i + 2 < len && hex_of(value[i + 1]) >= 0 &&
		    hex_of(value[i + 2]) >= 0) {
			add_to_name(part, (char)(hex_of(value[i + 1]) << 4 | hex_of(value[i + 2])));
			i += 2;
		} else {
			add_to_name(part, value[i]);
		}
	}
}

static void take_content_type(struct smtp_mail *mail, const char *p, const char *end)
{
	struct part *part = &mail->part;
	char value[SMTP_HEADER_MAX];
	struct weir_str name;
	size_t len = 0;

	for (; p + len < end && len < sizeof(part->type) - 1 && p[len] != ';' && p[len] != ' ';
	     len++) {
		part->type[len] = p[len] >= 'A' && p[len] <= 'Z' ? (char)(p[len] + 32) : p[len];
	}
	part->type[len] = '\0';
	while ((p = next_parameter(p, end, &name, value, &len)) != NULL) {
		if (is(&name, "boundary") && strncmp(part->type, "multipart/", 10) == 0 &&
		    len > 0 && len <= SMTP_BOUNDARY_MAX && mail->depth < SMTP_DEPTH_MAX) {
			struct boundary *boundary = &mail->boundaries[mail->depth++];

			boundary->len = (uint8_t)len;
			memcpy(boundary->text, value, len);
		} else if (is(&name, "name") && part->name_len == 0) {
			take_name(part, &name, value, len);
		}
	}
}

static void take_disposition(struct smtp_mail *mail, const char *p, const char *end)
{
	struct part *part = &mail->part;
	char value[SMTP_HEADER_MAX];
	struct weir_str name;
	bool first = true;
	size_t len;

	part->attached = (size_t)(end - p) >= 10 && strncasecmp(p, "attachment", 10) == 0;
	while ((p = next_parameter(p, end, &name, value, &len)) != NULL) {
		if (is(&name, "filename") || is_continued(&name, "filename")) {
			part->name_len = first ? 0 : part->name_len; /* beats Content-Type's */
			first = false;
			take_name(part, &name, value, len);
		}
	}
}

static void set_text(struct smtp_mail *mail, size_t field, const char *p, const char *end)
{
	if (mail->top) {
		weir_record_set_bytes(mail->rec, field, p, (size_t)(end - p), SMTP_TEXT_MAX);
	}
}

/* A whole header, unfolded. */
static void take_header(struct smtp_mail *mail)
{
	const char *end = mail->header + mail->header_len;
	const char *colon = memchr(mail->header, ':', mail->header_len);
	struct weir_str name = {(const uint8_t *)mail->header, 0};
	const char *value;

	mail->header_len = 0;
	if (colon == NULL) {
		return;
	}
	name.len = (uint32_t)(colon - mail->header);
	value = skip_blanks(colon + 1, end);
	while (end > value && (end[-1] == ' ' || end[-1] == '\t')) {
		end--;
	}
	if (is(&name, "content-type")) {
		take_content_type(mail, value, end);
	} else if (is(&name, "content-disposition")) {
		take_disposition(mail, value, end);
	} else if (is(&name, "content-transfer-encoding")) {
		size_t len = (size_t)(end - value);

		mail->part.encoding = len >= 6 && strncasecmp(value, "base64", 6) == 0 ? BASE64
				      : len >= 16 && strncasecmp(value, "quoted-printable", 16) == 0
					      ? QUOTED
					      : AS_IS;
	} else if (is(&name, "from")) {
		set_text(mail, SMTP_F_EMAIL_FROM, value, end);
	} else if (is(&name, "to")) {
		set_text(mail, SMTP_F_EMAIL_TO, value, end);
	} else if (is(&name, "subject")) {
		set_text(mail, SMTP_F_SUBJECT, value, end);
	} else if (is(&name, "message-id")) {
		set_text(mail, SMTP_F_MESSAGE_ID, value, end);
	}
}

/* ---- files ---- */

static void put_bytes(struct smtp_mail *mail, const void *p, size_t len)
{
	mail->size += len;
	if (mail->digest != NULL && EVP_DigestUpdate(mail->digest, p, len) != 1) {
		EVP_MD_CTX_free(mail->digest);
		mail->digest = NULL;
	}
}

static void begin_file(struct smtp_mail *mail)
{
	const struct part *part = &mail->part;

	mail->file = (part->attached || part->name_len > 0) &&
		     strncmp(part->type, "multipart/", 10) != 0;
	mail->size = 0;
	mail->bits = 0;
	mail->nbits = 0;
	mail->line_end_len = 0;
	if (mail->file && weir_host_config(mail->host)->bodies != WEIR_BODIES_SIZE) {
		mail->digest = EVP_MD_CTX_new();
		if (mail->digest != NULL &&
		    EVP_DigestInit_ex(mail->digest, EVP_sha256(), NULL) != 1) {
			EVP_MD_CTX_free(mail->digest);
			mail->digest = NULL;
		}
	}
}

static void end_file(struct smtp_mail *mail)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char hex[2 * 32 + 1] = "";
	unsigned len = 0;
	size_t i;

	if (!mail->file) {
		return;
	}
	if (mail->digest != NULL && !mail->gap &&
	    EVP_DigestFinal_ex(mail->digest, digest, &len) == 1 && len == 32) {
		for (i = 0; i < 32; i++) {
			(void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
		}
	}
	EVP_MD_CTX_free(mail->digest);
	mail->digest = NULL;
	mail->file = false;
	if (++mail->files <= SMTP_LIST_MAX) {
		weir_record_add_str(mail->rec, SMTP_F_FILE_NAME, mail->part.name,
				    mail->part.name_len);
		weir_record_add_u64(mail->rec, SMTP_F_FILE_SIZE, mail->size);
		weir_record_add_str(mail->rec, SMTP_F_FILE_TYPE, mail->part.type,
				    strlen(mail->part.type));
		weir_record_add_str(mail->rec, SMTP_F_FILE_SHA256, hex, strlen(hex));
	}
	weir_record_set_u64(mail->rec, SMTP_F_FILES, mail->files);
}

static void decode_base64(struct smtp_mail *mail, const uint8_t *p, size_t len)
{
	uint8_t out[SMTP_LINE_MAX];
	size_t n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		uint8_t c = p[i];
		int value = c >= 'A' && c <= 'Z'   ? c - 'A'
			    : c >= 'a' && c <= 'z' ? c - 'a' + 26
			    : c >= '0' && c <= '9' ? c - '0' + 52
			    : c == '+'             ? 62
			    : c == '/'             ? 63
						   : -1;

		if (c == '=') {
			mail->nbits = 0; /* what is left is padding */
		}
		if (value < 0) {
			continue;
		}
		mail->bits = mail->bits << 6 | (uint32_t)value;
		mail->nbits += 6;
		if (mail->nbits >= 8) {
			mail->nbits -= 8;
			out[n++] = (uint8_t)(mail->bits >> mail->nbits);
		}
	}
	put_bytes(mail, out, n);
}

/* RFC 2045 §6.7; a "=" at the end of the line joins it with the next */
static void decode_quoted(struct smtp_mail *mail, const uint8_t *p, size_t len)
{
	uint8_t out[SMTP_LINE_MAX];
	size_t n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (p[i] != '=') {
			out[n++] = p[i];
		} else if (i + 2 < len && hex_of(p[i + 1]) >= 0 && hex_of(p[i + 2]) >= 0) {
			out[n++] = (uint8_t)(hex_of(p[i + 1]) << 4 | hex_of(p[i + 2]));
			i += 2;
		} else if (i + 1 < len && p[i + 1] == '\n') {
			i++;
		} else if (i + 2 < len && p[i + 1] == '\r' && p[i + 2] == '\n') {
			i += 2;
		} else {
			out[n++] = p[i];
		}
	}
	put_bytes(mail, out, n);
}

/* The line end before a boundary is part of it (RFC 2046 §5.1.1): one waits until what follows is known. */
static void put_as_is(struct smtp_mail *mail, const uint8_t *p, size_t len)
{
	size_t keep = len >= 2 && p[len - 2] == '\r' && p[len - 1] == '\n' ? 2
		      : len >= 1 && p[len - 1] == '\n'                     ? 1
									   : 0;

	put_bytes(mail, mail->line_end, mail->line_end_len);
	if (mail->part.encoding == QUOTED && len > keep && p[len - keep - 1] == '=') {
		decode_quoted(mail, p, len);
		keep = 0;
	} else if (mail->part.encoding == QUOTED) {
		decode_quoted(mail, p, len - keep);
	} else {
		put_bytes(mail, p, len - keep);
	}
	memcpy(mail->line_end, p + len - keep, keep);
	mail->line_end_len = (unsigned)keep;
}

/* ---- lines ---- */

static void begin_part(struct smtp_mail *mail)
{
	memset(&mail->part, 0, sizeof(mail->part));
	mail->in_head = true;
	mail->header_len = 0;
	mail->gap = false;
}

/* A line "--boundary" or "--boundary--" of a multipart that we are in? Of the outermost of them all inner ones end. */
static bool take_boundary(struct smtp_mail *mail, const uint8_t *p, size_t len)
{
	size_t i = mail->depth;

	if (len < 3 || p[0] != '-' || p[1] != '-') {
		return false;
	}
	while (i-- > 0) {
		const struct boundary *boundary = &mail->boundaries[i];

		if (len - 2 < boundary->len || memcmp(p + 2, boundary->text, boundary->len) != 0) {
			continue;
		}
		p += 2 + boundary->len;
		len -= 2u + boundary->len;
		if (len >= 2 && p[0] == '-' && p[1] == '-') {
			end_file(mail);
			mail->depth = i;
			memset(&mail->part, 0, sizeof(mail->part));
			return true;
		}
		if (len > 0 && p[0] != '\r' && p[0] != '\n' && p[0] != ' ' && p[0] != '\t') {
			return false; /* another boundary, which begins with this one */
		}
		end_file(mail);
		mail->depth = i + 1;
		mail->top = false;
		begin_part(mail);
		return true;
	}
	return false;
}

static void take_head_line(struct smtp_mail *mail, const uint8_t *p, size_t len, bool begins)
{
	bool folded = begins && len > 0 && (p[0] == ' ' || p[0] == '\t');

	while (len > 0 && (p[len - 1] == '\n' || p[len - 1] == '\r')) {
		len--;
	}
	if (begins && !folded) {
		take_header(mail);
	}
	if (begins && len == 0) {
		mail->in_head = false;
		mail->top = false;
		begin_file(mail);
		return;
	}
	if (len > sizeof(mail->header) - mail->header_len) {
		len = sizeof(mail->header) - mail->header_len;
	}
	memcpy(mail->header + mail->header_len, p, len);
	mail->header_len += len;
}

void smtp_mail_feed(struct smtp_mail *mail, const uint8_t *p, size_t len, bool begins)
{
	if (begins && mail->depth > 0 && take_boundary(mail, p, len)) {
		return;
	}
	mail->skipping = mail->skipping && !begins;
	if (mail->in_head && mail->skipping) {
		/* the end of a line whose beginning is missing */
	} else if (mail->in_head) {
		take_head_line(mail, p, len, begins);
	} else if (mail->file && mail->part.encoding == BASE64) {
		decode_base64(mail, p, len);
	} else if (mail->file) {
		put_as_is(mail, p, len);
	}
}

void smtp_mail_gap(struct smtp_mail *mail)
{
	mail->gap = true;
	mail->skipping = true;
	mail->line_end_len = 0;
	mail->nbits = 0;
	mail->header_len = 0;
}

struct smtp_mail *smtp_mail_new(struct weir_host *host, struct weir_record *rec)
{
	struct smtp_mail *mail = weir_host_alloc(host, sizeof(*mail));

	if (mail != NULL) {
		memset(mail, 0, sizeof(*mail));
		mail->host = host;
		mail->rec = rec;
		mail->top = true;
		begin_part(mail);
	}
	return mail;
}

void smtp_mail_free(struct smtp_mail *mail)
{
	if (mail != NULL) {
		end_file(mail);
		EVP_MD_CTX_free(mail->digest);
		weir_host_free(mail->host, mail, sizeof(*mail));
	}
}
