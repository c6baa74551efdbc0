"""The pre-event ring: encoded GOPs, bounded in seconds and bytes, from a key frame on (invariant 2). Pure.

The ring runs on while the camera records and survives a stop, so that the next recording has its pre-event part too.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from hal.camera import EncodedFrame
from hal.gps import GpsEpoch
from hal.microphone import EncodedSound

SLACK_NS: Final = 1_000_000_000

ShortBecause = Literal["power_on", "asleep", "storage_full", "capped", "endless_group"]
"""Why a ring reaches back less than the policy asks: the camera was started only then, slept, had a full card, may not
use more bytes (`device.ring_limit` says why), or its encoder made no key frames."""


@dataclass
class Gop:
    """A key frame and what follows it."""

    frames: list[EncodedFrame]
    bytes: int

    @property
    def start_ns(self) -> int:
        return self.frames[0].captured_ns


@dataclass
class Ring:
    """Whole GOPs that reach back `seconds_ns`, at most `max_bytes`; the last GOP stays unless it alone is too large."""

    seconds_ns: int
    max_bytes: int
    keep_sound: bool
    gops: deque[Gop] = field(default_factory=deque)
    sounds: deque[EncodedSound] = field(default_factory=deque)
    epochs: deque[GpsEpoch] = field(default_factory=deque)
    bytes: int = 0
    begins_because: ShortBecause | None = "power_on"
    """Why there is nothing before its first group; None if only its time was up."""

    def push(self, frame: EncodedFrame) -> None:
        """Append a frame; frames before the first key frame cannot be decoded and are not kept."""
        if frame.keyframe:
            self.gops.append(Gop([], 0))
        elif not self.gops:
            return
        gop = self.gops[-1]
        gop.frames.append(frame)
        gop.bytes += len(frame.data)
        self.bytes += len(frame.data)
        self._trim(frame.captured_ns)

    def push_sound(self, sound: EncodedSound) -> None:
        """Append sound, if policy lets the ring hold any."""
        if self.keep_sound:
            self.sounds.append(sound)
            self.bytes += len(sound.data)
            # Without pictures nothing else would bound it.
            self._drop_sounds(sound.captured_ns - self.seconds_ns - 2 * SLACK_NS)

    def push_epoch(self, epoch: GpsEpoch) -> None:
        """Append a GPS epoch."""
        self.epochs.append(epoch)
        while self.epochs and self.epochs[0].received_ns < epoch.received_ns - self.seconds_ns - SLACK_NS:
            self.epochs.popleft()

    def _trim(self, now_ns: int) -> None:
        # A GOP goes when the next one alone reaches back far enough, or when the bytes are too many. A debounced
        # trigger is known only after it came: the slack keeps the ring whole for the instant at which it came.
        enough_ns = now_ns - self.seconds_ns - SLACK_NS
        while len(self.gops) > 1 and (self.gops[1].start_ns <= enough_ns or self.bytes > self.max_bytes):
            self.begins_because = None if self.gops[1].start_ns <= enough_ns else "capped"
            self.bytes -= self.gops.popleft().bytes
        if self.bytes > self.max_bytes and self.gops[0].bytes > self.max_bytes // 2:
            # An encoder that makes no more key frames must not eat the memory: its endless GOP goes as a whole.
            self.drop("endless_group")
            return
        self._drop_sounds(self.gops[0].start_ns)

    def _drop_sounds(self, before_ns: int) -> None:
        while self.sounds and (self.sounds[0].captured_ns < before_ns or self.bytes > self.max_bytes):
            self.bytes -= len(self.sounds.popleft().data)

    def before(self, at_ns: int) -> list[EncodedFrame]:
        """All frames from the newest key frame on that lies `seconds_ns` before `at_ns`, else from the oldest."""
        begin_ns = at_ns - self.seconds_ns
        gops = list(self.gops)
        while len(gops) > 1 and gops[1].start_ns <= begin_ns:
            gops.pop(0)
        return [frame for gop in gops for frame in gop.frames]

    def facts(self, at_ns: int, frames: list[EncodedFrame]) -> dict[str, Any]:
        """How much of the ring was there at a trigger, and why not more: a short one is no late start."""
        available_ns = max(0, at_ns - frames[0].captured_ns) if frames else 0
        short = available_ns < self.seconds_ns
        return {
            "configured_s": self.seconds_ns // 1_000_000_000,
            "available_ms": available_ns // 1_000_000,
            "short_because": (self.begins_because or "no_frames") if short else None,
            "most_bytes": self.max_bytes,
        }

    def span_ns(self) -> int:
        """How far back the ring reaches from its newest frame, nanoseconds."""
        return self.gops[-1].frames[-1].captured_ns - self.gops[0].start_ns if self.gops else 0

    def drop_sounds(self, from_ns: int) -> None:
        """Forget the sound from that instant on (a mute)."""
        while self.sounds and self.sounds[-1].captured_ns >= from_ns:
            self.bytes -= len(self.sounds.pop().data)

    def drop(self, because: ShortBecause) -> None:
        """Forget all pictures and sound (storage full: the ring goes first; sleep)."""
        self.gops.clear()
        self.sounds.clear()
        self.bytes = 0
        self.begins_because = because
