"""Officer, vehicle and shift: signed in by the dock, signed out at the dock, by command or by time (R5, R8, R32).

The officer is a claim with its method (RFID, PIN, spoken, none) and stands only in sealed metadata. Whatever is known
or not known here refuses no button; what a missing assignment or training does at the self-test is the profile's
decision (checks `assignment` and `training`).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from device import indicators as patterns
from device.labels import Labels
from device.part import Part
from device.selftest import Check
from device.sign_in import SignedIn, assignment_seen, keep, load, ran, signed_in, training_seen
from device.states import State
from evidence.commands import Assign, CorrectOfficer

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.assignment")

SAVE_EVERY_S: Final = 300


class Assignment(Part):
    """The session of the officer who carries the camera. Loop only."""

    name = "assignment"
    session: SignedIn | None = None
    _last_ns = 0
    _unsaved_s = 0
    _was_docked = False
    _ends_here = False
    """The camera was docked with somebody signed in, and still records."""

    def __init__(self, daemon: Daemon) -> None:
        super().__init__(daemon)
        self._saving = threading.Lock()
        self._complaint: str | None = None
        try:  # here, not in `begin`: a recording that a crash cut off goes on before that
            self.session = load(self._path)
        except ValueError as error:
            self._complaint = str(error)

    @property
    def officer(self) -> str | None:
        """The agency's identifier of the officer who is signed in."""
        return self.session.officer if self.session is not None else None

    @property
    def shift(self) -> str | None:
        """The shift's identifier, if the dock told one."""
        return self.session.shift if self.session is not None else None

    @property
    def _path(self) -> Path:
        return Path(self.daemon.settings.state) / "assignment.json"

    def begin(self) -> None:
        self._last_ns = self.daemon.clock.boottime_ns()
        if self._complaint is not None:
            self.daemon.fault("assignment", self._complaint)
        if self.session is not None:
            self.daemon.log("assigned", word="continues", object_sha256=self.session.command_sha256,
                            details=self.session.metadata())  # fmt: skip

    def each_second(self, now_ns: int) -> None:
        """Count running time; sign out who never does (requirements, faults)."""
        seconds, self._last_ns = (now_ns - self._last_ns) // 10**9, self._last_ns
        self._last_ns += seconds * 10**9
        self._watch_dock()
        if self.session is None or seconds <= 0:
            return
        self.session = ran(self.session, seconds)
        self._unsaved_s += seconds
        if self.session.expired:
            self.sign_out("timeout")
        elif self._unsaved_s >= SAVE_EVERY_S:
            self._keep()

    def state_changed(self, state: State) -> None:  # noqa: ARG002 - docking while recording changes no state
        self._watch_dock()

    def _watch_dock(self) -> None:
        """Docking ends a session; who signs in while the camera stands in the dock stays signed in when it is taken."""
        docked, was = self.daemon.machine.docked, self._was_docked
        self._was_docked = docked
        if docked != was:
            self._ends_here = docked and self.session is not None
        if self._ends_here and self.daemon.recorder.session is None:
            self._ends_here = False
            self.sign_out("docked")

    def sign_in(self, command: Assign, command_sha256: str) -> str | None:
        """Obey a checked command."""
        if self.session is not None:
            self.sign_out("reassigned")
        self.session = signed_in(command, command_sha256)
        self._ends_here = False
        details = {**self.session.metadata(), "training_valid_until": command.training_valid_until}
        self.daemon.log("assigned", word=command.identified_by, object_sha256=command_sha256, details=details)
        self.daemon.signals.play(patterns.MARKED)
        self.daemon.publish("assigned", command.identified_by)
        self._keep()
        return None

    def sign_out(self, why: str, command_sha256: str | None = None) -> str | None:
        """End the session: `docked`, `signed_out`, `reassigned` or `timeout`."""
        if self.session is None:
            return "nobody is signed in"
        details = {"officer": self.session.officer, "shift": self.session.shift, "ran_s": self.session.ran_s}
        self.session = None
        self.daemon.log("session_ended", word=why, object_sha256=command_sha256, details=details)
        self.daemon.publish("session_ended", why)
        self._keep()
        return None

    def correct(self, command: CorrectOfficer, command_sha256: str) -> str | None:
        """Append that a recording was another officer's (invariant 10: never an edit)."""
        details = {"officer": command.officer, "officer_name": command.name, "badge": command.badge,
                   "reason": command.reason}  # fmt: skip
        return self.daemon.part(Labels).correct_officer(command.recording, details, command_sha256)

    def _keep(self) -> None:
        self._unsaved_s = 0
        self.daemon.spawn(asyncio.to_thread(self.save))

    def save(self) -> None:
        """Make the session durable. May block; never raises."""
        with self._saving:  # what is written last is what is true then
            try:
                keep(self._path, self.session)
            except OSError as error:  # it rules until the camera is switched off; the log has it
                log.warning("%s: %s", self._path, error)

    def end(self) -> None:
        self.save()

    def opening(self) -> Mapping[str, Any]:
        return self.session.metadata() if self.session is not None else {}

    def checks(self) -> Sequence[Check]:
        return [
            ("assignment", lambda: assignment_seen(self.session)),
            ("training", lambda: training_seen(self.session, self.daemon.clock.utc())),
        ]
