/* SPDX-License-Identifier: MIT */
#include "core/log.h"
// reject: format
void f(const char *text);
void f(const char *text) { log_info("%d", text); }
