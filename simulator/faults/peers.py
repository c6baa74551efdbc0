"""Starts that no colleague announced: forged, and kept and sent again (R23)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evidence.requests import PeerRequest
from simulator.faults.fault import Fault
from simulator.run_errors import CameraRefused

if TYPE_CHECKING:
    from simulator.world import World


def _send(world: World, announcement: bytes) -> None:
    try:
        world.camera.ask(PeerRequest(announcement=announcement))
    except CameraRefused as refusal:
        world.progress.event(f"    {refusal}")
    else:
        world.progress.event("    the camera TOOK the announcement")


def _forged(world: World, _: float | None) -> None:
    _send(world, world.deeds.peer.forged())


def _replayed(world: World, _: float | None) -> None:
    _send(world, world.deeds.peer.replayed())


FAULTS: Final = (
    Fault(
        "peer.forged", "R23", "a camera of another agency announces a start in a colleague's name",
        "refuse it, start nothing, sign the refusal into the log", _forged,
    ),
    Fault(
        "peer.replayed", "R23", "somebody sends a colleague's old announcement again",
        "refuse it, start nothing, sign the refusal into the log", _replayed,
    ),
)  # fmt: skip
"""Every fault of the peers."""
