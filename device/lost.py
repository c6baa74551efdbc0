"""A camera that was lost or stolen (R11): locked by a signed command at its next contact, unlocked by another.

1. A locked camera deletes nothing (`device.appended`), and says *do not use*: the component `custody` fails the test.
2. It still records what it is told to: recording first (invariant 1). What it records is for the supervisor to judge.
3. The lock outlives restarts. Only a supervisor's signed `unlock` lifts it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from device.part import Part
from device.selftest import Check, Seen, rate
from evidence.commands import Accept, Lock, Unlock

CHECK: Final = "custody"


class Lost(Part):
    """Whether this camera was reported lost. Loop only, but for the check."""

    name = "lost"

    def checks(self) -> Sequence[Check]:
        return ((CHECK, self._check),)

    def _check(self) -> Seen:
        if self.daemon.boot.spool.appended.locked is None:
            return Seen("pass", "not reported lost", "not reported lost")
        return Seen("fail", "reported lost or stolen", "not reported lost", "take it to a supervisor")

    def begin(self) -> None:
        complaint = self.daemon.identity.lists_complaint
        if complaint is not None:
            self.daemon.fault("revocation_lists", complaint)
        locked = self.daemon.boot.spool.appended.locked
        if locked is not None:
            self.daemon.log("lock", word="continues", object_sha256=locked)

    def command(self, command: Lock | Unlock, command_sha256: str) -> str | None:
        """Obey a checked command; a refusal in one sentence, or None."""
        daemon, appended = self.daemon, self.daemon.boot.spool.appended
        locks = isinstance(command, Lock)
        if not locks and appended.locked is None:
            return "the camera is not locked"
        appended.lock(command_sha256 if locks else None)
        word = "locked" if locks else "unlocked"
        daemon.log("lock", word=word, object_sha256=command_sha256, details={"reason": command.reason})
        daemon.publish("lock", word)
        daemon.examination.add_row(rate(CHECK, self._check(), "block", 0))
        daemon.spawn(asyncio.to_thread(appended.try_to_save))
        return None

    def accept(self, command: Accept, command_sha256: str) -> str | None:
        """A supervisor takes a file that does not verify off this camera's hands (R38)."""
        daemon = self.daemon
        known = daemon.boot.spool.find(command.file)
        if known is None:
            return f"there is no closed file {command.file} on this camera"
        if known.facts.sha256 != command.sha256:
            return f"{command.file} is not what was accepted: its SHA-256 is another"
        daemon.boot.spool.appended.accept(command.file, command.sha256)
        number = known.number if known.stream == "recording" else None
        daemon.log(
            "accepted", word=known.stream, recording=number, file=known.facts, object_sha256=command_sha256,
            details={"supervisor": command.supervisor, "reason": command.reason},
        )  # fmt: skip
        daemon.publish("accepted", None, command.file.removesuffix(".evidence"))
        return None
