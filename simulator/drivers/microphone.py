"""Simulated microphones behind `hal.microphone.Microphone`: a soft tone that ticks each second, and a clip's sound.

How AAC access units get their time: an AAC decoder gives 1024 samples for each access unit, and those of unit n are
the samples that the encoder was fed in block n-1 (the encoder is primed with 1024 samples of silence). So unit 0, the
priming, is stamped 1024 samples before the first block, and unit n with the start of block n-1: whoever lays a
decoder's output at `captured_ns` hears everything where it happened, and drops nothing. `level_dbfs` belongs to the
same samples. Blocks follow an absolute schedule on CLOCK_BOOTTIME, counted in samples: there is no drift.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext

from hal.camera import SourceInfo
from hal.driver_options import whole_number
from hal.errors import BadDriverOption, DeviceLost
from hal.microphone import AudioFormat, EncodedSound
from simulator.drivers.clip import ClipSamples, Samples, open_clip
from simulator.drivers.hardware_messages import Answer, MicrophoneOp, OpRefused
from simulator.drivers.live_source import LiveSource
from simulator.drivers.pace import NS_PER_S, Pace, boottime_ns
from simulator.drivers.runner import Steps

BLOCK = 1024  # samples of one AAC access unit
SILENCE_DBFS = -120.0
_BUFFERED_S = 1  # so long may sound wait before it is lost: as long as pictures do
_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)


class _Sound(Protocol):
    """What a microphone hears, block by block."""

    def block(self, utc_ns: int) -> Samples: ...


class Tone:
    """440 Hz at -26 dBFS, and a tick of 12 ms at each full second of the camera's UTC."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._next = 0

    def block(self, utc_ns: int) -> Samples:
        number = np.arange(self._next, self._next + BLOCK)
        self._next += BLOCK
        tone = 0.05 * np.sin(2 * np.pi * 440 * number / self._rate)
        since_second = (utc_ns % NS_PER_S) / NS_PER_S + np.arange(BLOCK) / self._rate
        since_second %= 1.0
        tick = np.where(since_second < 0.012, 0.35 * np.sin(2 * np.pi * 1500 * since_second), 0.0)
        sound: Samples = (tone + tick).astype(np.float32)
        return sound


class _ClipSound:
    def __init__(self, samples: ClipSamples) -> None:
        self._samples = samples

    def block(self, utc_ns: int) -> Samples:  # noqa: ARG002  # a clip does not know the time
        return self._samples.take(BLOCK)


class _SimulatedMicrophone(LiveSource[EncodedSound]):
    """Pacing, encoder and faults; the two microphones differ in what they hear."""

    def __init__(
        self,
        info: SourceInfo,
        sample_rate: int,
        bitrate: int,
        listen: Callable[[], _Sound],
        hardware_socket: str | None,
    ) -> None:
        whole_number("bitrate", bitrate, 16_000, 256_000)
        if sample_rate not in _RATES:
            raise BadDriverOption(f"sample_rate = {sample_rate!r}: choose one of {', '.join(map(str, _RATES))}")
        self._info = info
        self._rate = sample_rate
        self._encoder = aac_encoder(sample_rate, bitrate)
        self._listen = listen
        self._silent_until_ns = 0
        self._clipped_until_ns = 0
        self._stalled_until_ns = 0
        self._late_samples = 0
        super().__init__("microphone", MicrophoneOp, self._fault, hardware_socket)

    @property
    def info(self) -> SourceInfo:
        return self._info

    @property
    def format(self) -> AudioFormat:
        return AudioFormat(self._rate, 1, bytes(self._encoder.extradata or b""), BLOCK)

    def _steps(self, on_item: Callable[[EncodedSound], None]) -> Steps:
        sound = self._listen()
        pace = Pace(Fraction(BLOCK, self._rate))
        lag: Samples = np.zeros(0, dtype=np.float32)
        # Time and level of what waits in the encoder; the priming comes out first.
        waiting = deque([(pace.instant_ns(-1), SILENCE_DBFS)])
        number = 0
        while True:
            yield pace.instant_ns(number + 1)  # a block is there when its last sample is
            due = pace.due(boottime_ns())
            if (due - number - 1) * BLOCK > self._rate * _BUFFERED_S:
                number = due - 1
            started_ns = pace.instant_ns(number)
            samples = sound.block(self._time.utc_at_ns(started_ns))
            lag = _lagging(np.concatenate([lag, samples]), self._late_samples + BLOCK)
            samples, lag = lag[:BLOCK], lag[BLOCK:]
            if started_ns >= self._stalled_until_ns:
                if started_ns < self._silent_until_ns:
                    samples = np.zeros(BLOCK, dtype=np.float32)
                elif started_ns < self._clipped_until_ns:
                    samples = np.clip(samples * 1000, -1, 1)  # a square wave: wind, or a finger on the hole
                waiting.append((started_ns, level_dbfs(samples)))
                for data in encoded(self._encoder, samples, self._rate):
                    on_item(EncodedSound(data, *waiting.popleft()))
            number += 1

    def _fault(self, request: MicrophoneOp) -> Answer:
        if request.remote:
            raise OpRefused("this microphone is wired: it has neither link nor battery nor a wearer")
        return self._play(request)

    def _play(self, request: MicrophoneOp) -> Answer:
        now_ns = boottime_ns()
        if request.silent_s is not None:
            self._silent_until_ns = now_ns + int(request.silent_s * NS_PER_S)
        if request.clipped_s is not None:
            self._clipped_until_ns = now_ns + int(request.clipped_s * NS_PER_S)
        if request.stall_s is not None:
            self._stalled_until_ns = now_ns + int(request.stall_s * NS_PER_S)
        if request.late_s is not None:
            self._late_samples = round(request.late_s * self._rate)
        return Answer(ok=True)


class ToneMicrophone(_SimulatedMicrophone):
    """A soft 440 Hz tone with a tick each second of UTC; mono AAC-LC. Raises `hal.errors.BadDriverOption`."""

    def __init__(self, sample_rate: int = 48_000, bitrate: int = 64_000, hardware_socket: str | None = None) -> None:
        info = SourceInfo("simulated-tone", f"tone-440Hz-{sample_rate}", "simulated")
        super().__init__(info, sample_rate, bitrate, lambda: Tone(sample_rate), hardware_socket)


class ClipMicrophone(_SimulatedMicrophone):
    """The sound of a file in a loop as long as its pictures; a file without sound gets the tone.

    Raises `hal.errors.BadDriverOption` for a file that is missing or cannot be read.
    """

    def __init__(
        self, clip: str, sample_rate: int = 48_000, bitrate: int = 64_000, hardware_socket: str | None = None
    ) -> None:
        opened = open_clip(clip)

        def listen() -> _Sound:
            return _ClipSound(ClipSamples(opened, sample_rate)) if opened.has_sound else Tone(sample_rate)

        # Without sound of its own this is a generated source, and says so.
        info = SourceInfo(
            "simulated-clip",
            opened.sensor if opened.has_sound else "tone-440Hz",
            "clip" if opened.has_sound else "simulated",
        )
        super().__init__(info, sample_rate, bitrate, listen, hardware_socket)


def aac_encoder(sample_rate: int, bitrate: int) -> AudioCodecContext:
    """AAC-LC, mono, 1024 samples a unit."""
    context = av.CodecContext.create("aac", "w")
    assert isinstance(context, AudioCodecContext)
    context.sample_rate = sample_rate
    context.layout = "mono"
    context.format = "fltp"
    context.bit_rate = bitrate
    context.open()
    return context


def encoded(encoder: AudioCodecContext, samples: Samples, sample_rate: int) -> list[bytes]:
    """Feed one block; the access units that come out. Raises `DeviceLost`."""
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="fltp", layout="mono")
    frame.sample_rate = sample_rate
    frame.pts = None  # the encoder counts samples by itself; holes stand in captured_ns
    try:
        return [bytes(packet) for packet in encoder.encode(frame)]
    except av.error.FFmpegError as error:
        raise DeviceLost(f"the simulated microphone's encoder failed ({error.strerror})") from error


def _lagging(samples: Samples, wanted: int) -> Samples:
    """Keep `wanted` samples waiting: silence before them if there are too few, the oldest lost if too many."""
    missing = wanted - len(samples)
    if missing > 0:
        return np.concatenate([np.zeros(missing, dtype=np.float32), samples])
    return samples[-missing:] if missing else samples


def level_dbfs(samples: Samples) -> float:
    """Peak of a block."""
    peak = float(np.abs(samples).max())
    return SILENCE_DBFS if peak <= 1e-6 else max(SILENCE_DBFS, 20 * math.log10(peak))
