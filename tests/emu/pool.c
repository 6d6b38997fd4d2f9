/* SPDX-License-Identifier: MIT */
#include "tests/emu/pool.h"

#include "core/string.h"
#include "tests/emu/console.h"
#include "tests/emu/lock.h"

#define PAGE 4096U

static uint64_t first_byte, next_byte, end_byte;
static void *free_list; /* first word of a free page links to the next */
static struct emu_lock pool_lock;

void pool_init(uint64_t base, uint64_t end)
{
	next_byte = (base + PAGE - 1) & ~(uint64_t)(PAGE - 1);
	first_byte = next_byte;
	end_byte = end;
}

static void *take_fresh(uint64_t bytes)
{
	void *p = (void *)next_byte;

	if (end_byte - next_byte < bytes)
		return NULL;
	next_byte += bytes;
	return p;
}

void *pool_alloc(size_t bytes)
{
	void *p;

	emu_lock_take(&pool_lock);
	p = take_fresh((bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1));
	emu_lock_drop(&pool_lock);
	if (p == NULL)
		emu_die(EMU_EXIT_FATAL, "no memory for %lu bytes", (unsigned long)bytes);
	return memset(p, 0, bytes);
}

void *pool_page_get(void)
{
	void *p;

	emu_lock_take(&pool_lock);
	p = free_list;
	if (p != NULL)
		free_list = *(void **)p;
	else
		p = take_fresh(PAGE);
	emu_lock_drop(&pool_lock);
	return p == NULL ? NULL : memset(p, 0, PAGE);
}

void pool_page_put(void *page)
{
	emu_lock_take(&pool_lock);
	*(void **)page = free_list;
	free_list = page;
	emu_lock_drop(&pool_lock);
}

uint64_t pool_used(void) { return next_byte - first_byte; }
