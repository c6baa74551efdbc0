"""The positioning seam: epochs as a receiver reports them. "No fix" is a value, never a stale or zero position."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class GpsEpoch:
    """One epoch (usually one second) of one receiver: its claim, with the sentences that carried it.

    `fix` is true only if status is A, quality is above 0 and the checksums hold; then latitude and longitude are set.
    """

    received_ns: int
    """CLOCK_BOOTTIME when the epoch's first sentence arrived, nanoseconds."""
    fix: bool
    latitude_nd: int | None = None
    """Nanodegrees (1e-9 degree), north positive, -90e9..90e9."""
    longitude_nd: int | None = None
    """Nanodegrees, east positive, -180e9..180e9."""
    altitude_mm: int | None = None
    """Millimetres above mean sea level."""
    speed_mm_s: int | None = None
    course_mdeg: int | None = None
    """Course over ground in millidegrees from true north, 0..359999."""
    utc_ns: int | None = None
    """The receiver's UTC in nanoseconds since 1970, only when it reported both date and time."""
    dimensions: int = 0
    """0 = no fix, 2 = 2D, 3 = 3D."""
    hdop_centi: int | None = None
    """Horizontal dilution of precision times 100."""
    satellites: int | None = None
    """Satellites used."""
    sentences: tuple[str, ...] = ()
    """The epoch's sentences as received, without line ends; at most 64 of at most 120 characters."""


class GpsReceiver(Protocol):
    """A positioning receiver."""

    def start(self, on_epoch: Callable[[GpsEpoch], None], on_fault: Callable[[str], None]) -> None:
        """Deliver every epoch, with or without a fix. `on_fault` takes one sentence (unplugged, garbage, silence)."""
        ...

    def stop(self) -> None: ...
