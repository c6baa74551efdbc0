"""The release manifest: the release key's word on what firmware a camera should run. CMS around canonical JSON."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence.cms import parse_signed
from evidence.statements import Frozen, Hash, Name, decode_canonical
from evidence.trust import Trust


class Bundle(Frozen, frozen=True, kw_only=True):
    """The file that brings a camera to a release."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")]
    """Its name beside the manifest."""
    sha256: Hash
    bytes: Annotated[int, Meta(ge=1, le=2**33)]
    models: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    """Models that it is for; empty: all."""
    minimum: Name | None = None
    """Oldest version that may be updated straight to this one; None: any older one."""


class Release(Frozen, frozen=True, kw_only=True, tag_field="kind", tag="release"):
    """One released version of the recorder."""

    v: Literal[1]
    version: Name
    sha256: Hash
    """Of the recorder's own files, as `open` states it (`firmware_sha256`)."""
    bundle: Bundle | None = None
    """What a docked camera is handed; None for a manifest that only names the code."""


ROOMS: Final = ("device", "evidence", "hal")
"""The folders that a recorder runs from."""
ENDINGS: Final = frozenset({".py", ".toml"})
_VERSION: Final = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6}){0,3}", re.ASCII)
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


def number_of(version: str) -> tuple[int, ...] | None:
    """A version as numbers that can be compared, `1.10` above `1.9`; None for one that is no plain release."""
    if not _VERSION.fullmatch(version):
        return None
    numbers = [int(part) for part in version.split(".")]
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def update_fault(release: Release, *, model: str, firmware: str) -> str | None:
    """Why a camera may not be updated to that release, in a sentence; None if it may. Never to an older version."""
    new, old = number_of(release.version), number_of(firmware)
    if release.bundle is None:
        return f"release {release.version} names no bundle"
    if new is None or old is None:
        return f"{release.version} and {firmware} cannot be compared: only plain versions as 1.4.2 are updated"
    if new <= old:
        return f"release {release.version} is not newer than {firmware}"
    least = number_of(release.bundle.minimum) if release.bundle.minimum is not None else ()
    if least is None or old < least:
        return f"release {release.version} needs at least {release.bundle.minimum}, and this is {firmware}"
    if release.bundle.models and model not in release.bundle.models:
        return f"release {release.version} is for {', '.join(release.bundle.models)}, and this is a {model}"
    return None


def read_release(document: bytes, trust: Trust) -> Release:
    """The manifest, if the agency's release role signed it. Raises `evidence.errors.EvidenceError`.

    No validity time is judged: software does not spoil when the certificate that released it ends.
    """
    message = parse_signed(document)
    trust.check(message, role="release")
    return decode_canonical(message.payload, _DECODER)
