#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the parts of `make check` one after another and sums up their results.

Each part prints `N passed, N failed` (and perhaps `, N skipped`) as its last such line.
A part that fails without one, or that ran no test, is a failure of its own.
"""
import argparse
import os
import re
import signal
import shlex
import subprocess
import sys
import time

# Part and its time limit in seconds.
PARTS = [("lint", 600), ("check-builds", 600), ("check-unit", 600), ("check-faults", 600),
         ("bench-seamcalls", 600), ("check-fuzz", 600), ("check-random", 900),
         ("check-trace", 600), ("check-emu", 1200)]

SUMMARY = re.compile(r"^(\d+) passed, (\d+) failed")


def run_part(make, build, part, limit):
    """Runs one part, showing its output; returns passed, failed."""
    command = [*shlex.split(make), "--no-print-directory", f"B={build}", part]
    passed = failed = 0
    started = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace", start_new_session=True)

    def stop(*_):
        print(f"{part}: stopped after {time.monotonic() - started:.0f} s", flush=True)
        os.killpg(child.pid, signal.SIGTERM)

    signal.signal(signal.SIGALRM, stop)
    signal.signal(signal.SIGTERM, stop)
    signal.alarm(limit)
    for line in child.stdout:
        print(line, end="", flush=True)
        found = SUMMARY.match(line)
        if found:
            passed, failed = int(found.group(1)), int(found.group(2))
    code = child.wait()
    signal.alarm(0)
    if code != 0 and failed == 0:
        failed = 1
    if passed + failed == 0:
        print(f"{part}: ran no test")
        failed = 1
    return passed, failed


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--make", default="make")
    p.add_argument("--build", default="build")
    a = p.parse_args()
    results = []
    for part, limit in PARTS:
        print(f"==== {part}", flush=True)
        started = time.monotonic()
        passed, failed = run_part(a.make, a.build, part, limit)
        results.append((part, passed, failed, time.monotonic() - started))
    print("====")
    for part, passed, failed, seconds in results:
        print(f"{part:16}{seconds:7.1f} s   {passed} passed, {failed} failed")
    print(f"{sum(r[1] for r in results)} passed, {sum(r[2] for r in results)} failed")
    return 1 if any(r[2] for r in results) else 0


if __name__ == "__main__":
    sys.exit(main())
