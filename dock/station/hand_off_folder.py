"""Write a hand-off: one folder for each recording, the manifest last (docs/hand-off.md; R38, R40).

1. ``INCOMPLETE.txt`` is there before the first file and goes after the last: what is partial says so.
2. A file is copied as ``NAME.part``, made durable, then read back from where it was written: its SHA-256 must be the
   receipt's, and it is verified anew. Only then has it its name.
3. Done again in the same folder it goes on: what is whole is only read back, a part is continued.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from dock.errors import HandOffFailed
from dock.names import EvidenceName
from dock.station.beside import RECEIPT_SUFFIX, TIMESTAMP_SUFFIX
from dock.station.hand_off_manifest import Receipt, Recording
from dock.station.hand_offs import Facts
from dock.station.kept_files import KeptFiles
from evidence import cms, durable
from evidence.durable import AppendFile
from evidence.errors import EvidenceError
from evidence.export.report import media_span, recorded_between
from evidence.handover import Receipt as SignedReceipt
from evidence.handover import decode_receipt
from evidence.trust import Trust
from evidence.verify import Report, StreamVerifier

MARKER: Final = "INCOMPLETE.txt"
_BATCH_BYTES: Final = 16 * 2**20
_MARKED: Final = """This hand-off is not complete: it was interrupted, or is being written now.
Do not take anything from it. Run the same `firsthand-dock hand-off` again: it goes on where it stopped.
"""
AskFacts = Callable[[str, str], Facts]
"""(recording, SHA-256) to what the station knows."""


@dataclass(frozen=True)
class _Papers:
    """Where what belongs to a file lies in the hand-off."""

    receipt: str
    receipt_sha256: str
    timestamp: str | None
    proof: str | None
    custody: tuple[str, ...]
    conflicts: tuple[str, ...]


@dataclass
class HandOffFolder:
    """One hand-off on its way."""

    directory: Path
    kept: KeptFiles
    trust: Trust
    facts: AskFacts

    @functools.cached_property
    def _names(self) -> set[str]:
        return self.kept.names()

    def begin(self) -> None:
        """Raises `HandOffFailed` for a folder that is something else, OSError."""
        durable.make_directory(self.directory, mode=0o755)
        marked = (self.directory / MARKER).exists()
        if not marked and any(self.directory.iterdir()):
            raise HandOffFailed(f"{self.directory} is not empty and no hand-off in work: choose another folder")
        durable.replace(self.directory / MARKER, _MARKED.encode(), mode=0o644)

    def end(self) -> None:
        """Everything is there. Raises OSError."""
        durable.unlink(self.directory / MARKER)

    def add(self, meant: EvidenceName) -> Recording:
        """One recording, with all that belongs to it. Raises `DockError`, `EvidenceError`, OSError."""
        stem = meant.text.removesuffix(".evidence")
        folder = self.directory / stem
        durable.make_directory(folder, mode=0o755)
        signed = self.kept.paper(meant.text + RECEIPT_SUFFIX)
        if signed is None:
            raise HandOffFailed(f"the station has no receipt for {stem}: only what it took in whole is handed off")
        receipt = self._receipt(signed, meant)
        target = folder / meant.text
        if not target.exists():
            self._copy(meant.text, target, receipt)
        verifier, report = self._read_back(target, receipt)
        facts = self.facts(stem, receipt.sha256)
        token = self.kept.paper(meant.text + TIMESTAMP_SUFFIX)
        proof = base64.b64decode(facts.proof) if facts.proof is not None else None
        papers = _Papers(
            receipt=self._put(folder / (meant.text + RECEIPT_SUFFIX), signed),
            receipt_sha256=hashlib.sha256(signed).hexdigest(),
            timestamp=self._put(folder / (meant.text + TIMESTAMP_SUFFIX), token) if token is not None else None,
            proof=self._put(folder / f"{meant.text}.proof.p7s", proof) if proof is not None else None,
            custody=tuple(self._custody(folder, facts)),
            conflicts=tuple(name for name in sorted(self._names) if name.startswith(f"{meant.text}.conflict-")),
        )
        return _recording(meant, report, verifier, receipt, facts, papers)

    def _receipt(self, signed: bytes, meant: EvidenceName) -> SignedReceipt:
        try:
            message = cms.parse_signed(signed)
            self.trust.check(message, role="receipt", at=message.signed_at)
            receipt = decode_receipt(message.payload)
        except EvidenceError as error:
            raise HandOffFailed(f"the receipt of {meant.text} does not hold: {error}") from error
        if receipt.name != meant.text:
            raise HandOffFailed(f"the receipt beside {meant.text} is that of {receipt.name}")
        return receipt

    def _copy(self, name: str, target: Path, receipt: SignedReceipt) -> None:
        place = self.kept.find(name)
        if place is None:
            raise HandOffFailed(f"{name} has a receipt of {receipt.store}, and is in no store that this station reads")
        part = target.with_name(f"{name}.part")
        with AppendFile.reopen(part) if part.exists() else AppendFile.create(part) as file:
            if file.size > receipt.bytes:
                file.truncate(0)
            batch: list[bytes] = []
            for block in place.read(name, file.size):
                batch.append(block)
                if sum(map(len, batch)) >= _BATCH_BYTES:
                    file.append(batch)
                    batch = []
            file.append(batch)
        self._read_back(part, receipt)
        durable.rename(part, target)

    def _read_back(self, path: Path, receipt: SignedReceipt) -> tuple[StreamVerifier, Report]:
        verifier = StreamVerifier(self.trust, receipt.name)
        with path.open("rb") as file:
            while block := file.read(2**20):
                verifier.feed(block)
        report = verifier.finish()
        if (report.bytes, report.sha256) != (receipt.bytes, receipt.sha256):
            path.unlink()
            raise HandOffFailed(
                f"{receipt.name} as it was written is not what the receipt says: it was taken away again. "
                "Run it once more; if it comes back, look at both disks"
            )
        return verifier, report

    def _put(self, path: Path, data: bytes) -> str:
        durable.replace(path, data, mode=0o644)
        return str(path.relative_to(self.directory))

    def _custody(self, folder: Path, facts: Facts) -> list[str]:
        durable.make_directory(folder / "custody", mode=0o755)
        told = [one.told for one in facts.entries]
        self._put(folder / "custody.json", msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n")
        self._put(folder / "custody.txt", "".join(f"{one.line}\n" for one in facts.entries).encode())
        return [
            self._put(folder / "custody" / f"{one.seq:09d}-{one.step}.p7s", base64.b64decode(one.document))
            for one in facts.entries
        ]


def _recording(
    meant: EvidenceName,
    report: Report,
    verifier: StreamVerifier,
    receipt: SignedReceipt,
    facts: Facts,
    papers: _Papers,
) -> Recording:
    opened, span = report.opened, media_span(verifier.chain)
    times: dict[str, str | None] = {}
    if opened is not None and span is not None and opened.utc.source != "none":
        times["began_earliest"], times["began_latest"] = recorded_between(opened, span[0], span[0])
        times["ended_earliest"], times["ended_latest"] = recorded_between(opened, span[1], span[1])
    said = {
        what: tuple(one.value for one in facts.labels if one.what == what)
        for what in ("category", "case", "cad", "officer")
    }
    return Recording(
        id=meant.text.removesuffix(".evidence"),
        serial=meant.serial,
        number=meant.number,
        file=f"{meant.text.removesuffix('.evidence')}/{meant.text}",
        bytes=report.bytes,
        sha256=report.sha256,
        close_hash=report.close_hash,
        verdict="valid" if report.valid else "not_valid",
        findings=tuple(report.findings),
        simulated=opened is not None and any(source.kind != "real" for source in opened.sources),
        time_source=opened.utc.source if opened is not None else None,
        duration_ms=report.duration_ns // 10**6,
        frames=report.frames,
        sound_frames=report.sound_frames,
        upload_class=opened.upload_class if opened is not None else None,
        retention_class=receipt.retention_class,
        retain_until=receipt.retain_until,
        held=facts.held,
        holds=facts.holds,
        category=said["category"][-1] if said["category"] else None,
        case_numbers=tuple(dict.fromkeys(said["case"])),
        cad_numbers=tuple(dict.fromkeys(said["cad"])),
        officer=said["officer"][-1] if said["officer"] else None,
        labels=facts.labels,
        receipt=Receipt(
            file=papers.receipt,
            sha256=papers.receipt_sha256,
            verdict=receipt.verdict,
            store=receipt.store,
            station=receipt.station,
            issued=receipt.issued,
        ),
        timestamp=papers.timestamp,
        proof=papers.proof,
        custody=papers.custody,
        conflicts=papers.conflicts,
        **times,
    )
