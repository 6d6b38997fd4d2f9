# SPDX-License-Identifier: MIT
#
# The emulated TDX machine: $(B)/emu/tdxemu.efi and $(B)/emu/tdxemu.elf, one
# resident core in two forms. The core is position independent: it copies itself
# into its reserved memory and relocates the copy.

EMU_CFLAGS := $(FREESTANDING) -fpic -fvisibility=hidden -fno-jump-tables
EMU_MODEL_SRC := $(sort $(wildcard tests/model/*.c)) $(sort $(wildcard sha384/*.c))
EMU_CORE_SRC  := $(filter-out tests/emu/efi_% tests/emu/mb2_%, \
                   $(sort $(wildcard tests/emu/*.c tests/emu/*.S))) \
                 core/string.c core/string_hw.c $(EMU_MODEL_SRC)
EMU_CORE_OBJ  := $(EMU_CORE_SRC:%=$(B)/emu/obj/%.o)
EMU_EFI_OBJ   := $(B)/emu/obj/tests/emu/efi_main.c.o $(B)/emu/obj/tests/emu/efi_entry.S.o
EMU_MB2_OBJ   := $(patsubst %,$(B)/emu/obj/%.o,$(sort $(wildcard tests/emu/mb2_*.c tests/emu/mb2_*.S)))

EMU_EFI_CFLAGS := -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 \
                  -DGNU_EFI_USE_MS_ABI -fshort-wchar \
                  $(if $(IS_CLANG),,-maccumulate-outgoing-args)

$(B)/emu/obj/tests/emu/efi_main.c.o: EMU_CFLAGS += $(EMU_EFI_CFLAGS)

$(B)/emu/obj/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(EMU_CFLAGS) -c $< -o $@

$(B)/emu/obj/%.S.o: %.S $(B)/flags
	@mkdir -p $(@D)
	@echo '  AS   $@'
	$(Q)$(CC) $(EMU_CFLAGS) -c $< -o $@

# libefi brings a memcpy and a memset of its own: keep the core's to the core.
$(B)/emu/core.o: $(EMU_CORE_OBJ)
	@echo '  LD   $@'
	$(Q)$(LD) -r $^ -o $@
	$(Q)$(OBJCOPY) --localize-symbol=memcpy --localize-symbol=memset $@

$(B)/emu/tdxemu.so: $(B)/emu/core.o $(EMU_EFI_OBJ)
	@echo '  LD   $@'
	$(Q)$(LD) -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack --no-undefined \
	  -T /usr/lib/elf_x86_64_efi.lds /usr/lib/crt0-efi-x86_64.o $^ -L/usr/lib -lefi -lgnuefi -o $@

$(B)/emu/tdxemu.efi: $(B)/emu/tdxemu.so
	@echo '  EFI  $@'
	$(Q)$(OBJCOPY) -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' \
	  -j '.rela.*' -j .reloc -j .rodata --target efi-app-x86_64 $< $@

$(B)/emu/tdxemu.elf: $(EMU_CORE_OBJ) $(EMU_MB2_OBJ) tests/emu/mb2.ld
	@echo '  LD   $@'
	$(Q)$(LD) -nostdlib -pie --no-dynamic-linker -z noexecstack --no-undefined -z max-page-size=4096 --no-warn-rwx-segments \
	  -T tests/emu/mb2.ld $(EMU_CORE_OBJ) $(EMU_MB2_OBJ) -o $@

-include $(EMU_CORE_OBJ:.o=.d) $(EMU_EFI_OBJ:.o=.d) $(EMU_MB2_OBJ:.o=.d)

# The boots with memory traffic, a minute each time.
SOAK_BOOTS ?= 1
soak: soak-emu
soak-emu: machine ## boots of TDs with a minute of memory traffic, SOAK_BOOTS times
	@$(PYTHON) tests/emu/check_emu.py --build $(B) --traffic 60 --repeat $(SOAK_BOOTS) "at work"

.PHONY: soak-emu
