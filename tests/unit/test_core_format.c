/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include <stdarg.h>

#include "core/format.h"

/* Compares with the C library, result and text, also when it does not fit. */
__attribute__((format(printf, 1, 2))) static void same_as_libc(const char *fmt, ...)
{
	for (size_t size = 1; size <= 64; size += 9) {
		char ours[64] = "untouched";
		char theirs[64];
		va_list ap;
		int a;
		int b;

		va_start(ap, fmt);
		a = format_v(ours, size, fmt, ap);
		va_end(ap);
		va_start(ap, fmt);
		b = vsnprintf(theirs, size, fmt, ap);
		va_end(ap);
		EXPECT_EQ(a, b);
		EXPECT_STR_EQ(ours, theirs);
	}
}

TEST(format_integers_as_libc_does)
{
	same_as_libc("%d %d %u", -5, 2147483647, 4294967295U);
	same_as_libc("%ld %lu %lld", -9223372036854775807L - 1, 18446744073709551615UL, -1LL);
	same_as_libc("%x %#x %#x", 0xbeefU, 0xbeefU, 0U);
	same_as_libc("%zu %zx", (size_t)77, (size_t)0x77);
}

TEST(format_width_precision_and_flags_as_libc_does)
{
	same_as_libc("[%8d] [%-8d] [%08d]", -42, -42, -42);
	same_as_libc("[%18lx] [%#018lx] [%-18lx]", 0x1234UL, 0x1234UL, 0x1234UL);
	same_as_libc("[%*d] [%-*d] [%*d]", 6, 1, 6, 2, -6, 3);
}

TEST(format_strings_as_libc_does)
{
	same_as_libc("%s|%10s|%-10s|%.3s|%.*s|%c|%%|%5c", "abc", "abc", "abc", "abcdef", 2,
		     "abc", 'x', 'y');
}

TEST(format_null_string_is_shown_as_such)
{
	const char *volatile null = NULL; /* hides it from the compiler's own check */
	char text[32];

	EXPECT_EQ(format(text, sizeof(text), "%s", null), 6);
	EXPECT_STR_EQ(text, "(null)");
}

TEST(format_writes_nothing_into_a_buffer_of_size_zero)
{
	char text[4] = "abc";

	EXPECT_EQ(format(text, 0, "%d", 12345), 5);
	EXPECT_STR_EQ(text, "abc");
}
