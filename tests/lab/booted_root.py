"""A Debian root with our package in it, booted by systemd-nspawn: real units, users and sandboxes on this kernel.

The simulator's rooms are put beside the package's code in the test's root only: for a camera, buttons and a cell, which
no container has.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from package import BASE, camera_package

from fleet.image.debian_root import CannotBuild, DebianRoot, unpacked

SITE: Final = "usr/lib/firsthand/site"
DEBIAN: Final = DebianRoot(packages=(*DebianRoot().packages, "chrony"))
"""With what our package recommends and a container can run."""
SYSTEM_SITE: Final = "usr/lib/python3/dist-packages"
"""Where the simulator goes: an upgrade of the package leaves it alone."""
BOOT_S: Final = 300.0
"""A loaded machine takes minutes over it; each wait ends when it happens."""
WITH_SIMULATOR: Final = """\
[Service]
ExecStart=
ExecStart=/usr/bin/firsthand-device run --config /etc/firsthand/device.toml --allow-simulated
"""
START: Final = 'umount -R /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && exec "$@"'
"""systemd wants the whole tree of control groups, in a mount namespace of its own."""
IN_ROOT: Final = 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"'


def until(condition: Callable[[], Any], what: str, seconds: float = 180.0) -> Any:
    """Wait for something in the container; its first true value."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end, f"it did not come within {seconds} s: {what}"
        pause.wait(0.05)
    return value


def make_root(directory: Path) -> Path:
    """Debian, our package installed by dpkg, and the simulator. Root only. Raises `CannotBuild`."""
    root = unpacked(DEBIAN.tar(), directory)
    shutil.copy(camera_package(), root / "root/firsthand.deb")
    done = in_root(root, "dpkg", "--force-unsafe-io", "-i", "/root/firsthand.deb")
    if done.returncode != 0:
        raise CannotBuild(f"dpkg refuses our package: {done.stdout[-500:]} {done.stderr[-1000:]}")
    _add_simulator(root / SYSTEM_SITE)
    return root


def in_root(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command in a root that is not booted."""
    enter = ["unshare", "-m", "sh", "-c", IN_ROOT, str(root)]
    return subprocess.run([*enter, *command], capture_output=True, text=True, timeout=300)


def _add_simulator(site: Path) -> None:
    shutil.copytree(BASE / "simulator", site / "simulator", ignore=shutil.ignore_patterns("__pycache__"))
    project = tomllib.loads((BASE / "pyproject.toml").read_text())["project"]
    drivers = project["entry-points"]["firsthand.hal"].items()
    metadata = site / "firsthand_simulator-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: firsthand-simulator\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(
        "[firsthand.hal]\n" + "".join(f"{name} = {at}\n" for name, at in drivers if at.startswith("simulator."))
    )
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--only-binary=:all:"]
    command += ["--implementation", "cp", "--python-version", "3.13", "--target", str(site), "--upgrade"]
    command += [word for one in ("2_28", "2_27", "2_17") for word in ("--platform", f"manylinux_{one}_x86_64")]
    done = subprocess.run([*command, "--no-deps", "numpy>=2", "pillow>=12"], capture_output=True, text=True)
    if done.returncode != 0:
        raise CannotBuild(f"the simulator's libraries: {done.stderr[-300:]}")


class OwnNetwork:
    """A network in which there is nothing but localhost: for the camera, and for the servers that it asks."""

    def __init__(self) -> None:
        # It lasts as long as our end of its standard input: should we be killed, it goes too.
        script = "ip link set lo up && echo up && exec cat"
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != b"up\n":
            self.close()
            raise AssertionError("no network namespace can be made here")

    @property
    def enter(self) -> tuple[str, ...]:
        """Put before a command, it runs there."""
        return ("nsenter", f"--net=/proc/{self._holder.pid}/ns/net")

    def close(self) -> None:
        self._holder.kill()
        self._holder.communicate()


class BootedRoot:
    """The container. `run` is a command in it, as root or another user."""

    def __init__(self, root: Path, console: Path, network: OwnNetwork) -> None:
        self.root = root
        self.network = network
        self._console = console
        self._nspawn: subprocess.Popen[bytes] | None = None
        self.leader = 0
        """Its process 1, as this machine numbers it."""
        self.returned = 0
        """Exit status of the last `run`."""

    def boot(self) -> None:
        """Start it, and wait until systemd has started everything."""
        command = ["systemd-nspawn", "-q", "-D", str(self.root), "--boot", "--register=no", "--keep-unit"]
        # Without this capability systemd gives PrivateNetwork= up with a mere notice. The network is our own.
        command += ["--console=pipe", "--capability=CAP_NET_ADMIN"]
        with self._console.open("ab") as console:
            self._nspawn = subprocess.Popen(
                [*self.network.enter, "unshare", "-m", "sh", "-c", START, "sh", *command],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
            )  # fmt: skip
        self.leader = until(self._first_process, f"a system that boots: {self.console()}", BOOT_S)
        until(self._is_up, f"a booted system: {self.console()}", BOOT_S)

    def _is_up(self) -> bool:
        return self.run("systemctl", "is-system-running", check=False).strip() in ("running", "degraded")

    def _first_process(self) -> int:
        assert self._nspawn is not None
        assert self._nspawn.poll() is None, f"systemd-nspawn ended: {self.console()}"
        with contextlib.suppress(OSError, ValueError):
            for child in Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children").read_text().split():
                if Path(f"/proc/{child}/comm").read_text().strip() == "systemd":
                    return int(child)
        return 0

    def console(self) -> str:
        return self._console.read_text(errors="replace")[-2000:] if self._console.exists() else ""

    @property
    def running(self) -> bool:
        return self._nspawn is not None and self._nspawn.poll() is None

    def run(self, *command: str, user: str | None = None, check: bool = True) -> str:
        """Standard output and error of a command in it."""
        switch = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user is not None else []
        enter = ["nsenter", "--target", str(self.leader), "--all", "env", "-i", "PATH=/usr/sbin:/usr/bin", "LC_ALL=C"]
        done = subprocess.run([*enter, *switch, *command], capture_output=True, text=True, timeout=300)
        self.returned = done.returncode
        assert not check or done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def run_offline(self, *command: str) -> str:
        """The same while it is not booted."""
        done = in_root(self.root, *command)
        assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def show(self, unit: str, name: str) -> str:
        """One property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit).strip()

    def add_unit(self, name: str, text: str) -> None:
        """A unit or a drop-in that lasts until it is switched off."""
        place = Path(f"/proc/{self.leader}/root/run/systemd/system") / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        self.run("systemctl", "daemon-reload")

    def main_pid(self, unit: str) -> int:
        """The unit's process, as the container numbers it; 0 if there is none."""
        return int(self.show(unit, "MainPID"))

    def outside(self, pid: int) -> int:
        """The same process as this machine numbers it."""
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                numbers = next(line for line in status.read_text().splitlines() if line.startswith("NSpid:")).split()[
                    1:
                ]
                if len(numbers) > 1 and numbers[-1] == str(pid) and self._is_mine(status.parent):
                    return int(numbers[0])
        raise AssertionError(f"no process {pid} in the container")

    def _is_mine(self, process: Path) -> bool:
        return (process / "ns/pid").readlink() == Path(f"/proc/{self.leader}/ns/pid").readlink()

    @property
    def socket(self) -> Path:
        """The recorder's socket, reached from outside."""
        return Path(f"/proc/{self.leader}/root/run/firsthand/device.sock")

    def journal(self, unit: str) -> str:
        return self.run("journalctl", "--no-pager", "-b", "-u", unit, "-n", "60", check=False)

    def power_off(self) -> None:
        """End it, politely and then not. May be called twice."""
        if self._nspawn is None or self._nspawn.poll() is not None:
            return
        try:
            if self.leader:  # else it never came so far as to listen, and 0 would be our own process group
                with contextlib.suppress(OSError):
                    os.kill(self.leader, signal.SIGRTMIN + 4)
                self._nspawn.wait(120)
        except subprocess.TimeoutExpired:
            pass
        if self._nspawn.poll() is None:
            os.killpg(self._nspawn.pid, signal.SIGKILL)
            self._nspawn.wait(60)

    @contextlib.contextmanager
    def booted(self) -> Iterator[BootedRoot]:
        try:
            self.boot()
            yield self
        finally:
            self.power_off()
