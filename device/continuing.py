"""What the daemon says about files that are begun beside or after another (R2, R22): metadata, log, notices."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from device.opening import opening_of
from device.session import Session
from device.triggers import Start

if TYPE_CHECKING:
    from device.daemon import Daemon

log = logging.getLogger("firsthand.continuing")


class Continuing:
    """Recordings that nobody triggered by themselves: the next file, the other cameras. Loop only."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon

    def opening(self, session: Session) -> Mapping[str, Any]:
        """Opening metadata of the file in which the recording goes on: what is known now."""
        first = session.triggers[0]
        now_ns = self._daemon.clock.boottime_ns()
        return opening_of(self._daemon, Start(first["name"], first["critical"], now_ns, first["manual"]))

    def rolled(self, old: Session, new: Session) -> None:
        """The new file has begun, the old one is about to be closed."""
        daemon = self._daemon
        old.extra.update(daemon.gather("closing"))
        log.info("recording %s goes on in %s", old.file.stem, new.file.stem)
        daemon.log("rolled_over", recording=old.file.number, details={"into": new.file.stem, "at_ns": new.started_ns})
        daemon.log(
            "recording_opened", recording=new.file.number, word="degraded" if daemon.degraded else None,
            details={"trigger": old.triggers[0]["name"], "at_ns": new.started_ns, "continues": old.file.stem},
        )  # fmt: skip
        daemon.publish("rolled_over", new.file.stem, old.file.stem)

    def begun(self, session: Session, start: Start) -> None:
        """Another camera of the vehicle has begun its recording of the same trigger."""
        daemon = self._daemon
        log.info("recording %s: %s of %s", session.file.stem, session.channel, session.incident)
        daemon.log(
            "recording_opened", recording=session.file.number, word="degraded" if daemon.degraded else None,
            details={"trigger": start.trigger, "at_ns": start.at_ns, "channel": session.channel},
        )  # fmt: skip
