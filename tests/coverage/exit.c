/* SPDX-License-Identifier: MIT */
/* Linked with --wrap=_exit: writes what was counted before a process ends. */
void __gcov_dump(void);
_Noreturn void __real__exit(int code);
_Noreturn void __wrap__exit(int code);

void __wrap__exit(int code)
{
	__gcov_dump();
	__real__exit(code);
}
