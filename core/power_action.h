/* SPDX-License-Identifier: MIT */
#pragma once

/* What the machine does at its end: `on-exit =` and `panic =` of redoubt.cfg. */
enum power_action {
	POWER_OFF,       /* ACPI S5 */
	POWER_REBOOT,    /* FADT reset register, else 0xcf9, else triple fault */
	POWER_PORT_EXIT, /* write the exit code to port 0xf4, for test machines */
	POWER_HALT,      /* stop here, for a human to read the screen */
};
