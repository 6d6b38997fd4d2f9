# SPDX-License-Identifier: MIT
# The demo TD: Debian's cloud kernel, unmodified, and a busybox initramfs.

$(B)/guest/vmlinuz: tools/deps/fetch-guest-kernel.sh
	@$< $(@D)
	@touch $@

$(B)/guest/initrd.gz: $(wildcard tests/guest/initramfs/*)
	@mkdir -p $(@D)
	tests/guest/initramfs/build.sh $@
