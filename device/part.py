"""What one feature of the daemon is: a part with hooks. The daemon calls each hook of each part, in order.

A part never refuses or delays a start (invariant 1): whatever a hook raises is logged as a fault of that part, and the
others go on. All hooks run on the loop unless they say otherwise, and must not block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from device.selftest import Check
from device.states import State
from evidence.handover import Answer
from evidence.requests import Request

if TYPE_CHECKING:
    from device.daemon import Daemon


class Part:
    """One feature. Overrides what it needs."""

    name = "part"

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    def begin(self) -> None:
        """The drivers run, the log's `boot` entry is queued, nothing has been triggered yet."""

    def each_second(self, now_ns: int) -> None:
        """About once a second; CLOCK_BOOTTIME, nanoseconds."""

    def state_changed(self, state: State) -> None:
        """The state machine has moved."""

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:
        """An entry was queued for the device log (any thread): `word`, `recording`, `details` as given."""

    def opening(self) -> Mapping[str, Any]:
        """What this part adds to the sealed opening metadata of a recording that begins now."""
        return {}

    def closing(self) -> Mapping[str, Any]:
        """What this part adds to the sealed closing metadata of the recording that ends now.

        Also at a roll-over, when `recorder.session` is already the next file; once for each camera of a vehicle.
        """
        return {}

    def checks(self) -> Sequence[Check]:
        """Self-test checks of this part; they run on a thread."""
        return ()

    async def answer(self, request: Request) -> Answer | None:  # noqa: ARG002 - for parts that answer
        """Answer a request on the socket that this part knows; None for all others."""
        return None

    def end(self) -> None:
        """The daemon shuts down; the device log still takes entries."""
