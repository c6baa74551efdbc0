"""Where a simulated car or officer goes: points on the ground, joined by straight legs, with speeds and stops. Pure.

A route comes from a GPX file (`simulator.gpx`), from a list that somebody drew, or is the drive around a few blocks
that every run has by itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated, Final

import msgspec
from msgspec import Meta

M_PER_DEGREE: Final = 111_195.0
CRUISE_KMH: Final = 39.6
"""Through a town."""
MOST_KMH: Final = 300.0
PULL_M_S2: Final = 1.6
"""How hard an easy driver brakes and speeds up."""
CORNER_M_S: Final = 3.5
TURN_M_S: Final = 1.5
"""Turning round on the spot."""
CREEP_M_S: Final = 0.5
"""The slowest a car rolls before it stands."""
SAME_PLACE_M: Final = 0.5
MOST_POINTS: Final = 50_000
_STEP_S: Final = 0.2


class RouteRefused(ValueError):
    """A route that cannot be driven; one sentence."""


class Waypoint(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One point of a route."""

    lat: Annotated[float, Meta(ge=-89, le=89)]
    """Degrees, north positive."""
    lon: Annotated[float, Meta(ge=-180, le=180)]
    """Degrees, east positive."""
    kmh: Annotated[float, Meta(ge=1, le=MOST_KMH)] | None = None
    """How fast it goes on from here; None: as through a town."""
    wait_s: Annotated[float, Meta(ge=0, le=86_400)] = 0.0
    """How long it stands here."""
    altitude_m: Annotated[float, Meta(ge=-500, le=9000)] | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where it is now, and how it moves."""

    latitude: float
    longitude: float
    altitude_m: float | None
    speed_m_s: float
    course: float
    """Degrees from north."""

    def shifted(self, north_m: float, east_m: float) -> tuple[float, float]:
        """Latitude and longitude of a point that far off."""
        latitude = self.latitude + north_m / M_PER_DEGREE
        return latitude, self.longitude + east_m / (M_PER_DEGREE * math.cos(math.radians(self.latitude)))


@dataclass(frozen=True, slots=True)
class _Leg:
    start: Waypoint
    end: Waypoint
    length_m: float
    course: float
    cruise_m_s: float


@dataclass(frozen=True)
class Route:
    """Points to drive along, once or round and round. Raises `RouteRefused`."""

    points: tuple[Waypoint, ...]
    loop: bool = False
    """From the last point on to the first, for ever; otherwise it stays at the last one."""
    corners: bool = True
    """Slow down before corners and stops; a recorded track has its own speeds."""
    _legs: tuple[_Leg, ...] = field(init=False, repr=False, compare=False)
    _limits_m_s: tuple[float, ...] = field(init=False, repr=False, compare=False)
    """How fast the start of each leg may be passed."""

    def __post_init__(self) -> None:
        if not self.points:
            raise RouteRefused("a route needs at least one point")
        if len(self.points) > MOST_POINTS:
            raise RouteRefused(f"a route has at most {MOST_POINTS} points, this one has {len(self.points)}")
        ends = self.points[1:] + (self.points[:1] if self.loop else ())
        legs = (_leg(start, end) for start, end in zip(self.points, ends, strict=False))
        object.__setattr__(self, "_legs", tuple(one for one in legs if one.length_m > SAME_PLACE_M or one.start.wait_s))
        object.__setattr__(self, "_limits_m_s", tuple(self._limit(index) for index in range(len(self._legs))))

    @property
    def legs(self) -> tuple[_Leg, ...]:
        """The legs that are really driven."""
        return self._legs

    @property
    def length_m(self) -> float:
        """Of one round."""
        return sum(leg.length_m for leg in self._legs)

    def speed_m_s(self, index: int, done_m: float) -> float:
        """How fast it goes on leg `index`, `done_m` after its start."""
        leg = self._legs[index]
        if not self.corners:
            return leg.cruise_m_s
        after = self._limits_m_s[(index + 1) % len(self._legs)] if self.loop or index + 1 < len(self._legs) else 0.0
        pull = 2 * PULL_M_S2
        speed = min(
            leg.cruise_m_s,
            math.sqrt(self._limits_m_s[index] ** 2 + pull * done_m),
            math.sqrt(after**2 + pull * max(0.0, leg.length_m - done_m)),
        )
        return max(CREEP_M_S, speed)

    def _limit(self, index: int) -> float:
        leg = self._legs[index]
        if leg.start.wait_s or (index == 0 and not self.loop):
            return 0.0
        before = self._legs[index - 1]
        slower = min(before.cruise_m_s, leg.cruise_m_s)
        turn = abs((leg.course - before.course + 180) % 360 - 180)
        if turn > 120:
            return min(slower, TURN_M_S)
        return min(slower, max(CORNER_M_S, slower * (1 - turn / 90)))


class Drive:
    """Somebody who is on the way along a route."""

    def __init__(self, route: Route) -> None:
        self.route = route
        self._leg = 0
        self._done_m = 0.0
        self._waited_s = 0.0
        self._there = not route.legs

    def place(self, kmh: float | None = None) -> Place:
        """Where it is now. `kmh` as in `go`."""
        if self._there:
            last = self.route.points[-1]
            course = self.route.legs[-1].course if self.route.legs else 0.0
            return Place(last.lat, last.lon, last.altitude_m, 0.0, course)
        leg = self.route.legs[self._leg]
        share = self._done_m / leg.length_m if leg.length_m else 0.0
        start, end = leg.start, leg.end
        waits = self._waited_s < start.wait_s and kmh is None
        speed_m_s = 0.0 if waits else kmh / 3.6 if kmh is not None else self.route.speed_m_s(self._leg, self._done_m)
        altitude_m = None
        if start.altitude_m is not None and end.altitude_m is not None:
            altitude_m = start.altitude_m + share * (end.altitude_m - start.altitude_m)
        latitude = start.lat + share * (end.lat - start.lat)
        return Place(latitude, start.lon + share * (end.lon - start.lon), altitude_m, speed_m_s, leg.course)

    def go(self, seconds: float, kmh: float | None = None) -> None:
        """Go on for so long; at `kmh` without slowing down or stopping, if it is given."""
        left_s = seconds
        while left_s > 1e-9 and not self._there:
            step_s = min(_STEP_S, left_s)
            left_s -= step_s
            leg = self.route.legs[self._leg]
            if kmh is None and self._waited_s < leg.start.wait_s:
                self._waited_s += step_s
                continue
            speed_m_s = self.route.speed_m_s(self._leg, self._done_m) if kmh is None else kmh / 3.6
            self._done_m += speed_m_s * step_s
            while not self._there and self._done_m >= self.route.legs[self._leg].length_m:
                self._done_m -= self.route.legs[self._leg].length_m
                self._next_leg()
                if kmh is None and not self._there and self.route.legs[self._leg].start.wait_s:
                    self._done_m = 0.0
                    break

    def _next_leg(self) -> None:
        self._waited_s = 0.0
        if self._leg + 1 < len(self.route.legs):
            self._leg += 1
        elif self.route.loop and self.route.length_m > SAME_PLACE_M:
            self._leg = 0
        else:
            self._there = True


def _leg(start: Waypoint, end: Waypoint) -> _Leg:
    north_m = (end.lat - start.lat) * M_PER_DEGREE
    east_m = (end.lon - start.lon) * M_PER_DEGREE * math.cos(math.radians((start.lat + end.lat) / 2))
    cruise_m_s = (CRUISE_KMH if start.kmh is None else start.kmh) / 3.6
    return _Leg(start, end, math.hypot(north_m, east_m), math.degrees(math.atan2(east_m, north_m)) % 360, cruise_m_s)


def drawn_route(values: object, *, loop: bool = False) -> Route:
    """A route that somebody drew: a list of ``{"lat":…,"lon":…,"kmh":…,"wait_s":…}``. Raises `RouteRefused`."""
    try:
        points = msgspec.convert(values, tuple[Waypoint, ...])
    except msgspec.ValidationError as error:
        raise RouteRefused(f"not a list of points of a route: {error}") from error
    return Route(points, loop=loop)


def _blocks() -> Route:
    """A drive around a few blocks of Meriden, Connecticut."""
    corners = ((0, 0), (0, 260), (190, 275), (185, 520), (-160, 505), (-150, -60), (5, -70))
    start = Place(41.538200, -72.807000, None, 0, 0)
    places: Sequence[tuple[float, float]] = [start.shifted(north, east) for north, east in corners]
    return Route(tuple(Waypoint(lat=lat, lon=lon) for lat, lon in places), loop=True)


BLOCKS: Final = _blocks()
