"""The bays: what each camera's agent said last, kept over a restart.

Who is in which bay, with what charge and how much to upload. The agents' word only: for the page and for checkout, and
no receipt ever depends on it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from dock.bay_report import BayReport, PowerReport
from evidence import durable
from evidence.statements import Moment
from hal import program_time

log = logging.getLogger(__name__)


class Bay(msgspec.Struct, frozen=True, kw_only=True):
    """One camera, as it was when its agent last spoke."""

    serial: str
    at: Moment
    """When, by the station's clock."""
    address: str
    """Network address of the camera."""
    report: BayReport


KEEP_EVERY_S: Final = 60.0
"""A report that says nothing new for checkout is written down at most so often: two hundred cameras speak at once."""


class BayBook:
    """One small JSON file for each camera in ``bays/``; all in memory. Calls from any thread."""

    def __init__(self, directory: Path, clock: Callable[[], float] = program_time.monotonic_s) -> None:
        durable.make_directory(directory)
        self._directory = directory
        self._lock = threading.Lock()
        self._bays: dict[str, Bay] = {}
        self._clock = clock
        self._kept_s: dict[str, float] = {}
        for path in sorted(directory.glob("*.json")):
            try:
                bay = msgspec.json.decode(path.read_bytes(), type=Bay)
            except (msgspec.DecodeError, ValueError, RecursionError, OSError) as error:
                log.warning("%s is forgotten, it cannot be read: %s", path.name, error)
                continue
            self._bays[bay.serial] = bay

    def note(self, bay: Bay) -> Bay | None:
        """Keep the newest; what was known before. Raises OSError if it cannot be written (it is known all the same)."""
        with self._lock:
            before = self._bays.get(bay.serial)
            self._bays[bay.serial] = bay
            now_s = self._clock()
            due = now_s - self._kept_s.get(bay.serial, float("-inf")) >= KEEP_EVERY_S
            if due or before is None or _weighty(before) != _weighty(bay):
                durable.replace(self._directory / f"{bay.serial}.json", msgspec.json.encode(bay))
                self._kept_s[bay.serial] = now_s
            return before

    def look(self, serial: str) -> Bay | None:
        """The camera's last report."""
        return self._bays.get(serial)

    def all(self) -> list[Bay]:
        """Every camera that ever reported, by serial."""
        return sorted(self._bays.values(), key=lambda bay: bay.serial)


def _weighty(bay: Bay) -> object:
    """What a restart must not forget for a minute: all but the figures that run on."""
    report, files = bay.report, bay.report.offloading and bay.report.offloading.files
    running = {"uptime_s": 0, "battery_percent": None, "free_bytes": None, "storage_minutes_left": None}
    status = msgspec.structs.replace(
        report.status, buffered_s=None, runtime_minutes=None, log_head=None, offloading=None, **running
    )
    calm = msgspec.structs.replace(report, status=status, offloading=None, clock_offset_ms=None, power=PowerReport())
    return calm, files
