"""Faults of the sound: the camera's own microphone, and the remote one of a dash camera (R2, R3, R29)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from simulator.faults.fault import Amount, Begin, End, Fault

if TYPE_CHECKING:
    from simulator.world import World

LONGEST_S: Final = 86_400
"""The longest time that the simulated microphone takes; a fault is ended long before."""
PACK_PERCENT: Final = 90
"""Charge of the remote microphone's battery as long as nothing is wrong with it."""


def _put(key: str, value: float | bool) -> Begin:
    def begin(world: World, _: float | None) -> None:
        world.camera.world({"op": "microphone", key: value})

    return begin


def _back(key: str, value: float | bool) -> End:
    def end(world: World) -> None:
        world.camera.world({"op": "microphone", key: value})

    return end


def _late(world: World, amount: float | None) -> None:
    world.camera.world({"op": "microphone", "late_s": amount})


def _pack(world: World, amount: float | None) -> None:
    world.camera.world({"op": "microphone", "battery_percent": round(amount or 0)})


FAULTS: Final = (
    Fault(
        "microphone.silent", "R29", "digital silence",
        "alarm the officer, sign the failure microphone_silent; record on",
        _put("silent_s", LONGEST_S), _back("silent_s", 0), in_camera=True,
    ),
    Fault(
        "microphone.clipped", "R3", "far too loud: wind, or a finger on the hole", "log it; record on",
        _put("clipped_s", LONGEST_S), _back("clipped_s", 0), in_camera=True,
    ),
    Fault(
        "microphone.stall", "R29", "the microphone delivers nothing at all",
        "alarm the officer, sign the failure microphone_dead; the picture goes on",
        _put("stall_s", LONGEST_S), _back("stall_s", 0), in_camera=True,
    ),
    Fault(
        "microphone.late", "R3", "the sound lags behind the picture",
        "record on; no camera can measure it, a clap in the test clip shows it",
        _late, _back("late_s", 0), Amount("s", 1.1, 0.01, 10), in_camera=True,
    ),
    Fault(
        "microphone.out_of_reach", "R2", "the remote microphone is out of its camera's reach",
        "log and show that the remote sound is away, and when it is back; the picture goes on",
        _put("link", False), _back("link", True), in_camera=True,
    ),
    Fault(
        "microphone.pack_low", "R2", "the remote microphone's battery is nearly empty",
        "warn before the sound is lost",
        _pack, _back("battery_percent", PACK_PERCENT), Amount("percent", 5, 0, 100), in_camera=True,
    ),
    Fault(
        "microphone.wearer_muted", "R2", "the wearer has muted the remote microphone",
        "log the mute and its end; the picture goes on",
        _put("wearer_muted", True), _back("wearer_muted", False), in_camera=True,
    ),
)  # fmt: skip
"""Every fault of the sound."""
