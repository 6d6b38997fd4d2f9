# SPDX-License-Identifier: MIT
# The demo TD: Debian's cloud kernel, unmodified, and a busybox initramfs.

INITRAMFS := tests/guest/initramfs

$(B)/guest/vmlinuz: tools/deps/fetch-guest-kernel.sh
	@$< $(@D)
	@touch $@

$(B)/guest/initrd.gz: $(wildcard $(INITRAMFS)/*) $(B)/guest/traffic
	@mkdir -p $(@D)
	$(INITRAMFS)/build.sh $@ $(B)/guest/traffic

# A Linux program, but without a library: system calls only.
$(B)/guest/traffic: $(addprefix $(INITRAMFS)/,traffic.c traffic_start.S syscall_insn.h) $(B)/flags
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(filter-out -MMD -MP -g,$(COMMON)) -O2 -ffreestanding -fno-pic \
		-fno-stack-protector -nostdlib -static -Wl,--build-id=none -s \
		-o $@ $(filter %.c %.S,$^)
