"""What people do wrong, or do to a camera: forget, mistype, lose it (R11, R29, R31)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evidence.requests import CategoryRequest
from simulator.faults.fault import Fault
from simulator.run_errors import CameraRefused

if TYPE_CHECKING:
    from simulator.world import World

UNKNOWN: Final = "no_such_category"


def _forget(world: World, _: float | None) -> None:
    world.deeds.forgets_sign_out = True


def _remember(world: World) -> None:
    world.deeds.forgets_sign_out = False


def _unknown_category(world: World, _: float | None) -> None:
    try:
        world.camera.ask(CategoryRequest(category=UNKNOWN))
    except CameraRefused as refusal:
        world.progress.event(f"    {refusal}")
    else:
        world.progress.event(f"    the camera TOOK the category {UNKNOWN!r}")


def _lock(world: World, _: float | None) -> None:
    world.camera.ask(world.deeds.people.locks())


def _unlock(world: World) -> None:
    world.camera.ask(world.deeds.people.unlocks())


FAULTS: Final = (
    Fault(
        "officer.never_signs_out", "R36", "the officer walks away and does not sign out, whatever the plan says",
        "end the session by itself at the dock, or after a day, and log which",
        _forget, _remember,
    ),
    Fault(
        "category.unknown", "R31", "somebody labels the recording with a category that the profile does not have",
        "refuse it in one sentence, keep the recording uncategorised, block no upload for it",
        _unknown_category,
    ),
    Fault(
        "device.lost_lock", "R11", "the camera is reported lost, and a supervisor's signed lock reaches it",
        "say do not use, delete nothing, go on recording what it is told to; be as before after the unlock",
        _lock, _unlock,
    ),
)  # fmt: skip
"""Every fault that a person makes."""
