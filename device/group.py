"""The cameras of a vehicle as one recorder: one incident, one timeline, each camera its own ring and files (R2, R17).

1. The first camera leads. All are started, stopped, rolled over, muted and marked together; a body camera is a group of
   one.
2. All recordings that one trigger began carry the same incident, the same triggers, lines and positions, and the number
   of the lead's in their `open` (`group`).
3. A camera that fails keeps no other from recording: its failure is told, and its own recording has the gap.
4. After a crash each camera's recording goes on from its own (`resumes`), in the same incident.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from device.recorder import Recorder, Told
from device.recording_file import RecordingFile
from device.ring import Ring
from device.roll_over import FileLimits
from device.session import Session
from device.triggers import Start
from device.writer import Writer
from evidence.statements import Stamp
from hal.gps import GpsEpoch

log = logging.getLogger("firsthand.group")


class Group(Recorder):
    """The lead's recorder, and others that do as it does.

    `on_begun` is told each other camera's recording, on the loop; `on_fault` (part, sentence) what one could not do.
    """

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
        followers: Mapping[str, Recorder] | None = None,
        on_begun: Callable[[Session, Start], None] = lambda _session, _start: None,
        on_fault: Callable[[str, str], None] = lambda _part, _text: None,
    ) -> None:
        super().__init__(
            ring, writer, make_file, open_fields, told, limits=limits, opening_again=opening_again, channel=channel
        )
        self.followers: dict[str, Recorder] = dict(followers or {})
        self._on_begun = on_begun
        self._on_fault = on_fault
        self._resumes: Mapping[str | None, int] = {}
        self._resumes_incident: str | None = None
        for one in self.followers.values():
            one.on_full = self.roll_over

    def goes_on_from(self, numbers: Mapping[str | None, int], incident: str | None) -> None:
        """What a crash cut off: number by channel, and the incident; the next start with `resumes` takes it up."""
        self._resumes, self._resumes_incident = numbers, incident

    @property
    def members(self) -> Iterator[Recorder]:
        """All recorders, the lead first."""
        yield self
        yield from self.followers.values()

    @property
    def sessions(self) -> list[Session]:
        """All recordings in progress, the lead's first."""
        return [one.session for one in self.members if one.session is not None]

    def same_incident(self, number: int) -> list[tuple[int, str]]:
        """Number and stem of all files of the incident that this recording belongs to, by all cameras, in order.

        A label or a hold on one of them is on all. Only what was begun since the start of the camera is known.
        """
        known = {one for member in self.members for one in tuple(member.files)}
        incident = next((incident for incident, mine, _ in known if mine == number), None)
        return sorted((mine, stem) for of, mine, stem in known if of == incident)

    def _others(self, what: str, act: Callable[[Recorder], Any]) -> None:
        """Let the others do the same; one that cannot is a fault of its own."""
        for name, one in self.followers.items():
            try:
                act(one)
            except Exception as error:
                log.exception("%s of %s failed", what, name)
                self._on_fault(f"camera_{name}", f"{what}: {type(error).__name__}: {error}"[:500])

    # --- recording --------------------------------------------------------------------------------------------------

    def start(
        self,
        start: Start,
        opening: Mapping[str, Any],
        *,
        resumes: int | None = None,
        incident: str | None = None,
        group: int | None = None,
    ) -> Session:
        """Begin a recording with each camera; the lead's."""
        numbers: Mapping[str | None, int] = {}
        if resumes is not None:
            numbers, incident = self._resumes, incident or self._resumes_incident
            resumes = numbers.get(self.channel) if numbers else resumes
        lead = super().start(
            start, self._resuming(opening, resumes),
            resumes=resumes, incident=incident, group=group,
        )  # fmt: skip

        def begin(one: Recorder) -> None:
            mine = numbers.get(one.channel)
            session = one.start(
                start, self._resuming(opening, mine),
                resumes=mine, incident=lead.incident, group=lead.group or lead.file.number,
            )  # fmt: skip
            self._on_begun(session, start)

        self._others("start", begin)
        return lead

    @staticmethod
    def _resuming(opening: Mapping[str, Any], number: int | None) -> dict[str, Any]:
        """The opening metadata of one camera: it names the recording that this camera goes on from, and no other's."""
        serial = str(opening.get("resumes", "")).rpartition("-")[0]
        mine = {key: value for key, value in opening.items() if key != "resumes"}
        return mine if number is None else {**mine, "resumes": f"{serial}-{number:06d}"}

    def stop(self, reason: str, now_ns: int) -> Session | None:
        """End the recordings of all; the lead's."""
        lead = super().stop(reason, now_ns)

        def end(one: Recorder) -> None:
            if one.session is not None and lead is not None:
                one.session.extra.update(lead.extra)
            one.stop(reason, now_ns)

        self._others("stop", end)
        return lead

    def add_trigger(self, start: Start) -> bool:
        added = super().add_trigger(start)
        self._others("trigger", lambda one: one.add_trigger(start))
        return added

    def event(self, event: str, word: str | None, details: Mapping[str, Any] | None) -> None:
        super().event(event, word, details)
        self._others(event, lambda one: one.event(event, word, details))

    def clock_step(self, before: Stamp, after: Stamp, cause: str) -> None:
        super().clock_step(before, after, cause)
        self._others("clock step", lambda one: one.clock_step(before, after, cause))

    def roll_over(self) -> None:
        """Let all go on in new files, each from its next key frame on. Loop only."""
        super().roll_over()
        self._others("roll-over", lambda one: one.roll_over())

    def tick(self, now_ns: int) -> None:
        super().tick(now_ns)
        self._others("tick", lambda one: one.tick(now_ns))

    def close_again(self) -> None:
        super().close_again()
        self._others("close", lambda one: one.close_again())

    def on_epoch(self, epoch: GpsEpoch) -> None:
        """One receiver for all cameras."""
        super().on_epoch(epoch)
        self._others("position", lambda one: one.on_epoch(epoch))

    # --- the ring and mute ------------------------------------------------------------------------------------------

    @property
    def ring_bytes(self) -> int:
        return sum(one.ring.bytes for one in self.members)

    def limit_ring(self, most_bytes: int, reason: str | None) -> None:
        """All rings together."""
        share = most_bytes // (1 + len(self.followers))
        super().limit_ring(share, reason)
        self._others("ring", lambda one: one.limit_ring(share, reason))

    def drop_ring(self) -> None:
        super().drop_ring()
        self._others("ring", lambda one: one.drop_ring())

    def buffer_off(self) -> None:
        super().buffer_off()
        self._others("ring", lambda one: one.buffer_off())

    def buffer_on(self) -> None:
        super().buffer_on()
        self._others("ring", lambda one: one.buffer_on())

    def mute(self, at_ns: int) -> None:
        super().mute(at_ns)
        self._others("mute", lambda one: one.mute(at_ns))

    def unmute(self, at_ns: int) -> None:
        super().unmute(at_ns)
        self._others("mute", lambda one: one.unmute(at_ns))
