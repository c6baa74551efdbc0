"""Does every frame that the camera handed over stand in the evidence, byte for byte?

The files are verified as anybody would (`evidence.verify`), then opened with the vault's key: each picture's slices are
held against the frame of that number in the stream that was played. Numbers are the camera's own count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evidence.export.decrypt import Vault
from evidence.export.items import ObjectItem, StatementItem, walk
from evidence.fmp4 import VIDEO_TRACK_ID
from evidence.fmp4_read import InitInfo, parse_fragment, parse_init
from evidence.nal import is_slice, split_annexb, split_avcc
from evidence.statements import Gap
from evidence.trust import Trust
from evidence.verify import verify_file

Slices = tuple[bytes, ...]


@dataclass
class Found:
    """What a run's evidence holds."""

    files: int = 0
    bytes: int = 0
    fragments: int = 0
    frames: int = 0
    first: int | None = None
    """The first frame's number."""
    last: int = -1
    missing: list[int] = field(default_factory=list)
    """Numbers between the first and the last that are not there."""
    twice: int = 0
    altered: int = 0
    """Pictures that are not, byte for byte, the frame of their number."""
    gaps: list[str] = field(default_factory=list)
    """Gap statements: their causes."""
    faults: list[str] = field(default_factory=list)
    """Why a file is not valid, or not closed."""


def slices_of_stream(frame: Callable[[int], bytes], count: int) -> list[Slices]:
    """The slices of each of the stream's access units."""
    return [_slices(split_annexb(frame(number))) for number in range(count)]


def _slices(nals: Sequence[memoryview]) -> Slices:
    return tuple(bytes(nal) for nal in nals if is_slice(nal))


def check(files: Sequence[Path], trust: Trust, vault: Vault, stream: Sequence[Slices]) -> Found:
    """All files of one run in their order; frame N must be `stream[N % len(stream)]`. Raises OSError."""
    found = Found()
    for path in files:
        report = verify_file(path, trust)
        found.files += 1
        found.bytes += report.bytes
        found.fragments += report.fragments
        found.faults += [f"{path.name}: {finding}" for finding in report.findings]
        if report.closed is None:
            found.faults.append(f"{path.name}: not closed")
        _open(path, vault, stream, found)
    return found


def _open(path: Path, vault: Vault, stream: Sequence[Slices], found: Found) -> None:
    init: InitInfo | None = None
    with path.open("rb") as file:
        for item in walk(file):
            if isinstance(item, ObjectItem) and item.announced is not None:
                if item.announced.object == "init":
                    init = parse_init(vault.plaintext(file, item))
                elif item.announced.media is not None:
                    media = vault.plaintext(file, item)
                    _pictures(media, init, item.announced.media.first_frame, stream, found)
            elif isinstance(item, StatementItem) and isinstance(item.statement, Gap):
                found.gaps.append(item.statement.cause)


def _pictures(media: bytes, init: InitInfo | None, first: int, stream: Sequence[Slices], found: Found) -> None:
    view, number = memoryview(media), first
    if found.first is None:
        found.first = first
    elif first > found.last + 1:
        found.missing += range(found.last + 1, first)
    elif first <= found.last:
        found.twice += found.last + 1 - first
    track = parse_fragment(media, init).track(VIDEO_TRACK_ID)
    for sample in () if track is None else track.samples:
        slices = _slices(split_avcc(view[sample.offset : sample.offset + sample.size]))
        found.altered += slices != stream[number % len(stream)]
        found.frames += 1
        number += 1
    found.last = max(found.last, number - 1)
