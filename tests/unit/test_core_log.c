/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"

#include "core/log.h"
#include "tests/fake/fake.h"

static char last[512];
static unsigned line_count;

static void sink(const char *text, size_t length)
{
	memcpy(last, text, length);
	last[length] = '\0';
	line_count++;
}

static void count_line(void *ctx, const char *line)
{
	unsigned *n = ctx;

	if (*n == 0)
		snprintf(last, sizeof(last), "%s", line);
	(*n)++;
}

static uint64_t clock_us(void) { return 12345678; }

TEST(log_line_has_time_cpu_and_tag)
{
	log_set_sink(sink);
	log_set_clock(clock_us);
	(void)fake_set_this_cpu(3);
	log_info("value %d", 7);
	EXPECT_STR_EQ(last, "[   12.345678] cpu3 hv: value 7\n");
}

TEST(log_above_the_threshold_goes_nowhere)
{
	log_set_sink(sink);
	log_threshold = LOG_WARN;
	log_info("unheard");
	EXPECT_EQ(line_count, 0);
	log_warn("heard");
	EXPECT_EQ(line_count, 1);
}

TEST(log_cuts_a_line_that_is_too_long)
{
	static char longer[1000];

	memset(longer, 'x', sizeof(longer) - 1);
	log_set_sink(sink);
	log_info("%s", longer);
	EXPECT_EQ(strlen(last) < 250, 1);
	EXPECT_EQ(last[strlen(last) - 1], '\n');
}

TEST(log_replay_gives_the_newest_lines_oldest_first)
{
	unsigned n = 0;

	log_set_sink(NULL);
	for (int i = 0; i < 2000; i++)
		log_info("line %d", i);
	EXPECT_EQ(log_replay(0, count_line, &n), 2000);
	EXPECT_EQ(n, 512);
	EXPECT_TRUE(strstr(last, "line 1488") != NULL);
	n = 0;
	EXPECT_EQ(log_next(), 2000);
	EXPECT_EQ(log_replay(1999, count_line, &n), 2000);
	EXPECT_EQ(n, 1);
	EXPECT_TRUE(strstr(last, "line 1999") != NULL);
}
