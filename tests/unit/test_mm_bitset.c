/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "mm/bitset.h"

#define SIZE 70000U /* three levels */

TEST(bitset_agrees_with_an_array_of_flags)
{
	void *memory = malloc(bitset_bytes(SIZE));
	bool *naive = calloc(SIZE, 1);
	struct bitset s;

	srand(2);
	bitset_init(&s, SIZE, memory);
	for (unsigned i = 0; i < 20000; i++) {
		uint64_t m = (unsigned)rand() % SIZE;
		uint64_t first;
		bool found;

		if (naive[m])
			bitset_remove(&s, m);
		else
			bitset_add(&s, m);
		naive[m] = !naive[m];
		if (i % 64 != 0)
			continue;
		found = bitset_first(&s, &first);
		EXPECT_EQ(found, s.count > 0);
		for (m = 0; found && m < first; m++)
			EXPECT_TRUE(!naive[m]);
		EXPECT_TRUE(!found || naive[first]);
	}
	free(memory);
	free(naive);
}

TEST(bitset_has_all_members_of_a_range_or_not)
{
	uint64_t memory[64];
	struct bitset s;

	EXPECT_TRUE(bitset_init(&s, 1000, memory) <= (void *)(memory + 64));
	for (uint64_t m = 128; m < 320; m++) {
		EXPECT_TRUE(!bitset_has_all(&s, 128, 192));
		bitset_add(&s, m);
	}
	EXPECT_TRUE(bitset_has_all(&s, 128, 192));
	EXPECT_TRUE(!bitset_has_all(&s, 64, 128) && !bitset_has_all(&s, 256, 128));
	for (uint64_t m = 128; m < 320; m++) {
		bitset_remove(&s, m);
		EXPECT_TRUE(!bitset_has_all(&s, 128, 192));
		bitset_add(&s, m);
	}
}

TEST(bitset_empties_again)
{
	uint64_t memory[64];
	struct bitset s;
	uint64_t m;

	bitset_init(&s, 1000, memory);
	bitset_add(&s, 999);
	EXPECT_TRUE(bitset_first(&s, &m) && m == 999);
	bitset_remove(&s, 999);
	EXPECT_TRUE(!bitset_first(&s, &m));
	EXPECT_EQ(s.count, 0);
}
