"""The faults that a world has at this moment: begun by name, ended by the world's own clock or by a word.

A fault that ends leaves the world as it was before. Two that hold the same thing (the picture, say) cannot last at the
same time, so that there is one "before". What lives in the camera's process begins again when the camera does.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from simulator.faults import find_fault
from simulator.faults.fault import Fault
from simulator.run_errors import WorldRefused

if TYPE_CHECKING:
    from simulator.world import World

LONGEST_S: Final = 86_400.0
"""A fault that has a length is over after a day at the latest."""


@dataclass(slots=True)
class Lasting:
    """One fault that lasts."""

    fault: Fault
    amount: float | None
    until_s: float | None
    """When it ends, by `World.now_s`; None: when somebody says so."""
    starts: int
    """Which start of the camera it was begun in (`CameraLink.starts`)."""


@dataclass
class ActiveFaults:
    """All that is wrong with one world now. Not safe for threads: the world's own thread calls it."""

    lasting: dict[str, Lasting] = field(default_factory=dict)

    def begin(self, world: World, name: str, amount: float | None = None, for_s: float | None = None) -> Fault:
        """Begin a fault, for `for_s` seconds or until `end`. Raises `WorldRefused` with one sentence."""
        fault = find_fault(name)
        number = _checked(fault, amount)
        if for_s is not None and fault.end is None:
            raise WorldRefused(f"{name} happens at an instant: leave the time away")
        if for_s is not None and not 0 < for_s <= LONGEST_S:
            raise WorldRefused(f"{name} for {for_s:g} s: choose more than 0 and at most {LONGEST_S:g} s")
        if fault.end is not None:
            self.look(world)  # what is due at this very moment is over
            self._refuse_second(fault)
        fault.begin(world, number)
        if fault.end is not None:
            until_s = None if for_s is None else world.now_s() + for_s
            self.lasting[name] = Lasting(fault, number, until_s, world.camera.starts)
        world.progress.event(f"! {name}{_of(fault, number)}: {fault.does}")
        return fault

    def end(self, world: World, name: str) -> None:
        """End a fault that lasts. Raises `WorldRefused` if it does not, or cannot be ended now."""
        one = self.lasting.get(name)
        if one is None:
            find_fault(name)
            raise WorldRefused(f"{name} does not last now{self._which()}")
        assert one.fault.end is not None, "only what can end lasts"
        one.fault.end(world)
        del self.lasting[name]
        world.progress.event(f"! {name} is over")

    def look(self, world: World) -> None:
        """End what is due, and begin again what the camera's new process does not know of."""
        now_s = world.now_s()
        for name, one in tuple(self.lasting.items()):
            due = one.until_s is not None and now_s >= one.until_s
            started_again = one.fault.in_camera and one.starts != world.camera.starts
            with contextlib.suppress(WorldRefused):  # the camera is away just now: at the next look
                if due and started_again:
                    del self.lasting[name]
                elif due:
                    self.end(world, name)
                elif started_again:
                    one.fault.begin(world, one.amount)
                    one.starts = world.camera.starts

    def end_all(self, world: World) -> None:
        """Leave the world as it was; what cannot be ended any more is left."""
        for name in tuple(self.lasting):
            with contextlib.suppress(WorldRefused):
                self.end(world, name)
        self.lasting.clear()

    def _refuse_second(self, fault: Fault) -> None:
        for name, one in self.lasting.items():
            if name == fault.name:
                raise WorldRefused(f"{name} lasts already: end it first")
            if fault.holds and one.fault.holds == fault.holds:
                raise WorldRefused(
                    f"{fault.name} would hold the {fault.holds}, and {name} does already: end that first"
                )

    def _which(self) -> str:
        return f"; what lasts is {', '.join(self.lasting)}" if self.lasting else "; nothing does"


def _checked(fault: Fault, amount: float | None) -> float | None:
    """The number that it begins with. Raises `WorldRefused`."""
    takes = fault.amount
    if takes is None:
        if amount is not None:
            raise WorldRefused(f"{fault.name} takes no number: leave it away")
        return None
    number = takes.usual if amount is None else amount
    if not takes.least <= number <= takes.most:
        raise WorldRefused(f"{fault.name} takes {takes.least:g} to {takes.most:g} {takes.unit}, not {number:g}")
    return number


def _of(fault: Fault, amount: float | None) -> str:
    return "" if amount is None or fault.amount is None else f" ({amount:g} {fault.amount.unit})"
