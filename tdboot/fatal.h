/* SPDX-License-Identifier: MIT */
#pragma once

#include "guest-abi/tdboot.h"

/* Ends the TD by ReportFatalError with `code` and at most 64 characters of `text`. */
_Noreturn void fatal(enum tdboot_error code, const char *text);
