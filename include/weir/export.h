/* SPDX-License-Identifier: Apache-2.0 */
/* What leaves libweir.so: everything else is compiled with hidden visibility. */
#ifndef WEIR_EXPORT_H
#define WEIR_EXPORT_H

#if defined(__GNUC__)
#define WEIR_API __attribute__((visibility("default")))
#else
#define WEIR_API
#endif

#endif
