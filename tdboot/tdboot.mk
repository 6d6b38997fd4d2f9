# SPDX-License-Identifier: MIT
# The measured boot shim: $(B)/tdboot/tdboot.bin, 64 KiB, which the kernel carries.

IASL ?= iasl

# Position-independent, for it lies where 32-bit sign-extended addresses do not reach.
TDBOOT_CFLAGS := $(FREESTANDING) -fpie -fvisibility=hidden
TDBOOT_SRC    := $(sort $(filter-out tdboot/tdboot_blob.S,$(wildcard tdboot/*.c tdboot/*.S))) \
                 sha384/sha384.c core/format.c core/string_hw.c
TDBOOT_OBJ    := $(TDBOOT_SRC:%=$(B)/shim/%.o)

# What only computes is also tested hosted.
TDBOOT_PURE := acpi boot_params bzimage layout text
UNIT_OBJ    += $(TDBOOT_PURE:%=$(B)/host/tdboot/%.c.o) $(B)/host/tdboot/dsdt_blob.S.o

KERNEL_OBJ  += $(B)/kernel/tdboot/tdboot_blob.S.o

tdboot: $(B)/tdboot/tdboot.bin ## the measured boot shim

$(B)/tdboot/tdboot.bin: $(B)/tdboot/tdboot.elf
	@echo '  BIN  $@'
	$(Q)$(OBJCOPY) -O binary -j .image $< $@

$(B)/tdboot/tdboot.elf: $(TDBOOT_OBJ) tdboot/tdboot.ld
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) -nostdlib -static -Wl,-T,tdboot/tdboot.ld -Wl,--orphan-handling=error   \
		-Wl,--fatal-warnings -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro \
		-Wl,--no-warn-rwx-segments \
		-o $@ $(TDBOOT_OBJ)

$(B)/tdboot/dsdt.aml: tdboot/dsdt.asl
	@mkdir -p $(@D)
	@echo '  IASL $@'
	$(Q)$(IASL) -we -vs -p $(@:.aml=) $< >$(@:.aml=.log) || { cat $(@:.aml=.log); exit 1; }

$(B)/kernel/tdboot/tdboot_blob.S.o: $(B)/tdboot/tdboot.bin
$(B)/shim/tdboot/dsdt_blob.S.o $(B)/host/tdboot/dsdt_blob.S.o: $(B)/tdboot/dsdt.aml

$(B)/shim/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(TDBOOT_CFLAGS) -c $< -o $@
$(B)/shim/%.S.o: %.S $(B)/flags
	@mkdir -p $(@D)
	@echo '  AS   $@'
	$(Q)$(CC) $(TDBOOT_CFLAGS) -I$(B) -Wa,-I$(B) -c $< -o $@
$(B)/host/%.S.o: %.S $(B)/flags
	@mkdir -p $(@D)
	@echo '  AS   $@'
	$(Q)$(CC) $(HCFLAGS) -I$(B) -Wa,-I$(B) -c $< -o $@

.PHONY: tdboot
