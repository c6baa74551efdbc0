"""One picture in, one H.264 access unit out: x264 (through PyAV) as a camera's hardware encoder would behave."""

from __future__ import annotations

from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType, VideoFrame

from hal.errors import DeviceLost


def gop_frames(frame_rate: Fraction) -> int:
    """Frames in a GOP of one second; 29.97 counts as 30, everything else is cut to at most one second."""
    return max(1, int(frame_rate + Fraction(1, 20)))


class X264Encoder:
    """Closed GOPs, no B-frames, Annex B with SPS and PPS in front of each IDR, one slice a frame.

    Pictures are yuv420p of that size; `bitrate` in bits a second.
    """

    def __init__(self, width: int, height: int, frame_rate: Fraction, bitrate: int) -> None:
        gop = gop_frames(frame_rate)
        context = av.CodecContext.create("libx264", "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.framerate = frame_rate
        context.time_base = 1 / frame_rate
        context.bit_rate = bitrate
        context.gop_size = gop
        context.thread_count = 1  # several would cut each frame into slices
        context.options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "maxrate": str(bitrate),
            "bufsize": str(bitrate),
            "keyint_min": str(gop),
            "sc_threshold": "0",
            "bf": "0",
            "flags": "+cgop",
            "forced-idr": "1",
        }
        context.open()
        self._context = context

    def set_bitrate(self, bitrate: int) -> None:
        """Bits a second from the next frame on; GOPs go on as they are. x264 follows within a second (it keeps a
        stream of constant rate constant, so that its buffer follows too)."""
        if bitrate != self._context.bit_rate:
            self._context.bit_rate = bitrate

    def encode(self, picture: VideoFrame, number: int, *, keyframe: bool) -> tuple[bytes, bool]:
        """Encode frame `number` (rising, with holes where frames were lost); an IDR if `keyframe`. Returns the access
        unit and whether it is one.

        Raises `DeviceLost` if the encoder does not answer with exactly one access unit.
        """
        picture.pts = number
        picture.pict_type = PictureType.I if keyframe else PictureType.NONE
        try:
            packets = self._context.encode(picture)
        except av.error.FFmpegError as error:
            raise DeviceLost(f"the H.264 encoder failed ({error.strerror}); restart the camera") from error
        if len(packets) != 1:
            raise DeviceLost(f"the H.264 encoder gave {len(packets)} access units for one picture; restart the camera")
        return bytes(packets[0]), packets[0].is_keyframe
