# SPDX-License-Identifier: MIT
#
# One Makefile. `make help` lists what there is to do; everything is built below $(B).
# A folder that builds something of its own brings a fragment (FOLDER/FOLDER.mk), included
# below; it may use every variable of this file down to "Objects".

B ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
NASM    ?= nasm
OBJCOPY ?= objcopy
PYTHON  ?= python3
# For the targets that build and then run something: use every CPU.
BUILD_ALL := $(MAKE) --no-print-directory -j$(shell nproc)

comma := ,

# V=1 shows the commands.
Q := $(if $(V),,@)

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- Flags --------------------------------------------------------------------------

IS_CLANG := $(findstring clang,$(CC))

WARN := -Wall -Wextra -Werror -Wshadow -Wconversion -Wsign-conversion -Wundef -Wvla       \
        -Wstrict-prototypes -Wmissing-prototypes -Wmissing-declarations -Wredundant-decls \
        -Wcast-qual -Wcast-align -Wpointer-arith -Wwrite-strings -Wformat=2               \
        -Wswitch-enum -Wimplicit-fallthrough -Wold-style-definition -Wnested-externs
WARN += $(if $(IS_CLANG),-Wthread-safety,-Wlogical-op -Wduplicated-cond -Wduplicated-branches)

COMMON := -std=gnu11 -I. $(WARN) -MMD -MP -ffile-prefix-map=$(CURDIR)/=

# DEBUG=1: unoptimised, for a debugger. NDEBUG=1: a release, whose ASSERTs vanish.
OPT := $(if $(DEBUG),-Og,-O2) -g $(if $(NDEBUG),-DNDEBUG)

# Freestanding code of any kind: the kernel, tdboot and the emulator build on it.
FREESTANDING := $(COMMON) $(OPT) -ffreestanding -fno-pic -mno-red-zone -mgeneral-regs-only \
                -fno-strict-aliasing -fno-common -fno-stack-protector -fcf-protection=none \
                -fno-asynchronous-unwind-tables
KCFLAGS := $(FREESTANDING) -mcmodel=kernel
# Assembly may .incbin what was built, by its path below $(B).
KASFLAGS := $(KCFLAGS) -Wa,-I$(B),--fatal-warnings

# The same sources as a Linux program, for tests and tools.
HOST := $(COMMON) -g -fno-strict-aliasing
HCFLAGS  := $(HOST) -O1 -fsanitize=address,undefined -fno-sanitize-recover=all \
            -fno-omit-frame-pointer
TOOL_CFLAGS := $(HOST) -O2
# Tests with threads, once more. GCC's ThreadSanitizer does not know fences; what threads share
# is atomic or under locks, so that it needs none to tell a race.
TSAN_CFLAGS := $(HOST) -O1 -fsanitize=thread -fno-omit-frame-pointer \
               $(if $(IS_CLANG),,-Wno-tsan)

# ---- Sources ------------------------------------------------------------------------

PRODUCT  := boot core mm drivers vmx tdx vm mgmt guest-abi tdboot
KFOLDERS := core mm drivers vmx tdx vm vm/dev mgmt sha384 guest-abi boot

KERNEL_SRC := $(sort $(foreach d,$(KFOLDERS),$(wildcard $(d)/*.c $(d)/*.S $(d)/*.asm)))
KERNEL_OBJ := $(KERNEL_SRC:%=$(B)/kernel/%.o)

# Hosted: what needs the real machine is assembly, core/hw.c or named *_hw.c, and
# tests/fake/ stands in for it.
HOSTED_FOLDERS := core mm vmx tdx vm vm/dev mgmt guest-abi sha384 tests/model
HOSTED_SRC := $(sort $(filter-out core/hw.c %_hw.c,$(wildcard $(HOSTED_FOLDERS:%=%/*.c))))
UNIT_SHELL_TEST := tests/unit/test_mgmt_shell.c
UNIT_SRC   := $(HOSTED_SRC) $(filter-out $(UNIT_SHELL_TEST),$(sort $(wildcard tests/unit/*.c \
                tests/fake/*.c tests/hosted/*.c))) \
              $(addprefix tests/trace/,machine.c replay.c rules.c text.c)
# The model names its leaves as tdx/ does: it is linked as one object that shows tdx_model_* only.
MODEL_OBJ  := $(patsubst %,$(B)/host/%.o,$(filter tests/model/%,$(UNIT_SRC)))
UNIT_OBJ   := $(patsubst %,$(B)/host/%.o,$(filter-out tests/model/%,$(UNIT_SRC))) $(B)/host/model.o
# tests/hosted/cache.c follows who has which frame.
HOSTED_LDFLAGS := $(patsubst %,-Wl$(comma)--wrap=%,frame_alloc frame_alloc_range frame_free \
                    frame_free_clean frame_set_owner)

# ---- What to build ------------------------------------------------------------------

# Fragments add what they build to IMAGES (products), TOOLS and TEST_IMAGES.
IMAGES      := $(B)/redoubt.elf $(B)/redoubt.efi
TOOLS       :=
TEST_IMAGES := $(B)/guest/vmlinuz $(B)/guest/initrd.gz $(B)/emu/tdxemu.efi $(B)/emu/tdxemu.elf

-include boot/boot.mk tdboot/tdboot.mk tests/emu/emu.mk tests/emu/l1probe/l1probe.mk
-include tests/guest/guest.mk
-include tests/trace/trace.mk tools/tools.mk tests/guest/initramfs/initramfs.mk
-include tests/fuzz/fuzz.mk tests/random/random.mk tests/bench/bench.mk
-include tests/bench/seamcalls.mk
-include tests/faults/faults.mk tests/unit/unit.mk tests/coverage/coverage.mk

all: $(IMAGES) $(TOOLS) ## build the images and the tools, print the images' SHA-384
	@cd $(B) && sha384sum $(IMAGES:$(B)/%=%)

machine: $(IMAGES) $(TOOLS) $(TEST_IMAGES) ## all that a boot of the emulated machine needs

run: deps ## boot the emulated TDX machine under UEFI; leaves you at Redoubt's shell
	@$(BUILD_ALL) machine
	@tests/emu/boot-td --build $(B) --boot uefi --interactive $(RUN_OPTIONS)

run-grub: deps ## the same under GRUB (Multiboot2)
	@$(BUILD_ALL) machine
	@tests/emu/boot-td --build $(B) --boot grub --interactive $(RUN_OPTIONS)

deps: ## install the Debian packages that building and testing need and this machine lacks
	@tools/deps/install-packages.sh $(B)

# ---- Checks -------------------------------------------------------------------------

check: deps ## every test: lint, check-builds, -unit, -faults, -fuzz, -random, -trace, -emu, bench-seamcalls
	@$(PYTHON) tests/check-all.py --make "$(BUILD_ALL)" --build $(B)

check-builds: ## gcc and clang, with and without assertions, build the same kernel twice
	@tests/check-builds.sh "$(MAKE)" $(B)

check-emu: machine ## boots of the emulated machine; T=SUBSTRING selects
	@$(PYTHON) tests/emu/check_emu.py --build $(B) "$(T)"

lint: ## layers, format, tidy, headers, what must not compile or link; T=SUBSTRING selects
	@$(PYTHON) tests/lint/lint.py --build $(B) "$(T)"

format: ## let clang-format rewrite the sources
	@$(PYTHON) tests/lint/source.py | xargs clang-format -i

loc: ## lines of code per folder, without blanks and comments
	@$(PYTHON) tests/lint/loc.py

clean: ## remove $(B)
	rm -rf $(B)

help: ## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | sort | expand -t 16

# ---- Objects ------------------------------------------------------------------------

# Changed flags rebuild everything that was built with others.
FLAGS := $(CC) $(KCFLAGS) $(HCFLAGS)
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@

$(B)/kernel/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(KCFLAGS) -c $< -o $@
$(B)/kernel/%.S.o: %.S $(B)/flags
	@mkdir -p $(@D)
	@echo '  AS   $@'
	$(Q)$(CC) $(KASFLAGS) -c $< -o $@
$(B)/kernel/%.asm.o: %.asm $(B)/flags
	@mkdir -p $(@D)
	@echo '  NASM $@'
	$(Q)$(NASM) -felf64 -Werror -I. -MD $(@:.o=.d) -MP -o $@ $<
$(B)/host/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(HCFLAGS) -c $< -o $@
$(B)/tsan/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(TSAN_CFLAGS) -c $< -o $@
$(B)/tool/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(TOOL_CFLAGS) -c $< -o $@

# Anything the linker script does not name, and any warning, fails the link.
KLDFLAGS := -nostdlib -static -Wl,-T,linker.ld -Wl,--orphan-handling=error   \
            -Wl,--fatal-warnings -Wl,--build-id=none -Wl,-z,max-page-size=4096 \
            -Wl,-z,noexecstack
$(B)/redoubt.elf: $(KERNEL_OBJ) linker.ld
	@echo '  LD   $@'
	$(Q)$(CC) $(KLDFLAGS) -o $@ $(KERNEL_OBJ)

$(B)/host/model.o: $(MODEL_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) -r -nostdlib $^ -o $@
	$(Q)$(OBJCOPY) --wildcard --keep-global-symbol='tdx_model_*' $@

FORCE:
.PHONY: all machine run run-grub deps check check-builds check-trace check-emu lint \
        format loc clean help FORCE
-include $(shell find $(B) -path $(B)/variants -prune -o -name '*.d' -print 2>/dev/null)
