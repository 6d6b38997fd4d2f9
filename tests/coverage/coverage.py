#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Sums up what gcov counted: lines and branches per file and folder, and what is missing.

Every file of which less than 90 % of the lines were reached is followed by its gaps: function
and line numbers.
"""
import collections
import json
import pathlib
import subprocess
import sys

GOAL = 90.0


class Source:
    def __init__(self):
        self.lines = collections.Counter()      # line: times
        self.branches = {}                      # (line, index): times
        self.function = {}                      # line: name

    def add(self, lines):
        for line in lines:
            number = line["line_number"]
            self.lines[number] += line["count"]
            self.function.setdefault(number, line.get("function_name", "?"))
            for i, branch in enumerate(line["branches"]):
                key = number, i
                self.branches[key] = self.branches.get(key, 0) + branch["count"]

    def gaps(self):
        """Runs of missed lines, as (function, first, last)."""
        found = []
        for number in sorted(self.lines):
            if self.lines[number]:
                if found:
                    found[-1][3] = True         # ended
                continue
            name = self.function[number]
            if found and not found[-1][3] and found[-1][0] == name:
                found[-1][2] = number
            else:
                found.append([name, number, number, False])
        return [(f[0], f[1], f[2]) for f in found]


def read(build, folders):
    sources = collections.defaultdict(Source)
    for folder in folders:
        # Also compiled a second time, as the fault tests need it: same lines, same branches.
        for notes in sorted([*(build / folder).glob("*.gcno"),
                             *(build / "sited" / folder).glob("*.gcno")]):
            done = subprocess.run(["gcov", "--json-format", "--stdout",
                                   "--branch-probabilities", notes],
                                  stdout=subprocess.PIPE, check=True)
            for line in done.stdout.splitlines():
                for item in json.loads(line)["files"]:
                    path = pathlib.PurePath(item["file"])
                    if str(path.parent) in folders:
                        sources[str(path)].add(item["lines"])
    return sources


def count(values):
    values = list(values)
    return sum(1 for v in values if v), len(values)


def show(name, lines, branches):
    def part(pair):
        done, total = pair
        share = 100 * done / total if total else 100
        return f"{done:6}/{total:<6} {share:5.1f} %"
    print(f"{name:36} {part(lines)}   {part(branches)}")


def main():
    build, folders = pathlib.Path(sys.argv[1]), sys.argv[2:]
    sources = read(build, folders)
    low = []
    print(f"{'':36} {'lines':^22}   {'branches':^22}")
    for folder in folders:
        totals = [[0, 0], [0, 0]]
        for path in sorted(p for p in sources if str(pathlib.PurePath(p).parent) == folder):
            source = sources[path]
            pairs = count(source.lines.values()), count(source.branches.values())
            show(path, *pairs)
            for total, pair in zip(totals, pairs):
                total[0] += pair[0]
                total[1] += pair[1]
            if 100 * pairs[0][0] < GOAL * pairs[0][1]:
                low.append(path)
        show(f"{folder}/ in all", *totals)
    for path in low:
        print(f"{path}: below {GOAL:.0f} % of lines; not reached:")
        for name, first, last in sources[path].gaps():
            where = f"line {first}" if first == last else f"lines {first}-{last}"
            print(f"    {name}(): {where}")
    print(f"{len(low)} files below {GOAL:.0f} % of lines")
    return 0


if __name__ == "__main__":
    sys.exit(main())
