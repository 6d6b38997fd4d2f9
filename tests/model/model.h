/* SPDX-License-Identifier: MIT */
/*
 * What the files of the module share: its global state, the layout of the pages
 * it keeps its objects in, and the checks that every leaf makes.
 *
 * A leaf is a function `uint64_t tdh_xxx(struct call *)` that returns RAX and
 * changes other registers only through `call->regs`. It states its checks in the
 * order in which the module makes them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "sha384/sha384.h"
#include "tests/model/leaves.h"
#include "tests/model/locks.h"
#include "tests/model/status.h"
#include "tests/model/tdx_model.h"

#define PAGE_4K      UINT64_C(0x1000)
#define PAGE_2M      UINT64_C(0x200000)
#define PAGE_1G      UINT64_C(0x40000000)
#define NULL_ID      (~UINT64_C(0)) /* "first field" as input, "no more" as output */
#define NULL_PA      (~UINT64_C(0))
#define MAX_TDMRS    64
#define MAX_RESERVED 16
#define MAX_KEYIDS   2048
#define MAX_L2_VMS   3

/* ---- global state -------------------------------------------------------- */

enum sys_state {
	SYS_INIT_PENDING,
	SYS_INIT_DONE,
	SYS_CONFIG_DONE,
	SYS_READY,
	SYS_SHUT_DOWN,
};

struct tdmr {
	uint64_t base, size;
	uint64_t pamt_base[3], pamt_size[3];     /* by level: 4K, 2M, 1G */
	struct tdx_range reserved[MAX_RESERVED]; /* absolute; size 0 ends the list */
	_Atomic uint64_t next_to_init;           /* all below has its 4K entries written */
	struct lock lock;
};

enum keyid_state {
	KEYID_FREE,
	KEYID_ASSIGNED,
	KEYID_FLUSHED,
	KEYID_RESERVED,
};

struct keyid {
	enum keyid_state state;
	_Atomic uint32_t packages_to_flush; /* bit per package whose cache is still dirty */
};

/* TDH.PHYMEM.CACHE.WB of one package. */
struct wb_cycle {
	struct lock lock;
	bool interrupted;
	unsigned next_block;
	uint64_t keyids[MAX_KEYIDS / 64];
};

struct lp_state {
	bool init_done;
	uint8_t package;        /* as its x2APIC id says */
	uint32_t lfsr;          /* random numbers of the single-step defence; never 0 */
	_Atomic unsigned depth; /* SEAMCALLs of this LP under way */
};

/* A sampled MSR that every LP must show alike. */
struct msr_sample {
	uint32_t index;
	uint64_t value;
};

#define MAX_MSR_SAMPLES 40
#define CPUID_ENTRIES   64

struct cpuid_values {
	uint32_t reg[4]; /* EAX EBX ECX EDX */
};

struct tdx_model {
	struct tdx_platform platform;
	struct tdx_machine machine;
	struct lock global_lock;
	_Atomic enum sys_state state;
	_Atomic unsigned lps_initialised;
	_Atomic uint32_t packages_configured; /* by TDH.SYS.KEY.CONFIG */
	unsigned global_keyid;
	struct lp_state lp[TDX_MODEL_MAX_LPS];

	unsigned msr_sample_count;
	struct msr_sample msr_sample[MAX_MSR_SAMPLES];
	struct cpuid_values native_cpuid[CPUID_ENTRIES];
	uint32_t platform_fms;
	uint64_t tsc_hz;
	uint64_t attributes_fixed0, xfam_fixed0;
	uint64_t report_key[4];

	unsigned tdmr_count;
	struct tdmr tdmr[MAX_TDMRS];
	struct tdmr plan[MAX_TDMRS]; /* of a TDH.SYS.CONFIG that is still checking */
	struct lock kot_lock;
	struct keyid keyid[MAX_KEYIDS];
	struct wb_cycle wb[TDX_MODEL_MAX_PACKAGES];
	_Atomic uint64_t calls[128];
	uint8_t nowhere[PAGE_4K]; /* see host_page_at() */
};

/* ---- one SEAMCALL -------------------------------------------------------- */

struct call {
	struct tdx_model *model;
	unsigned lp;
	unsigned leaf, version;
	uint64_t *gpr; /* RAX holds the input value until the call returns */
};

/* ---- physical pages and the PAMT ----------------------------------------- */

enum page_type {
	PT_NDA = 0,
	PT_RSVD = 1,
	PT_REG = 3,
	PT_TDR = 4,
	PT_TDCX = 5,
	PT_TDVPR = 6,
	PT_EPT = 8,
};

enum page_level {
	LEVEL_4K,
	LEVEL_2M,
	LEVEL_1G,
	LEVEL_512G,
	LEVEL_256T,
};

/*
 * 16 bytes, as TDH.SYS.RD announces. The high 16 bits of `bepoch` are no epoch: in a 2M
 * entry that is not itself a page they count the 4K entries below it that are not PT_NDA,
 * so that adding a 2M page need not look at 512 entries; in a 1G entry, 2M entries.
 */
struct pamt_entry {
	struct lock lock;
	uint8_t type;
	uint8_t owner_low;   /* TDR HPA bits 19:12 */
	uint32_t owner_high; /* 51:20 */
	_Atomic uint64_t bepoch;
};

#define PAMT_ONE_USED (UINT64_C(1) << 48)

struct page_lock {
	struct pamt_entry *above[2]; /* 2M, 1G: held shared; NULL = not held */
	struct pamt_entry *entry;
	enum lock_mode mode;
	enum page_level level;
};

static inline uint64_t level_size(unsigned level) { return PAGE_4K << (9 * level); }

uint64_t pamt_owner(const struct pamt_entry *entry);
void pamt_set(const struct page_lock *page, enum page_type type, uint64_t owner);
void pamt_clear(const struct page_lock *page);
bool page_in_tdmr(struct tdx_model *model, uint64_t hpa);
void *page_at(struct tdx_model *model, uint64_t hpa);
/*
 * The same for memory that the host names as its own, with any KeyID. If the page is the
 * module's, that is under another key: what is written through this KeyID never becomes its
 * content, and what is read there means nothing.
 */
void *host_page_at(struct tdx_model *model, uint64_t hpa);
void page_owner_changed(struct tdx_model *model, uint64_t hpa, uint64_t size, bool module);

/* Locks the leaf PAMT entry that covers `hpa`; 0 or BUSY without operand. */
bool pamt_lock_leaf(struct tdx_model *model, uint64_t hpa, enum lock_mode mode,
		    struct page_lock *page);
void pamt_unlock(struct page_lock *page);

/* A leaf's page operand: alignment, KeyID, TDMR, lock, type; a status with operand. */
uint64_t page_lock_4k(struct call *call, uint64_t hpa, unsigned operand, enum lock_mode mode,
		      enum page_type type, struct page_lock *page);
/* The same for a free page of any size. */
uint64_t page_lock_free(struct call *call, uint64_t hpa, unsigned operand,
			enum page_level level, struct page_lock *page);
/* The PAMT entry of a page that the module itself names: no checks, no lock. */
struct pamt_entry *pamt_entry_of(struct tdx_model *model, uint64_t hpa, enum page_level level);
bool pamt_split(struct tdx_model *model, uint64_t hpa, enum page_level level);
bool pamt_merge(struct tdx_model *model, uint64_t hpa, enum page_level level);

/* A host-owned operand: aligned, below MAXPA, KeyID shared; a status with operand. */
uint64_t check_shared_hpa(struct call *call, uint64_t hpa, uint64_t align, unsigned operand);
bool keyid_is_private(const struct tdx_model *model, uint64_t keyid);
unsigned keyid_shift(const struct tdx_model *model);
uint64_t with_keyid(const struct tdx_model *model, uint64_t hpa, unsigned keyid);

static inline bool ranges_overlap(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* ---- a TD ---------------------------------------------------------------- */

enum lifecycle {
	TD_HKID_ASSIGNED,
	TD_KEYS_CONFIGURED,
	TD_BLOCKED,
	TD_TEARDOWN,
};

enum op_state {
	OP_UNINITIALIZED,
	OP_INITIALIZED,
	OP_RUNNABLE,
};

#define TDCX_MIN 6
#define TDCX_MAX 9

/* Contents of a TDR page. */
struct tdr {
	_Atomic bool fatal;
	enum lifecycle lifecycle;
	uint32_t tdcx_count;
	_Atomic uint64_t child_count; /* in 4K pages, the TDR itself not counted */
	uint64_t tdcx_pa[TDCX_MAX];
	uint64_t uuid[4];
	unsigned keyid;
	uint32_t packages_configured;
};

/* Which page of the TDCS is used for what; observed through VMCS fields. */
enum tdcs_page {
	TDCS_MAIN,
	TDCS_CPUID,
	TDCS_MSR_BITMAPS,
	TDCS_SEPT_ROOT,
	TDCS_ZERO,
	TDCS_MIGSC,
};

#define RTMR_COUNT     4
#define XBUFF_FEATURES 19

/* Contents of the first TDCX page. */
struct tdcs {
	_Atomic enum op_state op_state;
	_Atomic uint32_t vcpu_count;
	_Atomic uint32_t associated_count;
	uint16_t l2_vm_count;
	struct lock op_state_lock;
	struct lock sept_lock;
	struct lock epoch_lock;
	struct lock rtmr_lock;

	_Atomic uint64_t epoch;
	_Atomic uint32_t refcount[2]; /* vCPUs inside, by parity of their epoch */

	uint64_t attributes, xfam, config_flags, eptp;
	uint32_t max_vcpus;
	uint8_t gpaw; /* 0: 48 bits, 1: 52 */
	uint16_t tsc_frequency;
	uint64_t tsc_offset, tsc_multiplier;
	uint64_t hp_lock_timeout;
	uint64_t notify_enables, td_ctls;
	uint64_t vm_ctls[4];
	uint64_t arch_capabilities;
	bool monitor, dca, tsc_deadline, tsx, waitpkg, tme, mktme, xfd, perfmon_ext;
	uint32_t xbuff_size, xbuff_offset[XBUFF_FEATURES];

	struct sha384 mrtd_context;
	uint8_t mrtd[SHA384_DIGEST_SIZE];
	uint8_t mrconfigid[48], mrowner[48], mrownerconfig[48];
	uint8_t rtmr[RTMR_COUNT][SHA384_DIGEST_SIZE];
};

#define ATTR_DEBUG                 (UINT64_C(1) << 0)
#define ATTR_SEPT_VE_DISABLE       (UINT64_C(1) << 28)
#define ATTR_MIGRATABLE            (UINT64_C(1) << 29)
#define ATTR_PKS                   (UINT64_C(1) << 30)
#define ATTR_PERFMON               (UINT64_C(1) << 63)
#define CONFIG_GPAW                (UINT64_C(1) << 0)
#define CONFIG_FLEXIBLE_VE         (UINT64_C(1) << 1)
#define CONFIG_NO_RBP_MOD          (UINT64_C(1) << 2)
#define TD_CTLS_PENDING_VE_DISABLE 1u

/* A TD that a leaf works on: its pages, and what the leaf holds. */
struct td {
	struct tdx_model *model;
	uint64_t tdr_pa;
	struct tdr *tdr;
	struct tdcs *cs;
	struct page_lock tdr_lock;
	enum lock_mode op_state_lock;
};

/* Checks and locks the TDR operand. */
uint64_t td_lock(struct call *call, uint64_t tdr_pa, unsigned operand, enum lock_mode mode,
		 struct td *td);
/* Finds and locks, shared, the TDR that owns another page. Busy has operand TDR. */
uint64_t td_lock_owner(struct call *call, const struct page_lock *page, struct td *td);
/* TD usable for `leaf`: not fatal, keys, TDCS, OP_STATE, whose lock is taken in `mode`. */
uint64_t td_check(struct td *td, unsigned leaf, enum lock_mode mode);
/* The part of td_check() that does not look at OP_STATE. */
uint64_t td_check_built(struct td *td);
void td_unlock(struct td *td);
void *tdcs_page(struct td *td, enum tdcs_page page);
void td_add_children(struct td *td, int64_t pages);
struct tdcs *tdcs_of(struct tdx_model *model, const struct tdr *tdr);

static inline bool td_is_debug(const struct td *td) { return td->cs->attributes & ATTR_DEBUG; }
static inline unsigned td_gpa_bits(const struct td *td) { return td->cs->gpaw ? 52 : 48; }

/* Features that an XFAM may combine, on this CPU. */
bool xfam_is_valid(const struct tdx_model *model, uint64_t xfam);

/* ---- a vCPU -------------------------------------------------------------- */

enum vcpu_state {
	VCPU_UNINITIALIZED = 0,
	VCPU_READY = 2,
	VCPU_ACTIVE = 4,
	VCPU_DISABLED = 8,
};

enum td_exit_kind {
	EXIT_ASYNC_FAULT,
	EXIT_ASYNC_TRAP,
	EXIT_TDVMCALL,
};

#define TDVPS_PAGES_MIN 6
#define TDVPS_PAGES_MAX 15
#define EPF_LIST_SIZE   32
#define NO_LP           UINT32_MAX

enum tdvps_page {
	TDVPS_MAIN,
	TDVPS_VAPIC,
	TDVPS_GUEST_STATE,
	TDVPS_XBUFF, /* the first of three */
};

/* Words of a vCPU that the module keeps for a debugger, and nobody uses. */
#define KEPT_WORDS 80

struct ve_info {
	bool valid;
	uint32_t exit_reason;
	uint64_t qualification, gla, gpa;
	uint32_t instruction_length, instruction_info;
};

/* Contents of a TDVPR page. */
struct vcpu {
	_Atomic enum vcpu_state state;
	enum td_exit_kind last_exit;
	uint32_t index;
	uint32_t page_count;
	uint64_t page_pa[TDVPS_PAGES_MAX];
	_Atomic uint32_t lp; /* associated with, or NO_LP */
	bool launched;
	uint64_t epoch;
	uint64_t last_exit_tsc;
	struct ve_info ve;
	bool pend_nmi;
	bool xstate_broken; /* the extended state cannot be loaded */
	bool cpuid_supervisor_ve, cpuid_user_ve;
	uint8_t cpuid_control[128];

	/* VMCS fields that the host writes. */
	uint16_t notification_vector;
	uint64_t pid_hpa, shared_ept;
	bool posted;
	uint32_t secondary_controls, instruction_timeout;
	uint32_t exception_bitmap; /* of a debuggable TD */

	/* Zero-step defence. */
	uint8_t epf_count, epf_gpa_count;
	uint64_t epf_gpa[EPF_LIST_SIZE];

	/* The guest found a host before it at a lock, first at this TSC. */
	bool yields_to_host;
	uint64_t yields_since;

	struct tdx_exit last_vmexit;
	uint64_t kept[KEPT_WORDS]; /* each ^ its first value */
};

struct vp {
	struct td td;
	uint64_t tdvpr_pa;
	struct vcpu *vcpu;
	struct tdx_guest_state *state; /* NULL until enough pages were added */
	uint8_t *vapic;
	struct page_lock tdvpr_lock;
};

/* Locks TDVPR and, shared, its TDR. */
uint64_t vp_lock(struct call *call, uint64_t tdvpr_pa, unsigned operand, enum lock_mode mode,
		 struct vp *vp);
void vp_unlock(struct vp *vp);
bool vp_map(struct vp *vp); /* false: TDVPS pages are missing */
/* Makes this LP the one that the vCPU belongs to; VCPU_ASSOCIATED if it is another's. */
uint64_t vp_associate(struct call *call, struct vp *vp, bool *is_new);

/* ---- Secure EPT ---------------------------------------------------------- */

enum sept_state {
	SEPT_FREE = 0,
	SEPT_BLOCKED = 1,
	SEPT_PENDING = 2,
	SEPT_PENDING_BLOCKED = 3,
	SEPT_MAPPED = 4,
	SEPT_NL_BLOCKED = 0x81,
	SEPT_NL_MAPPED = 0x84,
};

struct sept_walk {
	_Atomic uint64_t *slot;
	uint64_t entry; /* as last read, lock bits removed */
	unsigned level;
};

enum sept_state sept_state(uint64_t entry);
uint64_t sept_entry(enum sept_state state, uint64_t hpa);
uint64_t sept_hpa(uint64_t entry, unsigned level);
bool sept_state_is_leaf(enum sept_state state);
/* RCX and RDX of a failed MEM leaf. */
void sept_report(struct call *call, const struct sept_walk *walk);
/* Walks down to `level` or as far as it goes; true if it got there. */
bool sept_walk_to(struct td *td, uint64_t gpa, unsigned level, struct sept_walk *walk);
bool sept_lock_host(struct sept_walk *walk);
/* TDX_OPERAND_BUSY, or TDX_OPERAND_BUSY_HOST_PRIORITY while a host should come first. */
uint64_t sept_lock_guest(struct sept_walk *walk);
void sept_unlock(struct sept_walk *walk);
/* Replaces the entry; it stays locked if it is. */
void sept_set(struct sept_walk *walk, uint64_t entry);
bool gpa_is_private(const struct td *td, uint64_t gpa);
/* RCX "GPA and level" operand; false if malformed or outside the levels. */
bool gpa_operand(uint64_t raw, unsigned min_level, unsigned max_level, uint64_t *gpa,
		 unsigned *level);
bool is_tlb_tracked(const struct td *td, uint64_t bepoch);
bool needs_tlb_tracking(const struct td *td);

/* ---- metadata ------------------------------------------------------------ */

enum md_context {
	MD_SYSTEM,
	MD_TD,
	MD_VP,
};

enum md_access {
	MD_HOST,
	MD_HOST_DEBUG,
	MD_GUEST,
};

/* Who asks, and about what. `td` and `vp` may be NULL where the context has none. */
struct md_query {
	struct call *call;
	enum md_context context;
	enum md_access access;
	struct td *td;
	struct vp *vp;
};

uint64_t md_read(const struct md_query *query, uint64_t id, bool first_allowed, uint64_t *value,
		 uint64_t *next_id);
uint64_t md_write(const struct md_query *query, uint64_t id, uint64_t value, uint64_t mask,
		  uint64_t *old);
uint64_t md_dump_system(struct call *call, enum md_access access, uint64_t id, uint8_t *page,
			uint64_t *next_id);

/* ---- CPUID and MSR tables ------------------------------------------------ */

struct cpuid_entry {
	uint32_t leaf, subleaf; /* subleaf UINT32_MAX: the leaf has none */
	bool faulting;
	uint32_t fixed1[4], fixed0[4];
};

struct cpuid_config {
	uint32_t leaf, subleaf;
	uint32_t direct[4], allow[4];
};

#define CPUID_CONFIGS 12

const struct cpuid_entry *cpuid_entry(unsigned index);
const struct cpuid_config *cpuid_config(unsigned index);
int cpuid_index(uint32_t leaf, uint32_t subleaf);
uint64_t cpuid_sample(struct call *call);
uint64_t cpuid_check_lp(struct call *call);
uint64_t cpuid_configure_td(struct call *call, struct td *td, const uint8_t *params);
uint32_t cpuid_config_reported(const struct tdx_model *model, unsigned index, unsigned reg);

enum msr_rule {
	MSR_NATIVE,
	MSR_VE,
	MSR_GP,
	MSR_MODULE,
};

enum msr_rule msr_rule(const struct tdx_model *model, const struct tdcs *cs, uint32_t msr,
		       bool is_write);

/* ---- guest side ---------------------------------------------------------- */

enum guest_result {
	GUEST_RESUME,
	GUEST_EXIT,
};

struct guest {
	struct call *call;
	struct vp *vp;
	struct tdx_exit exit;
	uint64_t status;  /* RAX of VP.ENTER when GUEST_EXIT */
	bool interrupted; /* a TDCALL that is to be executed again */
	bool bus_lock;    /* an exit cut a bus lock short, and the host has not heard of it */

	/* Since TDH.VP.ENTER: bytes that RIP moved, TSC ticks inside the guest. */
	uint64_t rip_moved, ticks;
	/* The guest runs one instruction at a time, so many more. */
	bool is_stepping;
	unsigned steps_left;
	bool took_nmi, took_init;
};

enum guest_result guest_tdcall(struct guest *guest);
enum guest_result guest_handle_exit(struct guest *guest);
enum guest_result guest_cpuid(struct guest *guest);
enum guest_result guest_rdmsr(struct guest *guest);
enum guest_result guest_wrmsr(struct guest *guest);
enum guest_result guest_ept_violation(struct guest *guest);
/* Asynchronous TD exit: fills the host's registers. */
enum guest_result guest_async_exit(struct guest *guest, uint64_t status, uint64_t qualification,
				   uint64_t extended, uint64_t gpa, uint32_t interruption);
enum guest_result guest_inject(struct guest *guest, uint32_t event, uint32_t error);
enum guest_result guest_inject_ve(struct guest *guest, uint64_t qualification, uint64_t gpa,
				  uint64_t gla);
enum guest_result guest_inject_gp(struct guest *guest);
enum guest_result guest_inject_ud(struct guest *guest);
void guest_skip_instruction(struct guest *guest);

/* ---- leaves -------------------------------------------------------------- */

uint64_t tdh_sys_init(struct call *call);
uint64_t tdh_sys_lp_init(struct call *call);
uint64_t tdh_sys_info(struct call *call);
uint64_t tdh_sys_rd(struct call *call);
uint64_t tdh_sys_rdall(struct call *call);
uint64_t tdh_sys_shutdown(struct call *call);
uint64_t tdh_sys_update(struct call *call);
uint64_t tdh_sys_config(struct call *call);
uint64_t tdh_sys_key_config(struct call *call);
uint64_t tdh_sys_tdmr_init(struct call *call);
uint64_t tdh_mng_create(struct call *call);
uint64_t tdh_mng_key_config(struct call *call);
uint64_t tdh_mng_addcx(struct call *call);
uint64_t tdh_mng_init(struct call *call);
uint64_t tdh_mng_rd(struct call *call);
uint64_t tdh_mng_wr(struct call *call);
uint64_t tdh_mng_vpflushdone(struct call *call);
uint64_t tdh_mng_key_freeid(struct call *call);
uint64_t tdh_mr_extend(struct call *call);
uint64_t tdh_mr_finalize(struct call *call);
uint64_t tdh_vp_create(struct call *call);
uint64_t tdh_vp_addcx(struct call *call);
uint64_t tdh_vp_init(struct call *call);
uint64_t tdh_vp_flush(struct call *call);
uint64_t tdh_vp_rd(struct call *call);
uint64_t tdh_vp_wr(struct call *call);
uint64_t tdh_vp_enter(struct call *call);
uint64_t tdh_mem_sept_add(struct call *call);
uint64_t tdh_mem_sept_rd(struct call *call);
uint64_t tdh_mem_sept_remove(struct call *call);
uint64_t tdh_mem_page_add(struct call *call);
uint64_t tdh_mem_page_aug(struct call *call);
uint64_t tdh_mem_page_demote(struct call *call);
uint64_t tdh_mem_page_promote(struct call *call);
uint64_t tdh_mem_page_relocate(struct call *call);
uint64_t tdh_mem_page_remove(struct call *call);
uint64_t tdh_mem_range_block(struct call *call);
uint64_t tdh_mem_range_unblock(struct call *call);
uint64_t tdh_mem_track(struct call *call);
uint64_t tdh_mem_rd(struct call *call);
uint64_t tdh_mem_wr(struct call *call);
uint64_t tdh_phymem_cache_wb(struct call *call);
uint64_t tdh_phymem_page_rdmd(struct call *call);
uint64_t tdh_phymem_page_reclaim(struct call *call);
uint64_t tdh_phymem_page_wbinvd(struct call *call);

/* ---- machine ------------------------------------------------------------- */

static inline uint64_t rdmsr(struct call *call, uint32_t msr)
{
	uint64_t value = 0;

	call->model->machine.rdmsr(call->model->machine.ctx, call->lp, msr, &value);
	return value;
}

/* From RDSEED; false if it lacks entropy. */
bool random_256_bits(struct call *call, uint64_t value[4]);

/* The architectural constants of module 1.5.01. */
#define ATTRIBUTES_FIXED0    UINT64_C(0x8000000070000001)
#define XFAM_FIXED0          UINT64_C(0x6dbe7)
#define XFAM_FIXED1          UINT64_C(0x3)
#define CONFIG_FLAGS_FIXED0  UINT64_C(0x7)
#define TDX_FEATURES0        UINT64_C(0xf0fbf)
#define ARCH_CAP_CONFIG_MASK UINT64_C(0x1180010)
#define ARCH_CAP_NATIVE      UINT64_C(0xf16f)
#define ARCH_CAP_TSX_CTRL    (UINT64_C(1) << 7)
#define ARCH_CAP_RRSBA       (UINT64_C(1) << 19)

#define IA32_TSC_ADJUST         0x3b
#define IA32_MISC_ENABLE        0x1a0
#define IA32_VMX_EPT_VPID_CAP   0x48c
#define IA32_ARCH_CAPABILITIES  0x10a
#define IA32_PERF_CAPABILITIES  0x345
#define IA32_VMX_CR0_FIXED0     0x486
#define IA32_VMX_CR0_FIXED1     0x487
#define IA32_VMX_CR4_FIXED0     0x488
#define IA32_VMX_CR4_FIXED1     0x489
#define IA32_VMX_EPT_VPID_CAP   0x48c
#define MISC_ENABLE_LIMIT_CPUID (UINT64_C(1) << 22)
#define EPT_CAP_WALK_5          (UINT64_C(1) << 7)
#define MISC_ENABLE_MONITOR_FSM (UINT64_C(1) << 18)

static inline bool take_lock(struct tdx_model *model, struct lock *lock, enum lock_mode mode)
{
	if (!lock_try(lock, mode))
		return false;
	if (mode != LOCK_NONE && model->machine.lock_changed)
		model->machine.lock_changed(model->machine.ctx);
	return true;
}

/* For a TDCALL: TDX_OPERAND_BUSY, or TDX_OPERAND_BUSY_HOST_PRIORITY while a host comes first.
 */
static inline uint64_t take_lock_guest(struct tdx_model *model, struct lock *lock,
				       enum lock_mode mode)
{
	switch (lock_try_guest(lock, mode)) {
	case LOCK_BUSY:
		return TDX_OPERAND_BUSY;
	case LOCK_HOST_FIRST:
		return TDX_OPERAND_BUSY_HOST_PRIORITY;
	case LOCK_TAKEN:
		break;
	}
	if (model->machine.lock_changed)
		model->machine.lock_changed(model->machine.ctx);
	return TDX_SUCCESS;
}

static inline void drop_lock(struct tdx_model *model, struct lock *lock, enum lock_mode mode)
{
	lock_release(lock, mode);
	if (mode != LOCK_NONE && model->machine.lock_changed)
		model->machine.lock_changed(model->machine.ctx);
}

uint64_t msr_sampled(const struct tdx_model *model, uint32_t msr);
