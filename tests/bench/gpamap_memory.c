/* SPDX-License-Identifier: MIT */
/*
 * Counts what every structure takes from malloc(), whoever calls it: these definitions come
 * before libc's, for the libraries too. Counted is what the allocator sets aside, without
 * its own header.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "tests/bench/gpamap.h"

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *p);

static size_t unaccounted;
static size_t *current = &unaccounted;

void memory_account(size_t *account) { current = account ? account : &unaccounted; }

static void *taken(void *p)
{
	*current += malloc_usable_size(p);
	return p;
}

void *malloc(size_t size) { return taken(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return taken(__libc_calloc(count, size)); }
void *memalign(size_t align, size_t size) { return taken(__libc_memalign(align, size)); }
void *aligned_alloc(size_t align, size_t size) { return taken(__libc_memalign(align, size)); }

int posix_memalign(void **p, size_t align, size_t size)
{
	*p = taken(__libc_memalign(align, size));
	return *p ? 0 : ENOMEM;
}

void *realloc(void *p, size_t size)
{
	*current -= malloc_usable_size(p);
	return taken(__libc_realloc(p, size));
}

void free(void *p)
{
	*current -= malloc_usable_size(p);
	__libc_free(p);
}
