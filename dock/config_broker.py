"""station.toml, table of the fleet's broker, to which cameras tell where their logs stand."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from dock.config_base import Table, Text, Tls


class BrokerSettings(Table, frozen=True, kw_only=True):
    """The broker, read as a witness only. Without this table the station hears of no camera but at its contact."""

    host: Text
    """Broker's host name, as in its certificate."""
    port: Annotated[int, Meta(ge=1, le=65535)] = 8883
    """Broker's TLS port."""
    tls: Tls
    """The station's client certificate for the broker, which must let it read ``fleet/v1/+/state``; `ca` is the
    authority of the broker's own certificate."""
    mqtt: Literal["auto", "5", "3.1.1"] = "auto"
    """Which MQTT the broker speaks."""
    backoff_max_s: Annotated[float, Meta(gt=0, le=3600)] = 60.0
    """Longest wait between attempts to connect, in seconds."""
