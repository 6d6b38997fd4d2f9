/* SPDX-License-Identifier: MIT */
/*
 * Fixed I/O ports that a TD's FADT names and the host answers: the sleep registers of
 * a hardware-reduced ACPI platform (ACPI 6.5, 4.8.3.7) and the reset register.
 *
 * FADT: SLEEP_CONTROL_REG, SLEEP_STATUS_REG and RESET_REG are SystemIO, 8 bits wide,
 * at these ports; RESET_VALUE is TD_ACPI_RESET_VALUE; flags RESET_REG_SUP and
 * HW_REDUCED_ACPI. DSDT: \_S5 is Package { TD_ACPI_SLP_TYP_S5, 0, 0, 0 }.
 */
#pragma once

#include <stdint.h>

#define TD_ACPI_SLEEP_CONTROL_PORT 0x600
#define TD_ACPI_SLEEP_STATUS_PORT  0x601
#define TD_ACPI_RESET_PORT         0x602

#define TD_ACPI_RESET_VALUE 0x01

/* SLEEP_CONTROL_REG: 4:2 SLP_TYP, 5 SLP_EN. */
#define TD_ACPI_SLP_TYP_S5    5
#define TD_ACPI_SLP_TYP_SHIFT 2
#define TD_ACPI_SLP_TYP_MASK  0x1c
#define TD_ACPI_SLP_EN        0x20
