# SPDX-License-Identifier: MIT
#
# Benchmarks. Their libraries are installed for them only.

BENCH_GPAMAP_SRC := $(sort $(wildcard tests/bench/gpamap*.c)) tdx/gpa_map.c
BENCH_GPAMAP_GIB ?= 64

# Standard output is for machines. The checks come first: figures of structures that disagree
# would mean nothing.
bench-gpamap: ## compare the GPA map with CRoaring, Judy1 and a bitmap: bytes, time, ratio
	@tools/deps/install-packages.sh $(B) bench >&2
	@$(MAKE) --no-print-directory $(B)/bench/gpamap >&2
	@$(B)/bench/gpamap --check --gib 2 >&2
	@$(B)/bench/gpamap --gib $(BENCH_GPAMAP_GIB)
	@$(B)/bench/gpamap --grow

# The same patterns in instructions, which no other load of the machine disturbs.
bench-gpamap-instructions: ## the same in instructions per operation, counted by callgrind
	@tools/deps/install-packages.sh $(B) bench >&2
	@$(MAKE) --no-print-directory $(B)/bench/gpamap >&2
	@$(PYTHON) tests/bench/gpamap_instructions.py $(B)/bench/gpamap

# Boots Linux as a TD with every block of Redoubt's logged: some minutes.
bench-exits: machine ## count the instructions between two TD entries; fails beyond a budget
	@$(PYTHON) tests/bench/exit_path.py --build $(B)

$(B)/bench/gpamap: $(BENCH_GPAMAP_SRC:%=$(B)/tool/%.o)
	@mkdir -p $(@D)
	@echo '  LD   $@'
	$(Q)$(CC) $(TOOL_CFLAGS) -o $@ $^ -lroaring -lJudy

.PHONY: bench-gpamap bench-gpamap-instructions bench-exits
