/* SPDX-License-Identifier: MIT */
/* The two ways in, up to a struct boot_info. */
#define LOG_TAG "boot"
#include "boot/image.h"
#include "boot/multiboot2.h"
#include "core/cpu_hw.h"
#include "core/log.h"
#include "core/panic.h"
#include "core/string.h"
#include "core/trap.h"
#include "drivers/uart.h"
#include "mm/phys.h"

#define RSDP_MAX   36U
#define COM1       0x3f8U
#define BAUD       115200U
#define STACK_SIZE 4096U

/* Until guarded stacks exist; see boot/smp.c. */
static char first_ist[3][STACK_SIZE] __attribute__((aligned(16)));

static struct boot_info multiboot2_boot_info;

/* The loader's copy lies in its information, which may share a page with a module's tail. */
static char rsdp_copy[RSDP_MAX] __attribute__((aligned(16)));

static uint64_t top(const char *stack) { return (uint64_t)stack + STACK_SIZE; }

/*
 * The first thing in C on the BSP: exceptions work, this_cpu() is 0, the log goes to
 * COM1 until the configuration says otherwise.
 */
static void early_init(void)
{
	const struct cpu_stacks stacks = {top(first_ist[0]), top(first_ist[1]),
					  top(first_ist[2])};

	trap_init();
	cpu_init_this(0, &stacks);
	uart_init(COM1, BAUD);
	log_set_sink(uart_write);
}

/* The contract of struct boot_module, which GRUB leaves to chance: zeros after the end. */
static void zero_module_tails(const struct boot_info *bi)
{
	for (uint32_t i = 0; i < bi->module_count; i++) {
		const struct boot_module *m = &bi->modules[i];
		uint64_t end = m->base.raw + m->size;

		memset(phys_ptr(hpa(end)), 0, align_up(end, PAGE_SIZE) - end);
	}
}

static hpa_t keep_rsdp(hpa_t rsdp, hpa_t info_end)
{
	uint64_t left = info_end.raw - rsdp.raw;

	if (rsdp.raw == 0)
		return rsdp;
	memcpy(rsdp_copy, phys_ptr(rsdp), left < RSDP_MAX ? left : RSDP_MAX);
	return hpa(IMAGE_LOAD_ADDRESS + (uint64_t)(rsdp_copy - image_start));
}

/* Its load address is fixed, so the image is where the first page tables say. */
void multiboot2_main(uint32_t magic, uint32_t info)
{
	struct boot_info *bi = &multiboot2_boot_info;
	const void *p = phys_ptr(hpa(info));
	enum status s;

	early_init();
	if (magic != MULTIBOOT2_LOADER_MAGIC)
		panic("not started by a Multiboot2 loader: magic %#x", magic);
	if (multiboot2_size(p) == 0)
		panic("Multiboot2 information at %#x makes no sense", info);
	s = multiboot2_parse(p, multiboot2_size(p), hpa(info), bi);
	if (s != STATUS_OK)
		panic("Multiboot2 information: %s", status_name(s));
	bi->rsdp = keep_rsdp(bi->rsdp, hpa_add(hpa(info), multiboot2_size(p)));
	bi->kernel_base = hpa(IMAGE_LOAD_ADDRESS);
	s = boot_range_set(bi, bi->kernel_base,
			   align_up((uint64_t)(image_end - image_start), PAGE_SIZE),
			   BOOT_MEM_KERNEL);
	if (s != STATUS_OK)
		panic("memory map: %s", status_name(s));
	zero_module_tails(bi);
	hv_main(bi);
}

void uefi_main(struct boot_info *bi)
{
	early_init();
	if (bi->magic != BOOT_INFO_MAGIC)
		panic("the UEFI loader is of another version: magic %#lx", bi->magic);
	hv_main(bi);
}
