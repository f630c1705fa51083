/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of bodies: whatever Content-Disposition and the path are, the name is short, valid UTF-8 that shows what it is, in one
 * directory, and made harmless once is harmless.
 *
 * Input: Content-Disposition up to a NUL, then the path.
 */
#include "sink/files_name.h"
#include "sink/utf8.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct strbuf *name)
{
	const uint8_t *p = (const uint8_t *)name->p;
	const uint8_t *end;

	if (name->len == 0) {
		return;
	}
	end = p + name->len;
	if (name->len > FILES_NAME_MAX + 1 || p[0] == '.' || p[0] == ' ' || end[-1] == '.' ||
	    end[-1] == ' ') {
		abort();
	}
	while (p < end) {
		uint32_t cp;
		unsigned n = utf8_decode(p, end, &cp);

		if (n == 0 || utf8_is_hidden(cp) ||
		    (cp < 0x80 && strchr("<>:\"/\\|?*", (int)cp) != NULL)) {
			abort();
		}
		p += n;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *nul = size == 0 ? NULL : memchr(data, '\0', size);
	size_t len = nul == NULL ? size : (size_t)(nul - data);
	struct weir_str disposition = {data, (uint32_t)len};
	struct weir_str path = {(const uint8_t *)"", 0};
	struct strbuf name;

	if (size == 0) {
		return 0;
	}
	if (nul != NULL) {
		path = (struct weir_str){nul + 1, (uint32_t)(size - len - 1)};
	}
	strbuf_init(&name);
	files_name(&disposition, &path, &name);
	check(&name);
	files_name(NULL, &path, &name);
	check(&name);
	strbuf_fini(&name);
	return 0;
}
