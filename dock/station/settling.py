"""The last steps of a file: into the store, read back, receipt signed (invariant 8, R38, R40).

1. A receipt is signed over what the store gave back, never over what was sent.
2. Whatever can be done twice is: every step may be the second try of it, after a crash or an error.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from dock.errors import StoreDiffers, StoreOccupied
from dock.names import conflict_name, original_name, parse_name
from dock.station.desk import Desk
from dock.station.lanes import Lane
from dock.station.part import Stored
from dock.station.retention import Retention
from dock.station.store import Holding, Store
from dock.station.upload import VerifierFactory
from evidence import cms
from evidence.errors import EvidenceError
from evidence.handover import Receipt, decode_receipt
from evidence.verify import Report

log = logging.getLogger(__name__)


class Deferral(Protocol):
    """Somebody who brings the receipt later, from another store (the relay)."""

    def digest(self, stored: str) -> str | None:
        """The SHA-256 of what waits for its receipt under that name; None if nothing does."""
        ...

    def take(self, stored: str, report: Report) -> None:
        """Durably promise to bring the receipt. Raises OSError."""
        ...


class Settling:
    """Puts files into one store and gives them receipts. Calls block; one at a time for each name."""

    def __init__(
        self, store: Store, desk: Desk, verifier: VerifierFactory, retention: Retention, *, lane: Lane = "evidence"
    ) -> None:
        self.store = store
        self._desk = desk
        self.verifier = verifier
        self.retention = retention
        self._lane = lane
        self.deferral: Deferral | None = None
        self.on_stored: Callable[[Stored], None] = lambda _: None
        """Called when a file is in the store and its receipt is durable."""
        self.before_receipt: Callable[[Stored, bytes], None] = lambda _file, _signed: None
        """Called before a receipt (DER) is kept: the custody ledger has it first. Raises OSError."""
        self.on_trouble: Callable[[str, str, str], None] = lambda *_: None
        """Called with a step for the custody ledger, the stored name and a sentence."""

    def adopt(self, part: Path, name: str, report: Report) -> str:
        """The name under which the store holds the file now. Raises OSError."""
        until = self.retention.until(report)
        try:
            self.store.adopt(part, name, sha256=report.sha256, until=until)
        except StoreOccupied:
            if self._digest(name) == report.sha256:
                return name
            other = conflict_name(name, report.sha256)
            with contextlib.suppress(StoreOccupied):
                self.store.adopt(part, other, sha256=report.sha256, until=until)
            return other
        return name

    def settled(self, stored: str) -> bool:
        """Whether it has its receipt, or somebody who brings it."""
        if self.deferral is not None and self.deferral.digest(stored) is not None:
            return True
        return self.store.receipt(stored) is not None

    def settle(
        self, stored: str, report: Report | None, *, part: Path | None = None, address: str | None = None
    ) -> None:
        """Read the digest back, sign the receipt, keep it. `report` None: verify what the store gives.

        Raises `StoreDiffers` if the store gives back other bytes and the file is still at `part`; OSError.
        """
        found, read_back = self.read_back(self.store, stored, report)
        if part is not None and part.exists() and (found.bytes, found.sha256) != read_back:
            sentence = f"{self.store.name} gave back other bytes for {stored} than were put into it; it is sent again"
            self.on_trouble("store_differs", stored, sentence)
            raise StoreDiffers(sentence)
        if self.deferral is not None and found.sha256 == read_back[1]:
            self.deferral.take(stored, found)
            return
        receipt, signed = self.sign(self.store, stored, found, read_back)
        self.keep(Stored(stored, receipt, found, address), signed)

    def keep(self, file: Stored, signed: bytes) -> None:
        """The ledger first, then the receipt beside the evidence, then everybody is told. Raises OSError."""
        receipt = file.receipt
        self.before_receipt(file, signed)
        self.store.put_receipt(file.stored, signed, until=receipt.retain_until)
        log.info("stored %s: %d bytes, %s %s", file.stored, receipt.bytes, receipt.verdict, "; ".join(receipt.findings))
        self.on_stored(file)

    def read_back(self, store: Holding, stored: str, report: Report | None) -> tuple[Report, tuple[int, str]]:
        """The verdict, and size and SHA-256 of what `store` gives back. `report` None: judge what it gives."""
        digest, size = hashlib.sha256(), 0
        verifier = self.verifier(original_name(stored)) if report is None else None
        for block in store.read(stored):
            digest.update(block)
            size += len(block)
            if verifier is not None:
                verifier.feed(block)
        if verifier is not None:
            report = verifier.finish()
        assert report is not None
        return report, (size, digest.hexdigest())

    def sign(self, store: Holding, stored: str, report: Report, read_back: tuple[int, str]) -> tuple[Receipt, bytes]:
        """The receipt for what `store` holds, and its signed form; the store has made sure of its date by then."""
        name = parse_name(original_name(stored))
        until = store.retain(stored, self.retention.until(report))
        if report.valid and report.log_head is not None and stored == name.text and self._lane == "evidence":
            self._desk.witnesses.prove(name.serial, report.log_head)
        return self._desk.receipt(name, stored, report, read_back, store, lane=self._lane, retain_until=until)

    def read_receipt(self, stored: str) -> Receipt | None:
        """The receipt of what is stored; None without one that can be read. Raises OSError."""
        data = self.store.receipt(stored)
        if data is None:
            return None
        try:
            return decode_receipt(cms.parse_signed(data).payload)
        except EvidenceError as error:
            log.error("the receipt of %s in the store cannot be read: %s", stored, error)
            return None

    def _digest(self, name: str) -> str | None:
        if not self.settled(name):
            self.settle(name, None)
        if self.deferral is not None and (waiting := self.deferral.digest(name)) is not None:
            return waiting
        held = self.read_receipt(name)
        return held.sha256 if held is not None else None
