"""What this station knows of each camera's log: the head that a verified segment proved (invariant 9).

A camera whose log ends before the witness was rolled back. The camera's own network side also says where its log
stands; that claim is kept apart, since it may be forged, and is never signed.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import msgspec

from evidence import durable
from evidence.statements import LogHead, Moment

log = logging.getLogger(__name__)


class Witness(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One camera's file in witness/."""

    proven: LogHead | None = None
    claimed: LogHead | None = None
    claimed_at: Moment | None = None


class WitnessBook:
    """One small JSON file for each camera."""

    def __init__(self, directory: Path) -> None:
        durable.make_directory(directory)
        self._directory = directory
        self._lock = threading.Lock()

    def look(self, serial: str) -> Witness:
        """What is known; nothing known or readable is an empty witness, and none is signed. Raises OSError."""
        try:
            data = (self._directory / f"{serial}.json").read_bytes()
        except FileNotFoundError:
            return Witness()
        try:
            return msgspec.json.decode(data, type=Witness)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            log.error("the witness of %s cannot be read, its log is unproven until the next: %s", serial, error)
            return Witness()

    def prove(self, serial: str, head: LogHead) -> None:
        """Remember a verified head, unless a later one is known. Durable. Raises OSError."""
        with self._lock:
            known = self.look(serial)
            if known.proven is None or _place(head) > _place(known.proven):
                self._write(serial, msgspec.structs.replace(known, proven=head))

    def claim(self, serial: str, head: LogHead, at: str) -> None:
        """Remember where the camera says its log stands. Durable. Raises OSError.

        A claim that lies before an earlier one is told and not kept: a log that was rolled back would erase its trace.
        """
        with self._lock:
            known = self.look(serial)
            if known.claimed is not None and _place(head) < _place(known.claimed):
                was = f"segment {known.claimed.segment}, statement {known.claimed.seq}"
                log.error(
                    "%s says its log stands at segment %d, statement %d, and said %s before: it may be rolled back",
                    serial, head.segment, head.seq, was,
                )  # fmt: skip
            elif known.claimed != head:
                self._write(serial, msgspec.structs.replace(known, claimed=head, claimed_at=at))

    def _write(self, serial: str, witness: Witness) -> None:
        durable.replace(self._directory / f"{serial}.json", msgspec.json.encode(witness))


def _place(head: LogHead) -> tuple[int, int]:
    return head.segment, head.seq
