"""A caption track (3GPP timed text, `tx3g`) with time, position and recording id, that a player can switch on.

Sources: 3GPP TS 26.245 (sample entry and sample format), ISO/IEC 14496-12 (track header flags). The positions are the
receiver's own points: nothing is interpolated, and a fragment without a fix says so in words.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from evidence.boxes import Box, box, children, full_box, only
from evidence.errors import MediaError
from evidence.export.gpx import decimal
from evidence.gpmf import GpsPoint

MAX_INDEX_BYTES: Final = 1 << 30
"""Largest `moov` that is read to switch the caption track off; four hours have about 20 MB."""
_ENABLED: Final = 1
_UNITY: Final = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)


def description(timescale: int) -> bytes:
    """An MP4 file of one empty caption track, for a muxer that wants a stream to copy the description from."""
    font = box(b"ftab", struct.pack(">HHB", 1, 1, 5), b"Serif")
    style = struct.pack(">HHHBB4s", 0, 0, 1, 0, 18, b"\xff\xff\xff\xff")
    centred_below = struct.pack(">Ibb4s4H", 0, 1, -1, b"\x00\x00\x00\x80", 0, 0, 0, 0)
    entry = box(b"tx3g", bytes(6), b"\x00\x01", centred_below, style, font)
    tables = [full_box(kind, 0, 0, bytes(4)) for kind in (b"stts", b"stsc", b"stco")]
    tables += [full_box(b"stsd", 0, 0, struct.pack(">I", 1), entry), full_box(b"stsz", 0, 0, bytes(8))]
    here = full_box(b"dref", 0, 0, struct.pack(">I", 1), full_box(b"url ", 0, 1))
    media = box(
        b"mdia",
        full_box(b"mdhd", 0, 0, struct.pack(">IIIIHH", 0, 0, timescale, 0, 0x55C4, 0)),
        full_box(b"hdlr", 0, 0, bytes(4), b"sbtl", bytes(12), b"captions\x00"),
        box(b"minf", full_box(b"nmhd", 0, 0), box(b"dinf", here), box(b"stbl", *tables)),
    )
    track = full_box(b"tkhd", 0, 3, struct.pack(">IIIII8xhhH2x", 0, 0, 1, 0, 0, 0, 0, 0), _UNITY, bytes(8))
    movie = struct.pack(">IIIIIH10x", 0, 0, 1000, 0, 0x10000, 0x100) + _UNITY + bytes(24) + b"\0\0\0\x02"
    file_type = box(b"ftyp", b"isom", bytes(4), b"isom")
    return file_type + box(b"moov", full_box(b"mvhd", 0, 0, movie), box(b"trak", track, media))


def sample(text: str) -> bytes:
    """One caption as a sample: its length in UTF-8 octets (two octets), then the text."""
    encoded = text.encode()
    return struct.pack(">H", len(encoded)) + encoded


def position(points: Sequence[GpsPoint]) -> str:
    """The receiver's last point of these, in degrees; no point means that there was no fix."""
    if not points:
        return "no GPS fix"
    last = points[-1]
    north, east = ("N" if last.latitude_nd >= 0 else "S"), ("E" if last.longitude_nd >= 0 else "W")
    return f"{decimal(abs(last.latitude_nd), 9)[:-3]} {north}, {decimal(abs(last.longitude_nd), 9)[:-3]} {east}"


def caption(recording: str, utc: str, points: Sequence[GpsPoint], label: str | None) -> str:
    """Two lines, and a label before them where footage is no ordinary evidence."""
    lines = [f"{recording}  {utc}", position(points)]
    return "\n".join([label, *lines] if label else lines)


def switch_off(path: Path) -> None:
    """Mark the caption track of a finished MP4 file as not enabled, so that no player shows it by itself.

    The muxer enables the first track of each kind. One octet in the track header changes. Raises `MediaError`, OSError.
    """
    with path.open("r+b") as file:
        total = os.fstat(file.fileno()).st_size
        index = _top_level(file.fileno(), total)
        if index.end - index.start > MAX_INDEX_BYTES:
            raise MediaError(f"an index of {index.end - index.start} bytes is too large to be changed")
        data = os.pread(file.fileno(), index.end - index.start, index.start)
        movie = Box(index.kind, 0, index.body - index.start, len(data))
        for track in (one for one in children(data, movie) if one.kind == b"trak"):
            if _handler(data, track) != b"sbtl":
                continue
            header = only(children(data, track), b"tkhd")
            flags = header.body + 3  # the last octet of version and flags
            if flags >= header.end:
                raise MediaError("a track whose header has no flags")
            os.pwrite(file.fileno(), bytes((data[flags] & ~_ENABLED,)), index.start + flags)


def _handler(data: bytes, track: Box) -> bytes:
    media = only(children(data, track), b"mdia")
    handler = only(children(data, media), b"hdlr")
    return data[handler.body + 8 : handler.body + 12]


def _top_level(descriptor: int, total: int) -> Box:
    """The place of `moov` in a file of which only box headers are read."""
    at = 0
    while at < total:
        head = os.pread(descriptor, 16, at)
        size = int.from_bytes(head[:4], "big") or total - at
        body = at + 8
        if size == 1:
            size, body = int.from_bytes(head[8:16], "big"), at + 16
        if size < body - at:
            break
        if head[4:8] == b"moov":
            return Box(b"moov", at, body, at + size)
        at += size
    raise MediaError("a finished MP4 file without an index")
