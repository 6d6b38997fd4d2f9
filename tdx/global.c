/* SPDX-License-Identifier: MIT */
#define LOG_TAG "tdx"

#include "tdx/global.h"

#include <stdbool.h>
#include <stddef.h>

#include "core/log.h"
#include "core/string.h"
#include "mm/frame.h"
#include "mm/phys.h"
#include "tdx/tdh.h"

static struct tdx_global global;

const struct tdx_global *tdx_global(void) { return &global; }

/* Where each field goes, and where SYS.INFO has it, which fills it first if there is that. */
static const struct {
	uint64_t id;
	const char *name;
	size_t offset, info_offset, info_size; /* size 0: only SYS.RD has it */
} fields[] = {
#define FIELD(name, id, member, info_offset, info_size)                                        \
	{                                                                                      \
		id, #name, offsetof(struct tdx_global, member), info_offset, info_size         \
	}
#define BOTH(name, id, member, info)                                                           \
	FIELD(name, id, member, offsetof(struct tdx_sysinfo, info),                            \
	      sizeof(((struct tdx_sysinfo *)NULL)->info))
#define ONLY_RD(name, id, member) FIELD(name, id, member, 0, 0)
	BOTH(MAJOR_VERSION, 0x0800000100000004, major, major_version),
	BOTH(MINOR_VERSION, 0x0800000100000003, minor, minor_version),
	ONLY_RD(UPDATE_VERSION, 0x0800000100000005, update),
	BOTH(BUILD_DATE, 0x8800000200000001, build_date, build_date),
	ONLY_RD(TDX_FEATURES0, 0x0a00000300000008, features0),
	BOTH(MAX_TDMRS, 0x9100000100000008, max_tdmrs, max_tdmrs),
	BOTH(MAX_RESERVED_PER_TDMR, 0x9100000100000009, max_reserved, max_reserved_per_tdmr),
	BOTH(PAMT_4K_ENTRY_SIZE, 0x9100000100000010, pamt_entry_size[LEVEL_4K],
	     pamt_entry_size),
	BOTH(PAMT_2M_ENTRY_SIZE, 0x9100000100000011, pamt_entry_size[LEVEL_2M],
	     pamt_entry_size),
	BOTH(PAMT_1G_ENTRY_SIZE, 0x9100000100000012, pamt_entry_size[LEVEL_1G],
	     pamt_entry_size),
	BOTH(TDCS_BASE_SIZE, 0x9800000100000100, tdcs_size, tdcs_base_size),
	BOTH(TDVPS_BASE_SIZE, 0x9800000100000200, tdvps_size, tdvps_base_size),
	BOTH(ATTRIBUTES_FIXED0, 0x1900000300000000, attributes_fixed0, attributes_fixed0),
	BOTH(ATTRIBUTES_FIXED1, 0x1900000300000001, attributes_fixed1, attributes_fixed1),
	BOTH(XFAM_FIXED0, 0x1900000300000002, xfam_fixed0, xfam_fixed0),
	BOTH(XFAM_FIXED1, 0x1900000300000003, xfam_fixed1, xfam_fixed1),
	ONLY_RD(CONFIG_FLAGS_FIXED0, 0x9900000300000006, config_flags_fixed0),
	ONLY_RD(CONFIG_FLAGS_FIXED1, 0x9900000300000007, config_flags_fixed1),
	BOTH(NUM_CPUID_CONFIG, 0x9900000100000004, cpuid_config_count, num_cpuid_config),
#undef FIELD
#undef BOTH
#undef ONLY_RD
};

#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))

static void take_sysinfo(const struct tdx_sysinfo *info, const struct tdx_cmr_info *cmrs)
{
	for (unsigned i = 0; i < FIELD_COUNT; i++)
		memcpy((char *)&global + fields[i].offset,
		       (const char *)info + fields[i].info_offset, fields[i].info_size);
	memcpy(global.cpuid_config, info->cpuid_config, sizeof(global.cpuid_config));
	for (unsigned i = 0; i < TDX_MAX_CMRS && cmrs[i].size; i++)
		global.cmrs[global.cmr_count++] =
			(struct hpa_range){hpa(cmrs[i].base), cmrs[i].size};
}

/*
 * SYS.INFO goes first: in 1.5.01 it alone names the CPUID bits that are configurable because
 * the CPU has them. A module without it is no error, SYS.RD follows.
 */
static enum status read_sysinfo(bool *has_sysinfo)
{
	hpa_t page;
	enum status s = frame_alloc(LEVEL_4K, FRAME_HOST, &page);

	if (s)
		return s;
	memset(phys_ptr(page), 0, PAGE_SIZE);
	*has_sysinfo =
		!tdx_is_error(tdh_sys_info(page, hpa_add(page, sizeof(struct tdx_sysinfo))));
	if (*has_sysinfo)
		take_sysinfo(phys_ptr(page),
			     phys_ptr(hpa_add(page, sizeof(struct tdx_sysinfo))));
	else
		seamcall_log_last(LOG_WARN, "no SYS.INFO");
	frame_free(page, PAGE_SIZE);
	return STATUS_OK;
}

static enum status read_fields(bool has_sysinfo)
{
	for (unsigned i = 0; i < FIELD_COUNT; i++) {
		char *to = (char *)&global + fields[i].offset;
		uint64_t value;

		if (!tdx_is_error(tdh_sys_rd(fields[i].id, &value))) {
			memcpy(to, &value, sizeof(value));
		} else if (!has_sysinfo && fields[i].info_size) {
			seamcall_log_last(LOG_ERROR, fields[i].name);
			return STATUS_UNSUPPORTED;
		}
	}
	return STATUS_OK;
}

static void read_cmrs(void)
{
	unsigned count = 0;
	uint64_t max;

	if (tdx_is_error(tdh_sys_rd(MD_NUM_CMRS, &max)))
		return;
	for (; count < max && count < TDX_MAX_CMRS; count++) {
		uint64_t base;
		uint64_t size;

		if (tdx_is_error(tdh_sys_rd(MD_CMR_BASE + count, &base)) ||
		    tdx_is_error(tdh_sys_rd(MD_CMR_SIZE + count, &size)) || size == 0)
			break;
		global.cmrs[count] = (struct hpa_range){hpa(base), size};
	}
	if (count)
		global.cmr_count = count;
}

/* Adds what SYS.RD says to the masks; a module may tell more through either. */
static void read_cpuid_config(void)
{
	for (uint64_t i = 0; i < global.cpuid_config_count; i++) {
		struct tdx_cpuid_config_entry *e = &global.cpuid_config[i];
		uint64_t leaf;
		uint64_t low;
		uint64_t high;

		if (tdx_is_error(tdh_sys_rd(MD_CPUID_CONFIG_LEAVES + i, &leaf)) ||
		    tdx_is_error(tdh_sys_rd(MD_CPUID_CONFIG_VALUES + 2 * i, &low)) ||
		    tdx_is_error(tdh_sys_rd(MD_CPUID_CONFIG_VALUES + 2 * i + 1, &high)))
			return;
		e->leaf = (uint32_t)leaf;
		e->subleaf = (uint32_t)(leaf >> 32);
		e->eax |= (uint32_t)low;
		e->ebx |= (uint32_t)(low >> 32);
		e->ecx |= (uint32_t)high;
		e->edx |= (uint32_t)(high >> 32);
	}
}

/* Numbers that the rest of tdx/ builds on: out of range means a module that we do not know. */
static bool is_sensible(void)
{
	bool ok = global.max_tdmrs >= 1 && global.max_reserved >= 1 && global.cmr_count >= 1;

	for (enum page_level l = LEVEL_4K; l < LEVEL_512G; l++)
		ok = ok && global.pamt_entry_size[l] >= 1 && global.pamt_entry_size[l] <= 4096;
	ok = ok && global.tdcs_size >= PAGE_SIZE && global.tdcs_size <= 16 * PAGE_SIZE;
	ok = ok && global.tdvps_size >= PAGE_SIZE && global.tdvps_size <= 16 * PAGE_SIZE;
	return ok && global.cpuid_config_count <= TDX_MAX_CPUID_CONFIG;
}

enum status tdx_global_read(void)
{
	bool has_sysinfo;
	enum status s;

	memset(&global, 0, sizeof(global));
	s = read_sysinfo(&has_sysinfo);
	if (s)
		return s;
	s = read_fields(has_sysinfo);
	if (s)
		return s;
	read_cmrs();
	if (!is_sensible()) {
		log_error(
			"the module's numbers make no sense: %llu TDMRs, %llu reserved areas, "
			"%u CMRs, TDCS %llu and TDVPS %llu bytes, %llu CPUID leaves",
			(unsigned long long)global.max_tdmrs,
			(unsigned long long)global.max_reserved, global.cmr_count,
			(unsigned long long)global.tdcs_size,
			(unsigned long long)global.tdvps_size,
			(unsigned long long)global.cpuid_config_count);
		return STATUS_UNSUPPORTED;
	}
	if (global.max_tdmrs > TDX_MAX_TDMRS)
		global.max_tdmrs = TDX_MAX_TDMRS;
	if (global.max_reserved > TDX_MAX_RESERVED)
		global.max_reserved = TDX_MAX_RESERVED;
	read_cpuid_config();
	return STATUS_OK;
}
