"""The board of a container: eyes, pins and cell are simulated, everything else is the camera's own."""

from __future__ import annotations

from typing import Any, Final

BOARD: Final = "lab-container"


def board_toml() -> dict[str, Any]:
    """A board that no container has: its eyes, pins and cell are simulated. `new-config` makes device.toml of it."""
    wired = {"hardware_socket": "/var/lib/firsthand/device/hw.sock"}
    return {
        "model": "A container",
        "camera": {
            "driver": "simulated-scene",
            "options": {"width": 320, "height": 180, "frame_rate": 10, "bitrate": 150_000, **wired},
        },
        "battery": {"driver": "power-supply", "options": {"root": "/var/lib/firsthand/device/power"}},
        "pins": {"driver": "simulated", "options": wired},
        "switches": {"driver": "gpiozero", "options": {"lines": {"record_button": {"pin": 17}}}},
        "indicators": {
            "driver": "gpiozero",
            "options": {"channels": {"red": 6, "green": 5, "amber": 13, "haptic": 19}},
        },
        "inputs": {
            "record_button": {"kind": "record_button"},
            "radio": {"kind": "trigger", "source": "message"},
        },
        "board": {"says": "A container of the lab.", "machines": [], "memory_mib": 400, "parts": {"camera": "none"}},
    }
