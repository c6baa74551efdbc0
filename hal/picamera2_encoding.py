"""What stands between picamera2 and us: an encoder (x264 or the board's own) and our own output.

picamera2's own outputs delay, drop or hide what an evidence camera must see (docs/cameras.md); its software encoder
puts key frames where scenes change. This module imports picamera2: only `hal.camera_picamera2` imports it, and late.
"""

from __future__ import annotations

import fcntl
import struct
from collections.abc import Callable
from fractions import Fraction
from typing import Any, Final

from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from libcamera import controls
from picamera2 import MappedArray
from picamera2.encoders import Encoder, H264Encoder
from picamera2.outputs import Output

from hal.frame_count import CLOSEST_NS
from hal.x264 import X264Encoder, gop_frames

S_CTRL: Final = 0xC008561C
"""VIDIOC_S_CTRL with struct v4l2_control (linux/videodev2.h)"""
CID_BITRATE: Final = 0x009909CF
"""V4L2_CID_MPEG_VIDEO_BITRATE"""
PIXELS: Final = {"YUV420": "yuv420p", "NV12": "nv12"}
"""What we can encode, by libcamera's names and libavutil's."""
_PENDING_MAX: Final = 64

Stamp = Callable[[Any], int]
Deliver = Callable[[bytes, int], None]


def sensor_stamp_ns(request: Any) -> int:
    """When the sensor began with a picture, in its clock; 0 if it does not say. All metadata would cost time."""
    return int(request.request.metadata.get(controls.SensorTimestamp, 0))


class DirectOutput(Output):  # type: ignore[misc]
    """Hands each access unit on at once, with the microseconds at which its picture was taken."""

    def __init__(self, deliver: Deliver) -> None:
        super().__init__()
        self._deliver = deliver

    def outputframe(
        self,
        frame: Any,
        keyframe: bool = True,  # noqa: ARG002  # not believed: what the octets say counts
        timestamp: int | None = None,
        packet: Any = None,  # noqa: ARG002
        audio: bool = False,
    ) -> None:
        """On the encoder's thread; must not block."""
        if not audio and frame is not None and timestamp is not None:
            self._deliver(bytes(frame), timestamp)


class SoftwareEncoder(Encoder):  # type: ignore[misc]
    """x264 through libav, with our closed GOPs of one second by the pictures' own time."""

    def __init__(self, frame_rate: int, bitrate: int, stamp: Stamp) -> None:
        super().__init__(framerate=frame_rate)
        self._rate, self._stamp = Fraction(frame_rate), stamp
        self._bitrate = bitrate
        self._x264: X264Encoder | None = None
        self._reformatter = VideoReformatter()
        self._gop_us = int((1 - 1 / (2 * self._rate)) * 1_000_000)
        self._first_us: int | None = None
        self._key_us: int | None = None
        self._number = -1

    def set_bitrate(self, bitrate: int) -> None:
        """Bits a second from the next frame on."""
        self._bitrate = bitrate

    def _send_streams(self, output: Any) -> None:
        """Our output needs no streams."""

    def _start(self) -> None:
        self._x264 = X264Encoder(self._width, self._height, self._rate, self._bitrate)
        self._first_us = self._key_us = None
        self._number = -1

    def _stop(self) -> None:
        self._x264 = None

    def _timestamp(self, request: Any) -> int:
        return self._stamp(request)

    def _encode(self, stream: str, request: Any) -> None:
        if self._x264 is None:
            return
        taken_us = self._timestamp(request)
        if self._first_us is None:
            self._first_us = taken_us
        # The encoder shares the bits out by this number: what was lost counts.
        number = round((taken_us - self._first_us) * self._rate / 1_000_000)
        self._number = max(self._number + 1, number)
        due = self._key_us is None or taken_us - self._key_us >= self._gop_us
        self._x264.set_bitrate(self._bitrate)
        with MappedArray(request, stream, write=False) as mapped:
            picture = VideoFrame.from_numpy_buffer(mapped.array, format=PIXELS[self._format], width=self._width)
            if self._format != "YUV420":
                picture = self._reformatter.reformat(picture, format="yuv420p")
            data, keyframe = self._x264.encode(picture, self._number, keyframe=due)
        if keyframe:
            self._key_us = taken_us
        self.outputframe(data, keyframe, taken_us)


class HardwareEncoder(H264Encoder):  # type: ignore[misc]
    """The board's own encoder (bcm2835-codec, /dev/video11)."""

    def __init__(self, frame_rate: int, bitrate: int, stamp: Stamp) -> None:
        super().__init__(
            bitrate=bitrate, repeat=True, iperiod=gop_frames(Fraction(frame_rate)), framerate=frame_rate, profile="high"
        )
        self._stamp = stamp
        self._newest_bitrate = bitrate

    def set_bitrate(self, bitrate: int) -> None:
        """Bits a second from about the next frame on. Raises OSError."""
        if bitrate != self._newest_bitrate and self.vd is not None:
            fcntl.ioctl(self.vd, S_CTRL, struct.pack("=Ii", CID_BITRATE, bitrate))
            self._newest_bitrate = bitrate

    def _timestamp(self, request: Any) -> int:
        return self._stamp(request)


class Stamps:
    """When each picture was taken, and the sensor's count of it, kept until its access unit comes out."""

    def __init__(self, captured_ns: Callable[[int], int]) -> None:
        """`captured_ns` makes CLOCK_BOOTTIME of a sensor's stamp."""
        self._captured_ns = captured_ns
        self._pending: dict[int, tuple[int, int | None]] = {}
        self._newest_ns = 0

    def stamp(self, request: Any) -> int:
        """Microseconds of a picture that goes into the encoder."""
        buffer = next(iter(request.request.buffers.values()), None)
        sequence = None if buffer is None else int(buffer.metadata.sequence)
        # What is encoded must not be thrown away: later pictures build on it. So its time is always a later one.
        captured_ns = max(self._captured_ns(sensor_stamp_ns(request)), self._newest_ns + CLOSEST_NS)
        self._newest_ns = captured_ns
        while len(self._pending) >= _PENDING_MAX:  # an encoder that swallows pictures
            del self._pending[next(iter(self._pending))]
        self._pending[captured_ns // 1000] = captured_ns, sequence
        return captured_ns // 1000

    def taken(self, stamp_us: int) -> tuple[int, int | None]:
        """(CLOCK_BOOTTIME in nanoseconds, the sensor's count) of an access unit."""
        return self._pending.pop(stamp_us, (stamp_us * 1000, None))
