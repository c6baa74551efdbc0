"""Block maps, image manifests and asset logs as hostile bytes: read right, or refused in one sentence."""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.assets import Checked, Flashed, read_assets
from fleet.errors import BadAssetLog, BadImage
from fleet.flash.bmap import BlockMap, Range, read_bmap, whole
from fleet.flash.image import partition_one

SHA = "ab" * 32


def bmap_text(
    ranges: str | None = None, *, size: int = 20_000, block: int = 4096, blocks: int = 5, mapped: int = 3
) -> bytes:
    """A map as bmaptool writes one, with its own checksum."""
    found = ranges or f'<Range chksum="{SHA}"> 0-1 </Range><Range chksum="{SHA}"> 4 </Range>'
    text = (
        f'<?xml version="1.0" ?>\n<bmap version="2.0"><ImageSize> {size} </ImageSize><BlockSize> {block} </BlockSize>'
        f"<BlocksCount> {blocks} </BlocksCount><MappedBlocksCount> {mapped} </MappedBlocksCount>"
        f"<ChecksumType> sha256 </ChecksumType><BmapFileChecksum> {'0' * 64} </BmapFileChecksum>"
        f"<BlockMap>{found}</BlockMap></bmap>"
    ).encode()
    return text.replace(b"0" * 64, hashlib.sha256(text).hexdigest().encode())


def test_ranges_are_bytes_of_the_image_and_end_with_it() -> None:
    found = read_bmap(bmap_text())
    assert found == BlockMap(20_000, (Range(0, 8192, SHA), Range(16_384, 20_000, SHA)))
    assert found.mapped_bytes == 8192 + 3616
    assert whole(512, SHA).ranges == (Range(0, 512, SHA),)


def test_bmaptools_own_maps_are_read(tool: Callable[[str], str], tmp_path: Path) -> None:
    import subprocess

    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(40_000)
        file.seek(16_384)
        file.write(b"\1" * 5000)
    done = subprocess.run([tool("bmaptool"), "create", str(image)], capture_output=True, check=True, timeout=60)
    found = read_bmap(done.stdout)
    assert found.image_bytes == 40_000
    assert found.ranges == (Range(16_384, 24_576, hashlib.sha256(b"\1" * 5000 + bytes(3192)).hexdigest()),)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no XML"),
        (b"<bmap", "no XML"),
        (b'<!DOCTYPE bmap [<!ENTITY a "b">]><bmap/>', "document type"),
        (b'<bmap version="3.0"/>', "format 2"),
        (bmap_text(block=4097), "blocks of 4097"),
        (bmap_text(size=0), "an image of 0"),
        (bmap_text(f'<Range chksum="{SHA}">4-5</Range>', mapped=2), "out of the image"),
        (bmap_text(f'<Range chksum="{SHA}">2-1</Range>', mapped=1), "out of order"),
        (bmap_text(f'<Range chksum="{SHA}">1</Range><Range chksum="{SHA}">1</Range>', mapped=2), "out of order"),
        (bmap_text("<Range>0</Range>", mapped=1), "without its SHA-256"),
        (bmap_text(f'<Range chksum="{SHA}">٣</Range>', mapped=1), "other letters"),
        (bmap_text(mapped=4), "counts do not fit"),
        (bmap_text(blocks=6), "counts do not fit"),
        (bmap_text().replace(b"sha256", b"sha1"), "other checksums"),
        (re.sub(rb"4 <", b"3 <", bmap_text()), "was altered"),
        (b"<bmap>" + b" " * 9_000_000, "larger than"),
    ],
)
def test_a_wrong_map_is_refused_in_one_sentence(data: bytes, told: str) -> None:
    with pytest.raises(BadImage, match=told) as error:
        read_bmap(data)
    assert "\n" not in str(error.value)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 600), st.integers(0, 40))
def test_hostile_maps_are_refused_or_within_the_image(noise: bytes, at: int, cut: int) -> None:
    data = bmap_text()
    try:
        found = read_bmap(data[:at] + noise + data[at + cut :])
    except BadImage:
        return
    edges = [0, *(edge for one in found.ranges for edge in (one.begin, one.end)), found.image_bytes]
    assert edges == sorted(edges)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200))
def test_hostile_logs_and_partition_tables_are_refused(data: bytes) -> None:
    with contextlib.suppress(BadAssetLog):
        assert all(isinstance(one, Flashed | Checked) for one in read_assets(data, "log"))
    table = data.ljust(510, b"\0")[:446] + data[:64].ljust(64, b"\0") + b"\x55\xaa"
    try:
        begin, count = partition_one(table)
    except BadImage:
        return
    assert begin >= 512
    assert count >= 2**16
