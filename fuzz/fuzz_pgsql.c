/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: PostgreSQL conversations with holes, see fuzz_db.h. */
#define FUZZ_PARSER "pgsql"
#include "fuzz_db.h"
