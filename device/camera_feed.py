"""One camera with its recorder: started, and again if it did not come up; one of several tells when it is silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from device.recorder import Recorder
from hal.camera import Camera
from hal.clock import Clock
from hal.errors import HalError

RETRY_CAMERA_NS: Final = 5_000_000_000
"""A sensor that did not start is started again this often; one that is silent for so long is said to be."""
RETRY_CAMERA_MAX_NS: Final = 300_000_000_000
"""A silent one is said again in ever longer intervals up to this, so that the log is not filled by it."""


class CameraFeed:
    """One of the cameras. `fault` takes the part's name and a sentence, on any thread."""

    def __init__(
        self,
        name: str,
        camera: Camera | None,
        recorder: Recorder,
        clock: Clock,
        fault: Callable[[str, str], None],
        *,
        tells: bool = False,
    ) -> None:
        """`tells`: it says that it is silent; who watches the first camera is `device.senses`."""
        self.name = name
        self._camera = camera
        self._recorder = recorder
        self._clock = clock
        self._fault = fault
        self._tells = tells
        self._started = False
        self._look_again_ns = 0
        self._pause_ns = RETRY_CAMERA_NS

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
        """Say that it is silent, and try again if it did not start (its recovery is the driver's job)."""
        if self._camera is None:
            return
        if now_ns - (self._recorder.last_frame_ns or 0) < RETRY_CAMERA_NS:
            self._look_again_ns, self._pause_ns = 0, RETRY_CAMERA_NS
            return
        if now_ns < self._look_again_ns:
            return
        if not self._started:
            self.start()
            return
        if not self._tells:
            return
        self._look_again_ns = now_ns + self._pause_ns
        self._pause_ns = min(2 * self._pause_ns, RETRY_CAMERA_MAX_NS)
        self._fault(self.name, "no frames for 5 s")

    def stop(self) -> None:
        """Stop it; raises what the driver raises."""
        if self._camera is not None:
            self._camera.stop()
