/* SPDX-License-Identifier: MIT */
/* TDX module 1.5 host ABI: leaves, completion status, structures, metadata (Intel TDX module
 * ABI specification). */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "core/addr.h"

/*
 * Completion status in RAX: 63 error, 62 non-recoverable, 61 fatal, 47:40 class,
 * 39:32 name, 31:0 details such as the offending operand. Wrapped, so nobody
 * compares the 64-bit value with `==` and forgets the detail bits.
 */
typedef struct {
	uint64_t raw;
} tdx_status_t;

/* Bits 63:32, to be compared with the TDX_* codes below. */
static inline uint32_t tdx_code(tdx_status_t s) { return (uint32_t)(s.raw >> 32); }
static inline uint32_t tdx_operand(tdx_status_t s) { return (uint32_t)s.raw; }
static inline bool tdx_is_error(tdx_status_t s) { return s.raw >> 63; }

/*
 * Every register that a SEAMCALL takes or returns, besides RAX. Those of TDH.VP.ENTER are also
 * what a guest's TDG.VP.VMCALL passes. The layout is known to seamcall.S.
 */
struct seamcall_regs {
	uint64_t rcx, rdx, rbx, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
};

/* SEAMCALL leaves that Redoubt calls (RAX bits 15:0). */
/* clang-format off */
#define TDH_LEAF_LIST(X)                                                                \
	X(VP_ENTER, 0, "TDH.VP.ENTER")                                                         \
	X(MNG_ADDCX, 1, "TDH.MNG.ADDCX")                                                       \
	X(MEM_PAGE_ADD, 2, "TDH.MEM.PAGE.ADD")                                                 \
	X(MEM_SEPT_ADD, 3, "TDH.MEM.SEPT.ADD")                                                 \
	X(VP_ADDCX, 4, "TDH.VP.ADDCX")                                                         \
	X(MEM_PAGE_AUG, 6, "TDH.MEM.PAGE.AUG")                                                 \
	X(MEM_RANGE_BLOCK, 7, "TDH.MEM.RANGE.BLOCK")                                           \
	X(MNG_KEY_CONFIG, 8, "TDH.MNG.KEY.CONFIG")                                             \
	X(MNG_CREATE, 9, "TDH.MNG.CREATE")                                                     \
	X(VP_CREATE, 10, "TDH.VP.CREATE")                                                      \
	X(MNG_RD, 11, "TDH.MNG.RD")                                                            \
	X(MEM_PAGE_DEMOTE, 15, "TDH.MEM.PAGE.DEMOTE")                                          \
	X(MR_EXTEND, 16, "TDH.MR.EXTEND")                                                      \
	X(MR_FINALIZE, 17, "TDH.MR.FINALIZE")                                                  \
	X(VP_FLUSH, 18, "TDH.VP.FLUSH")                                                        \
	X(MNG_VPFLUSHDONE, 19, "TDH.MNG.VPFLUSHDONE")                                          \
	X(MNG_KEY_FREEID, 20, "TDH.MNG.KEY.FREEID")                                            \
	X(MNG_INIT, 21, "TDH.MNG.INIT")                                                        \
	X(VP_INIT, 22, "TDH.VP.INIT")                                                          \
	X(MEM_PAGE_PROMOTE, 23, "TDH.MEM.PAGE.PROMOTE")                                        \
	X(MEM_SEPT_RD, 25, "TDH.MEM.SEPT.RD")                                                  \
	X(VP_RD, 26, "TDH.VP.RD")                                                              \
	X(PHYMEM_PAGE_RECLAIM, 28, "TDH.PHYMEM.PAGE.RECLAIM")                                  \
	X(MEM_PAGE_REMOVE, 29, "TDH.MEM.PAGE.REMOVE")                                          \
	X(MEM_SEPT_REMOVE, 30, "TDH.MEM.SEPT.REMOVE")                                          \
	X(SYS_KEY_CONFIG, 31, "TDH.SYS.KEY.CONFIG")                                            \
	X(SYS_INFO, 32, "TDH.SYS.INFO")                                                        \
	X(SYS_INIT, 33, "TDH.SYS.INIT")                                                        \
	X(SYS_RD, 34, "TDH.SYS.RD")                                                            \
	X(SYS_LP_INIT, 35, "TDH.SYS.LP.INIT")                                                  \
	X(SYS_TDMR_INIT, 36, "TDH.SYS.TDMR.INIT")                                              \
	X(MEM_TRACK, 38, "TDH.MEM.TRACK")                                                      \
	X(MEM_RANGE_UNBLOCK, 39, "TDH.MEM.RANGE.UNBLOCK")                                      \
	X(PHYMEM_CACHE_WB, 40, "TDH.PHYMEM.CACHE.WB")                                          \
	X(PHYMEM_PAGE_WBINVD, 41, "TDH.PHYMEM.PAGE.WBINVD")                                    \
	X(VP_WR, 43, "TDH.VP.WR")                                                              \
	X(SYS_CONFIG, 45, "TDH.SYS.CONFIG")
/* clang-format on */

enum {
#define X(name, number, text) TDH_##name = number,
	TDH_LEAF_LIST(X)
#undef X
};

/*
 * RAX bits 63:32 by name, what the leaves above can answer, without migration, service TDs and
 * nested guests: module 1.5.01, then what only later 1.5 modules return.
 */
/* clang-format off */
#define TDX_STATUS_LIST(X)                                                              \
	X(SUCCESS, UINT32_C(0x00000000))                                                       \
	X(NON_RECOVERABLE_VCPU, UINT32_C(0x40000001))                                          \
	X(NON_RECOVERABLE_TD, UINT32_C(0x60000002))                                            \
	X(INTERRUPTED_RESUMABLE, UINT32_C(0x80000003))                                         \
	X(INTERRUPTED_RESTARTABLE, UINT32_C(0x80000004))                                       \
	X(NON_RECOVERABLE_TD_NON_ACCESSIBLE, UINT32_C(0x60000005))                             \
	X(NON_RECOVERABLE_TD_WRONG_APIC_MODE, UINT32_C(0xe0000007))                            \
	X(CROSS_TD_FAULT, UINT32_C(0x80000008))                                                \
	X(CROSS_TD_TRAP, UINT32_C(0x90000009))                                                 \
	X(NON_RECOVERABLE_TD_CORRUPTED_MD, UINT32_C(0x6000000a))                               \
	X(PREVIOUS_TLB_EPOCH_BUSY, UINT32_C(0x80000201))                                       \
	X(SYS_BUSY, UINT32_C(0x80000202))                                                      \
	X(RND_NO_ENTROPY, UINT32_C(0x80000203))                                                \
	X(HOST_PRIORITY_BUSY_TIMEOUT, UINT32_C(0x90000205))                                    \
	X(PAGE_ALREADY_FREE, UINT32_C(0x00000301))                                             \
	X(PAGE_NOT_OWNED_BY_TD, UINT32_C(0xc0000302))                                          \
	X(PAGE_NOT_FREE, UINT32_C(0xc0000303))                                                 \
	X(TD_ASSOCIATED_PAGES_EXIST, UINT32_C(0xc0000400))                                     \
	X(SYS_INIT_NOT_PENDING, UINT32_C(0xc0000500))                                          \
	X(SYS_LP_INIT_NOT_DONE, UINT32_C(0xc0000502))                                          \
	X(SYS_LP_INIT_DONE, UINT32_C(0xc0000503))                                              \
	X(SYS_NOT_READY, UINT32_C(0xc0000505))                                                 \
	X(SYS_SHUTDOWN, UINT32_C(0xc0000506))                                                  \
	X(SYS_KEY_CONFIG_NOT_PENDING, UINT32_C(0xc0000507))                                    \
	X(SYS_STATE_INCORRECT, UINT32_C(0xc0000508))                                           \
	X(SYS_INVALID_HANDOFF, UINT32_C(0xc0000509))                                           \
	X(SYS_INCOMPATIBLE_SIGSTRUCT, UINT32_C(0xc000050a))                                    \
	X(SYS_LP_INIT_NOT_PENDING, UINT32_C(0xc000050b))                                       \
	X(SYS_CONFIG_NOT_PENDING, UINT32_C(0xc000050c))                                        \
	X(INCOMPATIBLE_SEAM_CAPABILITIES, UINT32_C(0xc000050d))                                \
	X(TD_FATAL, UINT32_C(0xe0000604))                                                      \
	X(TD_NON_DEBUG, UINT32_C(0xc0000605))                                                  \
	X(TDCS_NOT_ALLOCATED, UINT32_C(0xc0000606))                                            \
	X(LIFECYCLE_STATE_INCORRECT, UINT32_C(0xc0000607))                                     \
	X(OP_STATE_INCORRECT, UINT32_C(0xc0000608))                                            \
	X(NO_VCPUS, UINT32_C(0xc0000609))                                                      \
	X(TDCX_NUM_INCORRECT, UINT32_C(0xc0000610))                                            \
	X(VCPU_STATE_INCORRECT, UINT32_C(0xc0000700))                                          \
	X(VCPU_ASSOCIATED, UINT32_C(0x80000701))                                               \
	X(VCPU_NOT_ASSOCIATED, UINT32_C(0x80000702))                                           \
	X(MAX_VCPUS_EXCEEDED, UINT32_C(0xc0000705))                                            \
	X(TSC_ROLLBACK, UINT32_C(0xc0000706))                                                  \
	X(TD_VMCS_FIELD_NOT_INITIALIZED, UINT32_C(0xc0000730))                                 \
	X(TD_VMCS_FIELD_ERROR, UINT32_C(0xc0000731))                                           \
	X(KEY_GENERATION_FAILED, UINT32_C(0x80000800))                                         \
	X(TD_KEYS_NOT_CONFIGURED, UINT32_C(0x80000810))                                        \
	X(KEY_STATE_INCORRECT, UINT32_C(0xc0000811))                                           \
	X(KEY_CONFIGURED, UINT32_C(0x00000815))                                                \
	X(WBCACHE_NOT_COMPLETE, UINT32_C(0x80000817))                                          \
	X(HKID_NOT_FREE, UINT32_C(0xc0000820))                                                 \
	X(NO_HKID_READY_TO_WBCACHE, UINT32_C(0x00000821))                                      \
	X(WBCACHE_RESUME_ERROR, UINT32_C(0xc0000823))                                          \
	X(FLUSHVP_NOT_DONE, UINT32_C(0x80000824))                                              \
	X(NUM_ACTIVATED_HKIDS_NOT_SUPPORTED, UINT32_C(0xc0000825))                             \
	X(INCORRECT_CPUID_VALUE, UINT32_C(0xc0000900))                                         \
	X(LIMIT_CPUID_MAXVAL_SET, UINT32_C(0xc0000901))                                        \
	X(INCONSISTENT_CPUID_FIELD, UINT32_C(0xc0000902))                                      \
	X(CPUID_MAX_SUBLEAVES_UNRECOGNIZED, UINT32_C(0xc0000903))                              \
	X(CPUID_LEAF_1F_FORMAT_UNRECOGNIZED, UINT32_C(0xc0000904))                             \
	X(INVALID_WBINVD_SCOPE, UINT32_C(0xc0000905))                                          \
	X(INVALID_PKG_ID, UINT32_C(0xc0000906))                                                \
	X(ENABLE_MONITOR_FSM_NOT_SET, UINT32_C(0xc0000907))                                    \
	X(CPUID_LEAF_NOT_SUPPORTED, UINT32_C(0xc0000908))                                      \
	X(SMRR_NOT_LOCKED, UINT32_C(0xc0000910))                                               \
	X(INVALID_SMRR_CONFIGURATION, UINT32_C(0xc0000911))                                    \
	X(SMRR_OVERLAPS_CMR, UINT32_C(0xc0000912))                                             \
	X(SMRR_LOCK_NOT_SUPPORTED, UINT32_C(0xc0000913))                                       \
	X(SMRR_NOT_SUPPORTED, UINT32_C(0xc0000914))                                            \
	X(INCONSISTENT_MSR, UINT32_C(0xc0000920))                                              \
	X(INCORRECT_MSR_VALUE, UINT32_C(0xc0000921))                                           \
	X(INVALID_TDMR, UINT32_C(0xc0000a00))                                                  \
	X(NON_ORDERED_TDMR, UINT32_C(0xc0000a01))                                              \
	X(TDMR_OUTSIDE_CMRS, UINT32_C(0xc0000a02))                                             \
	X(TDMR_ALREADY_INITIALIZED, UINT32_C(0x00000a03))                                      \
	X(INVALID_PAMT, UINT32_C(0xc0000a10))                                                  \
	X(PAMT_OUTSIDE_CMRS, UINT32_C(0xc0000a11))                                             \
	X(PAMT_OVERLAP, UINT32_C(0xc0000a12))                                                  \
	X(INVALID_RESERVED_IN_TDMR, UINT32_C(0xc0000a20))                                      \
	X(NON_ORDERED_RESERVED_IN_TDMR, UINT32_C(0xc0000a21))                                  \
	X(CMR_LIST_INVALID, UINT32_C(0xc0000a22))                                              \
	X(EPT_ENTRY_NOT_FREE, UINT32_C(0xc0000b02))                                            \
	X(EPT_ENTRY_NOT_LEAF, UINT32_C(0xc0000b04))                                            \
	X(EPT_ENTRY_LEAF, UINT32_C(0xc0000b05))                                                \
	X(PAGE_ALREADY_ACCEPTED, UINT32_C(0x00000b0a))                                         \
	X(PAGE_SIZE_MISMATCH, UINT32_C(0xc0000b0b))                                            \
	X(GPA_RANGE_BLOCKED, UINT32_C(0xc0000b0c))                                             \
	X(METADATA_FIELD_ID_INCORRECT, UINT32_C(0xc0000c00))                                   \
	X(METADATA_FIELD_NOT_WRITABLE, UINT32_C(0xc0000c01))                                   \
	X(METADATA_FIELD_NOT_READABLE, UINT32_C(0xc0000c02))                                   \
	X(METADATA_FIELD_VALUE_NOT_VALID, UINT32_C(0xc0000c03))                                \
	X(METADATA_FIELD_CURRENTLY_NOT_WRITABLE, UINT32_C(0xc0000c09))                         \
	X(METADATA_WR_MASK_NOT_VALID, UINT32_C(0xc0000c0a))                                    \
	X(METADATA_FIRST_FIELD_ID_IN_CONTEXT, UINT32_C(0x00000c0b))                            \
	X(TD_EXIT_BEFORE_L2_ENTRY, UINT32_C(0x00001140))                                       \
	X(TD_EXIT_ON_L2_VM_EXIT, UINT32_C(0x00001141))                                         \
	X(TD_EXIT_ON_L2_TO_L1, UINT32_C(0x00001142))

/* Statuses that name an operand in bits 31:0. */
#define TDX_OPERAND_STATUS_LIST(X)                                                      \
	X(OPERAND_INVALID, UINT32_C(0xc0000100))                                               \
	X(OPERAND_ADDR_RANGE_ERROR, UINT32_C(0xc0000101))                                      \
	X(OPERAND_BUSY, UINT32_C(0x80000200))                                                  \
	X(OPERAND_BUSY_HOST_PRIORITY, UINT32_C(0x80000204))                                    \
	X(PAGE_METADATA_INCORRECT, UINT32_C(0xc0000300))                                       \
	X(EPT_WALK_FAILED, UINT32_C(0xc0000b00))                                               \
	X(EPT_ENTRY_FREE, UINT32_C(0xc0000b01))                                                \
	X(EPT_ENTRY_NOT_PRESENT, UINT32_C(0xc0000b03))                                         \
	X(GPA_RANGE_NOT_BLOCKED, UINT32_C(0xc0000b06))                                         \
	X(GPA_RANGE_ALREADY_BLOCKED, UINT32_C(0x00000b07))                                     \
	X(TLB_TRACKING_NOT_DONE, UINT32_C(0xc0000b08))                                         \
	X(EPT_INVALID_PROMOTE_CONDITIONS, UINT32_C(0xc0000b09))                                \
	X(EPT_ENTRY_STATE_INCORRECT, UINT32_C(0xc0000b0d))                                     \
	X(EPT_PAGE_NOT_FREE, UINT32_C(0xc0000b0e))

#define TDX_NEWER_STATUS_LIST(X)                                                        \
	X(EVENT_FILTER_INVALID, UINT32_C(0xc0000102))                                          \
	X(EVENT_FILTER_ORDER_INVALID, UINT32_C(0xc0000103))                                    \
	X(INTERRUPTED_BUSY, UINT32_C(0x80000206))                                              \
	X(HPA_RANGE_NOT_FREE, UINT32_C(0xc0000304))                                            \
	X(NO_PAMT_PAGE_PAIR, UINT32_C(0xc0000305))                                             \
	X(PAMT_PAGE_NOT_EMPTY, UINT32_C(0xc0000306))                                           \
	X(INTERRUPTED_PAMT, UINT32_C(0x80000307))                                              \
	X(MISSING_PAMT_PAGE_PAIR, UINT32_C(0x80000308))                                        \
	X(CRYPTO_SELF_TEST_FAILED, UINT32_C(0xc0000511))                                       \
	X(UPDATE_COMPATIBILITY_SENSITIVE, UINT32_C(0x80000512))                                \
	X(X2APIC_ID_NOT_UNIQUE, UINT32_C(0xc0000621))                                          \
	X(INCOMPATIBLE_MRTD_CONTEXT, UINT32_C(0xc0000622))                                     \
	X(INTERRUPTIBILITY_BLOCKED, UINT32_C(0xc0000707))                                      \
	X(VIRTUAL_MSR_VALUE_NOT_VALID, UINT32_C(0xc0000c0d))                                   \
	X(METADATA_FIELD_NOT_ALLOCATED, UINT32_C(0xc0000c0e))

/* Software codes of seamcall_raw(): the module did not run. Class 0xff is never the module's. */
#define TDX_SOFTWARE_STATUS_LIST(X)                                                     \
	X(SW_VMFAIL_INVALID, UINT32_C(0x8000ff00))                                             \
	X(SW_UD, UINT32_C(0x8000ff06))                                                         \
	X(SW_GP, UINT32_C(0x8000ff0d))

/* Operand identifiers. */
#define TDX_OPERAND_LIST(X)                                                             \
	X(RAX, 0)                                                                              \
	X(RCX, 1)                                                                              \
	X(RDX, 2)                                                                              \
	X(RBX, 3)                                                                              \
	X(RBP, 5)                                                                              \
	X(RSI, 6)                                                                              \
	X(RDI, 7)                                                                              \
	X(R8, 8)                                                                               \
	X(R9, 9)                                                                               \
	X(R10, 10)                                                                             \
	X(R11, 11)                                                                             \
	X(R12, 12)                                                                             \
	X(R13, 13)                                                                             \
	X(R14, 14)                                                                             \
	X(R15, 15)                                                                             \
	X(ATTRIBUTES, 64)                                                                      \
	X(XFAM, 65)                                                                            \
	X(EXEC_CONTROLS, 66)                                                                   \
	X(EPTP_CONTROLS, 67)                                                                   \
	X(MAX_VCPUS, 68)                                                                       \
	X(CPUID_CONFIG, 69)                                                                    \
	X(TSC_FREQUENCY, 70)                                                                   \
	X(NUM_L2_VMS, 71)                                                                      \
	X(IA32_ARCH_CAPABILITIES_CONFIG, 72)                                                   \
	X(PAGE, 95)                                                                            \
	X(TDMR_INFO_PA, 96)                                                                    \
	X(TDR, 128)                                                                            \
	X(TDCX, 129)                                                                           \
	X(TDVPR, 130)                                                                          \
	X(REG_PAGE, 132)                                                                       \
	X(TDCS, 144)                                                                           \
	X(TDVPS, 145)                                                                          \
	X(SEPT_TREE, 146)                                                                      \
	X(SEPT_ENTRY, 147)                                                                     \
	X(RTMR, 168)                                                                           \
	X(TD_EPOCH, 169)                                                                       \
	X(OP_STATE, 172)                                                                       \
	X(METADATA_FIELD, 176)                                                                 \
	X(SYS, 184)                                                                            \
	X(TDMR, 185)                                                                           \
	X(KOT, 186)                                                                            \
	X(KET, 187)                                                                            \
	X(WBCACHE, 188)
/* clang-format on */

enum {
#define X(name, value) TDX_##name = value,
	TDX_STATUS_LIST(X) TDX_OPERAND_STATUS_LIST(X) TDX_NEWER_STATUS_LIST(X)
		TDX_SOFTWARE_STATUS_LIST(X)
#undef X
#define X(name, value) TDX_OPERAND_ID_##name = value,
			TDX_OPERAND_LIST(X)
#undef X
};

/* Pages that the module owns, by role. */
typedef struct {
	hpa_t pa;
} tdr_t;

typedef struct {
	hpa_t pa;
} tdvpr_t;

/* Secure EPT: RDX of the MEM leaves, level in 2:0 and one of these in 15:8. */
enum sept_state {
	SEPT_FREE = 0,
	SEPT_BLOCKED = 1,
	SEPT_PENDING = 2,
	SEPT_PENDING_BLOCKED = 3,
	SEPT_MAPPED = 4,
	SEPT_NL_BLOCKED = 0x81,
	SEPT_NL_MAPPED = 0x84,
};

static inline unsigned sept_rdx_state(uint64_t rdx) { return (unsigned)(rdx >> 8 & 0xff); }

/* Convertible memory range (SYS.INFO). */
struct tdx_cmr_info {
	uint64_t base, size;
};

#define TDX_MAX_CMRS     32
#define TDX_MAX_TDMRS    64
#define TDX_MAX_RESERVED 16

/* TDMR_INFO (SYS.CONFIG); every one 512-byte aligned, so is the array of their addresses. */
#define TDX_TDMR_INFO_ALIGN UINT64_C(512)

struct tdx_reserved_area {
	uint64_t offset, size;
};

struct tdx_pamt {
	uint64_t base, size;
};

struct tdx_tdmr_info {
	uint64_t base, size;
	struct tdx_pamt pamt[3]; /* of 1G, 2M, 4K */
	struct tdx_reserved_area reserved[TDX_MAX_RESERVED];
};

STATIC_ASSERT(sizeof(struct tdx_tdmr_info) == 320, "TDMR_INFO is 320 bytes");

static inline struct tdx_pamt *tdx_pamt(struct tdx_tdmr_info *t, enum page_level level)
{
	return &t->pamt[LEVEL_1G - level];
}

struct tdx_cpuid_config_entry {
	uint32_t leaf, subleaf; /* TDX_CPUID_NO_SUBLEAF: the leaf has none */
	uint32_t eax, ebx, ecx, edx;
};

#define TDX_CPUID_NO_SUBLEAF UINT32_C(0xffffffff)
#define TDX_MAX_CPUID_CONFIG 32

/* TDSYSINFO_STRUCT (SYS.INFO), 1024 bytes, 1024-aligned. */
struct tdx_sysinfo {
	uint32_t attributes, vendor_id, build_date;
	uint16_t build_num, minor_version, major_version;
	uint8_t sys_rd;
	uint8_t reserved0[13];
	uint16_t max_tdmrs, max_reserved_per_tdmr, pamt_entry_size;
	uint8_t reserved1[10];
	uint16_t tdcs_base_size;
	uint8_t reserved2[2];
	uint16_t tdvps_base_size;
	uint8_t tdvps_xfam_dependent_size;
	uint8_t reserved3[9];
	uint64_t attributes_fixed0, attributes_fixed1;
	uint64_t xfam_fixed0, xfam_fixed1;
	uint8_t reserved4[32];
	uint32_t num_cpuid_config;
	struct tdx_cpuid_config_entry cpuid_config[TDX_MAX_CPUID_CONFIG];
	uint8_t reserved5[1024 - 132 - 24 * TDX_MAX_CPUID_CONFIG];
} __attribute__((packed));

STATIC_ASSERT(sizeof(struct tdx_sysinfo) == 1024, "TDSYSINFO_STRUCT is 1024 bytes");

struct tdx_cpuid_value {
	uint32_t eax, ebx, ecx, edx;
};

/* TD_PARAMS (MNG.INIT), 1024 bytes, 1024-aligned; reserved bytes are zero. */
struct tdx_td_params {
	uint64_t attributes, xfam;
	uint16_t max_vcpus;
	uint8_t num_l2_vms, msr_config_ctls;
	uint8_t reserved0[4];
	uint64_t eptp_controls, config_flags;
	uint16_t tsc_frequency; /* 25 MHz units, 4..400 */
	uint8_t reserved1[38];
	uint8_t mrconfigid[48], mrowner[48], mrownerconfig[48];
	uint64_t arch_capabilities;
	uint8_t reserved2[24];
	struct tdx_cpuid_value cpuid[TDX_MAX_CPUID_CONFIG];
	uint8_t reserved3[1024 - 256 - 16 * TDX_MAX_CPUID_CONFIG];
};

STATIC_ASSERT(sizeof(struct tdx_td_params) == 1024, "TD_PARAMS is 1024 bytes");

/* ATTRIBUTES */
#define TDX_ATTR_DEBUG           (UINT64_C(1) << 0)
#define TDX_ATTR_SEPT_VE_DISABLE (UINT64_C(1) << 28)

/* CONFIG_FLAGS */
#define TDX_CONFIG_FLEXIBLE_PENDING_VE (UINT64_C(1) << 1)
#define TDX_CONFIG_NO_RBP_MOD          (UINT64_C(1) << 2)

/* EPTP_CONTROLS of a 4-level Secure EPT: write-back, walk length 4. */
#define TDX_EPTP_4_LEVEL UINT64_C(0x1e)

#define TDX_TSC_UNIT_KHZ UINT64_C(25000)
#define TDX_TSC_UNIT_MIN 4
#define TDX_TSC_UNIT_MAX 400

/* TDX_FEATURES0. From bit 24 on features are younger than CLFLUSH_BEFORE_ALLOC. */
#define TDX_FEATURE_CLFLUSH_BEFORE_ALLOC (UINT64_C(1) << 23)

/* Global metadata (SYS.RD): lists; single fields are in global.c. */
#define MD_NUM_CMRS            UINT64_C(0x9000000100000000)
#define MD_CMR_BASE            UINT64_C(0x9000000300000080)
#define MD_CMR_SIZE            UINT64_C(0x9000000300000100)
#define MD_CPUID_CONFIG_LEAVES UINT64_C(0x9900000300000400)
#define MD_CPUID_CONFIG_VALUES UINT64_C(0x9900000300000500)

/* TD metadata (MNG.RD). */
#define MD_TD_TSC_OFFSET     UINT64_C(0x111000030000000a)
#define MD_TD_TSC_MULTIPLIER UINT64_C(0x111000030000000b)
#define MD_TD_MRTD           UINT64_C(0x1310000300000000) /* + 0..5 */

/* vCPU metadata (VP.RD/WR). */
#define MD_VP_NOTIFICATION_VECTOR UINT64_C(0x0024000100000002)
#define MD_VP_POSTED_DESCRIPTOR   UINT64_C(0x0024000300002016)
#define MD_VP_SHARED_EPTP         UINT64_C(0x002400030000203c)
#define MD_VP_PIN_CONTROLS        UINT64_C(0x0024000200004000)
#define MD_VP_STATE_DETAILS       UINT64_C(0x9120000300000100)
#define MD_VP_PEND_NMI            UINT64_C(0x202000000000000b)

#define VP_PIN_POSTED_INTERRUPTS   UINT64_C(0x80)
#define VP_SHARED_EPTP_MASK        UINT64_C(0x000ffffffffff000)
#define VP_STATE_INTERRUPT_PENDING UINT64_C(1)

/* RDX bits 3:0 of an asynchronous exit: what kind of extended qualification it is. */
#define TDX_EXIT_EXT_ACCEPT                1
#define TDX_EXIT_EXT_PENDING_EPT_VIOLATION 6

static inline unsigned tdx_exit_extension(uint64_t rdx) { return (unsigned)(rdx & 0xf); }

/* ACCEPT: the level that the guest asked for, bits 34:32 of RDX. */
static inline unsigned tdx_exit_accept_level(uint64_t rdx) { return (unsigned)(rdx >> 32 & 7); }

/* CACHE.WB, RCX. */
#define TDX_CACHE_WB_START  0
#define TDX_CACHE_WB_RESUME 1
