# SPDX-License-Identifier: MIT
"""Source files of the tree and their text without comments and strings.

Run as a program, it lists the C files, for clang-format.
"""
import pathlib
import re

PRODUCT = ("boot", "core", "mm", "drivers", "vmx", "tdx", "vm", "mgmt", "guest-abi", "tdboot")
OWN_CODE = (*PRODUCT, "sha384", "tools", "tests")
C_FILES = (".c", ".h")
ASM_FILES = (".S", ".asm")

C_TOKENS = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])+'""", re.S)
NASM_COMMENT = re.compile(r";[^\n]*")


def files(root, folders, suffixes):
    """Files below `folders` with one of `suffixes`, as paths relative to `root`."""
    found = []
    for folder in folders:
        for path in (root / folder).rglob("*"):
            if path.suffix in suffixes and path.is_file():
                found.append(path.relative_to(root))
    return sorted(found)


def blank_token(match):
    """A comment becomes blanks, a string keeps its quotes; line numbers stay."""
    token = match.group()
    if token[0] in "\"'":
        return token[0] + " " * (len(token) - 2) + token[0]
    return re.sub(r"[^\n]", " ", token)


def code(path, text):
    """`text` with comments and the insides of strings blanked, line by line the same."""
    if path.suffix == ".asm":
        return NASM_COMMENT.sub("", text)
    return C_TOKENS.sub(blank_token, text)


def count_lines(path, text):
    """Lines of code: neither blank nor comment."""
    return sum(1 for line in code(path, text).splitlines() if line.strip())


if __name__ == "__main__":
    for c_file in files(pathlib.Path("."), OWN_CODE, C_FILES):
        print(c_file)
