"""The failures to record of one camera, told: log, recording, notices, supervisor's queue (R29)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from device.failures import SILENT, WRITTEN_ONLY, Failure, FailureBook, Recording
from device.recorder import Recorder
from device.supervisor_queue import SupervisorQueue

if TYPE_CHECKING:
    from device.daemon import Daemon

MAX_IN_CLOSING: Final = 100


class ChannelFailures:
    """One camera's. Loop only."""

    def __init__(self, daemon: Daemon, recorder: Recorder, channel: str | None) -> None:
        self._daemon = daemon
        self._recorder = recorder
        self._channel = channel
        self._book = FailureBook()
        self._items: dict[str, int] = {}
        """Open causes -> their items in the queue."""
        self._alarmed: set[str] = set()
        """Causes for which the recorder has alarmed."""
        self._of_recording: list[dict[str, Any]] = []

    @property
    def alarming(self) -> bool:
        """Whether the officer should feel it now."""
        return self._book.alarming

    def look(self, now_ns: int, causes: dict[str, int]) -> None:
        """Compare the recording in progress with what is wrong."""
        recording = self.recording()
        if recording is None:
            self._alarmed.clear()
        self._changed(self._book.look(now_ns, recording, causes))

    def told(self, cause: str, now_ns: int) -> None:
        """The recorder has alarmed the officer."""
        self.alarmed(cause)
        self._book.told(cause, now_ns)

    def alarmed(self, cause: str) -> None:
        """Somebody has alarmed the officer for it: that is not done twice."""
        self._alarmed.add(cause)

    def finish(self, now_ns: int) -> list[dict[str, Any]]:
        """The recording ends, and its failures with it; all of them, for its sealed metadata."""
        self._changed(self._book.look(now_ns, None, {}))
        failures, self._of_recording = self._of_recording, []
        return failures

    def recording(self) -> Recording | None:
        """The recording in progress."""
        session = self._recorder.session
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

    def _changed(self, failures: Sequence[Failure]) -> None:
        for failure in failures:
            named = failure if self._channel is None else replace(failure, component=self._component(failure))
            if failure.end_ns is None:
                self._began(named)
            else:
                self._ended(named)

    def _component(self, failure: Failure) -> str:
        return f"{self._channel}_{failure.component}"[:48]

    def _began(self, failure: Failure) -> None:
        daemon = self._daemon
        self._items[failure.cause] = daemon.part(SupervisorQueue).add(failure)
        log_failure(daemon, "failure_began", failure)
        self._note("failure_began", failure)
        daemon.publish("failure_began", failure.cause, failure.stem)
        if failure.cause not in WRITTEN_ONLY and not self._alarmed & self._same(failure.cause):
            daemon.publish("alarm", failure.cause, failure.stem)

    @staticmethod
    def _same(cause: str) -> frozenset[str]:
        """A stalled encoder looks like a silent camera to the recorder."""
        return SILENT if cause in SILENT else frozenset({cause})

    def _ended(self, failure: Failure) -> None:
        self._alarmed -= self._same(failure.cause)
        number = self._items.pop(failure.cause, None)
        if number is not None:
            self._daemon.part(SupervisorQueue).over(number, failure)
        log_failure(self._daemon, "failure_ended", failure)
        self._daemon.publish("failure_ended", failure.cause, failure.stem)
        if len(self._of_recording) < MAX_IN_CLOSING:
            self._of_recording.append({"cause": failure.cause, "recording": failure.recording, **details_of(failure)})
        self._note("failure_ended", failure)

    def _note(self, event: str, failure: Failure) -> None:
        """Into this camera's own recording, if that is still the one: a group's `event` would tell all cameras."""
        session = self._recorder.session
        if session is not None and session.file.number == failure.recording:
            Recorder.event(self._recorder, event, failure.cause, details_of(failure))


def details_of(failure: Failure) -> dict[str, Any]:
    """What is sealed of a failure record."""
    return {
        "component": failure.component,
        "start_ns": failure.start_ns,
        "end_ns": failure.end_ns,
        "frames": failure.frames,
        "officer_told": failure.told,
    }


def log_failure(daemon: Daemon, event: str, failure: Failure) -> None:
    """One signed entry of the device log."""
    daemon.log(event, word=failure.cause, recording=failure.recording, details=details_of(failure))
