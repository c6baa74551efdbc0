"""A block map (bmap-tools, format 2.0): which blocks of an image hold anything, and the SHA-256 of each range.

Read strictly: no document type and no entities, every number bounded, ranges in order and within the image. What is
not mapped is not written, so a map must come with the image: its hash stands in the image's signed manifest.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree

from fleet.errors import BadImage

BMAP_BYTES: Final = 8 * 2**20
RANGES: Final = 200_000
_BLOCK_SIZES: Final = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
_RANGE: Final = re.compile(r"(0|[1-9][0-9]{0,11})(?:-([1-9][0-9]{0,11}))?", re.ASCII)
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)
_HASH: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes of the unpacked image that are to be written."""

    begin: int
    end: int
    """The byte after the last one."""
    sha256: str


@dataclass(frozen=True, slots=True)
class BlockMap:
    """What an image holds, and where."""

    image_bytes: int
    ranges: tuple[Range, ...]

    @property
    def mapped_bytes(self) -> int:
        """How much is written."""
        return sum(one.end - one.begin for one in self.ranges)


def whole(image_bytes: int, sha256: str) -> BlockMap:
    """The map of an image that has none: all of it."""
    return BlockMap(image_bytes, (Range(0, image_bytes, sha256),))


def read_bmap(data: bytes) -> BlockMap:
    """A map from its XML. Raises `BadImage`."""
    if len(data) > BMAP_BYTES:
        raise BadImage(f"the block map is larger than {BMAP_BYTES} bytes: it is none of ours")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or not data.isascii():
        raise BadImage("the block map holds what no block map needs (document type, entities, other letters)")
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - see above
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise BadImage(f"the block map is no XML: {error}; make it again with bmaptool create") from error
    if root.tag != "bmap" or not root.get("version", "").startswith("2."):
        raise BadImage("the block map is not of format 2: make it again with bmaptool create")
    size, block = _number(root, "ImageSize"), _number(root, "BlockSize")
    if block not in _BLOCK_SIZES or size == 0:
        raise BadImage(f"the block map states blocks of {block} bytes in an image of {size}")
    if (root.findtext("ChecksumType") or "").strip() != "sha256":
        raise BadImage("the block map has other checksums than SHA-256: make it again with bmaptool create")
    _check_own(root, data)
    blocks = -(-size // block)
    found: list[Range] = []
    mapped, after = 0, 0
    for element in root.findall("BlockMap/Range"):
        first, last, digest = _range(element)
        if first < after or last < first or last >= blocks or len(found) == RANGES:
            raise BadImage(f"the block map's range {first}-{last} is out of order or out of the image")
        found.append(Range(first * block, min((last + 1) * block, size), digest))
        mapped, after = mapped + last + 1 - first, last + 1
    if _number(root, "BlocksCount") != blocks or _number(root, "MappedBlocksCount") != mapped or not found:
        raise BadImage("the block map's counts do not fit its ranges: it was cut off or altered")
    return BlockMap(size, tuple(found))


def _number(root: ElementTree.Element, name: str) -> int:
    text = (root.findtext(name) or "").strip()
    if _NUMBER.fullmatch(text) is None:
        raise BadImage(f"the block map has no {name}")
    return int(text)


def _range(element: ElementTree.Element) -> tuple[int, int, str]:
    found = _RANGE.fullmatch((element.text or "").strip())
    digest = element.get("chksum", "")
    if found is None or _HASH.fullmatch(digest) is None:
        raise BadImage("the block map has a range without blocks or without its SHA-256")
    return int(found[1]), int(found[2] or found[1]), digest


def _check_own(root: ElementTree.Element, data: bytes) -> None:
    """The map's own checksum, over itself with zeros in the checksum's place."""
    own = (root.findtext("BmapFileChecksum") or "").strip()
    if _HASH.fullmatch(own) is None or data.count(own.encode()) != 1:
        raise BadImage("the block map has no checksum of its own: make it again with bmaptool create")
    if hashlib.sha256(data.replace(own.encode(), b"0" * 64)).hexdigest() != own:
        raise BadImage("the block map was altered: its own checksum does not hold")
