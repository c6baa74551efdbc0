"""Pictures as cameras deliver them (MJPEG or raw), made into yuv420p of one size."""

from __future__ import annotations

from typing import Final

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Interpolation, VideoReformatter

from hal.v4l2_stream import StreamFormat

_RAW: Final = {
    "YUYV": ("yuyv422", 2.0),
    "UYVY": ("uyvy422", 2.0),
    "NV12": ("nv12", 1.5),
    "YU12": ("yuv420p", 1.5),
    "RGB3": ("rgb24", 3.0),
}
"""libavutil's name, and octets for a pixel."""


class DamagedPicture(Exception):
    """These octets are no picture; the next ones may be."""


class RawPictures:
    """Decodes one stream. `width` and `height` are what is wanted."""

    def __init__(self, stream: StreamFormat, width: int, height: int) -> None:
        self._stream, self._width, self._height = stream, width, height
        self._bytes = 0
        jpeg = stream.pixels not in _RAW
        context = av.CodecContext.create("mjpeg" if jpeg else "rawvideo", "r")
        assert isinstance(context, VideoCodecContext)
        context.thread_count = 1
        if not jpeg:
            context.pix_fmt, octets = _RAW[stream.pixels]
            context.width, context.height = stream.width, stream.height
            self._bytes = int(stream.width * stream.height * octets)
        self._context = context
        self._reformatter = VideoReformatter()

    def decode(self, data: bytes) -> VideoFrame:
        """A picture of our own that may be drawn on. Raises `DamagedPicture`."""
        if self._bytes:
            data = self._without_padding(data)
        try:
            frames = self._context.decode(av.Packet(data))
            if len(frames) != 1:
                raise DamagedPicture
            return self._reformatter.reformat(
                frames[0],
                self._width,
                self._height,
                "yuv420p",
                dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.BILINEAR,  # the fast one writes machine code, which the unit forbids
            )
        except av.error.FFmpegError as error:
            raise DamagedPicture from error

    def _without_padding(self, data: bytes) -> bytes:
        """Raw lines behind each other; some drivers leave gaps between them."""
        line = self._bytes // self._stream.height
        if self._stream.pixels in ("YUYV", "UYVY", "RGB3") and self._stream.line_bytes > line:
            step = self._stream.line_bytes
            data = b"".join(data[at * step : at * step + line] for at in range(self._stream.height))
        if len(data) < self._bytes:
            raise DamagedPicture
        return data[: self._bytes]
