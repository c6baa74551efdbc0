"""The seam for the accelerometer: how hard the camera is moved, and which way is up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Acceleration:
    """One sample, gravity included, in thousandths of g along the camera's axes (x right, y up, z to the viewer)."""

    x_mg: int
    y_mg: int
    z_mg: int
    at_ns: int
    """CLOCK_BOOTTIME in nanoseconds."""


class Motion(Protocol):
    """An accelerometer."""

    def start(self, on_sample: Callable[[Acceleration], None], on_fault: Callable[[str], None]) -> None:
        """Deliver samples (10 to 200 a second) on a thread of the driver's; `on_fault` takes one sentence."""
        ...

    def stop(self) -> None: ...
