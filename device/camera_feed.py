"""One camera with its recorder: started, and again if it did not come up. `device.senses` tells when it is silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from device.recorder import Recorder
from hal.camera import Camera
from hal.clock import Clock
from hal.errors import HalError

RETRY_CAMERA_NS: Final = 5_000_000_000
"""A sensor that did not start is started again this often."""


class CameraFeed:
    """One of the cameras. `fault` takes the part's name and a sentence, on any thread."""

    def __init__(
        self,
        name: str,
        camera: Camera | None,
        recorder: Recorder,
        clock: Clock,
        fault: Callable[[str, str], None],
    ) -> None:
        self.name = name
        self._camera = camera
        self._recorder = recorder
        self._clock = clock
        self._fault = fault
        self._started = False
        self._look_again_ns = 0

    def start(self) -> None:
        """Start it; a failure is a fault, and `watch` tries again."""
        self._look_again_ns = self._clock.boottime_ns() + RETRY_CAMERA_NS
        if self._camera is None:
            return
        try:
            self._camera.start(self._recorder.on_frame, lambda text: self._fault(self.name, text))
            self._started = True
        except (HalError, OSError) as error:
            self._fault(self.name, str(error))

    def watch(self, now_ns: int) -> None:
        """Try again if it did not start; one that started and fell silent is the driver's to bring back."""
        if self._camera is not None and not self._started and now_ns >= self._look_again_ns:
            self.start()

    def stop(self) -> None:
        """Stop it; raises what the driver raises."""
        if self._camera is not None:
            self._camera.stop()
