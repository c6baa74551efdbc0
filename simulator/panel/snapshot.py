"""The camera and the world at one moment, as the page needs them."""

from __future__ import annotations

from typing import Any

import msgspec

from evidence.handover import Status
from simulator.agency import BOARD
from simulator.panel.track import place
from simulator.running import Running


def camera_now(status: Status) -> dict[str, Any]:
    """What the camera says of itself. Its uptime is left out: it would be another one at each look."""
    said: dict[str, Any] = msgspec.to_builtins(status)
    said.pop("uptime_s", None)
    said.pop("log_head", None)
    if status.buffered_s is not None:
        said["buffered_s"] = round(status.buffered_s)
    return said


def world_now(run: Running) -> dict[str, Any]:
    """What is true outside the camera."""
    world = run.world
    lines = {
        name: world.camera.level(pin.number) == pin.level(active=True)
        for name, pin in BOARD.items()
        if world.camera.level(pin.number) is not None
    }
    return {
        "lines": lines,
        "battery": round(world.battery.percent),
        "charging": world.battery.status,
        "celsius": round(world.deeds.thermal.celsius),
        "gps": place(world.deeds.gps.said),
        "clock_offset_s": round(world.deeds.clock_offset_ns / 1e9),
        "starts": world.camera.starts,
        "pre_event_s": world.profile.pre_event_s,
        "hold_s": world.profile.hold_to_stop_ms / 1000,
        "confirm_s": world.profile.confirm_stop_s,
    }
