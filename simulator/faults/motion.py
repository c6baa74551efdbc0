"""What happens to a camera that is worn: it falls, hangs, is hit, is struggled over (R12, R18, R19)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.faults.fault import Begin, Fault
from simulator.movement import Pattern

if TYPE_CHECKING:
    from simulator.world import World

_HELD: Final = "camera's movement"


def _moved(pattern: Pattern, for_s: float | None = None) -> Begin:
    def begin(world: World, _: float | None) -> None:
        world.deeds.moves += 1
        operation = {"op": "motion", "pattern": pattern, "seed": world.deeds.moves}
        world.camera.world(operation if for_s is None else {**operation, "for_s": for_s})

    return begin


def _worn_again(world: World) -> None:
    world.camera.world({"op": "motion", "pattern": "rest"})


FAULTS: Final = (
    Fault(
        "motion.fall", "R12", "the camera falls off the officer and stays on the ground",
        "notice within seconds that it was dislodged, warn by haptic and log it; record on",
        _moved("fall"), _worn_again, holds=_HELD, in_camera=True,
    ),
    Fault(
        "motion.hangs", "R12", "the camera hangs upside down on its clip",
        "after ten seconds log picture_upside_down and warn; record on, and turn no picture",
        _moved("hangs"), _worn_again, holds=_HELD, in_camera=True,
    ),
    Fault(
        "motion.lies", "R12", "the camera was taken off and lies on its back",
        "start nothing and stop nothing for it: stillness is no reason", _moved("lies"), _worn_again, holds=_HELD,
        in_camera=True,
    ),
    Fault(
        "motion.crash", "R18", "a car crash: a pulse of 8 to 14 g, and a second blow",
        "start one recording, class critical, also when it sleeps", _moved("crash", 3.0),
    ),
    Fault(
        "motion.struggle", "R18", "the officer struggles with somebody, up to 3 g from all sides",
        "take it for no crash and for no fall; record on", _moved("struggle"), _worn_again, holds=_HELD, in_camera=True,
    ),
    Fault(
        "motion.run", "R19", "the officer runs, with both feet off the ground in between",
        "take it for no crash and for no fall; the ring holds what came before", _moved("run"), _worn_again,
        holds=_HELD, in_camera=True,
    ),
)  # fmt: skip
"""Every fault of the movement."""
