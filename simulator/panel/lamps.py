"""What the camera shows, as it shows it: every change of its output pins, followed at the hardware socket."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from simulator.agency import INDICATORS
from simulator.run_errors import WorldRefused
from simulator.socket_lines import LineSocket, connected

_NAMES: Final = {pin: name for name, pin in INDICATORS.items()}
_AGAIN_S: Final = 1.0


class Lamps:
    """Follows the pins on a thread of its own until `close`; a camera that is started again is found again."""

    def __init__(self, path: Path, tell: Callable[[dict[str, float]], None]) -> None:
        self._path = path
        self._tell = tell
        self._levels = dict.fromkeys(INDICATORS, 0.0)
        self._lines: LineSocket | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="panel-lamps", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._closed.set()
        if self._lines is not None:
            self._lines.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._closed.is_set():
            self._lines = connected(self._path, _AGAIN_S)
            if self._lines is None:
                continue
            with contextlib.suppress(WorldRefused, ValueError):  # the camera is gone, or we are: look again
                self._follow(self._lines)
            self._lines.close()
            self._take(dict.fromkeys(INDICATORS, 0.0))

    def _follow(self, lines: LineSocket) -> None:
        lines.send(b'{"op":"watch"}')
        lines.wait_for_ever()
        while not self._closed.is_set():
            said: dict[str, Any] = msgspec.json.decode(lines.receive())
            if said.get("event") == "pin":
                self._take({_NAMES[said["pin"]]: said["level"]} if said["pin"] in _NAMES else {})
            else:
                pins = said.get("pins") or []
                self._take({_NAMES[one["pin"]]: one["level"] for one in pins if one["pin"] in _NAMES})

    def _take(self, levels: dict[str, float]) -> None:
        self._levels = {**self._levels, **levels}
        self._tell(self._levels)
