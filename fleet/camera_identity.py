"""identity.toml: who a camera is. `flash` writes it beside the image, the first boot reads it (docs/design/board.md).

The file holds a one-time token until the camera is enrolled. Nothing else in it is secret.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from evidence import durable
from evidence.keys import in_token
from evidence.roles import KeyLevel
from evidence.settings import BadSettings, load_toml
from evidence.statements import Name, Serial
from fleet.authority_store import toml_string

FILE: Final = "identity.toml"
AGENCY: Final = "agency"
"""The folder beside it: `root.pem`, `vault-*.pem`, `profile.p7s`, perhaps `profile.second.p7s`."""
Board = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}\Z")]
Url = Annotated[str, Meta(pattern=r"^https://[A-Za-z0-9.\-\[\]:]{1,253}\Z")]


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables."""


class Enrol(Table, frozen=True, kw_only=True):
    """Where and how the camera gets its certificates."""

    server: Url
    """The enrolment server, ``https://HOST:PORT``."""
    ca_sha256: Annotated[str, Meta(pattern=r"^[0-9a-fA-F:]{64,95}\Z")]
    """SHA-256 of the agency's root, as `ca init` printed it."""
    token: Annotated[str, Meta(min_length=16, max_length=256, pattern=r"^[\x21-\x7e]+\Z")] | None = None
    """The one-time token (`enrol-token`); None once it was used."""
    key_level: KeyLevel = "file"
    """What the token's maker vouches for: a key of another level is never made in a file."""
    secure_element: Annotated[str, Meta(pattern=r"^pkcs11:", max_length=2048)] | None = None
    """Where the evidence key is made if the element is there: ``pkcs11:token=…;object=…?module-path=…``."""


class Station(Table, frozen=True, kw_only=True):
    """The docking station that evidence goes to."""

    url: Url
    """``https://HOST:PORT``."""
    system_id: Name


class CameraIdentity(Table, frozen=True, kw_only=True):
    """identity.toml"""

    v: Literal[1]
    serial: Serial
    board: Board
    """How the camera is wired (`firsthand-device boards`)."""
    vehicle: Name | None = None
    """The vehicle's identification, for a dash camera."""
    enrol: Enrol
    station: Station | None = None
    """None: the camera has no agent, its card is read by hand."""


def load_identity(directory: Path) -> CameraIdentity:
    """The identity in a directory (partition 1). Raises `evidence.settings.BadSettings`."""
    path = directory / FILE
    if not path.exists():
        raise BadSettings(f"{path} is missing: this card was not flashed for a camera; use firsthand-fleet flash")
    found = load_toml(path, CameraIdentity)
    element = found.enrol.secure_element
    if element is not None and not in_token(element):
        raise BadSettings(f"{path}: enrol.secure_element: not a pkcs11: URI")
    if found.enrol.key_level != "file" and element is None:
        raise BadSettings(f"{path}: a key of level {found.enrol.key_level} needs enrol.secure_element")
    return found


def identity_text(identity: CameraIdentity) -> str:
    """The file's text; keys without a value are left out."""
    values = msgspec.to_builtins(identity)
    lines = [_line(name, value) for name, value in values.items() if value is not None and not isinstance(value, dict)]
    for name, value in values.items():
        if isinstance(value, dict):
            lines += ["", f"[{name}]", *(_line(key, one) for key, one in value.items() if one is not None)]
    return "\n".join(lines) + "\n"


def _line(key: str, value: object) -> str:
    return f"{key} = {value if isinstance(value, int) else toml_string(str(value))}"


def drop_token(directory: Path) -> None:
    """Take the used token out of the file. Raises `BadSettings`, OSError."""
    identity = load_identity(directory)
    if identity.enrol.token is not None:
        used = msgspec.structs.replace(identity.enrol, token=None)
        text = identity_text(msgspec.structs.replace(identity, enrol=used))
        durable.replace(directory / FILE, text.encode(), mode=0o600)
