#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the unit tests, the shell's, and those with threads once more under ThreadSanitizer (TAP)."""
import argparse
import os
import re
import subprocess
import sys

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed\n")


def run(argv, wanted, what):
    """Shows the tests of one program; returns passed, failed."""
    env = dict(os.environ)
    env.setdefault("TSAN_OPTIONS", "halt_on_error=1 second_deadlock_stack=1")
    child = subprocess.Popen([*argv, wanted], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace", env=env)
    counts = None
    for line in child.stdout:
        if SUMMARY.match(line):
            counts = SUMMARY.match(line)
        elif not line.startswith("1.."):
            print(re.sub(r"^((?:not )?ok \d+ - )", rf"\1{what}", line), end="", flush=True)
    child.wait()
    # No summary: it broke. No test in it: whether there was none in all is for main() to say.
    return (int(counts[1]), int(counts[2])) if counts else (0, 1)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("program")
    p.add_argument("shell", help="the tests of the shell")
    p.add_argument("tsan", help="the tests with threads, built with ThreadSanitizer")
    p.add_argument("wanted", help="substring of the tests' names")
    a = p.parse_args()
    # Its shadow memory does not survive the address space randomisation of newer kernels.
    results = [run([a.program], a.wanted, ""), run([a.shell], a.wanted, ""),
               run(["setarch", "-R", a.tsan, "--threads"], a.wanted, "thread sanitizer: ")]
    passed, failed = (sum(r[i] for r in results) for i in (0, 1))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
