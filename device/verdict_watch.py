"""Watches what ends a verdict or a supervisor's override while the camera runs (R8, R9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from device.part import Part

SHIFT_ENDS: Final = frozenset({"docked", "session_ended"})
"""Log entries with which a shift is over."""


class VerdictWatch(Part):
    """Looks once a second, and listens for the end of the shift."""

    name = "verdict_watch"

    def each_second(self, now_ns: int) -> None:
        self.daemon.examination.look(now_ns)

    def logged(self, event: str, fields: Mapping[str, Any]) -> None:  # noqa: ARG002 - the event says enough
        if event in SHIFT_ENDS:
            self.daemon.on_loop(self.daemon.examination.end_overrides, event)
