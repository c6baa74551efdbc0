"""Faults of the battery and of its gauge (R8, R22, R29)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.faults.fault import Amount, Fault

if TYPE_CHECKING:
    from simulator.world import World

ROOM_C: Final = 24.0
USUAL_CYCLES: Final = 41
_WARMTH: Final = "battery's temperature"
_GAUGE: Final = "battery's gauge"


def _temperature(world: World, celsius: float | None) -> None:
    world.battery.gauge.cell.temperature_c = ROOM_C if celsius is None else celsius
    world.battery.write()


def _room(world: World) -> None:
    _temperature(world, None)


def _says(percent: int | None, world: World) -> None:
    world.battery.gauge.says_percent = percent
    world.battery.write()


def _collapses(world: World, _: float | None) -> None:
    world.battery.set(percent=0)


def _surge(world: World, amount: float | None) -> None:
    world.battery.gauge.surge_ma = round(amount or 0)
    world.battery.write()


def _no_surge(world: World) -> None:
    _surge(world, None)


def _old(world: World, amount: float | None) -> None:
    gauge = world.battery.gauge
    gauge.cell.age(gauge.design_mah, USUAL_CYCLES if amount is None else round(amount))
    world.battery.write()


def _young(world: World) -> None:
    _old(world, None)


def _lost(world: World, _: float | None) -> None:
    world.battery.remove()


def _found(world: World) -> None:
    world.battery.set()


FAULTS: Final = (
    Fault(
        "battery.sudden_zero", "R22", "the gauge says 0 % of a cell that is charged",
        "not believe it: log the fault, warn at the most, record on, never switch off",
        lambda world, _: _says(0, world), lambda world: _says(None, world), holds=_GAUGE,
    ),
    Fault(
        "battery.empty", "R22", "the cell collapses: its voltage is as low as its charge",
        "close and seal the recording as battery_empty, seal the log, and ask to be switched off", _collapses,
    ),
    Fault(
        "battery.cold", "R8", "the cell is so many degrees cold: part of its charge cannot be had, its voltage sags",
        "warn by the minutes that are really left; record on", _temperature, _room,
        Amount("degrees", -15, -30, 10), holds=_WARMTH,
    ),
    Fault(
        "battery.hot", "R22", "the cell is so many degrees hot",
        "say hot, record with fewer bits, stop nothing", _temperature, _room,
        Amount("degrees", 60, 55, 80), holds=_WARMTH,
    ),
    Fault(
        "battery.sag", "R22", "something draws so many milliampere besides: the voltage sags, the time left is short",
        "warn by the minutes that are left at that draw, record on with fewer bits", _surge, _no_surge,
        Amount("mA", 2000, 100, 10_000),
    ),
    Fault(
        "battery.old", "R8", "the cell has so many cycles behind it",
        "say in the self-test that its capacity is gone", _old, _young, Amount("cycles", 900, 100, 1500),
    ),
    Fault(
        "battery.gauge_lost", "R29", "the gauge does not answer: a broken contact",
        "log the fault, take it for no empty cell, record on", _lost, _found, holds=_GAUGE,
    ),
)  # fmt: skip
"""Every fault of the battery."""
