/* SPDX-License-Identifier: MIT */
/* The bring-up list. */
#define LOG_TAG "boot"
#include "boot/host_map.h"
#include "boot/image.h"
#include "boot/smp.h"
#include "core/cpu.h"
#include "core/cpu_hw.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/panic.h"
#include "drivers/acpi.h"
#include "drivers/ioapic.h"
#include "drivers/lapic.h"
#include "drivers/pci.h"
#include "drivers/power.h"
#include "drivers/timer.h"
#include "drivers/uart.h"
#include "mgmt/config.h"
#include "mgmt/shell.h"
#include "mm/frame.h"
#include "mm/paging.h"
#include "mm/phys.h"
#include "tdx/module.h"
#include "vm/cpu_loop.h"
#include "vm/vm.h"

#define CONFIG_NAME     "redoubt.cfg"
#define PANIC_EXIT_CODE 18U /* isa-debug-exit ends QEMU with 2 * 18 + 1 = 37 */

static struct acpi_info acpi;
static struct config config;

static void print_boot_info(const struct boot_info *bi)
{
	static const char *const kinds[] = {[BOOT_MEM_USABLE] = "usable",
					    [BOOT_MEM_RESERVED] = "reserved",
					    [BOOT_MEM_ACPI] = "ACPI",
					    [BOOT_MEM_KERNEL] = "kernel",
					    [BOOT_MEM_MODULE] = "module"};

	log_info("booted by %s, image at %#lx, RSDP at %#lx", bi->boot_path,
		 bi->kernel_base.raw, bi->rsdp.raw);
	for (uint32_t i = 0; i < bi->range_count; i++) {
		const struct boot_range *r = &bi->ranges[i];

		log_info("memory [0x%012lx, 0x%012lx) %s", r->base.raw, r->base.raw + r->size,
			 kinds[r->kind]);
	}
	for (uint32_t i = 0; i < bi->module_count; i++)
		log_info("module %s, %lu bytes", bi->modules[i].name, bi->modules[i].size);
}

static void check_cpu(void)
{
	const char *missing = cpu_missing_feature();

	if (missing != NULL)
		panic("the CPU lacks %s", missing);
}

static const void *map_acpi(hpa_t at, uint64_t size)
{
	return paging_map_direct(at, size) == STATUS_OK ? phys_ptr(at) : NULL;
}

/* Without a MADT there is still this CPU and its LAPIC. */
static void read_acpi(hpa_t rsdp)
{
	if (acpi_parse(rsdp, map_acpi, &acpi) != STATUS_OK)
		log_error("no usable ACPI tables: one CPU, no I/O APIC");
	power_init(&acpi);
}

static uint32_t highest_apic_id(void)
{
	uint32_t highest = cpu_read_apic_id();

	for (unsigned i = 0; i < acpi.cpu_count; i++) {
		if (acpi.apic_id[i] > highest)
			highest = acpi.apic_id[i];
	}
	return highest;
}

static void start_interrupts(void)
{
	enum status s = lapic_init(highest_apic_id());

	if (s != STATUS_OK)
		panic("local APIC: %s", status_name(s));
	cpus[0].apic_id = cpu_read_apic_id();
	cpu_count = 1;
	/* First the 8259s: a LINT0 that is masked with their line raised keeps QEMU's CPU
	 * waiting. */
	ioapic_init(&acpi);
	lapic_init_this_cpu();
	timer_init(&acpi);
	timer_init_this_cpu();
	uart_enable_interrupt();
}

static void print_config_error(void *ctx, const char *message)
{
	(void)ctx;
	log_error("%s", message);
}

/* Dirty lines of private KeyIDs must not be written back into the next owner's memory. */
static void end_after_panic(void)
{
	hw_wbinvd();
	power_end(config.on_panic, PANIC_EXIT_CODE);
}

static void read_config(const struct boot_info *bi)
{
	const struct boot_module *m = boot_module_find(bi, CONFIG_NAME);

	if (m == NULL)
		log_warn("no " CONFIG_NAME ": defaults, no TDs");
	config_parse(m == NULL ? "" : phys_ptr(m->base), m == NULL ? 0 : m->size, &config,
		     print_config_error, NULL);
	uart_init(config.console_port, config.console_baud);
	log_threshold = config.log;
	panic_set_end(end_after_panic);
}

/* On the BSP's own, guarded stack. */
static void bring_up(void *arg)
{
	const struct boot_info *bi = arg;
	enum status s;

	read_config(bi);
	start_interrupts();
	smp_start(bi, &acpi);
	s = tdx_module_init(bi);
	if (s != STATUS_OK)
		log_warn("TDX is off: %s", tdx_module_info()->refusal);
	vm_init(bi);
	shell_init(bi, &config);
	smp_release(cpu_loop);
	cpu_loop();
}

void hv_main(struct boot_info *bi)
{
	struct cpu_stacks stacks;
	uint64_t top;

	log_info("Redoubt starts");
	check_cpu();
	print_boot_info(bi);
	host_map_build(bi);
	cpu_set_features();
	read_acpi(bi->rsdp);
	log_info("PCI bus mastering cleared on %u functions", pci_stop_bus_masters(&acpi));
	frame_init(bi);
	log_info("%lu MiB of RAM", frame_total() >> 20);
	top = smp_create_stacks(&stacks);
	cpu_init_this(0, &stacks);
	boot_switch_stack(top, bring_up, bi);
}
