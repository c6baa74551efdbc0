"""What the evidence itself says about a run: nothing here is taken from the programs that made it.

A recording counts only as the station stored it, under the root that the run pinned. That it is gone from the camera is
believed only with the camera's signed tombstone in its log.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.export.decrypt import Vault, read_metadata
from evidence.export.items import ObjectItem, StatementItem, walk
from evidence.handover import Receipt, decode_receipt
from evidence.statements import AnyStatement, Event, Gap, MediaFacts, Sealed
from evidence.trust import Trust
from evidence.verify import Report, verify_file

RECEIPT_SUFFIX = ".receipt.p7s"


@dataclass(frozen=True, slots=True)
class Contents:
    """Statements and decrypted metadata of one file, in their order."""

    statements: tuple[AnyStatement, ...]
    metadata: tuple[dict[str, Any], ...]

    @property
    def first_media(self) -> MediaFacts | None:
        """What the first media statement says."""
        return next((one.media for one in self.statements if isinstance(one, Sealed) and one.media is not None), None)

    @property
    def triggers(self) -> list[dict[str, Any]]:
        """All triggers in order: those of the opening metadata, then those that came later."""
        found: list[dict[str, Any]] = []
        for document in self.metadata:
            if document.get("part") == "opening":
                found.extend(document.get("triggers", ()))
            elif document.get("event") == "trigger" and isinstance(document.get("trigger"), dict):
                found.append(document["trigger"])
        return found


@dataclass(frozen=True, slots=True)
class MeasuredRecording:
    """One recording in the station's store."""

    path: Path
    report: Report
    contents: Contents
    receipt: Receipt | None
    receipt_problem: str | None
    deleted_on_camera: bool

    @property
    def triggers(self) -> list[str]:
        """Names of its triggers, each once, in order."""
        return list(dict.fromkeys(str(one["name"]) for one in self.contents.triggers))

    @property
    def pre_event_s(self) -> float:
        """Seconds from the first frame to the first trigger; 0 for a recording that began later than its trigger."""
        first, triggers = self.contents.first_media, self.contents.triggers
        if first is None or not triggers:
            return 0.0
        return max(0, min(int(one["at_ns"]) for one in triggers) - first.start_ns) / 1e9

    @property
    def frames_told_lost(self) -> int:
        """Frames that its signed gaps say are missing."""
        return sum(one.frames for one in self.contents.statements if isinstance(one, Gap))

    @property
    def problems(self) -> list[str]:
        """What keeps it from being good, in sentences."""
        found = [f"does not verify: {finding}" for finding in self.report.findings]
        if self.receipt_problem is not None:
            found.append(self.receipt_problem)
        if not self.deleted_on_camera:
            found.append("is still on the camera, or its log holds no signed tombstone for it")
        return found


@dataclass(slots=True)
class Measured:
    """All that a run left behind."""

    recordings: list[MeasuredRecording] = field(default_factory=list)
    logs: list[tuple[Path, Report]] = field(default_factory=list)
    self_test: dict[str, Any] | None = None
    """The first self-test's verdict and checks, out of the signed log."""
    problems: list[str] = field(default_factory=list)


def read_contents(path: Path, vault: Vault) -> Contents:
    """All statements and metadata of a file that verified. Raises `EvidenceError`, OSError."""
    statements: list[AnyStatement] = []
    metadata: list[dict[str, Any]] = []
    with path.open("rb") as file:
        for item in walk(file):
            if isinstance(item, StatementItem) and item.statement is not None:
                statements.append(item.statement)
            elif isinstance(item, ObjectItem) and item.announced is not None and item.announced.object == "metadata":
                metadata.append(read_metadata(vault.plaintext(file, item)))
    return Contents(tuple(statements), tuple(metadata))


def check_receipt(path: Path, report: Report, trust: Trust) -> Receipt:
    """The receipt beside a stored file, signed by the station and about these very bytes.

    Raises `EvidenceError` or OSError that says what is wrong.
    """
    message = parse_signed(path.with_name(path.name + RECEIPT_SUFFIX).read_bytes())
    trust.check(message, role="receipt", at=message.signed_at)
    receipt = decode_receipt(message.payload)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if (receipt.name, receipt.bytes, receipt.sha256) != (path.name, path.stat().st_size, digest):
        raise EvidenceError("the receipt is about another file than the one it lies beside")
    if receipt.close_hash != report.close_hash:
        raise EvidenceError("the receipt names another close hash than the file has")
    if receipt.verdict != "valid":
        raise EvidenceError(f"the receipt says {receipt.verdict}: {'; '.join(receipt.findings)}")
    return receipt


def measure(stores: Sequence[Path], spool: Path, trust: Trust, vault: Vault) -> Measured:
    """Verify and read everything of a run. Problems are collected, nothing is raised for bad evidence."""
    measured = Measured()
    log_events: list[Event] = []
    segments = {path.name: path for place in (spool, *stores) for path in place.glob("*-log-*.evidence")}
    for _, path in sorted(segments.items()):  # of a segment in both places the stored one counts
        report, contents = _read(path, trust, vault, measured.problems)
        measured.logs.append((path, report))
        if not report.valid:
            measured.problems.append(f"{path.name}: {'; '.join(report.findings)}")
            continue  # what an unproven log says does not count
        log_events.extend(one for one in contents.statements if isinstance(one, Event))
        if measured.self_test is None:
            measured.self_test = _self_test(contents)
    tombstones = {(one.file.name, one.file.sha256) for one in log_events if one.event == "tombstone" and one.file}
    for path in sorted((path for store in stores for path in store.glob("*.evidence")), key=lambda path: path.name):
        if "-log-" not in path.name:
            recording = _recording(path, spool, tombstones, trust, vault, measured.problems)
            measured.recordings.append(recording)
            measured.problems.extend(f"{path.name} {problem}" for problem in recording.problems)
    for path in sorted(spool.glob("*.evidence")):
        if "-log-" not in path.name:
            measured.problems.append(f"{path.name} was left on the camera")
    return measured


def _read(path: Path, trust: Trust, vault: Vault, problems: list[str]) -> tuple[Report, Contents]:
    report = verify_file(path, trust)
    try:
        return report, read_contents(path, vault)
    except EvidenceError as error:
        problems.append(f"{path.name}: its metadata cannot be opened: {error}")
        return report, Contents((), ())


def _recording(
    path: Path, spool: Path, tombstones: Iterable[tuple[str, str]], trust: Trust, vault: Vault, problems: list[str]
) -> MeasuredRecording:
    report, contents = _read(path, trust, vault, problems)
    receipt, receipt_problem = None, None
    try:
        receipt = check_receipt(path, report, trust)
    except FileNotFoundError:
        receipt_problem = "has no receipt beside it"
    except (EvidenceError, OSError) as error:
        receipt_problem = f"has a bad receipt: {error}"
    deleted = not (spool / path.name).exists() and (path.name, report.sha256) in set(tombstones)
    return MeasuredRecording(path, report, contents, receipt, receipt_problem, deleted)


def _self_test(contents: Contents) -> dict[str, Any] | None:
    """The first self-test of a log segment: the verdict is public and signed, the checks are sealed behind it."""
    for event in contents.statements:
        if isinstance(event, Event) and event.event == "self_test" and event.word in ("pass", "warn", "block"):
            details = next((one for one in contents.metadata if one.get("seq") == event.seq), {})
            return {"verdict": event.word, "checks": list(details.get("checks", ()))}
    return None
