"""Vault proofs that this camera keeps, and what they allow (R40, invariants 8 and 13; docs/design/vault-proof.md).

1. Kept in ``state/proofs/``: one for each pair of vault certificate and firmware, and one for each file on the card
   that a proof names, until that file is gone. Who asks whether a file is proven gets an answer from memory; before a
   tombstone the kept document is read and checked again.
2. A file of the critical class needs a proof of itself, by SHA-256 and close hash. Any other needs one of some
   recording of this camera under the same pair. A file that a supervisor accepted although it does not verify
   cannot be proven itself, so that the pair counts.
3. What cannot be read, or no longer holds, counts as no proof. Nothing here looks at a clock.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from pathlib import Path
from typing import Final

from device.errors import ProofRefused
from device.spool import Known, Spool
from evidence import durable
from evidence.errors import EvidenceError
from evidence.limits import PROOF_BYTES
from evidence.trust import Trust
from evidence.vault_proof import SUFFIX, VaultProof, check_vault_proof

log = logging.getLogger("firsthand.proofs")

MOST_PAIRS: Final = 64
"""Pairs of vault certificate and firmware that are kept; more than a camera sees in its life."""
Pair = tuple[str, str]


class ProofBook:
    """The kept proofs of one camera. From any thread; nothing is proven before `load`."""

    def __init__(self, spool: Spool, trust: Trust) -> None:
        self._spool = spool
        self._trust = trust
        self._directory = spool.state / "proofs"
        self._pairs: dict[Pair, Path] = {}
        self._files: dict[str, tuple[VaultProof, Path]] = {}
        self._lock = threading.Lock()
        """For the two tables only: who starts a recording asks them too, and must not wait for the card."""
        self._writing = threading.Lock()

    def load(self) -> None:
        """Read what was kept; what is damaged or of a file that has gone does not count. Never raises for it."""
        try:
            paths = sorted(self._directory.glob(f"*{SUFFIX}"))
        except OSError as error:
            log.error("the kept proofs cannot be read (%s): nothing is deleted without new ones", error)
            return
        for path in paths:
            try:
                proof = self._checked(_read(path))
            except (OSError, EvidenceError, ProofRefused) as error:
                log.error("%s does not count: %s", path.name, error)
                continue
            if path.name != f"{proof.name}{SUFFIX}":
                if path == self._pair_path(proof.pair):
                    with self._lock:
                        self._pairs.setdefault(proof.pair, path)
            elif (self._spool.directory / proof.name).exists():
                with self._lock:
                    self._files.setdefault(proof.name, (proof, path))
            else:
                _drop(path)

    def take(self, document: bytes) -> VaultProof:
        """Check a proof and keep it. Raises `ProofRefused`; OSError if it cannot be kept."""
        try:
            proof = self._checked(document)
        except EvidenceError as error:
            raise ProofRefused(f"the proof is refused: {error}") from error
        here = (self._spool.directory / proof.name).exists()
        known = self._spool.find(proof.name)
        if known is not None:
            _check_file(proof, known)
        elif not here and proof.stream == "log":
            raise ProofRefused(f"the proof is of {proof.name}, which is not on this camera")
        with self._writing:
            durable.make_directory(self._directory)
            if here:
                path = self._directory / f"{proof.name}{SUFFIX}"
                durable.replace(path, document)
                with self._lock:
                    self._files[proof.name] = proof, path
            if proof.stream == "recording":
                self._make_place(proof.pair)
                path = self._pair_path(proof.pair)
                durable.replace(path, document)
                with self._lock:
                    self._pairs[proof.pair] = path
        return proof

    def proven(self, known: Known) -> bool:
        """Whether a kept proof covers this file, as far as memory says."""
        return self._covering(known) is not None

    def check(self, known: Known) -> None:
        """Read the proof that covers a file again, and check all of it. Raises `ProofRefused`."""
        name = known.facts.name
        path = self._covering(known)
        if path is None:
            raise ProofRefused(
                f"nobody has proven yet that the vault opens {name}: run `firsthand-evidence prove-open`"
            )
        try:
            proof = self._checked(_read(path))
            if path.name == f"{name}{SUFFIX}":
                _check_file(proof, known)
            elif proof.stream != "recording" or proof.pair not in _pairs_of(known):
                raise ProofRefused(f"{path.name} is a proof of something else")
        except (OSError, EvidenceError, ProofRefused) as error:
            self._forget_path(path)
            raise ProofRefused(f"the kept proof for {name} does not hold: {error}") from error

    def forget(self, name: str) -> None:
        """The file has gone: so may the proof of itself."""
        with self._lock:
            found = self._files.pop(name, None)
        if found is not None:
            _drop(found[1])

    def _checked(self, document: bytes) -> VaultProof:
        proof = check_vault_proof(document, self._trust)
        if proof.serial != self._spool.serial:
            raise ProofRefused(f"the proof is about {proof.serial}, this camera is {self._spool.serial}")
        return proof

    def _covering(self, known: Known) -> Path | None:
        """The kept proof that covers a file."""
        name = known.facts.name
        with self._lock:
            own = self._files.get(name)
            if own is not None and _is_of(own[0], known):
                return own[1]
            accepted = self._spool.appended.accepted(name) == known.facts.sha256
            if self._spool.upload_class(known) == "critical" and not accepted:
                return None
            return next((self._pairs[pair] for pair in _pairs_of(known) if pair in self._pairs), None)

    def _pair_path(self, pair: Pair) -> Path:
        return self._directory / f"pair-{hashlib.sha256(''.join(pair).encode()).hexdigest()[:32]}{SUFFIX}"

    def _make_place(self, pair: Pair) -> None:
        if pair in self._pairs or len(self._pairs) < MOST_PAIRS:
            return
        used = {one for known in self._spool.closed() for one in _pairs_of(known)}
        spare = next((one for one in self._pairs if one not in used), None)
        if spare is None:
            raise ProofRefused(f"proofs of {MOST_PAIRS} vault certificates and firmwares are in use: offload first")
        with self._lock:
            path = self._pairs.pop(spare)
        _drop(path)

    def _forget_path(self, path: Path) -> None:
        """A new one must come; the file itself stays for whoever wants to know."""
        with self._lock:
            self._pairs = {pair: one for pair, one in self._pairs.items() if one != path}
            self._files = {name: one for name, one in self._files.items() if one[1] != path}


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(PROOF_BYTES + 1)


def _drop(path: Path) -> None:
    try:
        durable.unlink(path)
    except OSError as error:
        log.warning("%s: %s", path.name, error)


def _pairs_of(known: Known) -> tuple[Pair, ...]:
    return tuple((vault, known.firmware_sha256) for vault in known.recipients)


def _facts(known: Known) -> dict[str, object]:
    facts = known.facts
    return {
        "stream": known.stream,
        "number": known.number,
        "name": facts.name,
        "bytes": facts.bytes,
        "sha256": facts.sha256,
        "close_hash": facts.close_hash,
        "firmware_sha256": known.firmware_sha256,
    }


def _is_of(proof: VaultProof, known: Known) -> bool:
    """Whether a proof is of exactly this file."""
    same = all(getattr(proof, field) == value for field, value in _facts(known).items())
    return same and proof.vault_sha256 in known.recipients


def _check_file(proof: VaultProof, known: Known) -> None:
    """Raises `ProofRefused` with the first fact that differs."""
    for field, value in _facts(known).items():
        if getattr(proof, field) != value:
            raise ProofRefused(f"the proof of {known.facts.name} is refused: its {field} is not that of the file")
    if proof.vault_sha256 not in known.recipients:
        raise ProofRefused(f"{known.facts.name} is not sealed to the vault certificate of the proof")
