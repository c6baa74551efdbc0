"""A real camera behind the seam: it comes back by itself (`hal.camera_recovery`), whichever library drives it."""

from __future__ import annotations

import threading
from collections.abc import Callable

from hal.camera import EncodedFrame, SourceInfo, VideoFormat
from hal.camera_recovery import Recovery
from hal.frame_count import FrameCount
from hal.picture_controls import PictureControls


class RecoveringCamera(PictureControls):
    """What drivers of real cameras share. A driver opens its device and delivers in `_session`."""

    def __init__(self, driver: str, sensor: str, width: int, height: int, frame_rate: int) -> None:
        """`driver` is the entry point's name; `sensor` what the device is called until it says so itself."""
        self._driver, self._sensor = driver, sensor
        self._width, self._height, self._frame_rate = width, height, frame_rate
        self._recovery = Recovery(f"camera-{driver}", self._session)
        self._count = FrameCount(frame_rate)
        self._on_frame: Callable[[EncodedFrame], None] | None = None
        self._on_fault: Callable[[str], None] | None = None

    @property
    def info(self) -> SourceInfo:
        return SourceInfo(self._driver, self._sensor, "real")

    @property
    def format(self) -> VideoFormat:
        return VideoFormat(self._width, self._height, float(self._frame_rate))

    def start(self, on_frame: Callable[[EncodedFrame], None], on_fault: Callable[[str], None]) -> None:
        """Deliver until `stop`. Comes back at once; the camera is opened on a thread of its own."""
        self._on_frame, self._on_fault = on_frame, on_fault
        self._count = FrameCount(self._frame_rate)
        self._recovery.start(on_fault)

    def stop(self) -> None:
        """Stop, and give the camera back. May be called twice."""
        self._recovery.stop()

    def _session(self, stopping: threading.Event, frames_come: Callable[[], None]) -> None:
        """Open the camera and deliver; ends by raising what was wrong (`hal.errors.HalError`, OSError)."""
        raise NotImplementedError
