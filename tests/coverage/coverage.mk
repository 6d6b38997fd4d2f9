# SPDX-License-Identifier: MIT
# Lines and branches of the module model and of tdx/ that tests reach; with GCC.

COV_CFLAGS := $(HOST) -O0 --coverage -fprofile-update=atomic
# Tests end their processes without exit handlers; the counts are written all the same.
COV_LINK   := $(COV_CFLAGS) -pthread -Wl,--wrap=_exit

COV_EXIT       := $(B)/cov/tests/coverage/exit.c.o
COV_UNIT_OBJ   := $(patsubst $(B)/host/%.c.o,$(B)/cov/%.c.o,$(filter-out %/model.o,$(UNIT_OBJ))) \
                  $(B)/cov/random/model.o $(COV_EXIT)
COV_TRACE_OBJ  := $(patsubst $(B)/host/%.c.o,$(B)/cov/%.c.o,$(filter-out %/model.o,$(TRACE_OBJ))) \
                  $(B)/cov/random/model.o $(COV_EXIT)
COV_RANDOM_OPS ?= 40000

$(eval $(call RANDOM_PROGRAM,cov,$(COV_LINK)))
$(B)/cov/random-ops: $(COV_EXIT)

$(B)/cov/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(COV_CFLAGS) -c $< -o $@
$(B)/cov/unit: $(COV_UNIT_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) $(COV_LINK) $(HOSTED_LDFLAGS) $^ -o $@
$(B)/cov/trace-replay: $(COV_TRACE_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) $(COV_LINK) $^ -o $@

coverage: $(B)/cov/unit $(B)/cov/trace-replay $(B)/cov/random-ops ## lines and branches of tests/model and tdx that unit, trace and random tests reach
	@find $(B)/cov -name '*.gcda' -delete
	@$(B)/cov/unit | tail -1
	@$(B)/cov/trace-replay $(TRACES) | tail -1
	@$(PYTHON) tests/random/run.py $(B)/cov/random-ops --ops $(COV_RANDOM_OPS) | tail -1
	@$(PYTHON) tests/coverage/coverage.py $(B)/cov tests/model tdx

.PHONY: coverage
