/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "sha384/sha384.h"
#include "tests/unit/test.h"

/* Vectors of FIPS 180-4's examples and of NIST's CAVP files. */

static void unhex(const char *hex, uint8_t *out, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		unsigned v = 0;

		for (unsigned j = 0; j < 2; j++) {
			char c = hex[2 * i + j];

			v = v << 4 | (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
		}
		out[i] = (uint8_t)v;
	}
}

static void expect_digest(const void *data, size_t size, const char *hex)
{
	uint8_t want[SHA384_DIGEST_SIZE], got[SHA384_DIGEST_SIZE];

	unhex(hex, want, sizeof(want));
	sha384(data, size, got);
	EXPECT_MEM_EQ(got, want, sizeof(want));
}

TEST(sha384_of_nothing)
{
	expect_digest("", 0,
		      "38b060a751ac96384cd9327eb1b1e36a21fdb71114be0743"
		      "4c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b");
}

TEST(sha384_of_one_block)
{
	expect_digest("abc", 3,
		      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
		      "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7");
}

TEST(sha384_of_two_blocks)
{
	static const char text[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
				   "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";

	expect_digest(text, sizeof(text) - 1,
		      "09330c33f71147e83d192fc782cd1b4753111b173b3b05d2"
		      "2fa08086e3b0f712fcc7c71a557e2db966c3e9fa91746039");
}

TEST(sha384_of_a_million_a_in_uneven_pieces)
{
	struct sha384 ctx;
	uint8_t piece[997], got[SHA384_DIGEST_SIZE], want[SHA384_DIGEST_SIZE];
	size_t left = 1000000;

	memset(piece, 'a', sizeof(piece));
	sha384_init(&ctx);
	while (left > 0) {
		size_t n = left % sizeof(piece) + 1 < left ? left % sizeof(piece) + 1 : left;

		sha384_update(&ctx, piece, n < sizeof(piece) ? n : sizeof(piece));
		left -= n < sizeof(piece) ? n : sizeof(piece);
	}
	sha384_final(&ctx, got);
	unhex("9d0e1809716474cb086e834e310a4a1ced149e9c00f24852"
	      "7972cec5704c2a5b07b8b3dc38ecc4ebae97ddd87f3d8985",
	      want, sizeof(want));
	EXPECT_MEM_EQ(got, want, sizeof(want));
}

TEST(sha384_padding_is_right_around_the_block_boundary)
{
	/* Joining two pieces must not matter for any length near 112 and 128. */
	uint8_t data[300], whole[SHA384_DIGEST_SIZE], parts[SHA384_DIGEST_SIZE];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t n = 105; n < 260; n++) {
		struct sha384 ctx;

		sha384(data, n, whole);
		sha384_init(&ctx);
		sha384_update(&ctx, data, n / 3);
		sha384_update(&ctx, data + n / 3, n - n / 3);
		sha384_final(&ctx, parts);
		EXPECT_MEM_EQ(whole, parts, sizeof(whole));
	}
}
