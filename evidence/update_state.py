"""What became of updates on a camera: written by the system (`fleet.update`), read by the agent, told to the station.

One file of canonical JSON. It holds the update in work, the releases that failed, and the highest version that ever
proved itself: a camera never goes back behind it, whatever the agent is handed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence.errors import MalformedStatement
from evidence.statements import Count, Frozen, Hash, Name, Word, decode_canonical

STATE_BYTES: Final = 64 * 1024
MOST_FAILED: Final = 32
Why = Annotated[str, Meta(max_length=300)]


class Before(Frozen, frozen=True, kw_only=True):
    """How the camera was before it was restarted into a new system, to compare with."""

    self_test: Literal["pass", "warn", "block"]
    failed: tuple[Word, ...] = ()
    """Checks that failed or warned."""


class Pending(Frozen, frozen=True, kw_only=True):
    """An update in work."""

    version: Name
    sha256: Hash
    """Of the bundle."""
    slot: Literal["A", "B"]
    """Where it goes, or went."""
    phase: Literal["installing", "installed", "trying"]
    """`installing`: the slot is being written, and is never started. `installed`: it is whole, and waits for a restart
    in the dock. `trying`: that restart was ordered, and nothing is decided yet."""
    tries: Count = 0
    """How often that restart was ordered."""
    before: Before | None = None


class Failed(Frozen, frozen=True, kw_only=True):
    """A release that this camera went back from. It is not tried again."""

    version: Name
    sha256: Hash
    why: Why


class Outcome(Frozen, frozen=True, kw_only=True):
    """How the last update ended."""

    version: Name
    phase: Literal["confirmed", "rolled_back"]
    why: Why = ""


class UpdateState(Frozen, frozen=True, kw_only=True):
    """All of it."""

    v: Literal[1] = 1
    pending: Pending | None = None
    last: Outcome | None = None
    newest: Name | None = None
    """The highest version that proved itself here."""
    failed: tuple[Failed, ...] = ()

    def failure_of(self, sha256: str) -> Failed | None:
        """The failure of a bundle, if it was tried and failed."""
        return next((one for one in self.failed if one.sha256 == sha256), None)


_DECODER: Final = msgspec.json.Decoder(UpdateState)


def read_state(path: Path) -> UpdateState:
    """The state; a fresh one if there is no file. Raises `MalformedStatement`, OSError."""
    try:
        with path.open("rb") as file:
            data = file.read(STATE_BYTES + 1)
    except FileNotFoundError:
        return UpdateState()
    if len(data) > STATE_BYTES:
        raise MalformedStatement(f"{path} is larger than {STATE_BYTES} bytes")
    return decode_canonical(data, _DECODER)
