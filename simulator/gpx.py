"""A route out of a GPX 1.0 or 1.1 file: its track, else its route, else its waypoints. Size-limited and strict.

Document types and entities are refused: nothing in a file makes us read another file, or a small file large.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from xml.parsers import expat

from simulator.route import M_PER_DEGREE, MOST_KMH, MOST_POINTS, Route, RouteRefused, Waypoint

MOST_BYTES: Final = 8 * 1024 * 1024
MOST_DEPTH: Final = 16
_POINTS: Final = {"trkpt": "track", "rtept": "route", "wpt": "waypoints"}
_TEXTS: Final = ("ele", "time")
_LONGEST_TEXT: Final = 64
STANDS_M: Final = 3.0
"""Two points of a track closer than this, and seconds apart: it stood."""


@dataclass(slots=True)
class _Point:
    latitude: float
    longitude: float
    altitude_m: float | None = None
    at_s: float | None = None


@dataclass
class _Reader:
    """What expat has told so far."""

    name: str
    found: dict[str, list[_Point]] = field(default_factory=lambda: {kind: [] for kind in _POINTS.values()})
    _path: list[str] = field(default_factory=list)
    _point: _Point | None = None
    _text: str | None = None

    def refuse(self, why: str) -> RouteRefused:
        return RouteRefused(f"{self.name}: {why}")

    def begin(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins; its namespace is left out."""
        local = tag.rpartition(":")[2]
        if not self._path and local != "gpx":
            raise self.refuse(f"begins with <{local[:40]}> and is no GPX file")
        if len(self._path) >= MOST_DEPTH:
            raise self.refuse("is nested deeper than any GPX file")
        self._path.append(local)
        if local in _POINTS:
            self._point = _Point(self._angle(attributes, "lat", 89), self._angle(attributes, "lon", 180))
        elif local in _TEXTS and self._point is not None and self._path[-2] in _POINTS:
            self._text = ""

    def text(self, data: str) -> None:
        """Text of the element that is open; only those of a point's height and time are kept."""
        if self._text is not None:
            self._text = (self._text + data)[:_LONGEST_TEXT]

    def end(self, _tag: str) -> None:
        """An element ends."""
        local = self._path.pop()
        if self._text is not None and local in _TEXTS and self._point is not None:
            if local == "ele":
                self._point.altitude_m = self._number(self._text, "height", -500, 9000)
            else:
                self._point.at_s = self._moment(self._text)
            self._text = None
        elif local in _POINTS and self._point is not None:
            points = self.found[_POINTS[local]]
            points.append(self._point)
            self._point = None
            if len(points) > MOST_POINTS:
                raise self.refuse(f"has more than {MOST_POINTS} points")

    def entity(self, *_arguments: object) -> None:
        """A document type or an entity."""
        raise self.refuse("declares a document type, which no GPX file needs; remove it")

    def _angle(self, attributes: dict[str, str], name: str, most: float) -> float:
        if name not in attributes:
            raise self.refuse(f"has a point without {name}")
        return self._number(attributes[name], name, -most, most)

    def _number(self, text: str, what: str, least: float, most: float) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:
            raise self.refuse(f"{what} {text.strip()[:30]!r} is not a number from {least:g} to {most:g}")
        return value

    def _moment(self, text: str) -> float:
        try:
            moment = datetime.fromisoformat(text.strip())
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            return moment.timestamp()
        except (ValueError, OverflowError) as error:
            raise self.refuse(f"time {text.strip()[:30]!r} is none") from error


def read_gpx(path: Path) -> Route:
    """The route in a file. Raises `RouteRefused` with one sentence, OSError if it cannot be read."""
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    return parse_gpx(data, path.name)


def parse_gpx(data: bytes, name: str = "the GPX file") -> Route:
    """The route in the bytes of a GPX file; `name` is for messages. Raises `RouteRefused`."""
    if len(data) > MOST_BYTES:
        raise RouteRefused(f"{name}: larger than {MOST_BYTES // 2**20} MiB; thin the track out first")
    reader, parser = _Reader(name), expat.ParserCreate()
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.entity
    parser.EntityDeclHandler = reader.entity
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        if isinstance(error, RouteRefused):
            raise
        raise RouteRefused(f"{name}: not well-formed XML: {error}") from error
    points = next((points for points in reader.found.values() if points), None)
    if points is None:
        raise RouteRefused(f"{name}: holds no track, no route and no waypoint")
    return _timed(points, name) if _has_times(points) else Route(tuple(_plain(one) for one in points))


def _plain(one: _Point) -> Waypoint:
    return Waypoint(lat=one.latitude, lon=one.longitude, altitude_m=one.altitude_m)


def _has_times(points: list[_Point]) -> bool:
    return len(points) > 1 and all(one.at_s is not None for one in points)


def _timed(points: list[_Point], name: str) -> Route:
    """A recorded track: driven as fast as it was, with its stops."""
    made: list[Waypoint] = []
    kept, wait_s = points[0], 0.0
    for one in points[1:]:
        assert one.at_s is not None
        assert kept.at_s is not None
        passed_s, length_m = one.at_s - kept.at_s, _apart_m(kept, one)
        if passed_s <= 0:
            raise RouteRefused(f"{name}: its times go back or stand still; sort the track by time")
        if length_m < STANDS_M and passed_s >= 1:
            wait_s += passed_s  # it stood, and what it moved is the receiver's noise
            kept = _Point(kept.latitude, kept.longitude, kept.altitude_m, one.at_s)
            continue
        kmh = min(MOST_KMH, max(1.0, length_m / passed_s * 3.6))
        made.append(
            Waypoint(
                lat=kept.latitude,
                lon=kept.longitude,
                kmh=kmh,
                wait_s=min(wait_s, 86_400.0),
                altitude_m=kept.altitude_m,
            )
        )
        kept, wait_s = one, 0.0
    made.append(_plain(kept))
    return Route(tuple(made), corners=False)


def _apart_m(one: _Point, other: _Point) -> float:
    north_m = (other.latitude - one.latitude) * M_PER_DEGREE
    east_m = (other.longitude - one.longitude) * M_PER_DEGREE * math.cos(math.radians(one.latitude))
    return math.hypot(north_m, east_m)
