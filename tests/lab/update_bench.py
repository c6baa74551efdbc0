"""A camera's card, its two slots and the real RAUC, for tests of updates: everything but the board and its firmware.

The host's kernel need not know dm-verity or FAT: bundles are of RAUC's format `plain` here, and partition 1 is a
directory. tests/lab/test_update_qemu.py has both.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from evidence import cms, durable
from evidence.handover import Facts, Status
from evidence.keys import FileSigner
from evidence.release import Bundle, Release
from evidence.requests import Offloading, StatusRequest, request_decoder
from evidence.statements import encode_canonical
from evidence.update_state import UpdateState, read_state
from fleet.update import autoboot
from fleet.update.autoboot import Slot
from fleet.update.bundle import Format, SlotImages, make_bundle
from fleet.update.system_conf import text_of

BOARD = "lab-vm"
HERE = Path(__file__).resolve().parent
BASE = HERE.parent.parent
PARTITIONS: dict[tuple[str, int], str] = {
    ("boot", 0): "boot-a",
    ("boot", 1): "boot-b",
    ("rootfs", 0): "root-a",
    ("rootfs", 1): "root-b",
}
BOOT_BYTES, ROOT_BYTES = 128 * 1024, 512 * 1024
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path={path}</listen><policy context="default"><allow send_destination="*"/>
<allow receive_sender="*"/><allow own="*"/></policy></busconfig>
"""


def missing_tool() -> str | None:
    """What this machine lacks for RAUC, in a sentence for a person."""
    needed = {"rauc": "rauc", "dbus-daemon": "dbus", "mksquashfs": "squashfs-tools", "mcopy": "mtools"}
    for tool, package in (needed | {"mkfs.vfat": "dosfstools"}).items():
        if shutil.which(tool) is None:
            return f"{tool} is missing; run: sudo apt-get install {package}"
    return None if os.getuid() == 0 else "RAUC mounts bundles: run as root"


def images_of(directory: Path, version: str) -> SlotImages:
    """Stand-ins for a slot's two images: a FAT that the firmware can read, and bytes that only this version has."""
    directory.mkdir(parents=True, exist_ok=True)
    made = SlotImages(directory / f"boot-{version}.vfat", directory / f"root-{version}.squashfs")
    if made.root.exists():
        return made
    noise = random.Random(version)
    files = {
        "vmlinuz": noise.randbytes(60_000),
        "config.txt": b"kernel=vmlinuz\n[boot_partition=2]\ncmdline=cmdline-a.txt\n"
        b"[boot_partition=3]\ncmdline=cmdline-b.txt\n[all]\n",
        **{f"cmdline-{slot.lower()}.txt": f"quiet rauc.slot={slot}\n".encode() for slot in autoboot.SLOTS},
    }
    fat(made.boot, BOOT_BYTES, files)
    made.root.write_bytes(b"hsqs" + noise.randbytes(ROOT_BYTES - 4))
    return made


def fat(path: Path, size: int, files: dict[str, bytes]) -> None:
    """A FAT with these files; nothing is mounted."""
    path.write_bytes(bytes(size))
    around = os.environ | {"MTOOLS_SKIP_CHECK": "1"}
    subprocess.run(["mkfs.vfat", "--invariant", str(path)], check=True, capture_output=True)
    for name, data in files.items():
        put = ["mcopy", "-n", "-o", "-i", str(path), "-", f"::/{name}"]
        subprocess.run(put, input=data, check=True, capture_output=True, env=around)


def signed_release(pki: Path, version: str, bundle: Path, *, role: str = "release", **more: Any) -> bytes:
    """The manifest that names a bundle."""
    data = bundle.read_bytes()
    named = Bundle(name=bundle.name, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data), **more)
    release = Release(v=1, version=version, sha256="0" * 64, bundle=named)
    signer = FileSigner.load(pki / f"{role}.key", pki / f"{role}.pem")
    return cms.sign(encode_canonical(release), signer, _now())


def _now() -> Any:
    import datetime as dt

    return dt.datetime.now(dt.UTC)


class PaperRecorder:
    """Answers as the recorder does, at its socket: what it says is set by the test."""

    def __init__(self, path: Path) -> None:
        self.status = Status(
            serial="CAM-1", model="bench", firmware="1.0", state="updating", docked=True, degraded=False, uptime_s=60,
            self_test="pass", battery_percent=90, charging=True, offloading=Offloading(files=0, bytes=0),
        )  # fmt: skip
        self.test: dict[str, Any] | None = {"verdict": "pass", "checks": []}
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen(8)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def says(self, **more: Any) -> None:
        self.status = msgspec.structs.replace(self.status, **more)

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(60)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError), connection.makefile("rb") as lines:
                for line in lines:
                    asked = request_decoder.decode(line)
                    plain = isinstance(asked, StatusRequest)
                    answer = self.status if plain else Facts(about="support", facts={"self_test": self.test})
                    connection.sendall(msgspec.json.encode(answer) + b"\n")


@dataclass
class BenchCamera:
    """One camera: `card` survives its end, all else is made anew at each boot."""

    card: Path
    run: Path
    pki: Path
    recorder: PaperRecorder = field(init=False)
    agent_lives: bool = True
    health_s: float = 60.0
    """How long a new system may take to prove itself."""
    running: Slot = "A"
    _programs: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run.mkdir(parents=True, exist_ok=True)
        self.recorder = PaperRecorder(self.run / "device.sock")
        self.bundle = "none"

    @property
    def kept(self) -> Path:
        return self.card / "data" / "update"

    @property
    def handed(self) -> Path:
        return self.card / "data" / "updates"

    def new_card(self, images: SlotImages) -> None:
        """A card as it is flashed: both slots hold the same system."""
        for directory in (self.kept, self.handed, self.card / "select", self.card / "data" / "spool"):
            directory.mkdir(parents=True)
        autoboot.write(self.card / "select", "A")
        for (kind, _), name in PARTITIONS.items():
            shutil.copyfile(images.boot if kind == "boot" else images.root, self.card / name)

    def hand(self, bundle: Path, manifest: bytes) -> None:
        """As the agent leaves what it fetched."""
        for name, data in ((bundle.name, bundle.read_bytes()), ("wanted.p7s", manifest)):
            durable.replace(self.handed / name, data)
        self.bundle = bundle.name

    def boot(self, slot: Slot) -> None:
        """The kernel's words, a bus, and RAUC's service."""
        self.running = slot
        (self.run / "cmdline").write_text(f"console=ttyS0 rauc.slot={slot} quiet\n", "ascii")
        handler = self.run / "boot-choice"
        steps = f"{sys.executable} {HERE}/update_steps.py {self.run}/told.json"
        handler.write_text(f'#!/bin/sh\nexec {steps} choice "$@"\n')
        handler.chmod(0o755)
        keyring = self.run / "keyring" / "release-authority.pem"
        devices = {slot_of: str(self.card / name) for slot_of, name in PARTITIONS.items()}
        conf = self.run / "system.conf"
        conf.write_text(
            text_of(
                BOARD, devices, handler=str(handler), status=str(self.kept / "rauc.status"), keyring=keyring,
                form="plain", mounts=str(self.run / "mnt"),
            )
        )  # fmt: skip
        places = {
            "kept": self.kept, "select": self.card / "select", "cmdline": self.run / "cmdline",
            "root": self.pki / "root.pem", "handed": self.handed, "keyring": keyring,
            "recorder": self.run / "device.sock", "system_conf": conf,
        }  # fmt: skip
        told = {"places": places, "bundle": self.bundle, "agent_lives": self.agent_lives, "health_s": self.health_s}
        (self.run / "told.json").write_text(json.dumps(told, default=str))
        bus = self.run / "bus.sock"
        bus.unlink(missing_ok=True)
        (self.run / "bus.conf").write_text(_BUS.format(path=bus))
        self._start("bus", ["dbus-daemon", f"--config-file={self.run}/bus.conf", "--nofork"])
        wait_for(bus.exists)
        self._start("rauc", ["rauc", "-c", str(conf), f"--override-boot-slot={slot}", "service"])
        wait_for(self._is_on_the_bus)

    def _is_on_the_bus(self) -> bool:
        """Whether RAUC's service can be asked: a step that is faster would find nobody."""
        ask = ["dbus-send", f"--bus=unix:path={self.run}/bus.sock", "--print-reply", "--dest=org.freedesktop.DBus"]
        ask += ["/", "org.freedesktop.DBus.NameHasOwner", "string:de.pengutronix.rauc"]
        return "boolean true" in subprocess.run(ask, capture_output=True, text=True, check=False).stdout

    def step(self, *words: str) -> subprocess.Popen[bytes]:
        """Start one step of the update: install, try, health."""
        command = [sys.executable, str(HERE / "update_steps.py"), str(self.run / "told.json"), *words]
        return self._start(words[0], command)

    def does(self, *words: str) -> str:
        """A step to its end; what it said."""
        process = self.step(*words)
        process.wait(300)
        return self.said(words[0]).strip()

    def said(self, name: str) -> str:
        return (self.run / f"{name}.log").read_text("utf-8", "replace")

    def _start(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        around = os.environ | {
            "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={self.run}/bus.sock",
            "PYTHONPATH": str(BASE),
        }
        with (self.run / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=around, start_new_session=True
            )
        self._programs.append(process)
        return process

    def dies(self) -> None:
        """Everything of it ends at once, as when the power goes; its mounts go with the kernel."""
        for process in self._programs:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def is_dead(self) -> None:
        """Wait for the end of what was killed, and do away with what its kernel would have forgotten."""
        for process in self._programs:
            process.wait(180)
        self._programs.clear()
        subprocess.run(["umount", "-l", str(self.run / "mnt" / "bundle")], check=False, capture_output=True)

    def state(self) -> UpdateState:
        return read_state(self.kept / "state.json")

    def close(self) -> None:
        self.dies()
        self.is_dead()
        self.recorder.close()


def slot_digests(card: Path) -> dict[Slot, tuple[str, str]]:
    """SHA-256 of both partitions of each slot."""

    def digest(kind: str, number: int) -> str:
        return hashlib.sha256((card / PARTITIONS[kind, number]).read_bytes()).hexdigest()

    return {"A": (digest("boot", 0), digest("rootfs", 0)), "B": (digest("boot", 1), digest("rootfs", 1))}


def image_digests(images: SlotImages) -> tuple[str, str]:
    return (
        hashlib.sha256(images.boot.read_bytes()).hexdigest(),
        hashlib.sha256(images.root.read_bytes()).hexdigest(),
    )


def bundle_of(directory: Path, pki: Path, version: str, *, form: Format = "plain", role: str = "release") -> Path:
    """A real bundle of that version's stand-ins."""
    out = directory / f"camera-{version}-{form}.raucb"
    images = images_of(directory, version)
    key, cert = pki / f"{role}.key", pki / f"{role}.pem"
    make_bundle(images, board=BOARD, version=version, key=key, cert=cert, out=out, form=form)
    return out


@contextlib.contextmanager
def bench_camera(directory: Path, pki: Path) -> Iterator[BenchCamera]:
    camera = BenchCamera(directory / "card", directory / "run", pki)
    try:
        yield camera
    finally:
        camera.close()


def wait_for(condition: Any, within_s: float = 180.0) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.01)
