/* SPDX-License-Identifier: MIT */
/*
 * What the software TDX module answers about metadata fields and private memory where no
 * recording shows it. Calls are bare SEAMCALLs, so that every register is the test's.
 */
#include "core/hw.h"
#include "guest-abi/tdboot.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "tdx/seamcall.h"
#include "tdx/td.h"
#include "tests/fake/fake.h"
#include "tests/hosted/hosted.h"
#include "tests/model/leaves.h"
#include "tests/unit/test.h"

#define V1              (UINT64_C(1) << 16)
#define ALL             UINT64_MAX
#define UNKNOWN_ID      UINT64_C(0xc0000c0000000000)
#define NOT_WRITABLE    UINT64_C(0xc0000c0100000000)
#define NOT_READABLE    UINT64_C(0xc0000c0200000000)
#define BAD_VALUE       UINT64_C(0xc0000c0300000000)
#define BAD_MASK        UINT64_C(0xc0000c0a00000000)
#define NOT_INITIALIZED UINT64_C(0xc000073000000000)
#define FIRST_FIELD     UINT64_C(0x00000c0b00000000)

#define INVALID(operand) (UINT64_C(0xc000010000000000) | (operand))
#define BUSY(operand)    (UINT64_C(0x8000020000000000) | (operand))
#define NOT_PRESENT      UINT64_C(0xc0000b0300000001)
#define NOT_BLOCKED      UINT64_C(0xc0000b0600000001)

#define HP_TIMEOUT UINT64_C(0x9110000300000011)
#define VM_CTLS    UINT64_C(0x9110000300000012)

static struct td td;
static struct td_vcpu vcpu;
static hpa_t shared;
static hpa_t tables;             /* two, of the Secure EPT at BASE */
static hpa_t large;              /* 4 MiB for private pages */
static struct seamcall_regs out; /* of the last call */

static void start(uint64_t attributes)
{
	const struct td_params params = {
		.attributes = attributes | TDX_ATTR_SEPT_VE_DISABLE,
		.max_vcpus = 1,
		.tsc_khz = 1000000,
		.ram_low_end = {UINT64_C(0x10000000)},
		.ram_high_end = {UINT64_C(1) << 32},
	};

	hosted_start_ready(&hosted_default);
	EXPECT_EQ(frame_alloc_range(4 * PAGE_SIZE, PAGE_SIZE, hpa(0), hpa(UINT64_MAX),
				    FRAME_SHARED, &shared),
		  STATUS_OK);
	EXPECT_EQ(td_create(&td, &params), STATUS_OK);
	EXPECT_EQ(td_vcpu_create(&td, &vcpu, 0), STATUS_OK);
}

static uint64_t call(uint64_t rax, uint64_t rcx, uint64_t rdx, uint64_t r8, uint64_t r9)
{
	out = (struct seamcall_regs){.rcx = rcx, .rdx = rdx, .r8 = r8, .r9 = r9};
	return seamcall_raw(rax, &out);
}

static uint64_t td_read(uint64_t id) { return call(TDH_MNG_RD | V1, td.tdr.pa.raw, id, 0, 0); }

static uint64_t td_write(uint64_t id, uint64_t value, uint64_t mask)
{
	return call(TDH_MNG_WR, td.tdr.pa.raw, id, value, mask);
}

static uint64_t vp_read(uint64_t id)
{
	return call(TDH_VP_RD | V1, vcpu.tdvpr.pa.raw, id, 0, 0);
}

static uint64_t vp_write(uint64_t id, uint64_t value, uint64_t mask)
{
	return call(TDH_VP_WR, vcpu.tdvpr.pa.raw, id, value, mask);
}

/* ---- field ids ------------------------------------------------------------ */

TEST(model_context_bits_of_a_null_field_id_do_not_matter)
{
	start(0);
	for (unsigned bit = 52; bit <= 54; bit++) {
		EXPECT_EQ(td_read(ALL & ~(UINT64_C(1) << bit)), FIRST_FIELD);
		EXPECT_EQ(out.rdx, 0x8010000000000001);
	}
	EXPECT_EQ(td_read(ALL & ~(UINT64_C(1) << 55)), UNKNOWN_ID);
	EXPECT_EQ(out.rdx, ALL);
}

TEST(model_reserved_bits_of_a_cpuid_code_make_an_unknown_field)
{
	start(0);
	EXPECT_EQ(td_read(0x94100003000003fe), 0); /* CPUID(1) */
	EXPECT_EQ(td_read(0x94100003000203fe), UNKNOWN_ID);
	EXPECT_EQ(td_read(0x94100003008003fe), UNKNOWN_ID);
}

TEST(model_fields_of_l2_vms_exist_with_the_vms)
{
	start(TDX_ATTR_DEBUG);
	EXPECT_EQ(td_read(0x2110000300000000 + 511), 0); /* SEPT_ROOT is the last */
	EXPECT_EQ(out.rdx, ALL);
	EXPECT_EQ(td_read(0x2510000300000000), UNKNOWN_ID);
	EXPECT_EQ(vp_read(0xa220000300000200 + 31), 0);
	EXPECT_EQ(out.rdx, ALL);
	EXPECT_EQ(vp_read(0x2520000300000000), UNKNOWN_ID);
}

TEST(model_half_a_vmcs_field_is_no_field)
{
	start(0);
	EXPECT_EQ(vp_read(0x0024000300002016), 0);
	EXPECT_EQ(vp_read(0x0024000300002017), UNKNOWN_ID);
}

TEST(model_a_list_starts_at_a_whole_field_of_any_context)
{
	start(0);
	EXPECT_EQ(call(TDH_SYS_RDALL, 0, shared.raw, 0x9950000300000500, 0), 0);
	EXPECT_EQ(call(TDH_SYS_RDALL, 0, shared.raw, 0x9900000300000501, 0), UNKNOWN_ID);
	EXPECT_EQ(call(TDH_SYS_RDALL, 0, shared.raw, ALL & ~(UINT64_C(7) << 52), 0), 0);
}

/* ---- what may be written -------------------------------------------------- */

TEST(model_a_write_may_name_other_bits_only_as_they_are)
{
	start(0);
	EXPECT_EQ(td_write(VM_CTLS, 1, ALL), 0);
	EXPECT_EQ(out.r8, 0);
	EXPECT_EQ(td_write(VM_CTLS, 2, ALL), BAD_VALUE);
	EXPECT_EQ(td_write(VM_CTLS, 2, ALL & ~UINT64_C(1)), NOT_WRITABLE);
	EXPECT_EQ(td_write(VM_CTLS, 2, 1), 0);
	EXPECT_EQ(out.r8, 1);
}

TEST(model_a_write_ends_with_the_element)
{
	start(0);
	EXPECT_EQ(vp_write(0x202000000000000b, 1, ALL), 0); /* PEND_NMI, one byte */
	EXPECT_EQ(vp_write(0x202000000000000b, 0x101, ALL), BAD_VALUE);
	EXPECT_EQ(vp_write(0x202000000000000b, 1, 0xff00), NOT_WRITABLE);
}

TEST(model_the_lock_timeout_is_written_whole_or_not_at_all)
{
	start(0);
	EXPECT_EQ(td_write(HP_TIMEOUT, 20000, UINT32_MAX), BAD_MASK);
	EXPECT_EQ(td_write(HP_TIMEOUT, 9999, ALL), BAD_VALUE);
	EXPECT_EQ(td_write(HP_TIMEOUT, 20000, ALL), 0);
	EXPECT_EQ(out.r8, 1000000);
	EXPECT_EQ(td_read(HP_TIMEOUT), 0);
	EXPECT_EQ(out.r8, 20000);
}

TEST(model_a_cpuid_leaf_that_faults_is_unreadable_to_writers_too)
{
	start(0);
	EXPECT_EQ(td_write(0x94100003000003fe, 0, ALL), NOT_WRITABLE);
	EXPECT_EQ(td_write(0x94100003000061fe, 0, ALL), UNKNOWN_ID); /* CPUID(0x30) */
	EXPECT_EQ(td_read(0x9410000300000dfe), NOT_READABLE);        /* CPUID(6) */
	EXPECT_EQ(td_write(0x9410000300000dfe, 0, ALL), NOT_READABLE);
}

/* ---- what only a debugger may write --------------------------------------- */

#define VMCS(size, code) (UINT64_C(0x0024000000000000) | UINT64_C(size) << 32 | (code))
#define VECTOR           VMCS(1, 0x0002)
#define PML_ADDRESS      VMCS(3, 0x200e)
#define PID_ADDRESS      VMCS(3, 0x2016)
#define PIN_CONTROLS     VMCS(2, 0x4000)
#define CONTROLS_2       VMCS(2, 0x401e)
#define CR0              VMCS(3, 0x6800)
#define CR4              VMCS(3, 0x6804)
#define XBUFF            UINT64_C(0x1220000300000000)
#define XFAM             UINT64_C(0x202000030000000c)
#define ENABLE_PML       (UINT64_C(1) << 17)

static uint64_t vp_value(uint64_t id)
{
	EXPECT_EQ(vp_read(id), 0);
	return out.r8;
}

TEST(model_posted_interrupts_need_vector_and_descriptor)
{
	start(0);
	EXPECT_EQ(vp_write(PIN_CONTROLS, 0x80, 0x80), NOT_INITIALIZED | 0x0002);
	EXPECT_EQ(vp_write(VECTOR, 0x100, ALL), BAD_VALUE);
	EXPECT_EQ(vp_write(VECTOR, 0xf2, ALL), 0);
	EXPECT_EQ(vp_write(PIN_CONTROLS, 0x80, 0x80), NOT_INITIALIZED | 0x2016);
	EXPECT_EQ(vp_write(PID_ADDRESS, shared.raw | 1, ALL), BAD_VALUE);
	EXPECT_EQ(vp_write(PID_ADDRESS, shared.raw, ALL), 0);
	EXPECT_EQ(out.r8, ALL);
	EXPECT_EQ(vp_write(PIN_CONTROLS, 0x80, 0x80), 0);
}

TEST(model_a_debugger_writes_control_registers_as_the_guest_would)
{
	start(TDX_ATTR_DEBUG);
	EXPECT_EQ(vp_value(CR0), 0x21);
	EXPECT_EQ(vp_write(CR0, 0x31, ALL), 0);
	EXPECT_EQ(vp_value(CR0), 0x31);
	EXPECT_EQ(vp_write(CR0, 0x11, ALL), BAD_VALUE); /* NE is the module's */
	EXPECT_EQ(vp_write(CR4, 0x20c0, ALL), BAD_VALUE);
	EXPECT_EQ(vp_write(CR4, 0x00c0, ALL), 0); /* VMXE reads as 0 to the guest */
	EXPECT_EQ(vp_value(CR4), 0x20c0);
}

TEST(model_page_modification_logging_needs_a_page_and_a_debugger)
{
	start(TDX_ATTR_DEBUG);
	EXPECT_EQ(vp_value(PML_ADDRESS), ALL);
	EXPECT_EQ(vp_write(CONTROLS_2, ENABLE_PML, ENABLE_PML), BAD_VALUE);
	EXPECT_EQ(vp_write(PML_ADDRESS, shared.raw, ALL), 0);
	EXPECT_EQ(vp_value(PML_ADDRESS), shared.raw);
	EXPECT_EQ(vp_write(CONTROLS_2, ENABLE_PML, ENABLE_PML), 0);
	EXPECT_EQ(vp_write(CONTROLS_2, UINT64_C(1) << 1, ALL), BAD_VALUE); /* EPT */
}

TEST(model_a_debugger_finds_what_it_wrote)
{
	static const uint64_t ids[] = {
		VMCS(1, 0x0800),    VMCS(1, 0x0812),    VMCS(3, 0x2010),    VMCS(3, 0x2808),
		VMCS(2, 0x4006),    VMCS(2, 0x4020),    VMCS(3, 0x6822),    VMCS(3, 0x682a),
		0x1020000300000005, 0x1120000300000002, 0x13200003000000e1, 0x132000030000018d,
		0x13200003000004c8, 0x1320000300001b01, 0x1220000300000000, 0x12200003000005ff,
	};

	start(TDX_ATTR_DEBUG);
	for (uint64_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		EXPECT_EQ(vp_write(ids[i], 0x101 + i, ALL), 0);
	for (uint64_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		EXPECT_EQ(vp_value(ids[i]), 0x101 + i);
}

/* Follows the ids of TDH.VP.RD from the first to the last; returns their number. */
static unsigned walk_vcpu(void)
{
	unsigned count = 0;

	EXPECT_EQ(vp_read(ALL), FIRST_FIELD);
	for (uint64_t id = out.rdx; id != ALL; id = out.rdx) {
		EXPECT_EQ(vp_read(id), 0);
		EXPECT_TRUE(count++ < 10000);
	}
	return count;
}

TEST(model_a_walk_shows_the_host_some_of_a_vcpu)
{
	start(0);
	EXPECT_EQ(walk_vcpu(), 40);
}

TEST(model_a_walk_shows_a_debugger_the_state_of_a_vcpu)
{
	start(TDX_ATTR_DEBUG);
	EXPECT_TRUE(walk_vcpu() > 1536 + 128); /* XBUFF and virtual APIC */
}

TEST(model_the_header_of_the_extended_state_is_not_the_debuggers)
{
	start(TDX_ATTR_DEBUG);
	for (uint64_t i = 0; i < 1536; i++)
		EXPECT_EQ(vp_write(XBUFF + i, i, ALL), i >= 64 && i < 72 ? NOT_WRITABLE : 0);
}

TEST(model_a_vcpu_has_a_possible_xfam)
{
	start(TDX_ATTR_DEBUG);
	EXPECT_EQ(vp_value(XFAM) & 3, 3);
	EXPECT_EQ(vp_write(XFAM, 1, ALL), BAD_VALUE);
	EXPECT_EQ(vp_write(XFAM, 0x23, ALL), BAD_VALUE); /* a third of AVX-512 */
	EXPECT_EQ(vp_write(XFAM, 3, ALL), 0);
	EXPECT_EQ(vp_value(XFAM), 3);
}

/* ---- the Secure EPT ------------------------------------------------------- */

#define BASE        UINT64_C(0x40000000)
#define LARGE_GPA   (BASE | 1)
#define SMALL_GPA   (BASE + 0x200000)
#define TDG_ACCEPT  6
#define CS_LONG     0x2000
#define INTERRUPTED 6 /* accepted pages before the guest was interrupted */

static uint64_t mem(unsigned leaf, uint64_t rcx, uint64_t r8)
{
	return call(leaf, rcx, td.tdr.pa.raw, r8, 0);
}

/* Fit to be given to the module. */
static hpa_t take(uint64_t size)
{
	hpa_t at = hpa(0);

	EXPECT_EQ(frame_alloc_range(size, size, hpa(0), hpa(UINT64_MAX), FRAME_TD_PRIVATE, &at),
		  STATUS_OK);
	hw_clflush_range(phys_ptr(at), size);
	hw_mfence();
	return at;
}

/* A running TD with tables for [BASE, BASE + 2 MiB) as a whole and the 2 MiB above in 4K. */
static void start_running(uint64_t attributes)
{
	start(attributes);
	EXPECT_EQ(td_vcpu_configure(&vcpu, shared, 0xf2, hpa_add(shared, PAGE_SIZE)),
		  STATUS_OK);
	EXPECT_EQ(td_add_measured_page(&td, gpa(TDBOOT_PARAMS_GPA),
				       phys_ptr(hpa_add(shared, 2 * PAGE_SIZE))),
		  STATUS_OK);
	EXPECT_EQ(td_finalize(&td), STATUS_OK);
	tables = take(4 * PAGE_SIZE);
	large = take(UINT64_C(0x400000));
	EXPECT_EQ(mem(TDH_MEM_SEPT_ADD, BASE | 2, tables.raw), 0);
	EXPECT_EQ(mem(TDH_MEM_SEPT_ADD, SMALL_GPA | 1, hpa_add(tables, PAGE_SIZE).raw), 0);
}

/* ---- another LP in the middle of a call ---- */

static void (*meanwhile)(void); /* on CPU 1, once, while the module works */

static void run_meanwhile(void)
{
	void (*run)(void) = meanwhile;
	unsigned cpu = this_cpu();

	meanwhile = NULL;
	if (!run)
		return;
	(void)fake_set_this_cpu(1);
	run();
	(void)fake_set_this_cpu(cpu);
}

/* DEMOTE looks for interrupts, PAGE.REMOVE tells of its change with their entries locked. */
static bool interrupt_pending(void *ctx, unsigned lp, bool guest_side)
{
	(void)ctx;
	(void)lp;
	(void)guest_side;
	run_meanwhile();
	return false;
}

static void sept_changed(void *ctx, uint64_t tdr, uint64_t at, unsigned level)
{
	(void)ctx;
	(void)tdr;
	(void)at;
	(void)level;
	run_meanwhile();
}

/* Blocks the range, and sees to it that no LP knows it any more. */
static void unmap(uint64_t rcx)
{
	EXPECT_EQ(mem(TDH_MEM_RANGE_BLOCK, rcx, 0), 0);
	EXPECT_EQ(call(TDH_MEM_TRACK, td.tdr.pa.raw, 0, 0, 0), 0);
}

TEST(model_only_a_debugger_asks_for_l2_attributes)
{
	start_running(0);
	EXPECT_EQ(call(TDH_MEM_SEPT_RD, BASE | 7, td.tdr.pa.raw | 1, 5, 0), INVALID(2));
	EXPECT_EQ(out.r8, 5);
}

TEST(model_without_l2_vms_there_are_no_l2_attributes)
{
	start_running(TDX_ATTR_DEBUG);
	EXPECT_EQ(call(TDH_MEM_SEPT_RD, LARGE_GPA, td.tdr.pa.raw | 1, 5, 0), 0);
	EXPECT_EQ(out.rdx, 1);
	EXPECT_EQ(out.r8, 0);
	EXPECT_EQ(call(TDH_MEM_SEPT_RD, LARGE_GPA, td.tdr.pa.raw, 5, 0), 0);
	EXPECT_EQ(out.r8, 5);
}

static void read_large(void)
{
	EXPECT_EQ(mem(TDH_MEM_SEPT_RD, LARGE_GPA, 0), BUSY(1));
	EXPECT_EQ(out.rdx, 0x301);
	EXPECT_EQ(mem(TDH_MEM_RD, BASE, 0), NOT_PRESENT);
	EXPECT_EQ(out.rdx, 0x301);
}

TEST(model_an_entry_that_another_lp_changes_cannot_be_read)
{
	hosted_machine.interrupt_pending = interrupt_pending;
	start_running(TDX_ATTR_DEBUG);
	EXPECT_EQ(mem(TDH_MEM_PAGE_AUG, LARGE_GPA, large.raw), 0);
	unmap(LARGE_GPA);
	meanwhile = read_large;
	EXPECT_EQ(mem(TDH_MEM_PAGE_DEMOTE, LARGE_GPA, hpa_add(tables, 2 * PAGE_SIZE).raw), 0);
	EXPECT_TRUE(!meanwhile);
}

static void map_small(void)
{
	EXPECT_EQ(mem(TDH_MEM_PAGE_AUG, SMALL_GPA, hpa_add(large, PAGE_SIZE).raw), BUSY(1));
}

TEST(model_a_table_is_empty_whoever_waited_for_its_entries)
{
	hosted_machine.sept_changed = sept_changed;
	start_running(0);
	EXPECT_EQ(mem(TDH_MEM_PAGE_AUG, SMALL_GPA, large.raw), 0);
	unmap(SMALL_GPA);
	meanwhile = map_small;
	EXPECT_EQ(mem(TDH_MEM_PAGE_REMOVE, SMALL_GPA, 0), 0);
	EXPECT_TRUE(!meanwhile);
	unmap(SMALL_GPA | 1);
	EXPECT_EQ(mem(TDH_MEM_SEPT_REMOVE, SMALL_GPA | 1, 0), 0);
}

TEST(model_pages_for_l2_vms_that_do_not_exist_are_refused)
{
	start_running(0);
	for (unsigned vm = 1; vm <= 3; vm++) {
		uint64_t pages[4] = {ALL, ALL, ALL, ALL};

		pages[vm] = hpa_add(tables, 2 * PAGE_SIZE).raw;
		out = (struct seamcall_regs){.rcx = SMALL_GPA | 1,
					     .rdx = td.tdr.pa.raw,
					     .r8 = pages[0],
					     .r9 = pages[1],
					     .r10 = pages[2],
					     .r11 = pages[3]};
		EXPECT_EQ(seamcall_raw(TDH_MEM_SEPT_ADD | V1, &out), INVALID(8 + vm));
	}
}

/* Accepts the 2M page at BASE until it is interrupted, then takes the interrupt. */
static void accept_a_part(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	static bool has_tried;
	struct tdx_guest_state *s = view->state;

	(void)cpu;
	if (has_tried)
		return;
	has_tried = true;
	s->segment[TDX_CS].access_rights |= CS_LONG;
	s->gpr[TDX_RAX] = TDG_ACCEPT;
	s->gpr[TDX_RCX] = LARGE_GPA;
	exit->reason = 77;
}

static bool interrupt_in_time(void *ctx, unsigned lp, bool guest_side)
{
	static unsigned looks;

	(void)ctx;
	(void)lp;
	return guest_side && ++looks >= INTERRUPTED;
}

TEST(model_blocking_forgets_how_much_of_a_page_was_accepted)
{
	struct seamcall_regs regs = {0};

	hosted_machine.interrupt_pending = interrupt_in_time;
	start_running(0);
	EXPECT_EQ(mem(TDH_MEM_PAGE_AUG, LARGE_GPA, large.raw), 0);
	hosted_set_guest(accept_a_part);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpu, &regs)), TDX_SUCCESS);
	EXPECT_EQ(mem(TDH_MEM_SEPT_RD, LARGE_GPA, 0), 0);
	EXPECT_EQ(out.rcx & 0x1ff000, INTERRUPTED * PAGE_SIZE);
	EXPECT_EQ(mem(TDH_MEM_PAGE_REMOVE, LARGE_GPA, 0), NOT_BLOCKED);
	EXPECT_EQ(out.rcx & 0x1ff000, 0);
	EXPECT_EQ(mem(TDH_MEM_PAGE_DEMOTE, LARGE_GPA, 0), NOT_BLOCKED);
	EXPECT_EQ(out.rcx & 0x1ff000, 0);
	EXPECT_EQ(mem(TDH_MEM_RANGE_BLOCK, LARGE_GPA, 0), 0);
	EXPECT_EQ(mem(TDH_MEM_SEPT_RD, LARGE_GPA, 0), 0);
	EXPECT_EQ(out.rcx & 0x1ff000, 0);
}

/* ---- a vCPU that has died ------------------------------------------------- */

#define TRIPLE_FAULT         2
#define VCPU_STATE_INCORRECT UINT64_C(0xc000070000000000)

static void fault_three_times(unsigned cpu, struct tdx_vcpu_view *view, struct tdx_exit *exit)
{
	(void)cpu;
	(void)view;
	exit->reason = TRIPLE_FAULT;
}

TEST(model_a_dead_vcpu_is_read_but_no_more_written)
{
	struct seamcall_regs regs = {0};

	start_running(TDX_ATTR_DEBUG);
	EXPECT_EQ(vp_write(CR0, 0x31, ALL), 0);
	hosted_set_guest(fault_three_times);
	EXPECT_EQ(tdx_code(td_vcpu_enter(&vcpu, &regs)), TDX_NON_RECOVERABLE_VCPU);
	EXPECT_EQ(vp_value(CR0), 0x31);
	EXPECT_EQ(vp_write(CR0, 0x21, ALL), VCPU_STATE_INCORRECT);
	EXPECT_EQ(vp_value(CR0), 0x31);
}
