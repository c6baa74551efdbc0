"""Notices a failure to record (R29, D.4): alarm to the officer, signed record, an item for the supervisor.

The rules are in `device.failures`, what is kept in `device.supervisor_queue`; here they meet the daemon. What the
recorder tells by itself (a silent camera, a card that refuses) has alarmed the officer already, by `device.conduct`:
that alarm is taken up, not doubled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from device.failures import COMPONENTS, SILENT, WRITTEN_ONLY, Failure, FailureBook, Recording
from device.part import Part
from device.senses import Senses
from device.supervisor_queue import SupervisorQueue
from device.timekeeping import ClockWatch

if TYPE_CHECKING:
    from device.daemon import Daemon

FAILURE: Final = "failure"
"""The indicator's condition: it is felt every few seconds as long as it lasts."""
MAX_IN_CLOSING: Final = 100
AFTER_A_CRASH: Final = frozenset({"recording_recovered", "recording_void"})


class FailureDetector(Part):
    """The detector of one camera."""

    name = "failure_detector"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._book = FailureBook()
        self._items: dict[str, int] = {}
        """Open causes -> their items in the queue."""
        self._alarmed: set[str] = set()
        """Causes for which conduct has alarmed."""
        self._of_recording: list[dict[str, Any]] = []
        self._clock_watch = ClockWatch(daemon.clock)

    def each_second(self, now_ns: int) -> None:
        """Look at the recording in progress."""
        self._look(now_ns)
        self.daemon.signals.condition(FAILURE, self._book.alarming)

    def closing(self) -> Mapping[str, Any]:
        """The recording ends, and its failures with it: they stand in its sealed metadata."""
        self._changed(self._book.look(self.daemon.clock.boottime_ns(), None, {}))
        failures, self._of_recording = self._of_recording, []
        return {"failures": failures}

    def _look(self, now_ns: int) -> None:
        recording = self._recording()
        if recording is None:
            self._alarmed.clear()
        seen = {one.cause: one.since_ns for one in self.daemon.part(Senses).ailments(now_ns).values()}
        self._changed(self._book.look(now_ns, recording, seen))
        step = self._clock_watch.look()
        if step is not None and step.cause != "source_changed" and recording is not None:
            self._note("clock_stepped", step.after.mono_ns, step.after.mono_ns, recording.number, recording.stem)

    def _changed(self, failures: Sequence[Failure]) -> None:
        for failure in failures:
            if failure.end_ns is None:
                self._began(failure)
            else:
                self._ended(failure)

    def _recording(self) -> Recording | None:
        session = self.daemon.recorder.session
        if session is None:
            return None
        return Recording(
            number=session.file.number,
            stem=session.file.stem,
            started_ns=session.started_ns,
            durable=session.durable_ns is not None,
            lost_frames=session.lost_frames,
            behind=session.behind,
            key_away=session.key_away,
        )

    def _began(self, failure: Failure) -> None:
        daemon = self.daemon
        self._items[failure.cause] = daemon.part(SupervisorQueue).add(failure)
        self._log("failure_began", failure)
        daemon.recorder.event("failure_began", failure.cause, self._details(failure))
        daemon.publish("failure_began", failure.cause, failure.stem)
        if failure.cause not in WRITTEN_ONLY and not self._was_alarmed(failure):
            daemon.publish("alarm", failure.cause, failure.stem)

    def _was_alarmed(self, failure: Failure) -> bool:
        """The recorder told the same; a stalled encoder looks to it like a silent camera."""
        return bool(self._alarmed & (SILENT if failure.cause in SILENT else {failure.cause}))

    def _ended(self, failure: Failure) -> None:
        self._alarmed -= SILENT if failure.cause in SILENT else {failure.cause}
        number = self._items.pop(failure.cause, None)
        if number is not None:
            self.daemon.part(SupervisorQueue).over(number, failure)
        self._log("failure_ended", failure)
        self.daemon.publish("failure_ended", failure.cause, failure.stem)
        if len(self._of_recording) < MAX_IN_CLOSING:
            self._of_recording.append({"cause": failure.cause, **self._details(failure)})
        session = self.daemon.recorder.session
        if session is not None and session.file.number == failure.recording:
            self.daemon.recorder.event("failure_ended", failure.cause, self._details(failure))

    def _note(
        self, cause: str, start_ns: int | None, end_ns: int | None, number: int | None, stem: str | None,
        *, component: str | None = None, told: bool = False,
    ) -> None:  # fmt: skip
        """A failure that is over when it is noticed."""
        failure = Failure(cause, component or COMPONENTS[cause], number, stem, start_ns, end_ns, told=told)
        self.daemon.part(SupervisorQueue).add(failure)
        if cause != "malfunction":  # that has its own entry
            self._log("failure_noted", failure)

    def _log(self, event: str, failure: Failure) -> None:
        self.daemon.log(event, word=failure.cause, recording=failure.recording, details=self._details(failure))

    @staticmethod
    def _details(failure: Failure) -> dict[str, Any]:
        return {
            "component": failure.component,
            "start_ns": failure.start_ns,
            "end_ns": failure.end_ns,
            "frames": failure.frames,
            "officer_told": failure.told,
        }

    # --- what others log ----------------------------------------------------------------------------------------------

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:
        """Entries that are about failures, from any thread."""
        if event in ("failure_to_record", "malfunction", "died_last_shift") or event in AFTER_A_CRASH:
            self.daemon.on_loop(self._take_up, event, fields.get("word"), fields.get("recording"))

    def _take_up(self, event: str, word: str | None, number: int | None) -> None:
        now_ns = self.daemon.clock.boottime_ns()
        stem = None if number is None else f"{self.daemon.settings.serial}-{number:06d}"
        if event == "malfunction":
            self._note(event, now_ns, now_ns, number, stem, component=word or "unknown")
        elif event == "died_last_shift":
            self._note(event, None, now_ns, number, stem)
        elif event in AFTER_A_CRASH:
            cause = "recorder_restarted" if self.daemon.part(SupervisorQueue).same_boot else "power_lost"
            self._note(cause, None, now_ns, number, stem)
        elif word is None or word not in COMPONENTS:
            self._note("not_recorded", now_ns, now_ns, number, stem, told=True)
        elif number is None:  # a trigger that started nothing
            self._note(word, now_ns, now_ns, None, None, told=True)
        else:
            self._alarmed.add(word)
            self._book.told(word, now_ns)
