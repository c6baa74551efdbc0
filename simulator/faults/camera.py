"""Faults of the camera's picture: its sensor, its lens, its encoder (R12, R29)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.faults.fault import Amount, Fault

if TYPE_CHECKING:
    from simulator.world import World

LONGEST_S: Final = 86_400
"""The longest time that the simulated sensor takes; a fault is ended long before."""


def _stall(world: World, _: float | None) -> None:
    world.camera.world({"op": "camera", "stall_s": LONGEST_S})


def _stall_over(world: World) -> None:
    world.camera.world({"op": "camera", "stall_s": 0})


def _encoder_stall(world: World, _: float | None) -> None:
    world.camera.world({"op": "camera", "encoder_stall_s": LONGEST_S})


def _encoder_stall_over(world: World) -> None:
    world.camera.world({"op": "camera", "encoder_stall_s": 0})


def _drop_frames(world: World, amount: float | None) -> None:
    world.camera.world({"op": "camera", "drop_frames": round(amount or 0)})


def _look_as_before(world: World) -> None:
    world.camera.world({"op": "camera", "look": world.deeds.look})


def _look(look: str, requirement: str, does: str, must: str) -> Fault:
    def begin(world: World, _: float | None) -> None:
        world.camera.world({"op": "camera", "look": look})

    return Fault(f"camera.{look}", requirement, does, must, begin, _look_as_before, holds="picture", in_camera=True)


FAULTS: Final = (
    Fault(
        "camera.stall", "R29", "the sensor delivers nothing",
        "alarm the officer, record the sound on, sign the failure with its length and the gap",
        _stall, _stall_over, in_camera=True,
    ),
    Fault(
        "camera.encoder_stall", "R29", "the sensor goes on, and nothing is encoded",
        "alarm the officer, sign the failure encoder_stalled with its length",
        _encoder_stall, _encoder_stall_over, in_camera=True,
    ),
    Fault(
        "camera.drop_frames", "R29", "so many frames are lost at once",
        "go on recording, count the missing frames, sign the gap", _drop_frames,
        amount=Amount("frames", 5, 1, 1_000_000),
    ),
    _look("black", "R29", "the picture is black", "alarm the officer, sign the failure picture_black; record on"),
    _look("covered", "R12", "something lies over the lens", "warn by haptic and log it; record on"),
    _look("frozen", "R29", "the picture stands still, strip and caption go on",
          "alarm the officer, sign the failure picture_frozen; record on"),
    _look("defocused", "R12", "the picture is out of focus", "log it; record on"),
    _look("upside_down", "R12", "the camera hangs upside down", "log it; record on, the picture is never turned"),
)  # fmt: skip
"""Every fault of the picture."""
