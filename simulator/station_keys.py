"""Keys of other stations: a second one of the agency, and some that a camera must not believe (R6, R38)."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Final

from fleet.ca import Authority, Validity, write_credential

SECOND: Final = "station-2-receipt"
"""Ours."""
EXPIRED: Final = "station-expired"
FOREIGN: Final = "station-foreign"
EXPIRED_TLS: Final = "station-tls-expired"
FOREIGN_TLS: Final = "station-tls-foreign"


def write_station_keys(pki: Path, authority: Authority) -> None:
    """The keys of the second station, and some that are wrong in one respect each. Raises OSError."""
    write_credential(pki, SECOND, authority.signer("receipt", "Docking station 2", serial="STATION-2"))
    ended = authority.validity.start + dt.timedelta(hours=1)
    past = Validity(authority.validity.start - dt.timedelta(days=30), ended)
    write_credential(pki, EXPIRED, authority.signer("receipt", "Station expired", serial="STATION-9", validity=past))
    write_credential(pki, EXPIRED_TLS, authority.tls_server("localhost", validity=past))
    other = Authority("Another Police Department", simulated=authority.simulated, validity=authority.validity)
    write_credential(pki, FOREIGN, other.signer("receipt", "Docking station 1", serial="STATION-1"))
    write_credential(pki, FOREIGN_TLS, other.tls_server("localhost"))
