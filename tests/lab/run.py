"""`make lab`: the parts of the lab one after the other, and a table of what ran, what is missing and what failed.

Without a word it is the three short parts, (a) to (c); `all`, or a part's name, runs what takes longer.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).resolve().parent
BASE: Final = HERE.parents[1]


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its name, what it shows, its tests, and the tools (with their Debian packages) that it needs."""

    name: str
    shows: str
    files: tuple[str, ...]
    tools: tuple[tuple[str, str], ...] = (("mmdebstrap", "mmdebstrap"),)
    short: bool = False
    """Whether `make lab` runs it without being asked."""


QEMU: Final = (("mmdebstrap", "mmdebstrap"), ("qemu-system-x86_64", "qemu-system-x86"), ("busybox", "busybox-static"),
               ("mke2fs", "e2fsprogs"), ("debugfs", "e2fsprogs"))  # fmt: skip
PARTS: Final = (
    Part("picamera2", "(a) real picamera2 on libcamera's virtual camera", ("test_picamera2_real.py",), short=True),
    Part("shift", "(b) a shift in the virtual machine, on a real kernel", ("test_machine.py", "test_qemu_shift.py"),
         QEMU, short=True),
    Part("units", "(c) the units really booted: users, sandbox, watchdog, crash loop",
         ("test_package.py", "test_units_nspawn.py"),
         (("mmdebstrap", "mmdebstrap"), ("systemd-nspawn", "systemd-container")), short=True),
    Part("machine", "more in the virtual machine: failing camera, watchdog, empty cell, dock",
         ("test_camera_vivid.py", "test_qemu_sensors.py", "test_qemu_watchdog.py", "test_qemu_dock.py"), QEMU),
    Part("image", "the image's card, its bytes and its boot",
         ("test_card.py", "test_image_build.py", "test_image_boot.py", "test_image_encrypted.py",
          "test_image_to_receipt.py", "test_image_ssh.py"), (*QEMU, ("mksquashfs", "squashfs-tools"))),
    Part("updates", "updates installed, confirmed, rolled back and cut off",
         ("test_update_install.py", "test_update_interrupted.py", "test_update_qemu.py"),
         (*QEMU, ("rauc", "rauc"), ("dbus-daemon", "dbus"))),
)  # fmt: skip
BY_HAND: Final = "(d) the arm64 image on qemu's raspi3b takes minutes and is done by hand: docs/image.md says how."


def missing(part: Part) -> str:
    """What a part lacks, as a command that mends it; empty if nothing."""
    if os.geteuid() != 0:
        return "not root: sudo make lab"
    packages = sorted({package for tool, package in part.tools if shutil.which(tool) is None})
    return f"sudo apt-get install {' '.join(packages)}" if packages else ""


def main() -> int:
    """The exit code: 0 if every part ran and passed."""
    parser = argparse.ArgumentParser(prog="make lab", description=__doc__)
    parser.add_argument(
        "parts",
        nargs="*",
        choices=[[], "all", *(one.name for one in PARTS)],
        help="default: the short ones, picamera2, shift and units",
    )
    parser.add_argument("--keep", action="store_true", help="keep disks and consoles of the machines, and say where")
    parser.add_argument("--publish", action="store_true", help="let the pages show its figures: docs/figures/")
    wanted = parser.parse_args()
    chosen = [one for one in PARTS if _is_wanted(one, wanted.parts)]
    rows = [_run(part, keep=wanted.keep, publish=wanted.publish) for part in chosen]
    print()
    for name, state, took, shows in (("part", "result", "took", "what it shows"), *rows):
        print(f"{name:<11} {state:<10} {took:>7}  {shows}")
    for part in PARTS:
        if part not in chosen:
            print(f"{part.name:<11} {'not asked':<10} {'':>7}  {part.shows}: make lab PART={part.name}")
    print(BY_HAND)
    return int(any(state != "passed" for _, state, _, _ in rows))


def _is_wanted(part: Part, named: list[str]) -> bool:
    return part.short if not named else "all" in named or part.name in named


def _run(part: Part, *, keep: bool, publish: bool) -> tuple[str, str, str, str]:
    files = [f"tests/lab/{name}" for name in part.files if (HERE / name).exists()]
    print(f"\n=== {part.name}: {part.shows}", flush=True)
    lacks = missing(part)
    if lacks or not files:
        print(f"!!! {part.name} did not run: {lacks or 'its tests are not in this checkout'}", flush=True)
        return part.name, "MISSING", "", lacks or part.shows
    begun = time.monotonic()
    # CI: what is missing fails instead of being skipped.
    environment = {**os.environ, "CI": "true", "FIRSTHAND_LAB": "all", "PYTHONPATH": str(BASE)}
    environment["FIRSTHAND_PUBLISH"] = "1" if publish else "0"
    command = [sys.executable, "-m", "pytest", "-q", "-rP" if keep else "-ra", *files]
    if keep:
        place = BASE / "build/lab" / part.name
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        command += [f"--basetemp={place}"]
        print(f"    kept in {place.relative_to(BASE)}: console.log of each machine, and its disks", flush=True)
    failed = subprocess.run(command, cwd=BASE, env=environment, check=False).returncode != 0
    return part.name, "FAILED" if failed else "passed", f"{time.monotonic() - begun:.0f} s", part.shows


if __name__ == "__main__":
    sys.exit(main())
