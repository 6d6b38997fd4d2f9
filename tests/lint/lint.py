#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs every lint and prints one TAP line for each, with what it found."""
import argparse
import pathlib
import sys
import time

import check_compile
import check_layers
import check_text
import selftest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SHOWN = 40

TEXT_LINTS = [
    ("no include against the layers", check_layers.check),
    ("opcodes only in *_insn.h and assembly", check_text.check_opcodes),
    ("no #if in .c files", check_text.check_conditionals),
    ("functions of at most 60 lines", check_text.check_functions),
    ("nothing left for later", check_text.check_words),
    ("a licence line in every file", check_text.check_licence),
]
COMPILER_LINTS = [
    ("clang-format has nothing to change", check_compile.check_format),
    ("every header compiles alone", check_compile.check_headers),
    ("what must not compile does not", check_compile.check_reject),
    ("what must not link does not", check_compile.check_link),
    ("clang-tidy is silent", check_compile.check_tidy),
    ("every lint finds a deliberate violation", selftest.check),
]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", type=pathlib.Path, default=ROOT / "build")
    p.add_argument("wanted", nargs="?", default="", help="only lints whose name has this")
    a = p.parse_args()
    tree = check_compile.Tree(ROOT, a.build.resolve())
    lints = [(name, lint, ROOT) for name, lint in TEXT_LINTS]
    lints += [(name, lint, tree) for name, lint in COMPILER_LINTS]

    passed = failed = 0
    for name, lint, where in lints:
        if a.wanted not in name:
            continue
        started = time.monotonic()
        problems = lint(where)
        lines = [line for text in problems for line in text.strip().splitlines()]
        for line in lines[:SHOWN]:
            print(f"# {line}")
        if len(lines) > SHOWN:
            print(f"# and {len(lines) - SHOWN} more lines")
        passed, failed = (passed, failed + 1) if problems else (passed + 1, failed)
        word = "not ok" if problems else "ok"
        seconds = time.monotonic() - started
        print(f"{word} {passed + failed} - {name} # {seconds:.1f} s", flush=True)
    print(f"1..{passed + failed}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
