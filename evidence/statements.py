"""The statements of an evidence file as typed structures with one canonical JSON form.

Canonical: keys sorted, no white space, UTF-8, integers and strings only, a field at its default is left out. A reader
re-encodes what it decoded and demands the same octets. The page docs/evidence-format.md explains every field.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Annotated, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Meta

from evidence.errors import MalformedStatement

# \Z, not $, which also holds before a line feed at the end.
Hash = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""SHA-256 as 64 lower-case hexadecimal digits."""
Nonce = Annotated[str, Meta(pattern=r"^[0-9a-f]{32}\Z")]
Serial = Annotated[str, Meta(pattern=r"^[A-Z0-9][A-Z0-9-]{0,31}\Z")]
Name = Annotated[str, Meta(min_length=1, max_length=128)]
Word = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,47}\Z")]
Count = Annotated[int, Meta(ge=0, le=2**53)]
Nanoseconds = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
_MOMENT = re.compile(r"^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-6][0-9]\.[0-9]{6}Z\Z")
Moment = Annotated[str, Meta(pattern=_MOMENT.pattern)]
"""UTC with microseconds, RFC 3339."""
NO_HASH = "0" * 64
_DAY_1970 = dt.date(1970, 1, 1).toordinal()

ObjectKind = Literal["init", "media", "metadata"]
Stream = Literal["recording", "log"]
UploadClass = Literal["critical", "normal", "log"]
GapCause = Literal[
    "writer_behind", "camera_silent", "frames_lost", "storage_error", "storage_full", "stop_in_crash", "key_failed"
]


def moment(utc_ns: int) -> str:
    """Nanoseconds since 1970 as a `Moment`, cut to the microsecond and kept within years 1..9999."""
    seconds, rest = divmod(max(-62_135_596_800_000_000_000, min(utc_ns, 253_402_300_799_999_999_999)), 10**9)
    when = dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds, microseconds=rest // 1000)
    return f"{when.year:04d}-{when:%m-%dT%H:%M:%S}.{when.microsecond:06d}Z"


def moment_ns(text: str) -> int:
    """The reverse of `moment`. Raises `MalformedStatement`."""
    if _MOMENT.fullmatch(text) is None:
        raise MalformedStatement(f"{text!r} is not a moment in UTC")
    try:  # by hand: strptime would cost more than the signature
        day = dt.date(int(text[:4]), int(text[5:7]), int(text[8:10])).toordinal() - _DAY_1970
        clock = dt.time(int(text[11:13]), int(text[14:16]), int(text[17:19]))
    except ValueError as error:
        raise MalformedStatement(f"{text!r} is not a moment in UTC") from error
    seconds = day * 86_400 + clock.hour * 3600 + clock.minute * 60 + clock.second
    return seconds * 10**9 + int(text[20:26]) * 1000


class Frozen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Base of all parts: unknown keys are refused, defaults are left out."""


class Utc(Frozen, frozen=True, kw_only=True):
    """UTC as a claim: it lies between the two moments, says `source` (invariant 10)."""

    earliest: Moment
    latest: Moment
    source: Literal["gnss", "ntp", "dock", "rtc", "none"]


class Stamp(Frozen, frozen=True, kw_only=True):
    """When: this boot's monotonic nanoseconds and the UTC claim of the same instant."""

    boot: Annotated[str, Meta(pattern=r"^[0-9a-f-]{36}\Z")]
    mono_ns: Nanoseconds
    utc: Utc


class CameraFacts(Frozen, frozen=True, kw_only=True):
    model: Name
    firmware: Name
    firmware_sha256: Hash


class Source(Frozen, frozen=True, kw_only=True):
    """One source of what is recorded; `simulated` and `clip` need a simulated certificate (invariant 11)."""

    role: Literal["camera", "microphone", "gps"]
    driver: Name
    sensor: Name
    kind: Literal["real", "simulated", "clip", "training"]


class ProfileRef(Frozen, frozen=True, kw_only=True):
    name: Name
    version: Count
    sha256: Hash


class LogHead(Frozen, frozen=True, kw_only=True):
    """The newest statement of the device log when this was written."""

    segment: Count
    seq: Count
    hash: Hash


class MediaFacts(Frozen, frozen=True, kw_only=True):
    """What a media object holds. Times are this boot's CLOCK_BOOTTIME in nanoseconds."""

    start_ns: Nanoseconds
    duration_ns: Count
    frames: Count
    first_frame: Count
    """The source's own number of the first frame."""
    sound_frames: Count = 0
    gps_fixes: Count = 0
    sound_offset_us: Annotated[int, Meta(ge=-(2**53), le=2**53)] | None = None
    """When the object's first sound sample was captured, minus when the MP4 timeline plays it, microseconds: above 0,
    the sound plays before its picture. Left out without sound."""


def larger_offset(one: int | None, other: int | None) -> int | None:
    """The one that is farther from zero; None counts as not measured."""
    measured = [value for value in (one, other) if value is not None]
    return max(measured, key=abs, default=None)


class FileFacts(Frozen, frozen=True, kw_only=True):
    """A closed evidence file, or a receipt about one."""

    name: Name
    bytes: Count
    sha256: Hash
    close_hash: Hash


class Lost(Frozen, frozen=True, kw_only=True):
    """An object that was announced and is not whole on the card."""

    object: ObjectKind
    sha256: Hash
    bytes: Count


class Correction(Frozen, frozen=True, kw_only=True):
    """What UTC was at one instant of this boot, told later than a recording that nothing vouched for."""

    mono_ns: Nanoseconds
    """The instant, CLOCK_BOOTTIME."""
    utc: Utc
    """UTC at that instant, and who told it."""
    shift_us: Annotated[int, Meta(ge=-(2**60), le=2**60)]
    """What must be added to the middle of the recording's own claim in its `open`, microseconds."""
    uncertainty_us: Count
    """How far the corrected middle may be off, drift of the monotonic clock included."""


class Statement(Stamp, frozen=True, kw_only=True, tag_field="kind"):
    """What every statement carries."""

    v: Literal[1]
    serial: Serial
    stream: Stream
    number: Count
    """Recording number, or log segment number."""
    seq: Count
    prev: Hash
    """SHA-256 of the whole DER of the statement before; zeros for the first."""

    kind: ClassVar[str]


class Open(Statement, frozen=True, kw_only=True, tag="open"):
    """The first statement of a file."""

    kind: ClassVar[str] = "open"
    camera: CameraFacts
    sources: Annotated[tuple[Source, ...], Meta(max_length=16)]
    key_level: Literal["file", "non_exportable", "verified_boot"]
    profile: ProfileRef
    recipients: Annotated[tuple[Hash, ...], Meta(min_length=1, max_length=8)]
    """SHA-256 of each vault certificate (DER)."""
    nonce: Nonce
    """Random, made by the camera; a receipt repeats it (invariant 7)."""
    upload_class: UploadClass
    retention_class: Word
    hold: bool
    station_nonce: Nonce | None = None
    """The newest one that a station handed out: the file is not older than that contact."""
    log_head: LogHead | None = None
    previous: Hash | None = None
    """Close hash of the log segment before (log only)."""
    resumes: Count | None = None
    """Number of the recording that a crash cut off and that this one goes on with."""
    continues: Count | None = None
    """Number of the recording that goes on in this file without a gap; it is closed with `rolled_over`."""
    group: Count | None = None
    """Number of the first camera's first recording, in all recordings of a vehicle's cameras that it began with."""


class Sealed(Statement, frozen=True, kw_only=True, tag="sealed"):
    """Announces the sealed object that follows it at once."""

    kind: ClassVar[str] = "sealed"
    object: ObjectKind
    sha256: Hash
    """Of the object's whole DER."""
    bytes: Count
    """Size of the object's whole DER."""
    commitment: Hash
    """SHA-256 of the plaintext, which carries a 32-byte random salt of its own (invariant 5)."""
    media: MediaFacts | None = None


class Event(Statement, frozen=True, kw_only=True, tag="event"):
    """A public kind and time. Details, where there are any, stand in the sealed metadata object that follows."""

    kind: ClassVar[str] = "event"
    event: Word
    recording: Count | None = None
    word: Word | None = None
    """The event's one public word: the new state, the verdict, the reason."""
    file: FileFacts | None = None
    object_sha256: Hash | None = None
    """SHA-256 of another document that this event is about (a receipt, a profile, a contact)."""
    correction: Correction | None = None
    """In `time_correction` only."""


class Gap(Statement, frozen=True, kw_only=True, tag="gap"):
    """Time that is not recorded, or frames that were lost."""

    kind: ClassVar[str] = "gap"
    cause: GapCause
    start_ns: Nanoseconds
    end_ns: Nanoseconds
    frames: Count = 0


class ClockStep(Statement, frozen=True, kw_only=True, tag="clock"):
    """The UTC claim moved against the monotonic clock, or its source changed."""

    kind: ClassVar[str] = "clock"
    before: Utc
    after: Utc
    cause: Word


class Recovered(Statement, frozen=True, kw_only=True, tag="recovered"):
    """What a recovery found after a crash. It signs nothing that was not announced before (invariant 6)."""

    kind: ClassVar[str] = "recovered"
    cut_bytes: Count
    """Octets of a torn tail, set aside."""
    lost: tuple[Lost, ...] = ()
    orphans: Count = 0
    """Octets of whole objects that no statement announced, set aside."""


class Close(Statement, frozen=True, kw_only=True, tag="close"):
    """The last statement of a file: nothing follows it."""

    kind: ClassVar[str] = "close"
    reason: Word
    statements: Count
    """Statements before this one."""
    objects: Count
    frames: Count
    sound_frames: Count
    gps_fixes: Count


AnyStatement = Open | Sealed | Event | Gap | ClockStep | Recovered | Close

T = TypeVar("T")
_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODER = msgspec.json.Decoder(AnyStatement)


def encode_canonical(value: msgspec.Struct | dict[str, object]) -> bytes:
    """The one JSON form of a structure."""
    return _ENCODER.encode(value)


def decode_canonical(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode and demand that re-encoding gives the same octets. Raises `MalformedStatement`."""
    try:
        value = decoder.decode(data)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedStatement(f"not a valid document: {error}") from error
    if _ENCODER.encode(value) != data:
        raise MalformedStatement("not in canonical JSON form")
    return value


def encode(statement: AnyStatement) -> bytes:
    """Canonical JSON of a statement."""
    return encode_canonical(statement)


def decode(data: bytes) -> AnyStatement:
    """A statement from its canonical JSON. Raises `MalformedStatement`."""
    statement: AnyStatement = decode_canonical(data, _DECODER)
    return statement
