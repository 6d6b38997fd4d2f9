# SPDX-License-Identifier: MIT
#
# Fault injection: tdx/ and vm/ compiled so that every call of a tdh_*() wrapper leaves a
# record of its place in the program. The records, not a list, say what there is to test.

FAULTS_SITED := $(filter-out tdx/tdh.c,$(filter tdx/% vm/%,$(HOSTED_SRC)))
FAULTS_OBJ   := $(FAULTS_SITED:%=$(B)/faults/obj/%.o) $(B)/host/model.o                    \
                $(patsubst %,$(B)/host/%.o,$(sort $(wildcard tests/faults/*.c))            \
                  $(filter-out tests/unit/% tests/model/% $(FAULTS_SITED),$(UNIT_SRC)))

check-faults: $(B)/faults/faults ## refuse every SEAMCALL with every status; T=SUBSTRING selects
	@$(B)/faults/faults "$(T)"

# Found before the wrappers' own header: the same, and each wrapper as a macro.
$(B)/faults/include/tdx/tdh.h: tdx/tdh.h tests/faults/faults.mk
	@mkdir -p $(@D)
	@echo '#pragma once' > $@
	@echo '#include "tests/faults/site.h"' >> $@
	@echo '#include_next "tdx/tdh.h"' >> $@
	@sed -n 's/^.*tdx_status_t \(tdh_[a-z0-9_]*\)(.*/#define \1(...) FAULT_SITE(\1, __VA_ARGS__)/p' \
	        $< >> $@

$(B)/faults/obj/%.c.o: %.c $(B)/flags $(B)/faults/include/tdx/tdh.h
	@mkdir -p $(@D)
	@echo '  CC   $@'
	$(Q)$(CC) -I$(B)/faults/include $(HCFLAGS) -c $< -o $@

$(B)/faults/faults: $(FAULTS_OBJ)
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(HCFLAGS) $(HOSTED_LDFLAGS) $^ -o $@

.PHONY: check-faults
