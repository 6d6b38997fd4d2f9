/* SPDX-License-Identifier: MIT */
#include "tests/unit/plain_td.h"

#include <string.h>

#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tests/unit/test.h"

#define STEPS_MAX 100000U

struct td td;
struct td_vcpu vcpus[PLAIN_TD_VCPUS];
hpa_t shared;

void ready(void) { ready_with(&hosted_default); }

void ready_with(const struct hosted_config *config)
{
	hosted_start_ready(config);
	EXPECT_EQ(frame_alloc_range(4 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &shared),
		  STATUS_OK);
}

struct td_params plain_params(uint64_t ram)
{
	return (struct td_params){.attributes = TDX_ATTR_SEPT_VE_DISABLE,
				  .max_vcpus = PLAIN_TD_VCPUS,
				  .tsc_khz = 1000000,
				  .ram_low_end = gpa(ram),
				  .ram_high_end = gpa(TD_HIGH_RAM_BASE)};
}

enum status create_td(uint64_t ram)
{
	struct td_params params = plain_params(ram);

	memset(&td, 0, sizeof(td));
	memset(vcpus, 0, sizeof(vcpus));
	memcpy(td.name, "test", 5);
	return td_create(&td, &params);
}

enum status create_vcpu(unsigned i)
{
	enum status s = td_vcpu_create(&td, &vcpus[i], 0);

	return s ? s : td_vcpu_configure(&vcpus[i], shared, 0xf2, hpa_add(shared, PAGE_SIZE));
}

enum status measure(uint64_t at)
{
	return td_add_measured_page(&td, gpa(at), phys_ptr(hpa_add(shared, 2 * PAGE_SIZE)));
}

void create_finalized(uint64_t ram, unsigned count)
{
	EXPECT_EQ(create_td(ram), STATUS_OK);
	for (unsigned i = 0; i < count; i++)
		EXPECT_EQ(create_vcpu(i), STATUS_OK);
	EXPECT_EQ(measure(TDBOOT_PARAMS_GPA), STATUS_OK);
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
}

void destroy(void)
{
	bool done = false;

	EXPECT_EQ(td_release_keyid(&td), STATUS_OK);
	for (unsigned i = 0; !done && i < STEPS_MAX; i++)
		EXPECT_EQ(td_reclaim(&td, &done), STATUS_OK);
	EXPECT_TRUE(done);
	EXPECT_EQ(td.teardown_done, td.teardown_total);
}
