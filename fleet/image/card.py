"""The image of a card, put together from its parts (docs/design/board.md, "The card of an image")."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Final

from fleet.image.bmap import BLOCK, Range
from fleet.image.debian_root import CannotBuild
from fleet.image.layout import ALIGN, MIB, Sizes, card_bytes, partitions, table

_CLEARED: Final = MIB
"""So much of the beginning of an empty partition is written as zeros: what lay there on a used card is gone."""
_ROUNDED: Final = 64 * 1024
"""A file system's last cluster belongs to it, zeros and all."""


def write_card(image: Path, sizes: Sizes, parts: Mapping[int, Path]) -> list[Range]:
    """Write the image with a file for each partition that is not empty; which ranges of it a card needs.

    Slot B stays empty until the first update. Raises `CannotBuild` for a part that is larger than its partition.
    """
    written: list[Range] = []
    image.unlink(missing_ok=True)
    with image.open("wb") as out:
        out.truncate(card_bytes(sizes))
        for place, sector in table(sizes).items():
            out.seek(place)
            out.write(sector)
            written.append((place, BLOCK))
        for number, partition in partitions(sizes).items():
            if number == 4:
                continue
            part = parts.get(number)
            if part is None:
                written.append((partition.start, min(_CLEARED, partition.size)))
                continue
            if (size := part.stat().st_size) > partition.size:
                raise CannotBuild(
                    f"partition {number} has {partition.size // MIB} MiB and should hold {-(-size // MIB)} MiB: "
                    "make it larger in the board's file"
                )
            written.append((partition.start, _copied(part, out, partition.start)))
    return sorted(written)


def _copied(part: Path, file: BinaryIO, start: int) -> int:
    """Copy all blocks that are not zero, and leave holes for the others; how many bytes from the start count."""
    end, at = 0, 0
    with part.open("rb") as source:
        while piece := source.read(ALIGN):
            if piece.count(0) != len(piece):
                file.seek(start + at)
                file.write(piece)
                end = at + len(piece.rstrip(b"\0"))
            at += len(piece)
    return -(-max(end, 1) // _ROUNDED) * _ROUNDED
