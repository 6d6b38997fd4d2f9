/* SPDX-License-Identifier: MIT */
/* TDCALL leaves of the software TDX module: the order of their checks, and what they leave
 * behind. */
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/tdh.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/unit/model_td.h"
#include "tests/unit/test.h"
#include "vmx/exit.h"

#define RTMR_EXTEND 2
#define VEINFO_GET  3
#define REPORT      4
#define ACCEPT      6
#define VM_RD       7
#define SYS_RDALL   12
#define SERVTD_RD   18
#define VERIFY      22
#define ATTR_RD     23
#define ATTR_WR     24
#define L2_ENTER    25
#define INVEPT      26

#define RESUMED         UINT64_C(1)
#define EPT_VIOLATION   UINT64_C(48)
#define EPT_MISCONFIG   UINT64_C(49)
#define INVALID         UINT64_C(0xc000010000000000)
#define BUSY            UINT64_C(0x8000020000000000)
#define SIZE_MISMATCH   UINT64_C(0xc0000b0b00000000)
#define BUSY_TIMEOUT    UINT64_C(0x9000020500000000)
#define RECOVERABLE     (UINT64_C(1) << 60)
#define IN_RAX          0
#define IN_RCX          1
#define IN_RDX          2
#define IN_R8           8
#define SHARED          (UINT64_C(1) << 47)
#define BEYOND          (UINT64_C(1) << 48)
#define PENDING         (UINT64_C(1) << 62)
#define NONE            (~UINT64_C(0))
#define EVENT_VE        UINT32_C(0x80000314)
#define PAGE            UINT64_C(0x200000) /* accepted */
#define AUGED           UINT64_C(0x400000) /* 2M, not accepted */
#define ABSENT          UINT64_C(0x600000)
#define EPT_RWX         UINT64_C(7)
#define EPT_WB          UINT64_C(0x30)
#define EPT_SUPPRESS_VE (UINT64_C(1) << 63)

static void start(void)
{
	struct model_outcome accepted;

	model_td_start(TDX_ATTR_SEPT_VE_DISABLE);
	EXPECT_EQ(td_populate(&model_td, gpa(PAGE), SIZE_2M), STATUS_OK);
	EXPECT_EQ(td_populate(&model_td, gpa(AUGED), SIZE_2M), STATUS_OK);
	accepted = model_td_call(0, (struct model_tdcall){.rax = ACCEPT, .rcx = PAGE | 1});
	EXPECT_EQ(accepted.rax, 0);
}

static struct model_outcome call(uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t r8)
{
	return model_td_call(0, (struct model_tdcall){rax, rcx, rdx, r8, 0});
}

static void expect_rax(struct model_outcome got, uint64_t rax)
{
	EXPECT_EQ(got.status, RESUMED);
	EXPECT_EQ(got.event, 0);
	EXPECT_EQ(got.rax, rax);
}

TEST(model_looks_where_a_report_goes_after_it_has_made_it)
{
	struct model_outcome got;

	start();
	expect_rax(call(REPORT, BEYOND + 1, BEYOND, 1), INVALID | IN_RCX);
	expect_rax(call(REPORT, BEYOND, BEYOND, 1), INVALID | IN_RDX);
	got = call(REPORT, BEYOND, ABSENT, 1);
	EXPECT_EQ(got.status, EPT_VIOLATION);
	EXPECT_EQ(got.host.r8, ABSENT);
	EXPECT_EQ(got.host.rcx, 1);
	expect_rax(call(REPORT, BEYOND, PAGE, 1), INVALID | IN_R8);
	expect_rax(call(REPORT, BEYOND, PAGE, 0), INVALID | IN_RCX);
	got = call(REPORT, ABSENT, PAGE, 0);
	EXPECT_EQ(got.status, EPT_VIOLATION);
	EXPECT_EQ(got.host.rcx, 3);
	expect_rax(call(REPORT, PAGE, PAGE + 0x400, 0), 0);
}

TEST(model_reads_the_extension_before_it_looks_at_the_rtmr)
{
	start();
	EXPECT_EQ(call(RTMR_EXTEND, ABSENT, 4, 0).status, EPT_VIOLATION);
	expect_rax(call(RTMR_EXTEND, PAGE, 4, 0), INVALID | IN_RDX);
	expect_rax(call(RTMR_EXTEND, PAGE, 3, 0), 0);
}

TEST(model_verifies_no_report_in_shared_memory)
{
	start();
	expect_rax(call(VERIFY, SHARED | PAGE, 0, 0), INVALID | IN_RCX);
}

static hpa_t shared_frame(void)
{
	hpa_t frame;

	EXPECT_EQ(frame_alloc(LEVEL_4K, FRAME_SHARED, &frame), STATUS_OK);
	return frame;
}

/* Maps the first shared GPA by 4K, with entry `last` at the end. */
static void map_shared(uint64_t last)
{
	uint64_t *table = (uint64_t *)phys_ptr(model_shared) + 256; /* bit 47 of the GPA */

	for (unsigned level = 3; level > 0; level--) {
		hpa_t next = shared_frame();

		*table = next.raw | EPT_RWX;
		table = phys_ptr(next);
		memset(table, 0, 4096);
	}
	*table = last;
}

TEST(model_takes_an_operand_in_shared_memory_by_the_hosts_own_tables)
{
	hpa_t page;

	start();
	page = shared_frame();
	map_shared(page.raw | EPT_RWX | EPT_WB);
	expect_rax(call(REPORT, SHARED, PAGE, 0), 0);
	EXPECT_EQ(*(uint8_t *)phys_ptr(page), 0x81);
}

TEST(model_tells_the_host_which_rights_a_shared_operand_lacked)
{
	struct model_outcome got;

	start();
	map_shared(model_shared.raw | 1 | EPT_WB | EPT_SUPPRESS_VE);
	got = call(REPORT, SHARED, PAGE, 0);
	EXPECT_EQ(got.status, EPT_VIOLATION);
	EXPECT_EQ(got.host.rcx, 0xa); /* a write, the page readable */
	EXPECT_EQ(got.host.r8, SHARED);
}

TEST(model_gives_ve_for_a_shared_operand_that_does_not_suppress_it)
{
	struct model_outcome got;

	start();
	got = call(REPORT, SHARED | 0x400, PAGE, 0);
	EXPECT_EQ(got.status, RESUMED);
	EXPECT_EQ(got.event, EVENT_VE);
	EXPECT_EQ(got.rip_moved, 0);
	got = call(VEINFO_GET, 0, 0, 0);
	EXPECT_EQ(got.rcx, EPT_VIOLATION);
	EXPECT_EQ(got.rdx, 3);
}

TEST(model_reports_a_shared_table_that_the_cpu_would_not_walk)
{
	struct model_outcome got;

	start();
	map_shared(model_shared.raw | EPT_RWX | 0x10); /* memory type 2 does not exist */
	got = call(REPORT, SHARED, PAGE, 0);
	EXPECT_EQ(got.status, EPT_MISCONFIG);
	EXPECT_EQ(got.host.r8, SHARED);
	EXPECT_EQ(got.host.rcx, 0);
}

TEST(model_shows_a_guest_whether_its_page_is_pending)
{
	struct model_outcome got;

	start();
	got = call(ATTR_RD, PAGE + 0x5678, 0, 0);
	expect_rax(got, 0);
	EXPECT_EQ(got.rcx, PAGE | 1);
	got = call(ATTR_RD, AUGED, 7, 0);
	EXPECT_EQ(got.rcx, PENDING | AUGED | 1);
	EXPECT_EQ(got.rdx, 0);
	got = call(ATTR_WR, AUGED | 1, 0, 0);
	EXPECT_EQ(got.rcx, PENDING | AUGED | 1);
}

TEST(model_checks_attributes_vm_by_vm_before_the_page)
{
	start();
	expect_rax(call(ATTR_WR, BEYOND, 0x10000, 1), INVALID | IN_R8);
	expect_rax(call(ATTR_WR, BEYOND, 0x10000, 0x10000), INVALID | IN_RDX);
	expect_rax(call(ATTR_WR, BEYOND, 0, UINT64_C(1) << 63), INVALID | IN_R8);
	expect_rax(call(ATTR_WR, BEYOND, 0, 0), INVALID | IN_RCX);
}

TEST(model_writes_no_attributes_where_no_page_of_that_size_is)
{
	struct model_outcome got;

	start();
	expect_rax(call(ATTR_WR, 2, 0, 0), SIZE_MISMATCH | 2);
	got = call(ATTR_WR, PAGE, 0, 0); /* a 4K page: the host is to demote */
	EXPECT_EQ(got.status, EPT_VIOLATION);
	EXPECT_EQ(got.host.rdx & 0xf, 5);
	EXPECT_EQ(call(ATTR_WR, ABSENT | 1, 0, 0).status, EPT_VIOLATION);
}

TEST(model_answers_an_unknown_version_of_vm_rd_with_its_outputs_cleared)
{
	struct model_outcome got;

	start();
	got = call(VM_RD | 2 << 16, 0, 0x1234, 5);
	expect_rax(got, INVALID | IN_RAX);
	EXPECT_EQ(got.rdx, NONE);
	EXPECT_EQ(got.r8, 0);
}

TEST(model_forgets_r8_of_sys_rdall_even_if_the_page_faults)
{
	start();
	EXPECT_EQ(call(SYS_RDALL, 0, ABSENT, 5).status, EPT_VIOLATION);
	EXPECT_EQ(call(SYS_RDALL, 0, PAGE + 1, 5).r8, NONE);
}

TEST(model_has_no_other_td_to_read_from)
{
	struct model_outcome got;

	start();
	got = call(SERVTD_RD, 1, 2, 3);
	expect_rax(got, INVALID | IN_RCX);
	EXPECT_EQ(got.rdx, NONE);
	EXPECT_EQ(got.r8, 0);
}

TEST(model_enters_no_l2_vm)
{
	start();
	expect_rax(call(L2_ENTER, 0, 0x80, 0), INVALID | IN_RDX);
	expect_rax(call(L2_ENTER, 0, SHARED, 0), INVALID | IN_RDX);
	expect_rax(call(L2_ENTER, UINT64_C(1) << 52, 0x100, 0), INVALID | IN_RCX);
}

TEST(model_flushes_the_translations_of_no_l2_vm)
{
	start();
	expect_rax(call(INVEPT, 0, 0, 0), 0);
	expect_rax(call(INVEPT, 1, 0, 0), INVALID | IN_RCX);
	expect_rax(call(INVEPT, 2, 0, 0), INVALID | IN_RCX);
}

TEST(model_names_its_leaves)
{
	EXPECT_STR_EQ(tdx_model_leaf_name(0), "TDH.VP.ENTER");
	EXPECT_STR_EQ(tdx_model_leaf_name(6), "TDH.MEM.PAGE.AUG");
	EXPECT_STR_EQ(tdx_model_leaf_name(45), "TDH.SYS.CONFIG");
	EXPECT_STR_EQ(tdx_model_guest_leaf_name(0), "TDG.VP.VMCALL");
	EXPECT_STR_EQ(tdx_model_guest_leaf_name(6), "TDG.MEM.PAGE.ACCEPT");
	EXPECT_STR_EQ(tdx_model_leaf_name(0xffff), "unknown leaf");
	EXPECT_STR_EQ(tdx_model_guest_leaf_name(0xffff), "unknown leaf");
	EXPECT_STR_EQ(tdx_model_status_name(UINT64_C(0xc0ffee00) << 32), "unknown status");
}

/* While the guest accepts, a host on another CPU comes to the same entry, too late. */
static bool host_comes;
static uint64_t now;

static bool host_is_late(void *ctx, unsigned lp, bool guest_side)
{
	(void)ctx;
	(void)lp;
	if (!guest_side || !host_comes)
		return false;
	host_comes = false;
	(void)fake_set_this_cpu(1);
	EXPECT_EQ(tdh_mem_range_block(&model_td, gpa(AUGED), LEVEL_2M).raw, BUSY | IN_RCX);
	(void)fake_set_this_cpu(0);
	return true; /* and the guest must let go */
}

static uint64_t stopped_tsc(void *ctx, unsigned lp)
{
	(void)ctx;
	(void)lp;
	return now;
}

static void start_late_host(void)
{
	hosted_machine.interrupt_pending = host_is_late;
	hosted_machine.rdtsc = stopped_tsc;
	start();
	host_comes = true;
	EXPECT_EQ(call(ACCEPT, AUGED | 1, 0, 0).rip_moved, 0);
}

TEST(model_lets_a_host_that_came_too_late_go_first)
{
	start_late_host();
	expect_rax(call(ACCEPT, AUGED | 1, 0, 0), BUSY | IN_RCX);
	expect_rax(call(ATTR_RD, AUGED, 0, 0), BUSY | IN_RCX);
	expect_rax(call(ATTR_WR, AUGED | 1, 0, 0), BUSY | IN_RCX);
	EXPECT_EQ(tdh_mem_range_block(&model_td, gpa(AUGED), LEVEL_2M).raw, 0);
	EXPECT_EQ(call(ACCEPT, AUGED | 1, 0, 0).status, EPT_VIOLATION);
}

TEST(model_reminds_a_host_that_does_not_come_back)
{
	struct model_outcome got;

	start_late_host();
	now += UINT64_C(60) * 1000000000; /* only the guest's waiting counts */
	expect_rax(call(ACCEPT, AUGED | 1, 0, 0), BUSY | IN_RCX);
	now += UINT64_C(999999999); /* a second at 1 GHz, but for a tick */
	expect_rax(call(ACCEPT, AUGED | 1, 0, 0), BUSY | IN_RCX);
	now++;
	got = call(ACCEPT, AUGED | 1, 0, 0);
	EXPECT_EQ(got.status, BUSY_TIMEOUT);
	EXPECT_EQ(got.host.rcx | got.host.rdx | got.host.r8 | got.host.r9, 0);
	/* The guest goes on after the TDCALL; time begins anew. */
	expect_rax(call(ACCEPT, AUGED | 1, 0, 0), BUSY | IN_RCX);
}
