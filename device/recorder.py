"""The recorder: ring, recordings, and what reaches the writer thread.

The camera's callback only appends to the ring and hands references on. At a trigger the whole ring is handed to the
writer at once, and everything after it goes straight through (invariant 2); the ring and the live picture never wait
for the card. A long recording goes on in a new file at a key frame (R22, `device.roll_over`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from device.delivery import Delivery, Told
from device.mutes import Mutes
from device.recording_file import RecordingFile
from device.ring import Ring
from device.roll_over import FileLimits
from device.rolling import Rolling
from device.session import Session, is_known, trigger_facts
from device.triggers import Start
from device.writer import Writer
from evidence.statements import Stamp
from hal.camera import EncodedFrame
from hal.gps import GpsEpoch
from hal.microphone import EncodedSound

__all__ = ["Recorder", "Told"]

MAX_FILES: Final = 256


class Recorder:
    """One camera's recorder. `start`, `stop`, `tick` run on the loop, the `on_…` callbacks on the drivers' threads."""

    def __init__(
        self,
        ring: Ring,
        writer: Writer,
        make_file: Callable[[], RecordingFile],
        open_fields: Callable[[Start, int | None], Mapping[str, Any]],
        told: Told,
        *,
        limits: FileLimits | None = None,
        opening_again: Callable[[Session], Mapping[str, Any]] = lambda _: {},
        channel: str | None = None,
        own: Mapping[str, Any] | None = None,
    ) -> None:
        """`opening_again` gives the opening metadata of the file in which a recording goes on; on the loop.

        `own` is what the opening metadata of this camera's recordings says otherwise than the first camera's.
        """
        self.ring = ring
        self.session: Session | None = None
        self.frames = 0
        self.keyframes = 0
        self.last_frame_ns: int | None = None
        self.last_keyframe_ns: int | None = None
        self.last_sound: EncodedSound | None = None
        self.last_epoch: GpsEpoch | None = None
        self.ring_limit: str | None = None
        """Why the ring may not be larger, in words (`device.ring_limit`)."""
        self.channel = channel
        self.files: deque[tuple[str, int, str]] = deque(maxlen=MAX_FILES)
        """Incident, number and stem of the newest files."""
        self.on_full: Callable[[], None] = self.roll_over
        self._own = own or {}
        self._make_file = make_file
        self._open_fields = open_fields
        self._told = told
        self._delivery = Delivery(writer, told)
        self._rolling = Rolling(limits, opening_again, self._delivery, told)
        self._lock = threading.Lock()
        self._buffering = True
        self._mutes = Mutes()
        self._previous: tuple[str, int] | None = None
        """Stem and last frame number of the recording before."""

    # --- from the drivers' threads -----------------------------------------------------------------------------

    def on_frame(self, frame: EncodedFrame) -> None:
        """Take one encoded frame from the camera."""
        with self._lock:
            self.frames += 1
            self.last_frame_ns = frame.captured_ns
            if frame.keyframe:
                self.keyframes += 1
                self.last_keyframe_ns = frame.captured_ns
            if self._buffering:
                self.ring.push(frame)
            if self.session is None:
                return
            if frame.keyframe and self._rolling.prepared is not None:
                self._roll(self.session, frame, self._rolling.prepared)
            self._feed(self.session, frame)
            self._rolling.settle(frame.captured_ns)

    def on_sound(self, sound: EncodedSound) -> None:
        """Take one encoded piece of sound."""
        with self._lock:
            self.last_sound = sound
            late = self._rolling.waiting_for(sound.captured_ns)
            if not self._mutes.cover(sound.captured_ns):
                if self._buffering:
                    self.ring.push_sound(sound)
                session = late or self.session
                # Sound that was on its way when the trigger came is from before it: the policy decides (R24).
                if session is not None and (self.ring.keep_sound or sound.captured_ns >= session.started_ns):
                    session.fragmenter.sound(sound)
            if late is None:
                self._rolling.end_old()

    def on_epoch(self, epoch: GpsEpoch) -> None:
        """Take one GPS epoch."""
        with self._lock:
            self.last_epoch = epoch
            if self._buffering:
                self.ring.push_epoch(epoch)
            if self.session is not None:
                self.session.fragmenter.epoch(epoch)

    # --- from the loop -------------------------------------------------------------------------------------------

    def start(
        self,
        start: Start,
        opening: Mapping[str, Any],
        *,
        resumes: int | None = None,
        incident: str | None = None,
        group: int | None = None,
    ) -> Session:
        """Begin a recording with everything in the ring. There must be none in progress.

        `incident` names the incident that it belongs to; without it, it is the first of a new one. `group` is the
        number of the lead's recording, if there are several cameras.
        """
        with self._lock:
            assert self.session is None
            file = self._make_file()
            frames = self.ring.before(start.at_ns)
            begin_ns = frames[0].captured_ns if frames else start.at_ns
            session = Session(
                file, start.at_ns, [trigger_facts(start)], file.losses,
                incident=incident or file.stem, channel=self.channel,
                group=file.number if group is None and self.channel is not None else group,
                mutes=self._mutes.since(begin_ns),
            )  # fmt: skip
            metadata = {
                "part": "opening",
                **opening,
                **self._own,
                **session.belongs(),
                "ring": {**self.ring.facts(start.at_ns, frames), "limit": self.ring_limit},
                **self._overlap(frames),
            }
            file.prepare_open({**self._open_fields(start, resumes), "group": session.group}, metadata)
            self.session = session
            self._open(session)
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
        if session is None or is_known(start, session.triggers):
            return False
        facts = trigger_facts(start)
        session.triggers.append(facts)
        self._note(session, "trigger", None, {"trigger": facts})
        return True

    def event(self, event: str, word: str | None, details: Mapping[str, Any] | None) -> None:
        """Put an event into the running recording, if there is one."""
        self._note(self.session, event, word, details)

    def _note(self, session: Session | None, event: str, word: str | None, details: Mapping[str, Any] | None) -> None:
        if session is not None:
            self._delivery.event(session, event, word, details)

    def clock_step(self, before: Stamp, after: Stamp, cause: str) -> None:
        """Put a clock step into the running recording, if there is one."""
        session = self.session
        if session is not None:
            self._delivery.clock_step(session, before, after, cause)

    def stop(self, reason: str, now_ns: int) -> Session | None:
        """End the recording: its last fragment, closing metadata, `close`. The ring runs on."""
        with self._lock:
            self._rolling.end_old()
            self._rolling.prepared = None
            session, self.session = self.session, None
            if session is not None:
                last = session.fragmenter.finish()
                if last is not None:
                    self._delivery.fragment(session, last)
                session.note_end(now_ns)
                if session.last_frame is not None:
                    self._previous = (session.file.stem, session.last_frame.sequence)
        self._rolling.close_old()
        if session is not None:
            self._delivery.close(session, reason)
        return session

    def close_again(self) -> None:
        """Try again to close what a full or failing card left unclosed. Call it every few seconds."""
        self._delivery.close_again()

    def tick(self, now_ns: int) -> None:
        """Flush what waits for a stalled camera, notice silence and a slow card. Call it every 100 ms or so."""
        with self._lock:
            self._rolling.settle(now_ns)
        self._rolling.close_old()
        with self._lock:
            session = self.session
            if session is None:
                return
            waiting = session.fragmenter.flush(now_ns)
            if waiting is not None:
                self._delivery.fragment(session, waiting)
            troubles = session.troubles(now_ns, self.last_frame_ns)
            full = self._rolling.due(session, self.last_frame_ns)
        for cause in troubles:
            self._told.trouble(session, cause)
        if full:
            self.on_full()

    def buffered_ns(self) -> int:
        """How far the ring reaches back, nanoseconds."""
        with self._lock:
            return self.ring.span_ns()

    @property
    def ring_bytes(self) -> int:
        """Bytes of pictures and sound in the ring."""
        return self.ring.bytes

    def drop_ring(self) -> None:
        """Forget the ring (storage full: it goes first)."""
        with self._lock:
            self.ring.drop("storage_full")

    def limit_ring(self, most_bytes: int, reason: str | None) -> None:
        """Let the ring have so many bytes from now on, and say why."""
        with self._lock:
            self.ring.max_bytes, self.ring_limit = most_bytes, reason

    def buffer_off(self) -> None:
        """Forget the ring and keep no frames until `buffer_on` (sleep, R24). A trigger then starts without a ring."""
        with self._lock:
            self._buffering = False
            self.ring.drop("asleep")
            self.ring.epochs.clear()

    def buffer_on(self) -> None:
        """Keep a ring again."""
        with self._lock:
            self._buffering = True

    # --- mute --------------------------------------------------------------------------------------------------------

    @property
    def muted(self) -> bool:
        """True while no sound is kept."""
        return self._mutes.now

    def mute(self, at_ns: int) -> None:
        """Keep no sound that was captured from that instant on, neither in the ring nor in the recording (R24)."""
        with self._lock:
            row = self._mutes.begin(at_ns)
            if row is None:
                return
            self.ring.drop_sounds(at_ns)
            for session in (self.session, self._rolling.old):
                if session is not None:
                    session.fragmenter.drop_sounds(at_ns)
                    session.mutes.append(row)
        self._note(self.session, "muted", None, {"at_ns": at_ns})

    def unmute(self, at_ns: int) -> None:
        """Keep sound again that was captured from that instant on."""
        with self._lock:
            if not self._mutes.end(at_ns):
                return
        self._note(self.session, "unmuted", None, {"at_ns": at_ns})

    # --- roll-over ---------------------------------------------------------------------------------------------------

    def roll_over(self) -> None:
        """Let the recording go on in a new file from its next key frame on. Loop only."""
        session = self.session
        if session is None or not self._rolling.free:
            return
        opening = self._rolling.prepare(session)
        with self._lock:
            if self.session is session and self._rolling.free:
                self._rolling.prepared = opening

    def _roll(self, old: Session, first: EncodedFrame, opening: Mapping[str, Any]) -> None:
        """Begin the next file with that key frame. The old one ends before it, once its sound is there."""
        self._rolling.prepared = None
        at_ns = first.captured_ns
        new = old.continued(self._make_file(), at_ns)
        metadata = {"part": "opening", **opening, **self._own, **new.belongs(), "continues": old.file.stem}
        fields = {**self._open_fields(new.start_again(), None), "continues": old.file.number, "group": old.group}
        new.file.prepare_open(fields, metadata)
        self._open(new)  # before the old one's end, so that a crash always finds one of them unclosed
        self.session = new
        heard_ns = self.last_sound.captured_ns if self.last_sound is not None else 0
        self._rolling.begin(old, new, at_ns, heard_ns)

    # --- inside ---------------------------------------------------------------------------------------------------

    def _open(self, session: Session) -> None:
        self.files.append((session.incident, session.file.number, session.file.stem))
        self._delivery.open(session)

    def _feed(self, session: Session, frame: EncodedFrame) -> None:
        fragment = session.fragmenter.frame(frame)
        if session.began_ns is None and session.fragmenter.last_frame is frame:
            session.began_ns = frame.captured_ns
        if fragment is not None:
            self._delivery.fragment(session, fragment)
