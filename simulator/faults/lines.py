"""Faults of buttons and vehicle lines: bounce, dips, a stuck button, a storm (R13, R15, R22, R29)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from simulator import line_noise
from simulator.faults.fault import Amount, Begin, End, Fault
from simulator.line_noise import Edge

if TYPE_CHECKING:
    from simulator.world import World

VEHICLE: Final = ("lightbar", "siren", "pursuit", "door", "gun_rack", "brake")
_FUNCTION_S: Final = 620


def _play(world: World, edges: Sequence[Edge]) -> None:
    line_noise.play(edges, lambda name, active: world.deeds.hands.line(name, active=active), world.pause)


def _seed(world: World) -> int:
    return round(world.now_s() * 1000)


def _double_press(world: World, _: float | None) -> None:
    _play(world, line_noise.double_press("record_button", _seed(world)))


def _blips(world: World, amount: float | None) -> None:
    _play(world, line_noise.blips("lightbar", _seed(world), amount or 0))


def _dips(world: World, amount: float | None) -> None:
    _play(world, line_noise.dips("lightbar", _seed(world), amount or 0))


def _chatter(world: World, amount: float | None) -> None:
    _play(world, line_noise.chatter("siren", _seed(world), amount or 0))


def _storm(world: World, amount: float | None) -> None:
    _play(world, line_noise.storm(VEHICLE, _seed(world), amount or 0))


def _shaken_hold(world: World, amount: float | None) -> None:
    _play(world, line_noise.shaken_hold("record_button", _seed(world), amount or 0))


def _held(line: str) -> Begin:
    return lambda world, _: world.deeds.hands.line(line, active=True)


def _free(line: str) -> End:
    return lambda world: world.deeds.hands.line(line, active=False)


FAULTS: Final = (
    Fault(
        "lines.button_bounce", "R13", "the officer presses the record button twice, and its contact bounces each time",
        "start one recording within half a second, with neither a marker nor a stop", _double_press,
    ),
    Fault(
        "lines.lightbar_bounce", "R15", "the light bar's relay bounces for so long, each time under 200 ms",
        "start nothing", _blips, amount=Amount("s", 5, 0.5, 60),
    ),
    Fault(
        "lines.lightbar_dips", "R15", "the light bar is on, and its voltage dips under 3.6 V for so long; it stays on",
        "start once, stop nothing, and take no dip for the light bar going off",
        _dips, _free("lightbar"), Amount("s", 5, 0.5, 60),
    ),
    Fault(
        "lines.shaken_hold", "R22", "the record button is held for so long by a hand that shakes",
        "ask for confirmation and record on until it comes; a brush of the button stops nothing", _shaken_hold,
        amount=Amount("s", 3.4, 0.5, 30),
    ),
    Fault(
        "lines.stuck_record_button", "R29", "the record button is stuck down",
        "say after 30 s that it is stuck; stop nothing by itself, and let every other trigger start",
        _held("record_button"), _free("record_button"),
    ),
    Fault(
        "lines.stuck_function_button", "R29", "the function button is stuck down, which mutes a recording",
        f"unmute by itself before {_FUNCTION_S} s and say that the button is stuck",
        _held("function"), _free("function"),
    ),
    Fault(
        "lines.chatter", "R29", "the siren's wire is loose, and chatters for so long",
        "say that the line chatters; start and record on as ever", _chatter, amount=Amount("s", 5, 3, 60),
    ),
    Fault(
        "lines.storm", "R13", "all lines of the vehicle go on and off by themselves for so long",
        "make one recording of it, note every trigger in it, answer every button as fast as ever", _storm,
        amount=Amount("s", 5, 0.5, 60),
    ),
)  # fmt: skip
"""Every fault of the lines."""
