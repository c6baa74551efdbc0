"""Sound to AAC-LC through PyAV: samples in blocks of 1024, with a gain, each access unit with its time and level.

A decoder gives 1024 samples for each access unit, and those of unit n are the samples of block n-1: the encoder is
primed with 1024 samples of silence. So the priming is stamped one block before the first, unit n as block n-1, and
whoever lays a decoder's output at `captured_ns` hears everything where it happened.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.filter import Graph

from hal.errors import DeviceLost
from hal.microphone import EncodedSound

BLOCK: Final = 1024
SILENCE_DBFS: Final = -120.0
_LAYOUTS: Final = {1: "mono", 2: "stereo"}


class AacEncoder:
    """One stream of AAC-LC out of interleaved little-endian samples of 32 bits.

    `gain_db` is applied before the encoder; what exceeds full scale is clipped, and the level says so (0.0 dBFS).
    """

    def __init__(self, sample_rate: int, channels: int, bitrate: int, gain_db: float) -> None:
        self._rate, self._layout = sample_rate, _LAYOUTS[channels]
        context = av.CodecContext.create("aac", "w")
        assert isinstance(context, AudioCodecContext)
        context.sample_rate = sample_rate
        context.layout = self._layout
        context.format = "fltp"
        context.bit_rate = bitrate
        context.open()
        self._context = context
        self.config = bytes(context.extradata or b"")
        """AudioSpecificConfig."""
        self._graph = _graph(sample_rate, self._layout, gain_db)
        self._block_ns = BLOCK * 1_000_000_000 // sample_rate
        self._waiting: deque[tuple[int, float] | None] = deque()
        """Time and level of what waits in the encoder; None: nothing of it is to come out."""
        self._fed = 0

    def encode(self, samples: bytes, captured_ns: int) -> list[EncodedSound]:
        """Feed one block, whose first sample was captured at `captured_ns`; the units that come out.

        Raises `DeviceLost` if the encoder fails.
        """
        if not self._fed:
            self._waiting.append((captured_ns - self._block_ns, SILENCE_DBFS))
        return self._feed(samples, captured_ns)

    def interrupt(self) -> list[EncodedSound]:
        """The sound ends here for a while: the last block's unit, which the encoder still holds back.

        What pushes it out is silence; its own unit is thrown away, so that no recording holds a silence that no
        microphone heard.
        """
        if not self._fed:
            return []
        return self._feed(bytes(4 * BLOCK * len(self._context.layout.channels)), None)

    def _feed(self, samples: bytes, captured_ns: int | None) -> list[EncodedSound]:
        frame = av.AudioFrame(format="s32", layout=self._layout, samples=BLOCK)
        frame.planes[0].update(samples)
        frame.sample_rate = self._rate
        frame.pts = self._fed * BLOCK
        self._fed += 1
        try:
            self._graph.push(frame)
            louder = self._graph.pull()
            assert isinstance(louder, av.AudioFrame)
            louder.pts = None  # the encoder counts for itself; holes stand in captured_ns
            self._waiting.append(None if captured_ns is None else (captured_ns, _level_dbfs(louder)))
            packets = [bytes(packet) for packet in self._context.encode(louder)]
        except (av.error.FFmpegError, BlockingIOError) as error:
            raise DeviceLost(f"the sound encoder failed ({error}): switch the camera off and on") from error
        taken = [(data, self._waiting.popleft()) for data in packets]
        return [EncodedSound(data, *about) for data, about in taken if about is not None]


def _graph(sample_rate: int, layout: str, gain_db: float) -> Graph:
    """Samples of 32 bits to the encoder's floating point, louder by the gain."""
    graph = Graph()
    source = graph.add_abuffer(sample_rate=sample_rate, format="s32", layout=layout, channels=None)
    volume = graph.add("volume", f"volume={gain_db}dB:precision=fixed")
    form = graph.add("aformat", f"sample_fmts=fltp:sample_rates={sample_rate}:channel_layouts={layout}")
    sink = graph.add("abuffersink")
    graph.link_nodes(source, volume, form, sink).configure()
    return graph


def _level_dbfs(frame: av.AudioFrame) -> float:
    """Peak over all channels."""
    peak = 0.0
    for plane in frame.planes:
        samples = memoryview(plane).cast("B").cast("f")[: frame.samples]
        peak = max(peak, max(samples), -min(samples))
    return SILENCE_DBFS if peak <= 1e-6 else min(0.0, max(SILENCE_DBFS, 20 * math.log10(peak)))
