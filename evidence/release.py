"""The release manifest: the release key's word on what firmware a camera should run. CMS around canonical JSON."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final, Literal

import msgspec

from evidence.cms import parse_signed
from evidence.statements import Frozen, Hash, Name, decode_canonical
from evidence.trust import Trust


class Release(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="release"):
    """One released version of the recorder."""

    v: Literal[1]
    version: Name
    sha256: Hash
    """Of the recorder's own files, as `open` states it (`firmware_sha256`)."""


ROOMS: Final = ("device", "evidence", "hal")
"""The folders that a recorder runs from."""
ENDINGS: Final = frozenset({".py", ".toml"})
_DECODER: Final = msgspec.json.Decoder(Release)


def code_sha256(base: Path) -> str:
    """SHA-256 over the recorder's own files under `base` (name, NUL, content), in the order of their names.

    Its Python and the data that it reads at run time. Raises OSError.
    """
    digest = hashlib.sha256()
    for room in ROOMS:
        for path in sorted(one for one in (base / room).rglob("*") if one.suffix in ENDINGS):
            digest.update(str(path.relative_to(base)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def read_release(document: bytes, trust: Trust) -> Release:
    """The manifest, if the agency's release role signed it. Raises `evidence.errors.EvidenceError`.

    No validity time is judged: software does not spoil when the certificate that released it ends.
    """
    message = parse_signed(document)
    trust.check(message, role="release")
    return decode_canonical(message.payload, _DECODER)
