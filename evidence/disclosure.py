"""Disclosure: a part of a recording that anyone can hold against the camera's own signatures (invariant 5). Pure.

1. A package holds *every* statement of the file: they are public, and without one the chain breaks.
2. Statements are canonical, signed by the camera and chained from `open` to `close`. An object that is not disclosed is
   taken from its signed announcement: its number, kind, size and media time are known, its content is not.
3. A disclosed plaintext is genuine if its SHA-256 is the commitment that the statement before it signed. Its 32 bytes
   of salt stand inside it, so that the commitments of what is *not* disclosed cannot be guessed.
4. The manifest says nothing of its own: a verifier makes it again from the statements and the numbers of the disclosed
   objects, and demands the same octets. It holds no paths: the names of all files follow from numbers and kinds.
5. `video.mp4` is the init object and the disclosed media objects in order, octet for octet.

What a package does not prove: that the sealed objects that were left out can still be opened. Files and directories
are in `evidence.disclosure_package`.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence.chain import Chain
from evidence.errors import BadSelection, BrokenChain, MalformedStatement, MediaError
from evidence.fmp4_read import read_salt
from evidence.statements import (
    AnyStatement,
    Count,
    Frozen,
    Hash,
    MediaFacts,
    Name,
    ObjectKind,
    Open,
    Recovered,
    Sealed,
    Serial,
    Stream,
    decode_canonical,
    encode_canonical,
)
from evidence.trust import Trust
from evidence.verify import check_sources, check_statement, file_name

MANIFEST: Final = "manifest.json"
VIDEO: Final = "video.mp4"
README: Final = "README.html"
STATEMENTS: Final = "statements"
OBJECTS: Final = "objects"
MOST_ITEMS: Final = 999_999
"""What six digits can number."""
_SUFFIX: Final[dict[ObjectKind, str]] = {"init": "mp4", "media": "m4s", "metadata": "json"}
_RANGE: Final = re.compile(r"^([0-9]{1,6})(?:-([0-9]{1,6}))?$")
_CLOCK: Final = re.compile(r"^(?:(?:([0-9]{1,3}):)?([0-9]{1,2}):)?([0-9]{1,6})(?:\.([0-9]{1,9}))?$")


class Disclosed(Frozen, frozen=True, kw_only=True):
    """An object whose plaintext is in the package."""

    item: Count
    """Its number in the evidence file, as `inspect` and `unpack` count."""
    object: ObjectKind
    sha256: Hash
    """Of the plaintext: the commitment that the camera signed."""
    media: MediaFacts | None = None


class Omitted(Frozen, frozen=True, kw_only=True):
    """An object that is in the evidence file, and not in the package."""

    item: Count
    object: ObjectKind
    bytes: Count
    """Size of the sealed object."""
    media: MediaFacts | None = None


class Manifest(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="disclosure"):
    """What is in a package. Derived from the statements, never believed."""

    v: Literal[1]
    file: Name
    serial: Serial
    stream: Stream
    number: Count
    close_hash: Hash
    statements: Count
    disclosed: Annotated[tuple[Disclosed, ...], Meta(max_length=MOST_ITEMS)]
    omitted: Annotated[tuple[Omitted, ...], Meta(max_length=MOST_ITEMS)]


_MANIFESTS: Final = msgspec.json.Decoder(Manifest)


def decode_manifest(data: bytes) -> Manifest:
    """A manifest from its canonical JSON. Raises `MalformedStatement`."""
    return decode_canonical(data, _MANIFESTS)


def statement_name(number: int, kind: str) -> str:
    """Where a package keeps the statement that is item `number` of the evidence file."""
    return f"{STATEMENTS}/{number:06d}-{kind}.p7s"


def object_name(number: int, kind: ObjectKind) -> str:
    """Where a package keeps the plaintext of the object that is item `number`."""
    return f"{OBJECTS}/{number:06d}-{kind}.{_SUFFIX[kind]}"


@dataclass
class Proof:
    """The statements of one file, taken in order and held against root and chain; what they announce."""

    trust: Trust
    now: dt.datetime | None
    """When certificates are judged where the camera did not know its own time; None: not at all."""
    chain: Chain = field(default_factory=Chain)
    objects: dict[int, Sealed] = field(default_factory=dict)
    """By item number: the announcement of each object that the file holds."""
    items: int = 0
    """Items accounted for so far: the next statement's number, unless an announced object stands before it."""

    def statement(self, data: bytes) -> tuple[int, AnyStatement]:
        """Take the next statement (DER); its item number and what it says. Raises `EvidenceError`."""
        serial = self.chain.opened.serial if self.chain.opened is not None else None
        statement, message = check_statement(data, self.trust, serial=serial, now=self.now)
        if not (isinstance(statement, Recovered) and statement.lost):
            self._take_announced()
        number = self.items
        self.chain.statement(statement, hashlib.sha256(data).hexdigest())
        if isinstance(statement, Open):
            check_sources(statement, message.certificate, self.trust)
        self.items += 1
        return number, statement

    def _take_announced(self) -> None:
        announced = self.chain.announced
        if announced is not None:
            self.chain.take_object(announced.bytes, announced.sha256)
            self.objects[self.items] = announced
            self.items += 1

    def finish(self) -> None:
        """All statements were taken. Raises `BrokenChain` if the file was not closed by the last one."""
        if self.chain.closed is None:
            raise BrokenChain("the last statement is not `close`: statements at the end are missing")

    def manifest(self, disclosed: Iterable[int]) -> Manifest:
        """The manifest of a package that discloses these items. Raises `BrokenChain` for a file that is not closed."""
        self.finish()
        opened = self.chain.opened
        assert opened is not None
        chosen = frozenset(disclosed)
        rows = sorted(self.objects.items())
        return Manifest(
            v=1,
            file=file_name(opened.serial, opened.stream, opened.number),
            serial=opened.serial,
            stream=opened.stream,
            number=opened.number,
            close_hash=self.chain.head,
            statements=self.chain.statements,
            disclosed=tuple(
                Disclosed(item=number, object=one.object, sha256=one.commitment, media=one.media)
                for number, one in rows
                if number in chosen
            ),
            omitted=tuple(
                Omitted(item=number, object=one.object, bytes=one.bytes, media=one.media)
                for number, one in rows
                if number not in chosen
            ),
        )


def check_plaintext(number: int, announced: Sealed, data: bytes) -> None:
    """A disclosed object is the one that the camera committed to, with its salt. Raises `BrokenChain`."""
    if hashlib.sha256(data).hexdigest() != announced.commitment:
        raise BrokenChain(
            f"item {number:06d}: this is not the {announced.object} that seq {announced.seq} committed to"
        )
    try:
        if announced.object != "metadata":
            read_salt(data)
    except MediaError as error:
        raise BrokenChain(f"item {number:06d}: {error}") from error


@dataclass(frozen=True, slots=True)
class Selection:
    """What is to be disclosed."""

    items: tuple[range, ...] = ()
    from_ns: int | None = None
    """From the beginning of the recording's picture, nanoseconds."""
    to_ns: int | None = None

    def choose(self, objects: Mapping[int, Sealed]) -> frozenset[int]:
        """The item numbers to disclose. Whole fragments are taken, and `init` with the first of them.

        Raises `BadSelection` for numbers that are no objects, or when nothing is chosen.
        """
        chosen: set[int] = set()
        for numbers in self.items:
            found = [number for number in objects if number in numbers]
            if not found:
                raise BadSelection(
                    f"item {_range_text(numbers)} is no object of this file: `inspect` shows the numbers"
                )
            chosen.update(found)
        if self.from_ns is not None or self.to_ns is not None:
            chosen |= self._in_time(objects)
        if any(objects[number].object == "media" for number in chosen):
            chosen |= {number for number, one in objects.items() if one.object == "init"}
        if not chosen:
            raise BadSelection("nothing is recorded in that time: nothing would be disclosed")
        return frozenset(chosen)

    def _in_time(self, objects: Mapping[int, Sealed]) -> set[int]:
        media = {number: one.media for number, one in objects.items() if one.media is not None}
        if not media:
            return set()
        zero_ns = min(one.start_ns for one in media.values())
        begin = zero_ns + (self.from_ns or 0)
        end = zero_ns + self.to_ns if self.to_ns is not None else None
        return {
            number
            for number, one in media.items()
            if one.start_ns + one.duration_ns > begin and (end is None or one.start_ns < end)
        }


def _range_text(numbers: range) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"


def parse_items(text: str) -> tuple[range, ...]:
    """Item numbers as in ``4,6,10-20``. Raises `BadSelection`."""
    found: list[range] = []
    for part in text.split(","):
        match = _RANGE.match(part.strip())
        first = int(match[1]) if match is not None else 0
        last = int(match[2] or match[1]) if match is not None else -1
        if last < first:
            raise BadSelection(f"{part.strip()!r} is no item number or range like 10-20")
        found.append(range(first, last + 1))
    return tuple(found)


def parse_time(text: str) -> int:
    """``HH:MM:SS.fff``, ``MM:SS`` or seconds as nanoseconds. Raises `BadSelection`."""
    match = _CLOCK.match(text)
    if match is None:
        raise BadSelection(f"{text!r} is no time like 00:01:30 or 90")
    seconds = int(match[1] or 0) * 3600 + int(match[2] or 0) * 60 + int(match[3])
    return seconds * 10**9 + int((match[4] or "0").ljust(9, "0"))


def read_package_manifest(data: bytes, expected: Manifest) -> list[str]:
    """What is wrong with a package's manifest, in sentences; empty if it is the one that the statements give."""
    try:
        manifest = decode_manifest(data)
    except MalformedStatement as error:
        return [f"{MANIFEST}: {error}"]
    if encode_canonical(manifest) == encode_canonical(expected):
        return []
    wrong = [name for name in manifest.__struct_fields__ if getattr(manifest, name) != getattr(expected, name)]
    return [f"{MANIFEST} does not say what the signed statements and the files say: {', '.join(wrong)}"]
