"""Vault proofs at the station: what the vault's holder should open, and what goes to which camera (R40, invariant 8).

1. The station has no vault key and opens nothing. It keeps a work list: the first recording of each camera, vault
   certificate and firmware, each critical recording, and what a camera says is waiting (docs/design/vault-proof.md).
2. A proof that comes back is checked as a camera checks it, against the receipt of the file in the store, before it is
   handed to that camera at its next contact. What is wanted, what came and what a camera said are custody entries.
3. A camera's word about what is waiting makes work, and nothing else: its files are looked up in the store.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from dock.admin_words import arguments_of
from dock.errors import BadArguments, BadFileName
from dock.names import parse_name
from dock.station.known import known
from dock.station.part import AdminVerb, Document, StationPart, Stored
from dock.station.proof_ledger import ProofLedger, Recording, Why
from dock.station.station import Station
from dock.station.store import DirectoryStore
from dock.station.tus_words import Body
from dock.tls import Peer
from evidence import cms
from evidence.errors import EvidenceError
from evidence.handover import Receipt
from evidence.limits import PROOF_BYTES, STATEMENT_BYTES
from evidence.splitter import Splitter, StatementBytes
from evidence.statements import Frozen, Name, Open, decode
from evidence.vault_proof import VaultProof, check_vault_proof

log = logging.getLogger(__name__)
MOST_LISTED: Final = 10_000
"""Files on one work list: an answer of the station's socket has its limit."""
MOST_GIVEN: Final = 64
"""Proofs that are offered to a camera at once."""
MISSING_BYTES: Final = 256 * 1024


class Missing(Frozen, frozen=True, kw_only=True):
    """A camera's word: these files have a receipt and wait only for a proof."""

    names: Annotated[tuple[Name, ...], Meta(max_length=1000)]


class Brought(Frozen, frozen=True, kw_only=True):
    """Arguments of `proofs_take`: one proof, base64."""

    proof: str


class VaultProofs(StationPart):
    """The work list and the proofs of one station."""

    name = "vault proofs"

    def __init__(self, station: Station) -> None:
        super().__init__(station)
        self.ledger = ProofLedger(station.config.directory)

    async def end(self) -> None:
        self.ledger.close()

    # --- what is wanted ----------------------------------------------------------------------------------------------

    def stored(self, file: Stored) -> None:
        opened = file.report.opened
        if opened is None or opened.stream != "recording" or file.receipt.verdict != "valid":
            return
        one = _recording(file.receipt, file.stored, opened)
        if one.store != self.station.store.name or self.station.config.archive is not None:
            self.ledger.remember(one)
        if opened.upload_class == "critical":
            self._want(one, "critical")
        elif not self.ledger.covered(*one.pair) and not self.ledger.waits_for_first(*one.pair):
            self._want(one, "first")

    def _want(self, one: Recording, why: Why) -> bool:
        if self.ledger.proves(one.name, one.sha256) or not self.ledger.want(one, why):
            return False
        self.station.custody.enter(
            "proof_wanted", who=f"station {self.station.config.station}", serial=one.serial, name=one.name,
            sha256=one.sha256, details={"why": why, "firmware": one.firmware},
        )  # fmt: skip
        self.station.tell("proof_wanted", one.serial)
        return True

    def routes(self) -> Sequence[BaseRoute]:
        return [Route("/proofs/missing", known(self._missing), methods=["POST"])]

    async def _missing(self, request: Request) -> Response:
        data = await Body(request, self.station.config.limits.idle_s).read(MISSING_BYTES + 1)
        if len(data) > MISSING_BYTES:
            raise HTTPException(413, f"a list of files that wait has at most {MISSING_BYTES} bytes")
        try:
            said = msgspec.json.decode(data, type=Missing)
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise HTTPException(400, f"not a list of files that wait for a proof: {error}") from error
        peer: Peer = request.state.peer
        await asyncio.to_thread(self._all_missing, peer.serial, said.names)
        return Response(status_code=204)

    def _all_missing(self, serial: str, names: Sequence[str]) -> None:
        for name in names:
            self.missing(serial, name)

    def missing(self, serial: str, text: str) -> None:
        """A camera lacks a proof for one of its files (rule 3). Raises OSError."""
        try:
            name = parse_name(text)
        except BadFileName:
            return
        one = self._find(text) if (name.serial, name.stream) == (serial, "recording") else None
        if one is None:
            return
        if self.ledger.proves(text, one.sha256):
            self.ledger.offer_file_again(text, one.sha256)
        elif not self.ledger.covered(*one.pair):
            if not self.ledger.waits_for_first(*one.pair):
                self._want(one, "first")
        elif not self.ledger.pair_waits(*one.pair) and self._want(one, "critical"):
            # A category made it critical after it was closed, or this camera has lost what it knew: try both ways.
            self.ledger.offer_pair_again(*one.pair)

    # --- what people bring -------------------------------------------------------------------------------------------

    def admin_verbs(self) -> Mapping[str, AdminVerb]:
        return {"proofs_wanted": self._list, "proofs_take": self._take}

    def _list(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:  # noqa: ARG002 - to look changes nothing
        arguments_of(Frozen, arguments)
        fields = ("name", "sha256", "bytes", "vaults")
        files = [
            {**{field: getattr(one, field) for field in fields}, "why": why, "path": self._place(one)}
            for one, why in self.ledger.wanted(MOST_LISTED)
        ]
        return {"v": 1, "kind": "proofs_wanted", "files": files}

    def _place(self, one: Recording) -> str:
        """Where the file is, for a person who fetches it."""
        config, s3 = self.station.config, self.station.config.store.s3
        if one.store == self.station.store.name and isinstance(self.station.store, DirectoryStore):
            path = self.station.store.path(one.stored)
            if path.exists():
                return str(path.resolve())
        elif one.store == self.station.store.name and s3 is not None:
            return f"s3://{s3.bucket}/{s3.prefix}{one.stored}"
        if config.archive is not None:
            bucket = config.archive.s3
            where = f"s3://{bucket.bucket}/{bucket.prefix}" if bucket is not None else f"{config.archive.directory}/"
            return f"{where}{one.stored}"
        return f"{one.store}/{one.stored}"

    def _take(self, arguments: dict[str, Any], who: str) -> dict[str, Any]:
        said = arguments_of(Brought, arguments)
        try:
            document = base64.b64decode(said.proof, validate=True)
        except ValueError as error:
            raise BadArguments("the proof is not base64") from error
        if len(document) > PROOF_BYTES:
            raise BadArguments(f"a proof has at most {PROOF_BYTES} bytes")
        proof = self.check(document)
        digest = hashlib.sha256(document).hexdigest()
        new = self.ledger.keep(digest, proof, document)
        if new:
            self.station.custody.enter(
                "proof_taken", who=who, serial=proof.serial, name=proof.name, sha256=proof.sha256,
                details={"holder": proof.holder, "vault": proof.vault_sha256, "firmware": proof.firmware_sha256,
                         "objects": str(proof.objects), "proof": digest},
            )  # fmt: skip
            self.station.tell("proof", proof.serial)
        return {"serial": proof.serial, "name": proof.name, "new": new}

    def check(self, document: bytes) -> VaultProof:
        """A proof that holds, of a file that this station has. Raises `EvidenceError`, `BadArguments`, OSError."""
        trust = replace(self.station.trust, revocations=self.station.lists.refresh())
        proof = check_vault_proof(document, trust)
        held: Recording | Receipt | None = self.ledger.remembered(proof.name) or self._receipt_of(proof.name)
        if held is None:
            raise BadArguments(f"{proof.name} is not in this station's store: take it to the station that has it")
        for field in ("serial", "number", "bytes", "sha256", "close_hash"):
            if getattr(proof, field) != getattr(held, field):
                raise BadArguments(f"the proof of {proof.name} is refused: its {field} is not that of the stored file")
        return proof

    # --- what cameras get --------------------------------------------------------------------------------------------

    def documents(self, serial: str) -> Sequence[Document]:
        return [Document("proof", one) for one in self.ledger.waiting(serial, MOST_GIVEN)]

    def answered(self, serial: str, document: Document, error: str | None) -> None:
        camera = f"camera {serial}"
        if error is None:
            self.ledger.taken(document.id)
            self.station.custody.enter("proof_given", who=camera, serial=serial, details={"proof": document.id})
        elif self.ledger.refused(document.id) == 1:
            details = {"proof": document.id, "why": error[:500]}
            self.station.custody.enter("proof_refused", who=camera, serial=serial, details=details)

    # --- the store ---------------------------------------------------------------------------------------------------

    def _receipt_of(self, stored: str) -> Receipt | None:
        return self.station.intake.settling.read_receipt(stored)

    def _find(self, stored: str) -> Recording | None:
        """A recording of that name that was stored and verifies."""
        found = self.ledger.remembered(stored)
        receipt = self._receipt_of(stored) if found is None else None
        if receipt is None or receipt.verdict != "valid":
            return found
        opened = self._open_of(stored)
        return _recording(receipt, stored, opened) if opened is not None else None

    def _open_of(self, stored: str) -> Open | None:
        """The file's `open`, which stands at its begin."""
        splitter, seen = Splitter(), 0
        try:
            for block in self.station.store.read(stored):
                for item in splitter.feed(block):
                    if isinstance(item, StatementBytes):
                        first = decode(cms.parse_signed(item.data, limit=STATEMENT_BYTES).payload)
                        return first if isinstance(first, Open) else None
                seen += len(block)
                if seen > STATEMENT_BYTES:
                    return None
        except (EvidenceError, OSError) as error:
            log.error("%s in the store has no `open` that can be read: %s", stored, error)
        return None


def _recording(receipt: Receipt, stored: str, opened: Open) -> Recording:
    return Recording(
        receipt.name, receipt.serial, receipt.number, receipt.store, stored, receipt.bytes, receipt.sha256,
        receipt.close_hash, opened.camera.firmware_sha256, opened.recipients,
    )  # fmt: skip
