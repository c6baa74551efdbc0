"""A recording that goes on in a new file: the end of the old one waits for its sound, and its `close` for the new one.

The order on the card (docs/design/ring.md): `open` of the new file, the old file's last fragment, the old file's
`close`. Whenever the camera dies, at least one file of a recording in progress is unclosed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from device.delivery import Delivery, Told
from device.roll_over import SOUND_WAITS_NS, FileLimits
from device.session import Session

log = logging.getLogger("firsthand.rolling")


@dataclass(frozen=True, slots=True)
class Ending:
    """A recording whose file still waits for the sound of its last pictures."""

    old: Session
    new: Session
    boundary_ns: int
    """Capture time of the new file's first frame."""


class Rolling:
    """Roll-over of one recorder. Under the recorder's lock, but for `prepare` and `close_old`."""

    def __init__(
        self,
        limits: FileLimits | None,
        opening_again: Callable[[Session], Mapping[str, Any]],
        delivery: Delivery,
        told: Told,
    ) -> None:
        self._opening_again = opening_again
        self.prepared: Mapping[str, Any] | None = None
        """Opening metadata of the next file: the next key frame begins it."""
        self._limits = limits
        self._delivery = delivery
        self._told = told
        self._ending: Ending | None = None
        self._ended: list[Ending] = []
        """Have all their frames, and wait to be closed on the loop."""

    def prepare(self, session: Session) -> Mapping[str, Any]:
        """Opening metadata of the next file; what goes wrong over it keeps no recording from going on."""
        try:
            return self._opening_again(session)
        except Exception as error:
            log.exception("%s goes on without metadata", session.file.stem)
            return {"opening_failed": f"{type(error).__name__}: {error}"[:300]}

    def due(self, session: Session, last_frame_ns: int | None) -> bool:
        """True if a next file should be prepared."""
        if self._limits is None or session.began_ns is None or not self.free:
            return False
        return self._limits.reached((last_frame_ns or 0) - session.began_ns, session.bytes)

    @property
    def free(self) -> bool:
        """True if no roll-over is under way."""
        return self.prepared is None and self._ending is None

    def begin(self, old: Session, new: Session, boundary_ns: int, heard_ns: int) -> None:
        """The new file has begun; `heard_ns` is when the newest sound was captured."""
        self._ending = Ending(old, new, boundary_ns)
        if heard_ns < boundary_ns - 2 * SOUND_WAITS_NS:  # there is no microphone, or it is silent
            self.end_old()

    def waiting_for(self, captured_ns: int) -> Session | None:
        """The old recording, if sound of that time still belongs to it."""
        ending = self._ending
        return ending.old if ending is not None and captured_ns < ending.boundary_ns else None

    @property
    def old(self) -> Session | None:
        """The recording that still waits for sound."""
        return self._ending.old if self._ending is not None else None

    def settle(self, now_ns: int) -> None:
        """End a file that has waited long enough."""
        if self._ending is not None and now_ns - self._ending.boundary_ns >= SOUND_WAITS_NS:
            self.end_old()

    def end_old(self) -> None:
        """Cut the old file's last fragment: all that belongs to it is there."""
        ending, self._ending = self._ending, None
        if ending is None:
            return
        last = ending.old.fragmenter.finish(ending.boundary_ns)
        if last is not None:
            self._delivery.fragment(ending.old, last)
        ending.old.ended_ns = ending.boundary_ns
        self._ended.append(ending)

    def close_old(self) -> None:
        """Close the files that went on in others. Loop only, without the lock."""
        while self._ended:
            ending = self._ended.pop(0)
            try:
                self._told.rolled(ending.old, ending.new)
            except Exception:  # of every kind: whatever is said about it, the file is closed
                log.exception(
                    "%s goes on in %s, and that could not be told", ending.old.file.stem, ending.new.file.stem
                )
            self._delivery.close(ending.old, "rolled_over", ending.new.file)
