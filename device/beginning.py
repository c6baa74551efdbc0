"""How a recording begins, and what is said if it cannot (invariant 1, R13, R29)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from device import indicators as patterns
from device.opening import opening_of
from device.session import Session
from device.triggers import Start

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.beginning")


class Beginning:
    """The beginnings of one camera. Loop only."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def start(self, start: Start, resumes: Mapping[str, Any]) -> Session | None:
        """Start the recorder with all that is known now; None if it cannot be started, which has been told.

        What goes wrong over metadata costs no recording: it is tried again without. `resumes` names the recording that
        a crash cut off, and its `number`.
        """
        number = resumes.get("number")
        metadata = {key: value for key, value in resumes.items() if key != "number"}
        recorder = self._daemon.recorder
        try:
            opening = {**opening_of(self._daemon, start), **metadata}
            return recorder.start(start, opening, resumes=number, incident=start.incident)
        except Exception as error:
            log.exception("%s starts nothing: tried again without metadata", start.trigger)
            metadata["opening_failed"] = f"{type(error).__name__}: {error}"[:300]
        try:
            return recorder.start(start, metadata, resumes=number, incident=start.incident)
        except Exception:
            log.exception("%s starts nothing", start.trigger)
            self.refused(start, "start_failed")
            return None

    def refused(self, start: Start, word: str) -> None:
        """A start that is impossible is told at once, and signed: no room and nothing that may go, say."""
        log.error("%s starts nothing: %s", start.trigger, word)
        self._daemon.signals.play(patterns.ALARM)
        details = {"name": start.trigger, "at_ns": start.at_ns}
        self._daemon.log("failure_to_record", word=word, details=details)
        self._daemon.publish("alarm", word)
