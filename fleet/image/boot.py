"""What the boot partitions hold: kernel, initial RAM disk, firmware, and the text files that the firmware reads."""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.image.board import Base, Board
from fleet.image.debian_root import CannotBuild
from fleet.image.initramfs import make_initramfs
from fleet.image.layout import partuuid
from fleet.image.wired import wired
from fleet.update import autoboot

CMDLINE: Final = (
    "ro rootwait quiet loglevel=3 panic=5 fsck.repair=yes systemd.getty_auto=no systemd.ssh_auto=no "
    "systemd.gpt_auto=no systemd.condition_needs_update=no"
)
"""In every image. No `console=`: a serial port is for the receiver, and shows nobody anything."""
SLOTS: Final = {"a": 5, "b": 6}
NEW_DATA: Final = "data.new"
"""On partition 1, until the data partition is made (docs/design/board.md, rule 8)."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel of a root."""

    release: str
    file: Path


def fill_selector(directory: Path, root: Path, base: Base) -> None:
    """Partition 1 as it is flashed. Raises `CannotBuild`, OSError."""
    directory.mkdir(parents=True)
    (directory / autoboot.NAME).write_bytes(autoboot.text_of("A"))
    (directory / NEW_DATA).write_bytes(b"")
    _copy(base.selector, root, directory)


def fill_boot(directory: Path, root: Path, kernel: Kernel, name: str, board: Board, base: Base, squashfs: Path) -> None:
    """A boot partition, the same for both slots. Raises `CannotBuild`, OSError."""
    directory.mkdir(parents=True)
    shutil.copyfile(kernel.file, directory / "vmlinuz")
    (directory / "initrd.img").write_bytes(make_initramfs(root, kernel.release, board.modules, squashfs))
    _copy(base.firmware, root, directory)
    if base.overlays:
        (directory / "overlays").mkdir()
        _copy(base.overlays, root, directory / "overlays")
    for letter, number in SLOTS.items():
        words = (f"root=PARTUUID={partuuid(number)}", f"rauc.slot={letter.upper()}", CMDLINE, board.cmdline)
        (directory / f"cmdline-{letter}.txt").write_text(" ".join(filter(None, words)) + "\n", "ascii")
    # For a firmware that does not know the filter below: the slot is then found by its number in the device tree.
    (directory / "cmdline.txt").write_text(" ".join(filter(None, (CMDLINE, board.cmdline))) + "\n", "ascii")
    (directory / "config.txt").write_text(config_txt(board, base, wired(root, name, "config_txt")), "ascii")


def config_txt(board: Board, base: Base, wires: Iterable[str] = ()) -> str:
    """What the firmware is told."""
    lines = [
        "# Written by firsthand-fleet image build: changes belong into the board's file.",
        "kernel=vmlinuz",
        "initramfs initrd.img followkernel",
        "disable_splash=1",
        *board.config_txt.strip().splitlines(),
        *base.config_txt.strip().splitlines(),
        *wires,
        "[boot_partition=2]", "cmdline=cmdline-a.txt", "[boot_partition=3]", "cmdline=cmdline-b.txt", "[all]",
    ]  # fmt: skip
    return "\n".join(filter(None, lines)) + "\n"


def kernel_release(root: Path, ending: str) -> str:
    """The newest kernel of the root whose release ends like this. Raises `CannotBuild`, OSError."""
    releases = [path.name for path in (root / "usr/lib/modules").iterdir() if fnmatch.fnmatch(path.name, f"*{ending}")]
    whole = [release for release in releases if (root / "usr/lib/modules" / release / "modules.dep").exists()]
    if not whole:
        raise CannotBuild(f"the root has no kernel whose release ends with {ending}: add one to the board's `packages`")
    return max(whole, key=_numbers)


def kernel_file(root: Path, release: str) -> Path:
    """Where a package put the kernel. Raises `CannotBuild`."""
    for path in (root / f"boot/vmlinuz-{release}", root / f"usr/lib/modules/{release}/vmlinuz"):
        if path.exists():
            return path
    raise CannotBuild(f"the kernel {release} has drivers and no file boot/vmlinuz-{release}")


def take_kernel(root: Path, base: Base, out: Path) -> Kernel:
    """Move the kernel out of the root, and empty its /boot but for the place where partition 1 is mounted.

    Raises `CannotBuild`, OSError.
    """
    release = kernel_release(root, base.kernel)
    shutil.copyfile(kernel_file(root, release), out)
    for path in (root / "boot").iterdir():
        if path.name != "firsthand":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    return Kernel(release, out)


def _numbers(release: str) -> list[int]:
    return [int(part) for part in "".join(c if c.isdigit() else " " for c in release).split()]


def _copy(patterns: Iterable[str], root: Path, directory: Path) -> None:
    for pattern in patterns:
        found = sorted(root.glob(pattern.lstrip("/")))
        if not found:
            raise CannotBuild(f"the root has no {pattern}: correct the board's file")
        for path in found:
            shutil.copyfile(path, directory / path.name)
