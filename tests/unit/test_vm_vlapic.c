/* SPDX-License-Identifier: MIT */
#include "tests/unit/test.h"
#include "vm/msr.h"
#include "vm/vclock.h"
#include "vm/vlapic.h"

#define DEADLINE      0x6e0
#define LVT_TIMER_MSR 0x832
#define INITIAL       0x838
#define CURRENT       0x839
#define DIVIDE        0x83e

#define MODE_PERIODIC UINT64_C(0x20000)
#define MODE_DEADLINE UINT64_C(0x40000)
#define MASKED        UINT64_C(0x10000)

/* A TD at 1 GHz on a host at 2 GHz, its TSC 1000 ahead. */
static struct vclock *half_speed(void)
{
	static struct vclock c;

	vclock_init(&c, UINT64_C(1) << 47, 1000, UINT64_C(1000000000));
	return &c;
}

static struct vlapic *apic(uint32_t id)
{
	static struct vlapic l;

	vlapic_init(&l, id, half_speed());
	return &l;
}

static uint64_t get(struct vlapic *l, uint32_t msr, uint64_t now)
{
	uint64_t value = UINT64_MAX;

	EXPECT_TRUE(msr_read(l, msr, now, &value));
	return value;
}

TEST(vclock_scales_and_offsets)
{
	EXPECT_EQ(vclock_now(half_speed(), 5000), 3500);
	EXPECT_EQ(vclock_to_host_ticks(half_speed(), 500), 1001);
	EXPECT_EQ(vclock_to_virtual_ticks(half_speed(), 500), 250);
}

TEST(vclock_keeps_its_precision_over_days)
{
	struct vclock c;
	uint64_t ticks = UINT64_C(1) << 50;
	uint64_t back;

	vclock_init(&c, UINT64_C(0xfd70a3d70a3d), 0, UINT64_C(2300000000));
	back = vclock_to_virtual_ticks(&c, vclock_to_host_ticks(&c, ticks));
	EXPECT_TRUE(back >= ticks && back - ticks < 16);
}

TEST(vclock_saturates_instead_of_wrapping)
{
	EXPECT_EQ(vclock_to_host_ticks(half_speed(), UINT64_MAX), (UINT64_C(1) << 62) + 1);
}

TEST(vlapic_tsc_deadline_is_virtual_and_fires_once)
{
	struct vlapic *l = apic(0);

	EXPECT_TRUE(vlapic_write(l, LVT_TIMER_MSR, 5000, MODE_DEADLINE | 0xec));
	EXPECT_TRUE(vlapic_write(l, DEADLINE, 5000, 4500)); /* it is 3500 there */
	EXPECT_EQ(l->deadline, 5000 + 2001);
	EXPECT_EQ(get(l, DEADLINE, 5000), 4500);
	EXPECT_EQ(vlapic_timer_expired(l, 7001), 0xec);
	EXPECT_EQ(l->deadline, 0);
	EXPECT_EQ(get(l, DEADLINE, 7001), 0);
}

TEST(vlapic_tsc_deadline_in_the_past_fires_at_once_and_0_disarms)
{
	struct vlapic *l = apic(0);

	EXPECT_TRUE(vlapic_write(l, LVT_TIMER_MSR, 5000, MODE_DEADLINE | 0xec));
	EXPECT_TRUE(vlapic_write(l, DEADLINE, 5000, 3500));
	EXPECT_EQ(l->deadline, 5000);
	EXPECT_TRUE(vlapic_write(l, DEADLINE, 5000, 0));
	EXPECT_EQ(l->deadline, 0);
}

TEST(vlapic_tsc_deadline_counts_only_in_its_mode)
{
	struct vlapic *l = apic(0);

	EXPECT_TRUE(vlapic_write(l, LVT_TIMER_MSR, 0, 0xec));
	EXPECT_TRUE(vlapic_write(l, DEADLINE, 0, 99999));
	EXPECT_EQ(l->deadline, 0);
}

/* 25 MHz divided by 16: one count is 640 ns, 1280 ticks of this host. */
TEST(vlapic_one_shot_counts_crystal_ticks)
{
	struct vlapic *l = apic(0);

	EXPECT_TRUE(vlapic_write(l, DIVIDE, 0, 3));
	EXPECT_TRUE(vlapic_write(l, LVT_TIMER_MSR, 0, 0xec));
	EXPECT_TRUE(vlapic_write(l, INITIAL, 10000, 100));
	EXPECT_EQ(l->deadline, 10000 + 128001);
	EXPECT_EQ(get(l, CURRENT, 10000), 100);
	EXPECT_EQ(get(l, CURRENT, 10000 + 64000), 50);
	EXPECT_EQ(vlapic_timer_expired(l, 138001), 0xec);
	EXPECT_EQ(l->deadline, 0);
	EXPECT_EQ(get(l, CURRENT, 138001), 0);
}

TEST(vlapic_periodic_goes_on_and_skips_what_it_missed)
{
	struct vlapic *l = apic(0);

	EXPECT_TRUE(vlapic_write(l, DIVIDE, 0, 3));
	EXPECT_TRUE(vlapic_write(l, LVT_TIMER_MSR, 0, MODE_PERIODIC | 0xec));
	EXPECT_TRUE(vlapic_write(l, INITIAL, 0, 1000));
	EXPECT_EQ(l->deadline, 1280001);
	EXPECT_EQ(vlapic_timer_expired(l, 1280001), 0xec);
	EXPECT_EQ(l->deadline, 2 * UINT64_C(1280001));
	EXPECT_EQ(vlapic_timer_expired(l, 100000000), 0xec);
	EXPECT_EQ(l->deadline, 100000000 + UINT64_C(1280001));
}

TEST(vlapic_period_has_a_floor)
{
	struct vlapic *l = apic(0);

	EXPECT_TRUE(vlapic_write(l, DIVIDE, 0, 0xb));
	EXPECT_TRUE(vlapic_write(l, LVT_TIMER_MSR, 0, MODE_PERIODIC | 0xec));
	EXPECT_TRUE(vlapic_write(l, INITIAL, 0, 1));
	EXPECT_EQ(l->period, 100001);
}

TEST(vlapic_masked_timer_posts_nothing)
{
	struct vlapic *l = apic(0);

	EXPECT_TRUE(vlapic_write(l, LVT_TIMER_MSR, 0, MASKED | 0xec));
	EXPECT_TRUE(vlapic_write(l, INITIAL, 0, 1));
	EXPECT_EQ(vlapic_timer_expired(l, 1000000), -1);
}

TEST(vlapic_change_of_mode_disarms_the_timer)
{
	struct vlapic *l = apic(0);

	EXPECT_TRUE(vlapic_write(l, LVT_TIMER_MSR, 0, 0xec));
	EXPECT_TRUE(vlapic_write(l, INITIAL, 0, 1000));
	EXPECT_TRUE(l->deadline != 0);
	EXPECT_TRUE(vlapic_write(l, LVT_TIMER_MSR, 0, MODE_DEADLINE | 0xec));
	EXPECT_EQ(l->deadline, 0);
}

TEST(vlapic_icr_names_physical_logical_and_broadcast_targets)
{
	uint64_t logical = UINT64_C(1) << 11;

	EXPECT_TRUE(icr_names(UINT64_C(3) << 32, 3));
	EXPECT_TRUE(!icr_names(UINT64_C(3) << 32, 2));
	EXPECT_TRUE(icr_names(UINT64_C(0xffffffff) << 32, 17));
	EXPECT_TRUE(icr_names(UINT64_C(0x10002) << 32 | logical, 17));
	EXPECT_TRUE(!icr_names(UINT64_C(0x10002) << 32 | logical, 1));
	EXPECT_TRUE(!icr_names(UINT64_C(0x10004) << 32 | logical, 17));
}

TEST(msr_answers_keep_linux_in_x2apic_mode)
{
	EXPECT_EQ(get(apic(0), 0x1b, 0), 0xfee00d00);
	EXPECT_EQ(get(apic(1), 0x1b, 0), 0xfee00c00);
	EXPECT_TRUE(!msr_write(apic(0), 0x1b, 0, 0xfee00900));
	EXPECT_TRUE(msr_write(apic(0), 0x1b, 0, 0xfee00d00));
	EXPECT_EQ(get(apic(5), 0x802, 0), 5);
	EXPECT_EQ(get(apic(17), 0x80d, 0), 0x10002);
}

TEST(msr_that_is_unknown_takes_gp)
{
	uint64_t value = 42;

	EXPECT_TRUE(!msr_read(apic(0), 0x606, 0, &value));
	EXPECT_TRUE(!msr_read(apic(0), 0x8ff, 0, &value));
	EXPECT_TRUE(!msr_write(apic(0), 0xc0010015, 0, 0));
	EXPECT_EQ(value, 42);
	EXPECT_EQ(get(apic(0), 0x179, 0), 0);
	EXPECT_EQ(get(apic(0), 0xfe, 0), 0);
	EXPECT_TRUE(!msr_write(apic(0), 0x179, 0, 1));
	EXPECT_TRUE(msr_write(apic(0), 0x8b, 0, 0));
}
