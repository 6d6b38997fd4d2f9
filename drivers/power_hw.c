/* SPDX-License-Identifier: MIT */
#define LOG_TAG "power"
#include "drivers/power.h"

#include <stddef.h>

#include "core/hw.h"
#include "core/log.h"
#include "drivers/acpi.h"
#include "drivers/power_insn.h"
#include "mm/paging.h"

#define EXIT_PORT         0xf4U
#define RESET_CONTROL     0xcf9U
#define PM1_SCI_EN        0x0001U
#define PM1_SLP_EN        0x2000U
#define ACPI_ENABLE_SPINS 1000000

static const struct acpi_info *acpi;
static volatile uint8_t *reset_register;

void power_init(const struct acpi_info *info)
{
	acpi = info;
	if (info->has_reset && info->reset_is_memory)
		reset_register = paging_map_mmio(hpa(info->reset_address), 1);
}

/* Sleep types are obeyed in ACPI mode only. */
static void enter_acpi_mode(void)
{
	if ((hw_in16(acpi->pm1a_control) & PM1_SCI_EN) != 0 || acpi->smi_command == 0 ||
	    acpi->acpi_enable == 0)
		return;
	hw_out8(acpi->smi_command, acpi->acpi_enable);
	for (int i = 0; i < ACPI_ENABLE_SPINS; i++) {
		if ((hw_in16(acpi->pm1a_control) & PM1_SCI_EN) != 0)
			return;
		hw_pause();
	}
}

static uint16_t slp_command(unsigned type) { return (uint16_t)((type & 7) << 10 | PM1_SLP_EN); }

static void sleep_s5(void)
{
	if (acpi == NULL || !acpi->has_s5 || acpi->pm1a_control == 0) {
		log_error("power off: the firmware describes no way to do it");
		return;
	}
	enter_acpi_mode();
	hw_out16(acpi->pm1a_control, slp_command(acpi->s5_type_a));
	if (acpi->pm1b_control != 0)
		hw_out16(acpi->pm1b_control, slp_command(acpi->s5_type_b));
}

static void settle(void)
{
	for (int i = 0; i < ACPI_ENABLE_SPINS; i++)
		hw_pause();
}

static void reset(void)
{
	if (reset_register != NULL)
		*reset_register = acpi->reset_value;
	else if (acpi != NULL && acpi->has_reset && !acpi->reset_is_memory)
		hw_out8((uint16_t)acpi->reset_address, acpi->reset_value);
	settle();
	hw_out8(RESET_CONTROL, 0x02);
	hw_out8(RESET_CONTROL, 0x06);
	settle();
	insn_triple_fault();
}

void power_end(enum power_action action, uint8_t code)
{
	hw_irq_disable();
	switch (action) {
	case POWER_OFF:
		sleep_s5();
		break;
	case POWER_REBOOT:
		reset();
		break;
	case POWER_PORT_EXIT:
		hw_out8(EXIT_PORT, code);
		break;
	case POWER_HALT:
		hw_stop();
	}
	settle();
	log_error("the machine did not end; halted");
	hw_stop();
}
