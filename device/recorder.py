"""The recorder: ring, recordings, and what reaches the writer thread.

The camera's callback only appends to the ring and hands references on. At a trigger the whole ring is handed to the
writer at once, and everything after it goes straight through (invariant 2). If the writer falls behind, fragments are
given up, counted, and named by a signed `gap`; the ring and the live picture never wait for the card.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from device.fragments import Fragment
from device.losses import Gap, gap_of
from device.recording_file import Addition, RecordingFile, facts_of
from device.ring import Ring
from device.session import SILENT_NS, Session, trigger_facts
from device.signing_pace import KeyFailed
from device.triggers import Start
from device.writer import FULL, Job, Writer
from evidence.statements import FileFacts, MediaFacts, Stamp
from hal.camera import EncodedFrame
from hal.clock import boottime_ns
from hal.gps import GpsEpoch
from hal.microphone import EncodedSound

log = logging.getLogger("firsthand.recorder")

BEHIND_NS: Final = 2_000_000_000
"""A fragment that waits longer for the card is told to the officer (invariant 3)."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the recorder tells the daemon, from any thread."""

    opened: Callable[[Session], None]
    durable: Callable[[Session, MediaFacts], None]
    closed: Callable[[Session, FileFacts, str], None]
    trouble: Callable[[Session, str], None]
    """Something that should be recorded is not; one of the gap causes."""


class Recorder:
    """One camera's recorder. `start`, `stop`, `tick` run on the loop, the `on_…` callbacks on the drivers' threads."""

    def __init__(
        self,
        ring: Ring,
        writer: Writer,
        make_file: Callable[[], RecordingFile],
        open_fields: Callable[[Start, int | None], Mapping[str, Any]],
        told: Told,
    ) -> None:
        self.ring = ring
        self.session: Session | None = None
        self.frames = 0
        self.keyframes = 0
        self.last_frame_ns: int | None = None
        self.last_keyframe_ns: int | None = None
        self.last_sound: EncodedSound | None = None
        self.last_epoch: GpsEpoch | None = None
        self._writer = writer
        self._make_file = make_file
        self._open_fields = open_fields
        self._told = told
        self._lock = threading.Lock()
        self._previous: tuple[str, int] | None = None
        """Stem and last frame number of the recording before."""
        self._unclosed: list[tuple[Session, str]] = []
        """Recordings whose `close` the card did not take, with their reasons (writer thread and loop)."""

    # --- from the drivers' threads -----------------------------------------------------------------------------

    def on_frame(self, frame: EncodedFrame) -> None:
        """Take one encoded frame from the camera."""
        with self._lock:
            self.frames += 1
            self.last_frame_ns = frame.captured_ns
            if frame.keyframe:
                self.keyframes += 1
                self.last_keyframe_ns = frame.captured_ns
            self.ring.push(frame)
            if self.session is not None:
                self._feed(self.session, frame)

    def on_sound(self, sound: EncodedSound) -> None:
        """Take one encoded piece of sound."""
        with self._lock:
            self.last_sound = sound
            self.ring.push_sound(sound)
            session = self.session
            # Sound that was on its way when the trigger came is from before it: the policy decides (R24).
            if session is not None and (self.ring.keep_sound or sound.captured_ns >= session.started_ns):
                session.fragmenter.sound(sound)

    def on_epoch(self, epoch: GpsEpoch) -> None:
        """Take one GPS epoch."""
        with self._lock:
            self.last_epoch = epoch
            self.ring.push_epoch(epoch)
            if self.session is not None:
                self.session.fragmenter.epoch(epoch)

    # --- from the loop -------------------------------------------------------------------------------------------

    def start(self, start: Start, opening: Mapping[str, Any], *, resumes: int | None = None) -> Session:
        """Begin a recording with everything in the ring. There must be none in progress."""
        with self._lock:
            assert self.session is None
            file = self._make_file()
            session = Session(file, start.at_ns, [trigger_facts(start)], file.losses)
            self.session = session
            frames = self.ring.before(start.at_ns)
            metadata = {
                "part": "opening",
                **opening,
                "triggers": list(session.triggers),
                "ring": {
                    "configured_s": self.ring.seconds_ns // 1_000_000_000,
                    "available_ms": max(0, start.at_ns - frames[0].captured_ns) // 1_000_000 if frames else 0,
                },
                **self._overlap(frames),
            }
            file.prepare_open(self._open_fields(start, resumes), metadata)
            self._writer.put(
                Job(
                    f"{file.stem} open",
                    file.open,
                    done=lambda: self._told.opened(session),
                    lost=lambda error: self._told.trouble(session, _cause(error)),
                )
            )
            begin_ns = frames[0].captured_ns if frames else start.at_ns
            session.fragmenter.extend(
                [sound for sound in self.ring.sounds if sound.captured_ns >= begin_ns],
                [epoch for epoch in self.ring.epochs if epoch.received_ns >= begin_ns],
            )
            for frame in frames:
                self._feed(session, frame)
        return session

    def _overlap(self, frames: list[EncodedFrame]) -> dict[str, Any]:
        """Frames of the ring that the recording before holds too: recorded again, and named."""
        if self._previous is None or not frames:
            return {}
        stem, last = self._previous
        again = sum(1 for frame in frames if frame.sequence <= last)
        return {"overlap": {"recording": stem, "frames": again}} if again else {}

    def add_trigger(self, start: Start) -> bool:
        """Name another trigger in the running recording; False if that trigger stands there already."""
        session = self.session
        if session is None or any(known["name"] == start.trigger for known in session.triggers):
            return False
        facts = trigger_facts(start)
        session.triggers.append(facts)
        self.event("trigger", None, {"trigger": facts})
        return True

    def event(self, event: str, word: str | None, details: Mapping[str, Any] | None) -> None:
        """Put an event into the running recording, if there is one."""
        session = self.session
        if session is not None:
            file = session.file
            self._writer.put(Job(f"{file.stem} {event}", lambda: file.event(event, word, details)))

    def clock_step(self, before: Stamp, after: Stamp, cause: str) -> None:
        """Put a clock step into the running recording, if there is one."""
        session = self.session
        if session is not None:
            file = session.file
            self._writer.put(Job(f"{file.stem} clock", lambda: file.clock_step(before, after, cause)))

    def stop(self, reason: str, now_ns: int) -> Session | None:
        """End the recording: its last fragment, closing metadata, `close`. The ring runs on."""
        with self._lock:
            session, self.session = self.session, None
            if session is None:
                return None
            last = session.fragmenter.finish()
            if last is not None:
                self._put(session, last)
            session.note_end(now_ns)
            if session.last_frame is not None:
                self._previous = (session.file.stem, session.last_frame.sequence)
        self._close(session, reason)
        return session

    def _close(self, session: Session, reason: str) -> None:
        file = session.file
        closing = session.closing(reason)
        owed: list[Gap] = []

        def run() -> RecordingFile:
            owed.extend(file.losses.take())  # here, since the card may have refused the fragments before
            return file.close(reason, closing, owed)

        def lost(_: OSError) -> None:
            file.losses.give_back(owed)
            self._unclosed.append((session, reason))

        self._writer.put(
            Job(
                f"{file.stem} close",
                run,
                done=lambda: self._told.closed(session, file.finished(), reason),
                lost=lost,
            )
        )

    def close_again(self) -> None:
        """Try again to close what a full or failing card left unclosed. Call it every few seconds."""
        unclosed, self._unclosed = self._unclosed, []
        for session, reason in unclosed:
            self._close(session, reason)

    def tick(self, now_ns: int) -> None:
        """Flush what waits for a stalled camera, notice silence and a slow card. Call it every 100 ms or so."""
        with self._lock:
            session = self.session
            if session is None:
                return
            waiting = session.fragmenter.flush(now_ns)
            if waiting is not None:
                self._put(session, waiting)
            newest = max(session.started_ns, self.last_frame_ns or 0)
            silent = now_ns - newest > SILENT_NS
            behind = now_ns - min(tuple(session.waiting.values()), default=now_ns) > BEHIND_NS
            newly_silent, newly_behind = silent and not session.alarmed, behind and not session.behind
            away = session.file.key_away
            newly_away = away and not session.key_away
            session.alarmed, session.behind, session.key_away = silent, behind, away
        if newly_silent:
            self._told.trouble(session, "camera_silent")
        if newly_behind:
            self._told.trouble(session, "writer_behind")
        if newly_away:
            self._told.trouble(session, "signing_key")

    def buffered_ns(self) -> int:
        """How far the ring reaches back, nanoseconds."""
        with self._lock:
            return self.ring.span_ns()

    def drop_ring(self) -> None:
        """Forget the ring (storage full: it goes first)."""
        with self._lock:
            self.ring.drop()

    # --- inside ---------------------------------------------------------------------------------------------------

    def _feed(self, session: Session, frame: EncodedFrame) -> None:
        fragment = session.fragmenter.frame(frame)
        if fragment is not None:
            self._put(session, fragment)

    def _put(self, session: Session, fragment: Fragment) -> None:
        """Queue a fragment; what finds no room is owed as a `gap`. In capture order, under the lock."""
        for frame in fragment.frames:
            session.note_frame(frame)
        session.frames += len(fragment.frames)
        session.note_epochs(fragment)
        file, addition = session.file, Addition(fragment)
        key = fragment.frames[0].sequence
        session.waiting[key] = boottime_ns()

        def done() -> None:
            session.waiting.pop(key, None)
            facts = facts_of(addition)
            if facts is not None:
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


def _cause(error: OSError) -> str:
    if isinstance(error, KeyFailed):
        return "key_failed"
    return "storage_full" if error.errno in FULL else "storage_error"
