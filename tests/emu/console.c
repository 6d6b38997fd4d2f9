/* SPDX-License-Identifier: MIT */
#include "tests/emu/console.h"

#include <stdarg.h>
#include <stdbool.h>

#include "tests/emu/lock.h"
#include "tests/emu/svm_insn.h"

#define COM1      0x3f8
#define COM2      0x2f8
#define DEBUGEXIT 0xf4

static struct emu_lock line_lock;

static void put(uint16_t port, char c)
{
	while ((insn_inb((uint16_t)(port + 5)) & 0x20) == 0)
		;
	insn_outb(port, (uint8_t)c);
}

static void put_string(uint16_t port, const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s == '\n')
			put(port, '\r');
		put(port, *s);
	}
}

static void put_number(uint64_t value, unsigned base, unsigned width, char pad)
{
	char digits[24];
	unsigned count = 0;

	do {
		digits[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	for (; width > count; width--)
		put(COM2, pad);
	while (count > 0)
		put(COM2, digits[--count]);
}

struct conversion {
	bool is_long, alternate;
	char pad;
	unsigned width;
};

static const char *parse_conversion(const char *f, struct conversion *c)
{
	*c = (struct conversion){.pad = ' '};
	for (; *f == '#' || *f == '0'; f++) {
		if (*f == '#')
			c->alternate = true;
		else
			c->pad = '0';
	}
	for (; *f >= '0' && *f <= '9'; f++)
		c->width = c->width * 10 + (unsigned)(*f - '0');
	for (; *f == 'l'; f++)
		c->is_long = true;
	return f;
}

static void put_signed(int64_t value, const struct conversion *c)
{
	if (value < 0)
		put(COM2, '-');
	put_number(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, c->width, c->pad);
}

static void put_formatted(const char *f, va_list args)
{
	struct conversion c;

	for (; *f != '\0'; f++) {
		if (*f != '%') {
			put(COM2, *f);
			continue;
		}
		f = parse_conversion(f + 1, &c);
		switch (*f) {
		case 's':
			put_string(COM2, va_arg(args, const char *));
			break;
		case 'c':
			put(COM2, (char)va_arg(args, int));
			break;
		case 'd':
			put_signed(c.is_long ? va_arg(args, long) : va_arg(args, int), &c);
			break;
		case 'x':
		case 'u':
			if (c.alternate)
				put_string(COM2, "0x");
			put_number(c.is_long ? va_arg(args, unsigned long)
					     : va_arg(args, unsigned int),
				   *f == 'x' ? 16 : 10, c.width, c.pad);
			break;
		default:
			put(COM2, *f);
			break;
		}
	}
}

void console_init(void)
{
	static const struct {
		uint8_t reg, value;
	} setup[] = {{1, 0}, {3, 0x83}, {0, 1}, {1, 0}, {3, 3}, {2, 7}};

	for (unsigned i = 0; i < sizeof(setup) / sizeof(setup[0]); i++)
		insn_outb((uint16_t)(COM2 + setup[i].reg), setup[i].value);
}

void console_banner(void)
{
	put_string(COM1,
		   "tdxemu: emulated TDX machine: a development tool, it protects nothing\n");
}

void emu_log(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	emu_lock_take(&line_lock);
	put_formatted(format, args);
	put_string(COM2, "\n");
	emu_lock_drop(&line_lock);
	va_end(args);
}

void emu_die(uint8_t code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_string(COM2, "tdxemu: FATAL: ");
	put_formatted(format, args);
	put_string(COM2, "\n");
	va_end(args);
	insn_outb(DEBUGEXIT, code);
	insn_halt_forever();
	__builtin_unreachable();
}
