"""Takes vault proofs that the dock's agent brings, and says on the record what became of them (R40, invariant 8)."""

from __future__ import annotations

import asyncio
import hashlib
import logging

from device.errors import ProofRefused
from device.part import Part
from evidence.handover import Answer, Done, Refused
from evidence.requests import ProofRequest, Request
from evidence.statements import FileFacts

log = logging.getLogger("firsthand.proofs")


class VaultProofs(Part):
    """The counter for proofs. The rules stand in `device.proof_book`."""

    name = "vault_proofs"

    def begin(self) -> None:
        self.daemon.spawn(asyncio.to_thread(self.daemon.desk.proofs.load))

    async def answer(self, request: Request) -> Answer | None:
        if not isinstance(request, ProofRequest):
            return None
        daemon = self.daemon
        digest = hashlib.sha256(request.proof).hexdigest()
        try:
            proof = await asyncio.to_thread(daemon.desk.proofs.take, request.proof)
        except ProofRefused as error:
            log.warning("%s", error)
            daemon.log("proof_refused", object_sha256=digest, details={"why": str(error)[:500]})
            daemon.publish("proof_refused", None)
            return Refused(error=str(error))
        except OSError as error:
            return Refused(error=f"the proof cannot be kept: {error.strerror}")
        number = proof.number if proof.stream == "recording" else None
        facts = FileFacts(name=proof.name, bytes=proof.bytes, sha256=proof.sha256, close_hash=proof.close_hash)
        details = {
            "holder": proof.holder,
            "vault_sha256": proof.vault_sha256,
            "firmware_sha256": proof.firmware_sha256,
            "objects": proof.objects,
        }
        daemon.log(
            "proof_taken", recording=number, word=proof.stream, file=facts, object_sha256=digest, details=details
        )
        daemon.publish("proof_taken", None, proof.name.removesuffix(".evidence"))
        await asyncio.to_thread(daemon.desk.receipts.look_again)  # what waited for it alone may go now
        return Done()
