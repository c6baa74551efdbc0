"""The seam for buttons and vehicle lines: edges with monotonic times. Debounce, double press and hold live above."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Edge:
    """One change of one input line."""

    line: str
    """Name from the configuration, e.g. ``record_button``, ``lightbar``, ``pursuit``, ``dock``."""
    active: bool
    """True when the line went to its active level (polarity is already applied)."""
    at_ns: int
    """CLOCK_BOOTTIME in nanoseconds."""


class Switches(Protocol):
    """All input lines of the board."""

    def start(self, on_edge: Callable[[Edge], None]) -> None:
        """Deliver each edge on a thread of the driver's; lines already active deliver an edge at once."""
        ...

    def active(self, line: str) -> bool:
        """The present level of a line. Raises KeyError for an unknown line."""
        ...

    def stop(self) -> None: ...
