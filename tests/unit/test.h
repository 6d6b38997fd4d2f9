/* SPDX-License-Identifier: MIT */
/*
 * Host unit tests. One test proves one sentence, and its name is the sentence:
 *
 *	TEST(frame_alloc_returns_an_aligned_frame) { EXPECT_EQ(...); }
 *
 * Each test runs in a process of its own with a time limit, so a crash, a panic
 * or a hang fails that test alone and leaves no state behind for the next one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct test {
	const char *name;
	void (*run)(void);
	bool has_threads; /* run once more under ThreadSanitizer */
} __attribute__((aligned(32)));

/* Failed expectations of the running test. */
extern unsigned test_failures;

/* Prints the place and counts one failure; the EXPECT macros call it. */
void test_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* True when `a` and `b` are equal strings; either may be NULL. */
bool test_str_eq(const char *a, const char *b);

/* Offset of the first byte that differs, or `len`. */
size_t test_mem_diff(const void *a, const void *b, size_t len);

/* Tests register themselves in an array that the linker collects: no list to maintain. */
#define TEST(name_)              TEST_ENTRY(name_, false)
#define TEST_WITH_THREADS(name_) TEST_ENTRY(name_, true)

#define TEST_ENTRY(name_, has_threads_)                                                        \
	static void test_run_##name_(void);                                                    \
	static const struct test test_entry_##name_                                            \
		__attribute__((section("tests"), used)) = {#name_, test_run_##name_,           \
							   has_threads_};                      \
	static void test_run_##name_(void)

/* Integers, booleans, enums and pointers, compared as 64-bit values. */
#define EXPECT_EQ(a, b)                                                                        \
	do {                                                                                   \
		unsigned long long a_ = (unsigned long long)(a);                               \
		unsigned long long b_ = (unsigned long long)(b);                               \
		if (a_ != b_)                                                                  \
			test_fail(__FILE__, __LINE__, "%s = %#llx, expected %s = %#llx", #a,   \
				  a_, #b, b_);                                                 \
	} while (0)

#define EXPECT_TRUE(x)                                                                         \
	do {                                                                                   \
		if (!(x))                                                                      \
			test_fail(__FILE__, __LINE__, "%s is false", #x);                      \
	} while (0)

#define EXPECT_STR_EQ(a, b)                                                                    \
	do {                                                                                   \
		const char *a_ = (a);                                                          \
		const char *b_ = (b);                                                          \
		if (!test_str_eq(a_, b_))                                                      \
			test_fail(__FILE__, __LINE__, "%s = \"%s\", expected \"%s\"", #a,      \
				  a_ ? a_ : "(null)", b_ ? b_ : "(null)");                     \
	} while (0)

#define EXPECT_MEM_EQ(a, b, len)                                                               \
	do {                                                                                   \
		size_t len_ = (len);                                                           \
		size_t at_ = test_mem_diff((a), (b), len_);                                    \
		if (at_ != len_)                                                               \
			test_fail(__FILE__, __LINE__, "%s and %s differ at byte %zu of %zu",   \
				  #a, #b, at_, len_);                                          \
	} while (0)
