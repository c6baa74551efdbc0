"""Cut the live stream into fragments of at most one second (invariant 3). Pure.

A fragment ends before the next key frame, or before a frame that would make it longer than a second, or when `flush` is
called because frames stay out. Sound and GPS that arrived and were captured before its end go along. A frame that comes
late does not stretch the fragment: what is over a second is a hole, which the times show.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from hal.camera import EncodedFrame
from hal.gps import GpsEpoch
from hal.microphone import EncodedSound

FRAGMENT_NS: Final = 1_000_000_000
STALL_NS: Final = 350_000_000
"""A frame waits this long for the next one; then its fragment is written without it."""
SOUND_WAITS_NS: Final = 60_000_000_000
"""Sound without pictures is kept this long for the next picture; older sound goes (a dead camera, bounded memory)."""


T = TypeVar("T")


def _take_until(queue: deque[T], belongs: Callable[[T], bool]) -> Iterator[T]:
    """Take from the front of the queue while it belongs."""
    while queue and belongs(queue[0]):
        yield queue.popleft()


@dataclass(frozen=True, slots=True)
class Fragment:
    """What goes into one media object."""

    frames: tuple[EncodedFrame, ...]
    sounds: tuple[EncodedSound, ...]
    epochs: tuple[GpsEpoch, ...]
    end_ns: int | None
    """Capture time of the next frame, at most a second after the first; None if there is none (yet)."""
    final: bool = False
    """The recording's last fragment."""
    group_ends: bool = False
    """The next frame is a key frame: this fragment ends its group of pictures."""

    @property
    def bytes(self) -> int:
        return sum(len(frame.data) for frame in self.frames) + sum(len(sound.data) for sound in self.sounds)


def follows(before: Fragment, after: Fragment, first: Fragment, longest_ns: int) -> bool:
    """True if `after` goes on right where `before` ends, and all from `first` on is no longer than `longest_ns`."""
    if before.end_ns is None or after.end_ns is None or before.end_ns != after.frames[0].captured_ns:
        return False
    if before.frames[-1].sequence + 1 != after.frames[0].sequence:
        return False
    return after.end_ns - first.frames[0].captured_ns <= longest_ns


def joined(fragments: Sequence[Fragment]) -> Fragment:
    """One fragment of several that follow each other."""
    last = fragments[-1]
    return Fragment(
        tuple(frame for one in fragments for frame in one.frames),
        tuple(sound for one in fragments for sound in one.sounds),
        tuple(epoch for one in fragments for epoch in one.epochs),
        last.end_ns,
        last.final,
        last.group_ends,
    )


@dataclass
class Fragmenter:
    """Takes frames in order from a key frame on, gives fragments."""

    _frames: list[EncodedFrame] = field(default_factory=list)
    _sounds: deque[EncodedSound] = field(default_factory=deque)
    _epochs: deque[GpsEpoch] = field(default_factory=deque)
    _started: bool = False

    @property
    def newest_ns(self) -> int | None:
        return self._frames[-1].captured_ns if self._frames else None

    def frame(self, frame: EncodedFrame) -> Fragment | None:
        """Take a frame; the fragment that it completes, if any. Frames before the first key frame are dropped."""
        if not self._started and not frame.keyframe:
            return None
        self._started = True
        done: Fragment | None = None
        if self._frames and (frame.keyframe or frame.captured_ns - self._frames[0].captured_ns >= FRAGMENT_NS):
            end_ns = min(frame.captured_ns, self._frames[0].captured_ns + FRAGMENT_NS)
            done = self._cut(end_ns, group_ends=frame.keyframe)
        self._frames.append(frame)
        return done

    def sound(self, sound: EncodedSound) -> None:
        self._sounds.append(sound)
        while self._sounds[0].captured_ns < sound.captured_ns - SOUND_WAITS_NS:
            self._sounds.popleft()

    def epoch(self, epoch: GpsEpoch) -> None:
        self._epochs.append(epoch)
        while self._epochs[0].received_ns < epoch.received_ns - SOUND_WAITS_NS:
            self._epochs.popleft()

    def extend(self, sounds: Iterable[EncodedSound], epochs: Iterable[GpsEpoch]) -> None:
        """Sound and GPS from the ring."""
        self._sounds.extend(sounds)
        self._epochs.extend(epochs)

    def flush(self, now_ns: int) -> Fragment | None:
        """The pending fragment if its newest frame has waited too long for the next one (a stalled camera)."""
        newest = self.newest_ns
        if newest is None or now_ns - newest < STALL_NS:
            return None
        return self._cut(None)

    def finish(self, end_ns: int | None = None) -> Fragment | None:
        """The last fragment; None if there are no frames left. `end_ns`: when the next file's first frame begins."""
        if not self._frames:
            return None
        if end_ns is not None:
            end_ns = min(end_ns, self._frames[0].captured_ns + FRAGMENT_NS)
        return self._cut(end_ns, final=True, group_ends=end_ns is not None)

    @property
    def last_frame(self) -> EncodedFrame | None:
        """The newest frame that is not yet in a fragment."""
        return self._frames[-1] if self._frames else None

    def take_from(self, at_ns: int) -> tuple[list[EncodedSound], list[GpsEpoch]]:
        """Take out the sound and GPS from that instant on: they belong to the next file."""
        sounds = [sound for sound in self._sounds if sound.captured_ns >= at_ns]
        epochs = [epoch for epoch in self._epochs if epoch.received_ns >= at_ns]
        self.drop_sounds(at_ns)
        self._epochs = deque(epoch for epoch in self._epochs if epoch.received_ns < at_ns)
        return sounds, epochs

    def drop_sounds(self, from_ns: int) -> None:
        """Forget the sound from that instant on (a mute)."""
        self._sounds = deque(sound for sound in self._sounds if sound.captured_ns < from_ns)

    def _cut(self, end_ns: int | None, *, final: bool = False, group_ends: bool = False) -> Fragment:
        frames, self._frames = tuple(self._frames), []
        limit = end_ns if end_ns is not None else frames[-1].captured_ns + 1_000_000_000
        return Fragment(
            frames,
            tuple(_take_until(self._sounds, lambda sound: sound.captured_ns < limit)),
            tuple(_take_until(self._epochs, lambda epoch: epoch.received_ns < limit)),
            end_ns,
            final,
            group_ends,
        )
