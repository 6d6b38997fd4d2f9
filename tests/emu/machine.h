/* SPDX-License-Identifier: MIT */
/* The machine below the TDX module model: struct tdx_machine, and what the platform is. */
#pragma once

/* Fills emu.platform from the RAM map and the LPs; prints it. */
void machine_make_platform(void);

/* Loads the module (not initialised), or none if the options say so. */
void machine_load_module(void);
