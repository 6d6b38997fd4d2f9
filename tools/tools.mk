# SPDX-License-Identifier: MIT
# Programs for people who run Redoubt, on any Linux machine.

TOOLS += $(B)/redoubt-mrtd

REDOUBT_MRTD_SRC := tools/redoubt-mrtd.c mgmt/config.c tdx/measure.c sha384/sha384.c \
                    core/format.c core/string.c tdboot/tdboot_blob.S

$(B)/redoubt-mrtd: $(REDOUBT_MRTD_SRC:%=$(B)/tool/%.o)
	@echo '  LD   $@'
	$(Q)$(CC) $(TOOL_CFLAGS) -o $@ $^

$(B)/tool/%.S.o: %.S $(B)/flags
	@mkdir -p $(@D)
	@echo '  AS   $@'
	$(Q)$(CC) $(TOOL_CFLAGS) -I$(B) -Wa,-I$(B) -c $< -o $@

$(B)/tool/tdboot/tdboot_blob.S.o: $(B)/tdboot/tdboot.bin
