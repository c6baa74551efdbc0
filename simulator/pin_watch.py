"""Every change of the board's outputs, as it happens: a tone of a tenth of a second falls between two looks."""

from __future__ import annotations

import contextlib
import queue
import threading
from pathlib import Path
from typing import Protocol, runtime_checkable

import msgspec

from simulator.run_errors import WorldRefused
from simulator.socket_lines import LineSocket


class Change(msgspec.Struct, frozen=True):
    """One output changed; other keys of the board's event are left out."""

    pin: int
    level: float
    at_ns: int
    """CLOCK_BOOTTIME."""


@runtime_checkable
class TellsChanges(Protocol):
    """A camera whose outputs are watched all the time."""

    def changes(self) -> list[Change]:
        """What changed since the last call."""
        ...


class PinWatch:
    """A connection to the board of its own, read by a thread. Raises `WorldRefused` if nobody answers."""

    def __init__(self, path: Path) -> None:
        self._changes: queue.SimpleQueue[Change] = queue.SimpleQueue()
        self._lines = LineSocket(path)
        self._lines.send(b'{"op":"watch"}')
        self._lines.receive()  # the pins as they stand
        self._lines.wait_for_ever()
        self._thread = threading.Thread(target=self._collect, name="pins", daemon=True)
        self._thread.start()

    def changes(self) -> list[Change]:
        """What changed since the last call."""
        found = []
        with contextlib.suppress(queue.Empty):
            while True:
                found.append(self._changes.get_nowait())
        return found

    def close(self) -> None:
        """End the connection. May be called twice."""
        self._lines.close()
        self._thread.join()

    def _collect(self) -> None:
        with contextlib.suppress(WorldRefused, ValueError):  # closed, by the board or by us
            while True:
                with contextlib.suppress(msgspec.ValidationError):  # not about a pin
                    self._changes.put(msgspec.json.decode(self._lines.receive(), type=Change))
