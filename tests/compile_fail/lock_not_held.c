/* SPDX-License-Identifier: MIT */
#include "core/spinlock.h"
// reject-clang: requires holding mutex
void change(struct spinlock *l) REQUIRES(l);
void f(struct spinlock *l);
void f(struct spinlock *l) { change(l); }
