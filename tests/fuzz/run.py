#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the fuzz targets: over their corpora (TAP), or each for some time with libFuzzer.

A soak leaves an input that breaks a target in FOLDER/NAME.crash-*: move it to the target's
corpus with the fix.
"""
import argparse
import pathlib
import re
import subprocess
import sys

CORPUS = pathlib.Path(__file__).parent / "corpus"
VARIANTS = 2000


def replay(folder, name):
    """Passed and failed files of one target's corpus."""
    files = sorted(p for p in (CORPUS / name).iterdir() if p.is_file())
    done = subprocess.run([folder / name, str(VARIANTS), *files], capture_output=True,
                          text=True, errors="replace")
    print(done.stdout + "".join(f"# {line}\n" for line in done.stderr.splitlines()[-40:]),
          end="", flush=True)
    counts = re.search(r"^(\d+) passed, (\d+) failed", done.stdout, re.M)
    return (int(counts[1]), int(counts[2])) if counts else (0, 1)


def soak(folder, name, seconds):
    """One target under libFuzzer; new inputs go to the build folder."""
    found = folder / f"{name}.corpus"
    found.mkdir(exist_ok=True)
    command = [folder / name, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096",
               "-max_len=65536", f"-artifact_prefix={folder}/{name}.", found, CORPUS / name]
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True,
                          errors="replace")
    tail = done.stderr.splitlines()
    if done.returncode != 0:
        print("\n".join(f"# {line}" for line in tail[-60:]))
    print(f"{'ok' if done.returncode == 0 else 'not ok'} - {name}: {tail[-1] if tail else ''}",
          flush=True)
    return (1, 0) if done.returncode == 0 else (0, 1)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--seconds", type=int, default=0, help="soak each target that long")
    p.add_argument("folder", type=pathlib.Path, help="where the built targets are")
    p.add_argument("names", nargs="+", help="targets")
    a = p.parse_args()
    folder = a.folder.resolve()
    results = [soak(folder, n, a.seconds) if a.seconds else replay(folder, n) for n in a.names]
    passed, failed = (sum(r[i] for r in results) for i in (0, 1))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
