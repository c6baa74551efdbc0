"""C2PA on a finished MP4: the export desk signs every byte, and names the evidence file that it was made from.

Source: C2PA specification 2.x through c2pa-python (extra `export`). It is applied last, since any later change voids
it. `Trusted` comes only from a reader that was given the agency's root; without it a reader says `Valid` at best, which
means no more than that somebody signed.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID

from evidence.errors import MediaError
from evidence.keys import Signer

CLAIM_SIGNING_OID: Final = x509.ObjectIdentifier("1.3.6.1.4.1.62558.2.1")
"""c2pa-kp-claimSigning: the purpose that the C2PA certificate profile demands."""
ASSERTION: Final = "org.firsthand.evidence"
MEMORY_MB: Final = 16
"""Copies that the library makes of a larger file go to the disk, so that hours are signed in bounded memory.

It hashes in buffers of its own of up to 256 MiB, two at a time: 0.5 GB at most were measured, with 2 GB of video.
"""
_MIME: Final = "video/mp4"


class NotPossible(Exception):
    """C2PA cannot be applied here; the message says why. The export itself is not hurt."""


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """The evidence file that an MP4 was made from."""

    name: str
    bytes: int
    sha256: str
    close_hash: str | None
    recording: str
    label: str | None
    """Why this is no ordinary evidence (simulated, training, not valid); None for real footage."""
    kept: str | None
    """Which part was exported, in words; None for all of it."""


def check_possible(signer: Signer) -> None:
    """Raises `NotPossible` when c2pa-python is not installed or the certificate is not for C2PA claims."""
    try:
        purposes = frozenset(signer.certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        purposes = frozenset()
    if not {ExtendedKeyUsageOID.EMAIL_PROTECTION, CLAIM_SIGNING_OID} <= purposes:
        raise NotPossible(f"the export desk's certificate lacks the purpose {CLAIM_SIGNING_OID.dotted_string} (C2PA)")
    try:
        import c2pa  # noqa: F401
    except ImportError as error:
        raise NotPossible("c2pa-python is not installed: pip install 'firsthand[export]'") from error


def manifest(source: SourceFacts, title: str) -> dict[str, Any]:
    """What the export desk claims: opened from the evidence file, repackaged, nothing encoded again."""
    said: dict[str, Any] = {
        "recording": source.recording,
        "source": {
            "name": source.name,
            "bytes": source.bytes,
            "sha256": source.sha256,
            "close_hash": source.close_hash,
        },
        "re_encoded": False,
        "kept": source.kept or "the whole recording",
        "label": source.label,
    }
    actions: list[dict[str, Any]] = [
        {"action": "c2pa.opened", "parameters": {"ingredientIds": ["evidence-file"]}},
        {"action": "c2pa.repackaged", "description": "decrypted and repackaged as MP4; no sample was encoded again"},
    ]
    if source.kept:
        actions.append({"action": "c2pa.trimmed", "description": source.kept})
    return {
        "claim_generator_info": [{"name": "firsthand-evidence", "version": "1"}],
        "title": f"{source.label}: {title}" if source.label else title,
        "format": _MIME,
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": ASSERTION, "data": said},
        ],
    }


def sign_mp4(path: Path, signed: Path, signer: Signer, source: SourceFacts, title: str) -> None:
    """Write `signed`: the bytes of `path` with the manifest inside. Raises `MediaError`, OSError."""
    import c2pa

    key = signer.certificate.public_key()
    is_p384 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1)
    algorithm = c2pa.C2paSigningAlg.ES384 if is_p384 else c2pa.C2paSigningAlg.ES256
    digest, size = (hashlib.sha384, 48) if is_p384 else (hashlib.sha256, 32)

    def raw_signature(data: bytes) -> bytes:
        r, s = decode_dss_signature(signer.sign_digest(digest(data).digest()))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in signer.chain).decode()
    ingredient = {
        "title": source.name,
        "relationship": "parentOf",
        "label": "evidence-file",
        "instance_id": f"sha256:{source.sha256}",
        "description": f"evidence file of {source.bytes} bytes, SHA-256 {source.sha256}",
    }
    signed.touch(mode=0o640)
    try:
        with (
            c2pa.Context.from_dict(_settings(None)) as context,
            c2pa.Builder(manifest(source, title), context) as builder,
            c2pa.Signer.from_callback(raw_signature, algorithm, chain) as made,
            path.open("rb") as before,
            signed.open("w+b") as after,
        ):
            note = json.dumps({"name": source.name, "sha256": source.sha256, "close_hash": source.close_hash})
            builder.add_ingredient(ingredient, "application/octet-stream", io.BytesIO(note.encode()))
            builder.sign(made, _MIME, before, after)
    except c2pa.C2paError as error:
        raise MediaError(f"C2PA cannot sign the MP4: {error}") from error


def _settings(root: x509.Certificate | None) -> dict[str, Any]:
    """Nothing is fetched from anywhere; with a root, only what leads to it is trusted."""
    settings: dict[str, Any] = {
        "verify": {"remote_manifest_fetch": False, "verify_trust": root is not None},
        "core": {"backing_store_memory_threshold_in_mb": MEMORY_MB},
        "builder": {"bmff_hash_exclude_free_and_skip_boxes": False},
    }
    if root is not None:
        purposes = (ExtendedKeyUsageOID.EMAIL_PROTECTION, CLAIM_SIGNING_OID)
        settings["trust"] = {
            "trust_anchors": root.public_bytes(serialization.Encoding.PEM).decode(),
            "trust_config": "\n".join(one.dotted_string for one in purposes),
        }
    return settings


def state(path: Path, root: x509.Certificate | None) -> tuple[str, Mapping[str, Any]]:
    """What a C2PA reader says about a file (`Trusted`, `Valid`, `Invalid`) under a root, and the manifest store.

    Raises `MediaError` for a file without a manifest that can be read, OSError.
    """
    import c2pa

    try:
        with c2pa.Context.from_dict(_settings(root)) as context, c2pa.Reader(path, context=context) as reader:
            store: dict[str, Any] = json.loads(reader.json())
            return str(reader.get_validation_state()), store
    except c2pa.C2paError as error:
        raise MediaError(f"no C2PA manifest can be read: {error}") from error
