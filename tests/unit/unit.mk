# SPDX-License-Identifier: MIT
#
# Unit tests: all under ASan and UBSan, and those that use threads once more under
# ThreadSanitizer.

UNIT_THREADED := $(shell grep -l pthread_create tests/unit/test_*.c)
UNIT_TSAN_SRC := tests/unit/main.c tests/unit/vm_guest.c $(UNIT_THREADED) \
                 $(filter-out tests/model/% tests/unit/% mgmt/%,$(UNIT_SRC))
UNIT_TSAN_OBJ := $(UNIT_TSAN_SRC:%=$(B)/tsan/%.o) $(B)/tsan/random/model.o

check-unit: $(B)/unit $(B)/tsan/unit ## unit tests under ASan and UBSan, threads under ThreadSanitizer; T=SUBSTRING
	@$(PYTHON) tests/unit/run.py $^ "$(T)"

$(B)/unit: $(UNIT_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) $(HCFLAGS) $(HOSTED_LDFLAGS) $^ -o $@

$(B)/tsan/unit: $(UNIT_TSAN_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) $(TSAN_CFLAGS) $(HOSTED_LDFLAGS) $^ -o $@

.PHONY: check-unit
