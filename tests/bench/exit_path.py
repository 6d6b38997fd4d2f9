# SPDX-License-Identifier: MIT
"""Counts the host's instructions from the return of one TDH.VP.ENTER to the next, by exit.

Boots Linux as a TD in the emulated machine and lets QEMU log every block of Redoubt's code that
it executes, so what is counted is the image that ships. SEAMCALLs on the way count as one
instruction. Prints a line

    exit_path_KIND COUNT MIN MEDIAN MAX

for each kind of exit after which the vCPU was entered again at once, and exit_path_KIND_waited
for those after which the CPU went round its loop first: it slept, had other work, or polled the
console, as after nearly every HLT. Fails when the median of a kind in BUDGET is above its
number, or none of it was seen.
"""
import argparse
import collections
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "emu"))
import machine  # noqa: E402
from machine import PROMPT, TD_NAME, Machine, MachineError, Options  # noqa: E402

# Instructions; what a vCPU does all the time. HLT needs a second SEAMCALL, which reads whether
# an interrupt waits that the guest has not taken.
BUDGET = {"CPUID": 300, "IO": 300, "RDMSR": 300, "WRMSR": 300, "HLT": 450}
# The functions that serve an exit; the compiler may have put them into their callers.
HANDLERS = {"cpuid": "CPUID", "hlt": "HLT", "io": "IO", "rdmsr": "RDMSR", "wrmsr": "WRMSR",
            "mmio": "MMIO", "get_info": "GetTdVmCallInfo", "map_gpa": "MapGPA",
            "ept_violation": "EPT_violation"}
ENTER = "tdh_vp_enter"
ROUND = "oncpu_drain"  # Called once each time round the loop.
SEAMCALL = "66 0f 01 cf"
HALTS = 50
LOG_SECONDS = 600

TRACE = re.compile(r"Trace \d+: (0x[0-9a-f]+) ")
INSTRUCTION = re.compile(r"0x([0-9a-f]+):  ((?:[0-9a-f]{2} )+) *\S")


def tool(*command, text=None):
    return subprocess.run([str(c) for c in command], input=text, capture_output=True, text=True,
                          check=True).stdout


def text_range(image):
    """Where the image's code is: first address and size, as QEMU wants them."""
    found = re.search(r"LOAD\s+\S+ (0x\w+) \S+ \S+ (0x\w+) R E", tool("readelf", "-lW", image))
    return f"{found.group(1)}+{found.group(2)}"


class LoggingMachine(Machine):
    """A machine whose monitor, at `hmp`, can switch the log of executed blocks on and off."""

    def command_line(self, files):
        code = text_range(self.options.build / "redoubt.elf")
        hmp = f"unix:{self.work / 'hmp'},server=on,wait=off"
        return [*super().command_line(files), "-monitor", hmp, "-D", str(self.options.log),
                "-dfilter", code]

    def log(self, what):
        with socket.socket(socket.AF_UNIX) as hmp:
            hmp.connect(str(self.work / "hmp"))
            hmp.sendall(f"log {what}\n".encode())
            time.sleep(1)


def record(options):
    """Runs a TD from its start until it has halted often enough; all of that is in the log."""
    with LoggingMachine(options) as m:
        m.expect(PROMPT)
        m.command(f"create {TD_NAME}")
        m.expect(PROMPT)
        m.log("in_asm,exec,nochain")
        m.command(f"start {TD_NAME}")
        halts = 0
        while halts < HALTS:
            time.sleep(2)
            m.command(f"exits {TD_NAME}")
            rows = m.expect(r"(?s).*?^total .*?" + PROMPT).group(0)
            found = re.search(r"^HLT +(\d+)", rows, re.M)
            halts = int(found.group(1)) if found else 0
        m.log("none")


def executed(log):
    """The blocks in the order of their execution, each a list of (address, bytes)."""
    known, listing, last = {}, None, None
    for line in log:
        if line.startswith("Trace"):
            where = TRACE.match(line).group(1)
            if listing is not None:
                known[where], listing = listing, None
            if last is not None:
                yield last
            last = known[where]
        elif line.startswith("Stopped"):
            last = None  # What was announced just before did not happen.
        elif line.startswith("IN:"):
            listing = []
        elif listing is not None and (found := INSTRUCTION.match(line)):
            listing.append((int(found.group(1), 16), found.group(2).strip()))
    if last is not None:
        yield last


def paths(log, enter):
    """From each TDH.VP.ENTER to the next: number of instructions, and the blocks by number."""
    count, seen, entering = 0, {}, False
    for block in executed(log):
        count += len(block)
        seen[id(block)] = block
        entering = entering or block[0][0] == enter
        if block[-1][1] == SEAMCALL:
            if entering:
                yield count - 1, seen
                count, seen = 0, {}
            entering = False


def functions(image, addresses):
    """Address -> names of the functions that it belongs to."""
    names, here = collections.defaultdict(list), None
    lines = iter(tool("addr2line", "-a", "-f", "-i", "-e", image,
                      text="\n".join(map(hex, addresses))).splitlines())
    for line in lines:
        if line.startswith("0x"):
            here = names[int(line, 16)]
        else:
            here.append(line)
            next(lines)  # File and line.
    return names


def kind_of(seen, names, drain):
    """The handler with the most instructions: others may share a tail with it."""
    parts = collections.Counter(HANDLERS[name] for block in seen.values() for at, _ in block
                                for name in names[at] if name in HANDLERS)
    kind = parts.most_common(1)[0][0] if parts else "other"
    went_round = any(block[0][0] == drain for block in seen.values())
    return kind + ("_waited" if went_round else "")


def measure(log, image):
    """Kind -> numbers of instructions, sorted."""
    symbols = {words[2]: int(words[0], 16) for words in
               map(str.split, tool("nm", image).splitlines()) if len(words) == 3}
    found = list(paths(log, symbols[ENTER]))[1:]  # The first began before the TD ran.
    used = {at for _, seen in found for block in seen.values() for at, _ in block}
    names = functions(image, sorted(used))
    kinds = collections.defaultdict(list)
    for count, seen in found:
        kinds[kind_of(seen, names, symbols[ROUND])].append(count)
    return {kind: sorted(counts) for kind, counts in kinds.items()}


def report(kinds):
    """Prints the lines; the kinds that are not as they must be."""
    print("# kind exits min median max")
    for kind, n in sorted(kinds.items()):
        print(f"exit_path_{kind} {len(n)} {n[0]} {n[len(n) // 2]} {n[-1]}")
    return [k for k, most in BUDGET.items() if k not in kinds and k + "_waited" not in kinds or
            k in kinds and kinds[k][len(kinds[k]) // 2] > most]


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--build", type=pathlib.Path, default=machine.ROOT / "build")
    a = p.parse_args()
    machine.exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="redoubt-") as scratch:
        options = Options(build=a.build, ram="1G", memory="256M", timeout=LOG_SECONDS)
        options.log = pathlib.Path(scratch) / "log"
        try:
            record(options)
        except MachineError as e:
            sys.exit(str(e))
        with open(options.log, errors="replace") as log:
            beyond = report(measure(log, a.build / "redoubt.elf"))
    if beyond:
        sys.exit(f"beyond the budget or not seen: {' '.join(beyond)}")


if __name__ == "__main__":
    main()
