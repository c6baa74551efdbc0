"""Critical-incident mode: a supervisor seizes the camera by a signed command, and gives it back by another (R35).

1. The ring is written out as a recording at once, or named in the one that runs. If nothing else triggers, that
   recording ends after `TAIL_S`: the camera then lies in a bag.
2. Nothing is deleted, with receipts or without, until the end command (`device.appended`).
3. Power is kept: a seized camera does not sleep, and `Custody.taken` is what hold-up asks before it switches off.
4. Each hand-over is a `custody` entry of the signed log; the custodian is named in its sealed details. It outlives a
   restart, and each boot says so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from device import indicators as patterns
from device.appended import Seized
from device.part import Part
from device.states import Event, State
from device.triggers import Start
from evidence.commands import CriticalIncident

TRIGGER: Final = "critical_incident"
TAIL_S: Final = 10


class Custody(Part):
    """Who has the camera. Loop only."""

    name = "custody"
    _ends_ns: int | None = None
    """When the recording that the seizure began may end by itself."""

    @property
    def taken(self) -> bool:
        """A supervisor has seized the camera."""
        return self.daemon.boot.spool.appended.seized is not None

    def begin(self) -> None:
        appended = self.daemon.boot.spool.appended
        if appended.complaint is not None:
            self.daemon.fault("custody", appended.complaint)
        if appended.seized is not None:
            self.daemon.log(
                "custody", word="continues", object_sha256=appended.seized.command_sha256,
                details={"custodian": appended.seized.custodian},
            )  # fmt: skip

    def command(self, command: CriticalIncident, command_sha256: str) -> str | None:
        """Obey a checked command; a refusal in one sentence, or None."""
        daemon, appended = self.daemon, self.daemon.boot.spool.appended
        details = {"custodian": command.custodian, "supervisor": command.supervisor, "reason": command.reason}
        if command.phase == "end":
            if appended.seized is None and not appended.unknown:
                return "the camera is not in custody"
            appended.seize(None)
            word = "returned"
        else:
            word = "handed_over" if self.taken else "taken"
            appended.seize(Seized(custodian=command.custodian, command_sha256=command_sha256))
            self._keep_the_ring()
        daemon.log("custody", word=word, object_sha256=command_sha256, details=details)
        daemon.recorder.event("custody", word, details)
        daemon.signals.play(patterns.MARKED)
        daemon.publish("custody", word)
        daemon.spawn(asyncio.to_thread(appended.try_to_save))
        return None

    def _keep_the_ring(self) -> None:
        """Rule 1."""
        daemon = self.daemon
        now_ns = daemon.clock.boottime_ns()
        if daemon.recorder.session is None:
            self._ends_ns = now_ns + TAIL_S * 10**9
        daemon.trigger(Start(TRIGGER, critical=True, at_ns=now_ns, manual=True))

    def each_second(self, now_ns: int) -> None:
        """Wake a camera that was put to sleep; end the recording of rule 1 if it is still only that."""
        if self.taken and self.daemon.machine.state is State.SLEEP:
            self.daemon.conduct.happen(Event.WAKE_ASKED)
        if self._ends_ns is None or now_ns < self._ends_ns:
            return
        self._ends_ns = None
        session = self.daemon.recorder.session
        if session is not None and [one["name"] for one in session.triggers] == [TRIGGER]:
            self.daemon.conduct.stop("ring_kept")

    def opening(self) -> Mapping[str, Any]:
        seized = self.daemon.boot.spool.appended.seized
        return {} if seized is None else {"custodian": seized.custodian}
