/* SPDX-License-Identifier: MIT */
/* A TD's I/O ports: PCI configuration, ACPI sleep and reset, an early serial port, CMOS. */
#pragma once

#include <stdint.h>

#include "vm/object.h"

/* `size` is 1, 2 or 4. A port where nothing is reads all ones and swallows writes. */
uint32_t pio_read(struct vm *vm, uint16_t port, unsigned size);
void pio_write(struct vm *vm, uint16_t port, unsigned size, uint32_t value);
