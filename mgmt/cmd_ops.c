/* SPDX-License-Identifier: MIT */
#include "drivers/power.h"
#include "mgmt/cmd.h"

const struct cmd_ops cmd_ops_machine = {
	.vm_create = vm_create,
	.vm_start = vm_start,
	.vm_destroy = vm_destroy,
	.vm_finish_reclaim = vm_finish_reclaim,
	.vm_shutdown_all = vm_shutdown_all,
	.vm_each = vm_each,
	.vm_get = vm_get,
	.vm_vcpus_each = vm_vcpus_each,
	.vm_td = vm_td,
	.vm_console_attach = vm_console_attach,
	.vm_console_input = vm_console_input,
	.tdx_module_info = tdx_module_info,
	.tdx_check_each = tdx_check_each,
	.tdx_keyid_free_count = tdx_keyid_free_count,
	.tdx_seamcall_count = tdx_seamcall_count,
	.tdx_module_stop = tdx_module_stop,
	.power_end = power_end,
};
