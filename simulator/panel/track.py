"""What the receiver says of its place, from the sentences that it sent last. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from pynmeagps import NMEAReader
from pynmeagps.exceptions import NMEAMessageError, NMEAParseError, NMEAStreamError, NMEATypeError

HERE: Final = (41.538200, -72.807000)
"""Where the drawn streets have their zero, latitude and longitude."""
_M_PER_DEGREE: Final = 111_195.0
_KMH_PER_KNOT: Final = 1.852
_FIELDS: Final = ("status", "lat", "lon", "spd", "numSV")


def metres(latitude: float, longitude: float) -> tuple[float, float]:
    """East and north of the drawing's zero, on a plane: exact enough for a drawing of some kilometres."""
    squeeze = math.cos(math.radians(HERE[0]))
    return (
        round((longitude - HERE[1]) * _M_PER_DEGREE * squeeze, 1),
        round((latitude - HERE[0]) * _M_PER_DEGREE, 1),
    )


def place(sentences: Sequence[str]) -> dict[str, Any]:
    """Fix or none, the place in metres, speed and satellites, as far as these sentences say them."""
    found: dict[str, Any] = {"fix": False, "east_m": None, "north_m": None, "kmh": None, "satellites": None}
    for sentence in sentences:
        try:
            said = NMEAReader.parse(sentence.encode("ascii", errors="replace") + b"\r\n")
        except (NMEAMessageError, NMEAParseError, NMEAStreamError, NMEATypeError, ValueError):
            continue  # a receiver's own noise
        kind = getattr(said, "msgID", "")
        # A sentence that was cut short is read as well: it only has fewer fields.
        status, latitude, longitude, knots, satellites = (getattr(said, name, None) for name in _FIELDS)
        if kind == "RMC" and status == "A" and isinstance(latitude, float) and isinstance(longitude, float):
            east_m, north_m = metres(latitude, longitude)
            found |= {"fix": True, "east_m": east_m, "north_m": north_m}
            if isinstance(knots, float):
                found["kmh"] = round(knots * _KMH_PER_KNOT)
        elif kind == "GGA" and isinstance(satellites, int):
            found["satellites"] = satellites
    return found
