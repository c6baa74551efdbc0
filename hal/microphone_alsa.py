"""A microphone at ALSA: an I2S microphone on the board, a USB microphone, a sound card's line input (R3).

One thread reads. A microphone that is missing, unplugged, silent or overrun is one sentence to `on_fault`, and then
opened again for as long as it takes: it is never replaced by silence. Recording does not depend on any of it.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final

from hal.aac_encoder import BLOCK, AacEncoder
from hal.alsa_capture import AlsaCapture, CaptureLost, Overrun
from hal.camera import SourceInfo
from hal.clock import boottime_ns
from hal.errors import BadDriverOption, DeviceLost
from hal.microphone import AudioFormat, EncodedSound
from hal.sample_clock import SampleClock

RATES: Final = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
BUFFERED_BLOCKS: Final = 24
"""Half a second at 48 kHz may wait in the card while the machine is busy."""
FIRST_RETRY_S: Final = 0.25
STEADY_BLOCKS: Final = 50
"""After so many blocks (a second) a fault is over, and is told again if it comes back."""

_jitter = random.SystemRandom()


class AlsaMicrophone:
    """A `hal.microphone.Microphone` at the ALSA device `device`, ``plughw:1`` say (``arecord -L`` lists the names).

    `sample_rate` is one of 16000 to 48000 Hz, `channels` 1 or 2, `bitrate_kbit` that of the AAC, `gain` in dB (I2S
    microphones are quiet: 12 to 24). `silence_s` is how long no samples may come before that is a fault,
    `retry_max_s` the longest pause between two attempts to open it.

    Raises `BadDriverOption` for an option out of range. A device that is not there yet is no error: it may be plugged
    in later.
    """

    def __init__(
        self,
        device: str,
        sample_rate: int = 48_000,
        channels: int = 1,
        bitrate_kbit: int = 64,
        gain: float = 0.0,
        *,
        silence_s: float = 2.0,
        retry_max_s: float = 5.0,
        clock: Callable[[], int] = boottime_ns,
    ) -> None:
        if not isinstance(device, str) or not 1 <= len(device.encode()) <= 256 or "\0" in device:
            raise BadDriverOption("microphone: device must be the name of an ALSA device, e.g. plughw:1")
        if isinstance(sample_rate, bool) or sample_rate not in RATES:
            choices = ", ".join(map(str, RATES))
            raise BadDriverOption(f"microphone: sample_rate must be one of {choices}, not {sample_rate!r}")
        if isinstance(channels, bool) or channels not in (1, 2):
            raise BadDriverOption(f"microphone: channels must be 1 or 2, not {channels!r}")
        if isinstance(bitrate_kbit, bool) or not isinstance(bitrate_kbit, int) or not 16 <= bitrate_kbit <= 256:
            raise BadDriverOption(f"microphone: bitrate_kbit must be 16..256, not {bitrate_kbit!r}")
        for name, value, low, high, unit in (
            ("gain", gain, -40, 60, "dB"),
            ("silence_s", silence_s, 0.5, 60, "seconds"),
            ("retry_max_s", retry_max_s, 0.1, 3600, "seconds"),
        ):
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise BadDriverOption(f"microphone: {name} must be {low}..{high} {unit}, not {value!r}")
        self._device, self._rate, self._channels = device, sample_rate, channels
        self._bitrate, self._gain = bitrate_kbit * 1000, float(gain)
        self._silence_ns = int(silence_s * 1_000_000_000)
        self._retry_max_s = float(retry_max_s)
        self._clock = clock
        self._config = self._encoder().config
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def info(self) -> SourceInfo:
        """Where the sound comes from."""
        return SourceInfo("alsa", self._device[:128], "real")

    @property
    def format(self) -> AudioFormat:
        """What is delivered, known before anything is opened."""
        return AudioFormat(self._rate, self._channels, self._config, BLOCK)

    def start(self, on_sound: Callable[[EncodedSound], None], on_fault: Callable[[str], None]) -> None:
        """Begin to listen; both callbacks run on the driver's thread and must neither block nor raise."""
        if self._thread is not None:
            raise RuntimeError("the microphone is already started")
        self._stop = threading.Event()
        listening = _Listening(self, self._stop, on_sound, on_fault)
        self._thread = threading.Thread(target=listening.run, name="microphone-alsa", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop within a second and give the device back. May be called twice, also from a callback."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join(1.0)

    def _encoder(self) -> AacEncoder:
        return AacEncoder(self._rate, self._channels, self._bitrate, self._gain)

    def _capture(self) -> AlsaCapture:
        return AlsaCapture(self._device, self._rate, self._channels, BLOCK, BUFFERED_BLOCKS)


class _Listening:
    """One `start` of the microphone, on its thread."""

    def __init__(
        self,
        microphone: AlsaMicrophone,
        stop: threading.Event,
        on_sound: Callable[[EncodedSound], None],
        on_fault: Callable[[str], None],
    ) -> None:
        self._microphone, self._stop = microphone, stop
        self._on_sound, self._on_fault = on_sound, on_fault
        self._encoder = microphone._encoder()
        self._stamps = SampleClock(microphone._rate, BLOCK)
        self._said: set[str] = set()
        """Faults already told; a second of sound clears it."""
        self._blocks = 0
        """Since the last fault."""
        self._pause_s = FIRST_RETRY_S

    def run(self) -> None:
        """Open, listen, and open again, until stopped."""
        while not self._stop.is_set():
            try:
                capture = self._microphone._capture()
                try:
                    self._listen(capture)
                finally:
                    capture.close()
            except DeviceLost as error:
                self._lost(str(error))
                self._stop.wait(self._pause_s * _jitter.uniform(0.8, 1.2))
                self._pause_s = min(2 * self._pause_s, self._microphone._retry_max_s)

    def _listen(self, capture: AlsaCapture) -> None:
        self._stamps.restart()
        clock, heard_ns = self._microphone._clock, self._microphone._clock()
        while not self._stop.is_set():
            try:
                samples = capture.read()
            except Overrun:
                self._lost(
                    f"microphone {self._microphone._device!r} was overrun, some sound is missing: "
                    "the camera is too busy; if it stays, have it looked at"
                )
                continue
            now_ns = clock()
            if samples is not None:
                waiting_ns = capture.waiting() * 1_000_000_000 // self._microphone._rate
                heard_ns = now_ns
                self._deliver(samples, now_ns - waiting_ns)
            elif now_ns - heard_ns >= self._microphone._silence_ns:
                raise CaptureLost(
                    f"microphone {self._microphone._device!r} delivers no sound: check its cable or its power"
                )

    def _deliver(self, samples: bytes, end_ns: int) -> None:
        for sound in self._encoder.encode(samples, self._stamps.stamp(end_ns)):
            if not self._stop.is_set():
                self._on_sound(sound)
        self._blocks += 1
        if self._blocks == STEADY_BLOCKS:
            self._said.clear()
            self._pause_s = FIRST_RETRY_S

    def _finish(self) -> None:
        try:
            for sound in self._encoder.interrupt():
                if not self._stop.is_set():
                    self._on_sound(sound)
        except DeviceLost:  # it is the encoder that failed: the next sound gets a new one
            self._encoder = self._microphone._encoder()

    def _lost(self, sentence: str) -> None:
        """Say it once, and give out what was still heard before it."""
        heard, self._blocks = self._blocks, 0
        self._stamps.restart()
        if heard:
            self._finish()
        if sentence not in self._said and not self._stop.is_set():
            self._said.add(sentence)
            self._on_fault(sentence)
