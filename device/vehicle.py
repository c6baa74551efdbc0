"""What the camera of a vehicle says besides: which vehicle (R2), and whether its other cameras deliver (R17)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from device.part import Part
from device.selftest import Check, Seen
from hal import program_time

WAIT_S: Final = 3.0
FRAMES: Final = 5


class Vehicle(Part):
    """The dash role. A body camera has nothing of it."""

    name = "vehicle"

    def opening(self) -> Mapping[str, Any]:
        if self.daemon.settings.role != "dash":
            return {}
        return {"vehicle": self.daemon.settings.vehicle}

    def checks(self) -> Sequence[Check]:
        return (("channels", self.channels),) if self.daemon.settings.cameras else ()

    def channels(self) -> Seen:
        """Each other camera delivers frames, and goes on doing so."""
        followers = self.daemon.recorder.followers
        began = {name: one.frames for name, one in followers.items()}

        def silent() -> list[str]:
            return sorted(name for name, one in followers.items() if one.frames < began[name] + FRAMES)

        for _ in range(round(WAIT_S / 0.05)):
            if not silent():
                break
            program_time.sleep(0.05)
        limit, dead = f"{FRAMES} frames in {WAIT_S:g} s of each", silent()
        if dead:
            return Seen("fail", f"no new frames: {', '.join(dead)}", limit, "check that camera's cable and lens")
        return Seen("pass", f"{len(followers)} more cameras deliver", limit)
