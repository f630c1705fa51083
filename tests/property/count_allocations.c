/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked into the program in place of nothing: counts every call of malloc, calloc, realloc, aligned allocation, mmap and mremap of
 * the process, its libraries' included, and writes at the end one line to the file that WEIR_COUNT names:
 *
 *	malloc N calloc N realloc N aligned N mmap N
 *
 * A sanitizer's allocator tells of what it hands out (its hook), without which function was asked: all of that is `malloc` then. In other
 * builds the functions are defined here, so that the whole process has them, and hand on to glibc's under their other names. What weir
 * itself asks of the kernel comes by --wrap=mmap, --wrap=mremap in either case.
 *
 * WEIR_COUNT_PLANT=FUNCTION (session_data) allocates once in each call of it: the test of the test.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine/session.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

enum what { MALLOC, CALLOC, REALLOC, ALIGNED, MMAP, NKINDS };

static atomic_uint_fast64_t counts[NKINDS];
static int out = -1;
static bool plants;

static void count(enum what what)
{
	atomic_fetch_add_explicit(&counts[what], 1, memory_order_relaxed);
}

/* Opened before the program gives up its rights. */
__attribute__((constructor)) static void begin(void)
{
	const char *name = getenv("WEIR_COUNT");

	plants = getenv("WEIR_COUNT_PLANT") != NULL;
	if (name != NULL) {
		out = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	}
}

__attribute__((destructor)) static void end(void)
{
	uint64_t now[NKINDS];
	char line[256];
	int i, n;

	for (i = 0; i < NKINDS; i++) {
		now[i] = atomic_load(&counts[i]);
	}
	n = snprintf(line, sizeof(line),
		     "malloc %llu calloc %llu realloc %llu aligned %llu mmap %llu\n",
		     (unsigned long long)now[MALLOC], (unsigned long long)now[CALLOC],
		     (unsigned long long)now[REALLOC], (unsigned long long)now[ALIGNED],
		     (unsigned long long)now[MMAP]);
	if (out >= 0 && write(out, line, (size_t)n) != n) {
		_exit(99);
	}
}

void __real_session_data(struct session *session, enum weir_direction dir,
			 const struct weir_chunk *chunk);
void __wrap_session_data(struct session *session, enum weir_direction dir,
			 const struct weir_chunk *chunk);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__real_mremap(void *at, size_t len, size_t new_len, int flags, ...);
void *__wrap_mremap(void *at, size_t len, size_t new_len, int flags);

void __wrap_session_data(struct session *session, enum weir_direction dir,
			 const struct weir_chunk *chunk)
{
	if (plants) {
		/* volatile: a compiler may leave out what is only freed */
		void *volatile planted = malloc(16);

		free(planted);
	}
	__real_session_data(session, dir, chunk);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	count(MMAP);
	return __real_mmap(at, len, prot, flags, fd, offset);
}

void *__wrap_mremap(void *at, size_t len, size_t new_len, int flags)
{
	count(MMAP);
	return __real_mremap(at, len, new_len, flags);
}

#if SANITIZED

int __sanitizer_install_malloc_and_free_hooks(void (*malloced)(const volatile void *, size_t),
					      void (*freed)(const volatile void *));

static void malloced(const volatile void *p, size_t size)
{
	count(MALLOC);
}

static void freed(const volatile void *p)
{
}

__attribute__((constructor)) static void install(void)
{
	(void)__sanitizer_install_malloc_and_free_hooks(malloced, freed);
}

#else

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size)
{
	count(MALLOC);
	return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
	count(CALLOC);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
	count(REALLOC);
	return __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	count(ALIGNED);
	return __libc_memalign(alignment, size);
}

void *memalign(size_t alignment, size_t size)
{
	count(ALIGNED);
	return __libc_memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	count(ALIGNED);
	*ret = __libc_memalign(alignment, size);
	return *ret == NULL ? ENOMEM : 0;
}

#endif
