/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Masking: the one place where secrets are taken out of records, before any record sink sees them (UI.md §4.8).
 *
 * A masked value says its kind and its length: `Bearer [redacted 184]`, `sid=[redacted 32]; Path=/`. When there is no
 * memory for the mask the value becomes empty: it never stays.
 */
#ifndef RECORD_REDACT_H
#define RECORD_REDACT_H

#include "weir/config.h"
#include "weir/record.h"

/** Mask in place, allocating from the record's arena. WEIR_REDACT_OFF changes nothing. A second call changes nothing. */
void redact_record(struct weir_record *rec, enum weir_redact mode);

#endif
