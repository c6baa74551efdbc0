"""The programs of a run as somebody sees them who can kill one, stop it for a while, and let it go on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from simulator.processes import Child


class Programs(Protocol):
    """By name: ``device``, ``agent``, ``station``, ``broker``."""

    def kill(self, name: str) -> None:
        """End it at this instant, as a power cut would; it is started again."""
        ...

    def stop(self, name: str) -> None:
        """It keeps its connections, and does nothing until `go_on`."""
        ...

    def go_on(self, name: str) -> None:
        """It works again."""
        ...


@dataclass(frozen=True, slots=True)
class ChildPrograms:
    """Processes that we started. What was killed, `Children.check` starts again."""

    children: Mapping[str, Child]

    def kill(self, name: str) -> None:
        """SIGKILL."""
        child = self.children[name]
        with contextlib.suppress(ProcessLookupError):
            child.process.kill()
        child.process.wait()

    def stop(self, name: str) -> None:
        """SIGSTOP."""
        self._send(name, signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """SIGCONT."""
        self._send(name, signal.SIGCONT)

    def _send(self, name: str, number: int) -> None:
        child = self.children[name]
        if child.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.process.pid, number)
