"""Notices a failure to record (R29, D.4): alarm to the officer, signed record, an item for the supervisor.

The rules are in `device.failures`, how each camera's are told in `device.channel_failures`, what is kept in
`device.supervisor_queue`; here they meet the daemon. What the recorder tells by itself (a silent camera, a card that
refuses) has alarmed the officer already, by `device.conduct`: that alarm is taken up, not doubled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from device.channel_failures import ChannelFailures, log_failure
from device.failures import COMPONENTS, Failure
from device.part import Part
from device.senses import Senses
from device.supervisor_queue import SupervisorQueue
from device.timekeeping import ClockWatch

if TYPE_CHECKING:
    from device.daemon import Daemon

FAILURE: Final = "failure"
"""The indicator's condition: it is felt every few seconds as long as it lasts."""
AFTER_A_CRASH: Final = frozenset({"recording_recovered", "recording_void"})
TAKEN_UP: Final = AFTER_A_CRASH | {"failure_to_record", "malfunction", "died_last_shift", "remote_audio"}


class FailureDetector(Part):
    """The detector of one camera, or of all cameras of a vehicle."""

    name = "failure_detector"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._channels: dict[str | None, ChannelFailures] = {None: ChannelFailures(daemon, daemon.recorder, None)}
        for name, recorder in daemon.recorder.followers.items():
            self._channels[name] = ChannelFailures(daemon, recorder, name)
        self._clock_watch = ClockWatch(daemon.clock)

    def each_second(self, now_ns: int) -> None:
        """Look at the recordings in progress."""
        senses = self.daemon.part(Senses)
        for channel, one in self._channels.items():
            one.look(now_ns, senses.causes(channel, now_ns))
        self.daemon.signals.condition(FAILURE, any(one.alarming for one in self._channels.values()))
        step, recording = self._clock_watch.look(), self._channels[None].recording()
        if step is not None and step.cause != "source_changed" and recording is not None:
            self._note("clock_stepped", step.after.mono_ns, step.after.mono_ns, recording.number, recording.stem)

    def closing(self) -> Mapping[str, Any]:
        """The recordings end, and their failures with them: they stand in the sealed metadata."""
        now_ns = self.daemon.clock.boottime_ns()
        return {"failures": [row for one in self._channels.values() for row in one.finish(now_ns)]}

    def _note(
        self, cause: str, start_ns: int | None, end_ns: int | None, number: int | None, stem: str | None,
        *, component: str | None = None, told: bool = False,
    ) -> None:  # fmt: skip
        """A failure that is over when it is noticed."""
        failure = Failure(cause, component or COMPONENTS[cause], number, stem, start_ns, end_ns, told=told)
        self.daemon.part(SupervisorQueue).add(failure)
        if cause != "malfunction":  # that has its own entry
            log_failure(self.daemon, "failure_noted", failure)

    # --- what others log ----------------------------------------------------------------------------------------------

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:
        """Entries that are about failures, from any thread."""
        if event in TAKEN_UP:
            self.daemon.on_loop(self._take_up, event, fields.get("word"), fields.get("recording"))

    def _take_up(self, event: str, word: str | None, number: int | None) -> None:
        now_ns = self.daemon.clock.boottime_ns()
        stem = None if number is None else f"{self.daemon.settings.serial}-{number:06d}"
        if event == "malfunction":
            self._note(event, now_ns, now_ns, number, stem, component=word or "unknown")
        elif event == "remote_audio":
            # The loss is alarmed for by its own name; that sound is missing is a failure record all the same.
            if word == "lost":
                self._channels[None].alarmed("microphone_dead")
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
            mine = (one for one in self._channels.values() if (known := one.recording()) and known.number == number)
            for one in mine:
                one.told(word, now_ns)
