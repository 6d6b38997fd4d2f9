/* SPDX-License-Identifier: MIT */
#pragma once

/*
 * Reads emu.args.options into emu: words separated by blanks or line ends, `#`
 * starts a comment. Dies with EMU_EXIT_REFUSED at a word it does not know.
 */
void options_parse(void);
