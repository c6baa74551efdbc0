"""Simulated cameras behind `hal.camera.Camera`: a generated scene, and any clip, encoded live and once.

Frames follow an absolute schedule on CLOCK_BOOTTIME. `captured_ns` is the frame's instant in that schedule, as a sensor
would stamp it; the strip and the caption show the camera's own UTC of that instant. A camera that falls behind by more
than `BUFFERED_S` (a real one has buffers, and a processor of its own) skips what it missed, and `sequence` shows the
hole. A key frame is due every second of the schedule, also after a hole: no GOP ever lasts longer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

from hal import small_pictures
from hal.camera import EncodedFrame, SourceInfo, VideoFormat
from hal.driver_options import whole_number
from hal.errors import BadDriverOption
from hal.picture_controls import PictureControls
from hal.x264 import X264Encoder, gop_frames
from simulator import strip
from simulator.drivers.caption import Caption
from simulator.drivers.clip import ClipPictures, open_clip
from simulator.drivers.hardware_messages import Answer, CameraOp, PictureOp
from simulator.drivers.live_source import LiveSource
from simulator.drivers.looks import Look, Looks
from simulator.drivers.pace import NS_PER_S, Pace, boottime_ns
from simulator.drivers.picture import Picture
from simulator.drivers.runner import Steps
from simulator.drivers.scene import Scene
from simulator.drivers.shown import Shown

BUFFERED_S = 1  # so long a frame may wait before it is lost: less than a camera may be silent without a fault
_NS_PER_MS = 1_000_000


class _Pictures(Protocol):
    """What a camera looks at."""

    def paint(self, picture: Picture, time_s: float) -> None: ...


class _SimulatedCamera(PictureControls, LiveSource[EncodedFrame]):
    """Pacing, strip, caption, encoder and faults; the two cameras differ in what they look at.

    Both are `hal.camera.ShowsPictures` (what is painted, without strip and caption) and `hal.camera.AdjustsBitrate`.
    """

    def __init__(
        self,
        info: SourceInfo,
        size: tuple[int, int],
        frame_rate: Fraction,
        bitrate: int,
        title: str,
        look_at: Callable[[], _Pictures],
        hardware_socket: str | None,
    ) -> None:
        self._info = info
        self._width, self._height = size
        self._rate = frame_rate
        self._bitrate = whole_number("bitrate", bitrate, 20_000, 50_000_000)
        self._title = title
        self._look_at = look_at
        self._faults = threading.Lock()
        self._stalled_until_ns = 0
        self._encoder_stalled_until_ns = 0
        self._frames_to_drop = 0
        self._look: Look = "normal"
        self._shown = Shown()
        super().__init__("camera", CameraOp, self._fault, hardware_socket)
        self._hide = None if self._hardware is None else self._hardware.register(PictureOp, self._shown.answer)

    @property
    def info(self) -> SourceInfo:
        return self._info

    @property
    def format(self) -> VideoFormat:
        return VideoFormat(self._width, self._height, float(self._rate))

    def stop(self) -> None:
        """Stop, and show nothing any more. May be called twice."""
        if self._hide is not None:
            self._hide()
        super().stop()

    def _steps(self, on_item: Callable[[EncodedFrame], None]) -> Steps:
        pictures = self._look_at()
        picture = Picture(self._width, self._height)
        looks = Looks(self._width, self._height)
        clean_bottom_px = strip.strip_height_px(self._height)
        caption = Caption(self._width, self._height, self._title)
        encoder = X264Encoder(self._width, self._height, self._rate, self._bitrate)
        gop = gop_frames(self._rate)
        newest_gop = -1
        pictures.paint(picture, 0.0)  # what is prepared at first use must not cost the first frames
        pace = Pace(1 / self._rate)
        sequence = 0
        while True:
            yield pace.instant_ns(sequence)
            due = pace.due(boottime_ns())
            if due - sequence > self._rate * BUFFERED_S:
                sequence = due
            captured_ns = pace.instant_ns(sequence)
            if not self._is_lost(captured_ns):
                utc_ns = self._time.utc_at_ns(captured_ns)
                pictures.paint(picture, float(sequence / self._rate))
                looks.show(picture, self._look, float(sequence / self._rate))
                if self._small is None or captured_ns - self._small.captured_ns >= small_pictures.EVERY_NS:
                    self._small = small_pictures.small_picture(picture.y[:-clean_bottom_px], captured_ns)
                if captured_ns < self._encoder_stalled_until_ns:
                    self._shown.offer(picture)
                    sequence += 1
                    continue
                picture.neutral_bottom(clean_bottom_px)
                caption.draw(picture.y, utc_ns, sequence)
                strip.draw(picture.y, sequence, utc_ns // _NS_PER_MS % strip.MS_PER_DAY)
                self._shown.offer(picture)
                encoder.set_bitrate(self._bitrate * self._bitrate_percent // 100)
                data, keyframe = encoder.encode(picture.frame, sequence, keyframe=sequence // gop > newest_gop)
                newest_gop = sequence // gop
                on_item(EncodedFrame(data, keyframe, captured_ns, sequence))
            sequence += 1

    def _is_lost(self, captured_ns: int) -> bool:
        with self._faults:
            if self._frames_to_drop > 0:
                self._frames_to_drop -= 1
                return True
            return captured_ns < self._stalled_until_ns

    def _fault(self, request: CameraOp) -> Answer:
        with self._faults:
            if request.stall_s is not None:
                self._stalled_until_ns = boottime_ns() + int(request.stall_s * NS_PER_S)
            if request.encoder_stall_s is not None:
                self._encoder_stalled_until_ns = boottime_ns() + int(request.encoder_stall_s * NS_PER_S)
            if request.drop_frames is not None:
                self._frames_to_drop = request.drop_frames
            if request.look is not None:
                self._look = request.look
        return Answer(ok=True)


class SceneCamera(_SimulatedCamera):
    """A generated street at dusk (or at `night`): even width and height in pixels, `bitrate` in bits a second.

    The same `seed` gives the same town. `label` (a serial number, say) is shown beside the word SIMULATED. With a
    `hardware_socket` the world can stall it and shift its clock. Raises `hal.errors.BadDriverOption`.
    """

    def __init__(
        self,
        width: int = 640,
        height: int = 360,
        frame_rate: int = 30,
        bitrate: int = 400_000,
        seed: int = 0,
        hardware_socket: str | None = None,
        night: bool = False,
        label: str = "",
    ) -> None:
        whole_number("width", width, 128, 1920, even=True)
        whole_number("height", height, 96, 1080, even=True)
        whole_number("frame_rate", frame_rate, 1, 60)
        whole_number("seed", seed, 0, 2**31 - 1)
        if not isinstance(night, bool):
            raise BadDriverOption(f"night = {night!r}: give true or false")
        super().__init__(
            SourceInfo("simulated-scene", f"scene-{width}x{height}", "simulated"),
            (width, height),
            Fraction(frame_rate),
            bitrate,
            f"SIMULATED  {label}".rstrip(),
            lambda: Scene(width, height, seed, night=night),
            hardware_socket,
        )


class ClipCamera(_SimulatedCamera):
    """A video file in a loop, at its own size and rate (at most 1280x720 and 30 a second), encoded anew.

    Raises `hal.errors.BadDriverOption` for a file that is missing or holds no video that can be decoded.
    """

    def __init__(
        self, clip: str, bitrate: int = 1_500_000, hardware_socket: str | None = None, label: str = ""
    ) -> None:
        opened = open_clip(clip)
        if not opened.has_video:
            raise BadDriverOption(f"clip = {clip!r}: holds no video")
        super().__init__(
            SourceInfo("simulated-clip", opened.sensor, "clip"),
            (opened.width, opened.height),
            opened.frame_rate,
            bitrate,
            f"CLIP  {label}".rstrip(),
            lambda: ClipPictures(opened),
            hardware_socket,
        )
