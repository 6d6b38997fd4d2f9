/* SPDX-License-Identifier: MIT */
#pragma once

#include "core/compiler.h"

/* Stops every CPU, prints cause, registers and what the dumpers add, then does what `panic=`
 * says. */
_Noreturn void panic(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* A subsystem's contribution to the panic screen (last SEAMCALLs, last exits); prints with
 * log_error. */
typedef void (*panic_dumper_fn)(void);
void panic_register_dumper(panic_dumper_fn dumper);

/* What happens after the panic screen: must not return. Without one the machine stands still.
 */
void panic_set_end(void (*end)(void));

/*
 * CHECK stays in every build: it guards facts without which continuing is
 * unsafe. ASSERT documents invariants the code itself maintains; it vanishes
 * from release builds but its operand is still compiled. Neither may be
 * reachable from guest-controlled input: that needs an error path.
 */
#define CHECK(x)                                                                               \
	do {                                                                                   \
		if (!(x))                                                                      \
			panic("%s:%d: CHECK(%s)", __FILE__, __LINE__, #x);                     \
	} while (0)

#ifdef NDEBUG
#define ASSERT(x) ((void)sizeof(!(x)))
#else
#define ASSERT(x) CHECK(x)
#endif
