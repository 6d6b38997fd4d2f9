# SPDX-License-Identifier: MIT
#
# What operations on TDs cost in SEAMCALLs, counted in the hosted machine.

BENCH_SEAMCALLS_SRC := $(filter-out tests/model/%,$(HOSTED_SRC)) \
                       $(sort $(wildcard tests/bench/seamcalls*.c tests/fake/*.c tests/hosted/*.c))
BENCH_SEAMCALLS_OBJ := $(BENCH_SEAMCALLS_SRC:%=$(B)/tool/%.o) $(B)/bench/model.o

# Where calls are counted: the seam itself, and all that reaches several CPUs.
BENCH_SEAMCALLS_WRAP := seamcall_raw vm_kick_and_wait vm_quiesce oncpu_each

bench-seamcalls: $(B)/bench/seamcalls ## count SEAMCALLs and broadcasts of operations; fails beyond a budget
	@$<

$(B)/bench/seamcalls: $(BENCH_SEAMCALLS_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) $(TOOL_CFLAGS) $(HOSTED_LDFLAGS) $(BENCH_SEAMCALLS_WRAP:%=-Wl,--wrap=%) $^ -o $@ -pthread

$(B)/bench/model.o: $(patsubst %,$(B)/tool/%.o,$(filter tests/model/%,$(HOSTED_SRC)))
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) -r -nostdlib $^ -o $@
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='tdx_model_*' $@

.PHONY: bench-seamcalls
