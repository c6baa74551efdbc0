"""Faults of the dock: its contact, its power, its network, and who stands behind its address (R6, R8, R30, R38)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evidence.handover import Notice, Status
from simulator.dock_contact import bounces
from simulator.faults.fault import Amount, Begin, End, Fault
from simulator.station_settings import Kind

if TYPE_CHECKING:
    from simulator.world import World

_BEHIND: Final = "network to the station"


def _contact(world: World, *, closed: bool) -> None:
    world.deeds.hands.line("dock", active=closed)
    world.deeds.battery.set(status="charging" if closed else "discharging")


def _bounces(world: World, amount: float | None, *, closes: bool) -> None:
    before_s = 0.0
    for at_s, closed in bounces(f"{world.now_s():.3f}", closes=closes, for_s=(amount or 0) / 1000):
        world.pause(at_s - before_s)
        before_s = at_s
        world.deeds.hands.line("dock", active=closed)
    _contact(world, closed=closes)


def _bounces_in(world: World, amount: float | None) -> None:
    _bounces(world, amount, closes=True)


def _bounces_out(world: World, amount: float | None) -> None:
    _bounces(world, amount, closes=False)


@dataclass
class _TornOut:
    """Takes the camera out when so much has gone up, and the wire with it: nothing passes until it is docked again.

    The line stops at that very byte, so that it does not matter how fast this machine is.
    """

    world: World
    goal_bytes: int
    out: bool = False
    seen_out: bool = False

    def look(self, status: Status, _: Sequence[Notice]) -> None:
        """At each look of the world."""
        world = self.world
        if not self.out:
            if world.network.counts("station")["up_bytes"] >= self.goal_bytes:
                _contact(world, closed=False)
                self.out = True
        elif not status.docked:
            self.seen_out = True
        elif self.seen_out:
            world.network.up("station")
            world.watchers.remove(self.look)


def _out_in_mid_upload(world: World, amount: float | None) -> None:
    most = round(amount or 0) * 1000
    goal = world.network.counts("station")["up_bytes"] + most
    world.network.happen("station", "silent", after_bytes=most)
    world.watchers.append(_TornOut(world, goal).look)


def _no_power(world: World, _: float | None) -> None:
    world.deeds.battery.set(status="discharging")


def _power(world: World) -> None:
    world.deeds.battery.set(status="charging" if world.status.docked else "discharging")


def _no_network(world: World, _: float | None) -> None:
    world.network.cut("station")
    world.network.cut("broker")


def _network(world: World) -> None:
    world.network.restore("station")
    world.network.restore("broker")


def _behind(kind: Kind) -> Begin:
    return lambda world, _: world.docks.answers(kind)


def _first() -> End:
    return lambda world: world.docks.answers(None)


_STRANGER: Final = "send it not one byte of evidence, tell the fleet, and go on with its own station afterwards"
FAULTS: Final = (
    Fault(
        "dock.bounces_in", "R30", "the camera is put into the dock, and its contact bounces for so long",
        "dock once and upload once, however often the contact closed", _bounces_in, amount=Amount("ms", 150, 1, 1000),
    ),
    Fault(
        "dock.bounces_out", "R30", "the camera is taken out of the dock, and its contact bounces for so long",
        "undock once, upload nothing more", _bounces_out, amount=Amount("ms", 150, 1, 1000),
    ),
    Fault(
        "dock.out_in_mid_upload", "R30", "the camera is taken out of the dock when so much of an upload has gone",
        "cut the upload off at once, keep the file, and go on at the next dock where the station stands",
        _out_in_mid_upload, amount=Amount("kB", 100, 1, 10_000_000),
    ),
    Fault(
        "dock.no_power", "R8", "the dock gives no power: the camera stands in it, and its battery goes down",
        "offload all the same, and not show that it is ready to go out", _no_power, _power,
    ),
    Fault(
        "dock.no_network", "R30", "the dock has no network: neither station nor broker answers",
        "keep every file, say that offload waits, and offload when the network is there",
        _no_network, _network, holds=_BEHIND,
    ),
    Fault(
        "dock.two_docks", "R38", "a second station of the department claims the camera in the first one's place",
        "bring each file whole to one of them, and delete it only for that one's receipt over all of it",
        _behind("second"), _first(), holds=_BEHIND,
    ),
    Fault(
        "dock.other_system", "R6", "a station of another evidence system answers in the first one's place", _STRANGER,
        _behind("other_system"), _first(), holds=_BEHIND,
    ),
    Fault(
        "dock.other_agency", "R6", "a station of another agency answers in the first one's place", _STRANGER,
        _behind("other_agency"), _first(), holds=_BEHIND,
    ),
    Fault(
        "dock.expired_certificate", "R6", "the station's TLS certificate has run out", _STRANGER,
        _behind("expired"), _first(), holds=_BEHIND,
    ),
)  # fmt: skip
"""Every fault of the dock."""
