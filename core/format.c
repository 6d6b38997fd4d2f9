/* SPDX-License-Identifier: MIT */
#include "core/format.h"

#include <stdbool.h>
#include <stdint.h>

#include "core/string.h"

/* Output: counts what did not fit too, as vsnprintf does. */
struct out {
	char *buf;
	size_t size;
	size_t length;
};

struct spec {
	bool left, zero, alt;
	unsigned longs; /* 'l's; 'z' and 'll' are the same width as 'l' */
	int width;
	int precision; /* of a string; -1 if not given */
};

static void put(struct out *o, char c)
{
	if (o->length + 1 < o->size)
		o->buf[o->length] = c;
	o->length++;
}

static void pad(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_string(struct out *o, const struct spec *sp, const char *s)
{
	int length = 0;

	if (s == NULL)
		s = "(null)";
	while ((sp->precision < 0 || length < sp->precision) && s[length] != '\0')
		length++;
	if (!sp->left)
		pad(o, ' ', sp->width - length);
	for (int i = 0; i < length; i++)
		put(o, s[i]);
	if (sp->left)
		pad(o, ' ', sp->width - length);
}

static void put_number(struct out *o, const struct spec *sp, uint64_t v, unsigned base,
		       const char *prefix)
{
	char text[20];
	int count = 0;
	int room;

	do {
		text[count++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v != 0);
	room = sp->width - (int)strlen(prefix) - count;
	if (!sp->left && !sp->zero)
		pad(o, ' ', room);
	while (*prefix != '\0')
		put(o, *prefix++);
	if (!sp->left && sp->zero)
		pad(o, '0', room);
	while (count > 0)
		put(o, text[--count]);
	if (sp->left)
		pad(o, ' ', room);
}

static const char *parse_number(const char *f, int *n)
{
	*n = 0;
	while (*f >= '0' && *f <= '9') {
		if (*n < 1000)
			*n = *n * 10 + (*f - '0');
		f++;
	}
	return f;
}

static const char *parse_flags(const char *f, struct spec *sp)
{
	for (;; f++) {
		if (*f == '-')
			sp->left = true;
		else if (*f == '0')
			sp->zero = true;
		else if (*f == '#')
			sp->alt = true;
		else
			return f;
	}
}

/* A va_list passed on as a parameter has no portable type; wrapped, it can be consumed by
 * calls. */
struct args {
	va_list ap;
};

static const char *parse_width(const char *f, int *n, struct args *a)
{
	if (*f != '*')
		return parse_number(f, n);
	*n = va_arg(a->ap, int);
	return f + 1;
}

static const char *parse_spec(const char *f, struct spec *sp, struct args *a)
{
	*sp = (struct spec){.precision = -1};
	f = parse_flags(f, sp);
	f = parse_width(f, &sp->width, a);
	if (sp->width < 0) {
		sp->left = true;
		sp->width = -sp->width;
	}
	if (*f == '.')
		f = parse_width(f + 1, &sp->precision, a);
	for (; *f == 'l' || *f == 'z'; f++)
		sp->longs++;
	return f;
}

static uint64_t arg_unsigned(const struct spec *sp, struct args *a)
{
	return sp->longs > 0 ? va_arg(a->ap, uint64_t) : va_arg(a->ap, unsigned);
}

static void put_signed(struct out *o, const struct spec *sp, struct args *a)
{
	int64_t v = sp->longs > 0 ? va_arg(a->ap, int64_t) : va_arg(a->ap, int);

	put_number(o, sp, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10, v < 0 ? "-" : "");
}

static void put_char(struct out *o, const struct spec *sp, char c)
{
	char text[2] = {c, '\0'};

	put_string(o, sp, text);
}

static void put_conversion(struct out *o, char conversion, const struct spec *sp,
			   struct args *a)
{
	uint64_t v;

	switch (conversion) {
	case 'd':
		put_signed(o, sp, a);
		break;
	case 'u':
		put_number(o, sp, arg_unsigned(sp, a), 10, "");
		break;
	case 'x':
		v = arg_unsigned(sp, a);
		put_number(o, sp, v, 16, sp->alt && v != 0 ? "0x" : "");
		break;
	case 's':
		put_string(o, sp, va_arg(a->ap, const char *));
		break;
	case 'c':
		put_char(o, sp, (char)va_arg(a->ap, int));
		break;
	default:
		put(o, '%');
		if (conversion != '%')
			put(o, conversion);
		break;
	}
}

int format_v(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = {buf, size, 0};
	struct args a;
	struct spec sp;

	va_copy(a.ap, ap);
	while (*fmt != '\0') {
		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt = parse_spec(fmt + 1, &sp, &a);
		if (*fmt == '\0')
			break;
		put_conversion(&o, *fmt++, &sp, &a);
	}
	va_end(a.ap);
	if (size > 0)
		buf[o.length < size ? o.length : size - 1] = '\0';
	return (int)o.length;
}

int format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = format_v(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
