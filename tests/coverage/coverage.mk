# SPDX-License-Identifier: MIT
# Lines and branches of the module model and of tdx/ that tests reach; with GCC.

COV_FOLDERS := tests/model tdx
# What is not counted is only to be fast.
COV_CFLAGS  := $(HOST) -O2
# Tests end their processes without exit handlers; the counts are written all the same.
COV_LINK    := $(COV_CFLAGS) --coverage -pthread -Wl,--wrap=_exit

COV_EXIT       := $(B)/cov/tests/coverage/exit.c.o
COV_UNIT_OBJ   := $(patsubst $(B)/host/%.c.o,$(B)/cov/%.c.o,$(filter-out %/model.o,$(UNIT_OBJ))) \
                  $(B)/cov/random/model.o $(COV_EXIT)
COV_TRACE_OBJ  := $(patsubst $(B)/host/%.c.o,$(B)/cov/%.c.o,$(filter-out %/model.o,$(TRACE_OBJ))) \
                  $(B)/cov/random/model.o $(COV_EXIT)
COV_RANDOM_OPS ?= 40000

$(eval $(call RANDOM_PROGRAM,cov,$(COV_LINK)))
$(eval $(call FAULTS_PROGRAM,cov,random/model.o,$$(COV_CFLAGS),$(COV_LINK)))
$(B)/cov/random-ops $(B)/cov/faults: $(COV_EXIT)

$(foreach f,$(COV_FOLDERS),$(B)/cov/$(f)/%.c.o $(B)/cov/sited/$(f)/%.c.o): \
	COV_CFLAGS := $(HOST) -O0 --coverage -fprofile-update=atomic

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

COV_RUNS := cov-unit cov-trace cov-random cov-faults

coverage: ## lines and branches of tests/model and tdx that unit, trace, random and fault tests reach
	@$(BUILD_ALL) $(B)/cov/unit $(B)/cov/trace-replay $(B)/cov/random-ops $(B)/cov/faults
	@find $(B)/cov -name '*.gcda' -delete
	@$(BUILD_ALL) $(COV_RUNS)
	@$(PYTHON) tests/coverage/coverage.py $(B)/cov $(COV_FOLDERS)

# Side by side, with what `coverage` has built.
cov-unit:
	@echo "unit: $$($(B)/cov/unit | tail -1)"
cov-trace:
	@echo "trace: $$($(B)/cov/trace-replay $(TRACES) | tail -1)"
cov-random:
	@echo "random: $$($(PYTHON) tests/random/run.py $(B)/cov/random-ops \
	                  --ops $(COV_RANDOM_OPS) | tail -1)"
cov-faults:
	@echo "faults: $$($(B)/cov/faults | tail -1)"

.PHONY: coverage $(COV_RUNS)
