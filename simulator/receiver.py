"""A simulated GPS receiver: what it reports, second after second, of a drive, a sky and what goes wrong (R5). Pure.

One call of `RouteReceiver.epoch` is one second. The error of a position wanders, as a real receiver's does: it is off
by a metre or two and stays off in the same direction for a minute; between high houses by a street's width.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from simulator.nmea import Fix, fixed, void
from simulator.route import BLOCKS, Drive, Place, Route
from simulator.sky import Seen, Sky, View

NS_PER_S: Final = 1_000_000_000
HOME_ALTITUDE_M: Final = 47.0
GNSS_WEEKS: Final = 1024
"""A receiver whose firmware is older than the last roll-over of the week number is off by so many weeks."""
NO_TIME_S: Final = 4
"""After a cold start: no time at all…"""
NO_DATE_S: Final = 9
"""…then the time of day…"""
NO_FIX_S: Final = 20
"""…then the date too, and still no place; then, for ten seconds, a place without a height."""
FLAT_FIX_S: Final = 30
STANDS_M_S: Final = 0.3
"""Slower than that a receiver names no course."""
_SPEED_DOUBT_M_S: Final = 0.05
_WANDER: Final[dict[View, tuple[float, float]]] = {"open": (0.9, 90.0), "canyon": (9.0, 25.0), "none": (0.9, 90.0)}
"""Size of the error in metres, and for how many seconds it stays much the same."""
_BEARING: Final = 60.0
"""Where a spoofer drags the position to, degrees."""


@dataclass(slots=True)
class Spoofer:
    """Somebody who sends false satellites: the receiver believes him, and its sentences are without a fault."""

    drag_m_s: float = 0.0
    """How fast the position is drawn away from the true one."""
    north_m: float = 0.0
    east_m: float = 0.0
    time_s: float = 0.0
    """How far the false satellites' time is from the true one."""


_WITHOUT_SKY: Final = 2
"""So many sentences of an epoch say nothing of the satellites: RMC and GGA."""


class RouteReceiver:
    """A receiver that moves along a route; one epoch a second."""

    def __init__(self, route: Route = BLOCKS, seed: int = 0) -> None:
        self.has_fix = True
        """False: no satellite is heard; the receiver keeps its time."""
        self.frozen = False
        """It repeats its last epoch for ever: a stale fix."""
        self.view: View = "open"
        self.sky_every_s = 1
        """How often it tells of its satellites (GSA, GSV); positions come every second."""
        self.speed_kmh: float | None = None
        """Drive at that speed, corners or not; None: the route's own."""
        self.weeks_off = 0
        """How many weeks its date is behind (1024 after a roll-over that its firmware does not know)."""
        self.spoofer: Spoofer | None = None
        self._drive = Drive(route)
        self._sky = Sky(seed)
        self._chance = random.Random(f"receiver {seed}")
        self._shift_m = (0.0, 0.0)
        self._wander_m = [0.0, 0.0, 0.0]
        self._cold_s: int | None = None
        self._second = 0
        self._last: list[str] = []

    @property
    def place(self) -> Place:
        """Where it truly is."""
        return self._drive.place(self.speed_kmh)

    def follow(self, route: Route) -> None:
        """From now on another route, from its first point on."""
        self._drive = Drive(route)

    def teleport(self, north_m: float, east_m: float) -> None:
        """Shift all positions from now on by so many metres more."""
        self._shift_m = (self._shift_m[0] + north_m, self._shift_m[1] + east_m)

    def home(self) -> None:
        """Take every `teleport` back."""
        self._shift_m = (0.0, 0.0)

    def cold_start(self) -> None:
        """It has just got power and knows nothing: no time, then no date, then no place."""
        self._cold_s = 0

    def warm(self) -> None:
        """A cold start is over at once."""
        self._cold_s = None

    def epoch(self, utc_ns: int) -> list[str]:
        """The sentences of the next second: RMC, GGA, GSA, GSV. `utc_ns` is nanoseconds since 1970."""
        place = self._drive.place(self.speed_kmh)
        self._drive.go(1.0, self.speed_kmh)
        self._second += 1
        self._spoof_on()
        tells = (self._second - 1) % self.sky_every_s == 0
        seen = self._look(place)
        in_view = seen.in_view if tells else ()
        if self.frozen and self._last:
            return self._last
        clock, date = self._time(utc_ns)
        cold_s = self._cold_s
        if cold_s is not None:
            self._cold_s = cold_s + 1 if cold_s + 1 < FLAT_FIX_S else None
            clock, date = clock if cold_s >= NO_TIME_S else "", date if cold_s >= NO_DATE_S else ""
        lost = not self.has_fix or self.view == "none"
        if lost or len(seen.used) < 3 or (cold_s is not None and cold_s < NO_FIX_S):
            self._last = void(clock, date, () if lost else in_view)
        else:
            self._last = fixed(clock, date, self._fix(place, seen), in_view)
        if not tells:
            del self._last[_WITHOUT_SKY:]
        return self._last

    def _look(self, place: Place) -> Seen:
        spoofed = self.spoofer is not None
        few = 3 if self._cold_s is not None else 12
        seen = self._sky.look(self._second, self.view, place.course, spoofed=spoofed, most=10 if spoofed else few)
        size_m, keeps_s = _WANDER["open" if spoofed else self.view]
        keeps = math.exp(-1 / keeps_s)
        for axis, share in ((0, 0.75), (1, 0.65), (2, 1.6)):
            noise = self._chance.gauss(0, share * size_m * math.sqrt(1 - keeps**2))
            self._wander_m[axis] = keeps * self._wander_m[axis] + noise
        return seen

    def _spoof_on(self) -> None:
        spoofer = self.spoofer
        if spoofer is not None:
            spoofer.north_m += spoofer.drag_m_s * math.cos(math.radians(_BEARING))
            spoofer.east_m += spoofer.drag_m_s * math.sin(math.radians(_BEARING))

    def _time(self, utc_ns: int) -> tuple[str, str]:
        """What it writes into its sentences: time of day, date."""
        spoofed_s = self.spoofer.time_s if self.spoofer is not None else 0.0
        moment = datetime.fromtimestamp(utc_ns // NS_PER_S, UTC) + timedelta(weeks=-self.weeks_off, seconds=spoofed_s)
        clock = f"{moment.hour:02}{moment.minute:02}{moment.second:02}.00"
        return clock, f"{moment.day:02}{moment.month:02}{moment.year % 100:02}"

    def _fix(self, place: Place, seen: Seen) -> Fix:
        north_m, east_m = self._shift_m[0] + self._wander_m[0], self._shift_m[1] + self._wander_m[1]
        spoofer = self.spoofer
        course = math.radians(place.course)
        north_m_s, east_m_s = place.speed_m_s * math.cos(course), place.speed_m_s * math.sin(course)
        if spoofer is not None:  # place, speed and course of the false track agree
            north_m, east_m = north_m + spoofer.north_m, east_m + spoofer.east_m
            north_m_s += spoofer.drag_m_s * math.cos(math.radians(_BEARING))
            east_m_s += spoofer.drag_m_s * math.sin(math.radians(_BEARING))
        doubt_m_s = _SPEED_DOUBT_M_S if self.speed_kmh is None else 0.0  # who drives at a speed sees that speed
        speed_m_s = abs(math.hypot(north_m_s, east_m_s) + self._chance.gauss(0, doubt_m_s))
        told_course = math.degrees(math.atan2(east_m_s, north_m_s)) + self._chance.gauss(0, 0.3)
        latitude, longitude = place.shifted(north_m, east_m)
        altitude_m = HOME_ALTITUDE_M if place.altitude_m is None else place.altitude_m
        return Fix(
            latitude=latitude,
            longitude=longitude,
            altitude_m=altitude_m + self._wander_m[2],
            speed_m_s=speed_m_s,
            course=told_course if speed_m_s > STANDS_M_S else None,
            used=seen.used,
            dilution=seen.dilution,
        )
