/* SPDX-License-Identifier: Apache-2.0 */
/* Private to the SMTP parser: smtp.c (commands and replies), smtp_mail.c (what is in a message). */
#ifndef PARSER_SMTP_H
#define PARSER_SMTP_H

#include "weir/parser.h"

enum smtp_field {
	SMTP_F_HELO = WEIR_NCOMMON,
	SMTP_F_FROM,
	SMTP_F_TO,
	SMTP_F_CODE,
	SMTP_F_TEXT,
	SMTP_F_SIZE,
	SMTP_F_EMAIL_FROM,
	SMTP_F_EMAIL_TO,
	SMTP_F_SUBJECT,
	SMTP_F_MESSAGE_ID,
	SMTP_F_FILE_NAME,
	SMTP_F_FILE_SIZE,
	SMTP_F_FILE_TYPE,
	SMTP_F_FILE_SHA256,
	SMTP_F_FILES
};

enum {
	SMTP_LINE_MAX = 4096,   /* bytes of a line that are looked at as one */
	SMTP_TEXT_MAX = 1024,   /* of a name, an address, a subject in the record */
	SMTP_LIST_MAX = 128,    /* recipients, files */
	SMTP_HEADER_MAX = 4096, /* bytes of a header with its folded lines */
	SMTP_BOUNDARY_MAX = 70, /* RFC 2046 §5.1.1 */
	SMTP_DEPTH_MAX = 8      /* parts within parts */
};

struct smtp_mail;

/** A message begins. @return NULL when memory is spent */
struct smtp_mail *smtp_mail_new(struct weir_host *host, struct weir_record *rec);
/** What there is of the message is in the record. NULL is fine. */
void smtp_mail_free(struct smtp_mail *mail);
/**
 * The next piece of a line: all of it with its line end, or, of one that is too long, some of it.
 * @param begins the piece is the beginning of its line
 */
void smtp_mail_feed(struct smtp_mail *mail, const uint8_t *p, size_t len, bool begins);
/** Bytes are missing: what they were part of is not whole. */
void smtp_mail_gap(struct smtp_mail *mail);

#endif
