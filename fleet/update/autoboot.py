"""`autoboot.txt` on partition 1: which boot partition the Raspberry Pi's firmware takes (docs/design/updates.md).

1. `[all]` names the slot that starts; `[tryboot]` names the other one, which the firmware takes for one boot, after a
   restart with the `tryboot` flag.
2. The file always has `SIZE_BYTES`, so that a new choice is written over the old one in place: it lies in one sector of
   the card, no name, size or chain of the FAT changes, and a cut of power leaves the one choice or the other.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal, get_args

from evidence import durable
from fleet.errors import FleetError

Slot = Literal["A", "B"]
SLOTS: Final[tuple[Slot, ...]] = get_args(Slot)
NAME: Final = "autoboot.txt"
SIZE_BYTES: Final = 256
"""Less than a sector; the firmware reads at most 512 bytes."""
BOOT_PARTITION: Final[dict[Slot, int]] = {"A": 2, "B": 3}
_TEXT: Final = re.compile(
    r"\[all\]\ntryboot_a_b=1\nboot_partition=([23])\n\[tryboot\]\nboot_partition=([23])\n+", re.ASCII
)


class BadChoice(FleetError):
    """The choice of the slot cannot be read or written."""


def other(slot: Slot) -> Slot:
    """The other one."""
    return "B" if slot == "A" else "A"


def slot_of(name: str) -> Slot:
    """`A` or `B`. Raises `BadChoice`."""
    for slot in SLOTS:
        if name == slot:
            return slot
    raise BadChoice(f"{name[:40]!r} is no slot: there are A and B")


def text_of(first: Slot) -> bytes:
    """The file that lets `first` start, and the other one be tried."""
    text = (
        f"[all]\ntryboot_a_b=1\nboot_partition={BOOT_PARTITION[first]}\n"
        f"[tryboot]\nboot_partition={BOOT_PARTITION[other(first)]}\n"
    )
    return text.encode().ljust(SIZE_BYTES, b"\n")


def chosen_in(data: bytes) -> Slot:
    """The slot that starts. Raises `BadChoice` for anything that this project did not write."""
    found = _TEXT.fullmatch(data.decode("ascii", "replace")) if len(data) <= SIZE_BYTES else None
    if found is None or found[1] == found[2]:
        raise BadChoice(f"{NAME} is not as this project writes it: flash the card again, or put the file back by hand")
    return "A" if int(found[1]) == BOOT_PARTITION["A"] else "B"


def read(partition: Path) -> Slot:
    """The slot that starts, from partition 1 as it is mounted. Raises `BadChoice`."""
    try:
        with (partition / NAME).open("rb") as file:
            return chosen_in(file.read(SIZE_BYTES + 1))
    except OSError as error:
        raise BadChoice(f"{partition / NAME}: {error.strerror}: is partition 1 mounted there?") from error


def write(partition: Path, first: Slot) -> None:
    """Let `first` start from now on, durably. Raises `BadChoice`, OSError."""
    path = partition / NAME
    if path.exists() and path.stat().st_size == SIZE_BYTES:
        durable.overwrite(path, text_of(first))
    else:  # made by hand: from now on it has its size
        durable.replace(path, text_of(first), mode=0o644)
