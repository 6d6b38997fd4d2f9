# SPDX-License-Identifier: MIT
#
# redoubt.efi: a GNU-EFI loader that carries the kernel as it lies in memory. The kernel itself
# is built by the Makefile's own rules.

EFI_SRC := $(sort $(wildcard boot/efi/*.c)) core/boot_info.c core/string.c core/string_hw.c \
           core/format.c mgmt/config.c
EFI_OBJ := $(EFI_SRC:%=$(B)/efi/obj/%.o) $(B)/efi/obj/boot/efi/kernel.S.o

EFI_CFLAGS := $(FREESTANDING) -fpic -fshort-wchar -fvisibility=hidden -DGNU_EFI_USE_MS_ABI \
              -isystem /usr/include/efi -isystem /usr/include/efi/x86_64 \
              $(if $(IS_CLANG),,-maccumulate-outgoing-args)

$(B)/efi/obj/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(EFI_CFLAGS) -c $< -o $@

# libefi brings a memcpy and a memset of its own, which win over weak ones.
$(B)/efi/obj/core/string_hw.c.o: core/string_hw.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(EFI_CFLAGS) -c $< -o $@
	$(Q)$(OBJCOPY) --weaken $@

$(B)/efi/obj/boot/efi/kernel.S.o: boot/efi/kernel.S $(B)/efi/kernel.bin $(B)/flags
	@mkdir -p $(@D)
	@echo '  AS   $@'
	$(Q)$(CC) $(EFI_CFLAGS) -Wa,-I$(B)/efi -c $< -o $@

$(B)/efi/kernel.bin: $(B)/redoubt.elf
	@mkdir -p $(@D)
	@echo '  COPY $@'
	$(Q)$(OBJCOPY) -O binary $< $@

$(B)/efi/redoubt.so: $(EFI_OBJ)
	@echo '  LD   $@'
	$(Q)$(LD) -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack --no-undefined \
	  -T /usr/lib/elf_x86_64_efi.lds /usr/lib/crt0-efi-x86_64.o $^ -L/usr/lib -lefi -lgnuefi -o $@

$(B)/redoubt.efi: $(B)/efi/redoubt.so
	@echo '  COPY $@'
	$(Q)$(OBJCOPY) -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' \
	  -j '.rela.*' -j .reloc -j .rodata --target efi-app-x86_64 $< $@

# Parsers of boot/ and drivers/ that hosted tests reach.
UNIT_OBJ += $(B)/host/boot/multiboot2.c.o $(B)/host/boot/efi/memory_map.c.o \
            $(B)/host/drivers/acpi.c.o

-include $(EFI_OBJ:.o=.d)
