# SPDX-License-Identifier: MIT
#
# Fuzz targets: NAME is tests/fuzz/fuzz_NAME.c with the sources of FUZZ_SRC_NAME and a
# corpus in tests/fuzz/corpus/NAME/. Each is built for `make check-fuzz` with the unit
# tests' flags, and by clang with libFuzzer for `make soak`.

# The machine of the unit tests: arena, CPUs, log.
FUZZ_MACHINE := $(addprefix tests/fake/,fake_core.c fake_drivers.c fake_hw.c) \
                $(sort $(filter-out %_hw.c,$(wildcard mm/*.c))) \
                core/format.c core/log.c core/status.c core/string.c core/boot_info.c

FUZZ_SRC_config  := mgmt/config.c core/format.c core/string.c
FUZZ_SRC_line    := mgmt/line_editor.c core/format.c core/string.c
FUZZ_SRC_acpi    := drivers/acpi.c $(FUZZ_MACHINE)
FUZZ_SRC_mb2     := boot/multiboot2.c core/boot_info.c core/string.c
FUZZ_SRC_bzimage := tdboot/bzimage.c tdboot/layout.c tdboot/boot_params.c
FUZZ_SRC_virtio  := $(wildcard vm/dev/*.c) vm/shared_mem.c vmx/ept.c \
                    tests/fuzz/no_ept_cache.c $(FUZZ_MACHINE)
FUZZ_SRC_tdvmcall := $(addprefix vm/,tdvmcall.c exit.c msr.c pio.c quote.c convert.c vcpu.c \
                                     vlapic.c vclock.c) \
                     tdx/gpa_map.c tdx/status.c $(FUZZ_SRC_virtio)

FUZZ ?= config line acpi mb2 bzimage virtio tdvmcall

SOAK_SECONDS ?= 60
SOAK_CC      := clang
SOAK_CFLAGS  := -std=gnu11 -I. -MMD -MP -g -O1 -fno-strict-aliasing \
                -fsanitize=address,undefined -fno-sanitize-recover=all

check-fuzz: $(FUZZ:%=$(B)/fuzz/%) ## the corpus of each fuzz target, with mutations
	@$(PYTHON) tests/fuzz/run.py $(B)/fuzz $(FUZZ)

soak: $(FUZZ:%=$(B)/soak/%) ## long runs: SOAK_SECONDS of libFuzzer on each of FUZZ, OPS random operations, soak-emu
	@$(PYTHON) tests/fuzz/run.py --seconds $(SOAK_SECONDS) $(B)/soak $(FUZZ)

define FUZZ_TARGET
$(B)/fuzz/$(1): $(patsubst %,$(B)/host/%.o,tests/fuzz/fuzz_$(1).c tests/fuzz/replay.c $(FUZZ_SRC_$(1)))
	@mkdir -p $$(@D)
	$$(CC) $$(HCFLAGS) $$^ -o $$@
$(B)/soak/$(1): $(patsubst %,$(B)/soak/obj/%.o,tests/fuzz/fuzz_$(1).c $(FUZZ_SRC_$(1)))
	@mkdir -p $$(@D)
	$$(SOAK_CC) $$(SOAK_CFLAGS) -fsanitize=fuzzer $$^ -o $$@
endef
$(foreach name,$(FUZZ),$(eval $(call FUZZ_TARGET,$(name))))

$(B)/soak/obj/%.c.o: %.c
	@mkdir -p $(@D)
	$(SOAK_CC) $(SOAK_CFLAGS) -fsanitize=fuzzer-no-link -c $< -o $@

.PHONY: check-fuzz soak
