#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the lines of code per folder, without blanks and comments."""
import pathlib

import source

BUDGET = 12000
OTHERS = ("sha384", "tools", "tests/model", "tests/emu", "tests/guest", "tests/unit",
          "tests/fake", "tests/hosted", "tests/trace", "tests/fuzz", "tests/random", "tests/bench")


def folder_lines(root, folder):
    total = 0
    for path in source.files(root, (folder,), source.C_FILES + source.ASM_FILES):
        total += source.count_lines(path, (root / path).read_text())
    return total


def product_lines(root):
    return sum(folder_lines(root, folder) for folder in source.PRODUCT)


def main():
    root = pathlib.Path(__file__).resolve().parents[2]
    for folder in source.PRODUCT:
        print(f"{folder:14}{folder_lines(root, folder):7}")
    total = product_lines(root)
    over = f", {total - BUDGET} too many" if total > BUDGET else ""
    print(f"{'product':14}{total:7}   of {BUDGET}{over}")
    for folder in OTHERS:
        if (root / folder).is_dir():
            print(f"{folder:14}{folder_lines(root, folder):7}")


if __name__ == "__main__":
    main()
