/* SPDX-License-Identifier: Apache-2.0 */
#include "sink/sqlite.h"
int sqlite_retain_parse(struct retain *retain, const char *keep, const char *max,
			const char **ret_message)
{
	return 0;
}
int sqlite_retain_open(struct sqlite_sink *sq)
{
	return 0;
}
void sqlite_retain_close(struct sqlite_sink *sq)
{
}
int sqlite_retain_step(struct sqlite_sink *sq, uint64_t n)
{
	return 0;
}
