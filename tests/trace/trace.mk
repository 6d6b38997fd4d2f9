# SPDX-License-Identifier: MIT
# trace-replay: recorded conversations with the real TDX module, against the model.

TRACES    ?= tests/trace/data
TRACE_SRC := $(sort $(wildcard tests/trace/*.c)) sha384/sha384.c
TRACE_OBJ := $(TRACE_SRC:%=$(B)/host/%.o) $(B)/host/model.o

# A conversation that diverges is left by longjmp, with the line that it was at.
check-trace: $(B)/trace-replay ## replay recorded conversations against the model; TRACES=DIR
	@ASAN_OPTIONS=detect_leaks=0 $< $(TRACES)

$(B)/trace-replay: $(TRACE_OBJ)
	@echo '  LD   $@'
	$(Q)$(CC) $(HCFLAGS) $^ -o $@
