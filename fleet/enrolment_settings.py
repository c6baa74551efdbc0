"""enrolment.toml: where a camera renews its certificates. `firsthand-fleet enrol` writes it beside the keys."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from evidence.settings import load_toml
from evidence.statements import Serial


class EnrolmentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """enrolment.toml"""

    server: Annotated[str, Meta(pattern=r"^https://[A-Za-z0-9.\-\[\]:]{1,253}\Z")]
    """The enrolment server, ``https://HOST:PORT``."""
    serial: Serial
    """This camera's serial."""
    evidence_key: Annotated[str, Meta(min_length=1, max_length=2048)] = "camera.key"
    """The evidence key: a path, or a ``pkcs11:`` URI. A renewal never changes it."""
    renew_days: Annotated[int, Meta(ge=1, le=3650)] = 60
    """Renew when fewer days than this are left, or less than a third of a shorter life."""
    new_tls_key: bool = True
    """Make a new TLS key at each renewal; otherwise the present one is kept."""


def load_enrolment(path: Path) -> EnrolmentSettings:
    """Read enrolment.toml. Raises `evidence.settings.BadSettings`."""
    return load_toml(path, EnrolmentSettings)
