"""What the station itself enters into its custody ledger: taken in, stored, judged, receipt signed, timestamped (R38).

The ledger has a receipt before a camera can fetch it. After a crash between the two both receipts are entered;
the one that is handed out is always there.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import sqlite3
from typing import Final

from dock.names import original_name, parse_name
from dock.station.custody import Step
from dock.station.part import StationPart, Stored

log = logging.getLogger(__name__)
_CATCH_UP_S: Final = 60.0


class CustodySteps(StationPart):
    """Enters the station's own steps, and keeps the ledger's index near the ledger."""

    name = "custody"

    @property
    def _who(self) -> str:
        return f"station {self.station.config.station}"

    def settling(self, file: Stored, signed: bytes) -> None:
        """A file was read back from the store and its receipt (DER) is signed, not yet kept. Raises OSError."""
        receipt, report = file.receipt, file.report
        camera = f"camera {receipt.serial}"
        about = (receipt.serial, receipt.name)
        source = file.way or (f"address {file.address}" if file.address else "a part that a restart found")
        close_hash = {"close_hash": report.close_hash} if report.close_hash else {}
        came = {"bytes": str(report.bytes), "from": source, **close_hash}
        whole = (report.bytes, report.sha256) == (receipt.bytes, receipt.sha256)
        there = {"store": receipt.store, "stored": file.stored, "version": receipt.object_version}
        steps = [
            Step("received", camera, *about, report.sha256, came),
            Step("stored" if whole else "not_stored_whole", self._who, *about, receipt.sha256, there),
        ]
        if file.stored != receipt.name:
            steps.append(Step("conflict", self._who, *about, receipt.sha256, {"stored": file.stored}))
        if receipt.verdict == "not_valid":
            findings = {"findings": "; ".join(receipt.findings)}
            steps.append(Step("not_valid", self._who, *about, receipt.sha256, findings))
        said = {
            "verdict": receipt.verdict,
            "receipt": hashlib.sha256(signed).hexdigest(),
            "store": receipt.store,
            "stored": file.stored,
            "retention_class": receipt.retention_class,
            **({"retain_until": receipt.retain_until} if receipt.retain_until else {}),
        }
        steps.append(Step("receipt", self._who, *about, receipt.sha256, said))
        self.station.custody.enter_all(steps)

    def token(self, stored: str, sha256: str, token: bytes) -> None:
        """The timestamp authority's token is kept beside a file. Raises OSError."""
        name = parse_name(original_name(stored))
        self.station.custody.enter(
            "timestamped",
            who=self._who,
            serial=name.serial,
            name=name.text,
            sha256=sha256,
            details={"stored": stored, "token": hashlib.sha256(token).hexdigest()},
        )

    async def run(self) -> None:
        while True:
            try:
                await asyncio.to_thread(self.station.custody.catch_up)
            except (OSError, sqlite3.Error) as error:
                log.error("the index of the custody ledger cannot be brought up to date: %s", error)
            await asyncio.sleep(_CATCH_UP_S)
