/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of error codes. */
#include "weir/error.h"

const char *weir_strerror(int error)
{
	switch (error) {
	case WEIR_OK:
		return "success";
	case WEIR_ENOMEM:
		return "out of memory";
	case WEIR_EBUDGET:
		return "memory budget spent";
	case WEIR_EINVAL:
		return "invalid argument";
	case WEIR_EIO:
		return "input/output error";
	case WEIR_EFORMAT:
		return "not a known format";
	case WEIR_EDAMAGED:
		return "damaged or cut short";
	case WEIR_ENOTFOUND:
		return "not found";
	case WEIR_EUNSUPPORTED:
		return "not supported";
	case WEIR_ELIMIT:
		return "limit reached";
	case WEIR_EACCES:
		return "not permitted";
	default:
		return "unknown error";
	}
}
