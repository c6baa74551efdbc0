"""Releases of the lab's board, made by the image builder, and a card with the first of them: for tests of updates.

All of the system is the image's own: kernel, read-only root, RAUC as Debian has it, our package with its units. Two
programs stand in, since no camera is enrolled here: one answers at the recorder's socket, one is the agent's process.
In release 3.0 the first of them does not start.
"""

from __future__ import annotations

import fcntl
import hashlib
import inspect
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from kernel_modules import cache_directory
from package import camera_package

from fleet.image import board as boards
from fleet.image import boot
from fleet.image.build import EPOCH
from fleet.image.card import write_card
from fleet.image.fat import make_fat
from fleet.image.layout import MIB, SIGNATURE, Sizes
from fleet.image.root import USERS, Wishes, make_root, squash
from fleet.update.bundle import SlotImages
from fleet.update.system_conf import system_conf

BOARD: Final = "lab-vm"
VERSIONS: Final = ("1.0", "2.0", "3.0")
DATA: Final = 1024 * MIB
KEPT: Final = 1
STAND_IN: Final = """
import socket, sys
from pathlib import Path
import msgspec
from evidence.handover import Done, Facts, Status
from evidence.requests import FactsRequest, Offloading, UpdateRequest, request_decoder

version = Path("/usr/lib/firsthand/lab-version").read_text().strip()
if version == "3.0":
    sys.exit("this recorder does not start")
path = Path("/run/firsthand/device.sock")
path.unlink(missing_ok=True)
server = socket.socket(socket.AF_UNIX)
server.bind(str(path))
path.chmod(0o660)
server.listen()
state = "docked"
while True:
    connection, _ = server.accept()
    with connection, connection.makefile("rb") as lines:
        for line in lines:
            asked = request_decoder.decode(line)
            answer = Status(serial="LAB-1", model="lab", firmware=version, state=state, docked=True, degraded=False,
                            uptime_s=9, self_test="pass", charging=True, offloading=Offloading(files=0, bytes=0))
            if isinstance(asked, UpdateRequest):
                state, answer = "updating" if asked.phase == "began" else "docked", Done()
            if isinstance(asked, FactsRequest):
                answer = Facts(about="support", facts={"self_test": {"verdict": "pass", "checks": []}})
            connection.sendall(msgspec.json.encode(answer) + b"\\n")
"""
_UNIT: Final = """\
[Unit]
Description={name} of the lab's updates
After=systemd-tmpfiles-setup.service
StartLimitIntervalSec=0
[Service]
ExecStart={command}
Environment=PYTHONPATH=/usr/lib/firsthand/site
User={user}
Restart=always
RestartSec=2s
[Install]
WantedBy=multi-user.target
"""
_HEALTH: Final = "[Service]\nExecStart=\nExecStart=/usr/lib/firsthand/health --within-s 60 --settle-s 5\n"


def _overlay(directory: Path) -> Path:
    units = directory / "etc/systemd/system"
    (units / "firsthand-health.service.d").mkdir(parents=True)
    program = directory / "usr/lib/firsthand/stand-in.py"
    program.parent.mkdir(parents=True)
    program.write_text(STAND_IN)
    for user, command in (
        ("firsthand-device", "/usr/bin/python3 /usr/lib/firsthand/stand-in.py"),
        ("firsthand-agent", "/usr/bin/sleep infinity"),
    ):
        (units / f"{user}.service").write_text(_UNIT.format(name=user, command=command, user=user))
    (units / "firsthand-health.service.d" / "lab.conf").write_text(_HEALTH)
    return directory


def releases() -> dict[str, SlotImages]:
    """The two images of a slot for each version. Made once for each state of our package (three minutes)."""
    package = camera_package()
    recipe = inspect.getsource(sys.modules[__name__]) + package.parent.name
    place = cache_directory() / f"updates-{hashlib.sha256(recipe.encode()).hexdigest()[:16]}"
    with Path(cache_directory() / "updates.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            older = sorted(cache_directory().glob("updates-*"), key=lambda path: path.stat().st_mtime)
            for one in older[: max(0, len(older) - KEPT)]:
                shutil.rmtree(one)
            _make(package, place)
    return {one: SlotImages(place / f"{one}.boot.vfat", place / f"{one}.squashfs") for one in VERSIONS}


def _make(package: Path, place: Path) -> None:
    board = boards.load(BOARD)
    base = board.base_named("debian")
    with tempfile.TemporaryDirectory(dir=place.parent) as scratch:
        work = Path(scratch)
        wishes = Wishes(
            BOARD, board, base, VERSIONS[0], debs=(package,), overlays=(_overlay(work / "overlay"),),
            rauc_config=system_conf(BOARD, f"/dev/disk/by-partuuid/{SIGNATURE:08x}-0"),
        )  # fmt: skip
        root, made = work / "root", work / "made"
        made.mkdir()
        make_root(wishes, root)
        kernel = boot.take_kernel(root, base, work / "kernel")
        boot.fill_selector(work / "selector", root, base)
        (work / "selector" / boot.NEW_DATA).unlink(missing_ok=True)  # the data partition is made here
        make_fat(made / "selector.vfat", board.sizes.selector, "FIRSTHAND", 1, work / "selector", EPOCH)
        for number, version in enumerate(VERSIONS):
            (root / "usr/lib/firsthand/lab-version").write_text(f"{version}\n")
            squash(root, made / f"{version}.squashfs", EPOCH + number)
            files = work / f"files-{version}"
            boot.fill_boot(files, root, kernel, BOARD, board, base, made / f"{version}.squashfs")
            make_fat(made / f"{version}.boot.vfat", board.sizes.boot, "BOOT", number, files, EPOCH)
        made.rename(place)


def make_card(image: Path, pki: Path, handed: dict[str, bytes], evidence: bytes, scratch: Path) -> None:
    """A card with release 1.0 in slot A, and what the agent fetched already on its data partition."""
    slots = releases()
    board = boards.load(BOARD)
    tree = scratch / "data"
    for name, user in (("etc/keys", 0), ("agent/updates", USERS["firsthand-agent"]), ("update", 0), ("log", 0),
                       ("spool", USERS["firsthand-device"]), ("device", USERS["firsthand-device"])):  # fmt: skip
        directory = tree / name
        directory.mkdir(parents=True)
        shutil.chown(directory, user, user)
    shutil.copy(pki / "root.pem", tree / "etc/keys/root.pem")
    for name, data in handed.items():
        path = tree / "agent/updates" / name
        path.write_bytes(data)
        shutil.chown(path, USERS["firsthand-agent"], USERS["firsthand-agent"])
    shutil.chown(tree / "agent", USERS["firsthand-agent"], USERS["firsthand-agent"])
    (tree / "spool" / "LAB-1-000001.evidence").write_bytes(evidence)
    data = scratch / "data.ext4"
    make = ["mke2fs", "-q", "-F", "-t", "ext4", "-L", "firsthand-data", "-d", str(tree), str(data), f"{DATA // MIB}M"]
    subprocess.run(make, check=True, capture_output=True)
    shutil.rmtree(tree)
    sizes = Sizes(boot=board.sizes.boot, root=board.sizes.root, selector=board.sizes.selector, data=DATA)
    first = slots["1.0"]
    selector = first.boot.with_name("selector.vfat")
    write_card(image, sizes, {1: selector, 2: first.boot, 5: first.root, 7: data})
    data.unlink()
