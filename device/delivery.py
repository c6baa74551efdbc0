"""From a recording in progress to the writer thread: what is queued, what becomes durable, and what is lost.

If the writer falls behind, fragments are given up, counted, and named by a signed `gap` (invariant 9).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from device.fragments import Fragment
from device.losses import Gap, gap_of
from device.recording_file import Addition, RecordingFile, facts_of
from device.roll_over import bytes_on_card
from device.session import Session
from device.signing_pace import KeyFailed
from device.writer import FULL, Job, Writer
from evidence.statements import FileFacts, MediaFacts, Stamp
from hal.clock import boottime_ns


def _nothing(_old: Session, _new: Session) -> None:
    """Nobody is told."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the recorder tells the daemon, from any thread."""

    opened: Callable[[Session], None]
    durable: Callable[[Session, MediaFacts], None]
    closed: Callable[[Session, FileFacts, str], None]
    trouble: Callable[[Session, str], None]
    """Something that should be recorded is not; one of the gap causes."""
    rolled: Callable[[Session, Session], None] = _nothing
    """The first recording has ended and goes on in the second; before the first is closed. On the loop."""


class Delivery:
    """The recorder's way to the writer. From any thread."""

    def __init__(self, writer: Writer, told: Told) -> None:
        self._writer = writer
        self._told = told
        self._unclosed: list[tuple[Session, str, RecordingFile | None]] = []
        """Recordings whose `close` the card did not take, with their reasons (writer thread and loop)."""

    def open(self, session: Session) -> None:
        """Queue the file's `open`, alone: the first word of a recording must not wait for a ring of 30 s behind it."""
        file = session.file
        self._writer.put(
            Job(
                f"{file.stem} open",
                file.open,
                done=lambda: self._told.opened(session),
                lost=lambda error: self._told.trouble(session, _cause(error)),
                alone=True,
            )
        )

    def event(self, session: Session, event: str, word: str | None, details: Mapping[str, Any] | None) -> None:
        """Queue an event."""
        file = session.file
        self._writer.put(Job(f"{file.stem} {event}", lambda: file.event(event, word, details)))

    def clock_step(self, session: Session, before: Stamp, after: Stamp, cause: str) -> None:
        """Queue a clock step."""
        file = session.file
        self._writer.put(Job(f"{file.stem} clock", lambda: file.clock_step(before, after, cause)))

    def fragment(self, session: Session, fragment: Fragment) -> None:
        """Queue a fragment; what finds no room is owed as a `gap`. In capture order, under the recorder's lock."""
        for frame in fragment.frames:
            session.note_frame(frame)
        session.frames += len(fragment.frames)
        session.bytes += bytes_on_card(fragment)
        session.note_epochs(fragment)
        file, addition = session.file, Addition(fragment)
        key = fragment.frames[0].sequence
        session.waiting[key] = boottime_ns()

        def done() -> None:
            session.waiting.pop(key, None)
            facts = facts_of(addition)
            if facts is not None:
                session.note_durable(facts, boottime_ns())
                self._told.durable(session, facts)

        def lost(error: OSError) -> None:
            self._give_up(session, addition, _cause(error))

        if not self._writer.put(Job(f"{file.stem} fragment", lambda: file.add(addition), fragment.bytes, done, lost)):
            self._give_up(session, addition, "writer_behind")

    def _give_up(self, session: Session, addition: Addition, cause: str) -> None:
        """From any thread, with or without the lock: takes only the ledger's own."""
        fragment = addition.fragment
        session.waiting.pop(fragment.frames[0].sequence, None)
        session.file.give_up(addition, gap_of(cause, fragment))
        self._told.trouble(session, cause)

    def close(self, session: Session, reason: str, goes_on_in: RecordingFile | None = None) -> None:
        """Queue the closing metadata and `close`.

        A file that goes on in another is closed only when that one's `open` is durable: whenever the camera dies, at
        least one file of a recording in progress is unclosed, and so the next boot goes on with it.
        """
        file = session.file
        closing = session.closing(reason)
        owed: list[Gap] = []

        def run() -> RecordingFile:
            if goes_on_in is not None and not goes_on_in.begun:
                raise OSError(errno.EAGAIN, f"{goes_on_in.name} is not begun yet")
            owed.extend(file.losses.take())  # here, since the card may have refused the fragments before
            return file.close(reason, closing, owed)

        def lost(_: OSError) -> None:
            file.losses.give_back(owed)
            self._unclosed.append((session, reason, goes_on_in))

        self._writer.put(
            Job(
                f"{file.stem} close",
                run,
                done=lambda: self._told.closed(session, file.finished(), reason),
                lost=lost,
                alone=goes_on_in is not None,
            )
        )

    def close_again(self) -> None:
        """Try again to close what a full or failing card left unclosed. Call it every few seconds."""
        unclosed, self._unclosed = self._unclosed, []
        for session, reason, goes_on_in in unclosed:
            self.close(session, reason, goes_on_in)


def _cause(error: OSError) -> str:
    if isinstance(error, KeyFailed):
        return "key_failed"
    return "storage_full" if error.errno in FULL else "storage_error"
