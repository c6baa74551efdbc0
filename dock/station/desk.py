"""The station's desk: signs greetings and receipts with the receipt key, at one clock."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable

from dock.names import EvidenceName
from dock.station.contacts import ContactBook
from dock.station.lanes import Lane
from dock.station.store import Holding
from dock.station.witness import WitnessBook
from evidence import cms
from evidence.handover import Contact, Receipt, Verdict
from evidence.keys import Signer
from evidence.statements import NO_HASH, encode_canonical, moment
from evidence.verify import Report
from hal import program_time

_MOST_FINDINGS = 16
_FINDING_LENGTH = 500


class Desk:
    """Signs what this station says. `utc_ns` is the station's clock, nanoseconds since 1970."""

    def __init__(
        self,
        *,
        system_id: str,
        station: str,
        signer: Signer,
        witnesses: WitnessBook,
        clock_uncertainty_ms: int,
        contacts: ContactBook | None = None,
        utc_ns: Callable[[], int] = program_time.utc_ns,
    ) -> None:
        self.system_id = system_id
        self.station = station
        self.witnesses = witnesses
        self._signer = signer
        self._uncertainty_ms = clock_uncertainty_ms
        self._contacts = contacts
        self.utc_ns = utc_ns

    def now(self) -> str:
        """The station's time as a `Moment`."""
        return moment(self.utc_ns())

    def greet(self, serial: str) -> bytes:
        """A signed `Contact` with a fresh nonce (DER), kept. Raises OSError if the witness cannot be read."""
        contact = Contact(
            v=1,
            serial=serial,
            station=self.station,
            system_id=self.system_id,
            nonce=secrets.token_hex(16),
            now=self.now(),
            uncertainty_ms=self._uncertainty_ms,
            witness=self.witnesses.look(serial).proven,
        )
        signed = self._sign(encode_canonical(contact))
        if self._contacts is not None:
            self._contacts.keep(serial, contact.nonce, signed)
        return signed

    def receipt(
        self,
        name: EvidenceName,
        stored: str,
        report: Report,
        read_back: tuple[int, str],
        store: Holding,
        *,
        lane: Lane = "evidence",
        retain_until: str | None = None,
    ) -> tuple[Receipt, bytes]:
        """The receipt for what `store` holds under `stored`, and its signed form (DER).

        `read_back` is the size and SHA-256 of what the store gave back; `report` is the verdict on the bytes that came.
        """
        size, sha256 = read_back
        opened, closed = report.opened, report.closed
        findings = [*report.findings]
        if (report.bytes, report.sha256) != (size, sha256):
            findings.append("the store gave back other bytes than the camera sent")
        if stored != name.text:
            findings.append(f"the store already held another file named {name.text}; this one is kept as {stored}")
        if opened is not None and (opened.serial, opened.stream, opened.number) != (
            name.serial,
            name.stream,
            name.number,
        ):
            findings.append(f"the file says it is {opened.stream} {opened.number} of {opened.serial}")
        if (opened is None or closed is None or report.close_hash is None) and not findings:
            findings.append("the file has no open or no close statement")
        if not report.valid and not findings:
            findings.append("the file does not verify")
        verdict: Verdict = "not_valid" if findings else "valid"
        if lane == "quarantine":
            # Nothing of a lost camera is deleted by a receipt, whoever holds its key now.
            findings.insert(0, "it came from a camera that was reported lost, or whose certificate was revoked")
            verdict = "unproven"
        receipt = Receipt(
            v=1,
            serial=name.serial,
            stream=name.stream,
            number=name.number,
            name=name.text,
            bytes=size,
            sha256=sha256,
            close_hash=report.close_hash or NO_HASH,
            nonce=opened.nonce if opened is not None else "0" * 32,
            store=store.name,
            object_version=store.version(stored),
            retention_class=opened.retention_class if opened is not None else "unknown",
            retain_until=retain_until,
            verdict=verdict,
            findings=tuple(finding[:_FINDING_LENGTH] for finding in findings[:_MOST_FINDINGS]),
            station=self.station,
            system_id=self.system_id,
            issued=self.now(),
            witness=self.witnesses.look(name.serial).proven,
        )
        return receipt, self._sign(encode_canonical(receipt))

    def _sign(self, payload: bytes) -> bytes:
        when = dt.datetime.fromtimestamp(self.utc_ns() / 1e9, dt.UTC)
        return cms.sign(payload, self._signer, when)
