# SPDX-License-Identifier: MIT
"""The emulated TDX machine as a Python object: medium, QEMU, serial line.

    with Machine(Options(cpus=2)) as m:
        m.expect("redoubt> ")
        m.send("info")

Output of the console (COM1) is searched from the end of the previous match on.
COM2, where the emulator speaks, goes to a file.
"""
import ctypes
import dataclasses
import os
import pathlib
import random
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROMPT = r"redoubt> "
TD_NAME = "debian"
OVMF_DIR = pathlib.Path("/usr/share/OVMF")
GRUB_MODULES = "multiboot2 normal iso9660 biosdisk"
DEFAULT_CMDLINE = "console=hvc0"
TAIL_LINES = 40


class MachineError(Exception):
    """The machine could not be built, or did not do what was expected."""


@dataclasses.dataclass
class Options:
    """What machine to boot, and with what on its boot medium."""

    build: pathlib.Path = ROOT / "build"
    boot: str = "uefi"
    emulator: bool = True
    image: pathlib.Path | None = None  # Started in place of redoubt.efi (UEFI only).
    cpus: int = 1
    sockets: int = 1
    ram: str = "2G"
    vcpus: int = 1
    memory: str = "512M"
    kernel: pathlib.Path | None = None
    initrd: pathlib.Path | None = None
    cmdline: str = DEFAULT_CMDLINE
    cfg: pathlib.Path | None = None
    cfg_text: str | None = None
    redoubt_lines: tuple[str, ...] = ()
    emu_options: tuple[str, ...] = ()
    extra_files: dict[str, bytes] = dataclasses.field(default_factory=dict)
    timeout: float = 600
    traffic_seconds: int = 10  # How long each run of memory traffic in a TD lasts.


def default_cfg(o, kernel, initrd):
    """The configuration of the demo TD."""
    lines = ["[redoubt]", "console = com1,115200", "log = info", *o.redoubt_lines, ""]
    lines += [f"[td {TD_NAME}]", f"kernel = {kernel}", f"initrd = {initrd}"]
    lines += [f"cmdline = {o.cmdline}", f"vcpus = {o.vcpus}", f"memory = {o.memory}"]
    lines += ["attributes = sept-ve-disable", ""]
    return "\n".join(lines)


def cfg_td_names(text):
    """Names of the [td NAME] sections, in order."""
    return re.findall(r"^\s*\[td\s+([^\]\s]+)\s*\]", text, re.M)


def cfg_autostart(text):
    """Names after `autostart =`."""
    found = re.search(r"^\s*autostart\s*=([^;#\n]*)", text, re.M)
    return re.split(r"[\s,]+", found.group(1).strip()) if found else []


def cfg_files(text):
    """File names that the configuration refers to."""
    names = re.findall(r"^\s*(?:kernel|initrd|firmware)\s*=\s*([^;#\n]*)", text, re.M)
    return list(dict.fromkeys(n.strip() for n in names))


def medium_files(o):
    """What Redoubt finds beside itself: name -> path or bytes, and the configuration text.

    A file that a given configuration names and nobody has is left out: Redoubt has to
    say so itself.
    """
    kernel = o.kernel or o.build / "guest/vmlinuz"
    initrd = o.initrd or o.build / "guest/initrd.gz"
    files = {kernel.name: kernel, initrd.name: initrd}
    text = o.cfg_text or default_cfg(o, kernel.name, initrd.name)
    if o.cfg:
        text = o.cfg.read_text()
        for name in cfg_files(text):
            for place in (o.cfg.parent / name, o.build / "guest" / name):
                if name not in files and place.is_file():
                    files[name] = place
    files["redoubt.cfg"] = text.encode()
    files.update(o.extra_files)
    return files, text


def put(source, target):
    """Writes a path's or a byte string's content to `target`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(source, bytes):
        target.write_bytes(source)
    elif source.is_file():
        shutil.copyfile(source, target)
    else:
        raise MachineError(f"{source}: no such file (build it with `make machine`)")


def run_tool(*command):
    """Runs a host tool; its output matters only when it fails."""
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise MachineError(f"{command[0]}: {done.stdout}{done.stderr}")


def prepare_qemu(o):
    """What QEMU's process does before it becomes QEMU: it ends when we do, however that happens,
    and all CPUs of its machine share one of ours.

    TCG runs them as threads, and each thread that executes FXRSTOR or XRSTOR clears a bit
    (IGNNE#) of the first CPU's flags without a lock. When that meets a VMRUN or an exit of
    the first CPU, nested paging or GIF stay as they were before: the machine dies. On one CPU
    of ours the instruction that does it cannot be interrupted.
    """
    ours = random.choice(sorted(os.sched_getaffinity(0)))

    def prepare():
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)
        if o.cpus > 1:
            os.sched_setaffinity(0, {ours})

    return prepare


def exit_on_signals():
    """A signal ends us by an exception, so that `with` blocks and `finally` are run."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda n, _: sys.exit(128 + n))


def build_esp(o, files, work):
    """A FAT image: the first loader as BOOTX64.EFI, everything else in the root."""
    tree = work / "esp"
    for name, source in files.items():
        put(source, tree / name)
    put(o.image or o.build / "redoubt.efi", tree / "redoubt.efi")
    if o.emulator:
        put(o.build / "emu/tdxemu.efi", tree / "EFI/BOOT/BOOTX64.EFI")
        put("".join(f"{line}\n" for line in o.emu_options).encode(), tree / "tdxemu.cfg")
    else:
        put(o.build / "redoubt.efi", tree / "EFI/BOOT/BOOTX64.EFI")

    size = sum(p.stat().st_size for p in tree.rglob("*") if p.is_file())
    sectors = max(size + (8 << 20), 40 << 20) // 512
    image = work / "esp.img"
    run_tool("mformat", "-C", "-F", "-N", "0", "-T", sectors, "-i", image, "::")
    run_tool("mcopy", "-s", "-i", image, *sorted(tree.iterdir()), "::")
    shutil.rmtree(tree)
    return image


def build_iso(o, files, work):
    """A GRUB image for a PC BIOS: Multiboot2, the files as modules by name."""
    tree = work / "iso"
    for name, source in files.items():
        put(source, tree / name)
    put(o.build / "redoubt.elf", tree / "redoubt.elf")
    modules = list(files)
    if o.emulator:
        put(o.build / "emu/tdxemu.elf", tree / "tdxemu.elf")
        kernel = " ".join(["/tdxemu.elf", *o.emu_options])
        modules.insert(0, "redoubt.elf")
    else:
        kernel = "/redoubt.elf"
    lines = ["set timeout=0", f"multiboot2 {kernel}"]
    lines += [f"module2 /{name} {name}" for name in modules]
    put("\n".join([*lines, "boot", ""]).encode(), tree / "boot/grub/grub.cfg")

    image = work / "boot.iso"
    run_tool("grub-mkrescue", "-d", "/usr/lib/grub/i386-pc", "--locales=", "--fonts=",
             "--themes=", f"--install-modules={GRUB_MODULES}", "-o", image, tree)
    shutil.rmtree(tree)
    return image


def firmware(work):
    """QEMU options for OVMF with a variable store of our own."""
    for suffix in ("", "_4M"):
        code = OVMF_DIR / f"OVMF_CODE{suffix}.fd"
        if code.is_file():
            store = work / "vars.fd"
            shutil.copyfile(OVMF_DIR / f"OVMF_VARS{suffix}.fd", store)
            pflash = "if=pflash,format=raw"
            return ["-drive", f"{pflash},readonly=on,file={code}",
                    "-drive", f"{pflash},file={store}"]
    raise MachineError(f"{OVMF_DIR}: no OVMF_CODE.fd (package ovmf)")


def qemu_command(o, files, work):
    """The machine. CMPXCHG16B is off because TCG 7.2 breaks its flags."""
    command = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg"]
    command += ["-cpu", "max,phys-bits=52,vendor=GenuineIntel,-cx16"]
    command += ["-smp", f"{o.cpus},sockets={o.sockets}", "-m", o.ram]
    command += ["-display", "none", "-no-reboot", "-nic", "none"]
    command += ["-device", "isa-debug-exit,iobase=0xf4,iosize=0x4"]
    if o.boot == "uefi":
        command += firmware(work)
        command += ["-drive", f"format=raw,file={build_esp(o, files, work)}"]
    else:
        command += ["-boot", "d", "-cdrom", str(build_iso(o, files, work))]
    return command


ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\r|\x00")
ESCAPE_STARTED = re.compile(r"\x1b[\[(]?[0-9;?=]*$")


class Transcript:
    """Text of a serial line without carriage returns and terminal control sequences."""

    def __init__(self):
        self.text = ""
        self.pending = ""

    def feed(self, data):
        raw = self.pending + data.decode("utf-8", "replace")
        cut = ESCAPE_STARTED.search(raw)
        keep = cut.start() if cut else len(raw)
        self.pending = raw[keep:]
        self.text += ESCAPES.sub("", raw[:keep])


class Machine:
    """A running machine; use it in a `with` block, which always ends QEMU."""

    def __init__(self, options):
        self.options = options
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="redoubt-"))
        self.com1 = Transcript()
        self.position = 0
        self.deadline = time.monotonic() + options.timeout
        self.qemu = None
        self.com2_path = self.work / "com2"
        self.stderr_path = self.work / "stderr"

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def start(self):
        files, self.cfg_text = medium_files(self.options)
        command = self.command_line(files)
        with open(self.stderr_path, "wb") as stderr:
            self.qemu = subprocess.Popen(command, stdin=subprocess.PIPE, bufsize=0,
                                         stdout=subprocess.PIPE, stderr=stderr,
                                         preexec_fn=prepare_qemu(self.options))
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.qemu.stdout, selectors.EVENT_READ)

    def command_line(self, files):
        command = qemu_command(self.options, files, self.work)
        command += ["-serial", "stdio", "-serial", f"file:{self.com2_path}"]
        return [*command, "-monitor", "none"]

    def close(self):
        if self.qemu:
            if self.qemu.poll() is None:
                self.qemu.kill()
            self.qemu.wait()
            self.qemu.stdout.close()
            self.qemu.stdin.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def read_some(self, until):
        """Takes in output for a while. False: the line is closed, QEMU has ended."""
        wait = max(0.0, min(until - time.monotonic(), 0.5))
        if not self.selector.select(wait):
            return True
        data = self.qemu.stdout.read(65536)
        self.com1.feed(data or b"")
        return bool(data)

    def expect(self, regex, timeout=None):
        """Waits for `regex` in the output after the previous match; returns the match."""
        pattern = re.compile(regex, re.M)
        until = self.deadline
        if timeout is not None:
            until = min(until, time.monotonic() + timeout)
        alive = True
        while True:
            found = pattern.search(self.com1.text, self.position)
            if found:
                self.position = found.end()
                return found
            if not alive:
                raise MachineError(f"QEMU ended (exit code {self.qemu.wait()}) before "
                                   f"the console showed: {regex}")
            if time.monotonic() >= until:
                raise MachineError(f"time is up: the console did not show: {regex}")
            alive = self.read_some(until)

    def send(self, line):
        """Types a line and the Enter key."""
        self.send_raw(line + "\r")

    def command(self, line, timeout=30):
        """Types a line at a shell that echoes it; what follows is the shell's answer."""
        self.send(line)
        self.expect(re.escape(line) + r" *\n", timeout)

    def send_raw(self, text):
        """Types exactly these characters; "\x1d" is Ctrl-]."""
        try:
            self.qemu.stdin.write(text.encode())
        except BrokenPipeError:
            raise MachineError(f"QEMU ended before it was sent: {text.strip()}") from None

    def wait_exit(self, timeout=None):
        """Waits for the machine's own end; returns QEMU's exit code."""
        until = self.deadline
        if timeout is not None:
            until = min(until, time.monotonic() + timeout)
        while self.read_some(until):
            if time.monotonic() >= until:
                raise MachineError("time is up: the machine did not end by itself")
        return self.qemu.wait()

    def com2_text(self):
        if not self.com2_path.is_file():
            return ""
        line = Transcript()
        line.feed(self.com2_path.read_bytes())
        return line.text

    def report(self):
        """The last lines of both serial lines and how QEMU is, for a failed run."""
        parts = []
        for name, text in (("COM1", self.com1.text), ("COM2", self.com2_text())):
            lines = text.splitlines()[-TAIL_LINES:]
            parts += [f"---- last lines of {name} ----", *lines]
        code = self.qemu.poll() if self.qemu else None
        state = "running" if code is None else f"ended with exit code {code}"
        parts += [f"---- QEMU: {state} ----"]
        if self.stderr_path.is_file():
            parts += [self.stderr_path.read_text(errors="replace").strip()]
        return "\n".join(parts)


def run_interactive(options):
    """The same machine with the user's terminal as its console; returns QEMU's code."""
    with tempfile.TemporaryDirectory(prefix="redoubt-") as name:
        work = pathlib.Path(name)
        files, _ = medium_files(options)
        log = options.build / "com2.log"
        command = qemu_command(options, files, work)
        command += ["-serial", "mon:stdio", "-serial", f"file:{log}"]
        print(f"The emulator's messages (COM2) go to {log}. Ctrl-A X ends the machine.",
              flush=True)
        return subprocess.call(command, preexec_fn=prepare_qemu(options))
