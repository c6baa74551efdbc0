"""A USB camera (UVC) or any other that Linux shows as /dev/videoN: a dash camera's second eye, a developer's webcam.

Pictures come as MJPEG or raw, get their text, and are encoded here by x264 on the processor. Lost, silent and wedged
cameras are one sentence to `on_fault`, and then waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Final, Protocol

from hal import program_time, v4l2
from hal.caption import checked_label
from hal.driver_options import flag, silence_ns, whole_number
from hal.errors import BadDriverOption, DeviceLost
from hal.picture_encoder import PictureEncoder
from hal.raw_pictures import DamagedPicture, RawPictures
from hal.recovering_camera import RecoveringCamera
from hal.v4l2_stream import RawFrame, StreamFormat, V4l2Stream

PIXELS: Final = {
    "auto": ("MJPG", "JPEG", "YUYV", "NV12", "YU12", "UYVY", "RGB3"),
    "mjpeg": ("MJPG", "JPEG"),
    "yuyv": ("YUYV",),
    "nv12": ("NV12",),
    "yuv420": ("YU12",),
    "uyvy": ("UYVY",),
    "rgb": ("RGB3",),
}
"""FourCCs by the word of the option. Compressed ones first: over USB 2 raw pictures come slowly."""
LOOK_UP_S: Final = 0.25


class Stream(Protocol):
    """What this driver needs of `V4l2Stream`."""

    format: StreamFormat
    found: v4l2.Found

    def read(self, wait_s: float) -> RawFrame | None: ...

    def close(self) -> None: ...


class V4l2Camera(RecoveringCamera):
    """A `hal.camera.Camera`, `ShowsPictures` and `AdjustsBitrate` on a V4L2 device.

    `device` is a path, best one under ``/dev/v4l/by-id/``; or `name` is a part of what the camera calls itself.
    `width`, `height` (even) and `frame_rate` are asked for; a camera that has no such size is scaled to it.
    `bitrate_kbit` per second. `pixel_format`: auto, mjpeg, yuyv, nv12, yuv420, uyvy or rgb. `overlay`: burn in `label`
    (a serial, say) and UTC. After `silence_s` without a picture the camera is closed and opened again.
    Raises `hal.errors.BadDriverOption`. A camera that is not there is not an error here: it may be plugged in later.
    """

    def __init__(
        self,
        device: str = "",
        name: str = "",
        width: int = 1280,
        height: int = 720,
        frame_rate: int = 30,
        bitrate_kbit: int = 4000,
        pixel_format: str = "auto",
        overlay: bool = True,
        label: str = "",
        silence_s: float = 3.0,
        *,
        open_stream: Callable[[str, tuple[str, ...], int, int, int], Stream] = V4l2Stream,
    ) -> None:
        if not isinstance(device, str) or not isinstance(name, str) or (device and name):
            raise BadDriverOption('camera: give either device = "/dev/v4l/by-id/…" or name = "…", as text')
        if pixel_format not in PIXELS:
            raise BadDriverOption(f"pixel_format = {pixel_format!r}: give one of {', '.join(PIXELS)}")
        self._device, self._name = device or ("" if name else "/dev/video0"), name
        super().__init__(
            "v4l2",
            (self._name or self._device)[:128],
            whole_number("width", width, 128, 1920, even=True),
            whole_number("height", height, 96, 1088, even=True),
            whole_number("frame_rate", frame_rate, 1, 60),
        )
        self._bitrate = 1000 * whole_number("bitrate_kbit", bitrate_kbit, 50, 50_000)
        self._pixels = PIXELS[pixel_format]
        self._label = checked_label(label)
        self._overlay = flag("overlay", overlay)
        self._silence_ns = silence_ns("silence_s", silence_s)
        self._open_stream = open_stream

    def _session(self, stopping: threading.Event, frames_come: Callable[[], None]) -> None:
        path = self._device or v4l2.camera_named(self._name)
        stream = self._open_stream(path, self._pixels, self._width, self._height, self._frame_rate)
        try:
            self._sensor = f"{stream.found.name} {stream.found.bus}".strip()[:128] or path[:128]
            self._tell_mismatch(stream.format)
            self._count.opened_again()
            self._deliver(stream, stopping, frames_come)
        finally:
            stream.close()

    def _deliver(self, stream: Stream, stopping: threading.Event, frames_come: Callable[[], None]) -> None:
        raw = RawPictures(stream.format, self._width, self._height)
        encoder = PictureEncoder(
            self._width, self._height, Fraction(self._frame_rate), self._bitrate, self._label if self._overlay else None
        )
        newest_ns = program_time.boottime_ns()
        damaged = 0
        while not stopping.is_set():
            frame = stream.read(LOOK_UP_S)
            placed = None if frame is None else self._count.place(frame.sequence, frame.captured_ns)
            if frame is None or placed is None:
                self._check_silence(newest_ns, damaged)
                continue
            sequence, captured_ns = placed
            try:
                picture = raw.decode(frame.data)
            except DamagedPicture:  # a bad cable: the picture is lost, and its number is missing from the count
                damaged += 1
                self._check_silence(newest_ns, damaged)
                continue
            encoder.set_bitrate(self._bitrate * self._bitrate_percent // 100)
            encoded, small = encoder.encode(picture, sequence, captured_ns)
            if stopping.is_set() or self._on_frame is None:
                return
            self._small = small
            newest_ns = program_time.boottime_ns()
            self._on_frame(encoded)
            frames_come()

    def _check_silence(self, newest_ns: int, damaged: int) -> None:
        if program_time.boottime_ns() - newest_ns < self._silence_ns:
            return
        where, for_s = self._device or repr(self._name), self._silence_ns / 1e9
        if damaged:
            raise DeviceLost(f"the camera {where} has delivered only damaged pictures for {for_s:g} s: check its cable")
        raise DeviceLost(
            f"the camera {where} has delivered no picture for {for_s:g} s and is restarted: check its cable"
        )

    def _tell_mismatch(self, agreed: StreamFormat) -> None:
        if self._on_fault is None or (agreed.width, agreed.height) == (self._width, self._height):
            return
        self._on_fault(
            f"the camera delivers {agreed.width}x{agreed.height}, which is scaled to {self._width}x{self._height}: "
            "set width and height to a size that it has"
        )
