"""The manifest of a hand-off: one row for each recording, as JSON and as CSV (docs/hand-off.md).

Only what stands in the open: who carried the camera, and where it was, is sealed in the evidence (invariant 4).
"""

from __future__ import annotations

import csv
import io
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from dock.station.hand_offs import Held, Said
from evidence.statements import Count, Frozen, Hash, Moment, Name, Serial

JSON: Final = "manifest.json"
CSV: Final = "manifest.csv"


class Receipt(Frozen, frozen=True, kw_only=True):
    """The station's receipt, which lies beside the evidence file."""

    file: str
    """Path in the hand-off."""
    sha256: Hash
    """Of the receipt's own file."""
    verdict: Literal["valid", "not_valid", "unproven"]
    """What the station found when it took the file in."""
    store: Name
    """Which store held it."""
    station: Name
    """Which station signed."""
    issued: Moment
    """When, by the station's clock."""


class Recording(Frozen, frozen=True, kw_only=True):
    """One recording."""

    id: Name
    """The recording, as `SIM-0001-000012`."""
    serial: Serial
    """The camera."""
    number: Count
    """The camera's own count of its recordings."""
    file: str
    """Path of the evidence file in the hand-off."""
    bytes: Count
    """Its size."""
    sha256: Hash
    """Of the whole evidence file, computed from what was written here."""
    close_hash: Hash | None = None
    """SHA-256 of the recording's last statement: its name in logs and labels. Left out if it has no valid close."""
    verdict: Literal["valid", "not_valid"]
    """What verification of the file in this hand-off said, under the agency's root."""
    findings: tuple[str, ...] = ()
    """What does not hold."""
    simulated: bool = False
    """Made by a simulator: not evidence."""
    began_earliest: Moment | None = None
    """The recorded time begins not before this, UTC; left out if the camera knew no time."""
    began_latest: Moment | None = None
    """…and not after this."""
    ended_earliest: Moment | None = None
    """The recorded time ends not before this, UTC."""
    ended_latest: Moment | None = None
    """…and not after this."""
    time_source: str | None = None
    """Who vouched for the camera's clock: `gnss`, `ntp`, `dock`, `rtc` or `none`."""
    duration_ms: Count
    """Length of the recorded media."""
    frames: Count
    """Pictures."""
    sound_frames: Count = 0
    """Frames of sound; 0 is a recording without sound."""
    upload_class: str | None = None
    """`critical` or `normal`, as the camera signed it."""
    retention_class: str
    """Whose retention counts, as the camera signed it."""
    retain_until: Moment | None = None
    """Until when the receipt promises to keep it."""
    held: bool
    """Nothing may clean it up (R35)."""
    holds: tuple[Held, ...] = ()
    """Why."""
    category: str | None = None
    """The newest category that was given at the dock; what was given on the camera is sealed."""
    case_numbers: tuple[str, ...] = ()
    """Case numbers that were given at the dock."""
    cad_numbers: tuple[str, ...] = ()
    """Dispatch numbers that were given at the dock."""
    officer: str | None = None
    """Only what somebody said at the dock. Who carried the camera is sealed in the evidence: an export shows it."""
    labels: tuple[Said, ...] = ()
    """Every label that was given at the dock, oldest first."""
    receipt: Receipt
    """The station's word that it held every byte."""
    timestamp: str | None = None
    """Path of the RFC 3161 token."""
    proof: str | None = None
    """Path of the vault holder's proof that it opens."""
    custody: tuple[str, ...]
    """Paths of the signed entries of the custody ledger, oldest first."""
    conflicts: tuple[str, ...] = ()
    """Further files that came under the same name; they stay in the station's store."""


class Manifest(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="firsthand_hand_off"):
    """The whole hand-off. Written last: without it a hand-off is not complete."""

    v: Literal[1]
    """Version of this form."""
    made: Moment
    """When, by the station's clock."""
    to: Name
    """Who gets it."""
    station: Name
    """Which station."""
    system_id: Name
    """Whose evidence it is."""
    software: Name
    """What made it."""
    root_sha256: Hash
    """SHA-256 of the agency's root certificate (DER), which lies beside as `root.pem`."""
    ledger_entries: Count
    """Entries that the station's custody ledger had."""
    ledger_head: Hash
    """SHA-256 of the last of them: a ledger that ends before it was cut."""
    recordings: Annotated[tuple[Recording, ...], Meta(min_length=1)]
    """One for each."""


def encode(manifest: Manifest) -> bytes:
    """As ``manifest.json``."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def schema() -> bytes:
    """The JSON Schema (2020-12) of the manifest."""
    made = msgspec.json.schema(Manifest)
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Firsthand hand-off", **made}
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


_COLUMNS: Final = (
    *("id", "serial", "number", "file", "bytes", "sha256", "close_hash", "verdict", "findings", "simulated"),
    *("began_earliest", "began_latest", "ended_earliest", "ended_latest", "time_source", "duration_ms", "frames"),
    *("sound_frames", "upload_class", "retention_class", "retain_until", "held", "holds", "category", "case_numbers"),
    *("cad_numbers", "officer", "labels", "receipt", "receipt_verdict", "timestamp", "proof", "custody", "conflicts"),
)


def as_csv(manifest: Manifest) -> bytes:
    """As ``manifest.csv`` (RFC 4180, UTF-8): a header, then a row for each recording; lists with ``; `` between."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for one in manifest.recordings:
        values: dict[str, Any] = {name: getattr(one, name) for name in _COLUMNS if name != "receipt_verdict"}
        values["holds"] = [f"{hold.kind}: {hold.reason}" for hold in one.holds]
        values["labels"] = [f"{label.what}: {label.value} ({label.who}, {label.at})" for label in one.labels]
        values["receipt"], values["receipt_verdict"] = one.receipt.file, one.receipt.verdict
        writer.writerow({name: _cell(value) for name, value in values.items()})
    return text.getvalue().encode()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple | list):
        return _inert("; ".join(str(one) for one in value))
    return _inert(str(value))


def _inert(text: str) -> str:
    """A spreadsheet must not take what a person typed for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
