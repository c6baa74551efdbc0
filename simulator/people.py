"""The people behind the camera: the check-out desk and the supervisor, whose commands are signed (R10, R33)."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from evidence.cms import sign
from evidence.commands import KINDS, sequence_at
from evidence.keys import FileSigner
from evidence.requests import CommandRequest
from evidence.statements import encode_canonical, moment
from simulator.scenario_setup import Officer

OFFICER: Final = Officer()
"""Whoever signs in if a scenario names nobody."""
SUPERVISOR: Final = "Sgt. Chen"


@dataclass(frozen=True, slots=True)
class People:
    """Commands for one camera, signed at this instant."""

    pki: Path
    serial: str
    utc_ns: Callable[[], int] = time.time_ns
    """The desk's clock."""
    officer: Officer = OFFICER

    def signs_in(self) -> CommandRequest:
        """The desk hands the camera to the scenario's officer. Raises OSError, `EvidenceError`."""
        return self._command("assign", "checkout", self.officer.fields)

    def signs_out(self) -> CommandRequest:
        """The officer's session is over."""
        return self._command("end_session", "checkout", {})

    def overrides(self, component: str) -> CommandRequest:
        """The supervisor lets the camera go although a component failed its test (R9)."""
        return self._command("override", "supervisor", {"component": component, "supervisor": SUPERVISOR})

    def locks(self) -> CommandRequest:
        """The camera was reported lost (R11)."""
        return self._command("lock", "supervisor", {"reason": f"{SUPERVISOR}: reported lost"})

    def unlocks(self) -> CommandRequest:
        """It was found, and looked at."""
        return self._command("unlock", "supervisor", {"reason": f"{SUPERVISOR}: found, and in order"})

    def _command(self, kind: str, signer: str, fields: dict[str, Any]) -> CommandRequest:
        now = dt.datetime.fromtimestamp(self.utc_ns() / 10**9, dt.UTC)
        common = {
            "command": kind,
            "v": 1,
            "serial": self.serial,
            "sequence": sequence_at(now),
            "issued": moment(int(now.timestamp() * 10**6) * 1000),
        }
        command = msgspec.convert({**common, **fields}, KINDS[kind])
        key = FileSigner.load(self.pki / f"{signer}.key", self.pki / f"{signer}.pem")
        return CommandRequest(command=sign(encode_canonical(command), key, now))
