# SPDX-License-Identifier: MIT
"""Every lint must find a deliberate violation and be silent about a good file."""
import pathlib
import shutil
import tempfile

import check_compile
import check_layers
import check_text

SPDX = "/* SPDX-License-Identifier: MIT */\n"
GOOD = {"core/good.h": SPDX + "#pragma once\n\n#include <stdint.h>\n\nuint64_t good(void);\n",
        "core/good.c": SPDX + '#include "core/good.h"\n\nuint64_t good(void) { return 1; }\n'}
WIDENED = "unsigned long f(int a);\nunsigned long f(int a) { return (unsigned long)(a * 4096); }\n"
LONG_BODY = "\tf();\n" * 61

# (lint, is it one of a compiler's, a file that it must refuse)
CASES = [
    (check_layers.check, False, "core/bad.c", SPDX + '#include "vm/vm.h"\n'),
    (check_layers.check, False, "vm/bad.c", SPDX + "#include <stdio.h>\n"),
    (check_layers.check, False, "vm/bad.c", SPDX + '#include "tdx/seamcall.h"\n'),
    (check_text.check_opcodes, False, "vm/bad.c", SPDX + 'void f(void) { asm("nop"); }\n'),
    (check_text.check_conditionals, False, "vm/bad.c", SPDX + "#ifdef X\n#endif\n"),
    (check_text.check_words, False, "vm/bad.c", SPDX + "/* TODO: all of it */\n"),
    (check_text.check_licence, False, "vm/bad.c", "int x;\n"),
    (check_text.check_functions, False, "vm/bad.c",
     SPDX + "void f(void)\n{\n" + LONG_BODY + "}\n"),
    (check_compile.check_format, True, "vm/bad.c", SPDX + "int  x ;\n"),
    (check_compile.check_tidy, True, "vm/bad.c", SPDX + WIDENED),
    (check_compile.check_tidy, True, "core/bad.c", SPDX + '#include "core/bad.h"\n',
     "core/bad.h", SPDX + "static inline " + WIDENED.splitlines()[1] + "\n"),
    (check_compile.check_headers, True, "vm/bad.h", SPDX + "uint64_t f(void);\n"),
    (check_compile.check_reject, True, "tests/compile_fail/bad.c",
     SPDX + "// reject: error\nint f(void);\nint f(void) { return 0; }\n"),
]


def run_on(lint, of_compiler, place, flags, files):
    """What `lint` says about a tree of these files."""
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    if of_compiler:
        return lint(check_compile.Tree(place, place / "build", flags))
    return lint(place)


def check(tree):
    problems = []
    for lint, of_compiler, *bad in CASES:
        with tempfile.TemporaryDirectory() as name:
            place = pathlib.Path(name)
            for config in (".clang-format", ".clang-tidy"):
                shutil.copy(tree.root / config, place)
            bad_files = dict(zip(bad[::2], bad[1::2]))
            title = f"{lint.__module__}.{lint.__name__}"
            noise = run_on(lint, of_compiler, place, tree.flags, GOOD)
            if noise:
                problems.append(f"{title} refuses a good file: {noise[0]}")
            elif not run_on(lint, of_compiler, place, tree.flags, bad_files):
                problems.append(f"{title} lets a bad {bad[0]} pass")
    return problems
