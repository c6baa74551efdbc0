"""Plays a Raspberry Pi's boot firmware for qemu, as far as a card of ours depends on it (docs/design/board.md).

It reads what the firmware reads, in its order: the partition table; `autoboot.txt` on partition 1, which names the
partition to start, another one while the one-shot `tryboot` flag stands; there `config.txt`, which names kernel and
initial RAM disk; `cmdline.txt`. It changes nothing on the card but that flag.

Two things stand for what only a board has. The flag is a register there that a power cut clears: here it is an empty
file `tryboot.lab` on partition 1, taken away when it is read, and without effect after `power-on`. And the number of
the partition, which a board tells Linux in its device tree (/chosen/bootloader/partition), is appended to the kernel's
command line as `firsthand.boot_partition=`.

Facts: raspberrypi.com/documentation, "The config.txt file" (autoboot.txt, conditional filters, `kernel`, `initramfs`).
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

SECTOR: Final = 512
FAT_TYPES: Final = frozenset({0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E})
EXTENDED_TYPES: Final = frozenset({0x05, 0x0F})
AUTOBOOT_BYTES: Final = 512
"""The firmware reads no more of autoboot.txt."""
FLAG: Final = "tryboot.lab"

After = Literal["power-on", "reboot"]


class NoBoot(Exception):
    """This card starts nothing: a brick, until somebody flashes it."""


@dataclass(frozen=True, slots=True)
class Partition:
    """One entry of the partition table, in bytes from the beginning of the card."""

    number: int
    type: int
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Boot:
    """What the firmware would start."""

    partition: int
    """2 is slot A, 3 is slot B."""
    tried: bool
    """By the one-shot flag: the next boot is the other one again, unless somebody says that this one is good."""
    kernel: Path
    initrd: Path | None
    append: str
    """The kernel's command line."""

    @property
    def slot(self) -> str:
        return {2: "A", 3: "B"}.get(self.partition, "?")

    def qemu(self) -> list[str]:
        """The same as arguments of qemu-system."""
        initrd = [] if self.initrd is None else ["-initrd", str(self.initrd)]
        return ["-kernel", str(self.kernel), *initrd, "-append", self.append]


def boot(card: Path, out: Path, *, after: After = "power-on", board: str = "") -> Boot:
    """What this card starts now. Kernel and initial RAM disk are copied to `out`.

    `after` a `reboot` the flag counts, after `power-on` it does not; both take it off the card, as reading it does.
    `board` is the firmware's name of a board for the filters of config.txt (`pi02`, `cm4`, `pi5`). Raises `NoBoot`.
    """
    table = partitions(card)
    first = _fat(table, 1)
    flagged = _read(card, first, FLAG) is not None
    if flagged:
        _mtools("mdel", card, first, f"::/{FLAG}")
    flagged = flagged and after == "reboot"
    holds = {"all", *(["tryboot"] if flagged else []), *([board] if board else [])}
    chosen = _settings((_read(card, first, "autoboot.txt") or b"")[:AUTOBOOT_BYTES], holds)
    by_partition = chosen.get("tryboot_a_b") == "1"
    number = chosen.get("boot_partition", "1")
    if not number.isdecimal():
        raise NoBoot(f"autoboot.txt: boot_partition={number} is no number")
    partition = _fat(table, int(number))
    name = "tryboot.txt" if flagged and not by_partition else "config.txt"
    config = _settings(_read(card, partition, name) or b"", holds | {f"boot_partition={number}"})
    out.mkdir(parents=True, exist_ok=True)
    kernel = _copied(card, partition, config.get("kernel", "kernel8.img"), out)
    initramfs = config.get("initramfs", "").split()
    initrd = _copied(card, partition, initramfs[0], out) if initramfs else None
    line = (_read(card, partition, config.get("cmdline", "cmdline.txt")) or b"").decode("ascii", "replace")
    words = [*(line.splitlines() or [""])[0].split(), f"firsthand.boot_partition={partition.number}"]
    return Boot(partition.number, flagged, kernel, initrd, " ".join(words))


def partitions(card: Path) -> dict[int, Partition]:
    """The partition table of a card: four primary entries, and the chain of logical ones from 5 on. Raises `NoBoot`."""
    found: dict[int, Partition] = {}
    with card.open("rb") as file:

        def entries(sector: int) -> list[tuple[int, int, int]]:
            file.seek(sector * SECTOR)
            block = file.read(SECTOR)
            if len(block) < SECTOR or block[510:] != b"\x55\xaa":
                raise NoBoot(f"{card}: no partition table in sector {sector}")
            return [struct.unpack_from("<4xB3xII", block, 446 + 16 * index) for index in range(4)]

        for number, (kind, start, size) in enumerate(entries(0), 1):
            if kind:
                found[number] = Partition(number, kind, start * SECTOR, size * SECTOR)
        for extended in [each for each in found.values() if each.type in EXTENDED_TYPES]:
            base, at, number = extended.start // SECTOR, extended.start // SECTOR, 5
            while number < 64:
                (kind, start, size), (link, following, _), *_ = entries(at)
                if kind:
                    found[number] = Partition(number, kind, (at + start) * SECTOR, size * SECTOR)
                if link not in EXTENDED_TYPES or following == 0:
                    break
                at, number = base + following, number + 1
    return found


def read(card: Path, number: int, name: str) -> bytes | None:
    """A file of one of the card's FAT partitions; None if it is not there. Raises `NoBoot` without that partition."""
    return _read(card, _fat(partitions(card), number), name)


def write(card: Path, number: int, name: str, content: bytes) -> None:
    """Put a file there, in place of an older one: what a card reader does to a card that is out of the camera."""
    target = f"{card}@@{_fat(partitions(card), number).start}"
    done = subprocess.run(["mcopy", "-n", "-o", "-i", target, "-", f"::/{name}"],
                          input=content, capture_output=True, check=False, env=_environment())  # fmt: skip
    if done.returncode != 0:
        raise NoBoot(f"{card}: {name} cannot be written: {done.stderr.decode(errors='replace').strip()}")


def _settings(content: bytes, filters: set[str]) -> dict[str, str]:
    """The settings of autoboot.txt or config.txt under the `filters` that hold now: the last one of a name counts."""
    found: dict[str, str] = {}
    holds = True
    for line in _lines(content):
        if line.startswith("["):
            holds = line.strip("[]").strip().lower() in filters
        elif holds and line.startswith("initramfs "):
            found["initramfs"] = line.removeprefix("initramfs ").strip()
        elif holds and "=" in line:
            key, _, value = line.partition("=")
            found[key.strip()] = value.strip()
    return found


def _lines(content: bytes) -> Iterator[str]:
    for line in content.decode("ascii", "replace").splitlines():
        if (stripped := line.strip()) and not stripped.startswith("#"):
            yield stripped


def _fat(table: dict[int, Partition], number: int) -> Partition:
    found = table.get(number)
    if found is None or found.type not in FAT_TYPES:
        raise NoBoot(f"partition {number} is not there, or is no FAT file system")
    return found


def _copied(card: Path, partition: Partition, name: str, out: Path) -> Path:
    content = _read(card, partition, name)
    if not content:
        raise NoBoot(f"partition {partition.number} has no {name}")
    path = out / f"{partition.number}-{Path(name).name}"
    path.write_bytes(content)
    return path


def _read(card: Path, partition: Partition, name: str) -> bytes | None:
    done = subprocess.run(["mtype", "-i", f"{card}@@{partition.start}", f"::/{name}"],
                          capture_output=True, check=False, env=_environment())  # fmt: skip
    return done.stdout if done.returncode == 0 else None


def _mtools(tool: str, card: Path, partition: Partition, name: str) -> None:
    subprocess.run([tool, "-i", f"{card}@@{partition.start}", name],
                   capture_output=True, check=True, env=_environment())  # fmt: skip


def _environment() -> dict[str, str]:
    """mtools refuses file systems whose geometry it finds odd, which the firmware does not."""
    return {**os.environ, "MTOOLS_SKIP_CHECK": "1"}
