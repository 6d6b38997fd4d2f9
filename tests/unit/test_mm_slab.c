/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "mm/frame.h"
#include "mm/slab.h"

#define OBJECTS 2000

static struct slab slab;

static bool is_filled(const unsigned char *p, size_t size, int value)
{
	for (size_t i = 0; i < size; i++) {
		if (p[i] != value)
			return false;
	}
	return true;
}

TEST(slab_objects_are_zeroed_and_aligned)
{
	for (size_t size = 1; size < 20000; size = size * 3 + 1) {
		unsigned char *p = slab_alloc(&slab, size);

		EXPECT_TRUE(p != NULL && is_filled(p, size, 0));
		EXPECT_EQ((uintptr_t)p % (size >= 4096 ? 4096 : 16), 0);
		memset(p, 0xff, size);
		slab_free(&slab, p, size);
	}
	EXPECT_EQ(slab.used, 0);
}

TEST(slab_random_use_keeps_contents_and_gives_every_frame_back)
{
	static unsigned char *objects[OBJECTS];
	static size_t sizes[OBJECTS];
	uint64_t before[FRAME_OWNER_COUNT];
	uint64_t after[FRAME_OWNER_COUNT];

	srand(4);
	frame_account(before);
	for (unsigned round = 0; round < 40000; round++) {
		unsigned i = (unsigned)rand() % OBJECTS;
		int value = (int)(i & 0x7f);

		if (objects[i] != NULL) {
			EXPECT_TRUE(is_filled(objects[i], sizes[i], value));
			slab_free(&slab, objects[i], sizes[i]);
			objects[i] = NULL;
			continue;
		}
		sizes[i] = (size_t)rand() % (rand() % 8 == 0 ? 9000 : 300);
		objects[i] = slab_alloc(&slab, sizes[i]);
		EXPECT_TRUE(objects[i] != NULL);
		memset(objects[i], value, sizes[i]);
	}
	for (unsigned i = 0; i < OBJECTS; i++)
		slab_free(&slab, objects[i], sizes[i]);
	frame_account(after);
	EXPECT_EQ(slab.used, 0);
	EXPECT_MEM_EQ(before, after, sizeof(before));
}

TEST(slab_says_null_when_memory_is_used_up)
{
	uint64_t before[FRAME_OWNER_COUNT];
	uint64_t after[FRAME_OWNER_COUNT];

	frame_account(before);
	EXPECT_TRUE(slab_alloc(&slab, (size_t)1 << 40) == NULL);
	EXPECT_TRUE(slab_alloc(&slab, SIZE_MAX) == NULL);
	frame_account(after);
	EXPECT_MEM_EQ(before, after, sizeof(before));
}
