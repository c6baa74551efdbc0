"""An image that may be written: signature, file, block map and first partition are checked, and no card was touched."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence.limits import SIGNED_DOCUMENT_BYTES
from evidence.trust import Trust
from fleet.errors import BadImage
from fleet.flash.bmap import BMAP_BYTES, BlockMap, read_bmap, whole
from fleet.flash.image_stream import file_sha256, unpacked
from fleet.flash.manifest import ImageManifest, bmap_path, manifest_path, read_manifest, read_small

LABEL: Final = b"FIRSTHAND  "
"""The first partition's label in its boot sector (docs/design/board.md)."""
LARGEST_FIRST: Final = 512 * 2**20
FARTHEST_FIRST: Final = 64 * 2**20
_FAT_TYPES: Final = frozenset({0x01, 0x04, 0x06, 0x0B, 0x0C, 0x0E})


@dataclass(frozen=True)
class FirstPartition:
    """Partition 1: where it lies on the card, in bytes."""

    begin: int
    size: int


@dataclass(frozen=True)
class VerifiedImage:
    """What the agency released for one board."""

    path: Path
    manifest: ImageManifest
    blocks: BlockMap
    first: FirstPartition


def verify_image(
    path: Path, *, board: str, trust: Trust, manifest: Path | None = None, bmap: Path | None = None
) -> VerifiedImage:
    """All that can be known of an image before it is written, in the order that trusts least. Raises `BadImage`."""
    signed = manifest or manifest_path(path)
    if not signed.exists():
        raise BadImage(f"{signed} is missing: an image without its signature is not written (sign-image makes it)")
    said = read_manifest(read_small(signed, SIGNED_DOCUMENT_BYTES, "manifest"), trust)
    if said.board != board:
        raise BadImage(f"{path.name} is for the board {said.board}, and the cameras are {board}")
    try:
        size = path.stat().st_size
    except OSError as error:
        raise BadImage(f"{path}: cannot be read: {error.strerror}") from error
    if size != said.bytes or file_sha256(path) != said.sha256:
        raise BadImage(f"{path} is not the image that was signed: it was cut off or altered, fetch it again")
    blocks = whole(said.raw_bytes, said.raw_sha256)
    if said.bmap_sha256 is not None:
        beside = bmap or bmap_path(path)
        if beside is None:
            raise BadImage(
                f"the block map of {path.name} is missing: put {path.name.removesuffix('.zst')}.bmap beside it"
            )
        data = read_small(beside, BMAP_BYTES, "block map")
        if hashlib.sha256(data).hexdigest() != said.bmap_sha256:
            raise BadImage(f"{beside} is not the block map that was signed with the image: fetch it again")
        blocks = read_bmap(data)
        if blocks.image_bytes != said.raw_bytes:
            raise BadImage(f"{beside} is the map of another image")
    return VerifiedImage(path, said, blocks, first_partition(path, said.raw_bytes))


def first_partition(path: Path, size: int) -> FirstPartition:
    """Partition 1, by the partition table (MBR) of an unpacked image of that size. Raises `BadImage`."""
    with unpacked(path, size) as stream:
        sector = stream.read(512)
        begin, count = partition_one(sector)
        if begin + count > size:
            raise BadImage("the image's first partition is not within the image")
        stream.skip(begin - 512)
        sector = stream.read(512)
    if not labelled(sector):
        raise BadImage("the image's first partition is not labelled FIRSTHAND: it is no image of a camera")
    return FirstPartition(begin, count)


def labelled(sector: bytes) -> bool:
    """Whether a boot sector is of a camera's first partition."""
    return LABEL in (sector[43:54], sector[71:82])  # of FAT16, of FAT32


def partition_one(sector: bytes) -> tuple[int, int]:
    """(first byte, bytes) of partition 1 in an MBR. Raises `BadImage`."""
    entry = sector[446:462]
    if sector[510:512] != b"\x55\xaa" or entry[4] not in _FAT_TYPES:
        raise BadImage("the image has no partition table (MBR) with a FAT partition first: it is no image of a camera")
    begin = 512 * int.from_bytes(entry[8:12], "little")
    count = 512 * int.from_bytes(entry[12:16], "little")
    if not 512 <= begin <= FARTHEST_FIRST or not 2**16 <= count <= LARGEST_FIRST:
        raise BadImage("the image's first partition lies where no camera's does")
    return begin, count
