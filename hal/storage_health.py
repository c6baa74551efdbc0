"""How worn the card is, and what its file system complains of, by the kernel's own words under /sys.

An eMMC (JEDEC JESD84-B51, 7.4.54 to 7.4.57) counts its wear itself: `life_time` gives for each of its two kinds of
memory a step of ten percent, `pre_eol_info` how much of the spare blocks is used. An SD card has no such registers in
the kernel: nothing is reported then but its name and when it was made, and that is said rather than guessed. ext4
counts the errors that it met (`errors_count`) and keeps the count over reboots until the file system is repaired.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from hal.errors import DeviceLost
from hal.sysfs import text_of

Spare = Literal["normal", "warning", "urgent"]
_SPARE: Final[dict[int, Spare]] = {1: "normal", 2: "warning", 3: "urgent"}
_MOST_BYTES: Final = 256
_DEPTH: Final = 4
"""Layers of device mapper that are looked through."""


@dataclass(frozen=True, slots=True)
class StorageHealth:
    """What the kernel knows of one medium. None = it reports nothing."""

    device: str | None
    """Name of the disk, ``mmcblk0`` say."""
    life_used_percent: int | None = None
    """The worse of both kinds of memory, the upper end of its step: 10, 20 … 100; 110 = beyond its life."""
    spare: Spare | None = None
    """`warning`: 80 % of the spare blocks are used, `urgent`: 90 %."""
    errors: int | None = None
    """Errors that the file system has counted since it was last repaired."""
    card: str | None = None
    """What an SD card or eMMC says of itself: ``SD card SN64G of 2023-04``."""


def read_health(path: Path, root: Path = Path("/sys")) -> StorageHealth:
    """The health of the medium under `path`; `root` is where sysfs is. Raises `DeviceLost` if the path is not there."""
    try:
        number = path.stat().st_dev
    except OSError as error:
        raise DeviceLost(f"{path}: {error.strerror or error}: check that the card is inserted and mounted") from error
    return health_of(f"{os.major(number)}:{os.minor(number)}", root)


def health_of(number: str, root: Path) -> StorageHealth:
    """The health of the block device with that number, `major:minor`."""
    block = (root / "dev/block" / number).resolve()
    if not block.is_dir():
        return StorageHealth(None)  # a file system in memory or over a network
    errors = _number(text_of(root / "fs/ext4" / block.name / "errors_count", _MOST_BYTES), 10)
    for _ in range(_DEPTH):
        below = sorted((block / "slaves").iterdir()) if (block / "slaves").is_dir() else []
        if not below:
            break
        block = below[0].resolve()
    disk = block.parent if (block / "partition").exists() else block
    return StorageHealth(disk.name, _life(disk), _spare(disk), errors, _card(disk))


def _card(disk: Path) -> str | None:
    """Kind, product name and month of make out of the card's identification register (CID)."""
    kind, name = text_of(disk / "device/type", _MOST_BYTES), text_of(disk / "device/name", _MOST_BYTES)
    if kind not in ("SD", "MMC") or not name or not name.isprintable():
        return None
    month, slash, year = (text_of(disk / "device/date", _MOST_BYTES) or "").partition("/")
    dated = bool(slash) and len(month) == 2 and len(year) == 4 and (month + year).isdecimal()
    made = f" of {year}-{month}" if dated else ""
    return f"{'SD card' if kind == 'SD' else 'eMMC'} {name[:32]}{made}"


def _life(disk: Path) -> int | None:
    """`life_time` is two numbers, "0x02 0x01"; 0 = not defined, 0x0b = beyond the estimate."""
    steps = [_number(word, 16) for word in (text_of(disk / "device/life_time", _MOST_BYTES) or "").split()]
    known = [step for step in steps if step is not None and 1 <= step <= 11]
    return 10 * max(known) if known else None


def _spare(disk: Path) -> Spare | None:
    value = _number(text_of(disk / "device/pre_eol_info", _MOST_BYTES), 16)
    return _SPARE.get(value) if value is not None else None


def _number(text: str | None, base: int) -> int | None:
    try:
        return int(text, base) if text else None
    except ValueError:
        return None
