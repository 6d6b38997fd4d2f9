/* SPDX-License-Identifier: MIT */
#include "tdx/keyid.h"

#include <stdbool.h>

#include "core/panic.h"
#include "core/spinlock.h"
#include "core/string.h"
#include "tdx/module.h"

static struct spinlock lock = SPINLOCK_INIT;
/* Protected by lock. */
static bool in_use[KEYID_MAX];

/* Constant after keyid_init(). */
static uint16_t first_keyid;
static unsigned td_count;
static unsigned address_shift;

void keyid_init(uint16_t first, uint16_t count, unsigned shift)
{
	memset(in_use, 0, sizeof(in_use));
	first_keyid = first;
	td_count = count - 1U < KEYID_MAX ? count - 1U : KEYID_MAX;
	address_shift = shift;
}

uint16_t keyid_global(void) { return first_keyid; }

unsigned keyid_count(void) { return td_count; }

unsigned tdx_keyid_free_count(void)
{
	unsigned n = 0;

	spin_lock(&lock);
	for (unsigned i = 0; i < td_count; i++)
		n += !in_use[i];
	spin_unlock(&lock);
	return n;
}

enum status keyid_alloc(uint16_t *out)
{
	enum status s = STATUS_NO_KEYID;

	spin_lock(&lock);
	for (unsigned i = 0; i < td_count && s; i++) {
		if (in_use[i])
			continue;
		in_use[i] = true;
		*out = (uint16_t)(first_keyid + 1U + i);
		s = STATUS_OK;
	}
	spin_unlock(&lock);
	return s;
}

void keyid_free(uint16_t keyid)
{
	unsigned i = keyid - first_keyid - 1U;

	spin_lock(&lock);
	CHECK(keyid > first_keyid && i < td_count && in_use[i]);
	in_use[i] = false;
	spin_unlock(&lock);
}

uint64_t keyid_address(hpa_t at, uint16_t keyid)
{
	return at.raw | (uint64_t)keyid << address_shift;
}
