"""One camera of a simulated fleet: its certificates, and a card full of closed evidence that verifies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from evidence.handover import SpoolFile
from evidence.keys import FileSigner
from evidence.sealed import Recipient
from fleet.ca import Authority, write_credential
from simulator.full_card import Card

SECOND_BYTES: Final = 500_000
"""One second of 4 Mbit/s."""


@dataclass(frozen=True, slots=True)
class FleetCamera:
    """A camera that docks with a full card."""

    directory: Path
    """Its card and its keys."""
    card: Card

    @classmethod
    def made(cls, authority: Authority, number: int, directory: Path, recipient: Recipient) -> FleetCamera:
        """A camera with certificates of its own. Raises OSError."""
        serial = f"FLEET-{number:04d}"
        home = directory / serial
        (home / "spool").mkdir(parents=True)
        write_credential(home, "camera", authority.signer("camera", f"Camera {serial}", serial=serial))
        write_credential(home, "tls", authority.tls_client(serial))
        signer = FileSigner.load(home / "camera.key", home / "camera.pem")
        boot = f"00000000-0000-4000-8000-{number:012d}"
        return cls(home, Card(serial, home / "spool", signer, recipient, boot, model="fleet"))

    @property
    def serial(self) -> str:
        return self.card.serial

    @property
    def boot(self) -> str:
        return self.card.boot

    @property
    def spool(self) -> Path:
        return self.card.spool

    def shift(self, recordings: int, size_bytes: int) -> list[SpoolFile]:
        """Some recordings of about that size, the first one critical, and the log. Raises OSError."""
        seconds = [min(size_bytes, SECOND_BYTES)] * max(1, size_bytes // SECOND_BYTES)
        files = [
            self.card.fill(number, seconds, "critical" if number == 1 else "normal")
            for number in range(1, recordings + 1)
        ]
        return [*files, self.card.log(1, files)]
