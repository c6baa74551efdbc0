"""Which parts a camera has, in the order in which their hooks are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from device.driver_choice import DriverChoice
from device.energy import Energy
from device.feedback import Feedback
from device.part import Part
from device.pre_shift import PreShift
from device.verdict_watch import VerdictWatch
from device.ring_keeper import RingKeeper

if TYPE_CHECKING:
    from device.daemon import Daemon


def parts_of(daemon: Daemon) -> tuple[Part, ...]:
    """All parts of one daemon."""
    kinds: tuple[type[Part], ...] = (
        DriverChoice,
        Energy,
        Feedback,
        PreShift,
        VerdictWatch,
        RingKeeper,
    )
    return tuple(kind(daemon) for kind in kinds)
