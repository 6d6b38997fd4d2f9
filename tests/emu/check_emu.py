#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots the emulated machine several ways and checks what it says. Prints TAP.

A boot is a machine and a list of steps, in the order of a session at its console. A step
types `send` (if any) and then waits for `expect`. To add a check, add a step:

    Step("an unknown word is refused by name", send="frobnicate",
         expect=r"frobnicate: unknown command"),

Once a step fails, the rest of its boot cannot be judged and counts as failed.
"""
import argparse
import dataclasses
import pathlib
import subprocess
import sys
import tempfile
import time
import typing

import machine
from machine import PROMPT, Options

SHELL = r"^td# "
EXIT_REQUESTED = 33  # QEMU's exit codes for isa-debug-exit: 2 * written + 1.
EXIT_PANIC = 37
POLL_SECONDS = 2


@dataclasses.dataclass
class Step:
    """One check of a boot; its name is the sentence that it proves."""

    name: str
    expect: str | typing.Callable = PROMPT  # A regular expression, or what computes it.
    send: str | None = None
    keep: str | None = None   # Remember what the group of `expect` matched, under this name.
    same: str | None = None   # Demand that it is what was kept under this name.
    poll: bool = False        # Type the line again until its answer is as expected.
    timeout: float = 120


@dataclasses.dataclass
class Boot:
    """A machine, its steps, and how it must end (QEMU's exit code; None: it is killed)."""

    name: str
    options: Options
    steps: list[Step]
    ends: int | None = None


def predicted_mrtd(m):
    """What redoubt-mrtd says about the files of this boot, as a regular expression."""
    files, _ = machine.medium_files(m.options)
    with tempfile.TemporaryDirectory(prefix="redoubt-") as folder:
        place = pathlib.Path(folder)
        for name, source in files.items():
            machine.put(source, place / name)
        done = subprocess.run([m.options.build / "redoubt-mrtd", "--cfg", place / "redoubt.cfg",
                               "--dir", place, "--td", machine.TD_NAME],
                              capture_output=True, text=True)
    if done.returncode != 0:
        raise machine.MachineError(f"redoubt-mrtd: {done.stderr}")
    return rf"^mrtd +{done.stdout.split()[1]}$"


# ---- Pieces of sessions -------------------------------------------------------------

# The blank behind the number: without it, half a line that has arrived would do.
MEM_FREE = r"^free +(\d+)\s"
KEYIDS_FREE = r"^keyids_free +(\d+)\s"

UP = [Step("Redoubt starts", expect=r"Redoubt starts", timeout=300),
      Step("the shell's prompt appears", timeout=300)]

READY = [*UP, Step("the module is ready", send="tdx-check", expect="TDX is ready")]

COUNT_FREE = [Step("mem shows free frames", send="mem", expect=MEM_FREE, keep="frames"),
              Step("mem shows free KeyIDs", expect=KEYIDS_FREE, keep="keyids")]

ALL_BACK = [
    Step("nothing of the TD is left", send="list", expect=r"^debian +configured", poll=True),
    Step("exactly the free frames of the start are back", send="mem", expect=MEM_FREE,
         same="frames"),
    Step("exactly the free KeyIDs of the start are back", expect=KEYIDS_FREE, same="keyids")]

LINUX = [
    Step("start is accepted", send="start debian", expect=r"debian started"),
    Step("the TD's shell appears", send="console debian", expect="SHELL-READY", timeout=400),
    Step("the TD's shell prompts", expect=SHELL),
    # hvc0 exists from the middle of the boot on: what came before is in Linux's ring.
    Step("Linux finds itself in a TD", send="dmesg | grep -i tdx", expect=r"tdx: Guest detected"),
    Step("Linux sees its memory encrypted",
         expect=r"Memory Encryption Features active: Intel TDX"),
    Step("it is ready for more", expect=SHELL)]

TALK = [Step("the TD's shell is interactive", send="echo sum-$((40+2))", expect=r"^sum-42$"),
        Step("it prompts again", expect=SHELL)]

GUEST_POWEROFF = [
    Step("poweroff in the guest ends the TD in an orderly way", send="poweroff",
         expect=r"console of debian left: TD stopped"),
    Step("its console leads back to the shell")]

DESTROY = [Step("destroy is accepted", send="destroy debian", expect="debian destroyed")]

AGAIN = [Step(f"{word} number {n}", send=f"{word} debian", expect=rf"debian {word}")
         for n in range(1, 21) for word in ("create", "destroy")]

PROBE = pathlib.Path("guest/probe.bzimage")  # In the build folder.

PROBED = [
    Step("start is accepted", send="start debian", expect=r"debian started"),
    Step("the probe starts in the TD", send="console debian", expect=r"^probe: started"),
    Step("the TD is all that the probe wants", expect=r"^probe: \d+ passed, 0 failed$",
         timeout=300),
    Step("its power-off leads back to the shell")]

REFUSED = [
    Step("TDX is refused by name", send="tdx-check", expect=r"^TDX is refused: \S.*"),
    Step("the shell answers", send="version", expect=r"^Redoubt \d+\.\d+"),
    Step("a TD is refused for the same reason", send="start debian", expect=r"^start: \S.*")]

# ---- The boots ----------------------------------------------------------------------

MISTAKES = """\
[redoubt]
console = com1,115200
log = loud

[td debian]
kernel = vmlinuz
initrd = initrd.gz
memory = 512M
vcpus = many

[td absent]
kernel = nowhere

[td short]
kernel = truncated

[td huge]
kernel = vmlinuz
memory = 64G
"""

# The files lie in the TD's file window, each from a 2M boundary on.
FLIPS = {"kernel": "flip-shared=0x10000001000:5", "initrd": "flip-shared=0x10000c00800:0",
         "command line": "flip-shared=0x10000e00000:3"}

BOOTS = [
    Boot("uefi, 1 CPU", Options(), [
        *READY, *COUNT_FREE, *LINUX, *TALK, *GUEST_POWEROFF,
        Step("MRTD is what redoubt-mrtd predicts", send="td-info debian",
             expect=predicted_mrtd),
        Step("exits are counted by reason", send="exits debian", expect=r"^total +\d\d+"),
        *DESTROY, *ALL_BACK]),
    Boot("probe, 1 vCPU", Options(kernel=PROBE), [*READY, *PROBED, *DESTROY]),
    Boot("probe, 2 vCPUs", Options(kernel=PROBE, boot="grub", cpus=2, vcpus=2), [
        *READY, *PROBED, *DESTROY]),
    Boot("uefi, create and destroy 20 times", Options(), [
        *READY, *COUNT_FREE, *AGAIN, *ALL_BACK]),
    Boot("grub, 2 CPUs", Options(boot="grub", cpus=2), [
        *READY, *COUNT_FREE, *LINUX, *TALK, *GUEST_POWEROFF, *DESTROY, *ALL_BACK]),
    Boot("uefi, 4 CPUs, 2 packages", Options(cpus=4, sockets=2), [
        *READY, *COUNT_FREE, *LINUX, *TALK, *GUEST_POWEROFF, *DESTROY, *ALL_BACK]),
    Boot("uefi, no emulator", Options(emulator=False), [*UP, *REFUSED]),
    Boot("grub, no emulator, 2 CPUs", Options(emulator=False, boot="grub", cpus=2), [
        *UP, *REFUSED]),
    Boot("mistakes", Options(cfg_text=MISTAKES, extra_files={"truncated": b"MZ" * 300}), [
        Step("a bad value is named with file and line",
             expect=r"redoubt\.cfg:3: log: expected .*, found 'loud'", timeout=300),
        Step("so is the next one", expect=r"redoubt\.cfg:9: vcpus: expected .*, found 'many'"),
        Step("the machine comes up all the same", timeout=300),
        Step("an unknown word is refused by name", send="frobnicate",
             expect=r"^frobnicate: unknown command"),
        Step("a missing argument is named", send="create", expect=r"^create: expected '.*NAME"),
        Step("an unknown TD is named", send="create nobody", expect=r"unknown TD 'nobody'"),
        Step("a missing kernel is named", send="create absent", expect=r"^create: .*nowhere"),
        Step("a truncated kernel is named", send="start short",
             expect=r"^start: short: kernel 'truncated' .*expected"),
        Step("too little memory is named", send="create huge",
             expect=r"^create: huge: memory = .*free"),
        Step("everything else still runs", send="create debian", expect=r"debian created")]),
    *[Boot(f"a flipped bit in the shared {what}", Options(emu_options=(flip,)), [
        *READY,
        Step("start is accepted", send="start debian", expect=r"debian started"),
        Step("the TD stops with the reason", send="list",
             expect=rf"^debian +\w+ .*{what} digest mismatch", poll=True)])
      for what, flip in FLIPS.items()],
    Boot("on-exit", Options(emulator=False, redoubt_lines=("on-exit = port 0xf4",)), [
        *UP, Step("poweroff is accepted", send="poweroff", expect="powering off")],
         ends=EXIT_REQUESTED),
    Boot("panic", Options(emulator=False, redoubt_lines=("panic = port 0xf4",)), [
        *UP, Step("a panic says why", send="panic-test", expect="asked for by panic-test")],
         ends=EXIT_PANIC),
    Boot("poweroff", Options(), [
        *READY, Step("poweroff is accepted", send="poweroff", expect="powering off")], ends=0),
    Boot("reboot", Options(boot="grub"), [
        *READY, Step("reboot is accepted", send="reboot", expect="rebooting")], ends=0),
]


# ---- Running them -------------------------------------------------------------------

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


def poll(m, step, expect):
    """Types the line until its answer has what is expected."""
    until = time.monotonic() + step.timeout
    while True:
        m.command(step.send)
        try:
            return m.expect(expect, POLL_SECONDS)
        except machine.MachineError:
            if time.monotonic() >= until or m.qemu.poll() is not None:
                raise


def do_step(m, step, kept):
    """Performs a step; raises MachineError when its sentence does not hold."""
    expect = step.expect(m) if callable(step.expect) else step.expect
    if step.poll:
        found = poll(m, step, expect)
    else:
        if step.send is not None:
            m.command(step.send)
        found = m.expect(expect, step.timeout)
    if step.keep:
        kept[step.keep] = found.group(1)
    if step.same and found.group(1) != kept[step.same]:
        raise machine.MachineError(f"{found.group(1)}, but it was {kept[step.same]} before")


def run_steps(m, boot, todo, tap):
    """Performs the steps, taking the names of those done off `todo`."""
    started = time.monotonic()
    kept = {}
    for step in boot.steps:
        do_step(m, step, kept)
        seconds = time.monotonic() - started
        tap.result(True, f"{boot.name}: {todo.pop(0)}", f" # {seconds:.1f} s")
    if boot.ends is not None:
        code = m.wait_exit(120)
        if code != boot.ends:
            raise machine.MachineError(f"QEMU's exit code is {code}, not {boot.ends}")
        tap.result(True, f"{boot.name}: {todo.pop(0)}")


def run_boot(boot, options, tap):
    todo = [step.name for step in boot.steps]
    if boot.ends is not None:
        todo.append("the machine ends by itself, as it should")
    m = machine.Machine(options)
    try:
        with m:
            try:
                run_steps(m, boot, todo, tap)
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
            build = a.build.resolve()
            kernel = boot.options.kernel and build / boot.options.kernel
            options = dataclasses.replace(boot.options, build=build, kernel=kernel)
            for _ in range(a.repeat):
                run_boot(boot, options, tap)
    print(f"1..{tap.passed + tap.failed}")
    print(f"{tap.passed} passed, {tap.failed} failed")
    return 1 if tap.failed or not tap.passed else 0


if __name__ == "__main__":
    sys.exit(main())
