"""What is fuzzed: every reader of bytes from outside, room by room (`of_*.py`).

A target takes bytes and returns. It may raise what stands in `allowed`; everything else is a find, and so is a call
that takes longer than `SLOW_S`. What a reader accepts is held against its writer where there is one.
"""

from __future__ import annotations

from typing import Final

import of_device
import of_dock
import of_enrolment
import of_evidence
import of_fleet
import of_hal
import of_simulator
import of_sockets
import of_station
from target import CORPUS, SLOW_S, Target

__all__ = ["CORPUS", "SLOW_S", "TARGETS", "Target"]

TARGETS: Final[tuple[Target, ...]] = (
    *of_evidence.TARGETS,
    *of_device.TARGETS,
    *of_dock.TARGETS,
    *of_fleet.TARGETS,
    *of_hal.TARGETS,
    *of_simulator.TARGETS,
    *of_sockets.TARGETS,
    *of_station.TARGETS,
    *of_enrolment.TARGETS,
)
