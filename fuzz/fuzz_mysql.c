/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: MySQL conversations with holes, see fuzz_db.h. */
#define FUZZ_PARSER "mysql"
#include "fuzz_db.h"
