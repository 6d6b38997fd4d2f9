/* SPDX-License-Identifier: MIT */
#include "mm/slab.h"

#include <stdint.h>

#include "core/panic.h"
#include "core/string.h"
#include "mm/frame.h"
#include "mm/phys.h"

#define SLAB_MAGIC   UINT64_C(0x736c616270616765)
#define MIN_OBJECT   16U
#define LARGEST_SLAB 2016U /* two of the largest class fill a page behind its header */

struct object {
	struct object *next;
};

/* At the start of each page of small objects; objects follow. */
struct slab_page {
	uint64_t magic;
	struct slab_page *next, *previous; /* in with_room, while there is room */
	struct object *free;
	uint32_t class;
	uint32_t used;
	uint64_t reserved[3];
};

STATIC_ASSERT(sizeof(struct slab_page) == 64, "objects are 16-byte aligned behind the header");

static size_t class_size(unsigned class)
{
	return class == SLAB_CLASSES - 1 ? LARGEST_SLAB : (size_t)MIN_OBJECT << class;
}

static unsigned class_of(size_t size)
{
	unsigned class = 0;

	while (class_size(class) < size)
		class ++;
	return class;
}

static uint32_t capacity(unsigned class)
{
	return (uint32_t)((PAGE_SIZE - sizeof(struct slab_page)) / class_size(class));
}

static void list_add(struct slab *s, struct slab_page *page)
{
	page->previous = NULL;
	page->next = s->with_room[page->class];
	if (page->next != NULL)
		page->next->previous = page;
	s->with_room[page->class] = page;
}

static void list_remove(struct slab *s, struct slab_page *page)
{
	if (page->next != NULL)
		page->next->previous = page->previous;
	if (page->previous != NULL)
		page->previous->next = page->next;
	else
		s->with_room[page->class] = page->next;
}

static struct slab_page *page_create(struct slab *s, unsigned class)
{
	struct slab_page *page;
	char *object;
	hpa_t at;

	if (frame_alloc(LEVEL_4K, FRAME_HOST, &at) != STATUS_OK)
		return NULL;
	page = phys_ptr(at);
	*page = (struct slab_page){.magic = SLAB_MAGIC, .class = class};
	object = (char *)(page + 1);
	for (uint32_t i = 0; i < capacity(class); i++, object += class_size(class)) {
		struct object *o = (void *)object;

		o->next = page->free;
		page->free = o;
	}
	list_add(s, page);
	return page;
}

static void *small_alloc(struct slab *s, size_t size)
{
	unsigned class = class_of(size);
	struct slab_page *page = s->with_room[class];
	struct object *o;

	if (page == NULL)
		page = page_create(s, class);
	if (page == NULL)
		return NULL;
	o = page->free;
	page->free = o->next;
	page->used++;
	if (page->free == NULL)
		list_remove(s, page);
	s->used += class_size(class);
	memset(o, 0, class_size(class));
	return o;
}

static void small_free(struct slab *s, void *p, size_t size)
{
	struct slab_page *page = (void *)((uintptr_t)p & ~(uintptr_t)(PAGE_SIZE - 1));
	struct object *o = p;

	CHECK(page->magic == SLAB_MAGIC && page->class == class_of(size) && page->used > 0);
	if (page->free == NULL)
		list_add(s, page);
	o->next = page->free;
	page->free = o;
	page->used--;
	s->used -= class_size(page->class);
	if (page->used == 0) {
		list_remove(s, page);
		page->magic = 0;
		frame_free(phys_of(page), PAGE_SIZE);
	}
}

static void *run_alloc(struct slab *s, size_t size)
{
	uint64_t bytes = align_up(size, PAGE_SIZE);
	hpa_t at;

	if (bytes < size || frame_alloc_range(bytes, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
					      FRAME_HOST, &at) != STATUS_OK)
		return NULL;
	s->used += bytes;
	return memset(phys_ptr(at), 0, bytes);
}

static void run_free(struct slab *s, void *p, size_t size)
{
	uint64_t bytes = align_up(size, PAGE_SIZE);

	s->used -= bytes;
	frame_free(phys_of(p), bytes);
}

void *slab_alloc(struct slab *s, size_t size)
{
	return size <= LARGEST_SLAB ? small_alloc(s, size) : run_alloc(s, size);
}

void slab_free(struct slab *s, void *p, size_t size)
{
	if (p == NULL)
		return;
	if (size <= LARGEST_SLAB)
		small_free(s, p, size);
	else
		run_free(s, p, size);
}
