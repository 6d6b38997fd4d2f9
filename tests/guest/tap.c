/* SPDX-License-Identifier: MIT */
#include "tests/guest/tap.h"

static unsigned passed, failed;

void tap_text(const char *s)
{
	while (*s != '\0')
		tap_put_char(*s++);
}

static void put_number(uint64_t value, unsigned base)
{
	char digits[20];
	unsigned n = 0;

	do {
		digits[n++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value != 0);
	while (n > 0)
		tap_put_char(digits[--n]);
}

void tap_value(const char *what, uint64_t value)
{
	tap_text("# ");
	tap_text(what);
	tap_text(" 0x");
	put_number(value, 16);
	tap_text("\n");
}

void tap_bytes(const char *what, const uint8_t *bytes, unsigned count)
{
	tap_text("# ");
	tap_text(what);
	tap_text(" ");
	for (unsigned i = 0; i < count; i++) {
		put_number(bytes[i] >> 4, 16);
		put_number(bytes[i] & 15, 16);
	}
	tap_text("\n");
}

void tap_result(const char *sentence, bool ok)
{
	if (ok)
		passed++;
	else
		failed++;
	tap_text(ok ? "ok " : "not ok ");
	put_number(passed + failed, 10);
	tap_text(" - ");
	tap_text(sentence);
	tap_text("\n");
}

void tap_end(void)
{
	tap_text("1..");
	put_number(passed + failed, 10);
	tap_text("\nprobe: ");
	put_number(passed, 10);
	tap_text(" passed, ");
	put_number(failed, 10);
	tap_text(" failed\n");
}

bool tap_equal(const char *what, uint64_t value, uint64_t wanted)
{
	if (value == wanted)
		return true;
	tap_value(what, value);
	tap_value("  expected", wanted);
	return false;
}
