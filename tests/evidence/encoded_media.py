"""Small real streams for the media tests, encoded once per test run: x264 pictures and AAC sound by PyAV."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from evidence import nal
from evidence.fmp4 import AudioSample, AudioTrack, VideoSample, VideoTrack

FRAME_TICKS = 3600  # 25 frames per second at 90 kHz
SAMPLE_RATE = 48_000


@dataclass(frozen=True)
class Picture:
    data: bytes
    keyframe: bool


@functools.cache
def pictures(count: int = 50, gop: int = 25, width: int = 320, height: int = 180, options: str = "") -> list[Picture]:
    """`count` access units in Annex B form, an IDR with SPS and PPS every `gop`, no B-frames."""
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 25), Fraction(25)
    encoder.gop_size = gop
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        "x264-params": f"bframes=0:keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:repeat-headers=1:annexb=1:"
        f"threads=1:slices=1{':' if options else ''}{options}",
    }
    made = []
    rows, columns = np.mgrid[0:height, 0:width]
    for index in [*range(count), None]:
        frame = None
        if index is not None:
            luma = ((rows + 3 * columns + 7 * index) % 256).astype(np.uint8)
            chroma = np.full((height // 2, width), 128, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(np.vstack([luma, chroma]), format="yuv420p")
            frame.pts = index
        made += [Picture(bytes(packet), packet.is_keyframe) for packet in encoder.encode(frame)]
    return made


@functools.cache
def sounds(count: int = 94) -> tuple[AudioTrack, list[bytes]]:
    """`count` AAC access units of 1024 samples with their track description."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = SAMPLE_RATE, "mono", "fltp"
    encoder.bit_rate = 64_000
    made: list[bytes] = []
    for index in range(count + 2):
        phase = 2 * np.pi * 440 * (index * 1024 + np.arange(1024)) / SAMPLE_RATE
        frame = av.AudioFrame.from_ndarray((0.3 * np.sin(phase)).astype(np.float32)[None, :], "fltp", "mono")
        frame.sample_rate, frame.pts = SAMPLE_RATE, index * 1024
        made += [bytes(packet) for packet in encoder.encode(frame)]
    return AudioTrack(SAMPLE_RATE, 1, bytes(encoder.extradata)), made[:count]


def video_track(width: int = 320, height: int = 180) -> VideoTrack:
    sets = nal.parameter_sets(nal.split_annexb(pictures(width=width, height=height)[0].data))
    assert sets is not None
    return VideoTrack(width, height, sets.sps, sets.pps)


def video_samples(units: list[Picture], first: int = 0) -> list[VideoSample]:
    """The pictures as samples; `first` is the frame number of the first one."""
    return [
        VideoSample(
            nal.to_avcc_parts(nal.split_annexb(unit.data)), (first + n) * FRAME_TICKS, FRAME_TICKS, unit.keyframe
        )
        for n, unit in enumerate(units)
    ]


def audio_samples(units: list[bytes], first_dts: int = 0) -> list[AudioSample]:
    return [AudioSample(unit, first_dts + n * 1024, 1024) for n, unit in enumerate(units)]
