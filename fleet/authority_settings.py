"""ca.toml: what an agency's certificate authority is told. Keys documented on docs/configuration.md."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from evidence.roles import KeyLevel, Role
from evidence.settings import load_toml
from fleet.issuing import Curve

Days = Annotated[int, Meta(ge=1, le=36_500)]
LEAF_DAYS: Final[dict[Role, int]] = {
    "camera": 730,
    "tls": 397,
    "receipt": 730,
    "profile": 730,
    "export": 730,
    "release": 1095,
    "command": 397,
    "vault": 3650,
    "proof": 730,
}
"""How long certificates hold where ca.toml says nothing else."""


class AuthoritySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """ca.toml"""

    organization: Annotated[str, Meta(min_length=1, max_length=40)]
    """The agency's name, as it stands in every certificate."""
    simulated: bool = False
    """Everything under this root is simulated, and never evidence."""
    curve: Curve = "P-256"
    """The curve of the authorities' keys, and of the keys that the tool makes."""
    days: dict[Role, Days] = msgspec.field(default_factory=dict)
    """Days that new certificates of a role hold; the others: camera 730, tls 397, receipt 730, profile 730, export 730,
    release 1095, command 397, vault 3650, proof 730."""
    crl_days: Days = 30
    """Days after which revocation lists must have been signed anew."""
    camera_key_level: KeyLevel = "file"
    """How evidence keys are kept, where an enrolment token does not say otherwise. It stands in every verdict: state
    `non_exportable` only if the technicians put every key into a token themselves."""

    def days_of(self, role: Role) -> int:
        """How many days a new certificate of that role holds."""
        return self.days.get(role, LEAF_DAYS[role])


def load_authority_settings(path: Path) -> AuthoritySettings:
    """Read ca.toml. Raises `evidence.settings.BadSettings`."""
    return load_toml(path, AuthoritySettings)
