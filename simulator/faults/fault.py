"""What a fault of the simulated world is: a name, the requirement it tests, and what the camera must then do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simulator.world import World

Begin = Callable[["World", float | None], None]
End = Callable[["World"], None]


@dataclass(frozen=True, slots=True)
class Amount:
    """The number that a fault takes."""

    unit: str
    """For people and for the scenario's words: ``m``, ``s``, ``degrees``."""
    usual: float
    least: float
    most: float


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that can go wrong with the world around a camera.

    `begin` and `end` raise `simulator.run_errors.WorldRefused` with one sentence when this world cannot have it.
    """

    name: str
    """``KIND.WHAT``, as the command line and scenarios say it: ``gps.teleport``."""
    requirement: str
    """The requirement that it tests, e.g. ``R29``."""
    does: str
    """What happens to the world, one short sentence."""
    must: str
    """What the camera must do then, one short sentence."""
    begin: Begin
    end: End | None = None
    """Puts the world back as it was; None for what happens at an instant and cannot be taken back."""
    amount: Amount | None = None
    holds: str = ""
    """What of the world it occupies while it lasts (``picture``): of two faults that hold the same, one waits."""
    in_camera: bool = False
    """It lives in the camera's own process: after each start of the camera it begins again."""
