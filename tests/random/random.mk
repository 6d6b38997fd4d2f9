# SPDX-License-Identifier: MIT
# random-ops: random operations on TDs, tests/hosted/ with tdx/, mm/ and the module model.

RANDOM_SRC := $(sort $(wildcard tests/random/*.c))
# The machine of the unit tests, but with the kernel's own way to ask other CPUs.
RANDOM_REST := $(filter-out tests/model/% tests/unit/% tests/fake/fake_core.c \
                            vm/% vmx/% mgmt/%,$(UNIT_SRC)) \
               vmx/ept.c core/oncpu_hw.c

# $(1): folder of the objects below $(B); $(2): flags.
define RANDOM_PROGRAM
$(B)/$(1)/random/fake_core.c.o: $(B)/$(1)/tests/fake/fake_core.c.o
	@mkdir -p $$(@D)
	$$(Q)$$(OBJCOPY) --wildcard --weaken-symbol='oncpu_*' $$< $$@

$(B)/$(1)/random-ops: $(patsubst %,$(B)/$(1)/%.o,$(RANDOM_SRC) $(RANDOM_REST)) \
		$(B)/$(1)/random/fake_core.c.o $(B)/$(1)/random/model.o
	@echo '  LD   $$@'
	$$(Q)$$(CC) $(2) $(HOSTED_LDFLAGS) -pthread $$^ -o $$@

$(B)/$(1)/random/model.o: $(patsubst %,$(B)/$(1)/%.o,$(filter tests/model/%,$(UNIT_SRC)))
	@mkdir -p $$(@D)
	$$(Q)$$(CC) -r -nostdlib $$^ -o $$@
	$$(Q)$$(OBJCOPY) --wildcard --keep-global-symbol='tdx_model_*' $$@
endef

$(eval $(call RANDOM_PROGRAM,host,$(HCFLAGS)))

$(eval $(call RANDOM_PROGRAM,tsan,$(TSAN_CFLAGS)))

RANDOM_OPS  ?= 200000
RANDOM_SEED ?= 1
SOAK_OPS    := $(or $(OPS),2000000)

check-random: $(B)/host/random-ops $(B)/tsan/random-ops ## RANDOM_OPS random operations from RANDOM_SEED, some under ThreadSanitizer
	@$(PYTHON) tests/random/run.py $< --tsan $(B)/tsan/random-ops \
		--ops $(RANDOM_OPS) --seed $(RANDOM_SEED)

check-tsan: $(B)/tsan/random-ops ## random operations on four threads under ThreadSanitizer
	@setarch -R $< --seed $(RANDOM_SEED) --ops 20000 --threads 4 --ram 96

# A seed of its own each time; it is printed.
soak: soak-random
soak-random: $(B)/host/random-ops
	@$(PYTHON) tests/random/run.py $< --ops $(SOAK_OPS) --seed $$(date +%s)

.PHONY: check-random check-tsan soak-random
