#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Counts what each structure of gpamap executes: `pattern structure instructions_per_op`."""
import argparse
import os
import re
import subprocess
import sys
import tempfile

# Judy1 converts ranges page by page: its counts take minutes and say what the times say.
STRUCTURES = ("redoubt", "bitmap", "croaring")
HEADER = "# pattern structure instructions_per_op ratio"


def patterns(program):
    """Names of the patterns."""
    done = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def count(program, gib, pattern, structure, profile):
    """Instructions of one operation, the loop around it included."""
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--toggle-collect=timed_*",
         f"--callgrind-out-file={profile}", program, "--count", "--gib", str(gib),
         "--pattern", pattern, "--structure", structure],
        capture_output=True, text=True, check=False)
    collected = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode != 0 or not collected:
        sys.exit(f"{pattern} {structure}: {done.stderr}")
    return int(collected.group(1)) / int(done.stdout)


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("program")
    p.add_argument("--gib", type=int, default=4)
    p.add_argument("--pattern", default="")
    a = p.parse_args()
    print(HEADER)
    with tempfile.TemporaryDirectory() as scratch:
        profile = os.path.join(scratch, "profile")
        for pattern in patterns(a.program):
            if a.pattern not in pattern:
                continue
            counts = {s: count(a.program, a.gib, pattern, s, profile) for s in STRUCTURES}
            for structure, n in counts.items():
                print(f"{pattern:28} {structure:9} {n:10.1f} {n / counts['redoubt']:8.2f}",
                      flush=True)


if __name__ == "__main__":
    main()
