"""The hardware of a camera that runs in this very process: the operations of the hardware socket, without a socket."""

from __future__ import annotations

import socket
from pathlib import Path

from simulator.drivers.hardware import HardwareSocket
from simulator.drivers.runner import Runner


class Board(HardwareSocket):
    """Drivers that are given its path find it; the world calls `answer`, and watches with `watchers`.

    It is there until `take_away`, however often a camera's drivers come and go.
    """

    def __init__(self, path: str, runner: Runner) -> None:
        """Raises ValueError if there is one at that path."""
        key = str(Path(path).absolute())
        super().__init__(key)
        self.runner = runner
        with self._sharing:
            if key in self._shared:
                raise ValueError(f"there is a board at {path} already")
            self._shared[key] = self
            self._users += 1

    def take_away(self) -> None:
        """Nobody finds it any more; drivers of a camera whose power was cut never gave it back. May be called twice."""
        with self._sharing:
            if self._shared.get(self.path) is self:
                del self._shared[self.path]

    def _serve_on(self, path: str) -> socket.socket | None:  # noqa: ARG002 - nobody listens
        return None
