/* SPDX-License-Identifier: MIT */
/* What the replayer of recorded conversations says of a trace, and which traces it can read. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/trace/replay.h"
#include "tests/unit/test.h"

#define HEADER                                                                                 \
	"seamtrace 1\n"                                                                        \
	"trace test group=A\n"                                                                 \
	"needs\n"                                                                              \
	"module 1.5.01 build_date=20240101\n"                                                  \
	"platform lps=2 packages=1 lp_package=0,0 memory=0x180000000 max_pa_bits=52 "          \
	"keyid_bits=7 keyid_shift=45 first_private_keyid=96 num_private_keyids=24 "            \
	"wbinvd_blocks=4 cpu_fms=0x806f8\n"                                                    \
	"cmr base=0x100000 size=0x3ff00000\n"                                                  \
	"seamrr base=0x7c000000 size=0x4000000\n"                                              \
	"begin\n"

#define SYS_INIT                                                                               \
	"call 0 lp=0 leaf=33 ver=0 name=TDH.SYS.INIT rcx=0x0 -> rax=0x0 rcx=0x0 "              \
	"rdx=0x0 r8=0x0 r9=0x0 r10=0x0\n"

static struct replay replay = {.level = LEVEL_STRICTEST};
static char said[4096];

/* Replays HEADER and `items`; what was printed is in `said`. */
static enum outcome play(const char *items)
{
	char trace[] = "/tmp/trace-XXXXXX", output[] = "/tmp/output-XXXXXX";
	int trace_fd = mkstemp(trace), output_fd = mkstemp(output), out = dup(STDOUT_FILENO);
	enum outcome outcome;
	ssize_t length;

	EXPECT_TRUE(write(trace_fd, HEADER, strlen(HEADER)) == (ssize_t)strlen(HEADER));
	EXPECT_TRUE(write(trace_fd, items, strlen(items)) == (ssize_t)strlen(items));
	fflush(stdout);
	dup2(output_fd, STDOUT_FILENO);
	outcome = replay_trace(&replay, trace);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	length = pread(output_fd, said, sizeof(said) - 1, 0);
	said[length > 0 ? length : 0] = '\0';
	close(trace_fd);
	close(output_fd);
	close(out);
	unlink(trace);
	unlink(output);
	return outcome;
}

static void expect_said(const char *text)
{
	if (!strstr(said, text))
		test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", said, text);
}

TEST(replay_names_call_expected_got_and_rule_of_a_wrong_status)
{
	EXPECT_EQ(play("call 0 lp=1 leaf=35 ver=0 name=TDH.SYS.LP.INIT -> rax=0x0 rcx=0x0 "
		       "rdx=0x0 "
		       "r8=0x0\nend 1\n"),
		  FAILED);
	expect_said(":9: rax: expected 0 TDX_SUCCESS, got 0xc000050b00000000 "
		    "TDX_SYS_LP_INIT_NOT_PENDING");
	expect_said("rule: state of the module");
	expect_said("call 0 lp=1 leaf=35 ver=0 name=TDH.SYS.LP.INIT");
}

TEST(replay_tells_an_output_from_a_register_that_must_stay)
{
	EXPECT_EQ(play("call 0 lp=1 leaf=35 ver=0 name=TDH.SYS.LP.INIT -> "
		       "rax=0xc000050b00000000 rcx=0x1 rdx=~ r8=0x0\nend 1\n"),
		  FAILED);
	expect_said("rcx: expected 0x1, got 0\n    rule: output registers of a leaf");
	EXPECT_EQ(play("call 0 lp=1 leaf=35 ver=0 name=TDH.SYS.LP.INIT rcx=0x5 -> "
		       "rax=0xc000050b00000000 rdx=0x0 r8=0x0\nend 1\n"),
		  FAILED);
	expect_said(
		"rcx: expected 0x5 (unlisted), got 0\n    rule: registers that a leaf leaves");
}

TEST(replay_masks_bytes_and_names_the_one_that_differs)
{
	EXPECT_EQ(play("mem pa=0x1000 len=3 0a0b0c\nread pa=0x1000 len=3 0a..0c\nend 0\n"),
		  PASSED);
	EXPECT_EQ(play("fill pa=0x1000 len=3 byte=7\nread pa=0x1000 len=3 0707..\n"
		       "pattern pa=0x2000 len=8 seed=0\nread pa=0x2000 len=4 afcd1d7b\n"
		       "read pa=0x1000 len=3 070708\nend 0\n"),
		  FAILED);
	expect_said(":13: byte 2: expected 08, got 07\n    rule: what is written to memory");
}

TEST(replay_puts_an_msr_back_to_what_its_platform_has)
{
	EXPECT_EQ(
		play(SYS_INIT
		     "inject msr lp=1 msr=0x982 value=0x0\n"
		     "call 1 lp=1 leaf=35 ver=0 name=TDH.SYS.LP.INIT -> rax=0xc000092000000982 "
		     "rcx=0x0 rdx=0x0 r8=0x0\n"
		     "inject msr lp=1 msr=0x982 value=0x3000700000003\n"
		     "inject msr lp=1 msr=0x981 value=0x7f70000000f\n"
		     "inject msr lp=1 msr=0x87 value=0x180000005f\n"
		     "call 2 lp=1 leaf=35 ver=0 name=TDH.SYS.LP.INIT -> rax=0x0 rcx=0x0 "
		     "rdx=0x0 "
		     "r8=0x0\nend 3\n"),
		PASSED);
	EXPECT_STR_EQ(said, "");
}

TEST(replay_takes_any_number_of_injections)
{
	static const char line[] = "inject cpuid leaf=0x4000 subleaf=0xffffffff eax=0x0\n";
	static const char rest[] = "inject rflags_if lp=1 value=0\n"
				   "inject intr lp=0 after=1 times=-1\n"
				   "inject pconfig code=2 count=1\n"
				   "inject rng rdrand=0 rdseed=1000000\n"
				   "# a comment\n" SYS_INIT "end 1\n";
	static char items[600 * sizeof(line) + sizeof(rest)];
	char *at = items;

	for (unsigned i = 0; i < 600; i++)
		at = stpcpy(at, line);
	strcpy(at, rest);
	EXPECT_EQ(play(items), PASSED);
}

TEST(replay_says_what_is_wrong_with_a_trace_that_is_none)
{
	EXPECT_EQ(play("bogus\nend 0\n"), FAILED);
	expect_said("unexpected line\n    rule: the trace itself");
	EXPECT_EQ(play("overlap lp=0 at=3\n" SYS_INIT "end 1\n"), FAILED);
	expect_said("an overlap without an outer call or an end");
	EXPECT_EQ(play("inject weather\nend 0\n"), FAILED);
	expect_said("unknown injection");
	EXPECT_EQ(play("mem pa=0x1000 len=3 0011\nend 0\n"), FAILED);
	expect_said("not as many bytes as it says");
	EXPECT_EQ(play("fill pa=0x1000 len=18446744073709551615 byte=0x1\nend 0\n"), FAILED);
	expect_said("more bytes than the platform has");
}
