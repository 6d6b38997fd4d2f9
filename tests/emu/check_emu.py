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
import json
import multiprocessing
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import typing

import machine
import memory_words
from machine import PROMPT, Options

SHELL = r"^td# "
EXIT_REQUESTED = 33  # QEMU's exit codes for isa-debug-exit: 2 * written + 1.
EXIT_PANIC = 37
POLL_SECONDS = 2


@dataclasses.dataclass
class Step:
    """One check of a boot; its name is the sentence that it proves."""

    name: str
    # A regular expression, or what computes it; None: nothing is awaited, only checked.
    expect: str | typing.Callable | None = PROMPT
    send: str | typing.Callable | None = None
    key: str | None = None    # Typed as it is, without Enter.
    keep: str | None = None   # Remember what the group of `expect` matched, under this name.
    same: str | None = None   # Demand that it is what was kept under this name.
    records: str | None = None  # Remember the JSON objects before `expect`, under this name.
    check: typing.Callable | None = None  # Gets all that was kept; says what is wrong with it.
    poll: bool = False        # Type the line again until its answer is as expected.
    timeout: float = 120


@dataclasses.dataclass
class Boot:
    """A machine, its steps, and how it must end (QEMU's exit code; None: it is killed)."""

    name: str
    options: Options
    steps: list[Step]
    ends: int | None = None


def mrtd_of(options):
    """What redoubt-mrtd says about the files of such a boot."""
    files, _ = machine.medium_files(options)
    with tempfile.TemporaryDirectory(prefix="redoubt-") as folder:
        place = pathlib.Path(folder)
        for name, source in files.items():
            machine.put(source, place / name)
        done = subprocess.run([options.build / "redoubt-mrtd", "--cfg", place / "redoubt.cfg",
                               "--dir", place, "--td", machine.TD_NAME],
                              capture_output=True, text=True)
    if done.returncode != 0:
        raise machine.MachineError(f"redoubt-mrtd: {done.stderr}")
    return done.stdout.split()[1]


def predicted_mrtd(m):
    """The same as a regular expression for what td-info prints."""
    return rf"^mrtd +{mrtd_of(m.options)}$"


# ---- Pieces of sessions -------------------------------------------------------------

# The blank behind the number: without it, half a line that has arrived would do.
MEM_FREE = r"^free +(\d+)\s"
KEYIDS_FREE = r"^keyids_free +(\d+)\s"

UP = [Step("Redoubt starts", expect=r"Redoubt starts", timeout=300),
      Step("the shell's prompt appears", timeout=300)]

READY = [*UP, Step("the module is ready", send="tdx-check", expect="TDX is ready")]

COUNT_FREE = [Step("mem shows free frames", send="mem", expect=MEM_FREE, keep="frames"),
              Step("mem shows free KeyIDs", expect=KEYIDS_FREE, keep="keyids")]


def all_back(*names):
    """The TDs are gone, and with them all that they took."""
    return [*[Step(f"nothing of TD {name} is left", send="list",
                   expect=rf"^{name} +configured", poll=True) for name in names],
            Step("exactly the free frames of the start are back", send="mem", expect=MEM_FREE,
                 same="frames"),
            Step("exactly the free KeyIDs of the start are back", expect=KEYIDS_FREE,
                 same="keyids")]


ALL_BACK = all_back("debian")

SHELL_READY = [
    Step("start is accepted", send="start debian", expect=r"debian started"),
    Step("the TD's shell appears", send="console debian", expect="SHELL-READY", timeout=400),
    Step("the TD's shell prompts", expect=SHELL)]

LINUX = [
    *SHELL_READY,
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

LEAVE = Step("Ctrl-] leads back to the shell", key="\x1d")

# ---- TDs at work ----

TRAFFIC_PASSED = r"^traffic: passed: .* 0 wrong, (\d+) MiB at once"


def traffic(percent, processes, then=""):
    """Types the command that fills and verifies so much of the TD's free memory."""
    return lambda m: f"traffic {m.options.traffic_seconds} {percent} {processes}{then}"


def both_words(check):
    """A check of what `gpa` and `sept` said."""
    return lambda kept: check(kept["gpa"], kept["sept"])


def wrong_share(kept):
    mib = int(kept["mib"])
    return None if mib << 20 >= memory_words.RAM * 2 // 3 else f"it was {mib} MiB"


def memory_report(when):
    """What the words say of a TD of 1 GiB that is otherwise idle."""
    return [
        Step(f"{when}, gpa answers", send="gpa -j debian", records="gpa"),
        Step(f"{when}, sept answers", send="sept -j debian", records="sept"),
        Step(f"{when}, gpa lists all of its RAM", expect=None,
             check=both_words(memory_words.wrong_gpa)),
        Step(f"{when}, sept gives a good reason for each 4K page", expect=None,
             check=both_words(memory_words.wrong_reasons)),
        Step(f"{when}, all the rest is mapped at 2M", expect=None,
             check=both_words(memory_words.wrong_levels)),
        Step(f"{when}, GPA map and Secure EPT agree to the byte", expect=None,
             check=both_words(memory_words.wrong_sum))]


BIG_TD = [
    *SHELL_READY, LEAVE, *memory_report("after Linux' boot"),
    Step("the swiotlb is converted in one piece", expect=None,
         check=both_words(memory_words.wrong_swiotlb)),
    Step("the console can be joined again", send="console debian", expect="Ctrl-"),
    Step("memory traffic over most of its RAM finds every byte as written",
         send=traffic(85, 4), expect=TRAFFIC_PASSED, keep="mib", timeout=300),
    Step("that was most of its RAM", expect=None, check=wrong_share),
    Step("the TD's shell prompts again", expect=SHELL),
    LEAVE, *memory_report("after the traffic")]

# Typed ahead, so that nothing else happens in between.
WHILE_DYING = [
    Step("destroy returns once the KeyID is free",
         key="destroy debian\rstart second\rlist\r", expect=r"debian destroyed"),
    Step("another TD is created and starts", expect=r"second started"),
    Step("while the first is still dying", expect=r"^debian +dying \d+%.*\nsecond +running"),
    Step("the other one's shell appears", send="console second", expect="SHELL-READY",
         timeout=400),
    Step("it prompts", expect=SHELL),
    Step("its memory keeps what was written", send=traffic(60, 2), expect=TRAFFIC_PASSED,
         timeout=300),
    Step("it prompts again", expect=SHELL),
    LEAVE,
    Step("destroy is accepted", send="destroy second", expect="second destroyed"),
    *all_back("debian", "second")]

# TDs that run at once; each of their shells remembers who it is.
NAMES = ("first", "second", "third")
START_ALL = [step for name in NAMES for step in (
    Step(f"start of the {name} is accepted", send=f"start {name}", expect=f"{name} started"),
    Step(f"the {name} TD's shell appears", send=f"console {name}", expect="SHELL-READY",
         timeout=400),
    Step("it prompts", expect=SHELL),
    Step("it takes a variable", send=f"me={name}", expect=SHELL),
    LEAVE)]

ALL_RUN = Step("all of them run", send="list",
               expect=r"^" + r".*\n".join(f"{name} +running" for name in NAMES))


def at_each(names, text, *steps):
    """The steps at the console of one TD after the other."""
    return [step for name in names for step in (
        Step(f"console attaches to the {name} TD{text}", send=f"console {name}",
             expect=rf"^console of {name}, Ctrl-\] leaves it"),
        Step("its shell answers for itself", send="echo I-am-$me-$((40+2))",
             expect=rf"^I-am-{name}-42$"),
        Step("it prompts again", expect=SHELL),
        *steps, LEAVE)]


# In the background, so that all of them work at once.
BEGIN_TRAFFIC = Step("it begins memory traffic", expect=SHELL,
                     send=traffic(60, 2, " >/tmp/$me &"))
SEE_TRAFFIC = [
    Step("its traffic ends", send="wait; cat /tmp/$me", expect=TRAFFIC_PASSED, timeout=300),
    Step("it prompts after that", expect=SHELL)]

DESTROY_ALL = [Step(f"destroy of the {name} is accepted", send=f"destroy {name}",
                    expect=f"{name} destroyed") for name in NAMES]

KEYID_TAKEN = [
    Step("the first TD takes the only KeyID", send="create first", expect="first created"),
    Step("no KeyID is left", send="mem", expect=r"^keyids_free +0\s"),
    Step("the second is refused in one clear line", send="create second",
         expect=r"^create: second: no KeyID is left: all 1 are in use, expected one free$"),
    Step("the first is still there", send="list", expect=r"^first +created"),
    Step("destroy frees the KeyID", send="destroy first",
         expect="first destroyed: its KeyID is free"),
    Step("now the second can be created", send="create second", expect="second created"),
    Step("and the first cannot", send="create first", expect="first: no KeyID is left"),
    Step("destroy of the second is accepted", send="destroy second",
         expect="second destroyed"),
    Step("and the first can again", send="create first", expect="first created")]

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


def small_tds(*names):
    """The configuration of TDs of 256 MiB."""
    return "[redoubt]\nconsole = com1,115200\nlog = info\n" + "".join(f"""
[td {name}]
kernel = vmlinuz
initrd = initrd.gz
cmdline = console=hvc0
memory = 256M
""" for name in names)


BIG_AND_SECOND = small_tds("debian", "second").replace("memory = 256M",
                                                       "memory = 1G\nvcpus = 2", 1)

L1_PROBE = pathlib.Path("emu/l1probe.efi")  # In the build folder.

# The files lie in the TD's file window, each from a 2M boundary on.
FLIPS = {"kernel": "flip-shared=0x200000001000:5", "initrd": "flip-shared=0x200000c00800:0",
         "command line": "flip-shared=0x200000e00000:3"}

BOOTS = [
    Boot("l1 probe", Options(image=L1_PROBE, cpus=2), [
        Step("the L1 probe starts in place of Redoubt", expect=r"^l1probe: started",
             timeout=300),
        Step("the machine is all that it wants", expect=r"^probe: \d+ passed, 0 failed$")],
         ends=EXIT_REQUESTED),
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
    Boot("grub, 4 CPUs", Options(boot="grub", cpus=4), [
        *READY, *COUNT_FREE, *LINUX, *TALK, *GUEST_POWEROFF, *DESTROY, *ALL_BACK]),
    Boot("1 GiB TD at work", Options(cpus=2, ram="3G", cfg_text=BIG_AND_SECOND), [
        *READY, *COUNT_FREE, *BIG_TD, *WHILE_DYING]),
    Boot("3 TDs at work", Options(cpus=2, ram="3G", cfg_text=small_tds(*NAMES)), [
        *READY, *COUNT_FREE, *START_ALL, *at_each(NAMES, "", BEGIN_TRAFFIC), ALL_RUN,
        *at_each(NAMES, " again", *SEE_TRAFFIC), *at_each(NAMES[:1], " once more"), *DESTROY_ALL, *all_back(*NAMES)]),
    Boot("one KeyID", Options(cfg_text=small_tds("first", "second"),
                              emu_options=("keyids=2",)), [
        *READY, *KEYID_TAKEN]),
    Boot("no module", Options(emu_options=("module=none",)), [
        *UP, *REFUSED,
        Step("the reason is SEAMCALL's VMfailInvalid", send="tdx-check",
             expect=r"^TDX is refused: TDH\.SYS\.INIT .*TDX_SW_VMFAIL_INVALID$")]),
    Boot("seamrr off", Options(boot="grub", emu_options=("seamrr=off",)), [
        *UP, *REFUSED,
        Step("what the BIOS lacks is named", send="tdx-check", expect=r"^missing SEAMRR "),
        Step("the reason is SEAMCALL's #GP",
             expect=r"^TDX is refused: TDH\.SYS\.INIT .*TDX_SW_GP$")]),
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
    """Numbers the results of all processes and counts them."""

    def __init__(self):
        self.counts = multiprocessing.Array("i", 2)  # Failed, passed.

    def result(self, ok, name, note=""):
        with self.counts.get_lock():
            self.counts[ok] += 1
            word = "ok" if ok else "not ok"
            print(f"{word} {sum(self.counts)} - {name}{note}", flush=True)

    def explain(self, text):
        with self.counts.get_lock():
            print("\n".join(f"# {line}" for line in text.splitlines()), flush=True)


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


def records_in(text):
    """The JSON objects of an answer; at least one."""
    found = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    if not found:
        raise machine.MachineError("no JSON object in the answer")
    return found


def talk(m, step, kept):
    """Types what the step says and waits for what it expects; returns the match."""
    expect = step.expect(m) if callable(step.expect) else step.expect
    if step.poll:
        return poll(m, step, expect)
    if step.send is not None:
        m.command(step.send(m) if callable(step.send) else step.send)
    if step.key is not None:
        m.send_raw(step.key)
    start = m.position
    found = expect and m.expect(expect, step.timeout)
    if step.records:
        kept[step.records] = records_in(m.com1.text[start:found.start()])
    return found


def do_step(m, step, kept):
    """Performs a step; raises MachineError when its sentence does not hold."""
    found = talk(m, step, kept)
    if step.keep:
        kept[step.keep] = found.group(1)
    if step.same and found.group(1) != kept[step.same]:
        raise machine.MachineError(f"{found.group(1)}, but it was {kept[step.same]} before")
    wrong = step.check and step.check(kept)
    if wrong:
        raise machine.MachineError(wrong)


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


def check_prediction(build, tap):
    """Without a boot: one bit of a configured file is enough for another MRTD."""
    plain = mrtd_of(Options(build=build))
    for name in ("vmlinuz", "initrd.gz"):
        data = bytearray((build / "guest" / name).read_bytes())
        data[len(data) // 2] ^= 1
        flipped = mrtd_of(Options(build=build, extra_files={name: bytes(data)}))
        tap.result(flipped != plain, f"prediction: a flipped bit in {name} changes the MRTD")
    other = mrtd_of(Options(build=build, cmdline="console=hvc1"))
    tap.result(other != plain, "prediction: so does one in the command line")
    tap.result(mrtd_of(Options(build=build)) == plain, "prediction: the same files give the same")


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
                tap.explain(m.report())
                raise
    except machine.MachineError as e:
        tap.explain(f"{boot.name}: {e}")
        for name in todo:
            tap.result(False, f"{boot.name}: {name}")


def run_boots(boots, following, tap, cpu):
    """Takes boots off the list until there are none; the machines run on this CPU of ours."""
    os.sched_setaffinity(0, {cpu})
    while True:
        with following.get_lock():
            index = following.value
            following.value += 1
        if index >= len(boots):
            return
        run_boot(*boots[index], tap)


def run_all(boots, tap):
    """One boot at a time on each CPU of ours: a machine keeps to one."""
    following = multiprocessing.Value("i", 0)
    workers = [multiprocessing.Process(target=run_boots, args=(boots, following, tap, cpu))
               for cpu in sorted(os.sched_getaffinity(0))[:len(boots)]]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
        if w.exitcode != 0:
            tap.result(False, f"a process that runs boots ended with {w.exitcode}")


def main():
    machine.exit_on_signals()
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--build", type=pathlib.Path, default=machine.ROOT / "build")
    p.add_argument("--repeat", type=int, default=1, metavar="N", help="run each boot N times")
    p.add_argument("--traffic", type=int, default=Options.traffic_seconds, metavar="S",
                   help="seconds of each memory traffic in a TD (%(default)s)")
    p.add_argument("wanted", nargs="?", default="", help="only boots whose name has this")
    a = p.parse_args()
    tap = Tap()
    build = a.build.resolve()
    if a.wanted in "prediction":
        check_prediction(build, tap)
    boots = []
    for boot in BOOTS:
        if a.wanted in boot.name:
            kernel = boot.options.kernel and build / boot.options.kernel
            image = boot.options.image and build / boot.options.image
            options = dataclasses.replace(boot.options, build=build, kernel=kernel, image=image,
                                          traffic_seconds=a.traffic)
            boots += [(boot, options)] * a.repeat
    run_all(boots, tap)
    failed, passed = tap.counts
    print(f"1..{passed + failed}")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
