"""The release manifest: the release key's word on what firmware a camera should run. CMS around canonical JSON."""

from __future__ import annotations

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


_DECODER: Final = msgspec.json.Decoder(Release)


def read_release(document: bytes, trust: Trust) -> Release:
    """The manifest, if the agency's release role signed it. Raises `evidence.errors.EvidenceError`.

    No validity time is judged: software does not spoil when the certificate that released it ends.
    """
    message = parse_signed(document)
    trust.check(message, role="release")
    return decode_canonical(message.payload, _DECODER)
