/* SPDX-License-Identifier: MIT */
#include "core/spinlock.h"
// reject-clang: still held at the end of function
void f(struct spinlock *l);
void f(struct spinlock *l) { spin_lock(l); }
