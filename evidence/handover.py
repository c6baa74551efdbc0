"""What the camera and the dock say to each other: receipts, contacts, and the lines over the recorder's Unix socket.

`device/` and `dock/` never import each other, so the words that both speak stand here. Receipts and contacts are CMS
SignedData of a station's receipt certificate around canonical JSON, like statements; the socket carries one JSON
object a line (at most `LINE_BYTES`), a request up and an answer down.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from evidence.requests import Offloading
from evidence.statements import (
    Count,
    Frozen,
    Hash,
    LogHead,
    Moment,
    Name,
    Nonce,
    Serial,
    Stream,
    UploadClass,
    Utc,
    Word,
    decode_canonical,
)

LINE_BYTES: Final = 512 * 1024
"""Longest line on the recorder's socket, newline included."""
PAGE_FILES: Final = 500
"""Most files in one answer to `ListRequest`; with the longest names they stay well within `LINE_BYTES`."""

Verdict = Literal["valid", "not_valid", "unproven"]


class Receipt(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="receipt"):
    """A station's word that its final store holds every byte of one file (invariants 7 and 8)."""

    v: Literal[1]
    serial: Serial
    stream: Stream
    number: Count
    name: Name
    """The file's name on the camera."""
    bytes: Count
    sha256: Hash
    """Of the whole file, read back from the store."""
    close_hash: Hash
    """SHA-256 of the file's last statement; zeros if the file has no valid close."""
    nonce: Nonce
    """The one in the file's `open`; zeros if it has none."""
    store: Name
    """Which store holds it, e.g. ``directory:station-1``."""
    object_version: Name
    retention_class: Word
    retain_until: Moment | None = None
    verdict: Verdict
    """`valid` only if every signature, hash and rule held; only that allows deletion. `unproven` comes from the
    quarantine lane: the camera's certificate was revoked, and nothing proves that the file is older than that."""
    findings: Annotated[tuple[Annotated[str, Meta(max_length=500)], ...], Meta(max_length=32)] = ()
    station: Name
    system_id: Name
    issued: Moment
    witness: LogHead | None = None
    """The log head that this station knows for the camera."""


class Contact(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="contact"):
    """A station's signed greeting: whose it is, what time it has, and a fresh nonce."""

    v: Literal[1]
    serial: Serial
    station: Name
    system_id: Name
    nonce: Nonce
    now: Moment
    uncertainty_ms: Count
    witness: LogHead | None = None


class PeerStart(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="peer_start"):
    """A camera's signed announcement that it has begun to record (R23)."""

    v: Literal[1]
    serial: Serial
    incident: Name
    """The incident that the recordings of all peers share."""
    nonce: Nonce
    utc: Utc
    """When, by the announcing camera's claim."""


class Refused(Frozen, frozen=True, kw_only=True, tag_field="answer", tag="refused"):
    error: str
    """One sentence."""


class Done(Frozen, frozen=True, kw_only=True, tag_field="answer", tag="done"):
    pass


class Status(Frozen, frozen=True, kw_only=True, tag_field="answer", tag="status"):
    serial: Serial
    model: Name
    firmware: Name
    state: Word
    """boot, self_test, ready, recording, out_of_service, docked, shutting_down."""
    docked: bool
    degraded: bool
    uptime_s: int
    recording: Name | None = None
    """Stem of the recording in progress."""
    self_test: Literal["pass", "warn", "block"] | None = None
    self_test_expired: Word | None = None
    """Why that verdict holds no longer: another officer, another shift, or 16 h."""
    do_not_use: tuple[Word, ...] = ()
    """Components for which this camera must not be checked out (R9)."""
    overrides: tuple[Word, ...] = ()
    """Components that a supervisor has overridden for this shift."""
    battery_percent: int | None = None
    charging: bool | None = None
    """It is being charged, or full, or has no battery and lives on outer power; None if the gauge does not say."""
    runtime_minutes: Count | None = None
    """Minutes that the present charge lasts by prediction, in the dock too (R8); None if it cannot be said."""
    free_bytes: int | None = None
    storage_minutes_left: int | None = None
    """Minutes of recording that the card still takes at the present bit rate."""
    buffered_s: float | None = None
    """Seconds of pre-event ring at hand."""
    log_head: LogHead | None = None
    profile_version: Count | None = None
    """Version of the signed profile that rules now; 0 is the built-in one."""
    profile_next: Count | None = None
    """Version of a newer profile that was taken and rules from the next start on (R7)."""
    assigned: bool = False
    """An officer is signed in. Who it is stands sealed in the evidence."""
    seized: bool = False
    """A supervisor has the camera in custody (critical incident): nothing is deleted, power is kept."""
    held: Count = 0
    """Recordings on hold."""
    proof_missing: Count = 0
    """Files that have their receipt and stay only because the vault's holder has not proven yet that they open."""
    offloading: Offloading | None = None
    """How far the offload is, as the agent said last."""


class SpoolFile(Frozen, frozen=True, kw_only=True):
    """A closed file on the camera."""

    name: Name
    stream: Stream
    number: Count
    bytes: Count
    close_hash: Hash
    upload_class: UploadClass
    state: Literal["waiting", "receipted"]
    hold: bool = False
    """Nothing may clean it up (R35)."""
    category: Word | None = None
    """The newest category that it was given; None is uncategorized, which blocks nothing (R31)."""
    proof_missing: bool = False
    """It has its receipt, and only a vault proof is missing."""


class Spool(Frozen, frozen=True, kw_only=True, tag_field="answer", tag="spool"):
    """A page of the list of closed files, by name."""

    directory: str
    files: tuple[SpoolFile, ...]
    more: bool = False
    """There are files whose names follow the last one: ask for those `after` it."""


class ReceiptTaken(Frozen, frozen=True, kw_only=True, tag_field="answer", tag="receipt_taken"):
    deleted: bool
    keep_s: int
    """Seconds of boot-counted time until the camera may unlink it; 0 = now."""
    proof_missing: bool = False
    """It stays, however long, until the vault's holder has proven that it opens."""


class SelfTestDone(Frozen, frozen=True, kw_only=True, tag_field="answer", tag="self_test"):
    verdict: Literal["pass", "warn", "block"]
    checks: tuple[dict[str, str | int | float | None], ...]


class Facts(Frozen, frozen=True, kw_only=True, tag_field="answer", tag="facts"):
    """An account of the recorder: no evidence, no position."""

    about: Word
    facts: dict[str, Any]


class Notice(Frozen, frozen=True, kw_only=True, tag_field="answer", tag="notice"):
    """Something that happened, as it happens. No position, no officer."""

    event: Word
    mono_ns: int
    word: str | None = None
    recording: Name | None = None
    number: int | None = None


Answer = Refused | Done | Status | Spool | ReceiptTaken | SelfTestDone | Facts | Notice
answer_decoder: Final = msgspec.json.Decoder(Answer)
_receipts: Final = msgspec.json.Decoder(Receipt)
_contacts: Final = msgspec.json.Decoder(Contact)
_peer_starts: Final = msgspec.json.Decoder(PeerStart)


def decode_receipt(payload: bytes) -> Receipt:
    """A receipt from its canonical JSON. Raises `MalformedStatement`."""
    return decode_canonical(payload, _receipts)


def decode_contact(payload: bytes) -> Contact:
    """A contact from its canonical JSON. Raises `MalformedStatement`."""
    return decode_canonical(payload, _contacts)


def decode_peer_start(payload: bytes) -> PeerStart:
    """A peer's announcement from its canonical JSON. Raises `MalformedStatement`."""
    return decode_canonical(payload, _peer_starts)
