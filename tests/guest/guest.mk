# SPDX-License-Identifier: MIT
# The probe: a TD payload of our own in the shape of a bzImage.

TEST_IMAGES += $(B)/guest/probe.bzimage

PROBE_SRC := $(sort $(wildcard tests/guest/*.c tests/guest/*.S)) sha384/sha384.c core/string_hw.c
PROBE_OBJ := $(PROBE_SRC:%=$(B)/probe/%.o)

$(B)/guest/probe.bzimage: $(B)/guest/probe.elf
	@echo '  BIN  $@'
	$(Q)$(OBJCOPY) -O binary -j .setup -j .payload $< $@

$(B)/guest/probe.elf: $(PROBE_OBJ) tests/guest/probe.ld
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) -nostdlib -static -Wl,-T,tests/guest/probe.ld -Wl,--orphan-handling=error \
		-Wl,--fatal-warnings -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro   \
		-Wl,--no-warn-rwx-segments -Wl,-e,0x1000200 -o $@ $(PROBE_OBJ)

$(B)/probe/%.c.o: %.c $(B)/flags
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) $(FREESTANDING) -c $< -o $@
$(B)/probe/%.S.o: %.S $(B)/flags
	@mkdir -p $(@D)
	@echo '  AS   $@'
	$(Q)$(CC) $(FREESTANDING) -c $< -o $@
