/* SPDX-License-Identifier: MIT */
#include "tdx/status.h"

#include "core/log.h"

const char *tdx_leaf_name(uint64_t leaf)
{
	switch (leaf & 0xffff) {
#define X(name, number, text)                                                                  \
	case TDH_##name:                                                                       \
		return text;
		TDH_LEAF_LIST(X)
#undef X
	default:
		return "TDH.?";
	}
}

const char *tdx_code_name(uint32_t code)
{
	switch (code) {
#define X(name, value)                                                                         \
	case TDX_##name:                                                                       \
		return "TDX_" #name;
		TDX_STATUS_LIST(X)
		TDX_OPERAND_STATUS_LIST(X)
		TDX_NEWER_STATUS_LIST(X)
		TDX_SOFTWARE_STATUS_LIST(X)
#undef X
	default:
		return NULL;
	}
}

const char *tdx_operand_name(uint32_t operand)
{
	switch (operand) {
#define X(name, value)                                                                         \
	case TDX_OPERAND_ID_##name:                                                            \
		return #name;
		TDX_OPERAND_LIST(X)
#undef X
	default:
		return NULL;
	}
}

static bool has_operand(uint32_t code)
{
	switch (code) {
#define X(name, value) case TDX_##name:
		TDX_OPERAND_STATUS_LIST(X)
#undef X
		return true;
	default:
		return false;
	}
}

void tdx_format_status(char *buf, size_t size, tdx_status_t s)
{
	const char *name = tdx_code_name(tdx_code(s));
	const char *operand =
		has_operand(tdx_code(s)) ? tdx_operand_name(tdx_operand(s)) : NULL;

	if (!name)
		format(buf, size, "unknown status %#llx", (unsigned long long)s.raw);
	else if (operand)
		format(buf, size, "%s(%s)", name, operand);
	else if (tdx_operand(s))
		format(buf, size, "%s(%#x)", name, tdx_operand(s));
	else
		format(buf, size, "%s", name);
}
