"""The self-test's row `clock`: who vouches for the time, how far it may be off, and what keeps it while off. Pure."""

from __future__ import annotations

from typing import Final

from device.selftest import Seen
from hal.clock import UtcClaim
from hal.rtc import Rtc

LOW_CELL_UV: Final = 2_200_000
"""A lithium cell of 3 V below this forgets the time soon."""


def judge_clock(claim: UtcClaim, rtc: Rtc | None) -> Seen:
    """Somebody vouches for the time. A camera without an RTC does not know it after power-on, which is said."""
    limit = "a time source"
    half_ms = (claim.latest_ns - claim.earliest_ns) // 2_000_000
    keeper = "no RTC" if rtc is None else f"RTC {rtc.name}"
    if rtc is not None and rtc.battery_uv is not None:
        keeper += f" with {rtc.battery_uv / 1e6:.1f} V"
    if claim.source == "none":
        return Seen("fail", f"nobody vouches for the clock, {keeper}", limit, "dock the camera to set it")
    value = f"{claim.source}, within {half_ms} ms, {keeper}"
    if rtc is not None and rtc.battery_uv is not None and rtc.battery_uv < LOW_CELL_UV:
        return Seen("warn", value, limit, "replace the cell of the real-time clock")
    return Seen("pass", value, limit)
