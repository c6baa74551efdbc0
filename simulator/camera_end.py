"""The world's end of a camera: whatever stands between hands, lines and sensors and the camera's programs."""

from __future__ import annotations

from typing import Any, Protocol

from evidence.handover import Notice, Spool, Status
from evidence.requests import Request


class CameraEnd(Protocol):
    """One camera, in processes of its own (`simulator.camera_link`) or in this one (`simulator.virtual_camera`)."""

    starts: int
    """How often the camera was connected to: it goes up when a camera that was killed is back."""

    def look(self) -> tuple[Status, list[Notice]]:
        """The camera's state, and what it told since the last look."""
        ...

    def spool(self) -> Spool:
        """Closed files that wait on the camera."""
        ...

    def drive(self, pin: int, level: int) -> None:
        """Put a level on an input pin, now and after each new start of the camera."""
        ...

    def level(self, pin: int) -> int | None:
        """What we last drove a pin to; None if never."""
        ...

    def world(self, operation: dict[str, Any]) -> None:
        """One operation on the simulated sensors (`simulator.drivers.hardware`). Raises `WorldRefused`."""
        ...

    def ask(self, request: Request) -> None:
        """One request to the recorder, as a radio or a technician makes it. Raises `WorldRefused` if it is refused."""
        ...

    def outputs(self) -> dict[int, float]:
        """Level of every output pin: lamps, vibration, tone. Empty while the board does not answer."""
        ...

    def cut_power(self) -> None:
        """Take the power away at this instant, and give it back."""
        ...

    def close(self) -> None:
        """End the world's line to the camera. May be called twice."""
        ...
