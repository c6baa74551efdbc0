"""NMEA 0183 sentences as receivers write them: RMC, GGA, GSA, GSV, with a fix and without. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

KNOTS_PER_M_S: Final = 3600 / 1852
GEOID_M: Final = -33.4
"""The sea level of the place is that far from the ellipsoid."""
NO_DOP: Final = 99.99
_FOLDS: Final = tuple(8 << power for power in range(7, -1, -1))
"""Halves of 256 octets, of 128, and so on: all octets of a sentence are combined in a few steps."""


def sentence(body: str) -> str:
    """A whole sentence without its line end: ``$BODY*CHECKSUM``. At most 256 letters (the standard has 82)."""
    folded = int.from_bytes(body.encode("ascii"), "big")
    for bits in _FOLDS:
        folded ^= folded >> bits
    return f"${body}*{folded & 0xFF:02X}"


@dataclass(frozen=True, slots=True)
class Satellite:
    """One satellite in view."""

    prn: int
    height: int
    """Degrees above the horizon."""
    azimuth: int
    level: int | None
    """Signal to noise, dBHz; None for one that is not heard."""


@dataclass(frozen=True, slots=True)
class Dilution:
    """Dilution of precision: of all, horizontally, vertically."""

    position: float
    horizontal: float
    vertical: float


@dataclass(frozen=True, slots=True)
class Fix:
    """What a receiver with a fix reports."""

    latitude: float
    longitude: float
    altitude_m: float
    speed_m_s: float
    course: float | None
    """Degrees; None while it stands: nobody knows."""
    used: tuple[int, ...]
    """PRN of the satellites that are used."""
    dilution: Dilution

    @property
    def dimensions(self) -> int:
        """Four satellites give the height too."""
        return 3 if len(self.used) > 3 else 2


def fixed(clock: str, date: str, fix: Fix, in_view: Sequence[Satellite]) -> list[str]:
    """An epoch with a fix. `clock` is ``hhmmss.ss``, `date` is ``ddmmyy``."""
    place = f"{degrees(fix.latitude, 2, 'NS')},{degrees(fix.longitude, 3, 'EW')}"
    course = "" if fix.course is None else f"{fix.course % 360:.2f}"
    used = ",".join(f"{number:02}" for number in fix.used[:12]) + "," * (12 - min(12, len(fix.used)))
    dop = fix.dilution
    return [
        sentence(f"GPRMC,{clock},A,{place},{fix.speed_m_s * KNOTS_PER_M_S:.3f},{course},{date},,,A"),
        sentence(
            f"GPGGA,{clock},{place},1,{len(fix.used):02},{dop.horizontal:.2f},{fix.altitude_m:.1f},M,{GEOID_M},M,,"
        ),
        sentence(f"GPGSA,A,{fix.dimensions},{used},{dop.position:.2f},{dop.horizontal:.2f},{dop.vertical:.2f}"),
        *satellites(in_view),
    ]


def void(clock: str, date: str, in_view: Sequence[Satellite] = ()) -> list[str]:
    """An epoch without a fix; empty `clock` or `date`: the receiver does not know it either."""
    return [
        sentence(f"GPRMC,{clock},V,,,,,,,{date},,,N"),
        sentence(f"GPGGA,{clock},,,,,0,00,{NO_DOP},,,,,,"),
        sentence(f"GPGSA,A,1,,,,,,,,,,,,,{NO_DOP},{NO_DOP},{NO_DOP}"),
        *satellites(in_view),
    ]


def satellites(in_view: Sequence[Satellite]) -> list[str]:
    """GSV: four satellites in each sentence; one that is not heard has no level."""
    if not in_view:
        return [sentence("GPGSV,1,1,00")]
    groups = [in_view[i : i + 4] for i in range(0, len(in_view), 4)]
    return [
        sentence(
            f"GPGSV,{len(groups)},{number},{len(in_view):02},"
            + ",".join(
                f"{one.prn:02},{one.height:02},{one.azimuth:03},{'' if one.level is None else f'{one.level:02}'}"
                for one in group
            )
        )
        for number, group in enumerate(groups, start=1)
    ]


def degrees(value: float, digits: int, signs: str) -> str:
    """``ddmm.mmmmm,N``: degrees with `digits` places and minutes."""
    minutes = round(abs(value) * 60, 5)
    whole, rest = divmod(minutes, 60)
    return f"{int(whole):0{digits}}{rest:08.5f},{signs[0] if value >= 0 else signs[1]}"
