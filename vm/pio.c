/* SPDX-License-Identifier: MIT */
#include "vm/pio.h"

#include "guest-abi/acpi_ports.h"
#include "vm/cpu_queue.h"

#define PORT_PIT_FIRST  0x40
#define PORT_PIT_LAST   0x43
#define PORT_SYSTEM_B   0x61
#define PORT_CMOS_INDEX 0x70
#define PORT_CMOS_DATA  0x71
#define PORT_COM1       0x3f8
#define PORT_RESET      0xcf9

/* Channel 2's output: high, so that nobody waits for it to end. */
#define SYSTEM_B_OUT2 0x20U

#define CMOS_SHUTDOWN    0x0f
#define CMOS_REG_D       0x0d
#define CMOS_REG_D_VALID 0x80U /* battery good; register A's "update in progress" stays 0 */

/* 16550 registers, from PORT_COM1 up. */
enum { UART_DATA, UART_IER, UART_IIR, UART_LCR, UART_MCR, UART_LSR, UART_MSR, UART_SCRATCH };
#define UART_IIR_NONE  0x01U
#define UART_LSR_EMPTY 0x60U
#define UART_LCR_DLAB  0x80U

#define RESET_CPU 0x04U /* bit 2 of port 0xcf9 */

static uint32_t all_ones(unsigned size) { return UINT32_MAX >> (32 - 8 * size); }

/* Output only, always ready: what a kernel's early console needs. */
static uint32_t uart_register(unsigned reg)
{
	switch (reg) {
	case UART_IIR:
		return UART_IIR_NONE;
	case UART_LSR:
		return UART_LSR_EMPTY;
	default:
		return 0;
	}
}

static void uart_write_register(struct vm *vm, unsigned reg, uint8_t value)
{
	if (reg == UART_LCR)
		vm->serial_line_control = value;
	if (reg != UART_DATA || (vm->serial_line_control & UART_LCR_DLAB) != 0)
		return;
	virtio_console_put(&vm->console, (char)value);
	if (vm->console.is_read)
		cpu_queue_call_bsp();
}

static uint32_t legacy_read(const struct vm *vm, uint16_t port, unsigned size)
{
	if (port >= PORT_COM1 && port <= PORT_COM1 + UART_SCRATCH)
		return uart_register(port - PORT_COM1);
	if (port >= PORT_PIT_FIRST && port <= PORT_PIT_LAST)
		return 0;
	switch (port) {
	case PORT_SYSTEM_B:
		return SYSTEM_B_OUT2;
	case PORT_CMOS_INDEX:
		return vm->cmos_index;
	case PORT_CMOS_DATA:
		return vm->cmos_index == CMOS_REG_D ? CMOS_REG_D_VALID : 0;
	case TD_ACPI_SLEEP_CONTROL_PORT:
	case TD_ACPI_SLEEP_STATUS_PORT:
		return 0;
	default:
		return all_ones(size);
	}
}

static void sleep_control(struct vm *vm, uint32_t value)
{
	uint32_t type = (value & TD_ACPI_SLP_TYP_MASK) >> TD_ACPI_SLP_TYP_SHIFT;

	if ((value & TD_ACPI_SLP_EN) != 0 && type == TD_ACPI_SLP_TYP_S5)
		vm_end(vm, VM_STOPPED, "the guest powered off");
}

static bool asks_for_reset(uint16_t port, uint32_t value)
{
	return (port == TD_ACPI_RESET_PORT && value == TD_ACPI_RESET_VALUE) ||
	       (port == PORT_RESET && (value & RESET_CPU) != 0);
}

static void legacy_write(struct vm *vm, uint16_t port, uint32_t value)
{
	if (port >= PORT_COM1 && port <= PORT_COM1 + UART_SCRATCH)
		uart_write_register(vm, port - PORT_COM1, (uint8_t)value);
	else if (port == PORT_CMOS_INDEX)
		vm->cmos_index = value & 0x7f;
	else if (port == PORT_CMOS_DATA && vm->cmos_index == CMOS_SHUTDOWN)
		atomic_store(&vm->resets_itself, true);
	else if (port == TD_ACPI_SLEEP_CONTROL_PORT)
		sleep_control(vm, value);
	else if (asks_for_reset(port, value))
		vm_end(vm, VM_STOPPED, "the guest asked for a reset, which takes a new TD");
}

uint32_t pio_read(struct vm *vm, uint16_t port, unsigned size)
{
	uint32_t value;

	spin_lock(&vm->device_lock);
	if (!pci_port_read(&vm->pci, port, size, &value))
		value = legacy_read(vm, port, size);
	spin_unlock(&vm->device_lock);
	return value & all_ones(size);
}

void pio_write(struct vm *vm, uint16_t port, unsigned size, uint32_t value)
{
	value &= all_ones(size);
	spin_lock(&vm->device_lock);
	if (!pci_port_write(&vm->pci, port, size, value))
		legacy_write(vm, port, value);
	spin_unlock(&vm->device_lock);
}
