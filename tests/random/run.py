#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs random-ops with several seeds, a few at a time, and counts.

Lists of --ops operations in all are run in one thread, and as many on four; then --gib-ops
operations on TDs that have a GiB to become one page, which some of them must do; with --tsan
short runs of another build follow, under ThreadSanitizer. The output of a run that fails is shown: the
command that repeats it, and if one thread is enough, the shortest list found, in words.
"""
import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import time

RUNS = 8
THREADS = 4
GIB_RAM = 8192          # MiB, of which a run touches some 4 GiB
PROMOTED = re.compile(r"(\d+) promotions to 1G$")


def command(program, seed, ops, threads, *more):
    # A multiple of the default distance, so that every run has as many checks.
    return [program, "--seed", str(seed), "--ops", str(ops), "--threads", str(threads), *more]


def plan(a):
    share = max(2 * a.ops // RUNS, 1)
    runs = []
    for i in range(RUNS):
        threads = THREADS if i % 2 else 1
        runs.append(command(a.program, a.seed + i, share, threads))
    for i, threads in enumerate((1, THREADS)):
        runs.append(command(a.program, a.seed + RUNS + i, a.gib_ops, threads,
                            "--ram", str(GIB_RAM)))
    if a.tsan:
        # Its history of memory accesses does not survive address space randomisation of
        # newer kernels; memory costs it five-fold.
        for i in range(2):
            runs.append(["setarch", "-R", *command(a.tsan, a.seed + RUNS + 2 + i, a.tsan_ops,
                                                   THREADS, "--ram", "96")])
    return runs


def environment():
    env = dict(os.environ)
    env.setdefault("TSAN_OPTIONS", "halt_on_error=1 second_deadlock_stack=1")
    # Children leave without exit handlers; what they lose is counted by the test itself.
    env.setdefault("ASAN_OPTIONS", "detect_leaks=0")
    return env


def run(number, argv):
    started = time.monotonic()
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", env=environment())
    return number, argv, done.returncode, done.stdout, time.monotonic() - started


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("program")
    p.add_argument("--tsan", help="the same program, built with ThreadSanitizer")
    p.add_argument("--ops", type=int, default=200000)
    p.add_argument("--gib-ops", type=int, default=2000)
    p.add_argument("--tsan-ops", type=int, default=10000)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, RUNS))
    a = p.parse_args()
    passed = failed = promoted = 0
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        jobs = [pool.submit(run, i + 1, argv) for i, argv in enumerate(plan(a))]
        for job in concurrent.futures.as_completed(jobs):
            number, argv, code, output, seconds = job.result()
            ok = code == 0
            passed, failed = passed + ok, failed + (not ok)
            what = "thread sanitizer: " if argv[0] == "setarch" else ""
            words = output.rstrip().splitlines()[-1].partition(" - ")[2] if ok else ""
            print(f"{'ok' if ok else 'not ok'} {number} - {what}{words or ' '.join(argv)} "
                  f"({seconds:.0f} s)")
            if not ok:
                print("".join(f"# {line}\n" for line in output.splitlines()), end="")
            sys.stdout.flush()
            promoted += int(PROMOTED.search(words)[1]) if ok else 0
    ok = promoted > 0
    passed, failed = passed + ok, failed + (not ok)
    print(f"{'ok' if ok else 'not ok'} {passed + failed} - {promoted} promotions to 1G in all")
    print(f"1..{passed + failed}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
