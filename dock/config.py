"""Configuration of station and agent: TOML into frozen structures, an unknown key is an error with the nearest match.

Every key is documented where it is declared (`dock.config_station`, `dock.config_agent` and their tables); paths are
relative to the configuration file's own directory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from dock.config_agent import AgentConfig, Offload, StationAddress, UpdateSettings
from dock.config_away import Away
from dock.config_base import Table, Tls
from dock.config_broker import BrokerSettings
from dock.config_desk import DeskSettings
from dock.config_mqtt import Peers, Telemetry
from dock.config_page import PageSettings
from dock.config_station import Receipts, StationConfig, StationLimits, Timestamps
from dock.config_store import S3, Archive, Foreign, StoreSettings
from dock.config_target import Target
from dock.errors import BadConfig
from evidence.keys import in_token
from evidence.settings import BadSettings, load_toml

__all__ = [
    "S3",
    "AgentConfig",
    "Archive",
    "Away",
    "BrokerSettings",
    "DeskSettings",
    "Foreign",
    "Offload",
    "PageSettings",
    "Peers",
    "Receipts",
    "StationAddress",
    "StationConfig",
    "StationLimits",
    "StoreSettings",
    "Target",
    "Telemetry",
    "Timestamps",
    "Tls",
    "UpdateSettings",
    "load_agent",
    "load_station",
]

_T = TypeVar("_T", bound=Table)


def load_station(path: Path) -> StationConfig:
    """Read station.toml. Raises `BadConfig` with one sentence."""
    config = _load(path, StationConfig)
    if in_token(config.receipts.key):
        return config
    key = str(path.parent / config.receipts.key)
    return msgspec.structs.replace(config, receipts=msgspec.structs.replace(config.receipts, key=key))


def load_agent(path: Path) -> AgentConfig:
    """Read agent.toml. Raises `BadConfig` with one sentence."""
    return _load(path, AgentConfig)


def _load(path: Path, kind: type[_T]) -> _T:
    try:
        return load_toml(path, kind)
    except BadSettings as error:
        raise BadConfig(str(error)) from error
