"""Which device is a blank card, and which must not be erased.

Refused, each with its reason: what is no whole block device; what holds a mounted file system, swap, or a system
directory; what belongs to a device above it (LVM, RAID, encryption); read-only devices; too small ones. The kernel has
the last word: the device is opened for us alone (O_EXCL), so that nobody mounts it meanwhile.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleet.errors import CardRefused

SYSTEM: Final = ("/", "/boot", "/boot/efi", "/boot/firmware", "/home", "/usr", "/var")
_OCTAL: Final = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Kernel:
    """Where the kernel tells of its devices."""

    sysfs: Path = Path("/sys")
    mounts: Path = Path("/proc/self/mountinfo")
    swaps: Path = Path("/proc/swaps")


@dataclass(frozen=True)
class Card:
    """A device that may be erased, as far as could be seen."""

    path: Path
    size_bytes: int
    number: int
    """The device's number, or that of the file: one card, one number."""
    model: str
    serial: str
    built_in: bool = False
    """It does not look like a card in a reader: neither removable, nor on USB, nor a memory card's own slot."""

    @property
    def size_text(self) -> str:
        """As it stands on the card: powers of ten."""
        return f"{self.size_bytes / 1e9:.1f} GB" if self.size_bytes >= 10**9 else f"{self.size_bytes / 1e6:.0f} MB"


def inspect(path: Path, *, allow_file: bool = False, kernel: Kernel | None = None) -> Card:
    """Look at a device without opening it. Raises `CardRefused`."""
    kernel = kernel or Kernel()
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except (OSError, RuntimeError) as error:
        raise CardRefused(f"{path} is not there: put the card into the reader, and look with lsblk") from error
    if stat.S_ISREG(status.st_mode) and allow_file:
        return Card(real, status.st_size, status.st_ino, "file", "-")
    if not stat.S_ISBLK(status.st_mode):
        raise CardRefused(f"{path} is no block device: name the whole card, as /dev/sdb or /dev/mmcblk0 (see lsblk)")
    major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
    system = kernel.sysfs / "dev" / "block" / f"{major}:{minor}"
    if (system / "partition").exists():
        raise CardRefused(f"{path} is a partition: name the whole card it is on (see lsblk)")
    size = 512 * int(_text(system / "size") or "0")
    if size == 0:
        raise CardRefused(f"{path} holds no card: put one into the reader")
    if _text(system / "ro") != "0":
        raise CardRefused(f"{path} is read-only: look at the little switch on the card or its adapter")
    family = _family(system, f"{major}:{minor}")
    _refuse_used(path, family, kernel)
    model, serial = _named(system / "device")
    return Card(real, size, status.st_rdev, model, serial, _built_in(system, real.name))


def _family(system: Path, number: str) -> dict[str, Path]:
    """The device and its partitions, by number."""
    found = {number: system}
    if system.is_dir():
        for one in system.iterdir():
            if (one / "partition").exists() and (told := _text(one / "dev")):
                found[told] = one
    return found


def _refuse_used(path: Path, family: dict[str, Path], kernel: Kernel) -> None:
    for directory in family.values():
        holders = (
            sorted(one.name for one in (directory / "holders").iterdir()) if (directory / "holders").is_dir() else []
        )
        if holders:
            raise CardRefused(
                f"{path} is in use by {holders[0]} (LVM, RAID or encryption): it is part of a disk of this computer"
            )
    names = {f"/dev/{directory.resolve().name}" for directory in family.values()} | {str(path.resolve())}
    held = [target for number, source, target in _mounted(kernel.mounts) if number in family or source in names]
    wrong = [target for target in held if target in SYSTEM]
    if wrong:
        raise CardRefused(f"{path} holds {wrong[0]} of this computer: it is no card")
    if held:
        raise CardRefused(
            f"{path} is mounted at {held[0]}: umount {held[0]}, and make sure that nobody needs what is on it"
        )
    for line in _text(kernel.swaps).splitlines()[1:]:
        if line.split()[0] in names:
            raise CardRefused(f"{path} holds this computer's swap space: it is no card")


def _mounted(path: Path) -> list[tuple[str, str, str]]:
    """(device number, source, mount point) of what is mounted (proc(5), mountinfo)."""
    found = []
    for line in _text(path).splitlines():
        words = line.split(" ")
        if len(words) > 6 and "-" in words[6:]:
            source = words[words.index("-", 6) + 2]
            found.append((words[2], _unescaped(source), _unescaped(words[4])))
    return found


def _unescaped(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)


def _named(device: Path) -> tuple[str, str]:
    """(model, serial) of the card or its reader, as sysfs has them."""
    model = " ".join(one for name in ("vendor", "model", "name") if (one := _text(device / name).strip()))
    serial = _text(device / "serial").strip() or _text(device / "cid").strip()
    return _printable(model) or "unknown", _printable(serial) or "-"


def _built_in(system: Path, name: str) -> bool:
    if _text(system / "removable") != "0" or name.startswith(("mmcblk", "loop")):
        return False
    return "/usb" not in str(system.resolve())


def _printable(text: str) -> str:
    return "".join(one for one in text if one.isprintable())[:128]


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(2**20).decode("utf-8", "replace").rstrip("\n")
    except OSError:
        return ""


def open_alone(card: Card, needed_bytes: int) -> int:
    """A descriptor of the card that nobody else can use meanwhile. Raises `CardRefused`."""
    if card.size_bytes < needed_bytes:
        raise CardRefused(
            f"{card.path} is too small: it has {card.size_text}, and the image needs {needed_bytes / 1e9:.1f} GB"
        )
    try:
        descriptor = os.open(card.path, os.O_RDWR | os.O_EXCL | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise CardRefused(f"{card.path} is in use by another program: close it, and unmount the card") from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise CardRefused(f"{card.path} may not be written by you: run this with sudo") from error
        raise CardRefused(f"{card.path} cannot be opened: {error.strerror}") from error
    status = os.fstat(descriptor)
    if card.number not in (status.st_rdev, status.st_ino) or os.lseek(descriptor, 0, os.SEEK_END) < needed_bytes:
        os.close(descriptor)
        raise CardRefused(f"{card.path} was changed meanwhile: begin again")
    return descriptor
