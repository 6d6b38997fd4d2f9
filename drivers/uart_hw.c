/* SPDX-License-Identifier: MIT */
#define LOG_TAG "uart"
#include "drivers/uart.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "core/cpu.h"
#include "core/hw.h"
#include "core/log.h"
#include "core/spinlock.h"
#include "drivers/ioapic.h"

enum {
	REG_DATA = 0,
	REG_IER = 1,
	REG_FCR = 2,
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_SCRATCH = 7,
};

#define CLOCK          115200U
#define LCR_8N1        0x03U
#define LCR_DLAB       0x80U
#define FCR_ENABLE     0x07U
#define MCR_DTR_RTS    0x03U
#define MCR_OUT2       0x08U /* gates the interrupt line */
#define IER_RECEIVED   0x01U
#define LSR_DATA_READY 0x01U
#define LSR_THR_EMPTY  0x20U
#define TX_SPINS       100000
#define TX_LOCK_SPINS  20000000
#define RX_SIZE        1024U

static uint16_t base;
static bool has_uart;

/* Serialises output. Taken with interrupts off; given up on when a dead CPU holds it. */
static struct spinlock tx_lock = SPINLOCK_INIT;

/* Received bytes. Written by the interrupt or by uart_read(), both on the BSP with IF=0. */
static char rx[RX_SIZE];
static unsigned rx_head, rx_tail;

static uint16_t reg(unsigned r) { return (uint16_t)(base + r); }

/* A port without a UART reads as all ones, and its scratch register keeps nothing. */
static bool probe(void)
{
	hw_out8(reg(REG_SCRATCH), 0x5a);
	return hw_in8(reg(REG_SCRATCH)) == 0x5a;
}

void uart_init(uint16_t port, uint32_t baud)
{
	uint32_t divisor = baud == 0 || baud > CLOCK ? 1 : CLOCK / baud;

	base = port;
	has_uart = probe();
	if (!has_uart)
		return;
	hw_out8(reg(REG_IER), 0);
	hw_out8(reg(REG_LCR), LCR_DLAB | LCR_8N1);
	hw_out8(reg(REG_DATA), (uint8_t)divisor);
	hw_out8(reg(REG_IER), (uint8_t)(divisor >> 8));
	hw_out8(reg(REG_LCR), LCR_8N1);
	hw_out8(reg(REG_FCR), FCR_ENABLE);
	hw_out8(reg(REG_MCR), MCR_DTR_RTS | MCR_OUT2);
}

static void receive(void)
{
	while ((hw_in8(reg(REG_LSR)) & LSR_DATA_READY) != 0) {
		char c = (char)hw_in8(reg(REG_DATA));

		if (rx_head - rx_tail < RX_SIZE)
			rx[rx_head++ % RX_SIZE] = c;
	}
}

static unsigned isa_irq(void) { return base == 0x2f8 || base == 0x2e8 ? 3 : 4; }

void uart_enable_interrupt(void)
{
	if (!has_uart)
		return;
	irq_register(VECTOR_UART, receive);
	if (ioapic_route_isa(isa_irq(), VECTOR_UART) != STATUS_OK) {
		log_warn("no interrupt line for the UART: input is polled");
		return;
	}
	hw_out8(reg(REG_IER), IER_RECEIVED);
}

/* A UART whose transmitter never gets empty loses the byte instead of stopping the machine. */
static void send(char c)
{
	for (int i = 0; i < TX_SPINS && (hw_in8(reg(REG_LSR)) & LSR_THR_EMPTY) == 0; i++)
		hw_pause();
	hw_out8(reg(REG_DATA), (uint8_t)c);
}

static bool lock_tx(void) NO_LOCK_CHECK
{
	for (int i = 0; i < TX_LOCK_SPINS; i++) {
		if (!atomic_flag_test_and_set_explicit(&tx_lock.held, memory_order_acquire))
			return true;
		hw_pause();
	}
	return false;
}

static void write(const char *text, size_t length, bool is_text) NO_LOCK_CHECK
{
	bool irq;
	bool locked;

	if (!has_uart)
		return;
	irq = hw_irq_save();
	locked = lock_tx();
	for (size_t i = 0; i < length; i++) {
		if (is_text && text[i] == '\n')
			send('\r');
		send(text[i]);
	}
	if (locked)
		spin_unlock(&tx_lock);
	hw_irq_restore(irq);
}

void uart_write(const char *text, size_t length) { write(text, length, true); }

void uart_write_raw(const char *bytes, size_t length) { write(bytes, length, false); }

/* Polls as well: an interrupt that does not come must not make the console deaf. */
int uart_read(void)
{
	bool irq;
	int c = -1;

	if (!has_uart)
		return -1;
	irq = hw_irq_save();
	if (rx_head == rx_tail)
		receive();
	if (rx_head != rx_tail)
		c = (unsigned char)rx[rx_tail++ % RX_SIZE];
	hw_irq_restore(irq);
	return c;
}
