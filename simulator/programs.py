"""The programs of a run as somebody sees them who can kill one, stop it for a while, and let it go on."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from simulator.processes import Child, Children


class Programs(Protocol):
    """By name: ``device``, ``agent``, ``station``, ``broker``."""

    def kill(self, name: str) -> None:
        """End it at this instant, as a power cut would; it is started again."""
        ...

    def restart(self, name: str) -> None:
        """It is switched off in order, and on again."""
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

    all: Children
    children: Mapping[str, Child]

    def kill(self, name: str) -> None:
        """SIGKILL."""
        child = self.children[name]
        with contextlib.suppress(ProcessLookupError):
            child.process.kill()
        child.process.wait()

    def restart(self, name: str) -> None:
        """SIGTERM, its end, and a new start."""
        self.all.off_and_on(self.children[name])

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
