"""The greetings that this station signed, kept: they say when a nonce was handed out, and where the log stood then.

A recording whose `open` carries the nonce is not older than the greeting (invariants 9 and 10): `firsthand-evidence
audit` reads ``*.contact.p7s``. The newest `MOST` of each camera stay: one that greets in a loop fills no disk.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from evidence import durable

log = logging.getLogger(__name__)
MOST: Final = 5000
"""Greetings kept for each camera: years of dockings, about 10 MB."""
SUFFIX: Final = ".contact.p7s"


class ContactBook:
    """One directory for each camera, one file for each greeting."""

    def __init__(self, directory: Path, *, most: int = MOST) -> None:
        durable.make_directory(directory)
        self._directory = directory
        self._most = most

    def keep(self, serial: str, nonce: str, signed: bytes) -> None:
        """Keep one greeting (DER) durably. A full disk is told in the log: it must not keep a camera from its time."""
        directory = self._directory / serial
        try:
            durable.make_directory(directory)
            durable.replace(directory / f"{serial}-{nonce}{SUFFIX}", signed)
            self._prune(directory)
        except OSError as error:
            log.error("the greeting of %s is not kept, its nonce will prove no time: %s", serial, error)

    def _prune(self, directory: Path) -> None:
        with os.scandir(directory) as entries:
            kept = [(entry.stat().st_mtime_ns, entry.name) for entry in entries if entry.name.endswith(SUFFIX)]
        for _, name in sorted(kept)[: max(0, len(kept) - self._most)]:
            durable.unlink(directory / name)
