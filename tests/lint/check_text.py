# SPDX-License-Identifier: MIT
"""Rules of the house that the text of the sources shows."""
import re

import source

ALL_CODE = source.C_FILES + source.ASM_FILES
MAX_BODY_LINES = 60
LONG_FUNCTION = "NOLINT(readability-function-size)"
LONG_FUNCTION_NEXT = "NOLINTNEXTLINE(readability-function-size)"
# Opcodes belong here; core/hw.c is the seam that the host tests replace.
ASM_PLACES = re.compile(r"(_insn\.h|^core/hw\.c)$")
ASM_STATEMENT = re.compile(r"\b(__asm__|__asm|asm)\b")
CONDITIONAL = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b")
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\b(?i:for now|placeholder|"
                        r"not yet implemented)\b")
TEXT_FILES = (*ALL_CODE, ".py", ".sh", ".mk", ".md", ".ld")


def lines_matching(root, paths, pattern, message, text_of):
    problems = []
    for path in paths:
        text = text_of(path, (root / path).read_text())
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                problems.append(f"{path}:{number}: {message}")
    return problems


def check_opcodes(root):
    """Inline assembly only in *_insn.h and core/hw.c."""
    folders = (*source.PRODUCT, "sha384", "tests/emu", "tests/model")
    paths = [p for p in source.files(root, folders, source.C_FILES)
             if not ASM_PLACES.search(p.as_posix())]
    return lines_matching(root, paths, ASM_STATEMENT, "inline assembly outside *_insn.h",
                          source.code)


def check_conditionals(root):
    """No #if in a .c file: folder or linker decide."""
    paths = source.files(root, (*source.PRODUCT, "sha384", "tests/model"), (".c",))
    return lines_matching(root, paths, CONDITIONAL, "#if in a .c file", source.code)


def check_words(root):
    """Nothing that is left for later."""
    paths = [p for p in source.files(root, source.OWN_CODE, TEXT_FILES)
             if p.parts[:2] != ("tests", "lint")]
    paths += [p.relative_to(root) for p in (root / "README.md", root / "ARCHITECTURE.md")
              if p.is_file()]
    return lines_matching(root, paths, UNFINISHED, "unfinished, by its own words",
                          lambda _, text: text)


def check_licence(root):
    """The licence in the first line, after an interpreter line."""
    problems = []
    for path in source.files(root, source.OWN_CODE, (*ALL_CODE, ".py", ".sh", ".mk")):
        head = (root / path).read_text().splitlines()[:2]
        if head and head[0].startswith("#!"):
            head = head[1:]
        if not head or "SPDX-License-Identifier: MIT" not in head[0]:
            problems.append(f"{path}:1: no SPDX-License-Identifier: MIT")
    return problems


def functions(lines):
    """(first line of the body, last line, first line of the signature), counted from 0."""
    start = None
    for number, line in enumerate(lines):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            signature = start
            while signature > 0 and re.match(r"[^\s{}#]|\s+\S.*[),]$", lines[signature - 1]):
                signature -= 1
            yield start + 1, number - 1, signature
            start = None


def has_reason(lines, signature, body):
    """A NOLINT with a reason behind it, at the function's head."""
    for line in lines[max(0, signature - 4):body]:
        for mark in (LONG_FUNCTION, LONG_FUNCTION_NEXT):
            if mark in line and len(line.split(mark)[1].strip(" :*/-")) > 10:
                return True
    return False


def check_functions(root):
    """Bodies of at most 60 lines, or a stated reason."""
    problems = []
    for path in source.files(root, source.OWN_CODE, source.C_FILES):
        text = (root / path).read_text()
        raw = text.splitlines()
        for first, last, signature in functions(source.code(path, text).splitlines()):
            length = last - first + 1
            if length > MAX_BODY_LINES and not has_reason(raw, signature, first):
                problems.append(f"{path}:{signature + 1}: function of {length} lines")
    return problems
