/* SPDX-License-Identifier: MIT */
/* Reading and writing a guest's memory by linear address, for instruction emulation. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/emu/svm.h"

struct gview {
	const struct vmcb *vmcb;
	/* Pointer to the byte at `gpa`, valid to the end of its 4K page, or NULL. */
	void *(*memory)(void *ctx, uint64_t gpa);
	void *ctx;
};

/* Linear to guest-physical by the guest's own page tables; permissions are not checked. */
bool gview_translate(const struct gview *g, uint64_t linear, uint64_t *gpa);

/* Bytes read: less than `size` where a translation ended. */
size_t gview_read(const struct gview *g, uint64_t linear, void *data, size_t size);

bool gview_write(const struct gview *g, uint64_t linear, const void *data, size_t size);
