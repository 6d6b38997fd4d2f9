# SPDX-License-Identifier: MIT
"""Rules that a compiler or a clang tool has to decide."""
import concurrent.futures
import hashlib
import os
import re
import shlex
import subprocess

import source

COMPILERS = ("gcc", "clang")
FLAG_SETS = ("KCFLAGS", "FREESTANDING", "HOST", "EFI_CFLAGS")
TIDY_FOLDERS = (*source.PRODUCT, "sha384")
FORMAT_FOLDERS = source.OWN_CODE
JOBS = os.cpu_count() or 1


def make_variable(root, name, compiler="gcc", build="build"):
    """The value of a variable of the Makefile, split into words."""
    done = subprocess.run(["make", "-s", "--no-print-directory", f"CC={compiler}", f"B={build}",
                           f"--eval=print-it: ; @echo '$({name})'", "print-it"],
                          cwd=root, capture_output=True, text=True, check=True)
    words = shlex.split(done.stdout)
    return [w for w in words if w not in ("-MMD", "-MP")]


class Tree:
    """A tree to check: its root, and the flags of the project's own Makefile."""

    def __init__(self, root, build, flags=None):
        self.root = root
        self.build = build
        self.flags = flags or {(c, v): make_variable(root, v, c)
                               for c in COMPILERS for v in FLAG_SETS}

    def run(self, command, **kwargs):
        return subprocess.run([str(c) for c in command], cwd=self.root, capture_output=True,
                              text=True, **kwargs)

    def flags_for(self, path, compiler):
        name = path.as_posix()
        if name.startswith("boot/efi/"):
            return self.flags[compiler, "EFI_CFLAGS"]
        if name.startswith(("tests/emu/", "tests/guest/", "tests/model/", "tdboot/")):
            return self.flags[compiler, "FREESTANDING"]
        if name.startswith(("tests/", "tools/")):
            return self.flags[compiler, "HOST"]
        return self.flags[compiler, "KCFLAGS"]


def in_parallel(function, items):
    """Concatenated results of `function` for each item, in order."""
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return [line for lines in pool.map(function, items) for line in lines]


def check_headers(tree):
    """Every header compiles alone, with both compilers."""
    paths = [p for p in source.files(tree.root, source.OWN_CODE, (".h",))
             if p.parts[:2] != ("tests", "compile_fail")]

    def one(item):
        compiler, path = item
        done = tree.run([compiler, *tree.flags_for(path, compiler), "-fsyntax-only", "-x", "c",
                         "-"], input=f'#include "{path}"\n')
        return [f"{path}: {compiler}: {done.stderr}"] if done.returncode else []

    return in_parallel(one, [(c, p) for c in COMPILERS for p in paths])


def expectation(text, compiler):
    """What stops the case: `// reject: TEXT` or, for one compiler, `// reject-clang: TEXT`."""
    found = re.search(rf"^// reject(?:-{compiler})?: (.*)$", text, re.M)
    return found.group(1) if found else None


def check_reject(tree):
    """tests/compile_fail/ does not compile, for the reason that each case states."""
    paths = source.files(tree.root, ("tests/compile_fail",), (".c",))
    texts = {path: (tree.root / path).read_text() for path in paths}

    def one(item):
        compiler, path = item
        wanted = expectation(texts[path], compiler)
        if wanted is None:
            return []
        # -fsyntax-only would miss GCC's warn_unused_result.
        done = tree.run([compiler, *tree.flags[compiler, "KCFLAGS"], "-c", path, "-o",
                         "/dev/null"])
        if done.returncode == 0:
            return [f"{path}: {compiler} accepts it"]
        if wanted not in done.stderr:
            return [f"{path}: {compiler} rejects it for another reason: {done.stderr}"]
        return []

    unstated = [f"{p}: states no `// reject:`" for p in paths
                if not any(expectation(texts[p], c) for c in COMPILERS)]
    return unstated + in_parallel(one, [(c, p) for c in COMPILERS for p in paths])


def check_format(tree):
    """clang-format has nothing to change."""
    paths = source.files(tree.root, FORMAT_FOLDERS, source.C_FILES)
    if not paths:
        return []
    done = tree.run(["clang-format", "--dry-run", "--Werror", *paths])
    lines = [line for line in done.stderr.splitlines() if "error:" in line]
    return lines or ([done.stderr] if done.returncode else [])


def tidy_key(tree, path, flags):
    """What decides the result: the preprocessed source and the configuration."""
    done = tree.run(["clang", *flags, "-E", path])
    config = (tree.root / ".clang-tidy").read_text()
    return hashlib.sha256((done.stdout + config + (tree.root / path).read_text())
                          .encode()).hexdigest()


def check_tidy(tree):
    """clang-tidy is silent about the product. A clean file is not looked at again."""
    clean = tree.build / "lint/tidy"
    clean.mkdir(parents=True, exist_ok=True)

    def one(path):
        flags = tree.flags_for(path, "clang")
        stamp = clean / tidy_key(tree, path, flags)
        if stamp.exists():
            return []
        done = tree.run(["clang-tidy", "--quiet", path, "--", *flags])
        lines = [line for line in done.stdout.splitlines() if re.search(r": error:", line)]
        if done.returncode == 0:
            stamp.touch()
            return []
        return lines or [f"{path}: {done.stdout}{done.stderr}"]

    return sorted(set(in_parallel(one, source.files(tree.root, TIDY_FOLDERS, (".c",)))))


BAD_OBJECTS = {
    "a constructor": '.section .init_array, "aw"\n.quad 0\n',
    "a section that nobody placed": '.section lost, "aw"\n.quad 0\n',
    "a GOT entry": "probe:\npushq probe@GOTPCREL(%rip)\n",
}


def link_with(tree, objects, extra, flags):
    return tree.run(["gcc", *flags, "-o", "/dev/null", *objects, *extra])


def check_link(tree):
    """The kernel links, and with one bad object more it does not."""
    build = os.path.relpath(tree.build, tree.root)
    objects = make_variable(tree.root, "KERNEL_OBJ", build=build)
    link_flags = make_variable(tree.root, "KLDFLAGS", build=build)
    made = tree.run(["make", "-s", f"B={build}", f"{build}/redoubt.elf"])
    if made.returncode:
        return [made.stderr]
    if link_with(tree, objects, [], link_flags).returncode:
        return ["the kernel's objects do not link by themselves"]

    problems = []
    folder = tree.build / "lint/link"
    folder.mkdir(parents=True, exist_ok=True)
    for what, text in BAD_OBJECTS.items():
        bad = folder / "bad.o"
        tree.run(["gcc", "-c", "-x", "assembler", "-", "-o", bad], input=text, check=True)
        if link_with(tree, objects, [bad], link_flags).returncode == 0:
            problems.append(f"linker.ld lets {what} pass")
    return problems
