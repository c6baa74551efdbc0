"""Sound to AAC-LC through PyAV: samples in blocks of 1024, with a gain, each access unit with its time and level.

A decoder gives 1024 samples for each access unit, and those of unit n are the samples of block n-1: the encoder is
primed with 1024 samples of silence. So the priming is stamped one block before the first, unit n as block n-1, and
whoever lays a decoder's output at `captured_ns` hears everything where it happened.

A microphone's crystal is not the camera's: 50 ppm are 720 ms in a recording of four hours. FFmpeg's resampler stretches
the sound by the few samples that each second lacks or has too many (``aresample`` with ``async``), so that units
follow each other at exactly their nominal length, and sound neither runs away from the picture nor has seams.
"""

from __future__ import annotations

import math
from collections import deque
from fractions import Fraction
from typing import Final

import av
from av.audio.codeccontext import AudioCodecContext
from av.filter import Graph

from hal.errors import DeviceLost
from hal.microphone import EncodedSound

BLOCK: Final = 1024
SILENCE_DBFS: Final = -120.0
STRETCH: Final = 100
"""Samples a second by which sound is stretched or squeezed at most: 2000 ppm at 48 kHz, far beyond a crystal."""
HELD_BACK: Final = 2
"""Blocks that the encoder keeps to itself: it looks ahead."""
SEAM_NS: Final = 100_000_000
"""A block that begins so far from the end of the one before does not belong to it: nothing is stretched over that."""
NS_PER_S: Final = 1_000_000_000
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
        self._gain_db = gain_db
        self._graph: Graph | None = None
        self._base_ns = 0
        """When the graph's first sample was captured."""
        self._pts = 0
        self._expected_ns = 0
        """When the next block should begin."""
        self._block_ns = BLOCK * NS_PER_S // sample_rate
        self._waiting: deque[tuple[int, float] | None] = deque()
        """Time and level of what waits in the encoder; None: nothing of it is to come out."""
        self._primed = False
        self._last_ns = -NS_PER_S

    def encode(self, samples: bytes, captured_ns: int) -> list[EncodedSound]:
        """Feed one block, whose first sample was captured at `captured_ns`; the units that come out.

        Raises `DeviceLost` if the encoder fails.
        """
        sounds: list[EncodedSound] = []
        if abs(captured_ns - self._expected_ns) > SEAM_NS:
            sounds += self.interrupt()
        if self._graph is None:
            self._graph, self._base_ns, self._pts = _graph(self._rate, self._layout, self._gain_db), captured_ns, -1
        frame = av.AudioFrame(format="s32", layout=self._layout, samples=BLOCK)
        frame.planes[0].update(samples)
        frame.sample_rate, frame.time_base = self._rate, Fraction(1, self._rate)
        self._pts = frame.pts = max(self._pts + 1, round((captured_ns - self._base_ns) * self._rate / NS_PER_S))
        self._expected_ns = captured_ns + self._block_ns
        try:
            self._graph.push(frame)
        except av.error.FFmpegError as error:
            raise _failed(error) from error
        return sounds + self._drained(self._graph)

    def interrupt(self) -> list[EncodedSound]:
        """The sound ends here for a while: what filter and encoder still hold back.

        What pushes the last units out of the encoder is silence; its own units are thrown away, so that no recording
        holds a silence that no microphone heard. Raises `DeviceLost` if the encoder fails.
        """
        graph, self._graph = self._graph, None
        if graph is None:
            return []
        try:
            graph.push(None)
        except av.error.FFmpegError as error:
            raise _failed(error) from error
        sounds = self._drained(graph)
        for _ in range(HELD_BACK):
            silence = av.AudioFrame(format="fltp", layout=self._layout, samples=BLOCK)
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            silence.sample_rate = self._rate
            sounds += self._units(silence, None)
        return sounds

    def _drained(self, graph: Graph) -> list[EncodedSound]:
        """The units of all blocks that the filter has ready. A piece of a block at the very end is left out."""
        sounds: list[EncodedSound] = []
        while True:
            try:
                block = graph.pull()
            except (BlockingIOError, EOFError):
                return sounds
            except av.error.FFmpegError as error:
                raise _failed(error) from error
            assert isinstance(block, av.AudioFrame)
            if block.samples == BLOCK and block.pts is not None:
                captured_ns = self._base_ns + block.pts * NS_PER_S // self._rate
                sounds += self._units(block, (captured_ns, _level_dbfs(block)))

    def _units(self, block: av.AudioFrame, about: tuple[int, float] | None) -> list[EncodedSound]:
        if not self._primed:
            self._primed = True
            self._waiting.append(None if about is None else (about[0] - self._block_ns, SILENCE_DBFS))
        self._waiting.append(about)
        block.pts = None  # the encoder counts for itself; holes stand in captured_ns
        try:
            packets = [bytes(packet) for packet in self._context.encode(block)]
        except av.error.FFmpegError as error:
            raise _failed(error) from error
        sounds = []
        for data in packets:
            told = self._waiting.popleft()
            if told is not None and told[0] > self._last_ns:
                self._last_ns = told[0]
                sounds.append(EncodedSound(data, *told))
        return sounds


def _failed(error: Exception) -> DeviceLost:
    return DeviceLost(f"the sound encoder failed ({error}): switch the camera off and on")


def _graph(sample_rate: int, layout: str, gain_db: float) -> Graph:
    """Samples of 32 bits to blocks of the encoder's floating point, louder by the gain, in step with their times."""
    graph = Graph()
    base = Fraction(1, sample_rate)
    graph.link_nodes(
        graph.add_abuffer(sample_rate=sample_rate, format="s32", layout=layout, time_base=base),
        graph.add("volume", f"volume={gain_db}dB:precision=fixed"),
        graph.add("aresample", f"{sample_rate}:async={STRETCH}:min_hard_comp=5:first_pts=0"),
        graph.add("aformat", f"sample_fmts=fltp:sample_rates={sample_rate}:channel_layouts={layout}"),
        graph.add("asetnsamples", f"n={BLOCK}:p=0"),
        graph.add("abuffersink"),
    ).configure()
    return graph


def _level_dbfs(frame: av.AudioFrame) -> float:
    """Peak over all channels."""
    peak = 0.0
    for plane in frame.planes:
        samples = memoryview(plane).cast("B").cast("f")[: frame.samples]
        peak = max(peak, max(samples), -min(samples))
    return SILENCE_DBFS if peak <= 1e-6 else min(0.0, max(SILENCE_DBFS, 20 * math.log10(peak)))
