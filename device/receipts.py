"""Receipts and deletion: the only place on the camera that unlinks evidence (R34, R38, R42; invariants 7, 8, 13).

1. A receipt counts only if it is signed by a receipt certificate of the agency and repeats serial, stream, number,
   name, length, SHA-256, close hash and nonce of a closed file on this card, names a store that the profile allows
   (`deletion_stores`), and its verdict is `valid`; or a supervisor's signed `accept` names these very bytes
   (`device.lost`).
2. The receipt is durable first, then a signed tombstone in the device log, then the file is unlinked.
3. A file on hold is never unlinked (R35), nor anything on a seized camera (`device.appended`), nor the newest closed
   log segment, whose hash the next one needs.
4. The holding time runs on boot-counted time, saved every few minutes: a wrong clock deletes nothing early.
5. A receipt alone deletes nothing: a vault proof must cover the file too (`device.proof_book`), unless the signed
   profile says openly that this agency goes without (R40, invariant 8).
6. Anything unknown deletes nothing.
7. A receipt stays when its file goes; of files that are gone, the newest thousand of each stream. The tombstone in the
   log names the digest of each.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import hashlib
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from device.device_log import DeviceLog
from device.errors import ProofRefused, ReceiptRefused
from device.proof_book import ProofBook
from device.spool import Known, Spool
from device.state_file import StateUnreadable, read_state
from device.writer import Job, Writer
from evidence import durable
from evidence.cms import parse_signed
from evidence.errors import EvidenceError
from evidence.handover import Receipt, decode_receipt
from evidence.statements import moment_ns
from evidence.trust import Trust

log = logging.getLogger("firsthand.receipts")

RESERVE_BYTES: Final = 1024 * 1024
"""Kept free on the card so that a full card can still take the end of a recording and the log's word about it."""
RESERVE_NAME: Final = ".reserve"
HELD_BYTES: Final = 16 * 1024 * 1024
"""Largest held.json: a line of it for each file of a full card, many times over."""
KEPT_RECEIPTS: Final = 1000
"""Of files that are gone, for each stream: 4 MiB of a card's blocks at most, instead of more with each shift."""
_FORGOTTEN_AT_ONCE: Final = 20
"""Each costs a sync of the directory, and the card has other things to do."""
START_BYTES: Final = 256 * 1024
"""Least room beside the reserve for which a recording is worth to be begun."""


class Receipts:
    """Takes receipts from the dock agent and deletes what they allow."""

    def __init__(
        self,
        spool: Spool,
        trust: Trust,
        writer: Writer,
        device_log: DeviceLog,
        *,
        keep_s: int,
        stores: Sequence[str] = (),
        proofs: ProofBook | None,
        on_deleted: Callable[[str], None],
        complaint: str | None = None,
    ) -> None:
        self._spool = spool
        self._trust = trust
        self._writer = writer
        self._log = device_log
        self._keep_s = keep_s
        self._stores = tuple(stores)
        self._proofs = proofs
        self.unproven: frozenset[str] = frozenset()
        """Files that have a receipt and wait for a vault proof, as of the last look."""
        self._on_deleted = on_deleted
        self._complaint = complaint
        """Why nobody's word can be judged now: then no receipt is taken."""
        self._held_path = spool.state / "held.json"
        self._held: dict[str, int] = self._load_held()
        self._deleting: set[str] = set()
        self._choosing = threading.Lock()
        """Two threads must not both begin to delete one file: the log would tell it twice."""
        self._saving = threading.Lock()
        self._unsaved_s = 0

    def _load_held(self) -> dict[str, int]:
        try:
            held: dict[str, int] | None = read_state(self._held_path, dict[str, int], HELD_BYTES)
        except StateUnreadable as error:
            log.error("%s: holding times begin anew", error)
            return {}
        return held or {}

    def _known(self, name: str) -> Known:
        known = self._spool.find(name)
        if known is None:
            raise ReceiptRefused(f"there is no closed file {name} on this camera")
        return known

    def check(self, name: str, document: bytes) -> Receipt:
        """Check a receipt for a file against every fact. Raises `ReceiptRefused` with the first that differs."""
        known = self._known(name)
        if self._complaint is not None:
            raise ReceiptRefused(f"the receipt for {name} is refused: {self._complaint}")
        try:
            message = parse_signed(document)
            receipt = decode_receipt(message.payload)
            issued = dt.datetime.fromtimestamp(moment_ns(receipt.issued) // 10**9, dt.UTC)
            self._trust.check(message, role="receipt", at=issued)
        except (EvidenceError, ValueError, OverflowError) as error:
            raise ReceiptRefused(f"the receipt for {name} is refused: {error}") from error
        accepted = self._spool.appended.accepted(name) == receipt.sha256
        expected = {
            "serial": self._spool.serial,
            "stream": known.stream,
            "number": known.number,
            "name": name,
            "bytes": known.facts.bytes,
            "sha256": known.facts.sha256,
            "close_hash": known.facts.close_hash,
            "nonce": known.nonce,
        }
        if accepted:  # the store could not read these; the supervisor's acceptance names the bytes
            del expected["close_hash"], expected["nonce"]
        for field, value in expected.items():
            if getattr(receipt, field) != value:
                raise ReceiptRefused(f"the receipt for {name} is refused: its {field} is not that of the file")
        if self._stores and not any(fnmatch.fnmatchcase(receipt.store, pattern) for pattern in self._stores):
            wanted = " or ".join(self._stores)
            raise ReceiptRefused(f"{name} is in {receipt.store}; this camera's profile deletes what {wanted} holds")
        if receipt.verdict != "valid" and not accepted:
            finding = receipt.findings[0] if receipt.findings else "no finding given"
            raise ReceiptRefused(f"the store holds {name}, but found it {receipt.verdict.replace('_', ' ')}: {finding}")
        return receipt

    def take(self, name: str, document: bytes) -> int:
        """Check and keep a receipt; seconds until the file may go, 0 = deletion has begun.

        Raises `ReceiptRefused`, or OSError if the receipt cannot be kept.
        """
        known = self._known(name)
        self.check(name, document)
        path = self._spool.receipt_path(name)
        durable.make_directory(path.parent)
        durable.replace(path, document)
        self._held.setdefault(name, 0)
        self._writer.put(Job(f"{name} receipt", lambda: self._log_entry("receipt_taken", known, document)))
        left = max(0, self._keep_s - self._held[name])
        if left == 0:
            self._delete(known)
        if self._misses_proof(known):
            self.unproven |= {name}
        return left

    def tick(self, seconds: int) -> None:
        """Count holding time (boot-counted seconds since the last call) and delete what has waited long enough.

        Asks the card: not for the loop's thread.
        """
        for known in self._spool.receipted():
            self._held[known.facts.name] = self._held.get(known.facts.name, 0) + seconds
        self.look_again()
        self._unsaved_s += seconds
        if self._unsaved_s >= 300:
            self.save()
            self._writer.put(Job("old receipts", lambda: None, done=self._forget_old))

    def look_again(self) -> None:
        """Delete what may go by now: time has passed, or a proof came (any thread)."""
        unproven: set[str] = set()
        for known in self._spool.receipted():
            if self._misses_proof(known):
                unproven.add(known.facts.name)
            elif self._held.get(known.facts.name, 0) >= self._keep_s:
                self._delete(known)
        self.unproven = frozenset(unproven)

    def save(self) -> None:
        """Write the holding times down; a failure only means that they begin a little anew."""
        self._unsaved_s = 0
        names = {known.facts.name for known in self._spool.receipted()}
        held = {name: held for name, held in tuple(self._held.items()) if name in names}
        try:
            with self._saving:
                durable.replace(self._held_path, msgspec.json.encode(held))
        except OSError as error:
            log.warning("held.json: %s", error)

    def _forget_old(self) -> None:
        """Some of the receipts that nobody needs any more, oldest first (writer thread)."""
        kept = self._spool.receipt_path("any")
        suffix = kept.name.removeprefix("any")
        try:
            names = sorted(one.name.removesuffix(suffix) for one in kept.parent.iterdir() if one.name.endswith(suffix))
            gone = [name for name in names if not (self._spool.directory / name).exists()]
            streams = [name for name in gone if "-log-" in name], [name for name in gone if "-log-" not in name]
            for name in [name for stream in streams for name in stream[:-KEPT_RECEIPTS]][:_FORGOTTEN_AT_ONCE]:
                durable.unlink(self._spool.receipt_path(name))
        except FileNotFoundError:
            return  # nothing was ever offloaded
        except OSError as error:
            log.warning("old receipts stay: %s", error)

    def may_go(self, known: Known) -> bool:
        """Whether a receipted file may be deleted when the space is needed, as far as memory says."""
        return self._free_to_go(known) and (self._proofs is None or self._proofs.proven(known))

    def _misses_proof(self, known: Known) -> bool:
        """A proof is all that is missing."""
        return self._free_to_go(known) and self._proofs is not None and not self._proofs.proven(known)

    def _free_to_go(self, known: Known) -> bool:
        name = known.facts.name
        if known.hold or name in self._deleting or not self._unheld(name):
            return False
        if known.stream == "log":
            return known.number < self._spool.newest_segment
        return True

    def _unheld(self, name: str) -> bool:
        """Asked once more right before each step: a hold may come while a tombstone is under way."""
        return self._spool.appended.may_clean_up(name)

    def _delete(self, known: Known) -> None:
        """Tombstone, then unlink, both on the writer thread. Re-checks the kept receipt first."""
        name = known.facts.name
        with self._choosing:
            if not self.may_go(known):
                return
            self._deleting.add(name)
        try:
            document = self._kept(known)
        except (OSError, ReceiptRefused, ProofRefused) as error:
            log.error("%s is not deleted: %s", name, error)
            self._deleting.discard(name)
            return
        self._writer.put(
            Job(
                f"{name} tombstone",
                lambda: self._log_entry("tombstone", known, document) if self._unheld(name) else None,
                done=lambda: self._unlink(name),
                lost=lambda _: self._deleting.discard(name),
            )
        )

    def _kept(self, known: Known) -> bytes:
        """The kept receipt, once it and the proof were checked again. Raises OSError and both refusals."""
        document = self._spool.receipt_path(known.facts.name).read_bytes()
        self.check(known.facts.name, document)
        if self._proofs is not None:
            self._proofs.check(known)
        return document

    def _log_entry(self, event: str, known: Known, document: bytes) -> DeviceLog:
        """Gather an entry that names a file and the receipt that speaks of it (writer thread). Raises OSError."""
        number = known.number if known.stream == "recording" else None
        digest = hashlib.sha256(document).hexdigest()
        return self._log.event(event, recording=number, word=known.stream, file=known.facts, object_sha256=digest)

    def _unlink(self, name: str) -> None:
        if not self._unheld(name):
            log.warning("%s stays: it was put on hold while it was about to go", name)
            self._deleting.discard(name)
            return
        try:
            durable.unlink(self._spool.directory / name)
        except OSError as error:
            log.error("%s could not be unlinked: %s", name, error)
        else:
            self._spool.forget(name)
            if self._proofs is not None:
                self._proofs.forget(name)
            self._on_deleted(name)
        self._deleting.discard(name)

    # --- a full card (writer thread) --------------------------------------------------------------------------------

    def make_room(self, *, use_reserve: bool) -> bool:
        """Free space on a full card: the oldest receipted file, else, if it may be used, the reserve.

        Never anything without a receipt and its proof. Runs on the writer thread; True if something was freed.
        """
        for known in self._spool.receipted():
            if not self.may_go(known):
                continue
            name = known.facts.name
            try:
                self._bury(known, self._kept(known))
            except (OSError, ReceiptRefused, ProofRefused) as error:
                log.error("%s is not deleted: %s", name, error)
                continue
            self._unlink(name)
            self.keep_reserve()
            return True
        return use_reserve and self._free_reserve()

    def _bury(self, known: Known, document: bytes) -> None:
        """A durable tombstone, if need be in the reserve's place. Raises OSError."""
        for attempt in (1, 2):
            try:
                self._log_entry("tombstone", known, document).commit()
                return
            except OSError:
                if attempt == 2 or not self._free_reserve():
                    raise

    def room_to_start(self) -> bool:
        """Whether a recording can be begun and ended: free space, or a file that may go. True if unknown.

        The reserve is for the end of a recording: a start that had to take it would leave none for its own end.
        """
        if any(self.may_go(known) for known in self._spool.receipted()):
            return True
        wanted = START_BYTES if self._reserve.exists() else RESERVE_BYTES + START_BYTES
        try:
            return durable.free_bytes(self._spool.directory) > wanted
        except OSError:
            return True

    # --- the reserve ------------------------------------------------------------------------------------------------

    @property
    def _reserve(self) -> Path:
        return self._spool.directory / RESERVE_NAME

    def _free_reserve(self) -> bool:
        try:
            durable.give_up(self._reserve)
        except OSError:
            return False
        return True

    def keep_reserve(self) -> None:
        """Set the reserve aside again when there is room for it. Never raises for what the card does."""
        try:
            if self._reserve.exists() or durable.free_bytes(self._spool.directory) < 3 * RESERVE_BYTES:
                return
            durable.set_aside(self._reserve, RESERVE_BYTES)
        except OSError as error:
            log.warning("no reserve on the card: %s", error)
