"""Faults of the board's temperature and of its sensor (R22, R29)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.faults.fault import Amount, Fault

if TYPE_CHECKING:
    from simulator.world import World

USUAL_C: Final = 48.0
_HEAT: Final = "board's temperature"


def _hot(world: World, amount: float | None) -> None:
    world.deeds.thermal.set(celsius=USUAL_C if amount is None else amount)


def _usual(world: World) -> None:
    _hot(world, None)


def _sun(world: World, amount: float | None) -> None:
    world.deeds.thermal.weather(35.0 if amount is None else amount, 1.0, in_car=True)


def _shade(world: World) -> None:
    _usual(world)


def _lost(world: World, _: float | None) -> None:
    world.deeds.thermal.remove()


FAULTS: Final = (
    Fault(
        "heat.hot", "R22", "the board is so many degrees hot; from 80 on it slows itself down",
        "say hot or critical, record with fewer bits, stop nothing", _hot, _usual,
        Amount("degrees", 86, 20, 150), holds=_HEAT,
    ),
    Fault(
        "heat.sun", "R22", "a closed car in the full sun, the air outside so many degrees: hot within minutes",
        "say warm, hot, critical as it rises, take bits away and give them back, stop nothing", _sun, _shade,
        Amount("degrees", 35, -20, 50), holds=_HEAT,
    ),
    Fault(
        "heat.sensor_lost", "R29", "the board's sensor does not answer",
        "log the fault, record on, claim no temperature", _lost, _usual, holds=_HEAT,
    ),
)  # fmt: skip
"""Every fault of the heat."""
