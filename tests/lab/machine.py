"""A virtual machine of the lab: qemu with a console that is kept, a line for NMEA, and a line for commands.

Whatever boots in it is not changed for that: the unit that answers commands is handed to systemd as a credential of
the virtual machine (systemd-debug-generator(8), SMBIOS type 11): a finished image is driven like the lab's own root.
`power_cut` kills qemu as it stands: what the machine had not written through to its disk is gone.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import itertools
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

QEMU: Final = "qemu-system-x86_64"
CONSOLE: Final = "console=ttyS0 panic=-1 systemd.show_status=1 systemd.journald.forward_to_console=0"
"""For `Boot.append`: what shows a boot on the console that the harness keeps."""
TAIL_LINES: Final = 40
PATIENCE: Final = 4.0
"""How much longer than its quiet machine takes anything may take beside other tests: each wait ends when it happens."""
COMMANDS_UNIT: Final = """\
[Unit]
Description=The lab's line for commands
DefaultDependencies=no
StartLimitIntervalSec=0
[Service]
ExecStart=/bin/sh -c 'exec 3<>/dev/virtio-ports/lab; echo "0 0 " >&3; while read -r n c <&3; do \
echo "$$c" | base64 -d >/run/lab.sh; sh /run/lab.sh >/run/lab.out 2>&1 </dev/null; \
echo "$$n $$? $$(base64 -w0 </run/lab.out)" >&3; done'
Restart=always
RestartSec=300ms
OOMScoreAdjust=-900
"""
ACCELERATED: Final = ("-accel", "kvm", "-cpu", "host")
EMULATED: Final = ("-accel", "tcg,thread=multi", "-cpu", "Nehalem")
SPARING: Final = "mitigations=off audit=0 apparmor=0"
"""For an emulated processor: it is nobody's neighbour, and page tables for each side of a system call cost it much."""


class MachineFault(AssertionError):
    """The machine does not do what was waited for; the sentence ends with the last lines of its console."""


@dataclass(frozen=True, slots=True)
class Boot:
    """What the firmware hands to the processor."""

    kernel: Path
    initrd: Path
    append: str


@dataclass(frozen=True, slots=True)
class Disk:
    """A raw image as a disk. The guest sees ``/dev/disk/by-id/virtio-NAME`` and, in this order, vda, vdb and so on."""

    path: Path
    name: str
    forgets: bool = False
    """What is written goes nowhere: a root that is the same at each power-on."""


class Machine:
    """One virtual machine, which may lose its power and be started again.

    `boot` is asked at each power-on. With ``reboots=False`` a reboot of the guest ends qemu, as the end of
    `wait_for_end`, so that the next `start` asks the firmware again. `units` are given to systemd and started:
    a name and a text each. `network` lets the guest reach this host as 10.0.2.2, and
    ``forwards={PORT: 22}`` reaches the guest's port 22 at 127.0.0.1:PORT. All it leaves lies in `directory`.
    """

    def __init__(
        self,
        directory: Path,
        boot: Boot | Callable[[], Boot],
        disks: Sequence[Disk],
        *,
        units: Mapping[str, str] | None = None,
        memory_mib: int = 512,
        processors: int = 2,
        network: bool = False,
        forwards: Mapping[int, int] | None = None,
        reboots: bool = True,
    ) -> None:
        self.directory = directory
        self._boot: Callable[[], Boot] = (lambda: boot) if isinstance(boot, Boot) else boot
        self._disks = tuple(disks)
        self._units = {"lab-commands.service": COMMANDS_UNIT, **(units or {})}
        self._memory_mib, self._processors = memory_mib, processors
        self._network, self._forwards, self._reboots = network, dict(forwards or {}), reboots
        self._process: subprocess.Popen[bytes] | None = None
        self._sockets: dict[str, socket.socket] = {}
        self._answers = b""
        self._numbers = itertools.count(1)
        self._since = 0
        """Where the present boot begins in the console's file."""

    # --- power ------------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Power on. Returns at once: `wait_for` and `run` wait."""
        assert self._process is None, "the machine is already on"
        self.directory.mkdir(parents=True, exist_ok=True)
        self.console_file.touch()
        self._since = self.console_file.stat().st_size
        boot = self._boot()
        for name in ("console", "nmea", "lab"):
            self._socket_path(name).unlink(missing_ok=True)
        with (self.directory / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(self._command(boot), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        for name in ("nmea", "lab"):
            self._sockets[name] = self._connected(name)
        self._answers = b""
        return self

    def power_cut(self) -> None:
        """Kill qemu: no word to the guest."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._off()

    def wait_for_end(self, *, seconds: float = 60.0) -> None:
        """The guest has switched itself off (or has rebooted, with ``reboots=False``)."""
        assert self._process is not None
        try:
            self._process.wait(seconds * PATIENCE)
        except subprocess.TimeoutExpired:
            raise self._fault(f"not switched off within {seconds:g} s") from None
        self._off()

    def stop(self, *, seconds: float = 60.0) -> None:
        """Shut down in order."""
        with contextlib.suppress(MachineFault):
            self.run("systemctl --no-block poweroff")
        self.wait_for_end(seconds=seconds)

    @property
    def on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        return self if self.on else self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.power_cut()

    def _off(self) -> None:
        self._process = None
        for one in self._sockets.values():
            one.close()
        self._sockets.clear()

    # --- console ------------------------------------------------------------------------------------------------------

    @property
    def console_file(self) -> Path:
        return self.directory / "console.log"

    def console(self) -> str:
        """What this power-on has said so far, colours taken out."""
        text = self.console_file.read_bytes()[self._since :].decode("utf-8", "replace")
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "")

    def wait_for(self, pattern: str, *, seconds: float = 60.0, count: int = 1) -> re.Match[str]:
        """The console's `count`-th match of a regular expression since the power came on."""
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            found = list(itertools.islice(re.finditer(pattern, self.console(), re.MULTILINE), count))
            if len(found) == count:
                return found[-1]
            if not self.on:
                raise self._fault(f"the machine went off before it said {pattern!r}")
            if time.monotonic() > deadline:
                raise self._fault(f"not said within {seconds:g} s: {pattern!r}")
            time.sleep(0.1)

    def _fault(self, what: str) -> MachineFault:
        lines = [
            one for one in self.console().splitlines() if one.strip() and ") Job " not in one and "] Job " not in one
        ]
        said = (self.directory / "qemu.log").read_text("utf-8", "replace").strip()[-500:]
        told = "\n".join(f"  | {line}" for line in lines[-TAIL_LINES:])
        return MachineFault(f"{what}\nqemu: {said or 'no complaint'}\nthe console's end:\n{told}")

    # --- commands -----------------------------------------------------------------------------------------------------

    def ready(self, *, seconds: float = 90.0) -> Self:
        """systemd is far enough for commands."""
        assert self._answer(0, seconds) is not None
        return self

    def run(self, command: str, *, seconds: float = 30.0) -> str:
        """What a command of the guest's root shell prints. Raises `MachineFault` if its exit status is not 0."""
        status, text = self.ask(command, seconds=seconds)
        if status != 0:
            raise self._fault(f"exit status {status} of: {command}\n{text}")
        return text

    def ask(self, command: str, *, seconds: float = 30.0) -> tuple[int, str]:
        """Its exit status, and what it prints on both outputs."""
        number = next(self._numbers)
        told = base64.b64encode(command.encode()).decode()
        self._sockets["lab"].sendall(f"{number} {told}\n".encode())
        return self._answer(number, seconds, command)

    def until(self, command: str, *, seconds: float = 60.0, every_s: float = 0.3) -> str:
        """What a command prints as soon as its exit status is 0."""
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            status, text = self.ask(command, seconds=max(30.0, seconds))
            if status == 0:
                return text
            if time.monotonic() > deadline:
                raise self._fault(f"not within {seconds:g} s: {command}\nits last word: {text[-1500:]}")
            time.sleep(every_s)

    def _answer(self, number: int, seconds: float, command: str = "the first word") -> tuple[int, str]:
        line = self._sockets["lab"]
        deadline = time.monotonic() + seconds * PATIENCE
        line.settimeout(0.5)
        while True:
            while b"\n" in self._answers:
                one, _, self._answers = self._answers.partition(b"\n")
                told, status, text = [*one.split(b" "), b"", b""][:3]
                if told == b"%d" % number:
                    return int(status), base64.b64decode(text).decode("utf-8", "replace")
            if not self.on:
                raise self._fault(f"the machine went off before it answered: {command}")
            if time.monotonic() > deadline:
                raise self._fault(f"no answer within {seconds:g} s: {command}")
            with contextlib.suppress(TimeoutError, ConnectionResetError):
                self._answers += line.recv(65536)

    # --- the second serial line ---------------------------------------------------------------------------------------

    def nmea(self, data: bytes) -> None:
        """What a receiver says on ttyS1. Lost if the machine does not listen or is off, as it is on a wire."""
        line = self._sockets.get("nmea")
        if line is not None:
            line.settimeout(0.2)
            with contextlib.suppress(OSError):
                line.sendall(data)

    # --- qemu --------------------------------------------------------------------------------------------------------

    def _socket_path(self, name: str) -> Path:
        return self.directory / f"{name}.sock"

    def _connected(self, name: str) -> socket.socket:
        deadline = time.monotonic() + 180
        while True:
            one = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                one.connect(os.path.relpath(self._socket_path(name)))  # a socket's path may have 107 characters only
                return one
            except OSError:
                one.close()
                if not self.on or time.monotonic() > deadline:
                    raise self._fault("qemu did not start") from None
                time.sleep(0.05)

    def _command(self, boot: Boot) -> list[str]:
        units = (f"systemd.extra-unit.{name}={_encoded(text)}" for name, text in self._units.items())
        wants = " ".join(f"systemd.wants={name}" for name in self._units)
        append = " ".join((boot.append, "" if kvm_works(boot.kernel) else SPARING, wants))
        command = [*emulator(boot.kernel), "-M", "pc", "-m", str(self._memory_mib), "-smp", str(self._processors),
                   "-nodefaults", "-no-user-config", "-display", "none", "-rtc", "base=utc",
                   "-kernel", str(boot.kernel), "-initrd", str(boot.initrd), "-append", append,
                   "-device", "virtio-serial-pci"]  # fmt: skip
        for name in ("console", "nmea", "lab"):
            path = os.path.relpath(self._socket_path(name)).replace(",", ",,")
            kept = f",logfile={str(self.console_file).replace(',', ',,')},logappend=on" if name == "console" else ""
            command += ["-chardev", f"socket,id={name},path={path},server=on,wait=off{kept}"]
        command += ["-serial", "chardev:console", "-serial", "chardev:nmea",
                    "-device", "virtserialport,chardev=lab,name=lab"]  # fmt: skip
        for unit in units:
            command += ["-smbios", f"type=11,value=io.systemd.credential.binary:{unit}"]
        for number, disk in enumerate(self._disks):
            file = str(disk.path).replace(",", ",,")
            snapshot = ",snapshot=on" if disk.forgets else ""
            command += ["-drive", f"file={file},format=raw,if=none,id=disk{number}{snapshot}",
                        "-device", f"virtio-blk-pci,drive=disk{number},serial={disk.name}"]  # fmt: skip
        if self._network:
            into = "".join(f",hostfwd=tcp:127.0.0.1:{here}-:{there}" for here, there in self._forwards.items())
            command += ["-netdev", f"user,id=net0{into}", "-device", "virtio-net-pci,netdev=net0,romfile="]
        return command if self._reboots else [*command, "-no-reboot"]


def emulator(kernel: Path) -> tuple[str, ...]:
    """qemu with its accelerator. Raises `MachineFault` if qemu is missing."""
    if shutil.which(QEMU) is None:
        raise MachineFault(f"{QEMU} is missing; run: sudo apt-get install qemu-system-x86")
    return (QEMU, *(ACCELERATED if kvm_works(kernel) else EMULATED))


@functools.cache
def kvm_works(kernel: Path) -> bool:
    """Whether this kernel really runs under KVM here, up to the root file system that it does not find.

    That /dev/kvm can be opened says little: in a machine that is virtual itself the first guest may die.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    probe = [QEMU, *ACCELERATED, "-M", "pc", "-m", "256", "-nodefaults", "-no-user-config", "-display", "none",
             "-no-reboot", "-serial", "stdio", "-kernel", str(kernel), "-append", "console=ttyS0 panic=-1"]  # fmt: skip
    try:
        done = subprocess.run(probe, capture_output=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return False
    return b"Unable to mount root fs" in done.stdout


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
