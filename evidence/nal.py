"""H.264 access units: splitting, length prefixes, parameter sets and emulation prevention.

Sources: ITU-T H.264 (Annex B byte stream, 7.3.1 NAL unit, 7.3.2.1 sequence parameter set) and ISO/IEC 14496-15 (the
length-prefixed form inside MP4). Everything here is pure, copies no picture data and refuses what exceeds its bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from evidence.errors import MediaError

Buffer: TypeAlias = bytes | memoryview

MAX_NALS: Final = 512
"""Most NAL units accepted in one access unit."""
MAX_ACCESS_UNIT_BYTES: Final = 8 * 1024 * 1024
"""Largest access unit accepted, in bytes."""
MAX_PARAMETER_SET_BYTES: Final = 1024
START_CODE: Final = b"\x00\x00\x00\x01"

NON_IDR_SLICE: Final = 1
IDR_SLICE: Final = 5
SEI: Final = 6
SPS: Final = 7
PPS: Final = 8
ACCESS_UNIT_DELIMITER: Final = 9

_NEEDS_ESCAPE: Final = re.compile(rb"\x00\x00(?=[\x00-\x03])")


def nal_type(nal: Buffer) -> int:
    """The nal_unit_type (0..31) of one NAL unit. Raises MediaError when it is empty or its forbidden bit is set."""
    if not nal:
        raise MediaError("an empty NAL unit: the encoder's stream is damaged")
    if nal[0] & 0x80:
        raise MediaError("a NAL unit with its forbidden bit set: the encoder's stream is damaged")
    return nal[0] & 0x1F


def is_slice(nal: Buffer) -> bool:
    """True for coded slices, the only NAL units that media signing hashes (types 1 and 5)."""
    return nal_type(nal) in (NON_IDR_SLICE, IDR_SLICE)


def is_first_slice(nal: Buffer) -> bool:
    """True if this slice begins a picture: first_mb_in_slice is 0, that is, the bit after the header is 1."""
    return is_slice(nal) and len(nal) > 1 and bool(nal[1] & 0x80)


def split_annexb(data: bytes) -> list[memoryview]:
    """Split one access unit in Annex B form into its NAL units, without start codes and trailing zeros.

    The views share `data`'s memory. Raises MediaError when the data does not begin with a start code, holds an empty
    or forbidden NAL unit, more than MAX_NALS of them, or more than MAX_ACCESS_UNIT_BYTES bytes.
    """
    if len(data) > MAX_ACCESS_UNIT_BYTES:
        raise MediaError(f"an access unit of {len(data)} bytes: at most {MAX_ACCESS_UNIT_BYTES} are accepted")
    code = data.find(b"\x00\x00\x01")
    if code < 0 or _trimmed_end(data, 0, code) != 0:
        raise MediaError("an access unit must begin with an Annex B start code")
    view = memoryview(data)
    nals: list[memoryview] = []
    while code >= 0:
        start = code + 3
        code = data.find(b"\x00\x00\x01", start)
        end = _trimmed_end(data, start, len(data) if code < 0 else code)
        if len(nals) == MAX_NALS:
            raise MediaError(f"more than {MAX_NALS} NAL units in one access unit")
        nal = view[start:end]
        nal_type(nal)
        nals.append(nal)
    return nals


def _trimmed_end(data: bytes, start: int, end: int) -> int:
    for _ in range(4):  # a 4-byte start code leaves one zero behind; more than that is rare padding
        if end == start or data[end - 1]:
            return end
        end -= 1
    return start + len(data[start:end].rstrip(b"\x00"))


def to_annexb(nals: Iterable[Buffer]) -> bytes:
    """Join NAL units with 4-byte start codes."""
    return b"".join(part for nal in nals for part in (START_CODE, nal))


def to_avcc_parts(nals: Sequence[Buffer]) -> list[Buffer]:
    """The NAL units as MP4 wants them, each behind its 4-byte big-endian length, not joined (ISO/IEC 14496-15).

    Access unit delimiters are left out, as 14496-15 recommends. Raises MediaError when nothing remains.
    """
    parts: list[Buffer] = []
    for nal in nals:
        if nal_type(nal) != ACCESS_UNIT_DELIMITER:
            parts += (len(nal).to_bytes(4, "big"), nal)
    if not parts:
        raise MediaError("an access unit without NAL units")
    return parts


def split_avcc(data: Buffer) -> list[memoryview]:
    """Split one MP4 sample (4-byte lengths) into its NAL units. Raises MediaError like `split_annexb`."""
    if len(data) > MAX_ACCESS_UNIT_BYTES:
        raise MediaError(f"a video sample of {len(data)} bytes: at most {MAX_ACCESS_UNIT_BYTES} are accepted")
    view = memoryview(data)
    nals: list[memoryview] = []
    position = 0
    while position < len(view):
        start = position + 4
        position = start + int.from_bytes(view[position:start], "big")
        if start > len(view) or position > len(view):
            raise MediaError("a NAL unit reaches beyond its video sample")
        if len(nals) == MAX_NALS:
            raise MediaError(f"more than {MAX_NALS} NAL units in one video sample")
        nal_type(view[start:position])
        nals.append(view[start:position])
    return nals


def escape(rbsp: bytes) -> bytes:
    """Insert emulation prevention bytes (H.264, 7.4.1.1), so that no start code appears inside a NAL unit."""
    escaped = _NEEDS_ESCAPE.sub(b"\x00\x00\x03", rbsp)
    return escaped + b"\x03" if escaped.endswith(b"\x00") else escaped


def unescape(nal: Buffer) -> bytes:
    """Remove emulation prevention bytes: the inverse of `escape`."""
    return bytes(nal).replace(b"\x00\x00\x03", b"\x00\x00")


@dataclass(frozen=True, slots=True)
class ParameterSets:
    """The one SPS and the one PPS of a stream, as NAL units without start codes."""

    sps: bytes
    pps: bytes


def parameter_sets(nals: Iterable[Buffer]) -> ParameterSets | None:
    """The parameter sets of an access unit, or None when it does not carry both.

    Repeats of the same set are fine. Raises MediaError when two sets of a kind differ: the sample entry that we write
    holds one of each.
    """
    found: dict[int, bytes] = {}
    for nal in nals:
        kind = nal_type(nal)
        if kind in (SPS, PPS) and found.setdefault(kind, bytes(nal)) != nal:
            raise MediaError("an access unit with two different parameter sets of one kind")
    if SPS not in found or PPS not in found:
        return None
    return ParameterSets(found[SPS], found[PPS])
