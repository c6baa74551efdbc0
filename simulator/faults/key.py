"""Faults of the evidence key (R29, R41)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.faults.fault import Fault

if TYPE_CHECKING:
    from simulator.world import World


def _away(world: World, _: float | None) -> None:
    world.camera.world({"op": "key", "away": True})


def _back(world: World) -> None:
    world.camera.world({"op": "key", "away": False})


FAULTS: Final = (
    Fault(
        "key.failed", "R29", "the evidence key's secure element does not sign, in mid-recording too",
        "alarm the officer, wait some seconds, then keep the pictures sealed aside; sign the gap when it works again",
        _away, _back, in_camera=True,
    ),
)  # fmt: skip
"""Every fault of the key."""
