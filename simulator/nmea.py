"""NMEA 0183 sentences of a simulated drive, and a real receiver's log cut into epochs. Pure: no clock, no port."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime

_LONGEST_STEP_S = 10.0
_DAY_S = 86_400.0
_M_PER_DEGREE = 111_195.0
_KNOTS_PER_M_S = 3600 / 1852

# A drive around a few blocks of Meriden, Connecticut: north and east of the start, in metres.
_START = (41.538200, -72.807000)
_CORNERS = [(0.0, 0.0), (0.0, 260.0), (190.0, 275.0), (185.0, 520.0), (-160.0, 505.0), (-150.0, -60.0), (5.0, -70.0)]
_CRUISE_M_S = 11.0
_CORNER_M_S = 3.5
_ALTITUDE_M = 47.0
_SATELLITES = [
    (2, 62, 301, 41), (5, 38, 214, 37), (7, 21, 68, 29), (11, 17, 148, 27), (13, 55, 92, 43), (15, 44, 187, 39),
    (20, 12, 272, 25), (24, 8, 33, 22), (29, 33, 316, 36), (30, 71, 20, 44),
]  # fmt: skip


def sentence(body: str) -> str:
    """A whole sentence without its line end: ``$BODY*CHECKSUM``."""
    checksum = 0
    for letter in body.encode("ascii"):
        checksum ^= letter
    return f"${body}*{checksum:02X}"


class RouteReceiver:
    """A receiver in a car that drives around the blocks for ever; one epoch a second."""

    def __init__(self) -> None:
        self.has_fix = True
        self.frozen = False
        self.speed_kmh: float | None = None
        """Drive at that speed, corners or not; None: the drive's own."""
        self._drive = _drive()
        self._shift_m = (0.0, 0.0)
        self._last: list[str] = []

    def teleport(self, north_m: float, east_m: float) -> None:
        """Shift all positions from now on by so many metres more."""
        self._shift_m = (self._shift_m[0] + north_m, self._shift_m[1] + east_m)

    def _next(self) -> tuple[float, float, float, float]:
        """One second further: as far as that speed carries."""
        place = next(self._drive)
        if self.speed_kmh is None:
            return place
        wanted_m = self.speed_kmh / 3.6
        while (done_m := place[2]) and wanted_m > done_m:
            wanted_m -= done_m
            place = next(self._drive)
        return place[0], place[1], self.speed_kmh / 3.6, place[3]

    def epoch(self, utc_ns: int) -> list[str]:
        """The sentences of the next second: RMC, GGA, GSA, GSV. `utc_ns` is nanoseconds since 1970."""
        north_m, east_m, speed_m_s, course = self._next()
        if self.frozen and self._last:
            return self._last
        moment = datetime.fromtimestamp(utc_ns // 1_000_000_000, UTC)
        clock, date = f"{moment:%H%M%S}.00", f"{moment:%d%m%y}"
        if not self.has_fix:
            self._last = _void(clock, date)
            return self._last
        latitude = _START[0] + (north_m + self._shift_m[0]) / _M_PER_DEGREE
        longitude = _START[1] + (east_m + self._shift_m[1]) / (_M_PER_DEGREE * math.cos(math.radians(_START[0])))
        place = f"{_degrees(latitude, 2, 'NS')},{_degrees(longitude, 3, 'EW')}"
        used = ",".join(f"{number:02}" for number, *_ in _SATELLITES) + "," * (12 - len(_SATELLITES))
        altitude_m = _ALTITUDE_M + 3 * math.sin(north_m / 90)
        self._last = [
            sentence(f"GPRMC,{clock},A,{place},{speed_m_s * _KNOTS_PER_M_S:.3f},{course:.2f},{date},,,A"),
            sentence(f"GPGGA,{clock},{place},1,{len(_SATELLITES):02},0.92,{altitude_m:.1f},M,-33.4,M,,"),
            sentence(f"GPGSA,A,3,{used},1.61,0.92,1.32"),
            *_in_view(_SATELLITES),
        ]
        return self._last


def log_epochs(text: str) -> list[tuple[list[str], float]]:
    """Cut a receiver's log into epochs, each with the pause in seconds until the next one.

    An epoch ends where the sentences' time field changes. Time that goes back or jumps by over 10 s makes a pause of
    one second. Lines are kept as they are, those that begin with ``#`` and empty ones are left out.
    A last epoch that the end of the log cut short is left out: in a loop it would run into the first one, and gpsd does
    not report its position either.
    """
    epochs: list[tuple[list[str], float]] = []
    lines: list[str] = []
    now_s: float | None = None
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        told_s = _time_s(line)
        if told_s is not None and now_s is not None and told_s != now_s:
            step_s = (told_s - now_s) % _DAY_S  # midnight is a small step, going back is a large one
            epochs.append((lines, step_s if step_s <= _LONGEST_STEP_S else 1.0))
            lines = []
        if told_s is not None:
            now_s = told_s
        lines.append(line)
    if (any(line.startswith("$") for line in lines) or epochs) and not _cut_short(lines, epochs):
        epochs.append((lines, 1.0))
    return epochs


def _cut_short(lines: list[str], before: list[tuple[list[str], float]]) -> bool:
    """Whether the last epoch lacks a sentence that every whole epoch of the log has."""
    whole = [_addresses(epoch) for epoch, _ in before[1:]]  # the log may begin in the middle of the first
    return bool(whole) and not frozenset.intersection(*whole) <= _addresses(lines)


def _addresses(lines: list[str]) -> frozenset[str]:
    return frozenset(line.split(",", 1)[0] for line in lines if line.startswith("$"))


def _time_s(line: str) -> float | None:
    """Seconds since midnight from an RMC or GGA sentence; None where there is no time."""
    fields = line.split(",")
    if len(fields) < 2 or not line.startswith("$") or fields[0][-3:] not in {"RMC", "GGA"}:
        return None
    clock = fields[1]
    if len(clock) < 6 or not clock[:6].isdecimal():
        return None
    try:
        return int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + float(clock[4:])
    except ValueError:
        return None


def _drive() -> Iterator[tuple[float, float, float, float]]:
    """Each second: metres north and east of the start, metres per second, course in degrees."""
    while True:
        for (north, east), (north_to, east_to) in zip(_CORNERS, _CORNERS[1:] + _CORNERS[:1], strict=True):
            length_m = math.hypot(north_to - north, east_to - east)
            course = math.degrees(math.atan2(east_to - east, north_to - north)) % 360
            done_m = 0.0
            while done_m < length_m:
                # Slow down before a corner and speed up after it, by 1.6 m/s every second.
                to_corner_m = min(done_m, length_m - done_m)
                speed_m_s = min(_CRUISE_M_S, math.sqrt(_CORNER_M_S**2 + 2 * 1.6 * to_corner_m))
                share = done_m / length_m
                yield north + share * (north_to - north), east + share * (east_to - east), speed_m_s, course
                done_m += speed_m_s


def _void(clock: str, date: str) -> list[str]:
    """What a receiver says that keeps its time and sees no satellite."""
    return [
        sentence(f"GPRMC,{clock},V,,,,,,,{date},,,N"),
        sentence(f"GPGGA,{clock},,,,,0,00,99.99,,,,,,"),
        sentence("GPGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99"),
        sentence("GPGSV,1,1,00"),
    ]


def _in_view(satellites: list[tuple[int, int, int, int]]) -> list[str]:
    groups = [satellites[i : i + 4] for i in range(0, len(satellites), 4)]
    return [
        sentence(
            f"GPGSV,{len(groups)},{number},{len(satellites):02},"
            + ",".join(f"{prn:02},{height:02},{azimuth:03},{level:02}" for prn, height, azimuth, level in group)
        )
        for number, group in enumerate(groups, start=1)
    ]


def _degrees(value: float, digits: int, signs: str) -> str:
    """``ddmm.mmmmm,N``: degrees with `digits` places and minutes."""
    minutes = round(abs(value) * 60, 5)
    whole, rest = divmod(minutes, 60)
    return f"{int(whole):0{digits}}{rest:08.5f},{signs[0] if value >= 0 else signs[1]}"
