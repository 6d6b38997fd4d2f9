#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots the emulated machine several ways and checks what it says. Prints TAP.

A boot is a machine and a list of steps in the order of a session at its console. A step
types `send` (if any), then waits for `expect`; `keep` remembers what the group of `expect`
matched, `same` demands the value kept under that name. To add a check, add a step:

    Step("an unknown word is refused by name", send="frobnicate",
         expect=r"frobnicate.*help")

Once a step fails, the rest of its boot cannot be judged and counts as failed.
"""
import argparse
import dataclasses
import pathlib
import sys
import time

import machine
from machine import PROMPT, Options

LEAVE_CONSOLE = "\x1d"
SHELL = r"^td# "
TEST_END = 33  # QEMU's exit code when the machine writes 0x10 to its exit port.


@dataclasses.dataclass
class Step:
    """One check of a boot; its name is the sentence that it proves."""

    name: str
    expect: str = PROMPT
    send: str | None = None
    raw: str | None = None  # Like send, without the Enter key.
    keep: str | None = None
    same: str | None = None
    timeout: float = 120


@dataclasses.dataclass
class Boot:
    """A machine, its steps, and how it must end (QEMU's exit code, or None: is killed)."""

    name: str
    options: Options
    steps: list[Step]
    ends: int | None = None


def shell_comes_up(timeout=240):
    return [Step("Redoubt prints its banner", expect=r"Redoubt", timeout=timeout),
            Step("the shell's prompt appears", expect=PROMPT, timeout=timeout)]


def td_starts():
    return [Step("start is accepted", send="start debian"),
            Step("Linux finds itself in a TD", send="console debian",
                 expect=r"tdx: Guest detected", timeout=400),
            Step("Linux sees its memory encrypted",
                 expect=r"Memory Encryption Features active: Intel TDX"),
            Step("the TD's shell appears", expect="SHELL-READY", timeout=400),
            Step("the TD's shell prompts", expect=SHELL)]


def td_answers_and_ends():
    return [Step("the TD's shell is interactive", send="echo sum-$((40+2))",
                 expect=r"^sum-42$"),
            Step("poweroff reaches the end", send="poweroff", expect=r"Power down"),
            Step("Ctrl-] leaves the console", raw=LEAVE_CONSOLE)]


NO_EMULATOR = [
    Step("TDX is refused by name", send="tdx-check", expect=r"(?i)tdx.*(not|refused|missing)"),
    Step("the shell answers", send="version", expect="Redoubt"),
    Step("an unknown word is refused by name", send="frobnicate", expect=r"frobnicate"),
]

FREE_FRAMES = r"(?m)^\s*free\b.*?(\d+)"

BOOTS = [
    Boot("uefi, 1 CPU", Options(cpus=1), [
        *shell_comes_up(),
        Step("the module is ready", send="info", expect=r"ready"),
        Step("mem shows free frames", send="mem", expect=FREE_FRAMES, keep="free"),
        *td_starts(),
        *td_answers_and_ends(),
        Step("the TD is destroyed", send="destroy debian"),
        Step("all frames are back", send="mem", expect=FREE_FRAMES, same="free"),
    ]),
    Boot("uefi, no emulator", Options(emulator=False), [*shell_comes_up(), *NO_EMULATOR]),
    Boot("grub, no emulator", Options(emulator=False, boot="grub"),
         [*shell_comes_up(), *NO_EMULATOR]),
    Boot("grub, 2 CPUs", Options(cpus=2, boot="grub"), [
        *shell_comes_up(),
        *td_starts(),
        *td_answers_and_ends(),
    ]),
]


class Tap:
    """Numbers the results and counts them."""

    def __init__(self):
        self.passed = self.failed = 0

    def result(self, ok, name, note=""):
        if ok:
            self.passed += 1
        else:
            self.failed += 1
        word = "ok" if ok else "not ok"
        print(f"{word} {self.passed + self.failed} - {name}{note}", flush=True)


def do_step(m, step, kept):
    """Performs a step; raises MachineError when its sentence does not hold."""
    if step.send is not None:
        m.command(step.send)
    if step.raw is not None:
        m.send_raw(step.raw)
    found = m.expect(step.expect, step.timeout)
    if step.keep:
        kept[step.keep] = found.group(1)
    if step.same and found.group(1) != kept[step.same]:
        raise machine.MachineError(f"{found.group(1)}, but it was {kept[step.same]} before")


def run_boot(boot, options, tap):
    """Runs the steps of one boot; False as soon as one fails."""
    todo = [step.name for step in boot.steps]
    if boot.ends is not None:
        todo.append("the machine ends by itself")
    m = machine.Machine(options)
    started = time.monotonic()
    try:
        with m:
            try:
                kept = {}
                for step in boot.steps:
                    do_step(m, step, kept)
                    seconds = time.monotonic() - started
                    tap.result(True, f"{boot.name}: {todo.pop(0)}", f" # {seconds:.1f} s")
                if boot.ends is not None:
                    code = m.wait_exit(120)
                    tap.result(code == boot.ends, f"{boot.name}: {todo.pop(0)}")
            except machine.MachineError:
                print("\n".join(f"# {line}" for line in m.report().splitlines()))
                raise
    except machine.MachineError as e:
        print(f"# {e}")
        for name in todo:
            tap.result(False, f"{boot.name}: {name}")


def main():
    machine.exit_on_signals()
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=machine.ROOT / "build")
    p.add_argument("--repeat", type=int, default=1, metavar="N", help="run each boot N times")
    p.add_argument("wanted", nargs="?", default="", help="only boots whose name has this")
    a = p.parse_args()
    tap = Tap()
    for boot in BOOTS:
        if a.wanted in boot.name:
            options = dataclasses.replace(boot.options, build=a.build.resolve())
            for _ in range(a.repeat):
                run_boot(boot, options, tap)
    print(f"1..{tap.passed + tap.failed}")
    print(f"{tap.passed} passed, {tap.failed} failed")
    return 1 if tap.failed or not tap.passed else 0


if __name__ == "__main__":
    sys.exit(main())
