"""Who is signed in on the camera: the session as values, kept in the state directory (R5, R32). Pure but for the file.

1. A session begins with a signed `assign` and ends explicitly: at the dock, by a signed `end_session`, by another
   `assign`, or after `TIMEOUT_S` of running time. Footage of the next person must not go to the last one.
2. Without a session the camera is unassigned, and records all the same (invariant 1).
3. Running time is boot-counted and kept across boots: a wrong clock signs nobody out.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any, Final

import msgspec

from device.selftest import Seen
from device.state_file import StateUnreadable, read_state, write_state
from evidence.commands import Assign, Day, Identified
from evidence.statements import Count, Frozen, Hash, Name
from hal.clock import UtcClaim

TIMEOUT_S: Final = 16 * 3600
"""The longest shift: who never signs out is signed out."""
STATE_BYTES: Final = 16 * 1024


class SignedIn(Frozen, frozen=True, kw_only=True):
    """One session of one officer."""

    officer: Name
    identified_by: Identified
    command_sha256: Hash
    name: Name | None = None
    badge: Name | None = None
    vehicle: Name | None = None
    shift: Name | None = None
    training_valid_until: Day | None = None
    ran_s: Count = 0
    """Running seconds since the assignment."""

    @property
    def expired(self) -> bool:
        """Rule 1."""
        return self.ran_s >= TIMEOUT_S

    def metadata(self) -> dict[str, Any]:
        """For the sealed opening metadata of a recording."""
        return {
            "officer": self.officer,
            "officer_identified_by": self.identified_by,
            "officer_name": self.name,
            "badge": self.badge,
            "vehicle": self.vehicle,
            "shift": self.shift,
            "assignment": self.command_sha256,
        }


def signed_in(command: Assign, command_sha256: str) -> SignedIn:
    """The session that a checked command begins."""
    return SignedIn(
        officer=command.officer,
        identified_by=command.identified_by,
        command_sha256=command_sha256,
        name=command.name,
        badge=command.badge,
        vehicle=command.vehicle,
        shift=command.shift,
        training_valid_until=command.training_valid_until,
    )


def ran(session: SignedIn, seconds: int) -> SignedIn:
    """The same session after more running time."""
    return msgspec.structs.replace(session, ran_s=session.ran_s + seconds)


def assignment_seen(session: SignedIn | None) -> Seen:
    """The self-test's row `assignment`. It says nothing of who it is: rows are shown."""
    limit = "an officer is signed in"
    if session is None:
        return Seen("fail", "nobody is signed in", limit, "sign in at the dock; recordings are kept as unassigned")
    shift = f", shift {session.shift}" if session.shift else ""
    return Seen("pass", f"identified by {session.identified_by}{shift}", limit)


def training_seen(session: SignedIn | None, claim: UtcClaim) -> Seen:
    """The self-test's row `training` (R32). The last day counts until it is over everywhere."""
    limit = "valid on this day"
    if session is None:
        return Seen("pass", "nobody is signed in: see `assignment`", limit)
    if session.training_valid_until is None:
        return Seen("fail", "the dock did not say until when it is valid", limit, "have the training record looked up")
    if claim.source == "none":
        return Seen("fail", f"to {session.training_valid_until}, but nobody vouches for the clock", limit, "dock it")
    last = dt.date.fromisoformat(session.training_valid_until)
    today = dt.datetime.fromtimestamp(max(0, claim.earliest_ns) // 10**9, dt.UTC) - dt.timedelta(hours=12)
    good = today.date() <= last
    advice = "" if good else "annual training is due: the officer must not use the camera before it (E)"
    return Seen("pass" if good else "fail", f"to {last.isoformat()}", limit, advice)


def load(path: Path) -> SignedIn | None:
    """The session that a restart interrupted. Raises ValueError with one sentence if it cannot be read."""
    try:
        session: SignedIn | None = read_state(path, SignedIn | None, STATE_BYTES)
    except StateUnreadable as error:
        raise ValueError(f"{error}: the camera is unassigned until the next sign-in") from error
    return session


def keep(path: Path, session: SignedIn | None) -> None:
    """Keep it durably. May block. Raises OSError."""
    write_state(path, session)
