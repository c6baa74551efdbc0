"""NMEA 0183 (IEC 61162-1) in, epochs out. Pure: bytes and times come in, values go out, nothing is raised.

The rules, in order:

1. A line is at most 120 characters of printable ASCII, begins with ``$`` and ends with ``*`` and a right checksum.
   Anything else is dropped and counted by its reason.
2. Sentences that speak of position or time, and are not a fix in its most usual form, go through pynmeagps as well;
   one that it cannot read is dropped as malformed. Others (GSV, TXT, proprietary) are kept as text only: some
   proprietary definitions of pynmeagps repeat a group as often as a field says, so that one forged line could occupy
   the processor for hours.
3. Sentences with the same UTC time of day make one epoch; those without a time join the epoch that is open.
   An epoch ends when the next one's time appears or after 300 ms of silence, so that a position is never a second late.
4. A fix needs every sentence of the epoch that has a say (RMC, GGA, GLL, GNS) to agree, and a readable position.
5. Numbers are computed from the decimal text in integers, rounded half to even; a float never touches a position.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache, reduce
from operator import xor
from typing import Literal

from hal.gps import GpsEpoch

MAX_LINE_CHARS = 120
MAX_SENTENCES = 64
SILENCE_NS = 300_000_000
MAX_EPOCH_NS = 2_000_000_000
"""A receiver that never names a time and never pauses still gets an epoch at least this often."""
PIVOT_YEAR = 80
"""RMC has two digits: 80..99 = 1980..1999 (GPS time begins in 1980), 00..79 = 2000..2079."""

Rejection = Literal["too_long", "not_ascii", "not_nmea", "no_checksum", "bad_checksum", "malformed"]

_SHAPE = re.compile(r"\$(P[A-Z0-9]{2,11}|[A-OQ-Z][A-Z0-9]{4})((?:,[^*$]*)?)(?:\*([0-9A-Fa-f]{2}))?")
_PRINTABLE = re.compile(rb"[\x20-\x7e]*")
_GET = 0  # pynmeagps: a sentence that a receiver sends
_TIME = re.compile(r"([01]\d|2[0-3])([0-5]\d)([0-5]\d|60)(?:\.(\d{1,9}))?", re.ASCII)
_DECIMAL = re.compile(r"(-?)(\d{1,9})(?:\.(\d{0,9}))?", re.ASCII)
_ANGLE = re.compile(r"(\d{2,3})([0-5]\d)(?:\.(\d{1,12}))?", re.ASCII)
_CLOCK = r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d(?:\.\d{1,3})?"
_PLACE = r"[0-8]\d[0-5]\d\.\d{2,7},[NS],(?:0\d\d|1[0-7]\d)[0-5]\d\.\d{2,7},[EW]"
_USUAL = {
    "RMC": re.compile(
        rf",{_CLOCK},A,{_PLACE},\d{{1,3}}\.\d{{1,3}},(?:[0-3]?\d?\d\.\d{{1,2}})?,"
        r"(?:0[1-9]|1\d|2[0-8])(?:0[1-9]|1[0-2])\d\d,,,[ADE]",
        re.ASCII,
    ),
    "GGA": re.compile(
        rf",{_CLOCK},{_PLACE},[12],\d\d,\d{{1,2}}\.\d{{1,2}},-?\d{{1,4}}\.\d{{1,2}},M,-?\d{{1,3}}\.\d{{1,2}},M,,",
        re.ASCII,
    ),
}
"""Sentences that need no library to be told readable."""
_INTERPRETED = frozenset({"RMC", "GGA", "GLL", "GNS", "GSA", "VTG", "ZDA"})
_TIME_FIELD = {"RMC": 0, "GGA": 0, "GNS": 0, "ZDA": 0, "GST": 0, "GBS": 0, "GRS": 0, "GLL": 4}
_POSITION_FIELD = {"GGA": 1, "GNS": 1, "RMC": 2, "GLL": 0}  # in order of preference
_HDOP_FIELD = {"GGA": 7, "GNS": 7, "GSA": 15}
_DATUM = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence whose checksum held."""

    kind: str
    """Three letters, e.g. ``RMC``, whatever the talker; the whole address for a proprietary sentence."""
    fields: tuple[str, ...]
    text: str
    """As received, without the line end."""

    def at(self, index: int) -> str:
        """The field's text, empty if the sentence is too short (older NMEA versions have fewer fields)."""
        return self.fields[index] if index < len(self.fields) else ""


def parse_sentence(line: bytes) -> Sentence | Rejection:
    """The sentence in one line, or why it is none. Never raises."""
    text_bytes = line.rstrip(b"\r\n")
    if len(text_bytes) > MAX_LINE_CHARS:
        return "too_long"
    if not _PRINTABLE.fullmatch(text_bytes):
        return "not_ascii"
    text = text_bytes.decode("ascii")
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        return "not_nmea"
    address, payload, checksum = shape.groups()
    if checksum is None:
        return "no_checksum"
    if checksum_of(text_bytes[1:-3]) != int(checksum, 16):
        return "bad_checksum"
    kind = address if address.startswith("P") else address[2:]
    if kind in _INTERPRETED and not (_is_usual(kind, payload) or _readable(address[:2], kind, payload)):
        return "malformed"
    return Sentence(kind, tuple(payload.split(",")[1:]), text)


def _is_usual(kind: str, payload: str) -> bool:
    """Whether it is a fix as most receivers write it: pynmeagps reads all of these, a hundred times slower."""
    usual = _USUAL.get(kind)
    return usual is not None and usual.fullmatch(payload) is not None


@lru_cache(maxsize=8)
def _readable(talker: str, kind: str, payload: str) -> bool:
    """Whether pynmeagps can read it. What a receiver repeats (which satellites it uses) is asked once."""
    from pynmeagps import exceptions  # 26 ms on a desktop, ten times that on a Zero: only when a receiver speaks
    from pynmeagps.nmeamessage import NMEAMessage

    try:  # not NMEAReader.parse, which takes the line apart and adds up its checksum once more
        NMEAMessage(talker, kind, _GET, payload=payload.split(",")[1:], checksum="")
    except (exceptions.NMEAMessageError, exceptions.NMEATypeError):
        return False
    return True


def checksum_of(data: bytes) -> int:
    """Exclusive or of what stands between ``$`` and ``*`` (IEC 61162-1)."""
    return reduce(xor, data, 0)


def decimal_scaled(text: str, numerator: int, denominator: int = 1) -> int | None:
    """`text` (a decimal such as ``-21.30``) times a fraction as an integer, half to even; None if it is no decimal."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        return None
    sign, whole, part = match.group(1), match.group(2), match.group(3) or ""
    value = round_half_even(int(whole + part) * numerator, denominator * 10 ** len(part))
    return -value if sign else value


def round_half_even(numerator: int, denominator: int) -> int:
    """`numerator` / `denominator` (both not negative) as the nearest integer, ties to the even one."""
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))


def coordinate_nd(text: str, hemisphere: str, *, longitude: bool) -> int | None:
    """``ddmm.mmmm`` or ``dddmm.mmmm`` in nanodegrees, north and east positive; None if it is not one."""
    match = _ANGLE.fullmatch(text)
    positive, negative, limit, digits = ("E", "W", 180, 3) if longitude else ("N", "S", 90, 2)
    if match is None or len(match.group(1)) != digits or hemisphere not in (positive, negative):
        return None
    part = match.group(3) or ""
    degrees_nd = int(match.group(1)) * 1_000_000_000
    value = degrees_nd + round_half_even(int(match.group(2) + part) * 1_000_000_000, 60 * 10 ** len(part))
    if value > limit * 1_000_000_000:
        return None
    return -value if hemisphere == negative else value


def time_of_day_ns(text: str) -> int | None:
    """``hhmmss.sss`` as nanoseconds since midnight; a leap second counts into the next minute, as POSIX does."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    hours, minutes, seconds = (int(match.group(i)) for i in (1, 2, 3))
    return (hours * 3600 + minutes * 60 + seconds) * 1_000_000_000 + int((match.group(4) or "").ljust(9, "0"))


def _between(value: int | None, low: int, high: int) -> int | None:
    return value if value is not None and low <= value <= high else None


def _claims_fix(sentence: Sentence) -> bool | None:
    """What this sentence says about the fix; None if it has no say. Mode N ("not valid") overrules status A."""
    match sentence.kind:
        case "RMC":
            return sentence.at(1) == "A" and sentence.at(11) != "N"
        case "GLL":
            return sentence.at(5) == "A" and sentence.at(6) != "N"
        case "GGA":
            return (decimal_scaled(sentence.at(5), 1) or 0) > 0
        case "GNS":
            return any(mode != "N" for mode in sentence.at(5))
        case _:
            return None


def _position(sentences: list[Sentence]) -> tuple[int, int] | None:
    for kind, index in _POSITION_FIELD.items():
        for one in sentences:
            if one.kind == kind:
                latitude = coordinate_nd(one.at(index), one.at(index + 1), longitude=False)
                longitude = coordinate_nd(one.at(index + 2), one.at(index + 3), longitude=True)
                return None if latitude is None or longitude is None else (latitude, longitude)
    return None


def _date(sentences: list[Sentence]) -> datetime | None:
    """The date that RMC or ZDA reports. Two different dates are none: nobody knows which is right.

    A date 1024 weeks off (the receiver's firmware is older than the last week roll-over) is the receiver's claim and
    is passed on, not mended: whoever sets a clock by it compares it with the firmware's build date.
    """
    found = set()
    for one in sentences:
        if one.kind == "RMC" and re.fullmatch(r"[0-9]{6}", one.at(8)):
            day, month, year = (int(one.at(8)[i : i + 2]) for i in (0, 2, 4))
            year += 1900 if year >= PIVOT_YEAR else 2000
        elif one.kind == "ZDA" and re.fullmatch(r"[0-9]{1,2},[0-9]{1,2},[0-9]{4}", ",".join(one.fields[1:4])):
            day, month, year = (int(text) for text in one.fields[1:4])
        else:
            continue
        try:
            found.add(datetime(year, month, day, tzinfo=UTC))
        except ValueError:  # the thirteenth month: no date
            return None
    return found.pop() if len(found) == 1 else None


def _first(sentences: list[Sentence], kinds: dict[str, tuple[int, int, int]]) -> int | None:
    """The first readable value among ``{kind: (field, numerator, denominator)}``, in the order of the kinds."""
    for kind, (index, numerator, denominator) in kinds.items():
        for one in sentences:
            if one.kind == kind and (value := decimal_scaled(one.at(index), numerator, denominator)) is not None:
                return value
    return None


def epoch_of(sentences: list[Sentence], received_ns: int, time_ns: int | None) -> GpsEpoch:
    """One epoch out of the sentences that belong together. Never raises."""
    says = [said for one in sentences if (said := _claims_fix(one)) is not None]
    position = _position(sentences) if says and all(says) else None
    fix = position is not None
    date = _date(sentences)
    utc_ns = None
    if date is not None and time_ns is not None:
        utc_ns = (date - _DATUM) // timedelta(seconds=1) * 1_000_000_000 + time_ns
    modes = [int(one.at(1)) for one in sentences if one.kind == "GSA" and one.at(1) in ("1", "2", "3")]
    knots, kilometres_per_hour = (1_852_000, 3_600), (1_000_000, 3_600)
    speed = _first(sentences, {"RMC": (6, *knots), "VTG": (6, *kilometres_per_hour)})
    course = _first(sentences, {"RMC": (7, 1000, 1), "VTG": (0, 1000, 1)})
    course = _between(course, 0, 360_000)
    altitude = _first(sentences, {"GGA": (8, 1000, 1), "GNS": (8, 1000, 1)})
    return GpsEpoch(
        received_ns=received_ns,
        fix=fix,
        latitude_nd=position[0] if position else None,
        longitude_nd=position[1] if position else None,
        altitude_mm=_between(altitude, -10_000_000, 100_000_000) if fix else None,
        speed_mm_s=_between(speed, 0, 1_000_000) if fix else None,
        course_mdeg=course % 360_000 if fix and course is not None else None,
        utc_ns=utc_ns,
        dimensions=(3 if modes and max(modes) == 3 else 2) if fix else 0,
        hdop_centi=_between(_first(sentences, {k: (i, 100, 1) for k, i in _HDOP_FIELD.items()}), 0, 100_000),
        satellites=_between(_first(sentences, {"GGA": (6, 1, 1), "GNS": (6, 1, 1)}), 0, 255),
        sentences=tuple(one.text for one in sentences),
    )


@dataclass(slots=True)
class EpochAssembler:
    """Groups the lines of one receiver into epochs. Bounded: at most 64 sentences are ever held."""

    rejections: Counter[Rejection] = field(default_factory=Counter)
    """How many lines were dropped, by reason."""
    accepted: int = 0
    """How many sentences held their checksum."""
    dropped: int = 0
    """Sentences beyond the 64 of one epoch."""
    _sentences: list[Sentence] = field(default_factory=list)
    _time_ns: int | None = None
    _first_ns: int = 0
    _last_ns: int = 0

    def add(self, line: bytes, now_ns: int) -> GpsEpoch | None:
        """Take one line that arrived at `now_ns` (CLOCK_BOOTTIME); returns the epoch before it, if that is complete."""
        if not line.rstrip(b"\r\n"):
            return None
        sentence = parse_sentence(line)
        if not isinstance(sentence, Sentence):
            self.rejections[sentence] += 1
            return None
        self.accepted += 1
        time_field = _TIME_FIELD.get(sentence.kind)
        time_ns = None if time_field is None else time_of_day_ns(sentence.at(time_field))
        done = self.flush(now_ns)
        changed = time_ns is not None and self._time_ns is not None and time_ns != self._time_ns
        if self._sentences and (changed or now_ns - self._first_ns > MAX_EPOCH_NS):
            done = self.finish()
        if not self._sentences:
            self._first_ns = now_ns
        self._last_ns = now_ns
        if time_ns is not None:
            self._time_ns = time_ns
        if len(self._sentences) < MAX_SENTENCES:
            self._sentences.append(sentence)
        else:
            self.dropped += 1
        return done

    def flush(self, now_ns: int) -> GpsEpoch | None:
        """The open epoch, if nothing was added to it for 300 ms. Call it while the line is silent."""
        return self.finish() if now_ns - self._last_ns >= SILENCE_NS else None

    def finish(self) -> GpsEpoch | None:
        """The open epoch as it stands (the receiver has gone, or the log has ended); None if none is open."""
        if not self._sentences:
            return None
        epoch = epoch_of(self._sentences, self._first_ns, self._time_ns)
        self._sentences, self._time_ns = [], None
        return epoch
