# SPDX-License-Identifier: MIT
"""Who may include whom: the table of ARCHITECTURE.md, executable."""
import re

import source

LOW = {"core", "mm", "guest-abi", "sha384"}
MAY_INCLUDE = {  # folder: folders or single headers that it may reach, besides itself
    "guest-abi": set(),
    "core": set(),
    "sha384": set(),
    "mm": {"core"},
    "drivers": {"core", "mm"},
    "vmx": {"core", "mm", "guest-abi"},
    "tdx": LOW | {"vmx/exit.h", "vmx/ept.h", "vmx/vmx.h"},
    "vm": LOW | {"vmx", "tdx", "drivers/timer.h"},
    "mgmt": LOW | {"vmx", "tdx", "vm", "drivers/uart.h", "drivers/power.h", "drivers/timer.h"},
    "tdboot": {"guest-abi", "sha384", "core/format.h"},
    "tools": {"guest-abi", "core", "mgmt/config.h", "tdx/measure.h", "sha384"},
    "boot": LOW | {"drivers", "vmx", "tdx", "vm", "mgmt"},
    "tests/model": {"sha384"},
}
# The raw SEAMCALL and the opcodes belong to their folder and to tests.
PRIVATE = {"tdx/seamcall.h", "vmx/vmx_insn.h"}
FREESTANDING = {"stdint.h", "stddef.h", "stdbool.h", "stdarg.h", "stdatomic.h", "stdalign.h",
                "limits.h"}
HOSTED = ("tools", "boot/efi")  # Programs with a library below them.
MEMORY_FUNCTIONS = "string.h"    # The portable model asks its surroundings for them.

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)')


def folder_of(path):
    name = path.as_posix()
    return next(f for f in MAY_INCLUDE if name.startswith(f + "/"))


def problem(path, kind, target):
    """What is wrong with this #include, or None."""
    folder = folder_of(path)
    if kind == "<":
        hosted = path.as_posix().startswith(tuple(f + "/" for f in HOSTED))
        portable = folder == "tests/model" and target == MEMORY_FUNCTIONS
        if target not in FREESTANDING and not hosted and not portable:
            return f"<{target}> is not a freestanding header"
        return None
    if "/" not in target:
        return f'write "{folder}/{target}": paths start at the root'
    if target.startswith(folder + "/"):
        return None
    if not {target, target.split("/")[0]} & MAY_INCLUDE[folder]:
        return f"{folder}/ must not include {target}"
    if target in PRIVATE:
        return f"{target} is private to its folder"
    return None


def check(root):
    problems = []
    for path in source.files(root, MAY_INCLUDE, source.C_FILES + source.ASM_FILES):
        for number, line in enumerate((root / path).read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            wrong = found and problem(path, *found.groups())
            if wrong:
                problems.append(f"{path}:{number}: {wrong}")
    return problems
