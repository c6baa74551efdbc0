"""The self-test's rows `storage` and `wear`: does the card take, return and hold what a shift records (R8, R30). Pure.

Whoever calls gives what was measured; see `device.pre_shift`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from device.selftest import Seen
from hal.storage import StorageProbe
from hal.storage_health import StorageHealth

SPEED_FACTOR: Final = 2
"""The card must write this many times faster than the camera records, to catch up after a stall."""
WORN_PERCENT: Final = 80
WORN_OUT_PERCENT: Final = 100
OFFLOAD: Final = "dock the camera so that recordings are offloaded"
REPLACE: Final = "replace the card"


@dataclass(frozen=True, slots=True)
class Need:
    """What is asked of the card."""

    min_free_mib: int
    alarm_free_min: int
    """Minutes of recording below which it is an alarm."""
    shift_h: int = 0
    """Hours of a shift; 0 = not asked."""
    bitrate: int | None = None
    """Bits per second that the camera records at present, else is configured for; None = not known yet."""
    top_bitrate: int | None = None
    """Bits per second that it may come to record."""


def hours_left(free_bytes: int, bitrate: int | None) -> float | None:
    """Hours of recording that fit; None if the bitrate is not known."""
    return free_bytes * 8 / bitrate / 3600 if bitrate else None


def probe_often(probe: Callable[[], StorageProbe], times: int, recording: Callable[[], bool]) -> StorageProbe:
    """The result of up to `times` probes as one: their mean speed, the longest flush, and the first that failed.

    A recording that begins needs the card for itself: it ends the probing after the probe in hand (invariant 1).
    """
    found = [probe()]
    while len(found) < times and found[-1].error is None and found[-1].read_ok and not recording():
        found.append(probe())
    speeds = [one.write_bytes_per_s for one in found]
    mean = round(len(speeds) / sum(1 / speed for speed in speeds)) if all(speeds) else 0
    return replace(found[-1], write_bytes_per_s=mean, flush_ms=max(one.flush_ms for one in found))


def judge_storage(probe: StorageProbe, health: StorageHealth | None, need: Need, *, read_only: bool = False) -> Seen:
    """The row `storage`: written and read back, fast enough, room for the shift, no errors in the file system."""
    limit = f"{need.min_free_mib} MiB free, written and read back"
    if read_only:
        return Seen("fail", "the card is mounted read-only", limit, "a worn card becomes read-only: replace it")
    if probe.error is not None or not probe.read_ok:
        return Seen("fail", probe.error or "other bytes came back", limit, REPLACE)
    free_mib, hours = probe.free_bytes // 2**20, hours_left(probe.free_bytes, need.bitrate)
    value = f"{free_mib} MiB free"
    if hours is not None and need.bitrate:
        value += f" = {_hours(hours)} at {need.bitrate / 1e6:.1f} Mbit/s"
    wanted = SPEED_FACTOR * max(need.bitrate or 0, need.top_bitrate or 0)
    if wanted:
        limit += f", {wanted / 8 / 2**20:.1f} MiB/s"
    value += f", writes {probe.write_bytes_per_s / 2**20:.1f} MiB/s"
    errors = health.errors if health is not None else None
    if errors:
        value += f", {errors} file-system errors"
    if free_mib < need.min_free_mib:
        return Seen("fail", value, limit, OFFLOAD)
    if probe.write_bytes_per_s * 8 < wanted:
        return Seen("fail", value, limit, f"the card is too slow for the camera: {REPLACE}")
    if errors:
        return Seen("warn", value, limit, "offload, then have the file system repaired or the card replaced")
    if hours is not None and hours < max(need.shift_h, need.alarm_free_min / 60):
        return Seen("warn", value, f"{limit}, {_hours(max(need.shift_h, need.alarm_free_min / 60))}", OFFLOAD)
    return Seen("pass", value, limit)


def judge_wear(health: StorageHealth | None) -> Seen:
    """The row `wear`: by the medium's own count; most cards keep none."""
    limit = f"under {WORN_PERCENT} % of its life"
    if health is None or (health.life_used_percent is None and health.spare is None):
        named = f" ({health.card})" if health is not None and health.card is not None else ""
        return Seen("not_present", f"the card does not say how worn it is{named}", limit, expected=False)
    used, words = health.life_used_percent, list[str]()
    if used is not None:
        words.append("beyond its life" if used > WORN_OUT_PERCENT else f"at most {used} % of its life used")
    if health.spare is not None:
        words.append(f"spare blocks {health.spare}")
    value = f"{health.device}: {', '.join(words)}"
    if health.spare == "urgent" or (used is not None and used > WORN_OUT_PERCENT):
        return Seen("fail", value, limit, f"{REPLACE} now")
    if health.spare == "warning" or (used is not None and used > WORN_PERCENT):
        return Seen("warn", value, limit, f"{REPLACE} soon")
    return Seen("pass", value, limit)


def _hours(hours: float) -> str:
    return f"{hours:.1f} h" if hours >= 1 else f"{hours * 60:.0f} min"
