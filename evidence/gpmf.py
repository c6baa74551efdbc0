"""One GPS sample of the metadata track (R5): a GPMF payload with positions that common tools read, and the exact claim.

Source: GoPro's GPMF specification (github.com/gopro/gpmf-parser): key-length-value, big endian, padded to 4 bytes. A
sample is one DEVC (DVID, DVNM) with up to four streams, for tools of every age, as cameras since 2022 do:

- `GPS5`, which all tools show: latitude, longitude (1e-7 degree), altitude, 2D and 3D speed, with one UTC (`GPSU`,
  that of the first point, left out if it has none) and one fix (`GPSF`, the lowest) for all points of the sample.
- `GPS9`: the same with days since 2000, seconds since midnight, DOP and fix for every point. A point whose receiver
  gave no UTC is not in it.
- In both, what the receiver did not report is an impossible value, never a plausible zero: the smallest 32-bit number
  for altitude and speed, 99.99 for DOP (customary in NMEA). No receiver on the seam reports a 3D speed: the 2D speed
  stands in both places, and the stream's name says so. DOP is not written as `GPSP`: exiftool takes that for metres.
- `FHGP`, ours: the exact claim, to the nanodegree, ten 64-bit numbers for each point (`_CLAIM`).
- `NMEA`, ours: the sentences as the receiver sent them, one a line.

No fix is a value: then there is no point in the sample, and never a position 0,0; the sentences are there.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from evidence.errors import MediaError
from evidence.gpmf_klv import Klv, klv, klvs_in, nested, text
from evidence.nal import Buffer

MAX_POINTS: Final = 64
"""Most points in one sample."""
MAX_SENTENCES: Final = 512
"""Most sentences in one sample."""
MAX_SENTENCE_CHARACTERS: Final = 120
MAX_SAMPLE_BYTES: Final = 128 * 1024

_NOT_REPORTED_64: Final = -(1 << 63)
_NOT_REPORTED_32: Final = -(1 << 31)
_NOT_REPORTED_DOP: Final = 9999
_DAY_NS: Final = 86_400 * 10**9
_DAYS_1970_TO_2000: Final = 10_957
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_NS: Final = 4_102_444_800 * 10**9  # 2100: GPSU has years of two digits

_GPS5_SCALES: Final = (10_000_000, 10_000_000, 1000, 1000, 1000)
_GPS5_NAME: Final = "GPS (Lat., Long., Alt., 2D speed, 2D speed again)"
_GPS9: Final = struct.Struct(">7iHH")
_GPS9_SCALES: Final = (10_000_000, 10_000_000, 1000, 1000, 1000, 1, 1000, 100, 1)
_GPS9_UNITS: Final = ("deg", "deg", "m", "m/s", "m/s", "", "s", "", "")
_GPS9_NAME: Final = (
    "GPS (Lat., Long., Alt., 2D, 2D again, days since 2000, secs since midnight (ms), DOP, fix (0, 2D or 3D))"
)
_CLAIM: Final = struct.Struct(">10q")
_CLAIM_NAME: Final = (
    "Firsthand GPS claim (lat nd, long nd, alt mm, speed mm/s, course mdeg, UTC ns, received ns since boot, "
    "HDOP x100, dimensions, satellites; smallest number = not reported)"
)


@dataclass(frozen=True, slots=True)
class GpsPoint:
    """One fix as the receiver claimed it; None is "not reported". The order of the fields is that of `FHGP`."""

    latitude_nd: int
    """Nanodegrees, north positive."""
    longitude_nd: int
    """Nanodegrees, east positive."""
    altitude_mm: int | None = None
    """Millimetres above mean sea level."""
    speed_mm_s: int | None = None
    """Speed over ground, millimetres per second."""
    course_mdeg: int | None = None
    """Course over ground, millidegrees from true north."""
    utc_ns: int | None = None
    """The receiver's UTC, nanoseconds since 1970."""
    received_ns: int | None = None
    """CLOCK_BOOTTIME at reception, nanoseconds."""
    hdop_centi: int | None = None
    """Horizontal dilution of precision times 100."""
    dimensions: int = 0
    """2 or 3; 0 when the receiver did not say."""
    satellites: int | None = None


def gps_sample(points: Sequence[GpsPoint], sentences: Sequence[str], device_name: str) -> bytes:
    """One GPMF payload for the GPS track. Both sequences may be empty: "no fix" and "silence" are values.

    Raises MediaError when a number or text is out of range: more than MAX_POINTS points or MAX_SENTENCES sentences, a
    position outside the globe, a sentence that is not printable ASCII of at most MAX_SENTENCE_CHARACTERS.
    """
    if len(points) > MAX_POINTS or len(sentences) > MAX_SENTENCES:
        raise MediaError(f"{len(points)} GPS points and {len(sentences)} sentences do not fit one sample")
    for point in points:
        _check_point(point)
    streams = []
    if points:
        dated = [point for point in points if point.utc_ns is not None]
        streams.append(_gps5_stream(points))
        if dated:
            streams.append(_gps9_stream(dated))
        claims = b"".join(_to_claim(point) for point in points)
        streams.append(nested(b"STRM", text(b"STNM", _CLAIM_NAME), klv(b"FHGP", b"j", _CLAIM.size, claims)))
    if sentences:
        lines = "".join(_checked_sentence(sentence) + "\n" for sentence in sentences)
        streams.append(nested(b"STRM", text(b"STNM", "Receiver's sentences (NMEA 0183)"), text(b"NMEA", lines)))
    if not (device_name.isascii() and device_name.isprintable() and 0 < len(device_name) <= 64):
        raise MediaError("a device name must be 1 to 64 printable ASCII characters")
    return nested(b"DEVC", klv(b"DVID", b"L", 4, struct.pack(">I", 1)), text(b"DVNM", device_name), *streams)


def parse_gps_sample(data: Buffer) -> tuple[tuple[GpsPoint, ...], tuple[str, ...]]:
    """The points and sentences of one sample; points from `FHGP`, or from `GPS9` in a foreign sample without it.

    Raises MediaError, and nothing else, when the payload is malformed or out of bounds.
    """
    if len(data) > MAX_SAMPLE_BYTES:
        raise MediaError(f"a GPS sample of {len(data)} bytes: at most {MAX_SAMPLE_BYTES} are read")
    exact: list[GpsPoint] = []
    shown: list[GpsPoint] = []
    sentences: list[str] = []
    for device in klvs_in(data, 0, len(data)):
        if device.key != b"DEVC" or not device.is_nested:
            raise MediaError("a GPS sample must consist of DEVC blocks")
        for stream in klvs_in(data, device.start, device.end):
            if stream.key != b"STRM" or not stream.is_nested:
                continue
            for found in (entries := klvs_in(data, stream.start, stream.end)):
                if found.key == b"FHGP":
                    exact += _read_claims(data, found)
                elif found.key == b"GPS9":
                    shown += _read_gps9(data, found, entries)
                elif found.key == b"NMEA":
                    sentences += _read_sentences(data, found)
    points = exact or shown
    if len(points) > MAX_POINTS or len(sentences) > MAX_SENTENCES:
        raise MediaError("a GPS sample with too many points or sentences")
    return tuple(points), tuple(sentences)


def _checked_sentence(sentence: str) -> str:
    if not (sentence.isascii() and sentence.isprintable() and 0 < len(sentence) <= MAX_SENTENCE_CHARACTERS):
        raise MediaError(f"a GPS sentence must be printable ASCII of at most {MAX_SENTENCE_CHARACTERS} characters")
    return sentence


def _check_point(point: GpsPoint) -> None:
    if abs(point.latitude_nd) > 90 * 10**9 or abs(point.longitude_nd) > 180 * 10**9:
        raise MediaError("a GPS position outside the globe")
    if point.dimensions not in (0, 2, 3):
        raise MediaError(f"a GPS fix of {point.dimensions} dimensions")
    if point.utc_ns is not None and not 0 <= point.utc_ns < _LATEST_NS:
        raise MediaError("a GPS fix of an impossible year")


def _gps5_stream(points: Sequence[GpsPoint]) -> bytes:
    when = []
    if points[0].utc_ns is not None:
        moment = _EPOCH + timedelta(milliseconds=points[0].utc_ns // 10**6)
        stamp = f"{moment:%y%m%d%H%M%S}.{moment.microsecond // 1000:03}"
        when.append(klv(b"GPSU", b"U", 16, stamp.encode()))
    return nested(
        b"STRM",
        text(b"STNM", _GPS5_NAME),
        klv(b"GPSF", b"L", 4, struct.pack(">I", min(point.dimensions for point in points))),
        *when,
        klv(b"UNIT", b"c", 3, _units(5)),
        klv(b"SCAL", b"l", 4, struct.pack(">5i", *_GPS5_SCALES)),
        klv(b"GPS5", b"l", 20, b"".join(_packed(">5i", *_shown_numbers(point)) for point in points)),
    )


def _gps9_stream(points: Sequence[GpsPoint]) -> bytes:
    rows = bytearray()
    for point in points:
        day, within_day_ns = divmod(point.utc_ns or 0, _DAY_NS)
        hdop = _NOT_REPORTED_DOP if point.hdop_centi is None else min(point.hdop_centi, _NOT_REPORTED_DOP)
        when = (day - _DAYS_1970_TO_2000, within_day_ns // 10**6)
        rows += _packed(_GPS9.format, *_shown_numbers(point), *when, hdop, point.dimensions)
    return nested(
        b"STRM",
        text(b"STNM", _GPS9_NAME),
        klv(b"UNIT", b"c", 3, _units(9)),
        text(b"TYPE", "lllllllSS"),
        klv(b"SCAL", b"l", 4, struct.pack(">9i", *_GPS9_SCALES)),
        klv(b"GPS9", b"?", _GPS9.size, bytes(rows)),
    )


def _units(count: int) -> bytes:
    return b"".join(unit.encode().ljust(3, b"\x00") for unit in _GPS9_UNITS[:count])


def _shown_numbers(point: GpsPoint) -> tuple[int, int, int, int, int]:
    """Latitude, longitude, altitude and twice the speed as GPS5 and GPS9 begin with them."""
    altitude = _NOT_REPORTED_32 if point.altitude_mm is None else point.altitude_mm
    speed = _NOT_REPORTED_32 if point.speed_mm_s is None else point.speed_mm_s
    return _rounded(point.latitude_nd, 100), _rounded(point.longitude_nd, 100), altitude, speed, speed


def _packed(form: str, *numbers: int) -> bytes:
    try:
        return struct.pack(form, *numbers)
    except struct.error as error:
        raise MediaError(f"a GPS point with a number out of range: {error}") from error


def _rounded(value: int, step: int) -> int:
    """`value` / `step` to the nearest whole number, exact halves away from zero."""
    magnitude = (abs(value) + step // 2) // step
    return magnitude if value >= 0 else -magnitude


def _to_claim(point: GpsPoint) -> bytes:
    return _packed(_CLAIM.format, *(_NOT_REPORTED_64 if value is None else value for value in astuple(point)))


def _read_claims(data: Buffer, found: Klv) -> list[GpsPoint]:
    if found.kind != b"j" or found.structure_bytes != _CLAIM.size:
        raise MediaError("an FHGP stream of an unknown form")
    points = []
    for row in _CLAIM.iter_unpack(data[found.start : found.end]):
        latitude, longitude, *others = row
        altitude, speed, course, utc, received, hdop, dimensions, satellites = (
            None if value == _NOT_REPORTED_64 else value for value in others
        )
        point = GpsPoint(latitude, longitude, altitude, speed, course, utc, received, hdop, dimensions or 0, satellites)
        _check_point(point)
        points.append(point)
    return points


def _read_gps9(data: Buffer, found: Klv, entries: Sequence[Klv]) -> list[GpsPoint]:
    described = {entry.key: bytes(data[entry.start : entry.end]) for entry in entries if not entry.is_nested}
    if found.structure_bytes != _GPS9.size or described.get(b"TYPE") != b"lllllllSS":
        raise MediaError("a GPS9 stream of an unknown form")
    if len(described.get(b"SCAL", b"")) != 36:
        raise MediaError("a GPS9 stream without its nine scales")
    scales = struct.unpack(">9i", described[b"SCAL"])
    if any(scale <= 0 for scale in scales):
        raise MediaError("a GPS9 stream with an impossible scale")
    points = []
    for row in _GPS9.iter_unpack(data[found.start : found.end]):
        latitude, longitude, altitude, speed, _, day, time_of_day, dop, dimensions = row
        if dimensions == 0 and (latitude, longitude) == (0, 0):
            continue  # how foreign cameras write "no fix"
        second_ns = time_of_day * 10**9 // scales[6]
        point = GpsPoint(
            latitude_nd=latitude * 10**9 // scales[0],
            longitude_nd=longitude * 10**9 // scales[1],
            altitude_mm=None if altitude == _NOT_REPORTED_32 else altitude * 1000 // scales[2],
            speed_mm_s=None if speed == _NOT_REPORTED_32 else speed * 1000 // scales[3],
            utc_ns=(day // scales[5] + _DAYS_1970_TO_2000) * _DAY_NS + second_ns,
            hdop_centi=None if dop == _NOT_REPORTED_DOP else dop * 100 // scales[7],
            dimensions=dimensions,
        )
        _check_point(point)
        points.append(point)
    return points


def _read_sentences(data: Buffer, found: Klv) -> list[str]:
    lines = bytes(data[found.start : found.end])
    if found.kind != b"c" or not lines.endswith(b"\n") or not lines.isascii():
        raise MediaError("an NMEA stream of an unknown form")
    return [_checked_sentence(line) for line in lines[:-1].decode("ascii").split("\n")]
