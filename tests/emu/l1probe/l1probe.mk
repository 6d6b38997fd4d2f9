# SPDX-License-Identifier: MIT
#
# The L1 probe: what the emulator starts in place of redoubt.efi to be tested itself.

TEST_IMAGES += $(B)/emu/l1probe.efi

L1PROBE_SRC := $(sort $(wildcard tests/emu/l1probe/*.c tests/emu/l1probe/*.S)) tests/guest/tap.c
L1PROBE_OBJ := $(L1PROBE_SRC:%=$(B)/emu/l1probe/%.o)

$(B)/emu/l1probe/tests/emu/l1probe/efi_main.c.o: EMU_CFLAGS += $(EMU_EFI_CFLAGS)

$(B)/emu/l1probe/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(EMU_CFLAGS) -c $< -o $@

$(B)/emu/l1probe/%.S.o: %.S $(B)/flags
	@mkdir -p $(@D)
	@echo '  AS   $@'
	$(Q)$(CC) $(EMU_CFLAGS) -c $< -o $@

$(B)/emu/l1probe.so: $(L1PROBE_OBJ)
	@echo '  LD   $@'
	$(Q)$(LD) -nostdlib -znocombreloc -shared -Bsymbolic -z noexecstack --no-undefined \
	  -T /usr/lib/elf_x86_64_efi.lds /usr/lib/crt0-efi-x86_64.o $^ -L/usr/lib -lefi -lgnuefi -o $@

$(B)/emu/l1probe.efi: $(B)/emu/l1probe.so
	@echo '  EFI  $@'
	$(Q)$(OBJCOPY) -j .text -j .sdata -j .data -j .dynamic -j .dynsym -j .rel -j .rela -j '.rel.*' \
	  -j '.rela.*' -j .reloc -j .rodata --target efi-app-x86_64 $< $@

-include $(L1PROBE_OBJ:.o=.d)
