"""From a picture (yuv420p) to what a camera delivers: small picture, burned-in text, H.264."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import numpy.typing as npt
from av.video.frame import VideoFrame
from av.video.plane import VideoPlane

from hal import small_pictures
from hal.camera import EncodedFrame, SmallPicture
from hal.caption import Caption, utc_of_capture_ns
from hal.x264 import X264Encoder


def plane_view(plane: VideoPlane) -> npt.NDArray[np.uint8]:
    """The visible part of a plane as an array that shares its memory."""
    whole = np.frombuffer(memoryview(plane), dtype=np.uint8)
    return whole.reshape(-1, plane.line_size)[: plane.height, : plane.width]


class PictureEncoder:
    """One camera's. `label` None: no text. A key frame comes first, and each second of the pictures' own time."""

    def __init__(self, width: int, height: int, frame_rate: Fraction, bitrate: int, label: str | None) -> None:
        self._encoder = X264Encoder(width, height, frame_rate, bitrate)
        self._caption = None if label is None else Caption(width, height, label)
        # Half a period early: a key frame is due with the frame nearest to the full second.
        self._gop_ns = int((1 - 1 / (2 * frame_rate)) * 1_000_000_000)
        self._key_ns: int | None = None
        self._small: SmallPicture | None = None

    def set_bitrate(self, bitrate: int) -> None:
        """Bits a second from the next frame on."""
        self._encoder.set_bitrate(bitrate)

    def encode(self, picture: VideoFrame, sequence: int, captured_ns: int) -> tuple[EncodedFrame, SmallPicture]:
        """The access unit, and the newest small picture. Draws on the picture. Raises `DeviceLost`."""
        luma = plane_view(picture.planes[0])
        if self._small is None or captured_ns - self._small.captured_ns >= small_pictures.EVERY_NS:
            self._small = small_pictures.small_picture(luma, captured_ns)
        if self._caption is not None:
            self._caption.draw(luma, utc_of_capture_ns(captured_ns))
        due = self._key_ns is None or captured_ns - self._key_ns >= self._gop_ns
        data, keyframe = self._encoder.encode(picture, sequence, keyframe=due)
        if keyframe:
            self._key_ns = captured_ns
        return EncodedFrame(data, keyframe, captured_ns, sequence), self._small
