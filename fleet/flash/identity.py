"""Who a camera is: `identity.toml` and `agency/`, as docs/design/board.md lays them down. No key goes along."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from cryptography.x509.oid import NameOID

from evidence import cms
from evidence.errors import EvidenceError
from evidence.keys import in_token, load_certificates
from evidence.limits import KEY_FILE_BYTES, SIGNED_DOCUMENT_BYTES
from evidence.roles import KeyLevel
from evidence.trust import Trust
from fleet.authority_store import fingerprint
from fleet.camera_identity import CameraIdentity, identity_text
from fleet.errors import BadAuthority
from fleet.flash.manifest import read_small

_URL: Final = re.compile(r"https://[A-Za-z0-9.\-\[\]:]{1,253}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{16,256}")
VAULTS: Final = 8


@dataclass(frozen=True)
class Enrolment:
    """Where cameras enrol and dock."""

    server: str
    station: str
    system_id: str
    key_level: KeyLevel = "file"
    secure_element: str | None = None

    def __post_init__(self) -> None:
        if self.secure_element is not None and not in_token(self.secure_element):
            raise BadAuthority("--secure-element is a pkcs11: URI")
        if self.key_level != "file" and self.secure_element is None:
            raise BadAuthority(f"a key of level {self.key_level} needs --secure-element, where it is made")
        for url in (self.server, self.station):
            if _URL.fullmatch(url) is None:
                raise BadAuthority(f"{url!r} is no address: write https://HOST:PORT")
        if not 1 <= len(self.system_id) <= 128 or not self.system_id.isprintable():
            raise BadAuthority("--system-id is the station's name in its station.toml, at most 128 characters")


@dataclass(frozen=True)
class AgencyFiles:
    """What every card of an agency gets, by name; and how its root is compared."""

    root_sha256: str
    organization: str
    files: dict[str, bytes] = field(repr=False)


def load_agency(directory: Path, crls: list[Path]) -> tuple[AgencyFiles, Trust]:
    """`root.pem`, `vault-*.pem`, `profile.p7s` and `profile.second.p7s` of a directory, each checked under that root.

    Raises `BadAuthority`, `BadImage`, `EvidenceError`.
    """
    trust = Trust.load(directory / "root.pem", crls)
    files = {"root.pem": read_small(directory / "root.pem", KEY_FILE_BYTES, "certificate")}
    vaults = sorted(directory.glob("vault-*.pem"))
    if not 1 <= len(vaults) <= VAULTS:
        raise BadAuthority(
            f"{directory} holds no vault-1.pem, or more than {VAULTS} vaults: no camera could seal to them"
        )
    for path in vaults:
        files[path.name] = read_small(path, KEY_FILE_BYTES, "certificate")
        chain = load_certificates(path)
        trust.check_chain(chain)
        trust.check_role(chain, "vault")
    for name in ("profile.p7s", "profile.second.p7s"):
        if name == "profile.p7s" or (directory / name).exists():
            files[name] = read_small(directory / name, SIGNED_DOCUMENT_BYTES, "profile")
            try:
                trust.check(cms.parse_signed(files[name]), role="profile")
            except EvidenceError as error:
                raise BadAuthority(f"{directory / name}: no camera of this agency would follow it: {error}") from error
    for name, data in files.items():
        if b"PRIVATE KEY" in data:
            raise BadAuthority(
                f"{directory / name} holds a private key, which goes onto no card: keep only certificates"
            )
    names = trust.root.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return AgencyFiles(fingerprint(trust.root), str(names[0].value) if names else "-", files), trust


def identity_of(
    serial: str, board: str, enrolment: Enrolment, root_sha256: str, token: str, vehicle: str | None
) -> bytes:
    """`identity.toml` of one camera. Raises `BadAuthority`, which does not repeat the token."""
    try:
        identity = msgspec.convert(
            {
                "v": 1,
                "serial": serial,
                "board": board,
                "vehicle": vehicle,
                "enrol": {
                    "server": enrolment.server,
                    "ca_sha256": root_sha256,
                    "token": token,
                    "key_level": enrolment.key_level,
                    "secure_element": enrolment.secure_element,
                },
                "station": {"url": enrolment.station, "system_id": enrolment.system_id},
            },
            CameraIdentity,
        )
    except msgspec.ValidationError as error:
        raise BadAuthority(f"the identity of {serial} would not be read by a camera: {error}") from error
    return f"# Who this camera is. The first boot removes the token.\n{identity_text(identity)}".encode()


def check_token(text: str) -> str:
    """A token as a person hands it over. Raises `BadAuthority`, which does not repeat it."""
    if _TOKEN.fullmatch(text) is None:
        raise BadAuthority("a token file holds what firsthand-fleet enrol-token printed, and nothing else")
    return text
