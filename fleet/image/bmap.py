"""The block map of an image: which blocks must be written, and their SHA-256 (format 2.0 of bmap-tools).

A block that is not in the map may hold anything afterwards: so a part of a file system that must be zero is in it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

BLOCK: Final = 4096
_HEAD: Final = """<?xml version="1.0" ?>
<bmap version="2.0">
    <ImageSize> {size} </ImageSize>
    <BlockSize> {block} </BlockSize>
    <BlocksCount> {blocks} </BlocksCount>
    <MappedBlocksCount> {mapped} </MappedBlocksCount>
    <ChecksumType> sha256 </ChecksumType>
    <BmapFileChecksum> {checksum} </BmapFileChecksum>
    <BlockMap>
{ranges}    </BlockMap>
</bmap>
"""

Range = tuple[int, int]
"""First byte and length; multiples of `BLOCK`."""


def block_map(image: Path, ranges: Sequence[Range]) -> bytes:
    """The map of `image` with these ranges, which must be in order and apart."""
    lines: list[str] = []
    with image.open("rb") as file:
        for start, length in ranges:
            file.seek(start)
            digest = hashlib.sha256()
            left = length
            while left:
                piece = file.read(min(left, 1 << 20))
                digest.update(piece)
                left -= len(piece)
            first, last = start // BLOCK, (start + length) // BLOCK - 1
            blocks = str(first) if first == last else f"{first}-{last}"
            lines.append(f'        <Range chksum="{digest.hexdigest()}"> {blocks} </Range>\n')
    size = image.stat().st_size
    mapped = sum(length for _, length in ranges) // BLOCK

    def written(checksum: str) -> bytes:
        return _HEAD.format(size=size, block=BLOCK, blocks=-(-size // BLOCK), mapped=mapped, checksum=checksum,
                            ranges="".join(lines)).encode("ascii")  # fmt: skip

    return written(hashlib.sha256(written("0" * 64)).hexdigest())
