"""The settings of a simulated docking station: the department's own, a second one, and some of other people (R6)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from simulator.settings_text import toml_text
from simulator.station_keys import EXPIRED_TLS, FOREIGN, FOREIGN_TLS, SECOND

SYSTEM_ID: Final = "simulated-police-department"
RESERVE_BYTES: Final = 64 * 1024 * 1024
Kind = Literal["second", "other_system", "other_agency", "expired"]
"""`second`: ours as well. `other_system`: of our authorities, for another evidence system. `other_agency`: of other
authorities. `expired`: ours, with a TLS certificate that has run out."""


@dataclass(frozen=True, slots=True)
class StationIs:
    """Which station it is, and whose; keys and certificates by the stems of their files."""

    name: str = "STATION-1"
    system_id: str = SYSTEM_ID
    tls: str = "station-tls"
    receipts: str = "station-receipt"


OURS: Final = StationIs()
KINDS: Final[Mapping[Kind, StationIs]] = {
    "second": StationIs("STATION-2", receipts=SECOND),
    "other_system": StationIs("STATION-2", system_id="another-department", receipts=SECOND),
    "other_agency": StationIs("STATION-2", tls=FOREIGN_TLS, receipts=FOREIGN),
    "expired": StationIs("STATION-2", tls=EXPIRED_TLS, receipts=SECOND),
}


def write_station(
    directory: Path, pki: Path, port: int = 0, station: StationIs = OURS, *, reserve_bytes: int = RESERVE_BYTES
) -> Path:
    """``station.toml`` in `directory`; with port 0 the station takes a free one and says which. Raises OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    keys = Path(os.path.relpath(pki, directory))  # so that the whole run can be moved
    values = {
        "system_id": station.system_id,
        "station": station.name,
        "listen_host": "127.0.0.1",
        "listen_port": port,
        "directory": ".",
        "root": str(keys / "root.pem"),
        "tls": _credential(keys, station.tls) | {"ca": str(keys / "tls-ca.pem")},
        "receipts": _credential(keys, station.receipts),
        "limits": {"reserve_bytes": reserve_bytes},
    }
    path = directory / "station.toml"
    path.write_text(toml_text(values, "A simulated docking station. Written by firsthand-sim."), encoding="utf-8")
    return path


def _credential(keys: Path, stem: str) -> dict[str, str]:
    return {"certificate": str(keys / f"{stem}.pem"), "key": str(keys / f"{stem}.key")}
