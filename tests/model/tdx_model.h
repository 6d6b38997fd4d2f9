/* SPDX-License-Identifier: MIT */
/*
 * A software TDX module (behaves as module 1.5.01). Its one public header.
 *
 * The model knows no operating system, no SVM and no hypervisor. Whoever links
 * it is "the CPU and the machine": it offers memory, entropy, MSRs, CPUID and a
 * way to run a guest through struct tdx_machine, and calls tdx_model_seamcall()
 * whenever a logical processor executes SEAMCALL.
 *
 * All state that the module owns lives where the real one keeps it: per-page
 * metadata in the PAMT memory that TDH.SYS.CONFIG received, TD and vCPU state in
 * TDR/TDCX/TDVPR pages, Secure EPT in its pages. The model allocates nothing.
 * It may be entered by any number of logical processors at once; its locks are
 * try-locks that answer TDX_OPERAND_BUSY.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TDX_MODEL_MAX_LPS      64
#define TDX_MODEL_MAX_PACKAGES 8
#define TDX_MODEL_MAX_CMRS     32

/* x86 encoding order; also the bit order of a TDVMCALL register mask. */
enum tdx_gpr {
	TDX_RAX,
	TDX_RCX,
	TDX_RDX,
	TDX_RBX,
	TDX_RSP,
	TDX_RBP,
	TDX_RSI,
	TDX_RDI,
	TDX_R8,
	TDX_R9,
	TDX_R10,
	TDX_R11,
	TDX_R12,
	TDX_R13,
	TDX_R14,
	TDX_R15,
	TDX_GPR_COUNT,
};

struct tdx_regs {
	uint64_t gpr[TDX_GPR_COUNT];
};

struct tdx_range {
	uint64_t base, size;
};

/* What a platform is, fixed at tdx_model_init(). */
struct tdx_platform {
	unsigned lp_count;
	unsigned package_count;
	uint8_t lp_package[TDX_MODEL_MAX_LPS]; /* for the machine: the model asks CPUID */
	unsigned max_pa_bits; /* including KeyID bits, 52 on every platform known */
	unsigned keyid_bits;  /* KeyID = PA >> (max_pa_bits - keyid_bits) */
	unsigned first_private_keyid;
	unsigned private_keyid_count;
	unsigned wbinvd_blocks; /* per package; CACHE.WB can be interrupted between two */
	unsigned cmr_count;
	struct tdx_range cmr[TDX_MODEL_MAX_CMRS];
	struct tdx_range seamrr;
	uint32_t build_date; /* as TDH.SYS.RD reports it */
};

enum tdx_segment_name {
	TDX_ES,
	TDX_CS,
	TDX_SS,
	TDX_DS,
	TDX_FS,
	TDX_GS,
	TDX_LDTR,
	TDX_TR,
	TDX_SEGMENT_COUNT
};

/* VMX format: access rights as in the VMCS (bit 16 = unusable). */
struct tdx_segment {
	uint16_t selector;
	uint32_t access_rights;
	uint32_t limit;
	uint64_t base;
};

/*
 * A vCPU as the CPU sees it: what VMCS guest-state area and MSR save areas hold.
 * It lives in the vCPU's TDVPS pages; the machine loads it before and stores it
 * after each run. RAX..R15 are in gpr, RSP included.
 */
struct tdx_guest_state {
	uint64_t gpr[TDX_GPR_COUNT];
	uint64_t rip, rflags;
	uint64_t cr0, cr2, cr3, cr4;   /* real values, module-owned bits included */
	uint64_t cr0_mask, cr0_shadow; /* guest/host mask: 1 = owned by the module */
	uint64_t cr4_mask, cr4_shadow;
	uint64_t efer, pat, xcr0, xss, debugctl;
	uint64_t dr[8]; /* 0-3, 6, 7 used */
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t star, lstar, fmask, kernel_gs_base, tsc_aux, spec_ctrl;
	struct tdx_segment segment[TDX_SEGMENT_COUNT];
	struct tdx_segment gdtr, idtr; /* base and limit used */
	uint32_t interruptibility;     /* VMX: bit 0 STI, 1 MOV SS, 3 NMI blocking */
	uint32_t activity;
	uint16_t guest_interrupt_status; /* RVI 7:0, SVI 15:8 */
	uint32_t event;                  /* VM-entry interruption information, 0 = none; */
	uint32_t event_error;            /* consumed (cleared) by the machine at entry */
};

/* What the machine is given to run a vCPU; valid during run_guest() only. */
struct tdx_vcpu_view {
	struct tdx_guest_state *state;
	uint8_t *vapic;              /* 4096-byte virtual-APIC page */
	uint64_t tdvpr_hpa, tdr_hpa; /* stable keys for the machine's own tables */
	uint32_t vcpu_index;
	unsigned gpaw;            /* 48 or 52: the shared bit is gpaw - 1 */
	uint64_t shared_ept_root; /* HPA of the 4-level EPT for shared GPAs, 0 = none yet */
	uint64_t pid_hpa;         /* posted-interrupt descriptor; used if posted is set */
	uint16_t notification_vector;
	bool posted;
	bool pend_nmi; /* machine injects an NMI when it can and clears it */
	uint64_t tsc_offset, tsc_multiplier;
	uint64_t xfam;
	/*
	 * Run one instruction, then exit with reason 37 (monitor trap flag). Meanwhile no
	 * external interrupt ends the run. Never set if the machine has no raise().
	 */
	bool single_step;
};

/* A VM exit as the CPU reports it (SDM vol. 3, basic exit reasons). */
struct tdx_exit {
	uint32_t reason; /* bit 31: the entry failed; 26: the exit cut a bus lock short */
	uint64_t qualification;
	uint64_t gpa, gla;
	uint32_t interruption_info;
	uint32_t instruction_length; /* the model advances RIP when it emulates */
	uint32_t instruction_info;
	uint64_t rip_advance;  /* bytes RIP moved since entry; for the stepping filters */
	uint64_t tsc_in_guest; /* TSC ticks since entry; large when unknown */
};

/* What the single-step defence keeps from the host for a while. */
enum tdx_raised {
	TDX_RAISE_INTERRUPT,
	TDX_RAISE_NMI,
	TDX_RAISE_INIT,
};

struct tdx_machine {
	void *ctx;

	/* Pointer to byte `hpa`, without KeyID bits; valid to the end of its 4K page. */
	void *(*memory)(void *ctx, uint64_t hpa);

	/*
	 * The module took [hpa, hpa+size) from the host, or gave it back. While it
	 * owns a range the host's own accesses are errors. May be NULL.
	 */
	void (*owner_changed)(void *ctx, uint64_t hpa, uint64_t size, bool module_owns);

	/*
	 * The translation of private [gpa, gpa + size(level)) of this TD changed
	 * (blocked, removed, demoted, promoted, unblocked): cached translations
	 * made from it must not be used by later entries. May be NULL.
	 */
	void (*sept_changed)(void *ctx, uint64_t tdr_hpa, uint64_t gpa, unsigned level);

	bool (*rdrand)(void *ctx, unsigned lp, uint64_t *value); /* false: CF=0 */
	bool (*rdseed)(void *ctx, unsigned lp, uint64_t *value);
	uint64_t (*rdtsc)(void *ctx, unsigned lp);
	bool (*rdmsr)(void *ctx, unsigned lp, uint32_t msr, uint64_t *value); /* false: #GP */
	void (*cpuid)(void *ctx, unsigned lp, uint32_t leaf, uint32_t subleaf,
		      uint32_t regs[4]);

	/* Is an interrupt (if the side counts it) pending on this LP right now? */
	bool (*interrupt_pending)(void *ctx, unsigned lp, bool guest_side);

	/* Programs a key on lp's package: 0 done, 2 entropy error, 5 device busy. */
	unsigned (*pconfig)(void *ctx, unsigned lp, unsigned keyid);

	/* Writes back block `block` of lp's package cache. May be NULL. */
	void (*wbinvd_block)(void *ctx, unsigned lp, unsigned block);

	/*
	 * Enters the guest of `vcpu` on `lp` and returns at the next VM exit that
	 * the CPU does not handle itself. Posted interrupts, the virtual APIC page,
	 * native MSRs, shared EPT and EPT-violation #VE are the CPU's own business.
	 */
	void (*run_guest)(void *ctx, unsigned lp, struct tdx_vcpu_view *vcpu,
			  struct tdx_exit *exit);

	/*
	 * An interrupt (with its vector, no longer in service), NMI or INIT that ended a run
	 * becomes pending on this LP again. NULL: the module does without its defence against
	 * single-stepping. Otherwise IA32_APIC_BASE (MSR 0x1b) must show the APIC enabled.
	 */
	void (*raise)(void *ctx, unsigned lp, enum tdx_raised what, uint8_t vector);

	/*
	 * Called whenever the module has just taken or released one of its locks: a
	 * test can let another LP execute SEAMCALL here and see what is BUSY. May be
	 * NULL.
	 */
	void (*lock_changed)(void *ctx);
};

struct tdx_model;

/* Bytes that tdx_model_init() needs; 64-byte aligned memory. */
size_t tdx_model_size(void);

/* Puts a freshly loaded, not initialised module into `memory`. */
struct tdx_model *tdx_model_init(void *memory, const struct tdx_platform *platform,
				 const struct tdx_machine *machine);

/*
 * One SEAMCALL by logical processor `lp`. `regs` holds all GPRs on entry and on
 * return (RSP untouched). TDH.VP.ENTER calls machine->run_guest() inside.
 */
void tdx_model_seamcall(struct tdx_model *model, unsigned lp, struct tdx_regs *regs);

enum tdx_gpa_kind {
	TDX_GPA_MAPPED,     /* *hpa and *level are set; RWX */
	TDX_GPA_NOT_MAPPED, /* an access takes EPT violation exit 48 */
};

/* What the CPU's walk of a TD's Secure EPT finds for private `gpa`. */
enum tdx_gpa_kind tdx_model_translate(struct tdx_model *model, uint64_t tdr_hpa, uint64_t gpa,
				      uint64_t *hpa, unsigned *level);

/*
 * An access to a shared GPA hit an entry with suppress-#VE clear: the CPU fills
 * VE_INFO and injects #VE (state->event) unless VE_INFO is still valid, in which
 * case false is returned and the access is an ordinary exit 48.
 */
bool tdx_model_deliver_ept_ve(struct tdx_model *model, const struct tdx_vcpu_view *vcpu,
			      const struct tdx_exit *violation);

/* Does the MSR bitmap of this vCPU let the access through without an exit? */
bool tdx_model_msr_is_native(struct tdx_model *model, const struct tdx_vcpu_view *vcpu,
			     uint32_t msr, bool is_write);

/* SEAMCALLs so far by leaf (0..127), all LPs; for benchmarks and tests. */
uint64_t tdx_model_call_count(const struct tdx_model *model, unsigned leaf);

/* Names for people: a leaf, a TDG leaf, a completion status without its operand. */
const char *tdx_model_leaf_name(unsigned leaf);
const char *tdx_model_guest_leaf_name(unsigned leaf);
const char *tdx_model_status_name(uint64_t status);
