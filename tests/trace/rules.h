/* SPDX-License-Identifier: MIT */
/* Names for the groups of rules that a divergence can break, as tests/model/README.md has them.
 */
#pragma once

#include <stdint.h>

#define RULE_OUTPUTS   "output registers of a leaf"
#define RULE_UNTOUCHED "registers that a leaf leaves alone"
#define RULE_MEMORY    "what is written to memory"
#define RULE_MAPPING   "Secure EPT: where a private GPA leads"
#define RULE_ENTRY     "VM entry: when, and with which registers"
#define RULE_EXITS     "which exits the host sees"
#define RULE_EVENTS    "#VE, #GP and other events"
#define RULE_GUEST     "registers of a resumed guest"
#define RULE_LOCKS     "locks: who is BUSY when two LPs meet"
#define RULE_TRACE     "the trace itself: not a seamtrace 1 line"

/* The rule behind a completion status, or behind the other one if it is success. */
const char *rule_of_status(uint64_t want, uint64_t got);
