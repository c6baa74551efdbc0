"""How bright the lamps are at an hour: dimmed at night, so that they do not give the officer away (R21). Pure."""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

from device.policy import Profile

DIMMED: Final = 0.15


def brightness(profile: Profile, utc: dt.datetime | None) -> float:
    """Share of the lamps' brightness; all of it when nobody vouches for the clock (None).

    Raises ValueError for a zone that this camera does not know.
    """
    begin, end = profile.dim_from_h, profile.dim_until_h
    if utc is None or begin == end:
        return 1.0
    try:
        hour = utc.astimezone(ZoneInfo(profile.zone)).hour
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"the zone {profile.zone!r} is not known on this camera: lamps are not dimmed") from error
    night = begin <= hour < end if begin < end else hour >= begin or hour < end
    return DIMMED if night else 1.0
