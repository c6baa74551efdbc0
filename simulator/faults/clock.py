"""Faults of the camera's clock: drift, jumps, summer time, no time at all (R5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.deeds import NS_PER_S, NTP_DOUBT_NS, UNSET_NS
from simulator.faults.fault import Amount, Fault

if TYPE_CHECKING:
    from simulator.world import World

HOUR_S: Final = 3600
SINCE_1970_S: Final = 10
"""A clock whose cell is dead began to count when the camera was switched on."""
_CLOCK: Final = "camera's clock"


def _jump(world: World, amount: float | None) -> None:
    world.deeds.clock_offset_ns += int((amount or 0) * NS_PER_S)
    world.camera.world({"op": "clock", "utc_offset_ns": world.deeds.clock_offset_ns})


def _summer(world: World, _: float | None) -> None:
    _jump(world, HOUR_S)


def _unset(world: World, _: float | None) -> None:
    world.camera.world({"op": "clock", "source": "none", "uncertainty_ns": UNSET_NS})


def _year_1970(world: World, _: float | None) -> None:
    world.deeds.clock_offset_ns = SINCE_1970_S * NS_PER_S - world.stage.utc_ns()
    offset_ns = world.deeds.clock_offset_ns
    world.camera.world({"op": "clock", "utc_offset_ns": offset_ns, "source": "none", "uncertainty_ns": UNSET_NS})


def _drift(world: World, amount: float | None) -> None:
    world.camera.world({"op": "clock", "drift_ppm": amount})


def _right(world: World) -> None:
    world.deeds.clock_offset_ns = 0
    world.camera.world(
        {"op": "clock", "drift_ppm": 0, "utc_offset_ns": 0, "source": "ntp", "uncertainty_ns": NTP_DOUBT_NS}
    )


FAULTS: Final = (
    Fault(
        "clock.jump", "R5", "somebody sets the camera's clock so many seconds ahead, or back",
        "record on without a hole, and sign the step with both times",
        _jump, _right, Amount("s", 3600, -(10**8), 10**8), holds=_CLOCK, in_camera=True,
    ),
    Fault(
        "clock.dst", "R5", "the camera's clock is set by one hour, as for summer time, which UTC does not have",
        "record on without a hole, and sign the step with both times",
        _summer, _right, holds=_CLOCK, in_camera=True,
    ),
    Fault(
        "clock.drift", "R5", "the camera's clock is fast by so many millionths",
        "take drift for no step; what it claims stands beside the monotonic time, which does not drift",
        _drift, _right, Amount("ppm", 100, -100_000, 100_000), holds=_CLOCK, in_camera=True,
    ),
    Fault(
        "clock.unset", "R5", "nobody vouches for the camera's time any more",
        "record on, mark what it writes time_unverified, fail the clock's row of the self-test",
        _unset, _right, holds=_CLOCK, in_camera=True,
    ),
    Fault(
        "clock.year_1970", "R5", "the camera has no clock that runs on: it is 1970, and nobody vouches for it",
        "record on, mark what it writes time_unverified, and correct it later by an added statement",
        _year_1970, _right, holds=_CLOCK, in_camera=True,
    ),
)  # fmt: skip
"""Every fault of the clock."""
