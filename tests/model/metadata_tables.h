/* SPDX-License-Identifier: MIT */
/*
 * The metadata fields of module 1.5.01, in walking order. An entry stands for
 * `fields` fields of `elements` elements with consecutive ids. The masks are the
 * bits that may be read or written by the host of an ordinary TD, the host of a
 * DEBUG TD, and the guest; 0 makes the field unreadable or read-only.
 */
#pragma once

#include <stdint.h>

#define ALL UINT64_MAX

struct md_entry {
	uint64_t id;
	uint16_t fields;
	uint8_t elements;
	uint64_t read[3], write[3]; /* by enum md_access */
};

/* clang-format off */
static const struct md_entry system_fields[] = {
	{0x0000000200000000, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_PKGS */
	{0x0000000200000001, 8, 1, {ALL, ALL, 0}, {0}}, /* PKG_FMS */
	{0x0800000200000000, 1, 1, {ALL, ALL, ALL}, {0}}, /* VENDOR_ID */
	{0x8800000200000001, 1, 1, {ALL, ALL, 0}, {0}}, /* BUILD_DATE */
	{0x8800000100000002, 1, 1, {ALL, ALL, 0}, {0}}, /* BUILD_NUM */
	{0x0800000100000003, 1, 1, {ALL, ALL, ALL}, {0}}, /* MINOR_VERSION */
	{0x0800000100000004, 1, 1, {ALL, ALL, ALL}, {0}}, /* MAJOR_VERSION */
	{0x0800000100000005, 1, 1, {ALL, ALL, 0}, {0}}, /* UPDATE_VERSION */
	{0x0800000100000006, 1, 1, {ALL, ALL, 0}, {0}}, /* INTERNAL_VERSION */
	{0x8900000100000000, 1, 1, {ALL, ALL, 0}, {0}}, /* MODULE_HV */
	{0x8900000100000001, 1, 1, {ALL, ALL, 0}, {0}}, /* MIN_UPDATE_HV */
	{0x8900000000000002, 1, 1, {ALL, ALL, 0}, {0}}, /* NO_DOWNGRADE */
	{0x8900000100000003, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_HANDOFF_PAGES */
	{0x8900000000000004, 1, 1, {ALL, ALL, 0}, {0}}, /* HANDOFF_DATA_VALID */
	{0x8900000100000005, 1, 1, {ALL, ALL, 0}, {0}}, /* HANDOFF_DATA_HV */
	{0x8900000200000006, 1, 1, {ALL, ALL, 0}, {0}}, /* HANDOFF_DATA_SIZE */
	{0x0a00000200000000, 1, 1, {ALL, ALL, ALL}, {0}}, /* SYS_ATTRIBUTES */
	{0x0a00000000000001, 1, 1, {ALL, ALL, ALL}, {0}}, /* NUM_TDX_FEATURES */
	{0x0a00000300000008, 1, 1, {ALL, ALL, ALL}, {0}}, /* TDX_FEATURES0 */
	{0x9000000100000000, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_CMRS */
	{0x9000000300000080, 32, 1, {ALL, ALL, 0}, {0}}, /* CMR_BASE */
	{0x9000000300000100, 32, 1, {ALL, ALL, 0}, {0}}, /* CMR_SIZE */
	{0x9100000100000008, 1, 1, {ALL, ALL, 0}, {0}}, /* MAX_TDMRS */
	{0x9100000100000009, 1, 1, {ALL, ALL, 0}, {0}}, /* MAX_RESERVED_PER_TDMR */
	{0x9100000100000010, 1, 1, {ALL, ALL, 0}, {0}}, /* PAMT_4K_ENTRY_SIZE */
	{0x9100000100000011, 1, 1, {ALL, ALL, 0}, {0}}, /* PAMT_2M_ENTRY_SIZE */
	{0x9100000100000012, 1, 1, {ALL, ALL, 0}, {0}}, /* PAMT_1G_ENTRY_SIZE */
	{0x9800000100000000, 1, 1, {ALL, ALL, 0}, {0}}, /* TDR_BASE_SIZE */
	{0x9800000100000100, 1, 1, {ALL, ALL, 0}, {0}}, /* TDCS_BASE_SIZE */
	{0x9800000100000101, 1, 1, {ALL, ALL, 0}, {0}}, /* TDCS_SIZE_PER_L2_VM */
	{0x9800000100000200, 1, 1, {ALL, ALL, 0}, {0}}, /* TDVPS_BASE_SIZE */
	{0x9800000100000201, 1, 1, {ALL, ALL, 0}, {0}}, /* TDVPS_SIZE_PER_L2_VM */
	{0x1900000300000000, 1, 1, {ALL, ALL, 0}, {0}}, /* ATTRIBUTES_FIXED0 */
	{0x1900000300000001, 1, 1, {ALL, ALL, 0}, {0}}, /* ATTRIBUTES_FIXED1 */
	{0x1900000300000002, 1, 1, {ALL, ALL, 0}, {0}}, /* XFAM_FIXED0 */
	{0x1900000300000003, 1, 1, {ALL, ALL, 0}, {0}}, /* XFAM_FIXED1 */
	{0x9900000100000004, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_CPUID_CONFIG */
	{0x9900000300000006, 1, 1, {ALL, ALL, 0}, {0}}, /* CONFIG_FLAGS_FIXED0 */
	{0x9900000300000007, 1, 1, {ALL, ALL, 0}, {0}}, /* CONFIG_FLAGS_FIXED1 */
	{0x9900000300000400, 32, 1, {ALL, ALL, 0}, {0}}, /* CPUID_CONFIG_LEAVES */
	{0x9900000300000500, 32, 2, {ALL, ALL, 0}, {0}}, /* CPUID_CONFIG_VALUES */
	{0x9900000300000600, 1, 1, {ALL, ALL, 0}, {0}}, /* IA32_ARCH_CAPABILITIES_CONFIG_MASK */
	{0x9900000100000800, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_ALLOWED_FMS */
	{0x9900000100000801, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_DISALLOWED_FMS */
	{0x9900000300000810, 64, 1, {ALL, ALL, 0}, {0}}, /* ALLOWED_FMS */
	{0x9900000300000850, 64, 1, {ALL, ALL, 0}, {0}}, /* DISALLOWED_FMS */
	{0xa000000300000000, 1, 1, {ALL, ALL, ALL}, {0}}, /* MIG_ATTRIBUTES */
	{0x2000000100000001, 1, 1, {ALL, ALL, ALL}, {0}}, /* MIN_EXPORT_VERSION */
	{0x2000000100000002, 1, 1, {ALL, ALL, ALL}, {0}}, /* MAX_EXPORT_VERSION */
	{0x2000000100000003, 1, 1, {ALL, ALL, ALL}, {0}}, /* MIN_IMPORT_VERSION */
	{0x2000000100000004, 1, 1, {ALL, ALL, ALL}, {0}}, /* MAX_IMPORT_VERSION */
	{0xa000000100000010, 1, 1, {ALL, ALL, 0}, {0}}, /* MAX_MIGS */
	{0xa000000000000020, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_IMMUTABLE_STATE_PAGES */
	{0xa000000000000021, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_TD_STATE_PAGES */
	{0xa000000000000022, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_VP_STATE_PAGES */
	{0xa100000100000000, 1, 1, {ALL, ALL, 0}, {0}}, /* MAX_SERV_TDS */
	{0xa100000300000001, 1, 1, {ALL, ALL, 0}, {0}}, /* SERVTD_ATTR_FIXED0 */
	{0xa100000300000002, 1, 1, {ALL, ALL, 0}, {0}}, /* SERVTD_ATTR_FIXED1 */
	{0xa200000100000000, 1, 1, {ALL, ALL, ALL}, {0}}, /* GUEST_L2_GPA_ATTR_MASK */
	{0xa200000300000001, 1, 1, {ALL, ALL, 0}, {0}}, /* VM_CTLS_FIXED0 */
	{0xa200000300000002, 1, 1, {ALL, ALL, 0}, {0}}, /* VM_CTLS_FIXED1 */
	{0xa200000300000003, 1, 1, {ALL, ALL, 0}, {0}}, /* VPCU_L2_CTLS_FIXED0 */
	{0xa200000300000004, 1, 1, {ALL, ALL, 0}, {0}}, /* VCPU_L2_CTLS_FIXED1 */
	{0xa200000300000005, 1, 1, {ALL, ALL, 0}, {0}}, /* VPCU_L2_DEBUG_CTLS_FIXED0 */
	{0xa200000300000006, 1, 1, {ALL, ALL, 0}, {0}}, /* VCPU_L2_DEBUG_CTLS_FIXED1 */
};

static const struct md_entry td_fields[] = {
	{0x8010000000000001, 1, 1, {ALL, ALL, 0}, {0}}, /* FATAL */
	{0x8010000200000002, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_TDCX */
	{0x8010000300000004, 1, 1, {ALL, ALL, 0}, {0}}, /* CHLDCNT */
	{0x8010000200000005, 1, 1, {ALL, ALL, 0}, {0}}, /* LIFECYCLE_STATE */
	{0x8010000300000010, 9, 1, {ALL, ALL, 0}, {0}}, /* TDCX_PA */
	{0x8010000300000020, 1, 4, {ALL, ALL, ALL}, {0}}, /* TD_UUID */
	{0x8110000100000001, 1, 1, {ALL, ALL, 0}, {0}}, /* HKID */
	{0x8110000300000002, 1, 1, {ALL, ALL, 0}, {0}}, /* PKG_CONFIG_BITMAP */
	{0x8210000100000000, 1, 1, {ALL, ALL, 0}, {0}}, /* HANDOFF_VERSION */
	{0x8210000300000001, 1, 1, {ALL, ALL, 0}, {0}}, /* SEAMDB_INDEX */
	{0x8210000300000002, 1, 4, {0, 0, 0}, {0}}, /* SEAMDB_NONCE */
	{0x9010000200000001, 1, 1, {ALL, ALL, ALL}, {0}}, /* NUM_VCPUS */
	{0x9010000200000002, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_ASSOC_VCPUS */
	{0x9010000200000004, 1, 1, {ALL, ALL, 0}, {0}}, /* OP_STATE */
	{0x9010000100000005, 1, 1, {ALL, ALL, ALL}, {0}}, /* NUM_L2_VMS */
	{0x1110000300000000, 1, 1, {ALL, ALL, ALL}, {0}}, /* ATTRIBUTES */
	{0x1110000300000001, 1, 1, {ALL, ALL, ALL}, {0}}, /* XFAM */
	{0x1110000200000002, 1, 1, {ALL, ALL, ALL}, {0}}, /* MAX_VCPUS */
	{0x1110000000000003, 1, 1, {ALL, ALL, ALL}, {0}}, /* GPAW */
	{0x1110000300000004, 1, 1, {ALL, ALL, 0}, {0}}, /* EPTP */
	{0x111000030000000a, 1, 1, {ALL, ALL, 0}, {0}}, /* TSC_OFFSET */
	{0x111000030000000b, 1, 1, {ALL, ALL, 0}, {0}}, /* TSC_MULTIPLIER */
	{0x111000010000000c, 1, 1, {ALL, ALL, ALL}, {0}}, /* TSC_FREQUENCY */
	{0x111000030000000d, 1, 1, {0, 0, 0}, {0}}, /* VIRTUAL_TSC */
	{0x911000010000000e, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_CPUID_VALUES */
	{0x911000020000000f, 1, 1, {ALL, ALL, 0}, {0}}, /* XBUFF_SIZE */
	{0x9110000300000010, 1, 1, {0, ALL, 0x1}, {0, 0x1, 0x1}}, /* NOTIFY_ENABLES */
	{0x9110000300000011, 1, 1, {ALL, ALL, 0}, {ALL, ALL, 0}}, /* HP_LOCK_TIMEOUT */
	{0x9110000300000012, 4, 1, {ALL, ALL, 0}, {0x1, 0x1, 0}}, /* VM_CTLS */
	{0x1110000300000016, 1, 1, {ALL, ALL, ALL}, {0}}, /* CONFIG_FLAGS */
	{0x1110000300000017, 1, 1, {0, ALL, ALL}, {0, 0, 0x1}}, /* TD_CTLS */
	{0x9110000000000080, 80, 1, {0, ALL, 0}, {0}}, /* CPUID_VALID */
	{0x9110000200000800, 19, 1, {ALL, ALL, 0}, {0}}, /* XBUFF_OFFSETS */
	{0x9210000300000000, 1, 1, {ALL, ALL, 0}, {0}}, /* TD_EPOCH */
	{0x9210000100000001, 2, 1, {ALL, ALL, 0}, {0}}, /* REFCOUNT */
	{0x1310000300000000, 1, 6, {ALL, ALL, ALL}, {0}}, /* MRTD */
	{0x1310000300000010, 1, 6, {ALL, ALL, ALL}, {0}}, /* MRCONFIGID */
	{0x1310000300000018, 1, 6, {ALL, ALL, ALL}, {0}}, /* MROWNER */
	{0x1310000300000020, 1, 6, {ALL, ALL, ALL}, {0}}, /* MROWNERCONFIG */
	{0x1310000300000040, 4, 6, {0, ALL, ALL}, {0}}, /* RTMR */
	{0x9410000300000000, 80, 2, {ALL, ALL, 0}, {0}}, /* CPUID_VALUES */
	{0x961000030000010a, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_ARCH_CAPABILITIES */
	{0x9610000300000480, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_BASIC */
	{0x9610000300000485, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_MISC */
	{0x9610000300000486, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_CR0_FIXED0 */
	{0x9610000300000487, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_CR0_FIXED1 */
	{0x9610000300000488, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_CR4_FIXED0 */
	{0x9610000300000489, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_CR4_FIXED1 */
	{0x961000030000048b, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_PROCBASED_CTLS2 */
	{0x961000030000048c, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_EPT_VPID_CAP */
	{0x961000030000048d, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_TRUE_PINBASED_CTLS */
	{0x961000030000048e, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_TRUE_PROCBASED_CTLS */
	{0x961000030000048f, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_TRUE_EXIT_CTLS */
	{0x9610000300000490, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_TRUE_ENTRY_CTLS */
	{0x9610000300000491, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_VMFUNC */
	{0x9610000300000492, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_PROCBASED_CTLS3 */
	{0x9610000300000493, 1, 1, {0, ALL, 0}, {0}}, /* VIRTUAL_IA32_VMX_EXIT_CTLS2 */
	{0x9810000000000001, 1, 1, {ALL, ALL, 0}, {0}}, /* MIG_DEC_KEY_SET */
	{0x9810000200000002, 1, 1, {ALL, ALL, 0}, {0}}, /* EXPORT_COUNT */
	{0x9810000200000003, 1, 1, {ALL, ALL, 0}, {0}}, /* IMPORT_COUNT */
	{0x9810000200000004, 1, 1, {ALL, ALL, 0}, {0}}, /* MIG_EPOCH */
	{0x9810000300000005, 1, 1, {ALL, ALL, 0}, {0}}, /* BW_EPOCH */
	{0x9810000300000006, 1, 1, {ALL, ALL, 0}, {0}}, /* TOTAL_MB_COUNT */
	{0x9810000300000010, 1, 4, {0, ALL, 0}, {0}}, /* MIG_DEC_KEY */
	{0x9810000300000014, 1, 4, {0, ALL, 0}, {0}}, /* MIG_DEC_WORKING_KEY */
	{0x9810000300000018, 1, 4, {0, ALL, 0}, {0}}, /* MIG_ENC_KEY */
	{0x981000030000001c, 1, 4, {0, ALL, 0}, {0}}, /* MIG_ENC_WORKING_KEY */
	{0x9810000100000020, 1, 1, {ALL, ALL, 0}, {0}}, /* MIG_VERSION */
	{0x9810000100000021, 1, 1, {ALL, ALL, 0}, {0}}, /* MIG_WORKING_VERSION */
	{0x9810000300000030, 1, 1, {ALL, ALL, 0}, {0}}, /* DIRTY_COUNT */
	{0x9810000300000031, 1, 1, {ALL, ALL, 0}, {0}}, /* MIG_COUNT */
	{0x9810000100000032, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_MIGS */
	{0x9810000200000034, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_MIGRATED_VCPUS */
	{0x9810000300000040, 1, 4, {ALL, ALL, ALL}, {0}}, /* PRE_IMPORT_UUID */
	{0x9910000300000000, 1, 6, {ALL, ALL, ALL}, {0}}, /* SERVTD_HASH */
	{0x9910000100000006, 1, 1, {ALL, ALL, ALL}, {0}}, /* SERVTD_NUM */
	{0x9910000300000080, 1, 16, {ALL, ALL, ALL}, {0}}, /* SERVTD_BINDINGS_TABLE */
	{0x9a10000300000000, 512, 1, {ALL, ALL, 0}, {0}}, /* MIGSC_LINKS */
	{0x2010000300000000, 512, 1, {0, ALL, 0}, {0}}, /* MSR_BITMAPS */
	{0x2110000300000000, 512, 1, {0, ALL, 0}, {0}}, /* SEPT_ROOT */
	{0x2510000300000000, 512, 1, {0, ALL, 0}, {0}}, /* L2_SEPT_ROOT_1 */
	{0x2910000300000000, 512, 1, {0, ALL, 0}, {0}}, /* L2_SEPT_ROOT_2 */
	{0x2d10000300000000, 512, 1, {0, ALL, 0}, {0}}, /* L2_SEPT_ROOT_3 */
};

static const struct md_entry vcpu_fields[] = {
	{0x0024000100000000, 1, 1, {0, ALL, 0}, {0}}, /* VPID */
	{0x0024000100000002, 1, 1, {ALL, ALL, 0}, {ALL, ALL, 0}}, /* Posted-interrupt notification vector */
	{0x0024000100000004, 1, 1, {0, ALL, 0}, {0}}, /* EPTP index */
	{0x0024000100000800, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest ES selector */
	{0x0024000100000802, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest CS selector */
	{0x0024000100000804, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest SS selector */
	{0x0024000100000806, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest DS selector */
	{0x0024000100000808, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest FS selector */
	{0x002400010000080a, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest GS selector */
	{0x002400010000080c, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest LDTR selector */
	{0x002400010000080e, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest TR selector */
	{0x0024000100000810, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest Interrupt Status */
	{0x0024000100000812, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* PML Index */
	{0x0024000100000814, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest UINV */
	{0x0024000100000c00, 1, 1, {0, ALL, 0}, {0}}, /* Host ES */
	{0x0024000100000c02, 1, 1, {0, ALL, 0}, {0}}, /* Host CS */
	{0x0024000100000c04, 1, 1, {0, ALL, 0}, {0}}, /* Host SS */
	{0x0024000100000c06, 1, 1, {0, ALL, 0}, {0}}, /* Host DS */
	{0x0024000100000c08, 1, 1, {0, ALL, 0}, {0}}, /* Host FS */
	{0x0024000100000c0a, 1, 1, {0, ALL, 0}, {0}}, /* Host GS */
	{0x0024000100000c0c, 1, 1, {0, ALL, 0}, {0}}, /* Host TR */
	{0x0024000300002000, 1, 1, {0, ALL, 0}, {0}}, /* I/O bitmap A */
	{0x0024000300002002, 1, 1, {0, ALL, 0}, {0}}, /* I/O bitmap B */
	{0x0024000300002004, 1, 1, {ALL, ALL, 0}, {0}}, /* MSR-Bitmap Address */
	{0x0024000300002006, 1, 1, {0, ALL, 0}, {0}}, /* Exit MSR store */
	{0x0024000300002008, 1, 1, {0, ALL, 0}, {0}}, /* Exit MSR load */
	{0x002400030000200a, 1, 1, {0, ALL, 0}, {0}}, /* Entry MSR load */
	{0x002400030000200c, 1, 1, {0, ALL, 0}, {0}}, /* Executive VMCS */
	{0x002400030000200e, 1, 1, {ALL, ALL, 0}, {0, 0xfffffffffffff000, 0}}, /* PML address */
	{0x0024000300002010, 1, 1, {ALL, ALL, 0}, {0, ALL, 0}}, /* Time-Stamp Counter Offset */
	{0x0024000300002012, 1, 1, {0, ALL, 0}, {0}}, /* Virtual APIC */
	{0x0024000300002014, 1, 1, {0, ALL, 0}, {0}}, /* APIC access */
	{0x0024000300002016, 1, 1, {ALL, ALL, 0}, {0xffffffffffffffc0, 0xffffffffffffffc0, 0}}, /* Posted-interrupt descriptor address */
	{0x0024000300002018, 1, 1, {ALL, ALL, 0}, {0}}, /* VM-Function Controls */
	{0x002400030000201a, 1, 1, {ALL, ALL, 0}, {0}}, /* EPTP */
	{0x002400030000201c, 1, 1, {0, ALL, 0}, {0}}, /* EOI exit 0 */
	{0x002400030000201e, 1, 1, {0, ALL, 0}, {0}}, /* EOI exit 1 */
	{0x0024000300002020, 1, 1, {0, ALL, 0}, {0}}, /* EOI exit 2 */
	{0x0024000300002022, 1, 1, {0, ALL, 0}, {0}}, /* EOI exit 3 */
	{0x0024000300002024, 1, 1, {ALL, ALL, 0}, {0}}, /* EPTP-list address */
	{0x0024000300002026, 1, 1, {0, ALL, 0}, {0}}, /* VMREAD bitmap */
	{0x0024000300002028, 1, 1, {0, ALL, 0}, {0}}, /* VMWRITE bitmap */
	{0x002400030000202a, 1, 1, {0, ALL, 0}, {0}}, /* VE information */
	{0x002400030000202c, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* XSS-Exiting Bitmap */
	{0x002400030000202e, 1, 1, {0, ALL, 0}, {0}}, /* ENCLS bitmap */
	{0x0024000300002032, 1, 1, {ALL, ALL, 0}, {0, ALL, 0}}, /* Time-Stamp Counter Multiplier */
	{0x0024000300002034, 1, 1, {0, ALL, 0}, {0, 0x1, 0}}, /* Tertiary Processor-Based VM-Exection Controls */
	{0x0024000300002036, 1, 1, {0, ALL, 0}, {0}}, /* ENCLV bitmap */
	{0x002400030000203c, 1, 1, {0xffffffffff000, ALL, 0}, {0xffffffffff000, 0xffffffffff000, 0}}, /* Shared EPTP */
	{0x0024000300002400, 1, 1, {0, ALL, 0}, {0}}, /* Guest-physical address */
	{0x0024000300002800, 1, 1, {0, ALL, 0}, {0}}, /* VMCS link pointer */
	{0x0024000300002802, 1, 1, {0, ALL, 0}, {0, 0xffc7, 0}}, /* IA32_DEBUGCTL */
	{0x0024000300002804, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_PAT */
	{0x0024000300002806, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_EFER */
	{0x0024000300002808, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_PERF_GLOBAL_CTRL */
	{0x002400030000280a, 1, 1, {0, ALL, 0}, {0}}, /* PDPTE0 */
	{0x002400030000280c, 1, 1, {0, ALL, 0}, {0}}, /* PDPTE1 */
	{0x002400030000280e, 1, 1, {0, ALL, 0}, {0}}, /* PDPTE2 */
	{0x0024000300002810, 1, 1, {0, ALL, 0}, {0}}, /* PDPTE3 */
	{0x0024000300002814, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_RTIT_CTL */
	{0x0024000300002816, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_LBR_CTL */
	{0x0024000300002818, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_GUEST_PKRS */
	{0x0024000300002c00, 1, 1, {0, ALL, 0}, {0}}, /* Host PAT */
	{0x0024000300002c02, 1, 1, {0, ALL, 0}, {0}}, /* Host EFER */
	{0x0024000300002c04, 1, 1, {0, ALL, 0}, {0}}, /* Host PERF_GLOBAL_CTRL */
	{0x0024000300002c06, 1, 1, {0, ALL, 0}, {0}}, /* Host PKRS */
	{0x0024000200004000, 1, 1, {0x80, ALL, 0}, {0x80, 0x80, 0}}, /* Pin-Based VM-Exection Controls */
	{0x0024000200004002, 1, 1, {0, ALL, 0}, {0, 0x69999a04, 0}}, /* Primary Processor-Based VM-Exection Controls */
	{0x0024000200004004, 1, 1, {0, ALL, 0}, {0, 0xfffbffff, 0}}, /* Exception Bitmap */
	{0x0024000200004006, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Page-fault error-code mask */
	{0x0024000200004008, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Page-fault error-code match */
	{0x002400020000400a, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* CR3-Target Count */
	{0x002400020000400c, 1, 1, {0, ALL, 0}, {0}}, /* Exit controls */
	{0x002400020000400e, 1, 1, {0, ALL, 0}, {0}}, /* Exit MSR store count */
	{0x0024000200004010, 1, 1, {0, ALL, 0}, {0}}, /* Exit MSR load count */
	{0x0024000200004012, 1, 1, {0, ALL, 0}, {0}}, /* Entry controls */
	{0x0024000200004014, 1, 1, {0, ALL, 0}, {0}}, /* Entry MSR load count */
	{0x0024000200004016, 1, 1, {0, ALL, 0}, {0}}, /* Entry interruption information */
	{0x0024000200004018, 1, 1, {0, ALL, 0}, {0}}, /* Entry exception error code */
	{0x002400020000401a, 1, 1, {0, ALL, 0}, {0}}, /* Entry instruction length */
	{0x002400020000401c, 1, 1, {0, ALL, 0}, {0}}, /* TPR threshold */
	{0x002400020000401e, 1, 1, {0xc0000000, ALL, 0}, {0xc0000000, 0xc0130c04, 0}}, /* Secondary Processor-Based VM-Exection Controls */
	{0x0024000200004020, 1, 1, {ALL, ALL, 0}, {0, ALL, 0}}, /* PLE_GAP */
	{0x0024000200004022, 1, 1, {ALL, ALL, 0}, {0, ALL, 0}}, /* PLE_Window */
	{0x0024000200004024, 1, 1, {ALL, ALL, 0}, {ALL, ALL, 0}}, /* Instruction Timeout Control */
	{0x0024000200004026, 1, 1, {ALL, ALL, 0}, {0}}, /* TD HKID */
	{0x0024000200004400, 1, 1, {0, ALL, 0}, {0}}, /* VM-instruction error */
	{0x0024000200004402, 1, 1, {0, ALL, 0}, {0}}, /* Exit reason */
	{0x0024000200004404, 1, 1, {0, ALL, 0}, {0}}, /* Exit interruption information */
	{0x0024000200004406, 1, 1, {0, ALL, 0}, {0}}, /* Exit interruption error code */
	{0x0024000200004408, 1, 1, {0, ALL, 0}, {0}}, /* IDT-vectoring information */
	{0x002400020000440a, 1, 1, {0, ALL, 0}, {0}}, /* IDT-vectoring error code */
	{0x002400020000440c, 1, 1, {0, ALL, 0}, {0}}, /* Exit instruction length */
	{0x002400020000440e, 1, 1, {0, ALL, 0}, {0}}, /* Exit instruction information */
	{0x0024000200004800, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest ES limit */
	{0x0024000200004802, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest CS limit */
	{0x0024000200004804, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest SS limit */
	{0x0024000200004806, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest DS limit */
	{0x0024000200004808, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest FS limit */
	{0x002400020000480a, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest GS limit */
	{0x002400020000480c, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest LDTR limit */
	{0x002400020000480e, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest TR limit */
	{0x0024000200004810, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest GDTR limit */
	{0x0024000200004812, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest IDTR limit */
	{0x0024000200004814, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest ES access rights */
	{0x0024000200004816, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest CS access rights */
	{0x0024000200004818, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest SS access rights */
	{0x002400020000481a, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest DS access rights */
	{0x002400020000481c, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest FS access rights */
	{0x002400020000481e, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest GS access rights */
	{0x0024000200004820, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest LDTR access rights */
	{0x0024000200004822, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest TR access rights */
	{0x0024000200004824, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Interruptibility State */
	{0x0024000200004826, 1, 1, {0, ALL, 0}, {0}}, /* Activity state */
	{0x0024000200004828, 1, 1, {0, ALL, 0}, {0}}, /* SMBASE */
	{0x002400020000482a, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_SYSENTER_CS */
	{0x002400020000482e, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* VMX-Preemption Timer Value */
	{0x0024000200004c00, 1, 1, {0, ALL, 0}, {0}}, /* Host SYSENTER_CS */
	{0x0024000300006000, 1, 1, {0, ALL, 0}, {0, 0xffffffff9fffffde, 0}}, /* CR0 Guest/Host Mask */
	{0x0024000300006002, 1, 1, {0, ALL, 0}, {0, 0xffffffffffff9fbf, 0}}, /* CR4 Guest/Host Mask */
	{0x0024000300006004, 1, 1, {0, ALL, 0}, {0, 0xffffffffffffffde, 0}}, /* CR0 Read Shadow */
	{0x0024000300006006, 1, 1, {0, ALL, 0}, {0, 0xffffffffffffffbf, 0}}, /* CR4 Read Shadow */
	{0x0024000300006008, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* CR3-Target Values */
	{0x002400030000600a, 1, 1, {0, ALL, 0}, {0}}, /* CR3 target 1 */
	{0x002400030000600c, 1, 1, {0, ALL, 0}, {0}}, /* CR3 target 2 */
	{0x002400030000600e, 1, 1, {0, ALL, 0}, {0}}, /* CR3 target 3 */
	{0x0024000300006400, 1, 1, {0, ALL, 0}, {0}}, /* Exit qualification */
	{0x0024000300006402, 1, 1, {0, ALL, 0}, {0}}, /* I/O RCX */
	{0x0024000300006404, 1, 1, {0, ALL, 0}, {0}}, /* I/O RSI */
	{0x0024000300006406, 1, 1, {0, ALL, 0}, {0}}, /* I/O RDI */
	{0x0024000300006408, 1, 1, {0, ALL, 0}, {0}}, /* I/O RIP */
	{0x002400030000640a, 1, 1, {0, ALL, 0}, {0}}, /* Guest-linear address */
	{0x0024000300006800, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest CR0 */
	{0x0024000300006802, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest CR3 */
	{0x0024000300006804, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest CR4 */
	{0x0024000300006806, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest ES base */
	{0x0024000300006808, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest CS base */
	{0x002400030000680a, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest SS base */
	{0x002400030000680c, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest DS base */
	{0x002400030000680e, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest FS base */
	{0x0024000300006810, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest GS base */
	{0x0024000300006812, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest LDTR base */
	{0x0024000300006814, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest TR base */
	{0x0024000300006816, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest GDTR base */
	{0x0024000300006818, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest IDTR base */
	{0x002400030000681a, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest DR7 */
	{0x002400030000681c, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest RSP */
	{0x002400030000681e, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest RIP */
	{0x0024000300006820, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Guest RFLAGS */
	{0x0024000300006822, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* Pending Debug Exceptions */
	{0x0024000300006824, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_SYSENTER_ESP */
	{0x0024000300006826, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_SYSENTER_EIP */
	{0x0024000300006828, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* GUEST_IA32_S_CET */
	{0x002400030000682a, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* GUEST_SSP */
	{0x002400030000682c, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR */
	{0x0024000300006c00, 1, 1, {0, ALL, 0}, {0}}, /* Host CR0 */
	{0x0024000300006c02, 1, 1, {0, ALL, 0}, {0}}, /* Host CR3 */
	{0x0024000300006c04, 1, 1, {0, ALL, 0}, {0}}, /* Host CR4 */
	{0x0024000300006c06, 1, 1, {0, ALL, 0}, {0}}, /* Host FS base */
	{0x0024000300006c08, 1, 1, {0, ALL, 0}, {0}}, /* Host GS base */
	{0x0024000300006c0a, 1, 1, {0, ALL, 0}, {0}}, /* Host TR base */
	{0x0024000300006c0c, 1, 1, {0, ALL, 0}, {0}}, /* Host GDTR base */
	{0x0024000300006c0e, 1, 1, {0, ALL, 0}, {0}}, /* Host IDTR base */
	{0x0024000300006c10, 1, 1, {0, ALL, 0}, {0}}, /* Host SYSENTER_ESP */
	{0x0024000300006c12, 1, 1, {0, ALL, 0}, {0}}, /* Host SYSENTER_EIP */
	{0x0024000300006c14, 1, 1, {0, ALL, 0}, {0}}, /* Host RSP */
	{0x0024000300006c16, 1, 1, {0, ALL, 0}, {0}}, /* Host RIP */
	{0x0024000300006c18, 1, 1, {0, ALL, 0}, {0}}, /* Host S_CET */
	{0x0024000300006c1a, 1, 1, {0, ALL, 0}, {0}}, /* Host SSP */
	{0x0024000300006c1c, 1, 1, {0, ALL, 0}, {0}}, /* Host SSP table */
	{0x0120000300000000, 128, 1, {0, ALL, 0}, {0}}, /* VAPIC */
	{0x0220000200000000, 1, 1, {0, ALL, 0}, {0}}, /* EXIT_REASON */
	{0x0220000200000001, 1, 1, {0, ALL, 0}, {0}}, /* VALID */
	{0x0220000300000002, 1, 1, {0, ALL, 0}, {0}}, /* EXIT_QUALIFICATION */
	{0x0220000300000003, 1, 1, {0, ALL, 0}, {0}}, /* GLA */
	{0x0220000300000004, 1, 1, {0, ALL, 0}, {0}}, /* GPA */
	{0x0220000100000005, 1, 1, {0, ALL, 0}, {0}}, /* EPTP_INDEX */
	{0x8220000200000010, 1, 1, {0, ALL, 0}, {0}}, /* INSTRUCTION_LENGTH */
	{0x8220000200000011, 1, 1, {0, ALL, 0}, {0}}, /* INSTRUCTION_INFORMATION */
	{0x1020000300000000, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* RAX */
	{0x1020000300000001, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* RCX */
	{0x1020000300000002, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* RDX */
	{0x1020000300000003, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* RBX */
	{0x1020000300000004, 1, 1, {0, 0, 0}, {0}}, /* RSP_PLACEHOLDER */
	{0x1020000300000005, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* RBP */
	{0x1020000300000006, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* RSI */
	{0x1020000300000007, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* RDI */
	{0x1020000300000008, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* R8 */
	{0x1020000300000009, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* R9 */
	{0x102000030000000a, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* R10 */
	{0x102000030000000b, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* R11 */
	{0x102000030000000c, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* R12 */
	{0x102000030000000d, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* R13 */
	{0x102000030000000e, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* R14 */
	{0x102000030000000f, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* R15 */
	{0x1120000300000000, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* DR0 */
	{0x1120000300000001, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* DR1 */
	{0x1120000300000002, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* DR2 */
	{0x1120000300000003, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* DR3 */
	{0x1120000300000006, 1, 1, {0, ALL, 0}, {0, 0xffffffff, 0}}, /* DR6 */
	{0x1120000300000020, 1, 1, {0, ALL, 0}, {0}}, /* XCR0 */
	{0x1120000300000028, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* CR2 */
	{0x9120000300000100, 1, 1, {ALL, ALL, 0}, {0}}, /* VCPU_STATE_DETAILS */
	{0x1220000300000000, 1536, 1, {0, ALL, 0}, {0, ALL, 0}}, /* XBUFF */
	{0x1320000300000048, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_SPEC_CTRL */
	{0x13200003000000e1, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_UMWAIT_CONTROL */
	{0x1320000300000122, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_TSX_CTRL */
	{0x1320000300000186, 8, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_PERFEVTSELx */
	{0x13200003000001a6, 2, 1, {0, ALL, 0}, {0, ALL, 0}}, /* MSR_OFFCORE_RSPx */
	{0x13200003000001c4, 1, 1, {0, ALL, 0}, {0}}, /* IA32_XFD */
	{0x13200003000001c5, 1, 1, {0, ALL, 0}, {0}}, /* IA32_XFD_ERR */
	{0x1320000300000309, 7, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_FIXED_CTRx */
	{0x1320000300000329, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_PERF_METRICS */
	{0x132000030000038d, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_FIXED_CTR_CTRL */
	{0x132000030000038e, 1, 1, {0, ALL, 0}, {0}}, /* IA32_PERF_GLOBAL_STATUS */
	{0x13200003000003f1, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_PEBS_ENABLE */
	{0x13200003000003f2, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* MSR_PEBS_DATA_CFG */
	{0x13200003000003f6, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* MSR_PEBS_LD_LAT */
	{0x13200003000003f7, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* MSR_PEBS_FRONTEND */
	{0x13200003000004c1, 8, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_A_PMCx */
	{0x1320000300000600, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_DS_AREA */
	{0x1320000300000da0, 1, 1, {0, ALL, 0}, {0}}, /* IA32_XSS */
	{0x13200003000014cf, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_LBR_DEPTH */
	{0x1320000300001b01, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_UARCH_MISC_CTL */
	{0x1320000300002081, 1, 1, {0, ALL, 0}, {0}}, /* IA32_STAR */
	{0x1320000300002082, 1, 1, {0, ALL, 0}, {0}}, /* IA32_LSTAR */
	{0x1320000300002084, 1, 1, {0, ALL, 0}, {0}}, /* IA32_FMASK */
	{0x1320000300002102, 1, 1, {0, ALL, 0}, {0}}, /* IA32_KERNEL_GS_BASE */
	{0x1320000300002103, 1, 1, {0, ALL, 0}, {0, ALL, 0}}, /* IA32_TSC_AUX */
	{0xa020000000000000, 1, 1, {0, ALL, 0}, {0}}, /* VCPU_STATE */
	{0xa020000200000002, 1, 1, {ALL, ALL, ALL}, {0}}, /* VCPU_INDEX */
	{0xa020000000000003, 1, 1, {ALL, ALL, 0}, {0}}, /* NUM_TDVPS_PAGES */
	{0xa020000200000004, 1, 1, {ALL, ALL, 0}, {0}}, /* ASSOC_LPID */
	{0xa020000300000006, 1, 1, {ALL, ALL, 0}, {0}}, /* VCPU_EPOCH */
	{0xa020000000000007, 1, 1, {ALL, ALL, ALL}, {0, 0, ALL}}, /* CPUID_SUPERVISOR_VE */
	{0xa020000000000008, 1, 1, {ALL, ALL, ALL}, {0, 0, ALL}}, /* CPUID_USER_VE */
	{0xa02000030000000a, 1, 1, {0, ALL, 0}, {0}}, /* LAST_EXIT_TSC */
	{0x202000000000000b, 1, 1, {ALL, ALL, 0}, {ALL, ALL, 0}}, /* PEND_NMI */
	{0x202000030000000c, 1, 1, {ALL, ALL, 0}, {0, ALL, 0}}, /* XFAM */
	{0xa02000000000000d, 1, 1, {0, ALL, 0}, {0}}, /* LAST_EPF_GPA_LIST_IDX */
	{0xa02000000000000e, 1, 1, {0, ALL, 0}, {0}}, /* POSSIBLY_EPF_STEPPING */
	{0xa02000000000000f, 1, 1, {0, ALL, 0}, {0}}, /* LAST_TD_EXIT */
	{0xa020000300000010, 15, 1, {ALL, ALL, 0}, {0}}, /* TDVPS_PAGE_PA */
	{0xa020000300000030, 1, 1, {0, ALL, 0}, {0}}, /* HP_LOCK_BUSY_START */
	{0xa020000000000031, 1, 1, {0, ALL, 0}, {0}}, /* HP_LOCK_BUSY */
	{0xa020000300000032, 1, 1, {0, ALL, 0}, {0}}, /* LAST_SEAMDB_INDEX */
	{0xa020000000000040, 1, 1, {0, ALL, 0}, {0}}, /* NMI_UNBLOCKING_DUE_TO_IRET */
	{0xa020000100000041, 1, 1, {0, ALL, 0}, {0}}, /* CURR_VM */
	{0xa020000000000042, 1, 1, {0, ALL, 0}, {0}}, /* L2_EXIT_HOST_ROUTING */
	{0xa020000000000044, 4, 1, {0, ALL, 0}, {0}}, /* VM_LAUNCHED */
	{0xa020000000000048, 4, 1, {0, ALL, 0}, {0}}, /* LP_DEPENDENT_HPA_UPDATED */
	{0xa02000000000004c, 4, 1, {0, ALL, 0}, {0}}, /* MODULE_DEPENDENT_FIELDS_UPDATED */
	{0xa020000300000050, 4, 1, {0, ALL, ALL}, {0, 0x7, 0x7}}, /* L2_CTLS */
	{0xa020000300000054, 4, 1, {0, ALL, 0}, {0, 0x7, 0}}, /* L2_DEBUG_CTLS */
	{0xa020000300000058, 4, 1, {0, ALL, ALL}, {0, 0, ALL}}, /* TSC_DEADLINE */
	{0xa02000030000005c, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_TSC_DEADLINE */
	{0xa020000300000080, 1, 1, {0, ALL, 0}, {0, 0xffffffff9fffffdf, 0}}, /* BASE_L2_CR0_GUEST_HOST_MASK */
	{0xa020000300000081, 1, 1, {0, ALL, 0}, {0, 0xffffffff9fffffdf, 0}}, /* BASE_L2_CR0_READ_SHADOW */
	{0xa020000300000082, 1, 1, {0, ALL, 0}, {0, 0xffffffffffff9fbf, 0}}, /* BASE_L2_CR4_GUEST_HOST_MASK */
	{0xa020000300000083, 1, 1, {0, ALL, 0}, {0, 0xffffffff9fffffdf, 0}}, /* BASE_L2_CR4_READ_SHADOW */
	{0xa020000300000084, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_CR0_GUEST_HOST_MASK */
	{0xa020000300000088, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_CR0_READ_SHADOW */
	{0xa02000030000008c, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_CR4_GUEST_HOST_MASK */
	{0xa020000300000090, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_CR4_READ_SHADOW */
	{0xa020000200000094, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_INSTRUCTION_TIMEOUT_CONTROL */
	{0xa020000300000098, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_PID_HPA */
	{0xa02000020000009c, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_PINBASED_EXEC_CTLS */
	{0xa0200002000000a4, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_PLE_GAP */
	{0xa0200002000000a8, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_PLE_WINDOW */
	{0xa0200001000000ac, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_POSTED_INT_NOTIFICATION_VECTOR */
	{0xa0200002000000b0, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_PROCBASED_EXEC_CTLS2 */
	{0xa0200003000000b4, 4, 1, {0, ALL, 0}, {0}}, /* SHADOW_SHARED_EPTP */
	{0xa020000300000100, 4, 1, {0, ALL, 0}, {0}}, /* L2_ENTER_GUEST_STATE_GPA */
	{0xa020000300000104, 4, 1, {0, ALL, 0}, {0}}, /* L2_ENTER_GUEST_STATE_HPA */
	{0xa020000300000108, 4, 1, {0, ALL, 0}, {0}}, /* VE_INFO_GPA */
	{0xa02000030000010c, 4, 1, {0, ALL, 0}, {0}}, /* VE_INFO_HPA */
	{0xa020000300000110, 4, 1, {0, ALL, 0}, {0}}, /* L2_VAPIC_GPA */
	{0xa020000300000114, 4, 1, {0, ALL, 0}, {0}}, /* L2_VAPIC_HPA */
	{0xa120000000000000, 128, 1, {0, ALL, ALL}, {0, 0, 0x3}}, /* CPUID_CONTROL */
	{0xa220000300000200, 32, 1, {0, ALL, 0}, {0}}, /* LAST_EPF_GPA_LIST */
	{0x2520000300000000, 512, 1, {0, ALL, ALL}, {0, ALL, ALL}}, /* L2_MSR_BITMAPS_1 */
	{0xa620000300000000, 512, 1, {0, ALL, 0}, {0}}, /* L2_SHADOW_MSR_BITMAPS_1 */
	{0x2d20000300000000, 512, 1, {0, ALL, ALL}, {0, ALL, ALL}}, /* L2_MSR_BITMAPS_2 */
	{0xae20000300000000, 512, 1, {0, ALL, 0}, {0}}, /* L2_SHADOW_MSR_BITMAPS_2 */
	{0x3520000300000000, 512, 1, {0, ALL, ALL}, {0, ALL, ALL}}, /* L2_MSR_BITMAPS_3 */
	{0xb620000300000000, 512, 1, {0, ALL, 0}, {0}}, /* L2_SHADOW_MSR_BITMAPS_3 */
};
/* clang-format on */
