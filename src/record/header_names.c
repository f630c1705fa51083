/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of header_names.h. */
#include "record/header_names.h"

#include "record/mask.h"

#define HEADER(place, text, class) [HEADER_AT_##place] = {text, sizeof(text) - 1},
const struct header_name header_names[HEADER_NAMES] = {
#include "record/header_names.def"
};
#undef HEADER

#define HEADER(place, text, class) [HEADER_AT_##place] = HEADER_##class,
const uint8_t header_name_classes[HEADER_NAMES] = {
#include "record/header_names.def"
};
#undef HEADER

#define HEADER(place, text, class) [place] = HEADER_AT_##place,
const uint8_t header_name_places[256] = {
#include "record/header_names.def"
};
#undef HEADER

_Static_assert(HEADER_NAMES <= 256, "a number is a byte");
