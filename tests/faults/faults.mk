# SPDX-License-Identifier: MIT
#
# Fault injection: tdx/ and vm/ compiled so that every call of a tdh_*() wrapper leaves a
# record of its place in the program. The records, not a list, say what there is to test.

FAULTS_SITED := $(filter-out tdx/tdh.c,$(filter tdx/% vm/%,$(HOSTED_SRC)))
FAULTS_REST  := $(sort $(wildcard tests/faults/*.c)) \
                $(filter-out tests/unit/% tests/model/% $(FAULTS_SITED),$(UNIT_SRC))

# $(1): folder of the objects below $(B); $(2): its module model; $(3), $(4): flags to
# compile and to link.
define FAULTS_PROGRAM
$(B)/$(1)/sited/%.c.o: %.c $(B)/flags $(B)/sited/tdx/tdh.h
	@mkdir -p $$(@D)
	@echo '  CC   $$@'
	$$(Q)$$(CC) -I$(B)/sited $(3) -c $$< -o $$@

$(B)/$(1)/faults: $(FAULTS_SITED:%=$(B)/$(1)/sited/%.o) $(FAULTS_REST:%=$(B)/$(1)/%.o) \
		$(B)/$(1)/$(2)
	@echo '  LD   $$@'
	$$(Q)$$(CC) $(4) $(HOSTED_LDFLAGS) $$^ -o $$@
endef

$(eval $(call FAULTS_PROGRAM,host,model.o,$(HCFLAGS),$(HCFLAGS)))

# Found before the wrappers' own header: the same, and each wrapper as a macro.
$(B)/sited/tdx/tdh.h: tdx/tdh.h tests/faults/faults.mk
	@mkdir -p $(@D)
	@echo '#pragma once' > $@
	@echo '#include "tests/faults/site.h"' >> $@
	@echo '#include_next "tdx/tdh.h"' >> $@
	@sed -n 's/^.*tdx_status_t \(tdh_[a-z0-9_]*\)(.*/#define \1(...) FAULT_SITE(\1, __VA_ARGS__)/p' \
	        $< >> $@

check-faults: $(B)/host/faults ## refuse every SEAMCALL with every status; T=SUBSTRING selects
	@$< "$(T)"

.PHONY: check-faults
