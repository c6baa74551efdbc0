"""After a stop for a reason of D.3 the interaction goes on: remind the officer, and link what comes after (R28)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from device.part import Part
from device.states import State
from device.stopping import PAUSES, REASONS, Pause, Stopping
from evidence.handover import Answer, Done, Refused
from evidence.requests import Request, StopReasonRequest
from evidence.settings import nearest

if TYPE_CHECKING:
    from device.daemon import Daemon


class Pauses(Part):
    """The pause under way, if there is one. Loop only."""

    name = "pauses"

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self.pause: Pause | None = None
        self._interrupted: Pause | None = None
        """The pause that the recording in progress ended, in case that was a false start."""
        self._reminded_ns = 0

    def stopped(self, number: int, stem: str, stopping: Stopping | None) -> None:
        """A recording was stopped; a pause begins if its reason is one of D.3."""
        if stopping is None or stopping.code not in PAUSES:
            return
        now_ns = self.daemon.clock.boottime_ns()
        self.pause = Pause(stem, stopping.code, now_ns)
        self._reminded_ns = now_ns
        self.daemon.log("paused", word=stopping.code, recording=number)

    def reactivated(self, number: int, now_ns: int) -> None:
        """A recording began: the pause, if there was one, is over."""
        pause, self.pause = self.pause, None
        self._interrupted = pause
        self.daemon.signals.condition("reactivation", False)
        if pause is not None:
            self.daemon.log("reactivated", word=pause.code, recording=number, details=pause.facts(now_ns))

    def false_start(self) -> None:
        """The recording that ended the pause was cancelled: the officer is reminded as before (R28)."""
        self.pause, self._interrupted = self._interrupted, None
        if self.pause is not None:
            self._reminded_ns = self.daemon.clock.boottime_ns()
            self.daemon.log("paused", word=self.pause.code, details={"recording": self.pause.recording})

    def opening(self) -> Mapping[str, Any]:
        """The recording that ends a pause names the one before it."""
        return {} if self.pause is None else self.pause.facts(self.daemon.clock.boottime_ns())

    def each_second(self, now_ns: int) -> None:
        """Remind, again and again until the camera records or is docked."""
        if self.pause is None:
            return
        due_ns = self.pause.due_ns(self._reminded_ns, self.daemon.profile.profile.reactivation_reminder_s)
        if due_ns is not None and now_ns >= due_ns:
            self._reminded_ns = now_ns
            self.daemon.signals.condition("reactivation", True)
            self.daemon.log("reminded", word="reactivation")
            self.daemon.publish("reminder", "reactivation")

    def state_changed(self, state: State) -> None:
        """The shift is over in the dock."""
        if state is State.DOCKED:
            self.pause = None
            self.daemon.signals.condition("reactivation", False)

    async def answer(self, request: Request) -> Answer | None:
        """A reason code from a paired device or a technician."""
        if not isinstance(request, StopReasonRequest):
            return None
        if request.code not in REASONS:
            return Refused(error=f"{request.code!r} is no reason{nearest(request.code, list(REASONS))}")
        if not self.daemon.conduct.give_reason(request.code, request.supervisor):
            return Refused(error="no stop waits for its reason: hold the record button and confirm first")
        return Done()
