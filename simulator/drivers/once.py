"""Simulated camera and microphone whose pictures and sound are encoded once and then repeat: for virtual time.

Real H.264 and AAC, cheap enough for ten hours in a minute. What the world does to them (covered, frozen, silent, …) is
encoded once as well, when it is first needed. The strip in each picture counts frames within the repetition, and the
caption says that time repeats; `captured_ns` and `sequence` are true.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np

from hal import small_pictures
from hal.camera import EncodedFrame, SmallPicture, SourceInfo
from hal.driver_options import whole_number
from hal.microphone import EncodedSound
from hal.x264 import X264Encoder, gop_frames
from simulator import strip
from simulator.drivers.camera import BUFFERED_S, SceneCamera
from simulator.drivers.caption import Caption
from simulator.drivers.looks import Look, Looks
from simulator.drivers.microphone import BLOCK, SILENCE_DBFS, Tone, ToneMicrophone, aac_encoder, encoded, level_dbfs
from simulator.drivers.pace import NS_PER_S, Pace, boottime_ns
from simulator.drivers.picture import Picture
from simulator.drivers.runner import Steps
from simulator.drivers.scene import Scene

Sounding = Literal["tone", "silent", "clipped"]
_MS_PER_S = 1000
_AT_ONCE = 3
"""Access units of sound that come together, as from a driver with a buffer."""
_SOUND_S = 8
"""A whole number of seconds, and of AAC blocks at every rate that is a multiple of 128."""


@dataclass(frozen=True, slots=True)
class Film:
    """What one look at the scene is: access units (and whether each is a key frame), and small pictures."""

    frames: tuple[tuple[bytes, bool], ...]
    small: tuple[SmallPicture, ...]
    """One for each frame."""


@lru_cache(maxsize=32)
def film(
    width: int, height: int, rate: int, bitrate: int, seed: int, night: bool, title: str, seconds: int, look: Look
) -> Film:
    """Paint and encode so many seconds. The same values give the same film."""
    scene, picture, looks = Scene(width, height, seed, night=night), Picture(width, height), Looks(width, height)
    caption, encoder = Caption(width, height, title), X264Encoder(width, height, Fraction(rate), bitrate)
    bottom_px, gop = strip.strip_height_px(height), gop_frames(Fraction(rate))
    frames, small = [], []
    for number in range(seconds * rate):
        time_s = number / rate
        scene.paint(picture, time_s)
        looks.show(picture, look, time_s)
        small.append(small_pictures.small_picture(picture.y[:-bottom_px], 0))
        picture.neutral_bottom(bottom_px)
        caption.draw(picture.y, int(time_s * NS_PER_S), number)
        strip.draw(picture.y, number, int(time_s * _MS_PER_S))
        frames.append(encoder.encode(picture.frame, number, keyframe=number % gop == 0))
    return Film(tuple(frames), tuple(small))


@lru_cache(maxsize=16)
def sound(rate: int, bitrate: int, sounding: Sounding) -> tuple[tuple[bytes, float], ...]:
    """Access units and peak levels of `_SOUND_S` seconds."""
    encoder, tone, blocks = aac_encoder(rate, bitrate), Tone(rate), _SOUND_S * rate // BLOCK
    units: list[bytes] = []
    levels = []
    for number in range(blocks + 2):
        samples = tone.block(number * BLOCK * NS_PER_S // rate)
        if sounding == "silent":
            samples = np.zeros(BLOCK, dtype=np.float32)
        elif sounding == "clipped":
            samples = np.clip(samples * 1000, -1, 1)
        units += encoded(encoder, samples, rate)
        levels.append(level_dbfs(samples))
    # The first unit is the encoder's priming; unit n + 1 carries block n.
    return tuple(zip(units[1 : blocks + 1], levels, strict=False))


class OnceCamera(SceneCamera):
    """The generated street, `repeat_s` seconds of it. Options as for `SceneCamera`. Raises `BadDriverOption`."""

    def __init__(
        self,
        width: int = 320,
        height: int = 180,
        frame_rate: int = 10,
        bitrate: int = 300_000,
        seed: int = 0,
        hardware_socket: str | None = None,
        night: bool = False,
        label: str = "",
        repeat_s: int = 4,
    ) -> None:
        self._seconds = whole_number("repeat_s", repeat_s, 1, 600)
        super().__init__(width, height, frame_rate, bitrate, seed, hardware_socket, night, label)
        self._info = SourceInfo("simulated-once", f"scene-{width}x{height}-repeats", "simulated")
        self._whole_rate, self._seed, self._night = frame_rate, seed, night
        self._caption = f"SIMULATED, REPEATS  {label}".rstrip()
        self._film()  # now: a camera that is started delivers, whatever this machine needs for it

    def _film(self) -> Film:
        bits = self._bitrate * self._bitrate_percent // 100
        return film(
            self._width, self._height, self._whole_rate, bits, self._seed, self._night, self._caption, self._seconds,
            self._look,
        )  # fmt: skip

    def _steps(self, on_item: Callable[[EncodedFrame], None]) -> Steps:
        seen, film_now = (self._look, self._bitrate_percent), self._film()
        gop, newest_gop = gop_frames(self._rate), -1
        pace = Pace(1 / self._rate)
        sequence, small_ns = 0, 0
        while True:
            captured_ns = pace.instant_ns(sequence)
            yield captured_ns
            due = pace.due(boottime_ns())
            if due - sequence > self._rate * BUFFERED_S:
                sequence = due
                captured_ns = pace.instant_ns(sequence)
            if not self._is_lost(captured_ns):
                if seen != (self._look, self._bitrate_percent) and sequence % gop == 0:
                    # At a key frame: another film's pictures mean nothing before one.
                    seen, film_now = (self._look, self._bitrate_percent), self._film()
                place = sequence % len(film_now.frames)
                if captured_ns - small_ns >= small_pictures.EVERY_NS:
                    small_ns, one = captured_ns, film_now.small[place]
                    self._small = SmallPicture(one.width, one.height, one.luma, captured_ns)
                data, keyframe = film_now.frames[place]
                # After a hole everything up to the next key frame would be smeared: it is lost as well.
                whole = keyframe or newest_gop == sequence // gop
                if captured_ns >= self._encoder_stalled_until_ns and whole:
                    newest_gop = sequence // gop
                    on_item(EncodedFrame(data, keyframe, captured_ns, sequence))
                elif captured_ns < self._encoder_stalled_until_ns:
                    newest_gop = -1
            else:
                newest_gop = -1
            sequence += 1


class OnceMicrophone(ToneMicrophone):
    """The soft tone with its ticks. Raises `hal.errors.BadDriverOption`."""

    def __init__(self, sample_rate: int = 16_000, bitrate: int = 32_000, hardware_socket: str | None = None) -> None:
        super().__init__(sample_rate, bitrate, hardware_socket)
        self._bits = bitrate
        self._info = SourceInfo("simulated-once", f"tone-440Hz-{sample_rate}-repeats", "simulated")
        sound(sample_rate, bitrate, "tone")

    def _steps(self, on_item: Callable[[EncodedSound], None]) -> Steps:
        pace = Pace(Fraction(BLOCK, self._rate))
        tone = sound(self._rate, self._bits, "tone")
        number = 0
        while True:
            yield pace.instant_ns(number + _AT_ONCE)
            number = max(number, pace.due(boottime_ns()) - _AT_ONCE)
            for block in range(number, number + _AT_ONCE):
                self._give(block, pace.instant_ns(block), tone, on_item)
            number += _AT_ONCE

    def _give(
        self,
        number: int,
        started_ns: int,
        tone: tuple[tuple[bytes, float], ...],
        on_item: Callable[[EncodedSound], None],
    ) -> None:
        if started_ns < self._stalled_until_ns:
            return
        units = tone
        if started_ns < self._silent_until_ns:
            units = sound(self._rate, self._bits, "silent")
        elif started_ns < self._clipped_until_ns:
            units = sound(self._rate, self._bits, "clipped")
        data, level = units[(number - self._late_samples // BLOCK) % len(units)]
        on_item(EncodedSound(data, started_ns, max(SILENCE_DBFS, level)))
