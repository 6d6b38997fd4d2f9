# SPDX-License-Identifier: MIT
#
# Unit tests: all under ASan and UBSan, and those that use threads once more under
# ThreadSanitizer.

UNIT_THREADED := $(shell grep -l pthread_create tests/unit/test_*.c)
UNIT_TSAN_SRC := tests/unit/main.c tests/unit/vm_guest.c $(UNIT_THREADED) \
                 $(filter-out tests/model/% tests/unit/% mgmt/%,$(UNIT_SRC))
UNIT_TSAN_OBJ := $(UNIT_TSAN_SRC:%=$(B)/tsan/%.o) $(B)/tsan/random/model.o

# The shell above TDs that its test pretends: there the linker binds these names to the test's.
UNIT_SHELL_WRAP := vm_create vm_start vm_destroy vm_finish_reclaim vm_shutdown_all vm_nth vm_get \
                   vm_vcpu vm_td vm_console_attach vm_console_input tdx_module_info \
                   tdx_check_each tdx_keyid_free_count tdx_seamcall_count tdx_module_stop \
                   power_end cpu_loop_set_poll
UNIT_SHELL_OBJ  := $(filter-out $(B)/host/tests/unit/test_%,$(UNIT_OBJ)) \
                   $(UNIT_SHELL_TEST:%=$(B)/host/%.o)

check-unit: $(B)/unit $(B)/unit-shell $(B)/tsan/unit ## unit tests under ASan and UBSan, threads under ThreadSanitizer; T=SUBSTRING
	@$(PYTHON) tests/unit/run.py $^ "$(T)"

$(B)/unit: $(UNIT_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) $(HCFLAGS) $(HOSTED_LDFLAGS) $^ -o $@

$(B)/unit-shell: $(UNIT_SHELL_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) $(HCFLAGS) $(HOSTED_LDFLAGS) $(UNIT_SHELL_WRAP:%=-Wl,--wrap=%) $^ -o $@

$(B)/tsan/unit: $(UNIT_TSAN_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) $(TSAN_CFLAGS) $(HOSTED_LDFLAGS) $^ -o $@

.PHONY: check-unit
